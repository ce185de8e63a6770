import Foundation
import Glibc
import Linux
import Program
import Testing

@testable import Doctor

/// A machine whose files are missing, odd, or somebody's joke: the doctor says so or nothing, and never hangs.
@Suite struct HostileMachineTests {
    let machine: Machine

    init() throws { machine = try Machine() }

    // MARK: Files

    @Test func aRootMayBeWrittenWithSlashesBehindIt() throws {
        try machine.write("/etc/hostname", "pi\n")
        for slashes in ["", "/", "///"] {
            let root = FakeableRoot(machine.folder + slashes)
            #expect(root.text("/etc/hostname") == "pi" && root.path("/x") == machine.folder + "/x")
        }
        #expect(FakeableRoot("/").path("/etc") == "/etc")
    }

    @Test func textsLoseTheirBlanksAndKeepTheirMiddle() throws {
        let cases: [([UInt8], String)] = [
            ([], ""), ([0, 0, 0], ""), (Array(" \t\n".utf8), ""), (Array("\n a b\n c \0\n".utf8), "a b\n c"),
            ([0xFF, 0x41], "\u{FFFD}A"),
        ]
        for (bytes, text) in cases {
            try machine.write("/x", bytes)
            #expect(machine.root.text("/x") == text)
        }
        #expect(machine.root.text("/absent") == nil && machine.root.bytes("/absent", atMost: 5) == nil)
    }

    @Test(arguments: [
        ("42\n", 42), ("-7", -7), ("0x10", nil), ("", nil), ("1 2", nil), ("9223372036854775808", nil), ("1e3", nil),
    ])
    func numbersAreWholeOrNone(_ text: String, _ number: Int?) throws {
        try machine.write("/x", text)
        #expect(machine.root.number("/x") == number)
    }

    @Test func whatIsNoFileIsNotReadAndHoldsNothingUp() throws {
        #expect(mkfifo(machine.folder + "/pipe", 0o600) == 0)
        try FileManager.default.createDirectory(atPath: machine.folder + "/folder", withIntermediateDirectories: false)
        #expect(symlink("loop", machine.folder + "/loop") == 0)
        for name in ["/folder", "/loop"] { #expect(machine.root.text(name) == nil, "\(name)") }
        #expect((machine.root.text("/pipe") ?? "").isEmpty)
        #expect(!machine.root.exists("/loop") && machine.root.link("/loop") == "loop")
        #expect(machine.root.names(in: "/pipe").isEmpty && machine.root.names(in: "/absent").isEmpty)
    }

    @Test func anEndlessFileIsReadToItsBoundOnly() throws {
        #expect(symlink("/dev/zero", machine.folder + "/zero") == 0)
        #expect(machine.root.bytes("/zero", atMost: 1000)?.count == 1000)
        #expect(machine.root.text("/zero") == "")
    }

    @Test func programsAreKnownByTheFifteenCharactersThatTheKernelKeeps() throws {
        try machine.write("/proc/9/comm", "a-very-long-nam\n")
        try machine.write("/proc/10/comm", "other\n")
        try machine.write("/proc/self/comm", "other\n")
        #expect(machine.root.processes(named: "a-very-long-name-indeed") == [9])
        #expect(machine.root.processes(named: "other") == [10])
    }

    // MARK: Checks

    @Test(arguments: ["", "x", "-", "NaN", "-60000", "200001", "٤٢"])
    func aThermometerThatTellsNonsenseIsPassedOver(_ text: String) throws {
        try machine.write("/sys/class/thermal/thermal_zone0/temp", text)
        try machine.write("/sys/class/thermal/cooling_device0/temp", "90000")
        #expect(MachineChecks(machine.root).temperature().state == .skipped)
        // One that works beside it counts.
        try machine.write("/sys/class/thermal/thermal_zone7/temp", "-12000")
        let finding = MachineChecks(machine.root).temperature()
        #expect(finding.state == .ok && finding.says == "-12 °C")
    }

    @Test(arguments: [
        ("", Finding.State.skipped), ("MemTotal: 1 kB\n", .skipped), ("MemAvailable: x kB\nMemTotal: 5 kB\n", .skipped),
        ("MemTotal: 1000000 kB\nMemAvailable: 51200 kB\n", .warning), ("MemTotal:1000000\nMemAvailable:102400", .ok),
        ("MemTotal: 1000000 kB\nMemAvailable: 51199 kB\n", .problem),
        ("MemTotal: 1000000 kB\nMemAvailable: -5 kB\n", .problem),
    ])
    func memoryIsReadFromWhateverIsThere(_ text: String, _ state: Finding.State) throws {
        try machine.write("/proc/meminfo", text)
        #expect(MachineChecks(machine.root).memory().state == state)
    }

    @Test(arguments: [[], [0], [0, 6, 0x1A], [0, 0, 0, 0]] as [[UInt8]])
    func aBusThatTellsNonsenseHasNoSpeed(_ bytes: [UInt8]) throws {
        try machine.write("/sys/class/i2c-adapter/i2c-1/of_node/clock-frequency", bytes)
        let finding = DeviceChecks(machine.root).busSpeed("/dev/i2c-1")
        #expect(finding.state == (bytes.count == 4 ? .warning : .skipped))
    }

    @Test func aBusIsFoundUnderAnyOfItsNames() throws {
        let speed = withUnsafeBytes(of: UInt32(400_000).bigEndian) { Array($0) }
        try machine.write("/sys/bus/i2c/devices/i2c-12/device/of_node/clock-frequency", speed)
        #expect(DeviceChecks(machine.root).busSpeed("/dev/i2c-12").says == "400 kHz")
        #expect(DeviceChecks(machine.root).busSpeed("/dev/i2c-2").state == .skipped)
        #expect(DeviceChecks(machine.root).busSpeed("").state == .skipped)
    }

    @Test func aDevicesGroupAndModeAreTold() throws {
        let checks = DeviceChecks(machine.root)
        #expect(checks.access(to: "/dev/none", group: "video", name: "x").state == .skipped)
        try machine.write("/dev/video0", "", mode: 0o660)
        let group = try #require(getgrgid(getegid())?.pointee.gr_name.map { String(cString: $0) })
        let well = checks.access(to: "/dev/video0", group: group, name: "x")
        #expect(well.state == .ok && well.says == "/dev/video0, group \(group), mode 0660" && well.remedy == nil)
        let other = checks.access(to: "/dev/video0", group: "plugdev", name: "x")
        #expect(other.state == .warning && other.remedy?.contains("chgrp plugdev /dev/video0") == true)
        chmod(machine.folder + "/dev/video0", 0o640)
        #expect(checks.access(to: "/dev/video0", group: group, name: "x").state == .problem)
    }

    @Test func modemManagerThatUdevKeepsAwayIsNoProblem() throws {
        let checks = DeviceChecks(machine.root)
        try machine.write("/proc/77/comm", "ModemManager\n")
        // A character device is needed, whose number names udev's file; nothing is written to it.
        let port = machine.folder + "/dev/ttyACM0"
        try FileManager.default.createDirectory(atPath: machine.folder + "/dev", withIntermediateDirectories: true)
        guard mknod(port, S_IFCHR | 0o600, dev_t(166 << 8 | 3)) == 0 else { return }
        #expect(checks.modemManager(port: "/dev/ttyACM0").state == .warning)
        try machine.write("/run/udev/data/c166:3", "I:1\nE:ID_MM_DEVICE_IGNORE=10\nG:systemd\n")
        #expect(checks.modemManager(port: "/dev/ttyACM0").state == .warning)
        try machine.write("/run/udev/data/c166:3", "I:1\nE:ID_MM_DEVICE_IGNORE=1\nG:systemd\n")
        #expect(checks.modemManager(port: "/dev/ttyACM0").state == .ok)
    }

    @Test func aStateFolderThatIsNoneIsNamed() throws {
        try machine.write("/file", "")
        #expect(StateFolderChecks(machine.folder + "/file").permissions().says.contains("is no folder"))
        #expect(StateFolderChecks(machine.folder + "/file/below").permissions().state == .problem)
        #expect(symlink(machine.folder, machine.folder + "/way") == 0)
        #expect(StateFolderChecks(machine.folder + "/way").permissions().state == .problem)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func aSecretOfAnotherUserIsAProblem() throws {
        try machine.write("/state/access.pem", "secret", mode: 0o600)
        chmod(machine.folder + "/state", 0o700)
        #expect(chown(machine.folder + "/state/access.pem", 65534, 65534) == 0)
        let finding = StateFolderChecks(machine.folder + "/state").permissions()
        #expect(finding.state == .problem && finding.says.contains("not to the folder's owner"))
        #expect(finding.remedy?.hasPrefix("chown root ") == true)
    }

    // MARK: A witness that lies

    private func findings(_ script: String) -> [Finding] {
        WitnessCheck("camera", executable: "/bin/sh", arguments: ["-c", script], limit: .seconds(60)).findings()
    }

    @Test(arguments: [
        "", "null", "[]", "{}", #"{"name":"a"}"#, #"{"name":"a","state":"fine","says":"b"}"#,
        #"{"name":1,"state":"ok","says":"b"}"#, #"{"name":"a","state":"ok","says":"b"} trailing"#,
        #"{"name":"a","state":"ok","says":"b""#,
    ])
    func linesThatAreNoFindingsAreLeftOut(_ line: String) {
        #expect(WitnessCheck.parsed(Array((line + "\n").utf8)).isEmpty)
    }

    @Test func aLastLineThatIsCutOffIsLeftOut() {
        let line = #"{"name":"a","state":"ok","says":"b"}"#
        #expect(WitnessCheck.parsed(Array(line.utf8)).isEmpty)
        #expect(WitnessCheck.parsed(Array("\(line)\n\(line)".utf8)).count == 1)
        #expect(WitnessCheck.parsed(Array("\n\n\(line)\n\n".utf8)).count == 1)
        #expect(WitnessCheck.parsed([0xFF, 10, 0, 10]).isEmpty)
    }

    @Test func aCodeThatIsNoneOfItsOwnIsAFinding() {
        #expect(findings("exit 0").isEmpty && findings("exit 1").isEmpty)
        let found = findings("exit 3")
        #expect(found.map(\.state) == [.problem] && found[0].says.contains("code 3") && found[0].remedy != nil)
    }

    @Test func itGetsNeitherOurInputNorOurOutput() {
        let found = findings(
            #"read line; echo noise >&2; echo "{\"name\":\"input\",\"state\":\"ok\",\"says\":\"<$line>\"}""#)
        #expect(found == [Finding("input", .ok, "<>")])
    }

    // MARK: The report

    @Test func aReportIsWellWithoutProblemsAndOnlyThen() {
        var report = FindingReport(json: true)
        #expect(report.isWell && report.findings.isEmpty)
        report.note([Finding("a", .ok, "x"), Finding("b", .warning, "y"), Finding("c", .skipped, "z")])
        #expect(report.isWell)
        report.note([Finding("d", .problem, "w", remedy: "r")])
        report.note([Finding("e", .ok, "v")])
        #expect(!report.isWell && report.findings.map(\.name) == ["a", "b", "c", "d", "e"])
    }

    @Test func aClockIsBelievedFrom2026ToTheCenturysEnd() {
        for (now, isPossible) in [
            (ClockChecks.earliest - 1, false), (ClockChecks.earliest, true), (ClockChecks.latest - 1, true),
            (ClockChecks.latest, false), (-1, false), (.max, false), (.min, false),
        ] {
            let finding = ClockChecks.judge(now: now, isSynchronised: 1)
            #expect((finding.state == .ok) == isPossible, "\(now)")
            #expect((finding.remedy == nil) == isPossible)
        }
        #expect(ClockChecks.text(ClockChecks.earliest) == "2026-01-01 00:00 UTC")
        #expect(ClockChecks.text(ClockChecks.latest) == "2100-01-01 00:00 UTC")
        #expect(ClockChecks.text(.max) == "unknown")
    }

    @Test func roomOnADiskIsCountedInWholeMebibytes() {
        func state(_ free: UInt64, nodes: UInt64 = 0, freeNodes: UInt64 = 0) -> Finding.State {
            DiskChecks.judge(
                .init(free: free, size: 1 << 40, freeNodes: freeNodes, nodes: nodes, isReadOnly: false), "/x"
            ).state
        }
        #expect(state(5 << 20) == .warning && state((5 << 20) - 1) == .problem)
        #expect(state(50 << 20) == .ok && state((50 << 20) - 1) == .warning)
        // A file system without a fixed number of files has no lack of them.
        #expect(state(1 << 30) == .ok && state(1 << 30, nodes: 1000, freeNodes: 99) == .problem)
        #expect(state(1 << 30, nodes: 1000, freeNodes: 100) == .ok)
    }
}
