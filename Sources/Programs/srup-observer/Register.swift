import ArgumentParser
import Invitations
import Keeper
import Participant
import Program

struct Register: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make an identity and register it with the key service.",
        discussion: """
            Done once. The operator of the C2 server then decides whether to trust this observer (srup-c2 trust <identity>).

            Without a key service on the command line or in the configuration it waits for an invitation: the QR code of \
            "srup-c2 invite" before the camera, or a tag with its address on the reader. Its host and the authority's \
            fingerprint are shown, and it registers when that is confirmed at the terminal, or at once where registration.hosts \
            names the host. The authority's certificate comes from the key service itself, and must have that fingerprint.

            Exit codes: 0 registered, 1 refused, or it cannot be kept here, 69 the key service cannot be reached or has no
            room now, or no invitation came, 78 configuration is wrong.
            """)

    @OptionGroup var configuration: ConfigurationOptions
    @Option(
        help: ArgumentHelp("The key service; instead of registration.url in the configuration.", valueName: "https://…")
    )
    var url: String?
    @Option(
        help: ArgumentHelp(
            "PEM file of the authority that signed the key service's certificate: ca.crt of \"srup-c2 init\".",
            valueName: "file"))
    var ca: String?
    @Option(help: ArgumentHelp("What to call ourselves there; instead of registration.type.", valueName: "type"))
    var type: String?
    @Flag(help: "Only fetch a new certificate for the identity that is there.")
    var renew = false
    @Flag(help: "Replace the identity that is there by a new one.")
    var replace = false
    @Flag(
        help:
            "For a service's start: only renews the certificate when it ends soon; well when no key service is configured."
    )
    var ifNeeded = false

    @Flag(
        help: """
            For a service's start: only say whether there is anything to start with, an identity or a key service to get \
            one from (exit code 0), or neither (1).
            """)
    var check = false

    @Option(help: ArgumentHelp("How long to wait for an invitation, in seconds.", valueName: "seconds"))
    var patience = 600.0

    @Option(
        help: ArgumentHelp(
            "Only this one of the configuration's [[observer]] blocks; without, all of them.", valueName: "name"))
    var observer: String?

    func validate() throws {
        guard (1...86400).contains(patience) else {
            throw ValidationError("--patience must be from 1 to 86400 seconds")
        }
    }

    func run() async throws {
        if check { return try checkOnly() }
        let settings = try configuration.load()
        let chosen = settings.observers.filter { observer == nil || $0.name == observer }
        guard !chosen.isEmpty else {
            throw Program.failure(
                ParticipantError.identity(
                    "there is no [[observer]] named \"\(observer ?? "")\" in \(configuration.path)"),
                code: .configuration)
        }
        do {
            var invitation: Invitation?
            for observer in chosen {
                try await register(observer, isOneOfSeveral: settings.observers.count > 1, &invitation)
            }
        } catch let error as KeyServiceError {
            throw Program.failure(error, code: error.isPassing ? .unavailable : .failure)
        } catch let error as InvitationWatch.Failure {
            throw Program.failure(error, code: .unavailable)
        } catch let error as ParticipantError {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
    }

    private func checkOnly() throws {
        // A configuration that is wrong stops the start itself, which says so.
        guard let settings = try? configuration.load() else { return }
        let isPossible = settings.observers.contains {
            // One that may not be read is there for the start to speak of.
            (try? Identity.exists(in: $0.stateFolder)) ?? true || (url ?? $0.keyServiceURL) != nil
        }
        guard !isPossible else { return }
        throw Program.failure(
            ParticipantError.identity(
                "not registered, and no key service is configured: set registration.url in \(configuration.path), then "
                    + "\"systemctl restart srup-observer\""))
    }

    /// - Parameter invitation: the one that was shown, also for those that follow.
    private func register(
        _ one: ObserverSettings.LogicalObserver, isOneOfSeveral: Bool, _ invitation: inout Invitation?
    ) async throws {
        let folder = one.stateFolder
        let prefix = isOneOfSeveral ? one.name + ": " : ""
        if renew {
            try await Registrar.renew(in: folder) { print(prefix + $0) }
            print(prefix + "renewed")
            return
        }
        if try Identity.exists(in: folder) && !replace {
            if ifNeeded {
                // A certificate that ends soon is as good as none to a machine that was in a drawer for a year.
                do {
                    if try await Registrar.renewIfDue(in: folder) { print(prefix + "renewed the broker certificate") }
                } catch {
                    // It may be good for days yet, and the running observer tries again.
                    Program.complain(prefix + "the broker certificate cannot be renewed: \(error)")
                }
                return
            }
            // With several, those that are registered already are no reason to stop.
            if isOneOfSeveral && observer == nil {
                print(prefix + "is registered already")
                return
            }
            throw ParticipantError.identity(
                "there is an identity in \(folder) already; --renew fetches a new certificate for it, --replace drops it"
            )
        }
        let url: String
        let authority: TrustedAuthority
        if let known = self.url ?? one.keyServiceURL {
            url = known
            authority = (ca ?? one.authorityFile).map { .file($0) } ?? .system
        } else {
            if ifNeeded { return }
            let shown = try invitation ?? invited(one)
            invitation = shown
            url = shown.url
            authority = try await shown.authority()
        }
        let id = try await Registrar.register(
            at: url, authority: authority, type: type ?? one.deviceType, folder: folder
        ) { print(prefix + $0) }
        print(prefix + "registered: this observer's identity is \(id)")
    }

    private func invited(_ one: ObserverSettings.LogicalObserver) throws -> Invitation {
        // Nobody could say yes.
        guard InvitationDialogue.isPossible(hosts: one.hosts) else {
            throw ParticipantError.identity(
                "which key service? give --url, set registration.url in \(configuration.path), or registration.hosts for an "
                    + "invitation that nobody confirms at a terminal")
        }
        let eyes = one.eyes.map { eye -> InvitationWatch.Eye in
            switch eye {
            case .camera(let camera): .camera(camera.device.description, size: "\(camera.width)x\(camera.height)")
            case .nfc(let nfc): .reader(nfc.device.description)
            }
        }
        return try InvitationDialogue(eyes: eyes, hosts: one.hosts, patience: .seconds(patience)).invitation()
    }
}
