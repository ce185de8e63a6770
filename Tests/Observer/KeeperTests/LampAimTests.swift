import Foundation
import Observation
import ObservedValue
import Participant
import SRUP
import Signals
import TestNetwork
import Testing

@testable import Keeper

/// Pointing a camera by the lamp alone, in virtual time.
@Suite struct LampAimTests {
    @Test func theLampFollowsWhatIsRead() {
        var aim = LampAim(until: .seconds(60))
        #expect(aim.word(at: .zero) == .aiming && aim.nextChange(after: .zero) == .seconds(60))
        aim.read(at: .seconds(10))
        #expect(aim.word(at: .seconds(11)) == .readable)
        #expect(aim.nextChange(after: .seconds(11)) == .milliseconds(11_500))
        #expect(aim.word(at: .milliseconds(11_500)) == .aiming)
        aim.read(at: .seconds(59))
        #expect(aim.nextChange(after: .seconds(59)) == .seconds(60))
        #expect(aim.word(at: .seconds(60)) == nil)
    }

    /// The eye is open for as long, whoever asks or not; a verdict in between does not close it.
    @Test func theEyeLooksForTheTimeThatIsConfigured() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let path = "/tmp/srup-aim-\(UUID().uuidString.prefix(8))"
        defer { for name in [path, path + "-value"] { unlink(name) } }
        let board = try SignalBoard(path: path, valuePath: path + "-value", names: [""])
        let observer = try await TestObserver(DeviceID(0xB1), network, rules: WatchRules(), signals: board)
        await network.settle()
        #expect(!observer.isAwake)
        await observer.service.aim(for: .seconds(600))
        #expect(observer.isAwake && board.socket.word == "aiming")
        let value = try #require(TestValue(edge: 30)).bytes
        #expect(await observer.see(value))
        #expect(board.socket.word == "readable")
        await network.advance(by: .seconds(5))
        #expect(board.socket.word == "aiming")
        await network.advance(by: .seconds(500))
        #expect(observer.isAwake)
        await network.advance(by: .seconds(100))
        #expect(!observer.isAwake)
        #expect(board.socket.word != "aiming")
    }

    @Test func withoutMinutesNothingLooks() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let observer = try await TestObserver(DeviceID(0xB1), network, rules: WatchRules())
        await observer.service.aim(for: .zero)
        await network.settle()
        #expect(!observer.isAwake)
    }
}
