import Logging
import ServiceLifecycle
import Storage

/// Keeps a participant's broker certificate from running out: looks at its start and then daily, and fetches a new one in its
/// last two months. The link connects anew with it.
public struct Renewal: Service {
    private let folder: String
    private let link: BrokerLink
    private let logger: Logger
    private let clock: @Sendable () -> Double

    /// - Parameters:
    ///   - folder: the identity's.
    ///   - clock: seconds since 1970.
    public init(
        folder: String, link: BrokerLink, logger: Logger,
        clock: @escaping @Sendable () -> Double = { Participant.systemTime() }
    ) {
        self.folder = folder
        self.link = link
        self.logger = logger
        self.clock = clock
    }

    /// Looks after the certificate until the service group shuts down; what goes wrong is logged, never thrown.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var round = DailyRound()
            var said = Said()
            while !Task.isCancelled {
                let now = clock()
                if round.isDue(now) { round.done(now, worked: await renew(now, &said)) }
                // Also one that "register --renew" has fetched.
                link.reconnectIfRenewed()
                try? await Task.sleep(for: DailyRound.interval)
            }
        }
    }

    /// What was logged last, and when: the same is said once a day.
    private struct Said {
        var words = ""
        var time = 0.0
    }

    private func renew(_ now: Double, _ said: inout Said) async -> Bool {
        var problem: String?
        do {
            if try await Registrar.renewIfDue(in: folder, now: now) {
                logger.notice("the broker certificate was renewed")
                if try Registrar.isRenewalDue(in: folder, now: now) {
                    logger.warning(
                        "the new certificate is not valid for long by this machine's clock: is the clock right?")
                }
            }
        } catch {
            problem = String(describing: error)
        }
        guard let problem else {
            said = Said()
            return true
        }
        if problem != said.words || abs(now - said.time) > 86000 {
            said = Said(words: problem, time: now)
            log(problem, now)
        }
        return false
    }

    private func log(_ problem: String, _ now: Double) {
        let text = try? PublicFile.read(folder + "/certificate.pem")
        switch text.flatMap({ Certificate.validity($0, now: now) }) {
        case .valid(let days) where days >= Registrar.warningDays:
            logger.warning("the broker certificate cannot be renewed: \(problem)")
        case .valid(let days):
            logger.error("the broker certificate ends in \(days) days and cannot be renewed: \(problem)")
        default: logger.error("the broker certificate has ended, or cannot be used, and cannot be renewed: \(problem)")
        }
    }
}
