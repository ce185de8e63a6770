import Participant
import SRUP
import TestNetwork
import Testing

@testable import C2

/// Over which time members are told to come back.
@Suite struct ReturnPaceTests {
    typealias Scene = HostileJoinTests.Scene

    private func pace(_ counts: Int..., perSecond: Int = 250) -> [Int] {
        var pace = ReturnPace()
        return counts.map { count in
            pace.follow(count, perSecond: perSecond)
            return pace.seconds
        }
    }

    @Test func itGrowsWithTheNetwork() {
        #expect(
            pace(0, 999, 1000, 1999, 2000, 4000, 9999, 16_000, 1_000_000) == [0, 0, 4, 4, 8, 16, 32, 64, 64])
    }

    @Test func whoComesAndGoesChangesNothing() {
        #expect(pace(2000, 1999, 1501, 1499, 1501, 1999, 2000) == [8, 8, 8, 4, 4, 4, 8])
        #expect(pace(10_000, 700, 10_000) == [32, 0, 32])
    }

    @Test func noneIsAtOnce() {
        #expect(pace(1_000_000, perSecond: 0) == [0])
    }

    /// The words that a member was told, as they came.
    private func told(_ device: Puppet) -> [String] {
        device.heard.compactMap {
            guard case .data(let id, let value) = $0.body, id == Array(DataName.returnWithin.utf8) else { return nil }
            return String(decoding: value, as: UTF8.self)
        }
    }

    private func lamp(_ scene: Scene, _ number: UInt64, says: String) async throws -> Puppet {
        let lamp = try scene.device(number, type: "lamp")
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        try lamp.say(.data(id: Array(DataName.identification.utf8), value: Array(says.utf8)))
        await scene.network.settle()
        return lamp
    }

    @Test func membersThatTakeItAreToldOnceAndAgainWhenItChanges() async throws {
        // With the observer there are five members: 5 s, so 4.
        let scene = try await Scene { $0.limits.returnsPerSecond = 1 }
        defer { scene.network.close() }
        let lamps = [
            try await lamp(scene, 0x1A, says: "srup-device 1 session=1 returns=0"),
            try await lamp(scene, 0x1B, says: "srup-device 1 session=2 returns=0"),
            try await lamp(scene, 0x1C, says: "somebody else's"),
            try await lamp(scene, 0x1D, says: "srup-device 1 session=3 returns=4"),
        ]
        // It was in a larger network before.
        #expect(lamps.map(told) == [[], [], [], ["0"]])
        await scene.network.advance(by: .seconds(31))
        #expect(lamps.map(told) == [["4"], ["4"], [], ["0", "4"]])
        // What they were told is remembered, over a restart of the server, too.
        await scene.network.advance(by: .seconds(120))
        try await scene.server.restart()
        await scene.network.advance(by: .seconds(120))
        #expect(lamps.map(told) == [["4"], ["4"], [], ["0", "4"]])
        // It says so at once after the restart: nothing is taken back.
        try await scene.server.restart()
        try lamps[1].say(
            .data(id: Array(DataName.identification.utf8), value: Array("srup-device 1 returns=4".utf8)))
        await scene.network.settle()
        #expect(told(lamps[1]) == ["4"])
        // Who has lost it says so.
        try lamps[0].say(
            .data(id: Array(DataName.identification.utf8), value: Array("srup-device 1 returns=0".utf8)))
        await scene.network.settle()
        #expect(told(lamps[0]) == ["4", "4"])
        // But not each time.
        for _ in 0..<8 {
            try lamps[0].say(
                .data(id: Array(DataName.identification.utf8), value: Array("srup-device 1 returns=0".utf8)))
            await scene.network.settle()
        }
        #expect(told(lamps[0]).count <= 4)
        await scene.network.advance(by: .seconds(120))
        try lamps[0].say(
            .data(id: Array(DataName.identification.utf8), value: Array("srup-device 1 returns=4".utf8)))
        await scene.network.settle()
        let times = told(lamps[0]).count
        // Who comes later is told at once.
        let late = try await lamp(scene, 0x1E, says: "srup-device 1 returns=0")
        #expect(told(late) == ["4"])
        // A network that has become small takes it back.
        for lamp in lamps.dropFirst() + [late] {
            try lamp.say(.resignRequest)
            await scene.network.settle()
        }
        await scene.network.advance(by: .seconds(31))
        #expect(told(lamps[0]).dropFirst(times) == ["0"])
        #expect(told(lamps[1]) == ["4"])
    }
}
