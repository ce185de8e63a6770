import Synchronization

/// Devices that register while others are let in, one after the other: the key service works, too.
final class Newcomers: Sendable {
    private struct State {
        var made: [Credential] = []
        var failures = 0
    }
    private let state = Mutex(State())
    private let registrations: Registrations

    /// How long after one the next registers, and how many at most.
    private static let (pause, maximum) = (Duration.seconds(2), 500)
    static let most = maximum

    init(_ registrations: Registrations) { self.registrations = registrations }

    /// Registers until it is cancelled.
    func register() -> Task<Void, Never> {
        Task.detached {
            for number in 0..<Self.maximum {
                do {
                    // From addresses that nobody else here has.
                    let made = try await self.registrations.make(
                        1, type: "load", firstAddress: 250 * 200 + number / 100)
                    self.state.withLock { $0.made += made.credentials }
                } catch {
                    // It takes another identity the next time.
                    self.state.withLock { $0.failures += 1 }
                }
                do { try await Task.sleep(for: Self.pause) } catch { return }
            }
        }
    }

    /// Those that have registered since the last time.
    func take() -> [Credential] {
        state.withLock { state in
            defer { state.made = [] }
            return state.made
        }
    }

    /// How many registrations have failed.
    var failures: Int { state.withLock { $0.failures } }
}
