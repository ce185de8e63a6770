import ArgumentParser
import Participant
import Presentation
import Program
import SRUP

@main
struct SRUPDevice: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "srup-device",
        abstract: "The reference joining device of a SRUP network.",
        discussion: """
            A new device:
              srup-device register --url https://c2.example.net:8443 --ca ca.crt --type sensor
              srup-device run
            """,
        version: Release.version,
        subcommands: [RegisterDevice.self, Join.self, Resign.self, ResetCommand.self, Show.self])
}

struct StateOptions: ParsableArguments {
    @Option(
        name: .customLong("state"), help: ArgumentHelp("The folder with the device's keys and state.", valueName: "dir")
    )
    var folder = "/var/lib/srup-device"
}

struct DisplayOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How to show the nonce: terminal, png:FILE (kept up to date), fb:/dev/fb0, command:CMD (a PNG on its standard "
                + "input), or by tap nfc (any reader), nfc:READER or nfc-card:READER (as a card). For people, who compare it with "
                + "the operator's page: words, colours, mono, eink or hex, each with :terminal (default), :file:FILE or "
                + ":command:CMD (text on its standard input). Several may be given, all for people or none.",
            valueName: "how"))
    var present: [String] = ["terminal"]

    func validate() throws {
        _ = try presenter()
        let people = try present.map { try PresenterAddress($0).isForPeople }
        guard Set(people).count == 1 else {
            throw ValidationError("--present is either for people (words, colours, mono, eink, hex) or for an observer")
        }
    }

    /// Whether people compare what is shown.
    var isForPeople: Bool { present.contains { (try? PresenterAddress($0).isForPeople) == true } }

    func presenter() throws -> any NoncePresenter {
        do {
            return CompositePresenter(try present.map { try PresenterAddress($0).presenter() })
        } catch {
            throw ValidationError("\(error)")
        }
    }
}

extension DisplayOptions {
    /// Clears what a run that was killed has left on a display; a terminal keeps what it shows.
    func takeDownLeftOvers() {
        for address in present where !address.hasSuffix("terminal") && !address.hasPrefix("nfc") {
            try? PresenterAddress(address).presenter().clear()
        }
    }
}

struct RegisterDevice: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "register", abstract: "Make an identity and register it with the key service.",
        discussion:
            "\"srup-device run\" renews the certificate by itself; --renew does so at once. Exit codes: 0 registered, 1 refused, 69 the key service cannot be reached or has no room now."
    )

    @OptionGroup var state: StateOptions
    @Option(help: ArgumentHelp("The key service.", valueName: "https://…"))
    var url: String?
    @Option(
        help: ArgumentHelp(
            "PEM file of the authority that signed the key service's certificate: ca.crt of \"srup-c2 init\".",
            valueName: "file"))
    var ca: String?
    @Option(help: "What kind of device this is; the C2 server decides by it how to let the device in.")
    var type = "default"
    @Option(
        help: ArgumentHelp(
            "The C2 server to join, instead of the one that the key service tells.", valueName: "identity"))
    var server: String?
    @Flag(help: "Replace the identity that is there by a new one.")
    var replace = false
    @Flag(help: "Only fetch a new certificate for the identity that is there.")
    var renew = false

    func validate() throws {
        guard (url == nil) == renew else {
            throw ValidationError(
                renew ? "--renew asks the key service that is known: without --url" : "--url is needed")
        }
        guard !(renew && replace) else { throw ValidationError("--renew or --replace") }
        if let server, DeviceID(hex: server) == nil {
            throw ValidationError("--server must be an identity in lower-case hexadecimal")
        }
    }

    func run() async throws {
        do {
            guard let url else {
                try await Registrar.renew(in: state.folder) { print($0) }
                print("renewed")
                return
            }
            if try Identity.exists(in: state.folder) && !replace {
                throw ParticipantError.identity(
                    "there is an identity in \(state.folder) already; --renew fetches a new certificate for it, --replace "
                        + "drops it")
            }
            let id = try await Registrar.register(
                at: url, authorityFile: ca, type: type, folder: state.folder,
                server: server.flatMap { DeviceID(hex: $0) }
            ) {
                print($0)
            }
            print("registered: this device's identity is \(id)")
        } catch let error as KeyServiceError {
            throw Program.failure(error, code: error.isPassing ? .unavailable : .failure)
        } catch {
            throw Program.failure(error)
        }
    }
}

struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show a value of your own as the device would show its nonce: to check a display.")

    @Argument(help: ArgumentHelp("32 hexadecimal digits.", valueName: "value"))
    var value: String
    @OptionGroup var display: DisplayOptions

    func run() throws {
        guard let nonce = Nonce(hex: value) else { throw ValidationError("the value must be 32 hexadecimal digits") }
        do {
            let presenter = try display.presenter()
            try nonce.withHex { text in try presenter.show(text) }
        } catch {
            throw Program.failure(error)
        }
    }
}
