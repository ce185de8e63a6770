import ArgumentParser
import Glibc
import ObservedValue
import Program
import Releases
import Storage

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Make a release key (Ed25519), or show the public half of one that is there.",
        discussion: """
            Prints the public half: what release_keys in [update] of a device's configuration names.

            Exit codes: 0 done, 1 the file is there already (without --show), or cannot be read or written.
            """)

    @Argument(help: ArgumentHelp("The key's file; mode 0600.", valueName: "file"))
    var file: String
    @Flag(help: "Only show the public half.")
    var show = false

    func run() throws {
        do {
            if show { return print(try ReleaseKey(file: file).publicKey) }
            guard !PublicFile.isThere(file) else {
                throw ReleaseFailure("\(file) is there already; devices that know it know no other one")
            }
            let key = try ReleaseKey.generate()
            try key.write(to: file)
            print(try key.publicKey)
        } catch {
            throw Program.failure(error)
        }
    }
}

struct SignCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Sign a manifest for a payload.",
        discussion: """
            Exit codes: 0 signed, 1 the payload or the key cannot be read, the manifest cannot be written, or no device would \
            take it.
            """)

    @Argument(help: ArgumentHelp("What is to run on the devices.", valueName: "payload"))
    var payload: String
    @Option(help: ArgumentHelp("The release key's file.", valueName: "file"))
    var key: String
    @Option(help: "The type of the devices that it is for.")
    var type: String
    // Not --version, which is this program's own.
    @Option(help: ArgumentHelp("Its version: \(ReleaseVersion.form).", valueName: "version"))
    var releaseVersion: String
    @Option(
        help: ArgumentHelp(
            "Until when it may be installed: in how many days (90d), or seconds since 1970.", valueName: "when"))
    var expires = "90d"
    @Option(help: ArgumentHelp("Where devices will find the payload.", valueName: "https://…"))
    var url: String
    @Option(name: .shortAndLong, help: ArgumentHelp("The manifest's file; - for the output.", valueName: "file"))
    var output = "-"

    private var moment: UInt64? {
        guard expires.hasSuffix("d") else { return UInt64(expires) }
        guard let days = UInt64(expires.dropLast()), (1...36500).contains(days) else { return nil }
        return UInt64(max(0, time(nil))) + days * 86400
    }

    func validate() throws {
        guard ReleaseVersion(releaseVersion) != nil else {
            throw ValidationError("--release-version must be \(ReleaseVersion.form)")
        }
        guard moment != nil else { throw ValidationError("--expires must be days (90d) or seconds since 1970") }
        guard ReleaseManifest.isType(type) else {
            throw ValidationError("--type must be 1 to 64 printable ASCII characters, with spaces inside only")
        }
        guard ReleaseManifest.isAddress(url) else { throw ValidationError("--url must begin with https://") }
    }

    func run() throws {
        do {
            guard let version = ReleaseVersion(releaseVersion), let moment else { return }
            let (size, digest) = try ReleaseFailure.measured(payload)
            let content = ReleaseManifest.Content(
                type: type, version: version, size: size, digest: digest, expires: moment, url: url)
            let manifest = try ReleaseManifest(content, signedBy: try ReleaseKey(file: key))
            if output == "-" {
                print(manifest, terminator: "")
            } else {
                try PrivateFile.write(manifest.description, to: output, mode: 0o644)
            }
        } catch {
            throw Program.failure(error)
        }
    }
}

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check a manifest, and with --payload what it names.",
        discussion: """
            Prints what it says. Exit codes: 0 all is right, 1 it is not, and the message says what.
            """)

    @Argument(help: ArgumentHelp("The manifest's file.", valueName: "manifest"))
    var manifest: String
    @Option(
        help: ArgumentHelp(
            "A release key that is believed: its public half, 64 hexadecimal digits; may be given several times.",
            valueName: "digits"))
    var key: [String]
    @Option(help: "Only for devices of this type.")
    var type: String?
    @Option(help: ArgumentHelp("Only if it is newer than this version.", valueName: "version"))
    var newerThan: String?
    @Option(help: ArgumentHelp("The payload must be the one that it names.", valueName: "file"))
    var payload: String?

    func validate() throws {
        guard key.allSatisfy({ ReleasePublicKey($0) != nil }) else {
            throw ValidationError("--key must be the public half of a release key: 64 hexadecimal digits in lower case")
        }
        if let newerThan, ReleaseVersion(newerThan) == nil {
            throw ValidationError("--newer-than must be \(ReleaseVersion.form)")
        }
    }

    func run() throws {
        do {
            let text = try PublicFile.read(manifest, atMost: ReleaseManifest.maximumLength)
            let manifest = try ReleaseManifest(parsing: Array(text.utf8))
            try manifest.check(
                keys: key.compactMap { ReleasePublicKey($0) }, type: type ?? manifest.type,
                highest: newerThan.flatMap { ReleaseVersion($0) }, now: Double(time(nil)))
            if let payload {
                let (size, digest) = try ReleaseFailure.measured(payload)
                guard size == manifest.size, digest == manifest.digest else {
                    throw ReleaseFailure("\(payload) is not the payload that the manifest names")
                }
            }
            print(manifest, terminator: "")
        } catch {
            throw Program.failure(error)
        }
    }
}

/// Why a file could not be used; in words for who has given it.
struct ReleaseFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }

    /// A payload's size and SHA-256.
    static func measured(_ path: String) throws -> (size: UInt64, digest: [UInt8]) {
        var status = stat()
        guard stat(path, &status) == 0, let digest = PayloadDigest.of(path) else {
            throw ReleaseFailure("\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        return (UInt64(status.st_size), digest)
    }
}
