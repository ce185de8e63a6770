import KeyService
import Logging
import Participant
import ServiceLifecycle
import Storage

/// In the key service: keeps all certificates in the server's folder from running out, and looks whether the broker has taken
/// its new one ("srup-c2 broker" does).
struct CertificateCare: Service {
    let folder: String
    let certificates: ServerCertificates
    /// Where the broker is and what proves who we are there.
    let broker: BrokerAddress
    let logger: Logger

    func run() async throws {
        await DailyRound.follow { now in await look(now) }
    }

    private func look(_ now: Double) async -> Bool {
        let outcome = certificates.renewDue(now: now)
        for words in outcome.renewed { logger.notice("renewed \(words)") }
        for words in outcome.problems { logger.error("\(words)") }
        let problem = await BrokerCheck(folder: folder, broker: broker).problem()
        if let problem { logger.error("\(problem)") }
        for words in ServerCertificates.problems(folder: folder, now: now) { logger.warning("\(words)") }
        return outcome.problems.isEmpty && problem == nil
    }
}

/// Whether the broker shows the certificate that lies in the server's folder: it reads it at its start.
struct BrokerCheck {
    let folder: String
    let broker: BrokerAddress

    /// - Returns: `nil` when no broker answers.
    private func showsPresent() async -> Bool? {
        switch await BrokerProbe(broker, limit: .seconds(5)).outcome() {
        case .accepted(_, let certificate):
            (try? PublicFile.read(folder + "/broker.crt")).map { Self.body($0) == Self.body(certificate) }
        // An old one has ended, or is from before the clock was set.
        case .untrusted: false
        case .nameUnknown, .unreachable, .refused, .localFile: nil
        }
    }

    /// Without white space; of a chain the first.
    private static func body(_ pem: String) -> String {
        let end = "-----END CERTIFICATE-----"
        let text = pem.filter { !$0.isWhitespace }
        let marker = end.filter { !$0.isWhitespace }
        return text.split(separator: marker).first.map(String.init) ?? ""
    }

    /// What is wrong, in words. A broker that is being started anew is given a minute.
    func problem() async -> String? {
        let deadline = ContinuousClock.now + .seconds(60)
        while await showsPresent() == false {
            guard ContinuousClock.now < deadline, !Task.isCancelled else {
                return
                    "the broker does not show the certificate in \(folder)/broker.crt: restart it, as \"srup-c2 broker\" does "
                    + "by itself"
            }
            try? await Task.sleep(for: .seconds(2))
        }
        return nil
    }
}

/// In the C2 server: has the link use a certificate that the key service has renewed, and says daily what nobody has renewed.
struct CertificateWatch: Service {
    let folder: String
    let link: BrokerLink
    let logger: Logger

    func run() async throws {
        await DailyRound.follow { now in
            var found = ServerCertificates.problems(folder: folder, now: now)
            if let problem = await BrokerCheck(folder: folder, broker: link.address).problem() { found.append(problem) }
            for problem in found { logger.warning("\(problem)") }
            return true
        } always: {
            link.reconnectIfRenewed()
        }
    }
}
