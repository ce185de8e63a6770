import Foundation
import Observation
import ObservedValue
import Participant
import SRUP
import Signals
import TestNetwork
import Testing
import WitnessLink

@testable import Keeper

/// The keeper while a mounted box is checked by cards, in virtual time.
@Suite struct AcceptanceModeTests {
    private final class Bench {
        let network: TestNetwork
        let server: ObservationServiceTests.Server
        let board: SignalBoard
        let ledger: AcceptanceLink.Ledger?
        let observer: TestObserver
        private let path = "/tmp/srup-mode-\(UUID().uuidString.prefix(8))"

        init(isOn: Bool) async throws {
            network = try TestNetwork()
            server = try ObservationServiceTests.Server(network)
            board = try SignalBoard(path: path, valuePath: path + "-value", names: [""])
            ledger = isOn ? AcceptanceLink.Ledger() : nil
            var rules = WatchRules()
            rules.timeout = .seconds(60)
            observer = try await TestObserver(
                ObservationServiceTests.Scene.id, network, rules: rules, signals: board, ledger: ledger)
            await network.settle()
        }

        deinit {
            network.close()
            for name in [path, path + "-value"] { unlink(name) }
        }

        /// Cards are in view for so long, four times a second as a witness says it.
        func hold(_ commands: [SheetCommand], seconds: Int) async {
            for _ in 0..<4 * seconds {
                for command in commands {
                    await observer.service.heard(.commanded(command, how: "qr"), from: "camera")
                    await observer.service.heard(.commanded(command, how: "type2"), from: "nfc")
                }
                await network.advance(by: .milliseconds(250))
            }
        }

        func open() async throws -> Token {
            let token = Token.random()
            try server.ask(ObservationServiceTests.Scene.device, Nonce.random(), token)
            await network.settle()
            return token
        }
    }

    /// Off or on: no card is the nonce, and none is another device's value; the request ends as it would without.
    @Test(arguments: [false, true]) func noVerdictComesOfACard(_ isOn: Bool) async throws {
        let bench = try await Bench(isOn: isOn)
        let token = try await bench.open()
        await bench.hold(SheetCommand.allCases, seconds: 50)
        #expect(bench.server.statuses(token).isEmpty)
        await bench.network.advance(by: .seconds(20))
        #expect(bench.server.statuses(token) == [.observedJoinFail])
        #expect(await bench.observer.service.verdicts == ["FAILED": 1])
        #expect((bench.ledger?.sights(after: 0).isEmpty ?? true) == !isOn)
    }

    @Test func whereItIsOffNothingChanges() async throws {
        let bench = try await Bench(isOn: false)
        let word = bench.board.socket.word
        await bench.observer.service.accept(looks: true, word: .step3)
        await bench.hold([.begin], seconds: 5)
        #expect(!bench.observer.isAwake && bench.board.socket.word == word)
    }

    @Test func theEyesLookAndTheLampSaysWhereItIsForAsLongAsSomebodyAsks() async throws {
        let bench = try await Bench(isOn: true)
        let before = bench.board.socket.word
        await bench.observer.service.accept(looks: true, word: nil)
        #expect(bench.observer.isAwake && bench.board.socket.word == "aiming")
        await bench.hold([.begin], seconds: 1)
        #expect(bench.board.socket.word == "readable")
        await bench.observer.service.accept(looks: true, word: .step2)
        #expect(bench.board.socket.word == "step2")
        // A step looks itself: the eyes let go of their devices.
        await bench.observer.service.accept(looks: false, word: .checking)
        #expect(!bench.observer.isAwake && bench.board.socket.word == "checking")
        // The check has died.
        await bench.network.advance(by: .seconds(9))
        #expect(bench.board.socket.word == "checking")
        await bench.network.advance(by: .seconds(2))
        #expect(!bench.observer.isAwake && bench.board.socket.word == before)
    }

    @Test func itGivesTheEyesBackToWhoeverAims() async throws {
        let bench = try await Bench(isOn: true)
        await bench.observer.service.aim(for: .seconds(600))
        await bench.observer.service.accept(looks: false, word: .checking)
        #expect(!bench.observer.isAwake && bench.board.socket.word == "checking")
        await bench.network.advance(by: .seconds(11))
        #expect(bench.observer.isAwake && bench.board.socket.word == "aiming")
    }

    /// A request goes before the check: its eye opens, its lamp is shown, its device is VALID.
    @Test func ordinaryObservationGoesOn() async throws {
        let bench = try await Bench(isOn: true)
        bench.board.connected("", isJoined: true)
        await bench.observer.service.accept(looks: false, word: .checking)
        let (token, nonce) = (Token.random(), Nonce.random())
        try bench.server.ask(ObservationServiceTests.Scene.device, nonce, token)
        await bench.network.settle()
        #expect(bench.observer.isAwake && bench.board.socket.word == "looking")
        await bench.observer.service.accept(looks: false, word: .checking)
        #expect(bench.observer.isAwake, "while there is a watch")
        await bench.hold([.check], seconds: 2)
        #expect(await bench.observer.see(nonce.withBytes { Array($0) }))
        await bench.network.settle()
        #expect(bench.server.statuses(token) == [.observedJoinValid])
        #expect(!bench.observer.isAwake, "the step has the eye again")
    }

    @Test func sightsAreNumberedAndBounded() {
        let ledger = AcceptanceLink.Ledger()
        for time in 0..<1000 { ledger.saw(.check, isTapped: false, at: .seconds(time)) }
        #expect(ledger.sights(after: 0).count == AcceptanceLink.maximumSights)
        #expect(ledger.sights(after: 998).map(\.number) == [999, 1000])
        #expect(ledger.sights(after: 1000).isEmpty)
        // Of a keeper before this one.
        #expect(ledger.sights(after: 5000).count == AcceptanceLink.maximumSights)
    }

    @Test func aDisplayIsToldPlainLines() {
        let shown = ShownValue(lines: ["step 3 of 8", "a|b\n\u{1B}é", String(repeating: "x", count: 99), "", "no more"])
        #expect(shown == .text(["step 3 of 8", "ab", String(repeating: "x", count: 24), ""]))
        #expect(ShownValue(shown.word) == shown && shown.word.utf8.count <= 128)
        #expect(ShownValue(lines: []) == .nothing)
        #expect(ShownValue("text " + String(repeating: "x", count: 200)) == nil)
    }
}
