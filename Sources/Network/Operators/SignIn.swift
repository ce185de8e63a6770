import Limits
import SRUP
import Synchronization

/// The door: checks passwords, at a rate that guessing cannot live with, and lets nobody keep others out.
///
/// What is counted: tries from one address, tries from one address at one account, and wrong tries at one account from
/// everywhere. One address alone cannot spend what an account has from everywhere; and where an operator has signed in
/// lately, the last of the three does not count. Sessions that are there are not touched by any of it.
///
/// Safe to use from several threads.
public final class SignIn: Sendable {
    private struct Visit: Hashable {
        let name: String
        let address: AddressGroup
    }

    private struct Budgets {
        /// Twenty at once, then ten a minute.
        var ofAddress = SenderBudget<AddressGroup>(burst: 20, perSecond: 1.0 / 6, maximum: SignIn.maximumRemembered)
        /// Five at once, then one a minute.
        var ofVisit = SenderBudget<Visit>(burst: 5, perSecond: 1.0 / 60, maximum: SignIn.maximumRemembered)
        /// From everywhere: fifty at once, then two a minute, twice of what one address has.
        var ofAccount = SenderBudget<String>(burst: 50, perSecond: 1.0 / 30, maximum: SignIn.maximumRemembered)
        /// Where operators have signed in, and when.
        var welcome: [Visit: Duration] = [:]
    }

    /// Who may come is made up by whoever comes: so many are remembered.
    static let maximumRemembered = 10_000
    /// So many places where operators have signed in are remembered.
    private static let maximumWelcome = 1000

    /// Who the operators are.
    public let store: OperatorStore
    private let time: Timekeeper
    private let budgets = Mutex(Budgets())
    let work: PasswordWork

    /// How tries to sign in have ended since the start.
    public enum Outcome: String, Sendable, CaseIterable {
        /// Somebody has signed in.
        case accepted
        /// Name or password was wrong.
        case wrong
        /// There were too many tries, and this one was not looked at.
        case limited
        /// It was not looked at since too many tried at once, or it failed.
        case failed
    }
    private let outcomes = Mutex<[Outcome: UInt64]>([:])
    /// How often each has occurred.
    public var counted: [Outcome: UInt64] { outcomes.withLock { $0 } }

    /// - Parameter time: the clock that budgets go by.
    public convenience init(_ store: OperatorStore, time: Timekeeper = .monotonic) {
        self.init(store, time: time, work: PasswordWork())
    }

    init(_ store: OperatorStore, time: Timekeeper, work: PasswordWork) {
        self.store = store
        self.time = time
        self.work = work
    }

    /// Signs somebody in. Takes as long for names that are not there.
    ///
    /// - Parameters:
    ///   - name: as it was typed.
    ///   - password: as it was typed.
    ///   - address: from where.
    ///   - place: from where and with what, for the operator to recognise the session by.
    ///   - now: seconds since 1970.
    /// - Returns: what the browser has to hold, and who it is.
    /// - Throws: ``OperatorError``.
    public func signIn(
        _ name: String, password: String, from address: AddressGroup, place: String, now: Double
    ) async throws(OperatorError) -> (text: String, name: OperatorName) {
        let outcome: Outcome
        do throws(OperatorError) {
            let known = OperatorName(name)
            let credential = try await check(known, password, from: address)
            guard let known else { throw .wrong }
            let text = try store.beginSession(credential, place: place, now: now)
            outcomes.withLock { $0[.accepted, default: 0] += 1 }
            return (text, known)
        } catch {
            switch error {
            case .wrong: outcome = .wrong
            case .tooMany: outcome = .limited
            default: outcome = .failed
            }
            outcomes.withLock { $0[outcome, default: 0] += 1 }
            throw error
        }
    }

    /// Sets a new password for somebody who is signed in and says the present one again.
    ///
    /// - Throws: ``OperatorError``.
    public func changePassword(
        of session: Session, from old: String, to new: Password, address: AddressGroup, now: Double
    ) async throws(OperatorError) {
        _ = try await check(session.name, old, from: address)
        let (store, cost) = (store, store.cost)
        let hash = try await work.run { () throws(OperatorError) in try PasswordHash(of: new.bytes, cost: cost) }
        try store.setHash(hash, of: session.name, keeping: session.number, now: now)
    }

    /// Adds an operator, with the password computed where passwords are.
    ///
    /// - Throws: ``OperatorError``.
    public func add(_ name: OperatorName, role: Role, password: Password, now: Double) async throws(OperatorError) {
        let cost = store.cost
        let hash = try await work.run { () throws(OperatorError) in try PasswordHash(of: password.bytes, cost: cost) }
        try store.add(name, role: role, hash: hash, now: now)
    }

    /// Sets somebody's password and ends their sessions.
    ///
    /// - Throws: ``OperatorError``.
    public func setPassword(_ password: Password, of name: OperatorName, now: Double) async throws(OperatorError) {
        let cost = store.cost
        let hash = try await work.run { () throws(OperatorError) in try PasswordHash(of: password.bytes, cost: cost) }
        try store.setHash(hash, of: name, now: now)
    }

    // MARK: Checking

    private func check(
        _ name: OperatorName?, _ password: String, from address: AddressGroup
    ) async throws(OperatorError) -> OperatorStore.Credential {
        // All that are no names are one account.
        let visit = Visit(name: name?.text ?? "", address: address)
        try take(visit)
        let credential: OperatorStore.Credential?
        if let name { credential = try store.credential(name) } else { credential = nil }
        let (checked, renewed): (Bool, PasswordHash?)
        do throws(OperatorError) {
            (checked, renewed) = try await matches(credential, password)
        } catch {
            // No try at the account: nothing was found out.
            budgets.withLock { if $0.welcome[visit] == nil { $0.ofAccount.giveBack(visit.name) } }
            throw error
        }
        guard checked, var credential else { throw .wrong }
        if let renewed {
            try store.exchange(credential, for: renewed)
            credential = .init(id: credential.id, hash: renewed, isDisabled: credential.isDisabled)
        }
        welcome(visit)
        return credential
    }

    private func matches(
        _ credential: OperatorStore.Credential?, _ password: String
    ) async throws(OperatorError) -> (Bool, PasswordHash?) {
        let cost = store.cost
        // One that is too long is nobody's, and costs as much.
        let bytes = Password.bytes(password)
        return try await work.run { () throws(OperatorError) in
            guard let hash = credential?.hash ?? PasswordHash.nobodys(cost: cost) else { return (false, nil) }
            let given = bytes ?? SecretBytes(copying: UnsafeRawBufferPointer(start: nil, count: 0))
            let isRight = try hash.matches(given)
            // Of an older version, and cheaper: the rest of the cost is paid, be the password right or wrong.
            let renewed = hash.cost == cost ? nil : try PasswordHash(of: given, cost: cost)
            guard isRight, bytes != nil, let credential, !credential.isDisabled else { return (false, nil) }
            return (true, renewed)
        }
    }

    private func take(_ visit: Visit) throws(OperatorError) {
        let now = time.now()
        let wait = budgets.withLock { budgets -> Duration? in
            guard budgets.ofAddress.take(visit.address, at: now) else {
                return budgets.ofAddress.wait(visit.address, at: now)
            }
            guard budgets.ofVisit.take(visit, at: now) else { return budgets.ofVisit.wait(visit, at: now) }
            guard budgets.welcome[visit] == nil else { return nil }
            guard budgets.ofAccount.take(visit.name, at: now) else {
                return budgets.ofAccount.wait(visit.name, at: now)
            }
            return nil
        }
        if let wait { throw .tooMany(seconds: max(1, Int((wait / .seconds(1)).rounded(.up)))) }
    }

    /// Somebody has come in: what it cost is given back, and the place is known.
    private func welcome(_ visit: Visit) {
        let now = time.now()
        budgets.withLock { budgets in
            budgets.ofAddress.giveBack(visit.address)
            budgets.ofVisit.giveBack(visit)
            if budgets.welcome[visit] == nil { budgets.ofAccount.giveBack(visit.name) }
            if budgets.welcome.count >= Self.maximumWelcome,
                let oldest = budgets.welcome.min(by: { $0.value < $1.value })?.key
            {
                budgets.welcome[oldest] = nil
            }
            budgets.welcome[visit] = now
        }
    }
}
