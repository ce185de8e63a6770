import Observation
import Participant
import SRUP
import TestNetwork
import Testing
import WitnessLink

@testable import Keeper

/// What the keeper makes of what its witnesses say.
@Suite struct EyesTests {
    typealias Scene = ObservationServiceTests.Scene

    private func asked(
        _ change: (inout WatchRules) -> Void = { _ in }
    ) async throws -> (scene: Scene, nonce: [UInt8], token: Token) {
        let scene = try await Scene(change)
        let (nonce, token) = (Nonce.random(), Token.random())
        try scene.server.ask(Scene.device, nonce, token)
        await scene.network.settle()
        return (scene, nonce.withBytes { Array($0) }, token)
    }

    private let other = [UInt8](repeating: 0xEE, count: 16)

    @Test func aTapOfTheNonceIsVALID() async throws {
        let (scene, nonce, token) = try await asked()
        defer { scene.network.close() }
        await scene.observer.service.heard(.tapped(nonce, how: "SNEP"), from: "nfc")
        await scene.network.settle()
        #expect(scene.server.statuses(token) == [.observedJoinValid])
        #expect(await scene.observer.service.verdicts == ["VALID": 1])
    }

    @Test func aTapOfAnotherValueIsINVALIDAtOnce() async throws {
        let (scene, nonce, token) = try await asked()
        defer { scene.network.close() }
        await scene.observer.service.heard(.tapped(other, how: "SNEP"), from: "nfc")
        await scene.observer.service.heard(.tapped(nonce, how: "SNEP"), from: "nfc")
        await scene.network.settle()
        #expect(scene.server.statuses(token) == [.observedJoinInvalid], "and it stays so")
    }

    @Test(arguments: [[], [1], Array(repeating: 0xAA, count: 15), Array(repeating: 0xAA, count: 17)] as [[UInt8]])
    func whatIsNoValueIsNeverTheNonce(_ value: [UInt8]) async throws {
        let (scene, nonce, token) = try await asked()
        defer { scene.network.close() }
        await scene.observer.service.heard(.seen(value, how: "qr"), from: "camera")
        await scene.network.settle()
        #expect(!scene.server.statuses(token).contains(.observedJoinValid))
        await scene.observer.service.heard(.seen(nonce, how: "qr"), from: "camera")
        await scene.network.settle()
        #expect(scene.server.statuses(token) == [.observedJoinValid])
    }

    @Test func allButOneBitIsNotTheNonce() async throws {
        let (scene, nonce, token) = try await asked()
        defer { scene.network.close() }
        for bit in 0..<128 {
            var near = nonce
            near[bit / 8] ^= 1 << (bit % 8)
            await scene.observer.service.heard(.seen(near, how: "qr"), from: "camera")
        }
        await scene.network.settle()
        #expect(scene.server.statuses(token).isEmpty)
    }

    @Test func aLostEyeIsFAILEDAfterItsGraceOnly() async throws {
        let (scene, _, token) = try await asked {
            $0.timeout = .seconds(60)
            $0.witnessGrace = .seconds(15)
        }
        defer { scene.network.close() }
        await scene.observer.service.heard(.lost("unplugged"), from: "camera")
        #expect(await scene.observer.service.eyes == ["camera": "lost: unplugged"])
        await scene.network.advance(by: .seconds(14))
        #expect(scene.server.statuses(token).isEmpty)
        await scene.network.advance(by: .seconds(2))
        #expect(scene.server.statuses(token) == [.observedJoinFail])
        #expect(
            try scene.observer.participant.state.auditLog(last: 1).first?.detail.contains("unplugged") == true)
    }

    @Test func anEyeThatComesBackGoesOn() async throws {
        let (scene, nonce, token) = try await asked {
            $0.timeout = .seconds(60)
            $0.witnessGrace = .seconds(15)
        }
        defer { scene.network.close() }
        await scene.observer.service.heard(.lost("unplugged"), from: "camera")
        await scene.network.advance(by: .seconds(10))
        await scene.observer.service.heard(.ready("again"), from: "camera")
        await scene.network.advance(by: .seconds(10))
        #expect(scene.server.statuses(token).isEmpty)
        await scene.observer.service.heard(.seen(nonce, how: "qr"), from: "camera")
        await scene.network.settle()
        #expect(scene.server.statuses(token) == [.observedJoinValid])
        #expect(await scene.observer.service.eyes == ["camera": "ready: again"])
    }

    @Test func withoutARequestNothingThatIsSeenMatters() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        await scene.observer.service.heard(.seen(other, how: "qr"), from: "camera")
        await scene.observer.service.heard(.tapped(other, how: "SNEP"), from: "nfc")
        await scene.observer.service.heard(.unread("0,0 to 9,9"), from: "camera")
        await scene.network.advance(by: .seconds(60))
        #expect(scene.server.answers.isEmpty)
        #expect(await scene.observer.service.verdicts.isEmpty)
        #expect(await scene.observer.service.openWatches == 0)
    }

    @Test func theVerdictIsInTheAuditLogAndTheNonceIsNot() async throws {
        let (scene, nonce, token) = try await asked()
        defer { scene.network.close() }
        _ = await scene.observer.see(nonce)
        await scene.network.settle()
        #expect(scene.server.statuses(token) == [.observedJoinValid])
        let lines = try scene.observer.participant.state.auditLog(last: 100)
        #expect(lines.first?.event == "observation")
        #expect(lines.first?.detail.hasPrefix("d1: VALID (camera) after ") == true, "\(lines.first?.detail ?? "")")
        let hex = nonce.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        for line in lines { #expect(!line.detail.contains(hex.prefix(8))) }
    }

    @Test func newRulesCountForWhatIsAskedNext() async throws {
        let (scene, _, token) = try await asked { $0.timeout = .seconds(20) }
        defer { scene.network.close() }
        var rules = WatchRules()
        rules.timeout = .seconds(100)
        await scene.observer.service.use(rules)
        await scene.network.advance(by: .seconds(21))
        #expect(scene.server.statuses(token) == [.observedJoinFail], "the open one keeps its deadline")
        let later = Token.random()
        try scene.server.ask(Scene.device, .random(), later)
        await scene.network.advance(by: .seconds(50))
        #expect(scene.server.statuses(later).isEmpty)
        await scene.network.advance(by: .seconds(51))
        #expect(scene.server.statuses(later) == [.observedJoinFail])
    }
}
