import ArgumentParser
import Party
import Program

struct Register: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make an identity and register it with the key service.",
        discussion: """
            Done once. The operator of the C2 server then decides whether to trust this observer (srup-c2 trust <identity>).

            Exit codes: 0 registered, 1 refused, 69 the key service cannot be reached, 78 configuration is wrong.
            """)

    @OptionGroup var configuration: ConfigurationOptions
    @Option(
        help: ArgumentHelp("The key service; instead of registration.url in the configuration.", valueName: "https://…")
    )
    var url: String?
    @Option(
        help: ArgumentHelp("PEM file of the authority that signed the key service's certificate.", valueName: "file"))
    var ca: String?
    @Option(help: ArgumentHelp("What to call ourselves there; instead of registration.type.", valueName: "type"))
    var type: String?
    @Flag(help: "Only fetch a new certificate for the identity that is there.")
    var renew = false
    @Flag(help: "Replace the identity that is there by a new one.")
    var replace = false

    func run() async throws {
        let settings = try configuration.load()
        let folder = settings.stateFolder
        do {
            if renew {
                try await Registrar.renew(in: folder) { print($0) }
                print("renewed")
                return
            }
            if Identity.exists(in: folder) && !replace {
                throw PartyError.identity(
                    "there is an identity in \(folder) already; --renew fetches a new certificate for it, --replace drops it"
                )
            }
            guard let url = url ?? settings.keyServiceURL else {
                throw PartyError.identity(
                    "which key service? give --url or set registration.url in \(configuration.path)")
            }
            let id = try await Registrar.register(
                at: url, authorityFile: ca ?? settings.authorityFile, type: type ?? settings.deviceType, folder: folder
            ) { print($0) }
            print("registered: this observer's identity is \(id)")
        } catch KeyServiceError.unreachable(let url, let why) {
            throw Program.failure(KeyServiceError.unreachable(url, why), code: .unavailable)
        } catch let error as PartyError {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
    }
}
