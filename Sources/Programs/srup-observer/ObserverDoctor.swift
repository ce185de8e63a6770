import Doctor
import Glibc
import Keeper
import Participant
import Program
import SRUP
import Storage

/// Examines one logical observer after the other: its folder, identity, certificates, key service, broker, and whether it
/// runs.
struct ObserverDoctor {
    private let settings: ObserverSettings
    private let isOffline: Bool

    init(_ settings: ObserverSettings, isOffline: Bool) {
        self.settings = settings
        self.isOffline = isOffline
    }

    func examine(_ observer: ObserverSettings.LogicalObserver) async -> [Finding] {
        let folder = StateFolderChecks(observer.stateFolder)
        var findings = [folder.permissions()]
        let report = ObserverReport.live(settings)?.first { ($0.name ?? "") == observer.name }
        let identity = registered(observer, report, folder, &findings)
        if folder.isReadable { findings += certificates(observer.stateFolder) }
        if isOffline {
            findings += [Finding("network", .skipped, "key service and broker are left out (--offline)")]
        } else {
            findings.append(await keyService(observer, identity))
            findings += await keyServiceCertificate(observer, identity)
            findings += await broker(identity, report)
        }
        findings += keeper(report, isRegistered: identity != nil || report != nil)
        return findings.map { $0.under(observer.name) }
    }

    // MARK: Identity

    private func registered(
        _ observer: ObserverSettings.LogicalObserver, _ report: ObserverReport?, _ folder: StateFolderChecks,
        _ findings: inout [Finding]
    ) -> Identity? {
        guard folder.isReadable, (try? Identity.exists(in: observer.stateFolder)) == true else {
            if let id = report?.identity {
                findings.append(Finding("registered", .ok, "as \(id)"))
            } else if (try? Identity.exists(in: observer.stateFolder)) == false {
                let url = observer.keyServiceURL == nil ? " --url https://… --ca ca.crt" : ""
                findings.append(
                    Finding("registered", .problem, "not registered", remedy: "srup-observer register\(url)"))
            } else {
                findings.append(Finding("registered", .skipped, "the state folder may not be looked into"))
            }
            return nil
        }
        // Opening the state would make one where there is none.
        guard access(Identity.statePath(observer.stateFolder), F_OK) == 0 else {
            findings.append(
                Finding(
                    "registered", .problem, "\(Identity.statePath(observer.stateFolder)) is missing: counters are lost",
                    remedy: "srup-observer register --replace"))
            return nil
        }
        do {
            let (identity, state) = try Identity.load(from: observer.stateFolder, use: .look)
            let joined = try state.joinedPeers().count
            findings.append(
                Finding("registered", .ok, "as \(identity.id)\(joined > 0 ? ", has joined" : ", has never joined")"))
            if observer.server == nil && identity.server == nil {
                findings.append(
                    Finding(
                        "server", .problem, "which C2 server to join is not known",
                        remedy: "set server.id in \(Self.file)"))
            }
            return identity
        } catch {
            findings.append(
                Finding(
                    "registered", .problem, String(describing: error),
                    remedy: Self.remedy(
                        error, otherwise: "restore the folder from a backup, or srup-observer register --replace")))
            return nil
        }
    }

    private static let file = "srup-observer.toml"

    /// A new identity is the remedy for an identity that is broken, and for nothing else.
    private static func remedy(_ error: any Error, otherwise: String) -> String {
        switch error {
        case ParticipantError.bound, ParticipantError.mayNotBeRead: "run the doctor as root or as the folder's owner"
        case ParticipantError.boundElsewhere: "srup-observer register --replace"
        case PrivateFileError.tooOpen(let path, _): "chmod 600 \(path)"
        // Rights, the disk, the file system: what is said about them is what to look at.
        case PrivateFileError.failed: "see what is said of the state folder and of the disk; run the doctor as root"
        case let error as StorageError where !error.isDamage:
            "see what is said of the state folder and of the disk; free some space where it is full"
        default: otherwise
        }
    }

    private func certificates(_ folder: String) -> [Finding] {
        guard (try? Identity.exists(in: folder)) == true else { return [] }
        var authorities = [("/ca.pem", "authority's certificate")]
        if PublicFile.exists(folder + "/https-ca.pem") {
            authorities.append(("/https-ca.pem", "key service's authority"))
        }
        return [certificate(folder + "/certificate.pem", "certificate", remedy: "srup-observer register --renew")]
            + authorities.map { file, name in
                certificate(
                    folder + file, name,
                    remedy: "srup-observer register --renew; if that does not help, ask the C2 server's operator")
            } + [keyFits(folder), keys(folder)]
    }

    private func keys(_ folder: String) -> Finding {
        let isBound = (try? Identity.isBound(folder + "/identity.pem")) ?? false
        return Finding(
            "keys", .ok,
            isBound ? "encrypted for this machine" : "in files of mode 0600, not bound to this machine")
    }

    private func certificate(_ path: String, _ name: String, remedy: String) -> Finding {
        let text: String
        do throws(PrivateFileError) {
            text = try PublicFile.read(path)
        } catch {
            return Finding(name, .problem, error.description, remedy: remedy)
        }
        return judge(text, name, path, remedy: remedy)
    }

    /// - Parameter place: where the certificate was seen.
    private func judge(_ text: String, _ name: String, _ place: String, remedy: String) -> Finding {
        switch Certificate.validity(text) {
        case nil: Finding(name, .problem, "\(place) is no certificate", remedy: remedy)
        case .future(let days):
            Finding(
                name, .problem, "begins only in \(days) days: the clock is wrong",
                remedy: "set this machine's clock (see clock)")
        case .ended(let days): Finding(name, .problem, "ended \(days) days ago", remedy: remedy)
        // It should have been renewed a month ago.
        case .valid(let days) where days < Registrar.warningDays:
            Finding(name, .warning, "\(days) days left, and it was not renewed", remedy: remedy)
        case .valid(let days): Finding(name, .ok, "\(days) days left")
        }
    }

    private func keyFits(_ folder: String) -> Finding {
        let name = "broker key"
        do {
            let key = try Identity.privateKey(folder + "/access.pem")
            guard Certificate.fits(try PublicFile.read(folder + "/certificate.pem"), key: key) == true else {
                return Finding(
                    name, .problem, "the private key does not fit the certificate",
                    remedy: "srup-observer register --renew")
            }
            return Finding(name, .ok, "fits the certificate")
        } catch {
            return Finding(
                name, .problem, String(describing: error),
                remedy: Self.remedy(error, otherwise: "srup-observer register --renew"))
        }
    }

    // MARK: Network

    private func keyService(_ observer: ObserverSettings.LogicalObserver, _ identity: Identity?) async -> Finding {
        let name = "key service"
        guard let url = observer.keyServiceURL ?? identity?.keyService else {
            return Finding(
                name, .skipped, "none is configured", remedy: "set registration.url in \(Self.file), or register --url")
        }
        // As the registrar does: the authority is kept beside the identity.
        let kept = observer.stateFolder + "/https-ca.pem"
        do throws(KeyServiceError) {
            let service = try KeyServiceClient(
                url: url, authorityFile: observer.authorityFile ?? (PublicFile.exists(kept) ? kept : nil),
                timeout: .seconds(10))
            return try await service.isActive()
                ? Finding(name, .ok, "\(service.url) answers")
                : Finding(
                    name, .warning, "\(service.url) answers, but takes no registrations now",
                    remedy: "ask the operator of the C2 server")
        } catch {
            let remedy =
                switch error {
                case .badURL, .authority: "correct registration.url and registration.ca"
                case .untrusted(_, .expired, _), .untrusted(_, .notYetValid, _):
                    "is the clock right? then: \(Self.askOperator)"
                case .untrusted(_, .otherHost, _): "correct registration.url: the certificate says under which names"
                case .untrusted: "is registration.ca the server's present authority?"
                default: "is the server running, its port open, the name right? try: curl -v \(url)"
                }
            // Needed for registration and renewal; an observer at work goes on without.
            return Finding(name, identity == nil ? .problem : .warning, error.description, remedy: remedy)
        }
    }

    /// As a connection shows it; what goes wrong with that is said elsewhere.
    private func keyServiceCertificate(
        _ observer: ObserverSettings.LogicalObserver, _ identity: Identity?
    ) async -> [Finding] {
        let kept = observer.stateFolder + "/https-ca.pem"
        guard let url = observer.keyServiceURL ?? identity?.keyService,
            let probe = BrokerProbe(
                url: url, authorityFile: observer.authorityFile ?? (PublicFile.exists(kept) ? kept : nil)),
            case .accepted(_, let certificate) = await probe.outcome()
        else { return [] }
        return [judge(certificate, "key service's certificate", url, remedy: Self.askOperator)]
    }

    private static let askOperator = "tell the C2 server's operator: srup-c2 check, and the log of srup-c2 key-service"

    private func broker(_ identity: Identity?, _ report: ObserverReport?) async -> [Finding] {
        guard let identity else { return [broker(nil, report, .unreachable(""))] }
        let outcome = await BrokerProbe(identity.broker).outcome()
        let finding = broker(identity, report, outcome)
        guard case .accepted(_, let certificate) = outcome else { return [finding] }
        let place = "\(identity.broker.host):\(identity.broker.port)"
        return [finding, judge(certificate, "broker's certificate", place, remedy: Self.askOperator)]
    }

    private func broker(
        _ identity: Identity?, _ report: ObserverReport?, _ outcome: BrokerProbe.Outcome
    ) -> Finding {
        let name = "broker"
        guard let identity else {
            let says = report?.broker.map { "\($0): only root or its owner can try it" }
            return Finding(name, .skipped, says ?? "not known before registration")
        }
        let place = "\(identity.broker.host):\(identity.broker.port)"
        let authority = "is the observer still registered there? ask the operator; srup-observer register --renew"
        return switch outcome {
        case .accepted(let version, _): Finding(name, .ok, "\(place) takes our certificate (\(version))")
        case .nameUnknown(let why):
            Finding(
                name, .problem, "\(place): the name cannot be resolved: \(why)",
                remedy: "is the network up, and its DNS? try: getent hosts \(identity.broker.host)")
        case .unreachable(let why):
            Finding(
                name, .problem, "\(place) cannot be reached: \(why)",
                remedy: "is the broker running and TCP port \(identity.broker.port) open on the way?")
        case .untrusted(let why):
            Finding(
                name, .problem, why.sentence("the broker at \(place)", authority: identity.broker.caFile),
                remedy: "is the clock right? has the authority changed? srup-observer register --renew")
        case .refused(let why): Finding(name, .problem, "\(place) refuses our certificate: \(why)", remedy: authority)
        case .localFile(let why): Finding(name, .problem, why, remedy: "srup-observer register --renew")
        }
    }

    // MARK: The running observer

    private func keeper(_ report: ObserverReport?, isRegistered: Bool) -> [Finding] {
        let name = "observer"
        guard let report else {
            let socket = settings.stateFolder + "/control.sock"
            if access(socket, F_OK) != 0 && errno == EACCES {
                return [Finding(name, .skipped, "only root or its owner can ask it", remedy: "run the doctor as root")]
            }
            guard isRegistered else { return [Finding(name, .skipped, "does not run; it needs a registration first")] }
            return [
                Finding(
                    name, .problem, "does not run",
                    remedy:
                        "systemctl start srup-observer; journalctl -u srup-observer -n 50 (by hand: srup-observer run)")
            ]
        }
        guard report.connected else {
            return [
                Finding(
                    name, .problem, "runs for \(report.uptimeSeconds) s, not connected to the broker",
                    remedy: "see the line \"broker\"; journalctl -u srup-observer -n 50")
            ]
        }
        guard report.joined else {
            return [
                Finding(
                    name, .problem, "runs and is connected, but has not joined the server \(report.server ?? "?")",
                    remedy: "is srup-c2 running? does its policy let observers in? see its log")
            ]
        }
        var findings = [Finding(name, .ok, "runs for \(report.uptimeSeconds) s, connected, joined")]
        for (eye, state) in report.eyes.sorted(by: { $0.key < $1.key }) where state.hasPrefix("lost") {
            findings.append(Finding("observer's \(eye)", .warning, state, remedy: "see the lines of the \(eye)"))
        }
        return findings
    }
}
