import ArgumentParser
import Keeper
import Participant
import Program

struct Register: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make an identity and register it with the key service.",
        discussion: """
            Done once. The operator of the C2 server then decides whether to trust this observer (srup-c2 trust <identity>).

            Exit codes: 0 registered, 1 refused, or it cannot be kept here, 69 the key service cannot be reached or has no
            room now, 78 configuration is wrong.
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

    @Option(
        help: ArgumentHelp(
            "Only this one of the configuration's [[observer]] blocks; without, all of them.", valueName: "name"))
    var observer: String?

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
            for observer in chosen { try await register(observer, isOneOfSeveral: settings.observers.count > 1) }
        } catch let error as KeyServiceError {
            throw Program.failure(error, code: error.isPassing ? .unavailable : .failure)
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

    private func register(_ one: ObserverSettings.LogicalObserver, isOneOfSeveral: Bool) async throws {
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
        guard let url = url ?? one.keyServiceURL else {
            if ifNeeded { return }
            throw ParticipantError.identity(
                "which key service? give --url or set registration.url in \(configuration.path)")
        }
        let id = try await Registrar.register(
            at: url, authorityFile: ca ?? one.authorityFile, type: type ?? one.deviceType, folder: folder
        ) { print(prefix + $0) }
        print(prefix + "registered: this observer's identity is \(id)")
    }
}
