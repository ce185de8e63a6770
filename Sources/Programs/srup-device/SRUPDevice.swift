import Addresses
import ArgumentParser
import Glibc
import Invitations
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
        subcommands: [
            RegisterDevice.self, Join.self, SendCommand.self, UpdateCommand.self, Resign.self, ResetCommand.self,
            Show.self,
        ])
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
                + "the operator's page: words, colours, mono, eink or hex, each with a colon and where: terminal (default), "
                + "file:FILE (text), png:FILE, svg:FILE, fb:/dev/fb0, oled[:/dev/i2c-1[:0x3C[:128x64]]] (SSD1306), command:CMD "
                + "(text on its standard input) or command-png:CMD. Several may be given, all for people or none.",
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
        for address in present.compactMap({ try? PresenterAddress($0) }) {
            switch address {
            case .terminal, .nfc, .people(_, .terminal): continue
            default: try? address.presenter().clear()
            }
        }
    }
}

struct RegisterDevice: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "register", abstract: "Make an identity and register it with the key service.",
        discussion: """
            Without --url it waits for an invitation: the QR code of "srup-c2 invite" before the camera, or a tag with its address \
            on the reader. Host and the authority's fingerprint are shown, and it registers when that is confirmed at the \
            terminal, or at once for a --host that was named. "srup-device run" renews the certificate by itself; --renew does \
            so at once.

            Exit codes: 0 registered, 1 refused, 69 the key service cannot be reached or has no room now, or no invitation came.
            """
    )

    @OptionGroup var state: StateOptions
    @Option(help: ArgumentHelp("The key service.", valueName: "https://…"))
    var url: String?
    @Option(
        help: ArgumentHelp(
            "PEM file of the authority that signed the key service's certificate: ca.crt of \"srup-c2 init\".",
            valueName: "file"))
    var ca: String?
    @Option(
        help: ArgumentHelp("Where an invitation comes into view: \(CameraAddress.forms).", valueName: "camera"))
    var camera: String?
    @Option(help: ArgumentHelp("Where a tag with it is put: \(ReaderAddress.forms).", valueName: "reader"))
    var reader: String?
    @Option(
        help: ArgumentHelp(
            "Take an invitation of this host without asking, and no other's; may be given several times.",
            valueName: "name"))
    var host: [String] = []
    @Option(help: ArgumentHelp("How long to wait for an invitation, in seconds.", valueName: "seconds"))
    var patience = 600.0
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
        guard url == nil || !renew else {
            throw ValidationError("--renew asks the key service that is known: without --url")
        }
        guard url != nil || renew || InvitationDialogue.isPossible(hosts: host) else {
            throw ValidationError("--url is needed; or --host for an invitation that nobody confirms at a terminal")
        }
        guard url == nil || (camera == nil && reader == nil && host.isEmpty) else {
            throw ValidationError("--camera, --reader and --host are for an invitation: without --url")
        }
        guard (1...86400).contains(patience) else {
            throw ValidationError("--patience must be from 1 to 86400 seconds")
        }
        do {
            _ = try camera.map { try CameraAddress($0) }
            _ = try reader.map { try ReaderAddress($0) }
        } catch {
            throw ValidationError("\(error)")
        }
        guard !(renew && replace) else { throw ValidationError("--renew or --replace") }
        if let server, DeviceID(hex: server) == nil {
            throw ValidationError("--server must be an identity in lower-case hexadecimal")
        }
    }

    func run() async throws {
        do {
            if renew {
                try await Registrar.renew(in: state.folder) { print($0) }
                print("renewed")
                return
            }
            if try Identity.exists(in: state.folder) && !replace {
                throw ParticipantError.identity(
                    "there is an identity in \(state.folder) already; --renew fetches a new certificate for it, --replace "
                        + "drops it")
            }
            let (url, authority) = try await keyService()
            let id = try await Registrar.register(
                at: url, authority: authority, type: type, folder: state.folder,
                server: server.flatMap { DeviceID(hex: $0) }
            ) {
                print($0)
            }
            print("registered: this device's identity is \(id)")
        } catch let error as KeyServiceError {
            throw Program.failure(error, code: error.isPassing ? .unavailable : .failure)
        } catch let error as InvitationWatch.Failure {
            throw Program.failure(error, code: .unavailable)
        } catch {
            throw Program.failure(error)
        }
    }

    /// The one that was named, or that an invitation tells.
    private func keyService() async throws -> (url: String, authority: TrustedAuthority) {
        if let url { return (url, ca.map { .file($0) } ?? .system) }
        let camera = camera ?? (reader == nil ? "auto" : nil)
        let eyes: [InvitationWatch.Eye?] = [camera.map { .camera($0, size: nil) }, reader.map { .reader($0) }]
        let dialogue = InvitationDialogue(eyes: eyes.compactMap { $0 }, hosts: host, patience: .seconds(patience))
        let invitation = try dialogue.invitation()
        return (invitation.url, try await invitation.authority())
    }
}

struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show a value of your own as the device would show its nonce: to check a display.",
        discussion: """
            Without --seconds it ends at once and leaves on the display what it shows; what needs this program (a tap, the \
            second page of a small display) needs --seconds.

            With --check the observer's own reader (srup-witness, of the package srup-observer) reads each picture before it \
            is shown; what it does not read is not shown.

            Exit codes: 0 shown, 1 not shown, or not readable; 64 the command line is wrong.
            """)

    @Argument(help: ArgumentHelp("32 hexadecimal digits.", valueName: "value"))
    var value: String
    @OptionGroup var display: DisplayOptions
    @Option(help: ArgumentHelp("Go on for so many seconds (or until Ctrl-C), then take it down.", valueName: "n"))
    var seconds: Double?

    @Flag(help: "Read the picture back before it is shown.")
    var check = false

    func validate() throws {
        if check, display.isForPeople { throw ValidationError("--check reads codes; what is for people has none") }
        guard seconds.map({ (0...86400).contains($0) }) ?? true else {
            throw ValidationError("--seconds must be from 0 to 86400")
        }
    }

    func run() throws {
        guard let nonce = Nonce(hex: value) else { throw ValidationError("the value must be 32 hexadecimal digits") }
        do {
            let presenter = try display.presenter()
            try nonce.withHex { text in
                if check { try readBack(presenter, text) }
                try presenter.show(text)
            }
            guard let seconds else { return }
            StopSignals.take()
            let end = ContinuousClock.now + .seconds(seconds)
            while ContinuousClock.now < end, !StopSignals.came { usleep(50_000) }
            try presenter.clear()
        } catch {
            throw Program.failure(error)
        }
    }

    private func readBack(_ presenter: any NoncePresenter, _ hex: UnsafeRawBufferPointer) throws {
        let displays = try ReadBack().check(presenter, hex)
        print(
            displays.isEmpty
                ? "check: nothing is shown that a camera reads"
                : "check: the observer's reader reads what is shown: \(displays.joined(separator: ", "))")
    }
}
