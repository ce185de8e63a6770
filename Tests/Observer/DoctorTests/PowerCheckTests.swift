import Foundation
import Glibc
import Program
import Testing

@testable import Doctor

/// Undervoltage, as the firmware tells it through vcgencmd (a stand-in: a program of its own, with the real one's words), the kernel's
/// monitor in /sys, and the kernel's log.
@Suite struct PowerCheckTests {
    let machine: Machine

    init() throws { machine = try Machine() }

    private func vcgencmd(_ script: String) throws {
        try machine.write("/usr/bin/vcgencmd", "#!/bin/sh\n" + script, mode: 0o755)
    }

    /// Answers as the real one does, and only to what it is really asked.
    private func firmware(_ bits: String) throws {
        try vcgencmd(
            "test \"$*\" = get_throttled || { echo 'error=1 error_msg=\"Command not registered\"'; exit 0; }\n"
                + "echo throttled=0x\(bits)\n")
    }

    private func monitor(_ alarm: String) throws {
        try machine.write("/sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
        try machine.write("/sys/class/hwmon/hwmon1/name", "rpi_volt\n")
        try machine.write("/sys/class/hwmon/hwmon1/in0_lcrit_alarm", alarm + "\n")
    }

    private func finding(patience: Duration = .seconds(20)) -> Finding {
        PowerCheck(machine.root, patience: patience).finding()
    }

    @Test(arguments: [
        ("0", Finding.State.ok, "no undervoltage since the start (vcgencmd)"), ("50005", .problem, "undervoltage now"),
        ("50000", .warning, "undervoltage since the start, not now (vcgencmd)"), ("1", .problem, "undervoltage now"),
        ("10004", .warning, "undervoltage since the start, not now (vcgencmd)"),
        ("4", .warning, "the processor is slowed down now"), ("80008", .warning, "the processor is slowed down now"),
        ("e0000", .warning, "the processor was slowed down since the start, without undervoltage: by heat"),
        ("E0008", .warning, "the processor is slowed down now"),
        ("f0f00000", .ok, "no undervoltage since the start (vcgencmd)"),
    ])
    func theFirmwareIsAskedByVcgencmd(_ bits: String, _ state: Finding.State, _ words: String) throws {
        try firmware(bits)
        let finding = finding()
        #expect(finding.state == state && finding.says == words)
        #expect((finding.remedy == nil) == (state == .ok))
    }

    @Test func everyBitOfTheFirmwareMeansSomethingOrNothing() throws {
        for bit in 0..<32 {
            let state = PowerCheck.reading(1 << bit)
            #expect(state.isLow == (bit == 0) && state.wasLow == (bit == 0 || bit == 16), "bit \(bit)")
            #expect(state.isSlowed == (1...3).contains(bit), "bit \(bit)")
            #expect(state.wasSlowed == [1, 2, 3, 17, 18, 19].contains(bit), "bit \(bit)")
        }
    }

    @Test(arguments: [
        "", "throttled=", "throttled=0x", "throttled=50005", "throttled=0x-1", "throttled=0x+1",
        "throttled=0x1ffffffff",
        "throttled=0x0\nthrottled=0x1\n", "throttled=0x0 ", " throttled=0x0", "throttled=0xG", "throttled=0x٠",
        "THROTTLED=0X0", "error=1 error_msg=\"Command not registered\"", "VCHI initialization failed",
    ])
    func whatIsNoAnswerIsNone(_ output: String) {
        #expect(PowerCheck.bits(Array(output.utf8)) == nil)
    }

    @Test func vcgencmdThatFailsHangsOrBabblesLeavesItToTheMonitor() throws {
        let scripts: [(String, String)] = [
            ("echo \"Can't open device file: /dev/vcio\"; exit 255", "vcgencmd failed"),
            ("kill -SEGV $$", "vcgencmd failed"),
            ("sleep 600", "vcgencmd gives no answer"), ("exec yes throttled=0x0", "vcgencmd gives no answer"),
            ("head -c 3000 /dev/urandom", "vcgencmd says something else"), ("exit 0", "vcgencmd says something else"),
            ("trap '' TERM; while :; do sleep 1; done", "vcgencmd gives no answer"),
        ]
        for (script, words) in scripts {
            try? FileManager.default.removeItem(atPath: machine.folder + "/sys")
            try vcgencmd(script)
            let began = ContinuousClock.now
            let alone = finding(patience: .milliseconds(700))
            #expect(alone.state == .skipped && alone.says.contains(words), "\(script): \(alone.says)")
            #expect(ContinuousClock.now - began < .seconds(20))
            try monitor("1")
            #expect(finding(patience: .milliseconds(700)).state == .problem)
            try monitor("0")
            let well = finding(patience: .milliseconds(700))
            #expect(well.state == .ok && well.says.contains(words), "\(script): \(well.says)")
        }
    }

    @Test func vcgencmdThatCannotBeStartedIsSaid() throws {
        try machine.write("/usr/bin/vcgencmd", "#!/nowhere\n", mode: 0o755)
        #expect(finding().says.contains("vcgencmd cannot be started"))
        try machine.write("/usr/bin/vcgencmd", "throttled=0x0", mode: 0o644)
        #expect(finding().state == .skipped)
    }

    @Test(arguments: [
        ("0", Finding.State.ok), ("1", .problem), ("", .skipped), ("2", .skipped), ("-1", .skipped), ("on", .skipped),
    ])
    func theKernelsMonitorIsRead(_ alarm: String, _ state: Finding.State) throws {
        try monitor(alarm)
        #expect(finding().state == state)
        #expect(state != .ok || finding().says == "no undervoltage now; what was before is not told (rpi_volt)")
    }

    @Test func theMonitorCountsEvenWhereTheFirmwaresAnswerIsOlder() throws {
        try firmware("0")
        try monitor("1")
        #expect(finding().state == .problem)
    }

    /// Lines as the kernel writes them to /dev/kmsg.
    @Test func whatWasBeforeIsInTheKernelsLog() throws {
        try monitor("0")
        let quiet = "6,0,0,-;Booting Linux\n4,1,5000,-;hwmon hwmon1: something else\n SUBSYSTEM=hwmon\n"
        try machine.write("/dev/kmsg", quiet)
        #expect(finding().says == "no undervoltage since the start (rpi_volt and the kernel's log)")
        // Programs may write there, too, and are not believed: priority 10 is one of theirs.
        try machine.write("/dev/kmsg", quiet + "10,2,6000,-;hwmon hwmon1: Undervoltage detected!\n")
        #expect(finding().state == .ok)
        try machine.write(
            "/dev/kmsg",
            quiet + "2,2,6000,-;hwmon hwmon1: Undervoltage detected!\n SUBSYSTEM=hwmon\n DEVICE=+hwmon:hwmon1\n"
                + "6,3,9000,-;hwmon hwmon1: Voltage normalised\n SUBSYSTEM=hwmon\n")
        let finding = finding()
        #expect(finding.state == .warning)
        #expect(finding.says == "undervoltage since the start, not now (rpi_volt and the kernel's log)")
    }

    @Test(.enabled(if: access("/dev/kmsg", R_OK) == 0, "the kernel's log may not be read here"))
    func theRealKernelsLogIsReadToItsEnd() throws {
        let messages = try #require(FakeableRoot("/").kernelLog())
        #expect(messages.contains { $0.hasPrefix("Linux version ") } || messages.count > 1)
        #expect(!messages.contains { $0.hasPrefix(" SUBSYSTEM=") || $0.hasPrefix(" DEVICE=") })
    }

    @Test func aLogThatIsNoneIsNotRead() throws {
        try monitor("0")
        try FileManager.default.createDirectory(atPath: machine.folder + "/dev/kmsg", withIntermediateDirectories: true)
        #expect(machine.root.kernelLog() == nil && finding().says.contains("what was before is not told"))
    }

    /// Its firmware answers, and has nothing to know it from.
    @Test(arguments: ["Raspberry Pi Zero 2 W Rev 1.0", "Raspberry Pi Zero W Rev 1.1"])
    func aZeroDoesNotNotice(_ model: String) throws {
        try machine.write("/proc/device-tree/model", model + "\0")
        try firmware("0")
        try monitor("0")
        #expect(finding().state == .skipped && finding().says == "this model does not notice undervoltage")
        // Heat it does.
        try firmware("e0008")
        #expect(finding().state == .warning)
    }

    /// The firmware driver's own file is deprecated: reading it makes the kernel print a warning, and it says 0 whatever was.
    @Test func theDeprecatedFileIsNotAsked() throws {
        try machine.write("/sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n")
        #expect(finding().state == .skipped)
        #expect(finding().says == "this machine does not tell about undervoltage")
    }
}
