import Foundation
import Storage
import Testing

@testable import Operators

@Suite struct OperatorStoreTests {
    let now = TestStore.now

    @Test func rolesAreInOrder() {
        #expect(Role.look < .moderate && .moderate < .administer && Role.allCases == Role.allCases.sorted())
    }

    @Test(arguments: [
        "", "anna ", "-anna", ".a", "än", "a/b", "a\u{0}b", "a\nb", String(repeating: "a", count: 33), "<b>",
    ])
    func badNamesAreRefused(_ text: String) {
        #expect(OperatorName(text) == nil)
    }

    @Test func capitalsAreTakenForSmallLetters() {
        #expect(OperatorName("Anna.B-2@example")?.text == "anna.b-2@example")
    }

    @Test(
        arguments: [
            "", "short", "elevenchars", "aaaaaaaaaaaaaa", "abababababab", "with\ncontrol character",
            String(repeating: "long", count: 65),
        ])
    func badPasswordsAreRefused(_ text: String) {
        #expect(throws: OperatorError.self) { try Password(text) }
    }

    @Test func goodPasswordsAreTaken() throws {
        for text in ["twelve chars", "été été été!", String(repeating: "long", count: 64), "🔑🚪🪟🧱🔑🚪🪟🧱🔑🚪🪟🧱"] {
            _ = try Password(text)
        }
        let made = try #require(Password.random())
        #expect(made.text.count == 24 && Password.random()?.text != made.text)
    }

    @Test func operatorsAreKeptOverARestart() throws {
        let test = try TestStore()
        try test.add("bob")
        try test.add("anna", .administer)
        try test.restart()
        let all = try test.store.operators()
        #expect(all.map(\.name.text) == ["anna", "bob"] && all.map(\.role) == [.administer, .moderate])
        #expect(try test.store.find(try test.name("carol")) == nil)
        #expect(throws: OperatorError.taken(try test.name("bob"))) { try test.add("bob") }
        var status = stat()
        #expect(stat(test.path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    @Test func nothingSecretStandsInTheFile() throws {
        let test = try TestStore()
        let anna = try test.add("anna")
        let session = try test.session(anna)
        let (token, _) = try test.store.makeToken("ci", role: .look, for: anna, now: now)
        var bytes = Data()
        for suffix in ["", "-wal"] { bytes += try Data(contentsOf: URL(fileURLWithPath: test.path + suffix)) }
        for secret in [TestStore.password, session, token, String(token.dropFirst(5))] {
            #expect(bytes.range(of: Data(secret.utf8)) == nil)
        }
        #expect(bytes.range(of: Data("anna".utf8)) != nil)
    }

    @Test func aSessionLivesOverARestartAndEndsInTime() throws {
        let test = try TestStore()
        let anna = try test.add("anna")
        let text = try test.session(anna)
        try test.restart()
        let session = try #require(try test.store.session(text, now: now + 3500))
        #expect(session.name == anna && session.role == .moderate && session.place == "test")
        // Used then, so that it idles from then.
        #expect(try test.store.session(text, now: now + 7000) != nil)
        #expect(try test.store.session(text, now: now + 7000 + 3600) == nil)
        let other = try test.session(anna)
        for minute in stride(from: 0.0, to: 12 * 3600, by: 1800) {
            #expect(try test.store.session(other, now: now + minute) != nil)
        }
        #expect(try test.store.session(other, now: now + 12 * 3600) == nil)
    }

    @Test func noSessionIsTakenForAnother() throws {
        let test = try TestStore()
        let text = try test.session(try test.add("anna"))
        for wrong in [
            "", String(text.dropLast()), text + "A", text.lowercased() + " ", "../../etc/passwd", "' OR 1=1 --",
        ] {
            #expect(try test.store.session(wrong, now: now) == nil)
        }
        #expect(try test.store.session(Secret.text(Secret.random()), now: now) == nil)
    }

    @Test func aClockThatIsSetBackMakesNothingLast() throws {
        let test = try TestStore()
        let anna = try test.add("anna")
        let text = try test.session(anna)
        // A second of correction is no reason.
        #expect(try test.store.session(text, now: now - 1) != nil)
        #expect(try test.store.session(text, now: now - 86400) == nil)
        #expect(try test.store.session(text, now: 0) == nil)
        // And far ahead: over.
        #expect(try test.store.session(text, now: now + 1e9) == nil)
    }

    @Test func theTwentyFirstSessionTakesTheOldestPlace() throws {
        let test = try TestStore()
        let (anna, bob) = (try test.add("anna"), try test.add("bob"))
        let others = try test.session(bob)
        let texts = try (0..<21).map { try test.session(anna, now: now + Double($0)) }
        #expect(try test.store.session(texts[0], now: now + 30) == nil)
        #expect(try texts[1...].allSatisfy { try test.store.session($0, now: now + 30) != nil })
        #expect(try test.store.session(others, now: now + 30) != nil)
        #expect(try test.store.find(anna)?.sessions == 20)
    }

    @Test func sessionsAreEndedSinglyAndAllAtOnce() throws {
        let test = try TestStore()
        let (anna, bob) = (try test.add("anna"), try test.add("bob"))
        let texts = try (0..<3).map { _ in try test.session(anna) }
        let number = try #require(try test.store.session(texts[0], now: now)).number
        #expect(throws: OperatorError.unknownNumber(number)) { try test.store.endSession(number, of: bob) }
        try test.store.endSession(number, of: anna)
        #expect(try test.store.session(texts[0], now: now) == nil)
        let kept = try #require(try test.store.session(texts[1], now: now)).number
        #expect(try test.store.endSessions(of: anna, but: kept) == 1)
        #expect(try test.store.session(texts[1], now: now) != nil)
        #expect(try test.store.endSessions(of: anna) == 1)
        #expect(try test.store.sessions(of: anna, now: now).isEmpty)
    }

    @Test func passwordAndRoleEndSessions() throws {
        let test = try TestStore()
        let anna = try test.add("anna", .administer)
        try test.add("bob", .administer)
        var (mine, other) = (try test.session(anna), try test.session(anna))
        let number = try #require(try test.store.session(mine, now: now)).number
        try test.store.setPassword(try Password("another horse battery"), of: anna, keeping: number, now: now)
        #expect(try test.store.session(mine, now: now) != nil)
        #expect(try test.store.session(other, now: now) == nil)
        try test.store.setRole(.look, of: anna)
        #expect(try test.store.session(mine, now: now) == nil)
        (mine, other) = (try test.session(anna), try test.session(try test.name("bob")))
        try test.store.setDisabled(true, anna)
        #expect(try test.store.session(mine, now: now) == nil)
        #expect(try test.store.session(other, now: now) != nil)
        #expect(throws: OperatorError.wrong) { try test.session(anna) }
    }

    @Test func aPasswordThatWasChangedMeanwhileBeginsNoSession() throws {
        let test = try TestStore()
        let anna = try test.add("anna")
        let old = try #require(try test.store.credential(anna))
        try test.store.setPassword(try Password("another horse battery"), of: anna, now: now)
        #expect(throws: OperatorError.wrong) { try test.store.beginSession(old, place: "", now: now) }
        try test.store.remove(anna)
        #expect(throws: OperatorError.wrong) { try test.store.beginSession(old, place: "", now: now) }
    }

    @Test func somebodyStaysWhoMayAdminister() throws {
        let test = try TestStore()
        let anna = try test.add("anna", .administer)
        let bob = try test.add("bob", .administer)
        try test.store.setDisabled(true, bob)
        #expect(throws: OperatorError.lastAdministrator) { try test.store.setRole(.look, of: anna) }
        #expect(throws: OperatorError.lastAdministrator) { try test.store.setDisabled(true, anna) }
        #expect(throws: OperatorError.lastAdministrator) { try test.store.remove(anna) }
        // On the command line it may be done.
        try test.store.remove(anna, keepsOne: false)
        #expect(throws: OperatorError.unknown(anna)) { try test.store.remove(anna) }
    }

    @Test func tokensCountOnlyAsMuchAsTheirOperator() throws {
        let test = try TestStore()
        let anna = try test.add("anna", .moderate)
        #expect(throws: OperatorError.self) { try test.store.makeToken("x", role: .administer, for: anna, now: now) }
        let (text, number) = try test.store.makeToken("let in", role: .moderate, for: anna, now: now)
        #expect(text.hasPrefix("srup_") && text.count == 48)
        #expect(try test.store.token(text, now: now)?.role == .moderate)
        try test.restart()
        #expect(try test.store.tokens().first?.used == (now / 86400).rounded(.down) * 86400)
        try test.store.setRole(.look, of: anna)
        let token = try #require(try test.store.token(text, now: now))
        #expect(token.role == .look && token.given == .moderate)
        try test.store.setDisabled(true, anna)
        #expect(try test.store.token(text, now: now) == nil)
        try test.store.setDisabled(false, anna)
        #expect(try test.store.token(text, now: now) != nil)
        #expect(throws: OperatorError.unknownNumber(number)) {
            try test.store.removeToken(number, of: try test.name("bob"))
        }
        try test.store.removeToken(number, of: anna)
        #expect(try test.store.token(text, now: now) == nil)
        let (other, _) = try test.store.makeToken("y", role: .look, for: anna, now: now)
        try test.store.remove(anna)
        #expect(try test.store.token(other, now: now) == nil)
        // A name that is given again is somebody else.
        try test.add("anna")
        #expect(try test.store.token(other, now: now) == nil)
    }

    @Test func tokensEndInTimeAndAreBounded() throws {
        let test = try TestStore()
        let anna = try test.add("anna")
        let (text, _) = try test.store.makeToken("short", role: .look, for: anna, expires: now + 10, now: now)
        #expect(try test.store.token(text, now: now + 9) != nil)
        #expect(try test.store.token(text, now: now + 10) == nil)
        #expect(throws: OperatorError.self) {
            try test.store.makeToken("over", role: .look, for: anna, expires: now, now: now)
        }
        for bad in ["", "   ", String(repeating: "x", count: 65)] {
            #expect(throws: OperatorError.self) { try test.store.makeToken(bad, role: .look, for: anna, now: now) }
        }
        for wrong in ["", "srup_", text + "A", String(text.dropFirst()), "srup_" + Secret.text(Secret.random())] {
            #expect(try test.store.token(wrong, now: now) == nil)
        }
        for number in 1..<100 { _ = try test.store.makeToken("t\(number)", role: .look, for: anna, now: now) }
        #expect(throws: OperatorError.self) { try test.store.makeToken("more", role: .look, for: anna, now: now) }
        // The one that has ended makes room.
        _ = try test.store.makeToken("more", role: .look, for: anna, now: now + 10)
    }

    @Test func aTokensNameIsHarmless() throws {
        let test = try TestStore()
        let anna = try test.add("anna")
        _ = try test.store.makeToken("a\u{202E}b\u{1B}[2J", role: .look, for: anna, now: now)
        #expect(try test.store.tokens().first?.label == "a\\u{202E}b [2J")
    }

    @Test func thereIsRoomForAThousand() throws {
        let test = try TestStore()
        let hash = try PasswordHash(of: try Password(TestStore.password).bytes, cost: TestStore.cheap)
        let database = test.store.database
        try database.transaction { connection throws(StorageError) in
            for number in 0..<1000 {
                try connection.query(
                    """
                    INSERT INTO operators (name, role, n, r, p, salt, hash, created, password_set)
                    VALUES (?, 'look', 16, 8, 1, ?, ?, 0, 0)
                    """, .text("o\(number)"), .blob(hash.salt), .blob(hash.hash))
            }
        }
        #expect(throws: OperatorError.self) { try test.add("one.more") }
        try test.store.remove(try test.name("o7"))
        try test.add("one.more")
    }

    @Test func formTokensAreTheSessionsAndTheFormsOwn() throws {
        let test = try TestStore()
        let anna = try test.add("anna")
        let texts = [try test.session(anna), try test.session(anna)]
        let keys = try texts.map { try #require(try test.store.session($0, now: now)).forms }
        let token = keys[0].token(for: "approve")
        #expect(keys[0].isToken(token, for: "approve"))
        #expect(!keys[0].isToken(token, for: "refuse") && !keys[1].isToken(token, for: "approve"))
        for wrong in ["", String(token.dropLast()), token + "x", "é" + token.dropFirst()] {
            #expect(!keys[0].isToken(wrong, for: "approve"))
        }
        try test.restart()
        #expect(try test.store.session(texts[0], now: now)?.forms == keys[0])
        #expect("\(keys[0])" == "<form key>")
    }

    /// HMAC-SHA-256 of RFC 4231, test case 2, and base64url of RFC 4648, 10.
    @Test func secretsAreAsTheStandardsSay() {
        let mac = Secret.authenticate("what do ya want for nothing?", by: Array("Jefe".utf8))
        #expect(mac.prefix(4) == [0x5B, 0xDC, 0xC1, 0x46] && mac.suffix(2) == [0x38, 0x43])
        #expect(
            ["", "f", "fo", "foo", "foob"].map { Secret.text(Array($0.utf8)) } == ["", "Zg", "Zm8", "Zm9v", "Zm9vYg"])
        #expect(Secret.text([0xFB, 0xFF]) == "-_8")
        #expect(Secret.hash("abc").prefix(3) == [0xBA, 0x78, 0x16])
    }

    @Test func aDamagedFileIsRefused() throws {
        let test = try TestStore()
        try Data("this is no database, whatever its name says".utf8).write(to: URL(fileURLWithPath: test.path + "2"))
        #expect(throws: StorageError.self) { try OperatorStore(path: test.path + "2") }
    }

    @Test func damagedRowsLetNobodyIn() async throws {
        let test = try TestStore()
        let anna = try test.add("anna")
        let text = try test.session(anna)
        let (token, _) = try test.store.makeToken("t", role: .look, for: anna, now: now)
        for damage in [
            "role = 'emperor'", "n = 4611686018427387904", "n = 3", "r = 0", "r = 1000000", "p = 100", "hash = x'00'",
            "salt = x''", "salt = 'text'", "n = 'many'",
        ] {
            let database = test.store.database
            try database.query("SAVEPOINT before")
            try database.query("UPDATE operators SET \(damage)")
            await #expect(throws: OperatorError.wrong, "\(damage)") {
                try await test.door().signIn(
                    "anna", password: TestStore.password, from: .unknown, place: "", now: now)
            }
            if damage.hasPrefix("role") {
                #expect(try test.store.session(text, now: now) == nil)
                #expect(try test.store.token(token, now: now) == nil)
                #expect(try test.store.operators().isEmpty)
            }
            try database.query("ROLLBACK TO before")
            try database.query("RELEASE before")
        }
        #expect(try test.store.session(text, now: now) != nil)
    }
}
