import Foundation
import SRUP
import Storage
import Testing

@testable import KeyService
@testable import Participant

/// Identities that have ended: what the key service does for them, and what the broker is told.
@Suite(.serialized) struct RevocationTests {
    /// A server's folder, with an authority and a book.
    struct Place {
        let folder = NSTemporaryDirectory() + "srup-ended-\(UUID().uuidString)"
        let authority: Authority
        let state: KeyServiceState
        let revocations: Revocations
        var now = 1_800_000_000.0

        init() throws {
            try PrivateFile.makeFolder(folder)
            var authority = try Authority.create(in: folder, name: "test")
            authority.clock = { 1_800_000_000 }
            self.authority = authority
            state = try KeyServiceState(path: KeyServiceState.path(in: folder))
            revocations = Revocations(folder: folder, authority: authority, state: state)
        }

        func close() { try? FileManager.default.removeItem(atPath: folder) }

        /// Registers an identity and gives it a certificate.
        @discardableResult
        func add(_ id: DeviceID, certificates: Int = 1) throws -> [[UInt8]] {
            let key = try PrivateKey.generate().publicKey
            #expect(try state.add(id, key: key, type: "lamp", isServer: false, now: now))
            return try (0..<certificates).map { _ in
                let certificate = try authority.client(id, key: key)
                #expect(try state.record(certificate, of: id, now: now))
                return try #require(Authority.serial(of: certificate))
            }
        }

        func read(_ name: String) throws -> String { try PublicFile.read(folder + "/" + name) }

        var list: Authority.ListContents? { get throws { authority.contents(ofList: try read("revoked.pem")) } }

        var lists: [String] {
            get throws {
                try FileManager.default.contentsOfDirectory(atPath: folder + "/revoked").filter { $0 != "lock" }
                    .sorted()
            }
        }
    }

    // MARK: Lists

    @Test func aListSaysWhatWasPutIntoIt() throws {
        let place = try Place()
        defer { place.close() }
        let entries = [
            Authority.Revoked(serial: [0x40, 0, 1], since: 1_799_999_999), .init(serial: [0x7F], since: 1_700_000_000),
        ]
        let pem = try place.authority.revocationList(entries, number: 77, issued: 1_800_000_000)
        let read = try #require(place.authority.contents(ofList: pem))
        #expect(Set(read.revoked) == Set(entries) && read.number == 77 && read.issued == 1_800_000_000)
        #expect(read.ends == 1_800_000_000 + 730 * 86400)
        // An empty one, and one with many.
        let empty = try place.authority.revocationList([], number: 1, issued: 5)
        #expect(place.authority.contents(ofList: empty)?.revoked == [])
        let many = (1...3000).map { Authority.Revoked(serial: [UInt8($0 >> 8 + 1), UInt8($0 & 0xFF)], since: 1) }
        #expect(
            place.authority.contents(ofList: try place.authority.revocationList(many, number: 1, issued: 5))?.revoked
                .count == 3000)
    }

    @Test func aListThatIsAnothersOrWasChangedIsNone() throws {
        let place = try Place()
        defer { place.close() }
        let other = try Place()
        defer { other.close() }
        let pem = try other.authority.revocationList([], number: 1, issued: 5)
        #expect(place.authority.contents(ofList: pem) == nil)
        for text in ["", "x", place.authority.certificate, String(pem.dropLast(60))] {
            #expect(other.authority.contents(ofList: text) == nil)
        }
        var lines = pem.split(separator: "\n").map(String.init)
        lines[3] = String(lines[3].reversed())
        #expect(other.authority.contents(ofList: lines.joined(separator: "\n")) == nil)
    }

    @Test func openSSLFindsTheListByItsNameAndGoesByTheNewest() throws {
        let place = try Place()
        defer { place.close() }
        _ = try place.revocations.publish(now: Authority.systemTime())
        let certificate = place.folder + "/device.crt"
        let key = try PrivateKey.generate().publicKey
        try PrivateFile.write(try place.authority.client(DeviceID(0xD1), key: key), to: certificate)
        func verifies() throws -> Bool {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            // With the clock of 2027, when the certificate was made.
            process.arguments = [
                "verify", "-attime", "1800000100", "-crl_check", "-CAfile", place.folder + "/ca.crt", "-CApath",
                place.folder + "/revoked", certificate,
            ]
            process.standardOutput = nil
            process.standardError = nil
            try process.run()
            process.waitUntilExit()
            return process.terminationStatus == 0
        }
        _ = try place.revocations.publish(now: 1_800_000_000)
        #expect(try verifies())
        #expect(try place.state.add(DeviceID(0xD1), key: key, type: "x", isServer: false, now: 1))
        #expect(try place.state.record(try PublicFile.read(certificate), of: DeviceID(0xD1), now: 1_800_000_000))
        try place.state.end(DeviceID(0xD1), why: "test", by: "anna", now: 1_800_000_000)
        #expect(try verifies(), "not yet")
        _ = try place.revocations.publish(now: 1_800_000_000)
        #expect(try !verifies())
    }

    // MARK: What is published

    @Test func whoEndsIsPublishedOnceWithAllCertificatesAndItsName() throws {
        let place = try Place()
        defer { place.close() }
        #expect(try place.revocations.publish(now: place.now) == [], "the first list, with nobody on it")
        #expect(try place.revocations.publish(now: place.now) == nil)
        let (mine, others) = (try place.add(DeviceID(0xD1), certificates: 3), try place.add(DeviceID(0xD2)))
        #expect(try place.state.end(DeviceID(0xD1), why: "lost", by: "anna", now: place.now))
        #expect(try place.state.openEndings().map(\.listed) == [nil])
        #expect(try place.revocations.publish(now: place.now) == [DeviceID(0xD1)])
        #expect(try Set(#require(try place.list).revoked.map(\.serial)) == Set(mine))
        #expect(try place.read("ended") == "d1\n")
        #expect(try place.state.ended(DeviceID(0xD1))?.listed == place.now)
        #expect(try place.revocations.publish(now: place.now) == nil)
        #expect(try place.state.end(DeviceID(0xD2), why: "lost", by: "anna", now: place.now))
        #expect(try place.revocations.publish(now: place.now) == [DeviceID(0xD2)])
        #expect(try Set(#require(try place.list).revoked.map(\.serial)) == Set(mine + others))
        #expect(try place.read("ended") == "d1\nd2\n")
        #expect(try place.lists.count == 3)
        let name = try place.authority.listName()
        #expect(try place.lists == (0..<3).map { "\(name).r\($0)" })
    }

    @Test func namesAreInTheOrderThatThePluginLooksForThem() throws {
        let place = try Place()
        defer { place.close() }
        for id: UInt64 in [0xFF, 0x1, 0xABC, 0x10, .max, 0x9] {
            try place.state.end(DeviceID(id), why: "test", by: "anna", now: place.now)
        }
        _ = try place.revocations.publish(now: place.now)
        #expect(try place.read("ended") == "1\n10\n9\nabc\nff\nffffffffffffffff\n")
    }

    @Test func eachListIsNewerThanTheOneBeforeAndNoneIsOfTheFuture() throws {
        let place = try Place()
        defer { place.close() }
        var last = 0.0
        for number: UInt64 in 1...20 {
            try place.state.end(DeviceID(number), why: "test", by: "anna", now: place.now)
            _ = try place.revocations.publish(now: place.now)
            let list = try #require(try place.list)
            #expect(list.issued > last && list.issued <= place.now && list.number == number)
            last = list.issued
        }
        // A clock that was set back: valid at once, all the same.
        try place.state.end(DeviceID(99), why: "test", by: "anna", now: place.now)
        _ = try place.revocations.publish(now: place.now - 86400)
        #expect(try #require(try place.list).issued <= place.now - 86400)
        #expect(try place.revocations.publish(now: place.now - 86400) == nil)
    }

    @Test func aListIsRenewedLongBeforeItEndsAndADamagedOneAtOnce() throws {
        let place = try Place()
        defer { place.close() }
        _ = try place.revocations.publish(now: place.now)
        #expect(try place.revocations.publish(now: place.now + 29 * 86400) == nil)
        #expect(try place.revocations.publish(now: place.now + 31 * 86400) == [])
        #expect(Revocations.problem(folder: place.folder, now: place.now + 31 * 86400) == nil)
        #expect(
            Revocations.problem(folder: place.folder, now: place.now + 720 * 86400)?.contains("ends in") == true)
        let ended = place.now + 800 * 86400
        #expect(Revocations.problem(folder: place.folder, now: ended)?.contains("has ended") == true)
        // As the broker's start does after two years in a drawer.
        try place.revocations.prepareStart(now: ended)
        #expect(Revocations.problem(folder: place.folder, now: ended) == nil)
        let other = try Place()
        defer { other.close() }
        for damage in ["", "x", try other.authority.revocationList([], number: 1, issued: ended)] {
            try PrivateFile.write(damage, to: place.folder + "/revoked.pem")
            #expect(Revocations.problem(folder: place.folder, now: ended)?.contains("not this authority's") == true)
            #expect(try place.revocations.publish(now: ended) == [])
            #expect(Revocations.problem(folder: place.folder, now: ended) == nil)
        }
        for file in ["/revoked.pem", "/ended"] {
            try FileManager.default.removeItem(atPath: place.folder + file)
            #expect(try place.revocations.publish(now: ended) == [])
        }
    }

    @Test func beforeTheBrokersStartOnlyTheNewestListIsLeft() throws {
        let place = try Place()
        defer { place.close() }
        for number: UInt64 in 1...5 {
            try place.add(DeviceID(number))
            try place.state.end(DeviceID(number), why: "test", by: "anna", now: place.now)
            if number < 5 { _ = try place.revocations.publish(now: place.now) }
        }
        try place.revocations.prepareStart(now: place.now)
        let name = try place.authority.listName()
        #expect(try place.lists == ["\(name).r0"])
        #expect(try place.read("revoked/\(name).r0") == place.read("revoked.pem"))
        #expect(try #require(try place.list).revoked.count == 5)
    }

    @Test func certificatesThatHaveRunOutLeaveTheListAndNamesTheFile() throws {
        let place = try Place()
        defer { place.close() }
        try place.add(DeviceID(0xD1))
        try place.state.end(DeviceID(0xD1), why: "lost", by: "anna", now: place.now)
        _ = try place.revocations.publish(now: place.now)
        let later = place.now + 367 * 86400
        _ = try place.revocations.publish(now: later)
        #expect(try #require(try place.list).revoked.isEmpty)
        #expect(try place.read("ended").isEmpty)
        // Nobody gets its name again, for all that.
        let key = try PrivateKey.generate().publicKey
        guard
            case .ended = try place.state.register(
                DeviceID(0xD1), key: key, type: "x", now: later, maximum: 10, minimumAge: .zero)
        else {
            Issue.record("it was given again")
            return
        }
    }

    @Test func whoEndsByItsOwnWishInALoopMakesNoListLongerThanIsGoodForTheBroker() throws {
        let place = try Place()
        defer { place.close() }
        let mine = try place.add(DeviceID(0xD1))
        try place.state.end(DeviceID(0xD1), why: "lost", by: "anna", now: place.now)
        try place.state.database.transaction { connection throws(StorageError) in
            for number in 0..<(Int64(Revocations.maximumEntries) + 500) {
                try connection.query(
                    "INSERT INTO ended (id, since, type, why, ends) VALUES (?, ?, '', 'own', ?)",
                    .integer(1_000_000 + number), .real(place.now + 1), .real(place.now + 1e7))
                try connection.query(
                    "INSERT INTO certificates VALUES (?, ?, ?)",
                    .blob([1] + withUnsafeBytes(of: number.bigEndian) { Array($0) }), .integer(1_000_000 + number),
                    .real(place.now + 1e7))
            }
        }
        _ = try place.revocations.publish(now: place.now + 1)
        let list = try #require(
            place.authority.contents(ofList: PublicFile.read(place.folder + "/revoked.pem", atMost: 16 << 20)))
        #expect(list.revoked.count == Revocations.maximumEntries)
        #expect(list.revoked.contains { $0.serial == mine[0] }, "operators' decisions come first")
        // After a year nobody needs to know of them.
        try place.state.database.query("UPDATE ended SET closed = 1")
        _ = try place.revocations.publish(now: place.now + 800 * 86400)
        #expect(try place.state.allEnded().map(\.id) == [DeviceID(0xD1)])
    }

    // MARK: Old backups

    @Test func anOldBookLearnsFromTheFilesWhoHasEnded() throws {
        let place = try Place()
        defer { place.close() }
        let mine = try place.add(DeviceID(0xD1))
        let before = place.folder + "/before.db"
        try Database.copy(KeyServiceState.path(in: place.folder), to: before)
        try place.state.end(DeviceID(0xD1), why: "lost", by: "anna", now: place.now)
        _ = try place.revocations.publish(now: place.now)
        // The book out of a backup knows the identity, and not the end.
        let old = try KeyServiceState(path: before)
        let restored = Revocations(folder: place.folder, authority: place.authority, state: old)
        #expect(try old.entry(DeviceID(0xD1)) != nil)
        #expect(try restored.endAgain(now: place.now) == [DeviceID(0xD1)])
        #expect(try old.entry(DeviceID(0xD1)) == nil && old.ended(DeviceID(0xD1))?.by == "restore")
        #expect(try restored.endAgain(now: place.now) == [])
        #expect(try restored.publish(now: place.now) == [DeviceID(0xD1)])
        #expect(try #require(try place.list).revoked.map(\.serial) == mine)
    }

    @Test func certificatesThatAnOldBookDoesNotKnowStayOnTheList() throws {
        let place = try Place()
        defer { place.close() }
        let before = place.folder + "/before.db"
        try Database.copy(KeyServiceState.path(in: place.folder), to: before)
        let mine = try place.add(DeviceID(0xD1))
        try place.state.end(DeviceID(0xD1), why: "lost", by: "anna", now: place.now)
        _ = try place.revocations.publish(now: place.now)
        let restored = Revocations(
            folder: place.folder, authority: place.authority, state: try KeyServiceState(path: before))
        _ = try restored.endAgain(now: place.now)
        _ = try restored.publish(now: place.now)
        #expect(try #require(try place.list).revoked.map(\.serial) == mine)
        // Until they must have run out.
        _ = try restored.publish(now: place.now + 370 * 86400)
        #expect(try #require(try place.list).revoked.isEmpty)
    }

    @Test(arguments: ["", "\n\n", "zz\n", "D1\n", "../etc\n", "0\n"])
    func aFileOfNamesWithNonsenseEndsNobody(_ text: String) throws {
        let place = try Place()
        defer { place.close() }
        try place.add(DeviceID(0xD1))
        try PrivateFile.write(text, to: place.folder + "/names")
        let gone = try place.revocations.endAgain(by: place.folder + "/names", now: place.now)
        #expect(gone.filter { $0 == DeviceID(0xD1) }.isEmpty)
        #expect(try place.state.entry(DeviceID(0xD1)) != nil)
        #expect(try place.revocations.endAgain(by: place.folder + "/nothing") == [])
    }

    // MARK: The book

    @Test func aServerDoesNotEndThisWayAndNobodyTwice() throws {
        let place = try Place()
        defer { place.close() }
        let key = try PrivateKey.generate().publicKey
        #expect(try place.state.add(DeviceID(0xC2), key: key, type: "C2", isServer: true, now: 1))
        #expect(try !place.state.end(DeviceID(0xC2), why: "x", by: "anna", now: 2))
        #expect(try place.state.entry(DeviceID(0xC2)) != nil)
        #expect(try place.state.end(DeviceID(7), why: "never seen", by: "anna", now: 2))
        #expect(try !place.state.end(DeviceID(7), why: "again", by: "bert", now: 3))
        let ended = try #require(try place.state.ended(DeviceID(7)))
        #expect(ended.since == 2 && ended.by == "anna" && ended.key == nil && ended.closed == nil)
        try place.state.markClosed(DeviceID(7), confirmed: true, now: 4)
        try place.state.markClosed(DeviceID(7), confirmed: false, now: 5)
        let closed = try #require(try place.state.ended(DeviceID(7)))
        #expect(closed.closed == 4 && closed.isConfirmed)
        #expect(try place.state.openEndings().isEmpty)
    }

    @Test func whoEndsWhileItsCertificateIsMadeGetsNone() throws {
        let place = try Place()
        defer { place.close() }
        let key = try PrivateKey.generate().publicKey
        #expect(try place.state.add(DeviceID(0xD1), key: key, type: "x", isServer: false, now: 1))
        let certificate = try place.authority.client(DeviceID(0xD1), key: key)
        try place.state.end(DeviceID(0xD1), why: "now", by: "anna", now: 2)
        #expect(try !place.state.record(certificate, of: DeviceID(0xD1), now: 3))
        #expect(try !place.state.record("no certificate", of: DeviceID(0xD1), now: 3))
    }

    @Test func oneIdentityHasSoManyCertificatesAndNoMore() throws {
        let place = try Place()
        defer { place.close() }
        try place.add(DeviceID(0xD1), certificates: KeyServiceState.maximumCertificates)
        let key = try PrivateKey.generate().publicKey
        let more = try place.authority.client(DeviceID(0xD1), key: key)
        #expect(try !place.state.record(more, of: DeviceID(0xD1), now: place.now))
        // When they have run out, there is room again.
        #expect(try place.state.record(more, of: DeviceID(0xD1), now: place.now + 366 * 86400))
    }

    // MARK: Over HTTPS

    @Test func theKeyServiceGivesAnEndedIdentityNothing() async throws {
        try await Rig.with { rig in
            let folder = rig.folder + "/device"
            let id = try await Registrar.register(
                at: rig.url, authorityFile: rig.ca, type: "lamp", folder: folder, progress: { _ in })
            let (identity, _) = try Identity.load(from: folder)
            let state = try KeyServiceState(path: rig.statePath)
            try state.end(id, why: "lost", by: "anna", now: 1)
            for route in ["get_key", "get_type", "c2_check"] {
                let answer = try rig.get("\(route)/\(id.hex)")
                #expect(answer.status == 410 && answer.body == "this identity has ended")
            }
            #expect(try await rig.client().key(of: id) == nil)
            #expect(try await rig.client().type(of: id) == nil)
            await #expect(throws: KeyServiceError.self) { try await Registrar.renew(in: folder, progress: { _ in }) }
            await #expect(throws: KeyServiceError.self) {
                try await rig.client().validate(id, key: identity.key)
            }
            // Neither its name nor its key can be registered again.
            let other = try PrivateKey.generate()
            for (name, key) in [(id, try other.publicKey), (DeviceID(0xA1), try identity.key.publicKey)] {
                let answer = try rig.post(
                    "register", #"{"identity":"\#(name.hex)","key":"\#(key.pemBody)","type":"lamp"}"#)
                #expect(answer.status == 410 && !answer.body.contains("identity"))
            }
            _ = try await rig.client().register(DeviceID(0xA1), key: try other.publicKey, type: "lamp")
        }
    }

    @Test func anIdentityIsThrownAwayAndTheKeyServiceIsTold() async throws {
        try await Rig.with { rig in
            let folder = rig.folder + "/device"
            let id = try await Registrar.register(
                at: rig.url, authorityFile: rig.ca, type: "lamp", folder: folder, progress: { _ in })
            let key = try Identity.load(from: folder).0.key.publicKey
            let outcome = try await Reset(folder: folder).run()
            #expect(outcome.identity == id && outcome.isTold)
            let left = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            #expect(left == ["lock", "receipt"])
            let receipt = try #require(ReleaseReceipt(PublicFile.read(folder + "/receipt")))
            #expect(receipt.isOwn && receipt.identity == id && receipt.key == key.digest)
            let state = try KeyServiceState(path: rig.statePath)
            let ended = try #require(try state.ended(id))
            #expect(ended.by == nil && ended.key == key.digest)
            await #expect(throws: ParticipantError.self) { try await Reset(folder: folder).run() }
            // The next one is another.
            let next = try await Registrar.register(
                at: rig.url, authorityFile: rig.ca, type: "lamp", folder: folder, progress: { _ in })
            #expect(next != id)
            // And the authority's receipt says the same of the first.
            let own = try rig.authority.receipt(for: ended)
            let read = try #require(ReleaseReceipt(own.description))
            #expect(read.identity == id && read.key == key.digest && !read.isOwn)
            #expect(try read.signer == PublicKey(certificate: rig.authority.certificate))
        }
    }

    @Test func whatCouldNotBeToldIsToldAtTheNextRegistration() async throws {
        try await Rig.with { rig in
            let folder = rig.folder + "/device"
            let id = try await Registrar.register(
                at: rig.url, authorityFile: rig.ca, type: "lamp", folder: folder, progress: { _ in })
            let outcome = try await Reset(folder: folder, isOffline: true).run()
            #expect(!outcome.isTold)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["farewell", "lock", "receipt"])
            let state = try KeyServiceState(path: rig.statePath)
            #expect(try state.ended(id) == nil)
            var words: [String] = []
            _ = try await Registrar.register(
                at: rig.url, authorityFile: rig.ca, type: "lamp", folder: folder, progress: { words.append($0) })
            #expect(words.contains("told the key service that \(id) has ended"))
            #expect(try state.ended(id) != nil)
            #expect(!PublicFile.isThere(folder + "/farewell"))
            #expect(await Registrar.tellFarewell(in: folder) == nil)
        }
    }

    @Test func onlyTheIdentityItselfCanSendItsLastWord() async throws {
        try await Rig.with { rig in
            let key = try PrivateKey.generate()
            let id = DeviceID(0xD1)
            _ = try await rig.client().register(id, key: try key.publicKey, type: "lamp")
            func release(_ text: String) throws -> Int {
                let body = try JSONEncoder().encode(["receipt": text])
                return try rig.post("release", String(decoding: body, as: UTF8.self)).status
            }
            let other = try PrivateKey.generate()
            let digest = try key.publicKey.digest
            // Somebody else's signature; one's own key under its name; the authority's word; nonsense.
            #expect(
                try release(ReleaseReceipt(of: id, key: digest, ended: 1, signedBy: other).description) == 400)
            #expect(
                try release(
                    ReleaseReceipt(of: id, key: other.publicKey.digest, ended: 1, signedBy: other).description)
                    == 400)
            for text in ["", "x", "SRUP release receipt 1\n", String(repeating: "x", count: 10_000)] {
                #expect(try release(text) == 400)
            }
            let server = try ReleaseReceipt(
                of: rig.server, key: rig.serverKey.publicKey.digest, ended: 1, signedBy: rig.serverKey)
            #expect(try release(server.description) == 400)
            #expect(
                try release(ReleaseReceipt(of: DeviceID(7), key: digest, ended: 1, signedBy: key).description)
                    == 404)
            let state = try KeyServiceState(path: rig.statePath)
            #expect(try state.allEnded().isEmpty && state.entry(id) != nil)
            let own = try ReleaseReceipt(of: id, key: digest, ended: 1, signedBy: key).description
            #expect(try release(own) == 200)
            #expect(try release(own) == 410)
            #expect(try state.entry(id) == nil)
        }
    }
}
