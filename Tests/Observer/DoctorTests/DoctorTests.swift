import Foundation
import Linux
import Program
import Testing

@testable import Doctor

/// A machine's files, as far as a test needs them.
final class Machine {
    let folder = NSTemporaryDirectory() + "srup-doctor-\(UUID().uuidString)"
    var root: FakeableRoot { FakeableRoot(folder) }

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func write(_ path: String, _ bytes: [UInt8], mode: Int = 0o644) throws {
        let whole = folder + path
        try FileManager.default.createDirectory(
            atPath: (whole as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: whole))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: whole)
    }

    func write(_ path: String, _ text: String, mode: Int = 0o644) throws {
        try write(path, Array(text.utf8), mode: mode)
    }
}

@Suite struct MachineChecksTests {
    let machine: Machine

    init() throws { machine = try Machine() }

    @Test func theModelIsToldWithoutItsNUL() throws {
        try machine.write("/proc/device-tree/model", "Raspberry Pi Zero 2 W Rev 1.0\0")
        #expect(MachineChecks(machine.root).model("1").says.hasPrefix("Raspberry Pi Zero 2 W Rev 1.0"))
    }

    @Test(arguments: [(41_000, Finding.State.ok), (74_000, .warning), (82_500, .problem)])
    func theHottestPlaceCounts(_ heat: Int, _ state: Finding.State) throws {
        try machine.write("/sys/class/thermal/thermal_zone0/temp", "30000\n")
        try machine.write("/sys/class/thermal/thermal_zone1/temp", "\(heat)\n")
        #expect(MachineChecks(machine.root).temperature().state == state)
    }

    @Test func nonsenseFromAThermometerIsNoHeat() throws {
        try machine.write("/sys/class/thermal/thermal_zone0/temp", "99999999999999999999\n")
        #expect(MachineChecks(machine.root).temperature().state == .skipped)
    }

    @Test func littleMemoryIsAProblem() throws {
        try machine.write("/proc/meminfo", "MemTotal:  430000 kB\nMemFree: 900 kB\nMemAvailable:   40000 kB\n")
        #expect(MachineChecks(machine.root).memory().state == .problem)
    }

    @Test func aMachineThatTellsNothingIsNotIll() {
        let findings = MachineChecks(machine.root).all(version: "1")
        #expect(!findings.contains { $0.state == .problem || $0.state == .warning })
    }
}

@Suite struct CardChecksTests {
    let machine: Machine

    init() throws { machine = try Machine() }

    private func card(running: Int, choice: String) throws -> [Finding] {
        try machine.write("/etc/srup-observer-image", "0.1.0+1\n")
        try machine.write("/proc/cmdline", "console=tty1 root=PARTUUID=53525550-0\(running) ro")
        try machine.write("/boot/firmware/slot.txt", choice)
        return CardChecks(machine.root).all()
    }

    @Test func nothingIsSaidWithoutTheCard() {
        #expect(CardChecks(machine.root).all().isEmpty)
    }

    @Test(arguments: [
        (2, "os_prefix=a/\n# stays               \n", Finding.State.ok),
        (3, "os_prefix=b/\n# stays               \n", .ok),
        (3, "os_prefix=a/\n# tried b             \n", .warning),
        (2, "os_prefix=b/\n# trial               \n", .warning),
        (2, "os_prefix=a/\n", .ok), (2, "\u{0}\u{FFFD}", .warning),
    ])
    func theSystemThatRunsIsTold(_ running: Int, _ choice: String, _ state: Finding.State) throws {
        let findings = try card(running: running, choice: choice)
        #expect(findings.map(\.state) == [state])
        #expect(findings[0].says.contains("image 0.1.0+1, system \(running == 2 ? "a" : "b")"))
        #expect(state == .ok || findings[0].remedy != nil)
    }

    @Test func theBootPartitionsNotesAreToldInOneLine() throws {
        try machine.write("/boot/firmware/srup-observer-problem.txt", "camera.device\n\n\u{1B}[2Jmust be a string")
        try machine.write("/boot/firmware/srup-update-problem.txt", String(repeating: "x", count: 100_000))
        let findings = try card(running: 2, choice: "os_prefix=a/\n# stays")
        #expect(findings.map(\.name) == ["card", "boot partition", "update"])
        #expect(findings.map(\.state) == [.ok, .problem, .warning])
        #expect(findings[1].says == "camera.device   [2Jmust be a string")
        #expect(findings[2].says.count == 301)
    }
}

@Suite struct ClockAndDiskTests {
    @Test func aTimeThatCannotBeIsAProblem() {
        #expect(ClockChecks.judge(now: 0, isSynchronised: 1).state == .problem)
        #expect(ClockChecks.judge(now: 5_000_000_000, isSynchronised: 1).state == .problem)
        #expect(ClockChecks.judge(now: 1_790_000_000, isSynchronised: 1).state == .ok)
        #expect(ClockChecks.judge(now: 1_790_000_000, isSynchronised: 0).state == .warning)
        #expect(ClockChecks.judge(now: 1_790_000_000, isSynchronised: -1).state == .skipped)
        #expect(ClockChecks.text(1_790_000_000) == "2026-09-21 14:13 UTC")
    }

    @Test func fullAndReadOnlyPartitionsAreProblems() {
        var partition = DiskChecks.Partition(free: 900 << 20, size: 1 << 30, freeNodes: 0, nodes: 0, isReadOnly: false)
        #expect(DiskChecks.judge(partition, "/").state == .ok)
        partition.free = 20 << 20
        #expect(DiskChecks.judge(partition, "/").state == .warning)
        partition.free = 1 << 20
        #expect(DiskChecks.judge(partition, "/").state == .problem)
        partition.free = 900 << 20
        partition.nodes = 1000
        #expect(DiskChecks.judge(partition, "/").state == .problem)
        partition.freeNodes = 500
        partition.isReadOnly = true
        #expect(DiskChecks.judge(partition, "/").state == .problem)
    }

    @Test func theNearestFolderThatIsThereTells() {
        #expect(DiskChecks.partition(of: "/absent-\(UUID().uuidString)/a/b").says.contains("(/)"))
    }
}

@Suite struct StateFolderTests {
    @Test func openFoldersAndKeysAreProblems() throws {
        let machine = try Machine()
        try machine.write("/state/identity.pem", "secret", mode: 0o600)
        let folder = machine.folder + "/state"
        let checks = StateFolderChecks(folder)
        chmod(folder, 0o755)
        #expect(checks.permissions().state == .problem)
        chmod(folder, 0o700)
        #expect(checks.permissions().state == .ok)
        chmod(folder + "/identity.pem", 0o640)
        let finding = checks.permissions()
        #expect(finding.state == .problem)
        #expect(finding.remedy?.contains("chmod 600") == true)
        #expect(StateFolderChecks(folder + "/none").permissions().state == .warning)
    }
}

@Suite struct DeviceChecksTests {
    let machine: Machine

    init() throws { machine = try Machine() }

    @Test func aCameraModuleWithoutLibcamerasLayerIsAProblem() throws {
        let checks = DeviceChecks(machine.root)
        #expect(checks.cameraModule().state == .skipped)
        try machine.write("/sys/class/video4linux/video0/name", "unicam-image\n")
        #expect(checks.cameraModule().state == .warning)
        try machine.write("/sys/bus/i2c/drivers/imx708/10-001a", "")
        let finding = checks.cameraModule()
        #expect(finding.state == .problem)
        #expect(finding.remedy?.contains("libcamera-v4l2") == true)
        try machine.write("/usr/libexec/aarch64-linux-gnu/libcamera/v4l2-compat.so", "")
        #expect(checks.cameraModule().state == .ok)
        #expect(checks.cameraModule().says.contains("layer"))
        try machine.write("/usr/bin/rpicam-vid", "")
        #expect(checks.cameraModule().state == .ok)
        #expect(checks.cameraModule().says.contains("rpicam-vid"))
    }

    @Test(arguments: [(100_000, Finding.State.ok), (100_001, .warning), (400_000, .warning), (1_000_000, .warning)])
    func theControllerOfAllPisBeforeThe5TakesLess(_ hertz: Int, _ state: Finding.State) throws {
        let bytes = withUnsafeBytes(of: UInt32(hertz).bigEndian) { Array($0) }
        try machine.write("/sys/class/i2c-adapter/i2c-1/of_node/clock-frequency", bytes)
        try machine.write(
            "/sys/class/i2c-adapter/i2c-1/of_node/compatible", Array("brcm,bcm2711-i2c\0brcm,bcm2835-i2c\0".utf8))
        let finding = DeviceChecks(machine.root).busSpeed("/dev/i2c-1")
        #expect(finding.state == state && (state == .ok) == (finding.remedy == nil))
    }

    @Test(arguments: [
        (49_000, Finding.State.warning), (50_000, .ok), (75_000, .ok), (100_000, .ok), (400_000, .ok),
        (1_000_000, .warning),
    ])
    func theBusesClockIsReadFromTheDeviceTree(_ hertz: Int, _ state: Finding.State) throws {
        let bytes = withUnsafeBytes(of: UInt32(hertz).bigEndian) { Array($0) }
        try machine.write("/sys/class/i2c-adapter/i2c-1/of_node/clock-frequency", bytes)
        #expect(DeviceChecks(machine.root).busSpeed("/dev/i2c-1").state == state)
        #expect(DeviceChecks(machine.root).busSpeed("/dev/i2c-7").state == .skipped)
    }

    @Test func modemManagerOnTheReadersPortIsFound() throws {
        try machine.write("/dev/ttyUSB0", "")
        let checks = DeviceChecks(machine.root)
        #expect(checks.modemManager(port: "/dev/ttyUSB0").state == .ok)
        try machine.write("/proc/77/comm", "ModemManager\n")
        #expect(checks.modemManager(port: "/dev/ttyUSB0").state == .warning)
        try FileManager.default.createDirectory(
            atPath: machine.folder + "/proc/77/fd", withIntermediateDirectories: true)
        let port = try #require(realpath(machine.folder + "/dev/ttyUSB0", nil))
        defer { free(port) }
        symlink(String(cString: port), machine.folder + "/proc/77/fd/9")
        #expect(checks.modemManager(port: "/dev/ttyUSB0").state == .problem)
    }

    @Test func aDeviceThatItsGroupMayNotUseIsAProblem() throws {
        try machine.write("/dev/video0", "", mode: 0o600)
        #expect(DeviceChecks(machine.root).access(to: "/dev/video0", group: "video", name: "x").state == .problem)
    }
}

@Suite struct WitnessCheckTests {
    func findings(_ script: String, limit: Duration = .seconds(10)) -> [Finding] {
        WitnessCheck("camera", executable: "/bin/sh", arguments: ["-c", script], limit: limit).findings()
    }

    @Test func whatTheWitnessFindsIsTaken() {
        let found = findings(#"echo '{"name":"camera","state":"ok","says":"YUYV 640x480"}'; echo nonsense; exit 0"#)
        #expect(found == [Finding("camera", .ok, "YUYV 640x480")])
    }

    @Test func aWitnessThatDiesIsAFinding() {
        let found = findings(#"echo '{"name":"camera","state":"ok","says":"a"}'; kill -ABRT $$"#)
        #expect(found.count == 2)
        #expect(found.last?.state == .problem)
        #expect(found.last?.says.contains("signal 6") == true)
    }

    @Test func aWitnessThatHangsIsEndedAndAFinding() {
        let found = findings("sleep 600", limit: .milliseconds(300))
        #expect(found.map(\.state) == [.problem])
        #expect(found.first?.says.contains("hangs") == true)
    }

    @Test func endlessOutputIsCutOff() {
        let found = findings("yes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", limit: .milliseconds(500))
        #expect(found.count == 1)
    }

    @Test func aMissingWitnessIsAFinding() {
        let found = WitnessCheck(
            "camera", executable: NSTemporaryDirectory() + "absent-\(UUID().uuidString)", arguments: [],
            limit: .seconds(1)
        ).findings()
        #expect(found.map(\.state) == [.problem])
    }
}
