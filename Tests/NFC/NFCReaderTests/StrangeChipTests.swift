import Foundation
import Linux
import Logging
import ServiceLifecycle
import TestProcesses
import Testing

@testable import NFCReader
@testable import WitnessLink

/// Chips that are deaf for a moment, dumb for good, or no PN532 at all.
@Suite(.serialized) struct StrangeChipTests {
    /// Some boards hear nothing for a while after an abort, which ends every turn of listening.
    @Test(arguments: [50, 250])
    func aChipThatIsDeafAfterAnAbortReadsTwelveTagsOfTwelve(_ milliseconds: Int) throws {
        try Readers.with { readers in
            try readers.chips.tell("deaf a \(milliseconds)")
            try readers.startRead()
            var most = 0
            for number in 0..<12 {
                let value = String(repeating: String(number, radix: 16), count: 32)
                try readers.chips.tell("tag t\(number) type2 \(RestingTagTests.tag(value))")
                let before = try #require(try readers.chips.statistics()["a.aborts"])
                try readers.chips.tell("near a t\(number)")
                try readers.wait("tag \(number)") { try readers.taps().count == number + 1 }
                try readers.chips.tell("apart")
                // Found by the next search or the one after it, however long that takes. Only every sixteenth turn begins
                // with a command that may well be lost.
                let turns = try #require(try readers.chips.statistics()["a.aborts"]) - before
                most = max(most, turns)
            }
            #expect(most <= 4, "\(most)")
            // It is not lost for that; once at most, when the machine stood still during two searches in a row.
            #expect(try readers.lines("read").count { $0["event"] as? String == "lost" } <= 1)
        }
    }

    @Test func aChipThatIsDeafAfterAnAbortTakesTapsOfPeers() throws {
        try Readers.with { readers in
            try readers.chips.tell("deaf a 60")
            try readers.chips.tell("near a b")
            try readers.startRead()
            try readers.startWrite(TapTests.value)
            try readers.wait("ten taps", within: 60) { try readers.taps().count >= 10 }
        }
    }

    /// No answer any more is not an empty field: it is told, and so is that it is back.
    @Test(arguments: ["silent", "noack"])
    func aChipThatAnswersNoMoreIsLostAndFoundAgain(_ fault: String) throws {
        try Readers.with { readers in
            let witness = try WatchedWitness(readers, device: readers.chips.connstring("a"))
            defer { witness.stop() }
            try readers.chips.tell("near a b")
            try readers.startWrite(TapTests.value)
            try readers.wait("a tap", within: 30) { witness.taps > 0 }
            try readers.chips.tell("bus a \(fault) 100000")
            try readers.wait("the loss", within: 30) { witness.losses > 0 }
            try readers.chips.tell("bus a clear")
            let before = witness.taps
            try readers.wait("a tap after it", within: 30) { witness.taps > before }
            #expect(witness.restarts == 0)
        }
    }

    static let foreign = ["33 02 07 07", "07 01 06 07", "FF FF FF FF", "32 01", "32", "32 01 06 07 00 00 00 00", "00"]

    @Test(arguments: foreign)
    func whatIsNoPN532IsLostWithItsAnswerAndDoesNotEndTheProcess(_ answer: String) throws {
        try Readers.with { readers in
            try readers.chips.tell("firmware a \(answer.replacingOccurrences(of: " ", with: ""))")
            let witness = try WatchedWitness(readers, device: readers.chips.connstring("a"))
            try readers.wait("the loss", within: 20) { witness.losses > 0 }
            // It is tried again and again, and the process lives.
            usleep(2_000_000)
            #expect(witness.restarts == 0)
            #expect(
                witness.reasons.allSatisfy { $0.hasSuffix("asked for its firmware it says \(answer.lowercased())") })
            witness.stop()

            let code = try readers.runner.run(
                "srup-witness", ["check", "nfc", "--device", readers.chips.connstring("a")], as: "check")
            let said = readers.runner.tail(of: "check")
            #expect(code == 1 && said.contains(answer.lowercased()) && said.contains("is no PN532"), "\(said)")

            // The right one at last.
            try readers.chips.tell("firmware a 32010607")
            #expect(
                try readers.runner.run(
                    "srup-witness", ["check", "nfc", "--device", readers.chips.connstring("a")], as: "again") == 0)
            #expect(readers.runner.tail(of: "again").contains("PN532 v1.6"))
        }
    }

    @Test func aChipThatDoesNotUnderstandTheQuestionIsNoPN532() throws {
        try Readers.with { readers in
            try readers.chips.tell("firmware a")
            let code = try readers.runner.run(
                "srup-witness", ["check", "nfc", "--device", readers.chips.connstring("a")], as: "check")
            #expect(code == 1 && readers.runner.tail(of: "check").contains("is no PN532"))
        }
    }

    @Test func aForeignChipOnI2CIsToldToo() throws {
        try Readers.with { readers in
            try readers.chips.tell("firmware i 33020707")
            let code = try readers.runner.run(
                "env",
                [
                    "LD_PRELOAD=\(ProgramRunner.ownFolder)/libI2CShim.so", "SRUP_I2C_SOCKET=\(readers.chips.bus("i"))",
                    ProgramRunner.ownFolder + "/srup-witness", "check", "nfc", "--device", "pn532_i2c:/dev/i2c-1",
                ], as: "check")
            let said = readers.runner.tail(of: "check")
            #expect(code == 1 && said.contains("33 02 07 07"), "\(said)")
        }
    }

    @Test func answersToTheQuestionAreFoundAmongWhateverComes() {
        let right: [UInt8] = [0x00, 0x00, 0xFF, 0x06, 0xFA, 0xD5, 0x03, 0x32, 0x01, 0x06, 0x07, 0xE8, 0x00]
        let acknowledgement: [UInt8] = [0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00]
        #expect(FirmwareQuestion.judged(acknowledgement + right) == .pn532)
        #expect(FirmwareQuestion.judged([0x13, 0xFF, 0x00, 0xFF] + acknowledgement + [0x00] + right) == .pn532)
        #expect(FirmwareQuestion.judged(acknowledgement) == nil && FirmwareQuestion.judged([]) == nil)
        // Every cut and every wrong byte: an answer or none, no trap.
        for end in right.indices { #expect(FirmwareQuestion.judged(Array(right[..<end])) != .foreign([])) }
        for index in right.indices {
            var wrong = right
            wrong[index] ^= 0x41
            _ = FirmwareQuestion.judged(wrong)
        }
    }
}
