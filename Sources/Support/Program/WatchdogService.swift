import Linux
import ServiceLifecycle

/// Tells the service manager that the program has started, and from then on that it works: as often as the unit's
/// WatchdogSec wants, and only while `work` comes to an end.
public struct WatchdogService: Service {
    private let work: @Sendable () async -> Void

    /// - Parameter work: something that hangs when the program does.
    public init(_ work: @escaping @Sendable () async -> Void) {
        self.work = work
    }

    /// Says that the program is ready, and after each `work` that it is alive, until the service group asks it to stop.
    public func run() async throws {
        ServiceManager.ready()
        let interval = ServiceManager.heartbeat ?? .seconds(3600)
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await work()
                ServiceManager.alive()
                try? await Task.sleep(for: interval)
            }
        }
        ServiceManager.stopping()
    }
}
