import Acceptance
import Foundation
import ObservedValue
import Testing

/// What a card does to a check.
@Suite struct SheetCheckTests {
    private struct Bench {
        var record = AcceptanceRecord()
        var sheet: SheetCheck

        init() { sheet = SheetCheck(AcceptanceRecord()) }

        mutating func hold(_ command: SheetCommand) -> SheetCheck.Action? { sheet.heard(command, &record) }

        mutating func end(_ step: AcceptanceStep, _ state: AcceptanceResult.State) {
            record[step] = AcceptanceResult(state, "", at: "then")
            sheet.took(&record)
        }

        /// As after a power cut: what was kept is all that there is.
        mutating func restart() throws {
            record = try JSONDecoder().decode(AcceptanceRecord.self, from: Data(record.encoded))
            sheet = SheetCheck(record)
        }
    }

    @Test func nothingButBeginBegins() {
        var bench = Bench()
        for command in SheetCommand.allCases where command != .begin { #expect(bench.hold(command) == nil) }
        #expect(bench.sheet.step == nil && !bench.record.isUnderWay)
        #expect(bench.hold(.begin) == .check(.doctor), "nobody has to do anything for it")
        #expect(bench.record.isUnderWay && bench.sheet.due() == nil, "once")
    }

    @Test func stepAfterStepToTheEnd() {
        var bench = Bench()
        _ = bench.hold(.begin)
        bench.end(.doctor, .passed)
        for (step, next) in zip(
            [AcceptanceStep.day, .lamp, .tap, .wrongCode], [AcceptanceStep.lamp, .tap, .wrongCode, .heat])
        {
            #expect(bench.sheet.step == step && bench.sheet.due() == nil)
            #expect(bench.hold(.begin) == nil && bench.hold(.check) == .check(step))
            bench.end(step, step == .tap ? .none : .passed)
            #expect(bench.sheet.step == next)
        }
        #expect(bench.hold(.seen) == .seen(.heat))
        bench.end(.heat, .passed)
        #expect(bench.sheet.due() == .check(.power))
        bench.end(.power, .none)
        #expect(bench.sheet.step == .powerCut && bench.record.isUnderWay)
        bench.end(.powerCut, .passed)
        #expect(bench.sheet.step == nil && !bench.record.isUnderWay && bench.record.exitCode == 0)
        // All has passed: another beginning is a new check.
        #expect(bench.hold(.begin) == .check(.doctor))
        #expect(bench.record.open.count == 8)
    }

    @Test func aStepThatHasFailedIsTriedAgainOrPassedOver() {
        var bench = Bench()
        _ = bench.hold(.begin)
        bench.end(.doctor, .failed)
        #expect(bench.sheet.step == .doctor && bench.sheet.due() == nil, "not by itself again and again")
        #expect(bench.hold(.check) == .check(.doctor) && bench.record[.doctor] == nil)
        bench.end(.doctor, .failed)
        #expect(bench.record[.doctor]?.attempt == 2)
        #expect(bench.hold(.skip) == nil && bench.sheet.step == .day)
        #expect(bench.record[.doctor]?.state == .failed, "leaving it does not make it good")
        #expect(bench.hold(.skip) == .skip(.day))
        bench.end(.day, .skipped)
        #expect(bench.sheet.step == .lamp)
    }

    @Test func itGoesOnWhereItWasAfterAPowerCutAndAfterEnd() throws {
        var bench = Bench()
        _ = bench.hold(.begin)
        bench.end(.doctor, .passed)
        _ = bench.hold(.check)
        // The plug is pulled amid the reading: nobody says begin again.
        try bench.restart()
        #expect(bench.sheet.step == .day && bench.sheet.due() == nil)
        bench.end(.day, .failed)
        #expect(bench.hold(.end) == nil && bench.sheet.step == nil && !bench.record.isUnderWay)
        try bench.restart()
        #expect(bench.sheet.step == nil, "it was ended")
        #expect(bench.hold(.check) == nil && bench.record[.day]?.state == .failed)
        _ = bench.hold(.begin)
        #expect(bench.sheet.step == .lamp, "what is open comes first")
    }

    @Test func whatFailedOrWasLeftOutComesAgainWhenTheRestIsDone() {
        var bench = Bench()
        for step in AcceptanceStep.allCases { bench.record[step] = AcceptanceResult(.passed, "", at: "") }
        bench.record[.day] = AcceptanceResult(.failed, "", at: "")
        bench.record[.heat] = AcceptanceResult(.skipped, "", at: "")
        #expect(bench.hold(.begin) == nil && bench.sheet.step == .day)
        #expect(bench.hold(.check) == .check(.day))
        bench.end(.day, .passed)
        #expect(bench.sheet.step == .heat && bench.hold(.skip) == nil)
        #expect(bench.sheet.step == nil && bench.record.exitCode == 2 && bench.record[.lamp] != nil)
    }

    @Test func aRecordOfBeforeIsRead() throws {
        var record = AcceptanceRecord()
        record.host = "door"
        let text = String(decoding: record.encoded, as: UTF8.self)
        #expect(!text.contains("sheet"))
        record = try JSONDecoder().decode(AcceptanceRecord.self, from: Data(text.utf8))
        #expect(!record.isUnderWay)
    }

    /// Root reads what the observer's user has written.
    @Test func aForeignRecordIsAFileAndNoLink() throws {
        let top = NSTemporaryDirectory() + "srup-record-\(UUID().uuidString.prefix(8))"
        let folder = top + "/acceptance"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: top) }
        func record(_ place: String? = nil) throws -> AcceptanceRecord? {
            try AcceptanceRecord(ofOther: place ?? folder, name: "record.json")
        }
        #expect(try record() == nil && record(top + "/none") == nil)
        var own = AcceptanceRecord()
        own.host = "door"
        try Data(own.encoded).write(to: URL(filePath: top + "/elsewhere"))
        symlink(top + "/elsewhere", folder + "/record.json")
        #expect(throws: (any Error).self) { try record() }
        unlink(folder + "/record.json")
        mkfifo(folder + "/record.json", 0o600)
        #expect(throws: (any Error).self) { try record() }
        unlink(folder + "/record.json")
        for text in ["", "{", "[]", String(repeating: " ", count: 5 << 20)] {
            try Data(text.utf8).write(to: URL(filePath: folder + "/record.json"))
            #expect(throws: (any Error).self) { try record() }
        }
        try Data(own.encoded).write(to: URL(filePath: folder + "/record.json"))
        #expect(try record()?.host == "door")
        symlink(folder, top + "/link")
        #expect(throws: (any Error).self) { try record(top + "/link") }
    }
}
