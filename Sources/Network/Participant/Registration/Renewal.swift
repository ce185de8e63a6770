import Logging
import ServiceLifecycle
import Storage
import Synchronization

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
        let said = Mutex(Said())
        await DailyRound.follow(clock: clock) { now in
            let problem = await renew(now)
            say(problem, now, said)
            return problem == nil
        } always: {
            // Also one that "register --renew" has fetched.
            link.reconnectIfRenewed()
        }
    }

    /// What was logged last, and when: the same is said once a day.
    private struct Said {
        var words = ""
        var time = 0.0
    }

    /// - Returns: what is wrong, in words; `nil` when nothing is.
    private func renew(_ now: Double) async -> String? {
        do {
            if try await Registrar.renewIfDue(in: folder, now: now) {
                logger.notice("the broker certificate was renewed")
                if try Registrar.isRenewalDue(in: folder, now: now) {
                    logger.warning(
                        "the new certificate is not valid for long by this machine's clock: is the clock right?")
                }
            }
        } catch {
            return String(describing: error)
        }
        return nil
    }

    private func say(_ problem: String?, _ now: Double, _ said: borrowing Mutex<Said>) {
        let isNew = said.withLock { said -> Bool in
            guard let problem else {
                said = Said()
                return false
            }
            guard problem != said.words || abs(now - said.time) > 86000 else { return false }
            said = Said(words: problem, time: now)
            return true
        }
        if isNew, let problem { log(problem, now) }
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
