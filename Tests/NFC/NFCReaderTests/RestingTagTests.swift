import Foundation
import Linux
import Logging
import ServiceLifecycle
import TestProcesses
import Testing

@testable import ChipSimulator
@testable import WitnessLink

/// Tags that stay on the reader while their device writes them, read through the real libnfc.
@Suite(.serialized) struct RestingTagTests {
    static func tag(_ value: String) -> String {
        "D101" + "23" + "5402656E" + value.utf8.map { String($0, radix: 16) }.joined()
    }

    /// 1,000 taps: 500 of a Type 2 tag whose pages are written in any order, 500 of a Type 4 tag with MLe 15 that is
    /// written as the standard asks.
    @Test(arguments: ["type2", "type4"])
    func fiveHundredTapsOnATagThatIsRewrittenAllTheTimeGiveNoMixedValue(_ kind: String) throws {
        try Readers.with { readers in
            try readers.chips.tell("tag t rewritten \(kind) 11 2 300 0")
            try readers.chips.tell("near a t")
            try readers.startRead(["--listen", "20", "--taps", "500"])
            try readers.wait("500 taps", within: 400) { try readers.taps().count >= 500 }
            var values: Set<String> = []
            for tap in try readers.taps() {
                let text = try #require(Readers.text(tap))
                #expect(tap["role"] as? String == kind && tap["candidate"] as? Bool == true)
                #expect(CheckedValue.isWhole(Simulation.bytes(text) ?? []), "\(text) is a mixture")
                values.insert(text)
            }
            // They are different ones: it was rewritten indeed.
            #expect(values.count > 400)
        }
    }

    @Test func aTagThatNeverHoldsStillIsToldAndTheNextIsRead() throws {
        try Readers.with { readers in
            try readers.chips.tell("tag t rewritten type2 3 2 0 0")
            try readers.chips.tell("near a t")
            try readers.startRead()
            try readers.wait("the failure") {
                try readers.lines("read").contains { $0["reason"] as? String == "the tag changes while it is read" }
            }
            #expect(try readers.taps().isEmpty)
            try readers.chips.tell("apart")
            try readers.chips.tell("tag still type2 \(Self.tag(TapTests.value))")
            try readers.chips.tell("near a still")
            try readers.wait("the tap") { try readers.taps().count == 1 }
        }
    }

    @Test func aTagIsTappedOnceForEachValueThatItHolds() throws {
        try Readers.with { readers in
            try readers.startRead()
            for (number, value) in ["00", "11", "22"].enumerated() {
                // It is the same tag, which never leaves.
                try readers.chips.tell("tag t type2 \(Self.tag(String(repeating: value, count: 16)))")
                try readers.chips.tell("near a t")
                try readers.wait("the tap") { try readers.taps().count == number + 1 }
                usleep(1_500_000)
                #expect(try readers.taps().count == number + 1)
            }
        }
    }

    private static func middleGap(_ sightings: [WatchedWitness.Sighting]) -> Duration {
        var gaps: [Duration] = []
        for index in 1..<sightings.count { gaps.append(sightings[index].at - sightings[index - 1].at) }
        return gaps.sorted()[gaps.count / 2]
    }

    @Test(arguments: [("type2", "a"), ("type4", "a"), ("type2", "i")])
    func aTagThatRestsIsSeenAgainAndAgainAndNeverTapped(_ kind: String, _ chip: String) throws {
        try Readers.with { readers in
            try readers.chips.tell("tag t \(kind) \(Self.tag(TapTests.value))")
            try readers.chips.tell("near \(chip) t")
            let witness = try WatchedWitness(readers, device: chip == "i" ? nil : readers.chips.connstring(chip))
            defer { witness.stop() }
            try readers.wait("ten sightings", within: 40) { witness.sightings.count >= 10 }
            let sightings = witness.sightings
            #expect(sightings.allSatisfy { $0.how == kind } && witness.taps == 0)
            // One to three a second; a machine that stands still makes some gaps longer, not the shortest ones.
            let gap = Self.middleGap(sightings)
            #expect(gap < .seconds(2) && gap > .milliseconds(200), "\(gap)")

            // Another value is seen at the next look.
            let before = sightings.count
            try readers.chips.tell("tag t \(kind) \(Self.tag(String(repeating: "7", count: 32)))")
            try readers.wait("the other value", within: 20) { witness.sightings.last?.value.first == 0x77 }
            let others = witness.sightings.dropFirst(before).filter {
                $0.value != [UInt8](repeating: 0x77, count: 16)
            }
            #expect(others.allSatisfy { $0.value == Array(sightings[0].value) })

            // Gone is gone.
            try readers.chips.tell("apart")
            usleep(3_000_000)
            let last = witness.sightings.count
            usleep(1_500_000)
            #expect(witness.sightings.count == last)
        }
    }
}
