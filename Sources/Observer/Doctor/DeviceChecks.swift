import Glibc
import Program

/// What the machine's files tell of cameras and readers, without opening a device.
public struct DeviceChecks: Sendable {
    private let root: FakeableRoot

    /// Looks below a root: "/" for the machine itself.
    public init(_ root: FakeableRoot) {
        self.root = root
    }

    // MARK: Camera modules

    /// Sensors of camera modules, as their drivers are named.
    private static let sensors = [
        "imx219", "imx290", "imx296", "imx378", "imx415", "imx462", "imx477", "imx500", "imx519", "imx708", "ov5647",
        "ov7251", "ov9281", "ov64a40", "arducam-pivariety",
    ]

    /// The sensor of a camera module that is there; `nil`: none is.
    public var sensor: String? {
        Self.sensors.first { sensor in
            root.names(in: "/sys/bus/i2c/drivers/\(sensor)").contains { $0.contains("-00") }
        }
    }

    /// A camera module on the ribbon cable needs the Pi's own program, or libcamera's compatibility layer, to be seen as a
    /// camera.
    public func cameraModule() -> Finding {
        let name = "camera module"
        let found = sensor
        let receivers = root.names(in: "/sys/class/video4linux")
            .compactMap { root.text("/sys/class/video4linux/\($0)/name") }
            .filter { $0.hasPrefix("unicam") || $0.hasPrefix("rp1-cfe") || $0.hasPrefix("rp1_cfe") }
        guard found != nil || !receivers.isEmpty else {
            return Finding(name, .skipped, "none on the ribbon cable (USB cameras need none)")
        }
        guard let sensor = found else {
            return Finding(
                name, .warning, "its receiver is there, but no sensor answers",
                remedy: "check the ribbon cable at both ends, and camera_auto_detect=1 in config.txt")
        }
        if hasProgram { return Finding(name, .ok, "\(sensor), through rpicam-vid") }
        guard hasLayer else {
            return Finding(
                name, .problem,
                "\(sensor) is there, but neither rpicam-vid nor libcamera's V4L2 layer: it cannot be seen as a camera",
                remedy: "apt install rpicam-apps-lite (Raspberry Pi OS), or libcamera-v4l2 libcamera-ipa")
        }
        return Finding(
            name, .ok, "\(sensor), through libcamera's V4L2 layer: its focus stays at the default",
            remedy: "apt install rpicam-apps-lite (Raspberry Pi OS): then exposure and autofocus are the Pi's own")
    }

    private var hasProgram: Bool {
        ["/usr/local/bin", "/usr/bin"].contains { folder in
            ["rpicam-vid", "libcamera-vid"].contains { root.exists("\(folder)/\($0)") }
        }
    }

    private var hasLayer: Bool {
        ["/usr/libexec", "/usr/lib"].contains { folder in
            root.names(in: folder).contains { triplet in
                ["libcamera/v4l2-compat.so", "v4l2-compat.so"].contains { root.exists("\(folder)/\(triplet)/\($0)") }
            }
        }
    }

    // MARK: Permissions

    /// Owner group and mode of a device file: the witness is no root and comes in through the group.
    public func access(to path: String, group wanted: String, name: String) -> Finding {
        var status = stat()
        guard stat(root.path(path), &status) == 0 else {
            return Finding(name, .skipped, "\(path) is not there")
        }
        let group =
            getgrgid(status.st_gid).flatMap { $0.pointee.gr_name }.map { String(cString: $0) } ?? "\(status.st_gid)"
        let mode = "0" + String(status.st_mode & 0o777, radix: 8)
        let remedy =
            "install the package's udev rules and replug it (udevadm control --reload; udevadm trigger), or \"chgrp \(wanted) \(path) && chmod 660 \(path)\" until the next start"
        if status.st_mode & 0o060 != 0o060 {
            return Finding(name, .problem, "\(path) has mode \(mode): its group may not use it", remedy: remedy)
        }
        guard group == wanted else {
            return Finding(
                name, .warning, "\(path) belongs to group \(group); the service's witness is in \(wanted)",
                remedy: remedy)
        }
        return Finding(name, .ok, "\(path), group \(group), mode \(mode)")
    }

    // MARK: Reader

    /// The clock of the I2C bus, from the device tree; a Pi's is 100 kHz when nothing is said.
    ///
    /// A PN532 takes 400 kHz and holds the clock when it needs time, which the controller of all Pis before the 5 may mistake
    /// at more than 100 kHz (hardware/wiring-pn532.md). A tap takes twice as long at 50 kHz as at 100 (Benchmarks/README.md).
    ///
    /// - Parameter bus: "/dev/i2c-1".
    public func busSpeed(_ bus: String) -> Finding {
        let name = "I2C speed"
        let number = bus.reversed().prefix { $0.isNumber }.reversed()
        let adapter = "i2c-" + String(number)
        let nodes = ["/sys/class/i2c-adapter", "/sys/bus/i2c/devices", "/sys/class/i2c-dev"].flatMap {
            ["\($0)/\(adapter)/of_node/", "\($0)/\(adapter)/device/of_node/"]
        }
        let bytes = nodes.lazy.compactMap { root.bytes($0 + "clock-frequency", atMost: 4) }.first { $0.count == 4 }
        guard let bytes else {
            return Finding(name, .skipped, "\(bus) does not tell its speed (100 kHz when nothing is configured)")
        }
        let hertz = bytes.reduce(0) { $0 << 8 | Int($1) }
        let kinds = nodes.lazy.compactMap { root.bytes($0 + "compatible", atMost: 256) }.first { !$0.isEmpty } ?? []
        let mistakesStretching = String(decoding: kinds, as: UTF8.self).contains("bcm2835-i2c")
        let remedy = "have dtparam=i2c_arm_baudrate=100000 in config.txt and start again"
        let says = "\(hertz / 1000) kHz"
        return switch hertz {
        case ..<50_000: Finding(name, .warning, "\(says): a tap takes a quarter of a second and more", remedy: remedy)
        case 100_001...400_000 where mistakesStretching:
            Finding(
                name, .warning, "\(says): above 100 kHz this controller loses bits when the chip holds the clock",
                remedy: remedy)
        case ...400_000: Finding(name, .ok, says)
        default: Finding(name, .warning, "\(says): a PN532 takes 400 kHz at most", remedy: remedy)
        }
    }

    /// ModemManager sends bytes to serial ports that it takes for modems.
    public func modemManager(port: String) -> Finding {
        let name = "ModemManager"
        guard let process = root.processes(named: "ModemManager").first else {
            return Finding(name, .ok, "does not run")
        }
        let remedy =
            "install the package's udev rules (they tell it to leave the reader alone), or \"apt remove modemmanager\""
        let real = realpath(root.path(port), nil)
        defer { free(real) }
        let target = real.map { String(cString: $0) } ?? port
        let holds = root.names(in: "/proc/\(process)/fd").contains { root.link("/proc/\(process)/fd/\($0)") == target }
        if holds { return Finding(name, .problem, "holds the reader's port \(port)", remedy: remedy) }
        return isIgnored(port)
            ? Finding(name, .ok, "runs, and leaves \(port) alone")
            : Finding(name, .warning, "runs and may try \(port) at any time", remedy: remedy)
    }

    /// Whether udev has marked the port as none of ModemManager's.
    private func isIgnored(_ port: String) -> Bool {
        var status = stat()
        guard stat(root.path(port), &status) == 0, status.st_mode & S_IFMT == S_IFCHR else { return false }
        let (major, minor) = (status.st_rdev >> 8 & 0xFFF, status.st_rdev & 0xFF | status.st_rdev >> 12 & 0xFFF00)
        let lines = (root.text("/run/udev/data/c\(major):\(minor)") ?? "").split(separator: "\n")
        return lines.contains("E:ID_MM_DEVICE_IGNORE=1")
    }
}
