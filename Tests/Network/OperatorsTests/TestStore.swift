import Foundation
import Limits
import Storage
import Synchronization

@testable import Operators

/// A store in a folder of its own, with passwords that cost little.
final class TestStore {
    static let cheap = PasswordCost(n: 1 << 4, r: 8, p: 1)
    static let now = 1_800_000_000.0
    let path: String
    private(set) var store: OperatorStore
    private let lifetimes: OperatorStore.Lifetimes
    private let clock = TestClock()

    init(lifetimes: OperatorStore.Lifetimes = .init(), cost: PasswordCost = TestStore.cheap) throws {
        let folder = NSTemporaryDirectory() + "srup-operators-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        path = folder + "/operators.db"
        self.lifetimes = lifetimes
        store = try OperatorStore(path: path, lifetimes: lifetimes, cost: cost)
    }

    deinit { try? FileManager.default.removeItem(atPath: (path as NSString).deletingLastPathComponent) }

    /// Opens the file anew, as a restart does.
    func restart(cost: PasswordCost = TestStore.cheap) throws {
        store = try OperatorStore(path: path, lifetimes: lifetimes, cost: cost)
    }

    func name(_ text: String) throws -> OperatorName {
        guard let name = OperatorName(text) else { throw OperatorError.invalid(text) }
        return name
    }

    static let password = "correct horse battery"

    @discardableResult
    func add(_ text: String, _ role: Role = .moderate, password: String = TestStore.password) throws -> OperatorName {
        let name = try name(text)
        try store.add(name, role: role, password: try Password(password), now: Self.now)
        return name
    }

    func door() -> SignIn { SignIn(store, time: clock.time, work: PasswordWork()) }
    func wait(_ duration: Duration) { clock.wait(duration) }

    /// Begins a session as the door does.
    func session(_ name: OperatorName, now: Double = TestStore.now) throws -> String {
        guard let credential = try store.credential(name) else { throw OperatorError.unknown(name) }
        return try store.beginSession(credential, place: "test", now: now)
    }

    func raw() throws -> Database { try Database(path: path, migrations: [""], use: .look) }
}

/// A clock that only its owner moves.
final class TestClock: Sendable {
    private let now = Mutex(Duration.zero)
    var time: Timekeeper { .manual { self.now.withLock { $0 } } }
    func wait(_ duration: Duration) { now.withLock { $0 += duration } }
}
