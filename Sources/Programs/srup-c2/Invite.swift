import ArgumentParser
import C2
import CodeWriter
import Glibc
import Invitations
import Linux
import Program
import Settings
import Storage

struct Invite: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show where to register as a QR code: for machines with a camera, or as the address for a tag.",
        discussion: """
            The code holds the key service's address (host in c2.toml) and the fingerprint of ca.crt, so that whoever reads it \
            needs no file: "srup-observer register" and "srup-device register" without --url wait for it before their camera, or \
            for a tag (a URI record) with the address that --url prints. It is no secret, and lets nobody in: it only says \
            where to ask.

            Exit codes: 0 shown, 1 a file cannot be written, 78 the folder or its configuration is wrong.
            """)

    @OptionGroup var folder: FolderOptions
    @Option(help: ArgumentHelp("Write the code as a PNG picture.", valueName: "file"))
    var png: String?
    @Option(help: ArgumentHelp("Write the code as an SVG picture.", valueName: "file"))
    var svg: String?
    @Option(
        help: ArgumentHelp("Invite to a zone: its observers look at whoever registers by this code.", valueName: "name")
    )
    var zone: String?
    @Flag(help: "Only print the address: for a tag.")
    var url = false

    func validate() throws {
        if let zone, !C2State.isZone(zone) { throw ValidationError("a zone has 1 to 64 letters, digits, and . _ -") }
    }

    func run() throws {
        let invitation: Invitation
        do {
            let settings = try ServerSettings.load(folder.folder)
            invitation = try Invitation(
                host: settings.host, port: settings.keyServicePort, zone: zone,
                authority: try PublicFile.read(folder.folder + "/ca.crt"))
        } catch {
            throw Program.failure(error, code: .configuration)
        }
        do {
            let code = try QRMatrix(text: invitation.text)
            if let png { try OutputFile.write(try code.png(scale: 8), to: png, mode: 0o644) }
            if let svg {
                let picture = code.svg(title: "Invitation to \(invitation.host)")
                try OutputFile.write(Array(picture.utf8), to: svg, mode: 0o644)
            }
            if url { return print(invitation.text) }
            guard png == nil && svg == nil else { return }
            var size = winsize()
            let rows = ioctl(1, UInt(TIOCGWINSZ), &size) == 0 ? Int(size.ws_row) : 0
            print(code.terminal(rows: rows))
            print("\(invitation)\naddress      \(invitation.text)")
        } catch {
            throw Program.failure(error)
        }
    }
}
