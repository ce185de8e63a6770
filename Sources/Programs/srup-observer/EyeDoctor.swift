import Doctor
import Glibc
import Keeper
import Program

/// Examines what the observers look with; what needs a device opened is asked from srup-witness.
struct EyeDoctor {
    private let root: FakeableRoot
    private let devices: DeviceChecks
    private let witness: String

    init(_ root: FakeableRoot, witness: String) {
        self.root = root
        self.witness = witness
        devices = DeviceChecks(root)
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
        let isFile = ["folder:", "y4m:", "fifo:"].contains { camera.device.hasPrefix($0) }
        if !isFile { findings.append(devices.cameraModule()) }
        if let path = path(camera.device, stable: "/dev/srup/camera0", first: "video") {
            findings.append(devices.access(to: path, group: "video", name: "camera file"))
        }
        let check = WitnessCheck(
            "camera", executable: witness,
            arguments: [
                "check", "camera", "--json", "--device", camera.device, "--size", "\(camera.width)x\(camera.height)",
            ], limit: .seconds(15))
        return findings + check.findings()
    }

    private func reader(_ nfc: ObserverSettings.NFCSettings) -> [Finding] {
        var findings: [Finding] = []
        let parts = nfc.device.split(separator: ":").map(String.init)
        let named = parts.count > 1 ? (parts[0] == "by-id" ? "/dev/serial/by-id/" + parts[1] : parts[1]) : nil
        let port =
            parts.first != "pn532_i2c"
            ? named ?? ["/dev/srup/pn532-usb"].first { root.exists($0) } : nil
        let bus =
            parts.first == "pn532_i2c"
            ? named : port == nil ? ["/dev/srup/pn532-i2c", "/dev/i2c-1"].first { root.exists($0) } : nil
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
        let check = WitnessCheck(
            "reader", executable: witness, arguments: ["check", "nfc", "--json", "--device", nfc.device],
            limit: .seconds(15))
        return findings + check.findings()
    }

    /// The device file of a camera that is named by path, or would be found first.
    private func path(_ device: String, stable: String, first prefix: String) -> String? {
        if device.hasPrefix("/") { return device }
        guard device == "auto" else { return nil }
        if root.exists(stable) { return stable }
        return root.names(in: "/dev").first { name in
            name.hasPrefix(prefix) && !name.dropFirst(prefix.count).isEmpty
                && name.dropFirst(prefix.count).allSatisfy(\.isNumber)
        }.map { "/dev/" + $0 }
    }

    /// "/dev/i2c-1" for "/dev/srup/pn532-i2c".
    private func realName(_ bus: String) -> String {
        guard let target = root.link(bus), let name = target.split(separator: "/").last else { return bus }
        return "/dev/" + name
    }
}
