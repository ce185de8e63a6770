import ServiceLifecycle
import Synchronization

/// A service that ends in its turn. A service group takes it for an error when a service ends while another is being stopped,
/// and some of ours do: who reads a link's events is done when the link ends them.
///
/// The first to end by itself ends the group; who ends later waits until the group asks for it.
struct OrderlyService: Service, CustomStringConvertible {
    /// Whether the group is ending; one for all of its services.
    final class Ending: Sendable {
        private let hasBegun = Mutex(false)

        func begin() { hasBegun.withLock { $0 = true } }

        /// Whether whoever asks is the one who begins it.
        func isFirst() -> Bool {
            hasBegun.withLock { hasBegun in
                defer { hasBegun = true }
                return !hasBegun
            }
        }
    }

    let service: any Service
    let ending: Ending

    var description: String { "\(type(of: service))" }

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await service.run()
        } onGracefulShutdown: {
            ending.begin()
        }
        if ending.isFirst() { return }
        // Returns at once when it was asked; ends with an error when the group is cancelled, which is an end, too.
        try? await gracefulShutdown()
    }
}
