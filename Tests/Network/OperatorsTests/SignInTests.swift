import Glibc
import Limits
import SRUP
import Synchronization
import Testing

@testable import Operators

@Suite struct SignInTests {
    let now = TestStore.now
    let home = AddressGroup("192.0.2.1")
    let away = AddressGroup("198.51.100.1")

    func tries(
        _ door: SignIn, _ name: String = "anna", _ password: String = "not the right one", from address: AddressGroup
    ) async -> OperatorError? {
        do throws(OperatorError) {
            _ = try await door.signIn(name, password: password, from: address, place: "", now: now)
            return nil
        } catch {
            return error
        }
    }

    @Test func theRightPasswordComesIn() async throws {
        let test = try TestStore()
        let anna = try test.add("anna", .administer)
        let (text, name) = try await test.door().signIn(
            "Anna", password: TestStore.password, from: home, place: "192.0.2.1, Firefox\u{7}", now: now)
        #expect(name == anna)
        let session = try #require(try test.store.session(text, now: now))
        #expect(session.role == .administer && session.place == "192.0.2.1, Firefox ")
    }

    @Test func allThatIsWrongIsWrongInTheSameWay() async throws {
        let test = try TestStore()
        try test.add("anna")
        try test.store.setDisabled(true, try test.add("gone"))
        let door = test.door()
        let long = String(repeating: "x", count: 100_000)
        for (name, password) in [
            ("anna", ""), ("anna", TestStore.password + " "), ("nobody", TestStore.password), ("", ""), ("../x", "x"),
            ("gone", TestStore.password), ("anna", long), (long, long), ("anna", "a\u{0}b"),
        ] {
            #expect(await tries(door, name, password, from: home) == .wrong)
            test.wait(.seconds(600))
        }
    }

    @Test func aPasswordIsTheSameHoweverItsLettersAreMade() async throws {
        let test = try TestStore()
        try test.add("anna", password: "caf\u{E9} caf\u{E9} caf\u{E9}")
        #expect(await tries(test.door(), "anna", "cafe\u{301} cafe\u{301} cafe\u{301}", from: home) == nil)
    }

    /// RFC 7914, section 12.
    @Test func scryptIsTheStandards() throws {
        let password = Array("pleaseletmein".utf8).withUnsafeBytes { SecretBytes(copying: $0) }
        let expected: [UInt8] = [
            0x70, 0x23, 0xBD, 0xCB, 0x3A, 0xFD, 0x73, 0x48, 0x46, 0x1C, 0x06, 0xCD, 0x81, 0xFD, 0x38, 0xEB, 0xFD, 0xA8,
            0xFB, 0xBA, 0x90, 0x4F, 0x8E, 0x3E, 0xA9, 0xB5, 0x43, 0xF6, 0x54, 0x5D, 0xA1, 0xF2,
        ]
        let hash = try #require(
            PasswordHash(
                cost: PasswordCost(n: 16384, r: 8, p: 1), salt: Array("SodiumChloride".utf8), hash: expected))
        #expect(try hash.matches(password))
        #expect(PasswordCost.usual == PasswordCost(n: 131072, r: 8, p: 1) && PasswordCost.usual.isBearable)
    }

    @Test func theUsualCostCanBePaid() throws {
        let password = try Password(TestStore.password)
        let hash = try PasswordHash(of: password.bytes)
        #expect(try hash.matches(password.bytes))
        #expect(try !hash.matches(try Password("another horse battery").bytes))
    }

    @Test func aRowOfAnOlderCostIsTakenAndRenewed() async throws {
        let test = try TestStore()
        let anna = try test.add("anna")
        let before = try #require(try test.store.credential(anna)).hash
        let dearer = PasswordCost(n: 1 << 6, r: 8, p: 2)
        try test.restart(cost: dearer)
        #expect(await tries(test.door(), from: home) == .wrong)
        #expect(try test.store.credential(anna)?.hash == before)
        #expect(await tries(test.door(), "anna", TestStore.password, from: home) == nil)
        let after = try #require(try test.store.credential(anna)).hash
        #expect(after.cost == dearer && after.salt != before.salt)
        #expect(try test.store.sessions(of: anna, now: now).count == 1)
        #expect(await tries(test.door(), "anna", TestStore.password, from: home) == nil)
        #expect(try test.store.credential(anna)?.hash == after)
    }

    @Test func oneAddressKeepsOnlyItselfOut() async throws {
        let test = try TestStore()
        let anna = try test.add("anna")
        let signedIn = try test.session(anna)
        let door = test.door()
        var refusals: [OperatorError] = []
        for _ in 0..<10 { if let error = await tries(door, from: away) { refusals.append(error) } }
        #expect(refusals.prefix(5).allSatisfy { $0 == .wrong })
        #expect(refusals.dropFirst(5).allSatisfy { $0 == .tooMany(seconds: 60) })
        // The right password does not come in there, either: it might have been guessed.
        #expect(await tries(door, "anna", TestStore.password, from: away) == .tooMany(seconds: 60))
        // The owner is neither thrown out nor kept out.
        #expect(try test.store.session(signedIn, now: now) != nil)
        #expect(await tries(door, "anna", TestStore.password, from: home) == nil)
        test.wait(.seconds(61))
        #expect(await tries(door, "anna", TestStore.password, from: away) == nil)
    }

    @Test func oneAddressIsBoundedWhateverNamesItTries() async throws {
        let test = try TestStore()
        let door = test.door()
        var wrong = 0
        for number in 0..<60 where await tries(door, "name\(number)", from: away) == .wrong { wrong += 1 }
        #expect(wrong == 20)
        test.wait(.seconds(60))
        for number in 0..<60 where await tries(door, "other\(number)", from: away) == .wrong { wrong += 1 }
        #expect(wrong == 30)
    }

    @Test func manyAddressesAreBoundedAtOneAccountAndItsOwnerComesIn() async throws {
        let test = try TestStore()
        try test.add("anna")
        let door = test.door()
        #expect(await tries(door, "anna", TestStore.password, from: home) == nil)
        var wrong = 0
        for number in 0..<200 {
            if await tries(door, from: AddressGroup("10.0.0.\(number)")) == .wrong { wrong += 1 }
        }
        #expect(wrong == 50)
        // Another who has never been here would have to wait; where the owner has been before, nobody waits.
        #expect(await tries(door, "anna", TestStore.password, from: away) == .tooMany(seconds: 30))
        #expect(await tries(door, "anna", TestStore.password, from: home) == nil)
    }

    @Test func comingInCostsNothing() async throws {
        let test = try TestStore()
        try test.add("anna")
        let door = test.door()
        for _ in 0..<100 { #expect(await tries(door, "anna", TestStore.password, from: home) == nil) }
    }

    @Test func changingThePasswordNeedsThePresentOne() async throws {
        let test = try TestStore()
        let anna = try test.add("anna")
        let door = test.door()
        let texts = [try test.session(anna), try test.session(anna)]
        let session = try #require(try test.store.session(texts[0], now: now))
        let new = try Password("another horse battery")
        await #expect(throws: OperatorError.wrong) {
            try await door.changePassword(of: session, from: "not the right one", to: new, address: home, now: now)
        }
        try await door.changePassword(of: session, from: TestStore.password, to: new, address: home, now: now)
        #expect(try test.store.session(texts[0], now: now) != nil)
        #expect(try test.store.session(texts[1], now: now) == nil)
        #expect(await tries(door, "anna", TestStore.password, from: home) == .wrong)
        #expect(await tries(door, "anna", "another horse battery", from: home) == nil)
    }

    /// How many passwords are computed at once, and when they may end.
    final class Watch: Sendable {
        private struct State {
            var now = 0
            var most = 0
            var isOpen = false
        }
        private let state = Mutex(State())
        var most: Int { state.withLock { $0.most } }
        var now: Int { state.withLock { $0.now } }
        func open() { state.withLock { $0.isOpen = true } }
        /// Blocks until ``open()``.
        func pass() {
            state.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            while !state.withLock({ $0.isOpen }) { usleep(1000) }
            state.withLock { $0.now -= 1 }
        }
    }

    @Test func twoAtOnceAndAQueue() async throws {
        let work = PasswordWork(atOnce: 2, longestQueue: 3)
        let watch = Watch()
        let tasks = (0..<5).map { number in
            Task { () -> Int? in
                try? await work.run { () throws(OperatorError) in
                    watch.pass()
                    return number
                }
            }
        }
        while work.load != (2, 3) || watch.now < 2 { await Task.yield() }
        // Full: the next is told so at once.
        await #expect(throws: OperatorError.busy) { try await work.run { () throws(OperatorError) in } }
        watch.open()
        var done: Set<Int> = []
        for task in tasks { if let number = await task.value { done.insert(number) } }
        #expect(done == Set(0..<5) && watch.most == 2)
        while work.load != (0, 0) { await Task.yield() }
    }

    @Test func manySignInAtOnce() async throws {
        let test = try TestStore()
        try test.add("anna")
        let door = test.door()
        let count = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    (try? await door.signIn(
                        "anna", password: TestStore.password, from: AddressGroup("192.0.2.1"), place: "", now: 0))
                        != nil
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(count == 4)
    }
}
