import Camera
import CodeReader
import Foundation
import Luma
import ObservedValue
import SRUP
import TestProcesses
import Testing

/// What is left of a nonce in the memory of the real programs when its join has ended.
@Suite(.serialized) struct MemoryTests {
    /// The programs that had it.
    private struct Suspect {
        let name: String
        let process: Int32
    }

    /// Looks until nothing is left, and says what is after a while.
    private func finds(_ hex: String, in suspects: [Suspect]) throws -> [String] {
        let search = MemorySearch(hex)
        let deadline = Date(timeIntervalSinceNow: 15)
        while true {
            var found: [String] = []
            for suspect in suspects {
                found += try #require(search.finds(in: suspect.process)).map { "\(suspect.name): \($0)" }
            }
            if found.isEmpty || Date() > deadline { return found }
            usleep(300_000)
        }
    }

    private static let mayLook = MemorySearch("00112233445566778899aabbccddeeff").finds(in: getppid()) != nil

    @Test(.enabled(if: mayLook, "this user may not look into other processes"))
    func ofANonceThatWasSeenNothingIsLeft() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(ObservedJoinTests.policies)
        let camera = try loopback.makeCamera("camera")
        try loopback.bringObserver(camera: "fifo:\(camera)", settings: Self.settings)
        try loopback.startScene(on: camera, picture: runner.path("shown.png"))
        try joins(loopback, present: []) {
            try FileManager.default.copyItem(atPath: runner.path("hidden.png"), toPath: runner.path("shown.part"))
            try FileManager.default.moveItem(atPath: runner.path("shown.part"), toPath: runner.path("shown.png"))
        }
    }

    @Test(.enabled(if: mayLook, "this user may not look into other processes"), arguments: ["nfc", "nfc-card"])
    func ofANonceThatWasTappedNothingIsLeft(_ how: String) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(ObservedJoinTests.policies)
        let readers = try loopback.startReaders(["observer", "device"], ["--immediate"])
        try loopback.bringObserver(
            eyes: "[nfc]\ndevice = \"\(readers.connstring("observer"))\"", settings: Self.settings)
        try joins(loopback, present: ["--present", "\(how):\(readers.connstring("device"))"]) {
            try readers.tell("near observer device")
        }
    }

    private static let settings = LoopbackNetwork.quick.replacingOccurrences(of: "\"4 s\"", with: "\"30 s\"")

    /// A device joins; then nobody knows its nonce any more.
    ///
    /// - Parameter show: lets the observer have it.
    private func joins(_ loopback: LoopbackNetwork, present: [String], _ show: () throws -> Void) throws {
        let runner = loopback.runner
        try loopback.registerDevice("device", type: "sensor")
        let begin = EventFollower.clock()
        // A picture for this test, which the observer does not see.
        let hidden = runner.path("hidden.png")
        try loopback.startDevice("device", present: "png:\(hidden)", present)
        try loopback.events.wait(for: "device", ["showing"], since: begin, within: 20)
        try loopback.events.wait(for: "observer", ["looking"], since: begin, within: 20)
        let keeper = try #require(runner.processIdentifier("observer"))
        let hex = try Self.value(hidden)
        let suspects = [
            Suspect(name: "keeper", process: keeper),
            Suspect(name: "witness", process: try #require(PlacesTests.children(of: keeper).first)),
            Suspect(name: "device", process: try #require(runner.processIdentifier("device"))),
            Suspect(name: "server", process: try #require(runner.processIdentifier("c2"))),
        ]
        // The search finds what is there: the keeper has to know it until it is seen.
        #expect(try #require(MemorySearch(hex).finds(in: keeper)).contains { $0.hasPrefix("raw") })
        try show()
        let verdict = try loopback.events.wait(for: "observer", ["verdict"], since: begin, within: 30)
        #expect(verdict.details["verdict"] == "VALID")
        try loopback.events.wait(for: "device", ["joined"], since: begin, within: 20)
        let found = try finds(hex, in: suspects)
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    private static func value(_ path: String) throws -> String {
        let picture = try StillPicture.read(path)
        let reading = picture.withPlane { CodeReader([.qr]).read($0) }.first
        return Hex.encode(try #require(reading?.candidate))
    }
}
