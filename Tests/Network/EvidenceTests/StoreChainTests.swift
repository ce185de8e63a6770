import Evidence
import Foundation
import SRUP
import Storage
import Testing

@testable import Participant

/// The chain in the server's own file: what begins it, what it takes along, what leaves it.
@Suite struct StoreChainTests {
    private let path = FileManager.default.temporaryDirectory.path + "/chain-\(UUID().uuidString).db"
    private static let server = LongLog.server

    private func store() throws -> ParticipantStore { try ParticipantStore(path: path) }

    private func cleanUp() {
        for end in ["", "-wal", "-shm", ".copy", ".copy-wal", ".copy-shm"] {
            try? FileManager.default.removeItem(atPath: path + end)
        }
    }

    private func keeping() throws -> ParticipantStore {
        let store = try store()
        try store.keepEvidence(of: Self.server, key: try LongLog.serverKey.get(), now: 1000)
        return store
    }

    private func verified(
        _ store: ParticipantStore, _ selection: ParticipantStore.EvidenceSelection = .init(),
        head: EvidenceVerifier.Head? = nil
    ) throws -> EvidenceReport {
        var verifier = EvidenceVerifier(head: head, trusted: try LongLog.serverKey.get().publicKey)
        try store.evidence(selection) { verifier.take($0) }
        return verifier.finish()
    }

    @Test func aFileOfAnEarlierReleaseIsTakenInAsItWasFound() throws {
        defer { cleanUp() }
        do {
            let old = try Database(path: path, migrations: Array(ParticipantStore.migrations.prefix(4)))
            // As it is when the newest 10,000 were kept.
            try old.query(
                """
                WITH RECURSIVE n(i) AS (SELECT 5000 UNION ALL SELECT i + 1 FROM n WHERE i < 6199)
                INSERT INTO audit (id, time, event, detail, subject, operator) SELECT i, i + 0.12345, 'old', 'ä' || i, i, 'x' FROM n
                """)
        }
        let looked = try? ParticipantStore(path: path, use: .look)
        #expect(looked == nil, "who only looks changes nothing")
        do {
            // The command line, before the first start of the new server.
            try store().audit("operator", "added", now: 7000)
            #expect(try store().evidenceExtent() == nil)
        }
        let store = try keeping()
        try store.audit("new", "line", now: 8000)
        try store.seal(now: 8001)
        let report = try verified(store)
        #expect(report.isGood, "\(report.problems.prefix(3))")
        #expect(report.first == 5000 && report.last == 6202 && report.adopted == 6200 && report.sealed == 6202)
        #expect(try store.auditLog(last: 2).map(\.event) == ["new", "evidence begins"])
        // Once only.
        #expect(try keeping().auditLog(last: 1).first?.event == "new")
        try store.database.query("UPDATE audit SET detail = 'ö' WHERE id = 5005")
        #expect(try verified(store).problems.first?.line == 5005)
        try store.database.query("UPDATE audit SET detail = 'ä5005' WHERE id = 5005")
        #expect(try verified(store).isGood)
        try store.database.query("DELETE FROM audit WHERE id = 5000")
        #expect(try verified(store).problems.contains { $0.kind == .removed && $0.line == 5000 })
    }

    @Test func linesOfAllProcessesAreOneChainWithoutAGap() async throws {
        defer { cleanUp() }
        let server = try keeping()
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                // The command line opens the file for itself, and knows no key.
                let own = writer == 0 ? server : try? store()
                group.addTask {
                    for number in 0..<50 { try? own?.audit("line", "\(writer) \(number)", now: Double(2000 + number)) }
                }
            }
        }
        try server.seal(now: 3000)
        let report = try verified(server)
        #expect(report.isGood && report.lines == 201 && report.sealed == 201)
        #expect(try server.seal(now: 3001) == nil, "nothing new to sign")
    }

    @Test func aLineThatCannotTakeItsMessagesIsNotThereAndTheChainGoesOn() throws {
        defer { cleanUp() }
        let store = try keeping()
        try ask(store, .joinRequest, 1)
        try store.database.query(
            """
            CREATE TRIGGER full BEFORE UPDATE ON evidence BEGIN SELECT RAISE(ABORT, 'disk full'); END
            """)
        #expect(throws: StorageError.self) { try store.audit("joined", "x", about: LongLog.device, now: 2000) }
        try store.database.query("DROP TRIGGER full")
        #expect(try store.auditLog(last: 5).count == 1)
        try store.audit("joined", "x", about: LongLog.device, now: 2001)
        #expect(try verified(store).isGood && verified(store).messages == 1)
    }

    /// A message of the device's, as the server takes it.
    private func ask(_ store: ParticipantStore, _ body: Body, _ number: UInt64, _ sender: DeviceID = LongLog.device)
        throws
    {
        let key = try LongLog.deviceKey.get()
        let signed = try Message(
            version: .preferred, sequence: SequenceNumber(number), sender: sender, token: .random(), body: body
        ).signed(with: key)
        let last = try store.accept(
            signed.message.sequence, from: sender, version: .preferred, now: 2000, proof: (signed, try key.publicKey))
        #expect(last == nil)
    }

    private func count(_ store: ParticipantStore, _ condition: String) throws -> Int64 {
        try store.database.read("SELECT count(*) FROM evidence WHERE \(condition)").first?.integer(0) ?? -1
    }

    @Test func whatLeadsToNothingDoesNotPileUp() throws {
        defer { cleanUp() }
        let store = try keeping()
        for number in 1...200 { try ask(store, .joinRequest, UInt64(number)) }
        #expect(try count(store, "line IS NULL") == 1, "each join begins anew")
        for number in 201...400 { try ask(store, .data(id: [65], value: [1]), UInt64(number)) }
        #expect(try count(store, "line IS NULL") == 1, "values are nobody's decision")
        for number in 401...600 { try ask(store, .response(.actionFail), UInt64(number)) }
        #expect(try count(store, "line IS NULL AND kind = 'command'") == 64)
        #expect(try verified(store).isGood && verified(store).lines == 1)
    }

    @Test func whoFillsItLosesItsOwnFirst() throws {
        defer { cleanUp() }
        let store = try keeping()
        let victim = DeviceID(7)
        try ask(store, .joinRequest, 1, victim)
        let filler = [UInt8](repeating: 7, count: 300)
        try store.database.transaction { connection throws(StorageError) in
            for number in 0..<6000 {
                try connection.query(
                    "INSERT INTO evidence (subject, kind, token, ours, time, key, bytes) VALUES (?, 'join', ?, 0, 2000, ?, ?)",
                    .integer(Int64(1000 + number % 100)), .blob([1]), .blob(EvidenceHash.none), .blob(filler))
            }
        }
        for number in 1...260 { try ask(store, .response(.actionFail), UInt64(number), DeviceID(8)) }
        #expect(try count(store, "line IS NULL") <= 4096 + 260)
        #expect(try count(store, "line IS NULL AND subject = 7") == 1)
    }

    /// Members that are told that they belong already, and that are asked who they are, have no line to wait for.
    @Test func manyMembersTakeNobodysEvidence() throws {
        defer { cleanUp() }
        let store = try keeping()
        let pending = DeviceID(7)
        func insert(_ subject: Int64, _ kind: String, _ token: Int64, isOurs: Bool, _ type: MessageType) throws {
            try store.database.query(
                "INSERT INTO evidence (subject, kind, token, ours, time, key, bytes) VALUES (?, ?, ?, ?, 2000, ?, ?)",
                .integer(subject), .text(kind), .blob(withUnsafeBytes(of: token) { Array($0) }),
                .integer(isOurs ? 1 : 0), .blob(EvidenceHash.none), .blob([2, type.rawValue, 0]))
        }
        func confirm(_ members: Range<Int64>) throws {
            for member in members {
                try insert(member, "join", member, isOurs: false, .joinRequest)
                try insert(member, "join", member, isOurs: true, .response)
                try insert(member, "command", -member, isOurs: true, .idRequest)
            }
        }
        try store.database.turn { () throws(StorageError) in
            do {
                try confirm(1000..<4000)
                // Somebody looks at it, and it asks once more whether it belongs.
                for token in 1...3 as ClosedRange<Int64> {
                    try insert(7, "join", token, isOurs: false, .observedJoinRequest)
                    try insert(7, "join", token + 10, isOurs: true, .observationRequest)
                }
                try confirm(7..<8)
                try confirm(4000..<4500)
            } catch { throw .cannotOpen(path: "", why: "\(error)") }
        }
        for number in 1...260 as ClosedRange<UInt64> { try ask(store, .response(.actionFail), number, DeviceID(8)) }
        #expect(try count(store, "line IS NULL AND subject = 7") == 6, "what was answered alone has gone")
        #expect(try count(store, "line IS NULL") < 1024 + 260 + 6)
        try store.audit("joined", "x", about: pending, now: 2001)
        #expect(try count(store, "line IS NOT NULL AND subject = 7") == 6)
    }

    @Test func aBackupThatIsPutBackForksTheLogAndSaysSo() throws {
        defer { cleanUp() }
        let store = try keeping()
        for number in 1...10 { try store.audit("line", "\(number)", now: 2000) }
        try store.seal(now: 2001)
        try Database.copy(path, to: path + ".copy")
        for number in 11...20 { try store.audit("line", "\(number)", now: 2002) }
        try store.seal(now: 2003)
        let lost = try #require(try store.evidenceExtent())
        let restored = try ParticipantStore(path: path + ".copy")
        try restored.leapAhead(now: 3000)
        try restored.keepEvidence(of: Self.server, key: try LongLog.serverKey.get(), now: 3001)
        try restored.audit("line", "other", now: 3002)
        try restored.seal(now: 3003)
        let report = try verified(restored)
        #expect(report.isGood && report.restored == [12] && report.sealed == 13)
        // Who has noted a head of the lost branch learns of it.
        let head = EvidenceVerifier.Head("\(lost.last):\(lost.head.hexadecimal)")
        #expect(try verified(restored, head: head).problems.map(\.kind) == [.head])
    }

    @Test func whatIsTooOldLeavesAtTheFrontAndTheRestIsGood() throws {
        defer { cleanUp() }
        let store = try keeping()
        for number in 1...50 {
            try ask(store, .joinRequest, UInt64(number))
            try store.audit("joined", "\(number)", about: LongLog.device, now: Double(2000 + number))
        }
        try store.seal(now: 3000)
        let before = try #require(try store.evidenceExtent())
        var segment = EvidenceVerifier(trusted: try LongLog.serverKey.get().publicKey)
        try store.evidence(through: 20) { segment.take($0) }
        let first = segment.finish()
        #expect(first.isGood && first.last == 20 && first.messages == 19)
        #expect(try store.lastEvidence(before: 2010, among: 1000) == 10)
        try store.dropEvidence(through: 20, now: 3001)
        let report = try verified(store, head: .init("\(before.last):\(before.head.hexadecimal)"))
        #expect(report.isGood && report.first == 21 && report.last == 51 && report.messages == 31)
        // It begins where the segment ends.
        #expect(try store.anchor()?.hash == first.head)
        let old = EvidenceVerifier.Head("5:" + first.head.hexadecimal)
        #expect(try verified(store, head: old).problems.first?.words.contains("archive") == true)
        #expect(try count(store, "line <= 20") == 0)
    }

    @Test func whatIsNotAboutADeviceIsLeftOutByHashAlone() throws {
        defer { cleanUp() }
        let store = try keeping()
        for number in 1...30 {
            try store.audit("note", "\(number)", about: DeviceID(UInt64(number % 3 + 1)), now: Double(2000 + number))
        }
        try store.seal(now: 3000)
        var selection = ParticipantStore.EvidenceSelection()
        selection.about = DeviceID(2)
        selection.since = 2015
        var text = ""
        try store.evidence(selection) { text += $0.json + "\n" }
        #expect(text.contains(#""about":"2""#) && !text.contains(#""about":"1""#))
        let report = try verified(store, selection)
        #expect(report.isGood && report.omitted == 26 && report.lines == 31)
    }

    @Test func pagesAreFastAtAHundredThousandLines() throws {
        defer { cleanUp() }
        let store = try keeping()
        try store.database.query(
            """
            WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
            INSERT INTO audit (id, time, event, detail, subject, operator, salt, hash)
            SELECT i, i, 'joined', printf('%x: observed by b9d077e223834cf6', i), i % 500, 'anna', randomblob(16), randomblob(32) FROM n
            """)
        let asks: [(String, Int, () throws -> [ParticipantStore.AuditLine])] = [
            ("newest", 51, { try store.auditLog(last: 51) }),
            ("about", 51, { try store.auditLog(last: 51, about: DeviceID(7)) }),
            ("page", 51, { try store.auditLog(last: 51, before: 50_000) }),
            ("found", 51, { try store.auditLog(last: 51, containing: "B9D0") }),
            ("found late", 1, { try store.auditLog(last: 51, containing: "c8: obs", before: 250) }),
            ("the oldest", 1, { try store.auditLog(last: 51, containing: "EVIDENCE begins") }),
            ("not found", 0, { try store.auditLog(last: 51, containing: "nowhere") }),
            ("a letter that stands for any", 0, { try store.auditLog(last: 51, containing: "observed_by") }),
            ("a sign that stands for all", 0, { try store.auditLog(last: 51, containing: "observed%by") }),
        ]
        for (what, count, ask) in asks {
            var found: [ParticipantStore.AuditLine] = []
            let time = try ContinuousClock().measure { found = try ask() }
            #expect(found.count == count, "\(what)")
            print("audit \(what): \(time)")
        }
        let plan = try store.database.read(
            "EXPLAIN QUERY PLAN SELECT id FROM audit WHERE id < 9 AND subject = 7 ORDER BY id DESC LIMIT 50")
        #expect(plan.contains { $0.text(3)?.contains("audit_of") == true }, "by its index")
    }
}
