import Addresses
import Doctor
import Glibc
import Keeper
import Program

/// Examines what the observers look with; what needs a device opened is asked from srup-witness.
struct EyeDoctor {
    private let root: FakeableRoot
    private let devices: DeviceChecks
    private let support: SupportCheck
    private let witness: String

    init(_ root: FakeableRoot, witness: String) {
        self.root = root
        self.witness = witness
        devices = DeviceChecks(root)
        support = SupportCheck(root)
    }

    /// - Parameter observers: none when the configuration is wrong: then any camera is looked for.
    func examine(_ observers: [ObserverSettings.LogicalObserver]) -> [Finding] {
        guard !observers.isEmpty else { return camera(.init()) }
        return observers.flatMap { observer in
            observer.eyes.flatMap { eye in
                switch eye {
                case .camera(let camera): self.camera(camera)
                case .nfc(let nfc): reader(nfc)
                }
            }.map { $0.under(observer.name) }
        }
    }

    private func camera(_ camera: ObserverSettings.CameraSettings) -> [Finding] {
        var findings: [Finding] = []
        if !camera.device.isFile {
            findings.append(devices.cameraModule())
            let isModule = camera.device == .module || devices.sensor != nil && camera.device == .automatic
            findings.append(
                support.finding(isModule ? devices.sensor == "imx708" ? .focusingModule : .fixedModule : .usbCamera))
        }
        if let path = path(camera.device, stable: "/dev/srup/camera0", first: "video") {
            findings.append(devices.access(to: path, group: "video", name: "camera file"))
        }
        let check = WitnessCheck(
            "camera", executable: witness,
            arguments: [
                "check", "camera", "--json", "--device", camera.device.description, "--size",
                "\(camera.width)x\(camera.height)",
            ], limit: .seconds(15))
        return findings + check.findings()
    }

    private func reader(_ nfc: ObserverSettings.NFCSettings) -> [Finding] {
        var findings: [Finding] = []
        let (port, bus): (String?, String?) =
            switch nfc.device {
            case .serial(let path, _): (path, nil)
            case .i2c(let path): (nil, path)
            case .auto where root.exists("/dev/srup/pn532-usb"): ("/dev/srup/pn532-usb", nil)
            case .auto: (nil, ["/dev/srup/pn532-i2c", "/dev/i2c-1"].first { root.exists($0) })
            }
        if let port {
            findings.append(devices.access(to: port, group: "dialout", name: "reader file"))
            findings.append(devices.modemManager(port: port))
        }
        if let bus {
            findings.append(devices.access(to: bus, group: "i2c", name: "reader file"))
            findings.append(devices.busSpeed(realName(bus)))
        } else if port == nil {
            findings.append(
                Finding(
                    "I2C", .skipped, "there is no I2C bus",
                    remedy: "for a reader on I2C: dtparam=i2c_arm=on in config.txt"))
        }
        if let port {
            findings.append(support.finding(Self.isOnHeader(port, realName(port)) ? .serialReader : .usbReader))
        } else if bus != nil {
            findings.append(support.finding(.i2cReader))
        }
        let check = WitnessCheck(
            "reader", executable: witness, arguments: ["check", "nfc", "--json", "--device", nfc.device.description],
            limit: .seconds(15))
        return findings + check.findings()
    }

    /// The device file of a camera that is named by path, or would be found first.
    private func path(_ device: CameraAddress, stable: String, first prefix: String) -> String? {
        if case .device(let path) = device { return path }
        guard device == .automatic else { return nil }
        if root.exists(stable) { return stable }
        return root.names(in: "/dev").first { name in
            name.hasPrefix(prefix) && !name.dropFirst(prefix.count).isEmpty
                && name.dropFirst(prefix.count).allSatisfy(\.isNumber)
        }.map { "/dev/" + $0 }
    }

    /// Whether a serial port is the header's and not a USB adapter's.
    private static func isOnHeader(_ port: String, _ real: String) -> Bool {
        ["/dev/ttyS", "/dev/ttyAMA", "/dev/serial0"].contains { port.hasPrefix($0) || real.hasPrefix($0) }
            || port == "/dev/srup/pn532-serial"
    }

    /// "/dev/i2c-1" for "/dev/srup/pn532-i2c".
    private func realName(_ bus: String) -> String {
        guard let target = root.link(bus), let name = target.split(separator: "/").last else { return bus }
        return "/dev/" + name
    }
}
