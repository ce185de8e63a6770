import Logging
import Party
import ServiceLifecycle

/// Keeps the broker certificate from running out: looks twice a day, and fetches a new one in its last month. The link
/// reads it when it connects the next time; until then the old one is good.
struct Renewal: Service {
    let folder: String
    let logger: Logger

    private static let interval = Duration.seconds(12 * 3600)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var lastProblem = ""
            while !Task.isCancelled {
                do {
                    if try await Registrar.renewIfDue(in: folder) {
                        logger.notice("the broker certificate was renewed")
                    }
                    lastProblem = ""
                } catch {
                    let problem = String(describing: error)
                    if problem != lastProblem { logger.warning("the broker certificate cannot be renewed: \(problem)") }
                    lastProblem = problem
                }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }
}
