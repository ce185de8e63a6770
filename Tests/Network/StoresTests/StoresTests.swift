import Evidence
import Foundation
import PostgreSQL
import SRUP
import Storage
import TestProcesses
import Testing

@testable import C2
@testable import KeyService
@testable import Operators
@testable import Participant

/// What keeps the tables.
enum Engine: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case sqlite, postgres

    var testDescription: String { rawValue }

    /// Those that there are on this machine: with ``PostgresServer/missing`` SQLite alone.
    static let here: [Engine] = PostgresServer.missing == nil ? allCases : [.sqlite]
}

/// A server's stores, as they are after each restart.
final class Stores: Sendable {
    private let folder = FileManager.default.temporaryDirectory.path + "/stores-\(UUID().uuidString)"
    private let address: PostgreSQLAddress?

    init(_ engine: Engine) throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        address = engine == .sqlite ? nil : try PostgreSQLAddress(PostgresServer.shared.get().makeDatabase())
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func session() throws(StorageError) -> DatabaseSession? {
        guard let address else { return nil }
        return try DatabaseSession(address)
    }

    private func open<Store>(
        _ name: String, _ file: (String) throws -> Store, _ server: (DatabaseSession) throws -> Store
    ) throws -> Store {
        if let session = try session() { return try server(session) }
        return try file(folder + "/" + name)
    }

    func c2() throws -> C2State { try open("c2.db", { try C2State(path: $0) }, { try C2State(in: $0) }) }
    func commands() throws -> CommandStore {
        try open("commands.db", { try CommandStore(path: $0) }, { try CommandStore(in: $0) })
    }
    func updates() throws -> UpdateStore {
        try open("updates.db", { try UpdateStore(path: $0) }, { try UpdateStore(in: $0) })
    }
    func participant() throws -> ParticipantStore {
        try open("state.db", { try ParticipantStore(path: $0) }, { try ParticipantStore(in: $0) })
    }
    func keys() throws -> KeyServiceState {
        try open("key-service.db", { try KeyServiceState(path: $0) }, { try KeyServiceState(in: $0) })
    }
    func operators() throws -> OperatorStore {
        let cost = PasswordCost(n: 1 << 4, r: 8, p: 1)
        return try open(
            "operators.db", { try OperatorStore(path: $0, cost: cost) }, { try OperatorStore(in: $0, cost: cost) })
    }
}

/// What each store does, with each engine: the same.
@Suite struct StoresTests {
    static let (a, b, c) = (DeviceID(0xB9D0_77E2_2383_4CF6), DeviceID(7), DeviceID(.max))
    static let observer = DeviceID(0xE0)
    static let now = 1_800_000_000.25
    static let key = Result { try PrivateKey.generate() }

    private func token(_ text: String) throws -> Token { try #require(Token(text)) }
    private func group(_ text: String) throws -> GroupID { try #require(GroupID(text)) }

    // MARK: The C2 server

    @Test(arguments: Engine.here) func joinsUnderWayOutliveARestart(_ engine: Engine) throws {
        let stores = try Stores(engine)
        var pending = C2State.Pending(
            device: Self.a, named: Self.observer, zone: "hall", quorum: .one, request: try token("r"),
            offer: try token("o"), attempt: 1,
            asks: [.init(observer: Self.observer, token: try token("ask"), verdict: nil)], type: "lamp",
            created: Self.now, isRollCall: false)
        let state = try stores.c2()
        try state.save(pending, askedUntil: Self.now + 60)
        pending.attempt = 2
        try state.save(pending)
        try state.save(
            C2State.Moderation(device: Self.c, request: try token("m"), offer: try token("n"), type: "", created: 1),
            tries: 1)
        let again = try stores.c2()
        #expect(try again.pending() == [pending])
        #expect(try again.moderations().map(\.device) == [Self.c])
        #expect(try again.asked(now: Self.now, longest: 100).map(\.token) == [try token("ask")])
        #expect(try again.takeAsked(try token("ask"), of: Self.observer))
        #expect(try !again.takeAsked(try token("ask"), of: Self.observer))
        let ending = C2State.Ending(.joined, why: "seen", by: "anna", at: Self.now + 5)
        let ended = try again.remove(Self.a, ending, observer: Self.observer)
        #expect(ended.count == 1 && ended[0].type == "lamp" && ended[0].observer == Self.observer)
        #expect(try again.remove(Self.a, ending).isEmpty)
        #expect(try again.pending().isEmpty)
        let joins = try again.joins(of: Self.a, isObserved: true, limit: 10)
        #expect(joins.count == 1 && joins[0].tries == 2 && joins[0].ending == ending && joins[0].began == Self.now)
        #expect(try again.joins(isObserved: false, limit: 10).map(\.device) == [Self.c])
        #expect(try again.verdicts() == [Self.observer: [.joined: 1]])
        #expect(try again.asked(now: Self.now + 1000, longest: 100).isEmpty)
    }

    @Test(arguments: Engine.here) func whatOperatorsSayToTheServerIsKept(_ engine: Engine) throws {
        let stores = try Stores(engine)
        let state = try stores.c2()
        for _ in 0..<2 {
            try state.trust(Self.observer, now: Self.now)
            try state.trust(Self.b, now: Self.now - 1)
            try state.set(.simple, for: "lamp", by: "anna", now: Self.now)
            try state.set(.human, for: "lamp", by: "ben", now: Self.now)
            try state.set(zones: ["hall", "yard"], of: Self.observer)
            try state.set(zone: "hall", for: "lamp", by: "anna", now: Self.now)
            try state.set(zone: "yard", of: Self.c)
            try state.told(eyes: ["camera"], by: Self.observer)
            try state.save(C2State.Observer(id: Self.observer, observations: 3, session: nil))
            try state.askRemoval(of: Self.c, by: "anna", now: Self.now)
            try state.noteEnded(EndedIdentity(id: Self.c, since: Self.now, why: "lost", by: nil))
        }
        #expect(try state.trusted() == [Self.b, Self.observer])
        #expect(try state.policies().map(\.policy) == [.human])
        #expect(try state.zones() == [Self.observer: ["hall", "yard"]])
        #expect(try state.typeZones().map(\.zone) == ["hall"])
        #expect(try state.zone(of: Self.c) == "yard" && state.devices(inZone: "yard") == [Self.c])
        #expect(try state.eyes() == [Self.observer: .camera])
        try state.set(eyes: .tap, of: Self.observer)
        #expect(try state.eyes() == [Self.observer: .tap])
        try state.set(eyes: nil, of: Self.observer)
        #expect(try state.eyes() == [Self.observer: .camera])
        #expect(try state.observers().map(\.observations) == [3])
        #expect(try state.removals().map(\.by) == ["anna"])
        #expect(try state.hasEnded(Self.c) && !state.hasEnded(Self.b) && state.ended().count == 1)
        try state.distrust(Self.b)
        try state.removed(Self.c)
        try state.set(nil, for: "lamp", by: "anna", now: Self.now)
        try state.clearZone(for: "lamp")
        try state.set(zone: nil, of: Self.c)
        #expect(try state.trusted() == [Self.observer] && state.removals().isEmpty && state.policies().isEmpty)
    }

    @Test(arguments: Engine.here) func rollCallsAndOccurrencesAreCounted(_ engine: Engine) throws {
        let stores = try Stores(engine)
        let state = try stores.c2()
        #expect(try state.newestOccurrence() == 0 && state.webhook() == nil)
        for number in 1...3 as ClosedRange<Int64> {
            #expect(
                try state.note(
                    .verdict, Self.a, type: "lamp", .init(.failed, why: "no\0thing", at: 1), why: nil, by: nil,
                    observer: Self.observer, now: Self.now) == number)
        }
        #expect(try state.occurrences(after: 1, limit: 10).map(\.id) == [2, 3])
        #expect(try state.occurrences(after: 2, limit: 10).first?.why == "no\0thing")
        var standing = C2State.WebhookStanding(told: 1)
        for dropped in [0, 5] as [Int64] {
            standing.dropped = dropped
            try state.save(standing)
        }
        #expect(
            try state.webhook()?.pending == 2 && state.webhook()?.dropped == 5 && stores.c2().newestOccurrence() == 3)
        try state.saw(Self.a, type: "lamp", by: Self.observer, now: Self.now)
        #expect(try state.failedRollCall(Self.a, why: "dark", now: Self.now + 1) == 1)
        #expect(try state.failedRollCall(Self.a, why: "dark", now: Self.now + 2) == 2)
        #expect(try state.failedRollCall(Self.b, why: "dark", now: Self.now) == 0)
        #expect(try state.missing(limit: 5).map(\.failures) == [2])
        let late = Self.now + 10
        #expect(try state.unseen(since: late, triedBefore: late, type: "lamp", except: [], limit: 5).count == 1)
        #expect(try state.unseen(since: late, triedBefore: late, type: nil, except: ["lamp", "x"], limit: 5).isEmpty)
        try state.saw(Self.a, type: "lamp", by: nil, now: Self.now + 3)
        #expect(try state.presence(of: Self.a)?.failures == 0 && state.presence(of: Self.a)?.observer == nil)
        try state.forgetPresence(of: Self.a)
        #expect(try state.presence(of: Self.a) == nil)
    }

    @Test(arguments: Engine.here) func ofManyJoinsTheNewestStay(_ engine: Engine) throws {
        let state = try Stores(engine).c2()
        for index in 0..<60 {
            try state.save(
                C2State.Moderation(
                    device: Self.a, request: try token("\(index)"), offer: try token("o"), type: "",
                    created: Double(index)),
                tries: 1)
        }
        let kept = try state.joins(limit: 100)
        #expect(kept.count == 50 && kept.first?.began == 59 && kept.last?.began == 10)
        #expect(try state.joins(before: kept[10].id, limit: 2).map(\.began) == [48, 47])
    }

    @Test(arguments: Engine.here) func commandsValuesAndGroupsAreKept(_ engine: Engine) throws {
        let stores = try Stores(engine)
        let store = try stores.commands()
        let said = try token("said")
        #expect(
            try store.note(
                .action, "3", to: [Self.a, Self.b, Self.c], in: group("hall"), token: said, by: "anna", now: 1) == 1)
        #expect(try store.answer(said, of: Self.b, kind: .action, .actionSuccess, now: 2)?.number == 2)
        #expect(try store.answer(said, of: Self.b, kind: .action, .actionSuccess, now: 2) == nil)
        #expect(try store.note(.identify, "", to: [Self.a], token: said, by: "anna", now: 3) == 4)
        try store.identified(Self.a, now: 4)
        #expect(try store.commands(to: Self.a, limit: 5).map(\.answered) == [4, nil])
        #expect(try store.commands(before: 4, since: 2, limit: 5).map(\.number) == [3, 2])
        for index in 0..<70 { try store.keep("n\(index % 66)", [UInt8(index)], of: Self.a, now: Double(index)) }
        let latest = try store.latest(of: Self.a)
        #expect(latest.count == 64 && latest.first { $0.name == "n1" }?.count == 1)
        try store.keep("n1", [9], of: Self.a, now: 100)
        #expect(try store.latest(of: Self.a).first { $0.name == "n1" }?.count == 2)
        for index in 0..<300 { try store.keep("x", [UInt8(index & 255)], of: Self.b, now: Double(index)) }
        #expect(try store.history(of: Self.b, "x", limit: 1000).count == 256)
        #expect(try store.latest(of: Self.b).map(\.count) == [300])
        for device in [Self.a, Self.b, Self.a] { #expect(try store.add(device, to: group("hall"), now: 1)) }
        #expect(try store.add(Self.a, to: group("yard"), now: 1))
        #expect(try store.groups().map(\.members) == [[Self.b, Self.a], [Self.a]])
        #expect(try store.groups(of: Self.a) == [try group("hall"), try group("yard")])
        #expect(try store.members(of: group("none")) == nil && store.members(of: group("hall")) == [Self.b, Self.a])
        #expect(try store.remove(Self.b, from: group("hall")) && !store.remove(Self.b, from: group("hall")))
        #expect(try store.removeFromGroups(Self.a) && !store.removeFromGroups(Self.a))
        try store.destroy(group("hall"))
        try store.forget(Self.b)
        #expect(try store.latest(of: Self.b).isEmpty)
        #expect(try stores.commands().groups().map(\.id) == [try group("yard")])
    }

    @Test(arguments: Engine.here) func releasesAndRolloutsOutliveARestart(_ engine: Engine) throws {
        let stores = try Stores(engine)
        let store = try stores.updates()
        let new = UpdateStore.NewRelease(
            type: "lamp", version: "1.2", url: "https://x/m", digest: "d", manifest: nil, payload: "p", size: nil,
            file: "f",
            isThere: false, expires: nil)
        #expect(try store.add(new, by: "anna", now: 1) == 1)
        #expect(try store.add(new, by: "anna", now: 2) == nil)
        try store.isThere(payload: "p", file: "f")
        let release = try #require(try store.release(1))
        #expect(release.isThere && release.size == nil)
        #expect(try store.release(2) == nil)
        var plan = RolloutPlan(.type("lamp"))
        plan.includesLater = true
        var rollout = try #require(
            try store.add(release, plan, to: [Self.a, Self.b], seed: .max, by: "anna", now: Self.now))
        _ = rollout.tick(Self.now + 1, isFree: { _ in true }, isMember: { _ in true })
        try store.save(&rollout)
        let again = try stores.updates()
        for onlyOpen in [true, false] {
            let found = try #require(try again.rollouts(limit: 5, onlyOpen: onlyOpen, now: Self.now + 2).first)
            #expect(
                found.devices == rollout.devices && found.seed == .max && found.plan == plan
                    && found.state == rollout.state)
        }
        #expect(try again.rollout(rollout.number, now: Self.now)?.version == "1.2" && again.rollout(99, now: 1) == nil)
        try again.forget(Self.a)
        #expect(try again.rollout(rollout.number, now: Self.now)?.devices.map(\.id) == [Self.b])
        try again.withdraw(1)
        #expect(try again.releases().map(\.isWithdrawn) == [true])
    }

    // MARK: The participant

    @Test(arguments: Engine.here) func countersPeersAndTheOutboxOutliveARestart(_ engine: Engine) throws {
        let stores = try Stores(engine)
        let state = try stores.participant()
        #expect(try state.accept(SequenceNumber(41), from: Self.a, version: .v4, now: Self.now) == nil)
        #expect(try state.accept(SequenceNumber(41), from: Self.a, version: .v4) == SequenceNumber(41))
        #expect(try state.accept(SequenceNumber(.max), from: Self.c, version: .v5) == nil)
        let key = try Self.key.get().publicKey
        for _ in 0..<2 { try state.remember(Self.a, key: key, type: "Lamp") }
        for (index, text) in ["x", "y", "z", "y"].enumerated() {
            let request = ParticipantStore.Request(
                token: try token(text), kind: .duty, peer: Self.a, subject: index == 2 ? nil : DeviceID(UInt64(index)))
            #expect(
                try state.accept(SequenceNumber(100 + UInt64(index)), from: Self.a, version: .v5, opening: request)
                    == nil)
        }
        let admission = ParticipantStore.Admission(.severally("two"), try token("j"))
        let sent = try state.enqueue(
            to: Self.a, topic: .member(Self.a), answering: (token: try token("x"), kind: .duty),
            membership: .begins(admission), now: Self.now
        ) { number, _ in [UInt8(number.value & 255), 0, 255] }
        #expect(throws: ParticipantError.self) {
            try state.enqueue(
                to: Self.a, topic: .member(Self.a), answering: (token: try token("x"), kind: .duty), now: Self.now
            ) { _, _ in [] }
        }
        let again = try stores.participant()
        let peer = try #require(try again.peer(Self.a))
        #expect(peer.lastReceived == SequenceNumber(103) && peer.lastSent == SequenceNumber(119) && peer.isJoined)
        #expect(peer.admission == admission && peer.key == key && peer.type == "Lamp" && peer.lastHeard == Self.now)
        #expect(try again.requests(.duty).map(\.token) == [try token("z"), try token("y")])
        #expect(try again.kind(of: token("z"), from: Self.a) == .duty)
        #expect(try again.unconfirmed(now: Self.now + 1).map(\.payload) == [sent.payload] && !again.isAllConfirmed())
        try again.confirmed(sent.id)
        #expect(
            try again.isAllConfirmed() && again.joinedPeers().map(\.id) == [Self.a] && again.knownPeers() == [Self.a])
        try again.drop(.duty, except: token("z"))
        try again.dropEarlierRequests()
        #expect(try again.requests(.duty).count == 1)
        try again.note(identification: "told\0\u{F0000}", of: Self.a)
        try again.note("at the Door", about: Self.a)
        func find(_ text: String) throws -> [DeviceID] {
            var query = ParticipantStore.PeerQuery()
            query.text = text
            #expect(try again.countPeers(query) == again.peers(query, limit: 10).count)
            return try again.peers(query, limit: 10).map(\.id)
        }
        for text in ["lamp", "b9D0", "door", "told"] { #expect(try find(text) == [Self.a], "\(text)") }
        #expect(try find("ffff") == [Self.c])
        for text in ["9d0", "%"] { #expect(try find(text) == [], "\(text)") }
        #expect(try again.peer(Self.a)?.identification == "told\0\u{F0000}")
        var among = ParticipantStore.PeerQuery()
        (among.among, among.type, among.isJoined) = ([Self.a, Self.b], "Lamp", true)
        #expect(try again.peers(among, limit: 10).count == 1)
        #expect(try again.types().map(\.members) == [1])
        #expect(try again.countMembers() == 1)
        for (text, others) in [("p 1 returns=32 groups=x", ["3", "2", "320"]), ("p 1 returns=3", ["32", "0"])] {
            try again.note(identification: text, of: Self.a)
            for value in others { #expect(try again.members(whose: "returns", isNot: value) == [Self.a]) }
        }
        for (text, value) in [("p 1 returns=32 groups=x", "32"), ("p returns=3", "3"), ("preturns=32", "0")] {
            try again.note(identification: text, of: Self.a)
            #expect(try again.members(whose: "returns", isNot: value) == [])
        }
        try again.leapAhead(now: Self.now)
        #expect(try again.hasLeaped() && again.peer(Self.a)?.lastSent.value == 119 + 1 << 32)
        try again.set("x", to: "1")
        try again.set("x", to: "2")
        #expect(try again.value("x") == "2")
        try again.set("x", to: nil)
        try again.setJoined(Self.a, false)
        try again.beginAnew()
        #expect(try again.value("x") == nil && again.peer(Self.a) == nil)
    }

    @Test(arguments: Engine.here) func groupNumbersGrow(_ engine: Engine) throws {
        let state = try Stores(engine).participant()
        let hall = try group("hall")
        for number in [10, 5] as [UInt64] { try state.enter(hall, of: Self.a, after: SequenceNumber(number)) }
        #expect(try state.accept(SequenceNumber(10), in: hall, of: Self.a) == .replayed(last: SequenceNumber(10)))
        #expect(try state.accept(SequenceNumber(11), in: hall, of: Self.a) == .taken)
        #expect(try state.accept(SequenceNumber(11), in: group("none"), of: Self.a) == .notListening)
        #expect(try state.groups(of: Self.a) == [hall])
        for _ in 0..<2 { _ = try state.enqueue(to: hall, of: Self.b, now: 1) { _ in [1] } }
        #expect(try state.lastSent(to: hall, of: Self.b) == SequenceNumber(32))
        try state.leave(hall, of: Self.a)
        #expect(try state.groups(of: Self.a).isEmpty)
    }

    @Test(arguments: Engine.here) func theAuditLogIsAChainThatHolds(_ engine: Engine) throws {
        let stores = try Stores(engine)
        let key = try Self.key.get()
        let log = try stores.participant()
        try log.audit("first", "Ümlaut 100% \0", about: Self.c, by: "Anna", now: 1)
        #expect(
            try log.auditLog(last: 5, containing: "100% ").count == 1 && log.auditLog(last: 5, containing: "_").isEmpty)
        #expect(try log.auditLog(last: 5, containing: "anna").first?.detail == "Ümlaut 100% \0")
        let store = try stores.participant()
        try store.keepEvidence(of: Self.a, key: key, now: 1000)
        for number in 1...40 as ClosedRange<UInt64> {
            let signed = try Message(
                version: .preferred, sequence: SequenceNumber(number), sender: Self.b, token: .random(),
                body: number % 3 == 0 ? .resignRequest : .joinRequest
            ).signed(with: key)
            #expect(
                try store.accept(
                    signed.message.sequence, from: Self.b, version: .preferred, now: 2000,
                    proof: (signed, try key.publicKey)) == nil)
            if number % 4 == 0 { try store.audit("joined", "in\0", about: Self.b, by: nil, now: 2000 + Double(number)) }
        }
        try store.audit("sent", "to all", now: 2100)
        _ = try store.seal(now: 2101)
        func verified() throws -> EvidenceReport {
            var verifier = EvidenceVerifier(trusted: try key.publicKey)
            try store.evidence { verifier.take($0) }
            return verifier.finish()
        }
        var report = try verified()
        #expect(report.isGood, "\(report.problems.prefix(3))")
        #expect(report.last == 13 && report.sealed == 13)
        #expect(try store.auditLog(last: 3, before: 12).map(\.id) == [11, 10, 9])
        #expect(
            try store.auditLog(last: 3, about: Self.c).count == 1 && store.lastEvidence(before: 2010, among: 9) == 4)
        try store.dropEvidence(through: 5, now: 2200)
        report = try verified()
        #expect(report.isGood && report.first == 6, "\(report.problems.prefix(3))")
    }

    @Test(arguments: Engine.here) func whatWaitsForItsLineIsBounded(_ engine: Engine) throws {
        let store = try Stores(engine).participant()
        let key = try Self.key.get()
        try store.keepEvidence(of: Self.a, key: key, now: 1000)
        let signed = try (1...70).map { number in
            try Message(
                version: .preferred, sequence: SequenceNumber(number), sender: Self.b, token: .random(),
                body: .resignRequest
            ).signed(with: key)
        }
        for one in signed {
            _ = try store.accept(
                one.message.sequence, from: Self.b, version: .preferred, now: 2000, proof: (one, try key.publicKey))
        }
        let count = try store.database.read("SELECT count(*) FROM evidence WHERE line IS NULL").first?.integer(0)
        #expect(count == Int64(EvidenceRecord.maximumMessages))
    }

    @Test(arguments: Engine.here) func theServersStoresShareATurnWithAServer(_ engine: Engine) throws {
        let stores = try Stores(engine)
        // As srup-c2 opens them: one connection; with SQLite four files.
        let session = try stores.session()
        let state = try session.map { try C2State(in: $0) } ?? stores.c2()
        let commands = try session.map { try CommandStore(in: $0) } ?? stores.commands()
        let own = try session.map { try ParticipantStore(in: $0) } ?? stores.participant()
        func turn(fails: Bool) throws(StorageError) {
            try commands.database.turn { () throws(StorageError) in
                try state.database.turn { () throws(StorageError) in
                    try own.turn { () throws(StorageError) in
                        try own.audit("x", "y", now: 1)
                        _ = try state.note(
                            .joined, Self.a, type: nil, nil, why: nil, by: nil, observer: nil, now: 1)
                        try commands.keep("n", [1], of: Self.a, now: 1)
                        if fails { throw .cannotOpen(path: "", why: "") }
                    }
                }
            }
        }
        #expect(throws: StorageError.self) { try turn(fails: true) }
        #expect(
            try stores.participant().auditLog(last: 5).isEmpty && stores.c2().occurrences(after: 0, limit: 5).isEmpty)
        try turn(fails: false)
        #expect(
            try stores.participant().auditLog(last: 5).count == 1 && stores.commands().latest(of: Self.a).count == 1)
    }

    // MARK: The key service

    @Test(arguments: Engine.here) func registrationsAndEndingsAreKept(_ engine: Engine) throws {
        let stores = try Stores(engine)
        let state = try stores.keys()
        let key = try Self.key.get().publicKey
        let others = try (0..<2).map { _ in try PrivateKey.generate().publicKey }
        #expect(try state.add(Self.a, key: key, type: "lamp", isServer: true, now: Self.now))
        #expect(try !state.add(Self.a, key: key, type: "lamp", isServer: true, now: Self.now))
        #expect(try state.add(Self.c, key: others[0], type: "lamp", isServer: false, now: Self.now))
        guard
            case .full = try state.register(
                Self.b, key: others[1], type: "", zone: "hall", now: Self.now, maximum: 2, minimumAge: .seconds(60)),
            case .added = try state.register(
                Self.b, key: others[1], type: "", zone: "hall", now: Self.now + 61, maximum: 2, minimumAge: .seconds(60)
            )
        else {
            Issue.record("the oldest did not make room")
            return
        }
        let again = try stores.keys()
        #expect(
            try again.entry(Self.b)?.zone == "hall" && again.entry(Self.c) == nil && again.server(with: key) == Self.a)
        #expect(try again.counts() == (2, 0) && again.count() == 2)
        let folder = FileManager.default.temporaryDirectory.path + "/ca-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let certificate = try Authority.create(in: folder, name: "test").client(Self.b, key: others[1])
        let today = Date().timeIntervalSince1970
        #expect(
            try again.record(certificate, of: Self.b, now: today) && again.record(certificate, of: Self.b, now: today))
        #expect(try !again.record(certificate, of: Self.c, now: today))
        try again.markJoined([Self.b, Self.c], now: Self.now)
        #expect(try again.registration(Self.b)?.joined == Self.now && again.registration(Self.b)?.certified == today)
        let first = try #require(try again.registrations(atMost: 1).first)
        #expect(
            try again.registrations(after: first).map(\.id) == [Self.b]
                && again.registrations(neverJoined: true).isEmpty)
        #expect(
            try again.end(Self.b, why: "lost", by: "anna", now: today)
                && !again.end(Self.b, why: "", by: nil, now: today))
        #expect(try again.revoked(now: today, atMost: 10).count == 1 && again.namesToRefuse(now: today) == [Self.b])
        #expect(try again.unlisted().map(\.key) == [others[1].digest] && again.openEndings().count == 1)
        try again.markListed([Self.b], now: today)
        try again.markClosed(Self.b, confirmed: true, now: today)
        try again.markClosed(Self.b, confirmed: false, now: today)
        #expect(try again.ended(Self.b)?.isConfirmed == true && again.allEnded().count == 1)
        #expect(try again.ended(after: Self.b, limit: 5).isEmpty && again.ended(after: nil, limit: 5).count == 1)
        if case .ended = try again.register(
            Self.c, key: others[1], type: "", now: today, maximum: 9, minimumAge: .zero)
        {
        } else {
            Issue.record("a key that has ended was taken")
        }
        #expect(try again.runOut([[1], [2]], now: today).isEmpty)
        try again.prune(now: today)
        #expect(try again.forgetUnjoined(olderThan: .zero, now: today).isEmpty && !again.forget(Self.a))
    }

    // MARK: Operators

    @Test(arguments: Engine.here) func operatorsSessionsAndTokensAreKept(_ engine: Engine) throws {
        let stores = try Stores(engine)
        let store = try stores.operators()
        let anna = try #require(OperatorName("anna"))
        let ben = try #require(OperatorName("ben"))
        try store.add(anna, role: .administer, password: try Password("correct horse battery"), now: Self.now)
        try store.add(ben, role: .moderate, password: try Password("correct horse battery"), now: Self.now)
        #expect(throws: OperatorError.self) {
            try store.add(ben, role: .look, password: try Password("correct horse battery"), now: Self.now)
        }
        #expect(throws: OperatorError.self) { try store.remove(anna) }
        let credential = try #require(try store.credential(anna))
        var texts: [String] = []
        for index in 0..<22 {
            texts.append(try store.beginSession(credential, place: "here", now: Self.now + Double(index)))
        }
        #expect(try store.sessions(of: anna, now: Self.now + 30).count == 20)
        #expect(try store.session(texts[0], now: Self.now + 30) == nil)
        let session = try #require(try store.session(texts[21], now: Self.now + 90))
        #expect(try store.session(texts[21], now: Self.now + 91)?.used == Self.now + 90)
        try store.endSession(session.number, of: anna)
        #expect(throws: OperatorError.self) { try store.endSession(session.number, of: anna) }
        #expect(try store.endSessions(of: anna) == 19)
        let (text, number) = try store.makeToken("for tests", role: .look, for: ben, now: Self.now)
        #expect(try store.token(text, now: Self.now)?.number == number && store.isToken(number, now: Self.now))
        #expect(throws: OperatorError.self) { try store.removeToken(number, of: anna) }
        #expect(try store.tokens(of: ben).count == 1 && store.tokens().count == 1)
        try store.removeToken(number, of: ben)
        let (_, other) = try store.makeToken("again", role: .moderate, for: ben, expires: Self.now + 5, now: Self.now)
        try store.removeToken(other)
        try store.setRole(.administer, of: ben)
        try store.setDisabled(true, ben)
        try store.setPassword(try Password("battery horse correct"), of: ben, now: Self.now + 1)
        let found = try stores.operators().operators()
        #expect(found.map(\.name) == [anna, ben] && found.map(\.isDisabled) == [false, true])
        _ = try store.makeToken("gone", role: .look, for: ben, now: Self.now)
        try store.remove(ben)
        #expect(try store.tokens().isEmpty)
    }

    // MARK: Several servers

    @Test(arguments: Engine.here) func whoTakesOverJumpsAndForgetsNothing(_ engine: Engine) throws {
        let stores = try Stores(engine)
        let state = try stores.participant()
        try state.remember(Self.a, key: try Self.key.get().publicKey, type: "lamp")
        _ = try state.accept(SequenceNumber(200), from: Self.a, version: .v5, now: Self.now)
        let sent = try state.enqueue(to: Self.a, topic: .member(Self.a), now: Self.now) { _, _ in [1] }
        let before = try #require(try state.peer(Self.a)?.lastSent)
        // One to whom nothing was sent has no number to jump from.
        try state.remember(Self.b, key: try Self.key.get().publicKey, type: "lamp")
        try state.jumpAhead()
        let again = try stores.participant()
        #expect(try again.peer(Self.a)?.lastSent.value == before.value + 1 << 20)
        #expect(try again.peer(Self.a)?.lastReceived.value == 200 && again.peer(Self.b)?.lastSent.value == 0)
        // What is stored and was not confirmed still has to leave, and nobody is told of a backup.
        #expect(try again.unconfirmed(now: Self.now + 1).map(\.id) == [sent.id] && !again.hasLeaped())
    }

    @Test(arguments: Engine.here) func eachCellHasItsOwn(_ engine: Engine) throws {
        let state = try Stores(engine).keys()
        let keys = try (0..<3).map { _ in try PrivateKey.generate().publicKey }
        for (index, cell) in ([nil, "north", "north"] as [String?]).enumerated() {
            let outcome = try state.register(
                DeviceID(UInt64(index + 1)), key: keys[index], type: "lamp", cell: cell, now: Self.now, maximum: 10,
                minimumAge: .zero)
            guard case .added = outcome else {
                Issue.record("\(outcome)")
                continue
            }
        }
        _ = try state.add(Self.observer, key: try Self.key.get().publicKey, type: "C2", isServer: true, now: Self.now)
        #expect(try state.countsByCell() == [nil: 1, "north": 2])
        #expect(try state.entry(DeviceID(2))?.cell == "north" && state.entry(DeviceID(1))?.cell == nil)
        for id in [1, 2] as [UInt64] { try state.end(DeviceID(id), why: "lost", by: "anna", now: Self.now) }
        #expect(try state.openEndings().map(\.cell) == [nil, "north"])
    }
}
