import Foundation
import Linux
import Logging
import ServiceLifecycle
import TestProcesses
import Synchronization
import Testing

@testable import WitnessLink

/// Whatever goes wrong during a tap, the next one works.
@Suite(.serialized) struct InterruptionTests {
    static let value = TapTests.value

    /// How many frames are in the air in one tap, counted.
    private func framesPerTap(_ readers: Readers) throws -> Int {
        let before = try readers.taps().count
        let frames = try #require(try readers.chips.statistics()["rf"])
        try readers.wait("ten taps") { try readers.taps().count >= before + 10 }
        return (try #require(try readers.chips.statistics()["rf"]) - frames) / 10
    }

    @Test(arguments: ["remove", "drop", "corrupt"])
    func interruptedAtEveryFrameTheNextTapSucceeds(_ fault: String) throws {
        try Readers.with { readers in
            try readers.chips.tell("near a b")
            try readers.startRead()
            try readers.startWrite(Self.value)
            let frames = try framesPerTap(readers)
            #expect(frames >= 6)
            for number in 1...(frames + 4) {
                try readers.chips.tell("rf \(fault) \(number)")
                try readers.wait("the fault at frame \(number)") { try readers.chips.statistics()["pending"] == 0 }
                try readers.chips.tell("rf clear")
                try readers.chips.tell("near a b")
                let before = try readers.taps().count
                try readers.wait("the tap after \(fault) at frame \(number)", within: 10) {
                    try readers.taps().count >= before + 2
                }
            }
            #expect(try readers.taps().allSatisfy { Readers.text($0) == Self.value })
        }
    }

    @Test func anotherPeerInMidExchangeIsNotTakenForTheFirst() throws {
        try Readers.with { readers in
            let other = String(repeating: "f", count: 32)
            try readers.startRead()
            try readers.startWrite(Self.value)
            try readers.runner.start(
                "srup-witness",
                ["nfc", "write", "--json", "--keep", "--pause", "0", "--device", readers.chips.connstring("c"), other],
                as: "other")
            for number in 1...10 {
                try readers.chips.tell("near a b")
                try readers.chips.tell("rf swap \(number) a c")
                let before = try readers.taps().count
                try readers.wait("a tap after the swap at frame \(number)", within: 10) {
                    try readers.taps().count >= before + 2
                }
                try readers.chips.tell("apart")
                try readers.chips.tell("rf clear")
            }
            // Each value whole: never a mixture.
            #expect(try readers.taps().allSatisfy { [Self.value, other].contains(Readers.text($0) ?? "") })
        }
    }

    @Test(arguments: ["noack 1", "badsum 1", "half 1", "silent 1", "garbage 1", "badsum 3", "silent 3", "half 3"])
    func garbledBytesOnTheWireCostOneTapAtMost(_ fault: String) throws {
        try Readers.with { readers in
            try readers.chips.tell("near a b")
            try readers.startRead()
            try readers.startWrite(Self.value)
            try readers.wait("a tap") { try !readers.taps().isEmpty }
            for skip in 0..<8 {
                try readers.chips.tell("bus a \(fault) \(skip)")
                let before = try readers.taps().count
                try readers.wait("taps after \(fault), \(skip) later", within: 15) {
                    try readers.taps().count >= before + 3
                }
            }
        }
    }

    @Test func aCableThatIsPulledAndPutBackIsNoticedAndForgiven() throws {
        try Readers.with { readers in
            try readers.chips.tell("near a b")
            try readers.startRead()
            try readers.startWrite(Self.value)
            for _ in 0..<3 {
                let before = try readers.taps().count
                try readers.wait("a tap") { try readers.taps().count > before }
                let losses = try readers.lines("read").filter { $0["event"] as? String == "lost" }.count
                try readers.chips.tell("cable a pull")
                try readers.wait("the loss") {
                    try readers.lines("read").filter { $0["event"] as? String == "lost" }.count > losses
                }
                try readers.chips.tell("cable a plug")
            }
            let before = try readers.taps().count
            try readers.wait("a tap after all") { try readers.taps().count > before }
        }
    }

    @Test func aChipOnI2CThatLosesItsPowerComesBack() throws {
        try Readers.with { readers in
            try readers.chips.tell("near i b")
            try readers.startWrite(Self.value)
            let witness = try WatchedWitness(readers)
            defer { witness.stop() }
            try readers.wait("a tap", within: 30) { witness.taps > 0 }
            for what in ["glitch", "off"] {
                let losses = witness.losses
                try readers.chips.tell("power i \(what)")
                if what == "off" {
                    try readers.wait("the loss", within: 30) { witness.losses > losses }
                    try readers.chips.tell("power i on")
                }
                let before = witness.taps
                try readers.wait("a tap after \(what)", within: 30) { witness.taps > before }
            }
        }
    }

    /// A status byte with the highest bit makes libnfc end the process; one that says "more" for ever hangs it.
    @Test(arguments: ["status 80 1", "status 40 100000"])
    func libnfcsAbortAndHangCostARestartAndNoTap(_ fault: String) throws {
        try Readers.with { readers in
            try readers.chips.tell("near a b")
            try readers.startWrite(Self.value)
            let witness = try WatchedWitness(readers, device: readers.chips.connstring("a"))
            defer { witness.stop() }
            for round in 0..<3 {
                let before = witness.taps
                try readers.wait("a tap", within: 20) { witness.taps > before }
                let restarts = witness.restarts
                try readers.chips.tell("bus a \(fault) \(round)")
                try readers.wait("the end of the process (\(fault))", within: 20) { witness.restarts > restarts }
                try readers.chips.tell("bus a clear")
            }
            let before = witness.taps
            try readers.wait("a tap after all", within: 20) { witness.taps > before }
            #expect(witness.restarts >= 3)
        }
    }

    /// A machine that stands still for a while, as virtual ones and those that sleep do, must not look like a hang.
    @Test func aStandstillOfTheProcessIsNoHang() throws {
        try Readers.with { readers in
            try readers.chips.tell("near a b")
            try readers.startRead()
            try readers.startWrite(Self.value)
            let process = try #require(readers.runner.processIdentifier("read"))
            for _ in 0..<4 {
                let before = try readers.taps().count
                try readers.wait("a tap") { try readers.taps().count > before }
                kill(process, SIGSTOP)
                usleep(2_500_000)
                kill(process, SIGCONT)
            }
            let before = try readers.taps().count
            try readers.wait("taps after all") { try readers.taps().count >= before + 3 }
            #expect(readers.runner.processIdentifier("read") == process)
        }
    }

    @Test func aBusThatHangsEndsTheWitnessAndNotTheKeeper() throws {
        try Readers.with { readers in
            try readers.chips.tell("near i b")
            try readers.startWrite(Self.value)
            let witness = try WatchedWitness(readers)
            defer { witness.stop() }
            try readers.wait("a tap", within: 30) { witness.taps > 0 }
            try readers.chips.tell("stuck i on")
            try readers.wait("the loss", within: 30) { witness.losses > 0 }
            try readers.chips.tell("stuck i off")
            let before = witness.taps
            try readers.wait("a tap after it", within: 30) { witness.taps > before }
        }
    }
}

/// The keeper's side of a witness: counts what it says. Over I2C unless a device is given.
final class WatchedWitness: Sendable {
    struct Sighting: Sendable {
        let value: [UInt8]
        let how: String
        let at: ContinuousClock.Instant
    }
    private struct Counts {
        var taps = 0
        var losses = 0
        var restarts = 0
        var sightings: [Sighting] = []
        var reasons: [String] = []
    }
    private let counts = Mutex(Counts())
    private let task = Mutex<Task<Void, Never>?>(nil)

    var taps: Int { counts.withLock { $0.taps } }
    var losses: Int { counts.withLock { $0.losses } }
    var restarts: Int { counts.withLock { $0.restarts } }
    /// What rested on the reader, each time that it was said.
    var sightings: [Sighting] { counts.withLock { $0.sightings } }
    /// Why it could not see.
    var reasons: [String] { counts.withLock { $0.reasons } }

    init(_ readers: Readers, device: String? = nil) throws {
        if device == nil {
            setenv("LD_PRELOAD", ProgramRunner.ownFolder + "/libI2CShim.so", 1)
            setenv("SRUP_I2C_SOCKET", readers.chips.bus("i"), 1)
        }
        let witness = WitnessProcess(
            name: "nfc", origin: .program(ProgramRunner.ownFolder + "/srup-witness"),
            arguments: ["nfc", "witness", "--device", device ?? "pn532_i2c:/dev/i2c-1"], logger: Logger(label: "test"),
            longestPause: .milliseconds(400)
        ) { [weak self] event in
            self?.counts.withLock { counts in
                switch event {
                case .tapped: counts.taps += 1
                case .seen(let value, let how): counts.sightings.append(Sighting(value: value, how: how, at: .now))
                case .lost(let why):
                    counts.losses += 1
                    counts.reasons.append(why)
                    if why.hasPrefix("the witness process ended") { counts.restarts += 1 }
                default: break
                }
            }
        }
        witness.wake()
        task.withLock { $0 = Task { try? await witness.run() } }
    }

    func stop() {
        task.withLock { $0?.cancel() }
        unsetenv("LD_PRELOAD")
        unsetenv("SRUP_I2C_SOCKET")
    }
}
