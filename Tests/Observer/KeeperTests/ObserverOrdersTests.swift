import Foundation
import Observation
import Participant
import Program
import SRUP
import Signals
import Synchronization
import TestNetwork
import Testing

@testable import Keeper

/// What an observer does when its server tells it to.
@Suite struct ObserverOrdersTests {
    private final class Witness: RestartableWitness {
        let name: String
        let restarts = Mutex(0)
        init(_ name: String) { self.name = name }
        func restart() { restarts.withLock { $0 += 1 } }
        var count: Int { restarts.withLock { $0 } }
    }

    private final class Told: Sendable {
        let outcomes = Mutex<[Member.Outcome]>([])
        let values = Mutex<[(String, [UInt8])]>([])
        let refuses = Mutex(false)
    }

    private struct Scene {
        let network: TestNetwork
        let orders: ObserverOrders
        let desk: ObservationService
        let told = Told()
        let witnesses: [Witness]
        let socket: String

        init(_ names: [String] = ["camera", "nfc"]) async throws {
            network = try TestNetwork()
            let participant = try network.participant(DeviceID(0xB1))
            socket = network.folder + "/signal.sock"
            let board = try SignalBoard(path: socket, valuePath: socket + "-value", names: [""])
            desk = ObservationService(
                participant, server: TestServer.id, rules: WatchRules(), events: try EventLog(path: nil),
                time: network.time)
            witnesses = names.map(Witness.init)
            orders = ObserverOrders(
                desk: desk, witnesses: witnesses, signals: board, participant: participant,
                events: try EventLog(path: nil), time: network.time)
            let told = told
            await orders.use { _, outcome in
                told.outcomes.withLock { $0.append(outcome) }
            } report: { name, value in
                if told.refuses.withLock({ $0 }) { throw MemberError.noBroker }
                told.values.withLock { $0.append((name, value)) }
            }
        }

        func tell(_ number: UInt8) async -> Member.Outcome? {
            await orders.handle(.action(number, .random()))
            return told.outcomes.withLock { $0.last }
        }
    }

    @Test func theNumbersAreThoseOfTheDocument() throws {
        #expect(ObserverAction.allCases.map(\.rawValue) == [1, 2, 3, 4, 5])
        let text = try String(
            contentsOfFile: #filePath.components(separatedBy: "/Tests/")[0]
                + "/docs/commands.md", encoding: .utf8)
        for action in ObserverAction.allCases { #expect(text.contains("| \(action.rawValue) | `\(action.name)` |")) }
        for action in ObserverAction.allCases { #expect(Identification.isName(action.name)) }
    }

    @Test func witnessesAreStartedAnew() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        #expect(await scene.tell(2) == .done)
        #expect(await scene.tell(3) == .done)
        #expect(scene.witnesses.map(\.count) == [2, 1])
        #expect(await scene.tell(4) == .done)
        #expect(scene.witnesses.map(\.count) == [2, 2])
        // Without such an eye there is nothing to start anew.
        let blind = try await Scene(["camera"])
        defer { blind.network.close() }
        #expect(await blind.tell(4) == .failed)
        #expect(await blind.tell(3) == .done)
    }

    @Test func whoAsksForItAgainAndAgainDoesNotKeepItBlind() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        for _ in 0..<20 { _ = await scene.tell(3) }
        #expect(scene.witnesses[0].count == 3)
        #expect(scene.told.outcomes.withLock { $0.count { $0 == .failed } } == 17)
        await scene.network.advance(by: .seconds(11))
        #expect(await scene.tell(3) == .done)
    }

    @Test func itReportsItsStatusWithoutSecrets() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let nonce = try #require(Nonce(hex: "00112233445566778899aabbccddeeff"))
        await scene.desk.handle(.nonce(nonce, .humanModerated))
        await scene.desk.heard(.ready(String(repeating: "x", count: 5000)), from: "camera")
        #expect(await scene.tell(5) == .done)
        let (name, value) = try #require(scene.told.values.withLock { $0.last })
        #expect(name == "OBSERVER_STATUS" && value.count <= Member.maximumData)
        let text = String(decoding: value, as: UTF8.self)
        #expect(!text.contains("00112233"))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(value)) as? [String: Any])
        #expect(object["openWatches"] as? Int == 0 && object["uptimeSeconds"] as? Int == 0)
        #expect((object["eyes"] as? [String: String])?["nfc"] == "at rest")
        scene.told.refuses.withLock { $0 = true }
        #expect(await scene.tell(5) == .failed)
    }

    @Test(arguments: [0, 6, 255] as [UInt8])
    func anUnknownNumberIsUnknown(_ number: UInt8) async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        #expect(await scene.tell(number) == .unknown)
        #expect(scene.witnesses.map(\.count) == [0, 0])
    }

    @Test func beingLookedForIsAnEventAndNotAState() {
        #expect(SignalWord.locate.isEvent && !SignalWord.locate.isVerdict)
        #expect(SignalPattern(.locate).length == .seconds(30))
        var player = SignalPlayer(.waiting, at: .zero)
        player.heard(.locate, at: .seconds(10))
        #expect(player.word == .locate)
        _ = player.output(at: .seconds(39))
        #expect(player.word == .locate)
        _ = player.output(at: .seconds(41))
        #expect(player.word == .waiting)
    }
}
