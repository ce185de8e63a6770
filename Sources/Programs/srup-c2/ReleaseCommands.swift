import ArgumentParser
import C2
import Foundation
import Linux
import Participant
import Program
import Releases
import SRUP

private let doneCodes = "Exit codes: 0 done, 1 refused, 78 the folder or its configuration is wrong."

extension ReleaseShelf {
    /// The shelf in a server's folder, also beside the running server.
    ///
    /// - Throws: ``StorageError``, ``ReleaseFolderError``.
    init(_ settings: ServerSettings, _ stores: ServerStores) throws {
        self.init(
            store: try stores.updates(),
            folder: try ReleaseFolder(path: ServerSettings.releases(stores.folder), limit: settings.updates.totalSize),
            base: settings.releaseBase, keys: settings.updates.keys)
    }

    fileprivate init(_ options: FolderOptions) throws {
        let settings: ServerSettings
        do {
            settings = try ServerSettings.load(options.folder)
        } catch {
            throw Program.failure(error, code: .configuration)
        }
        try self.init(settings, ServerStores(options.folder, settings.database))
    }
}

struct ReleaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "What devices can be updated to: add, list and withdraw releases.",
        discussion: """
            srup-c2 release add thermometer-1.4.2.manifest thermometer-1.4.2.bin
            srup-c2 release add thermometer-1.4.2.manifest        (the payload is where its manifest says, elsewhere)
            srup-c2 release list
            srup-c2 release withdraw 3

            The payload is served by the key service when its address in the manifest begins with https://HOST:PORT/releases/ \
            ("srup-c2 release where" shows it). Only manifests of [updates] release_keys in c2.toml are taken, if there are any.
            Works with and without the server running.
            """,
        subcommands: [AddRelease.self, ListReleases.self, WithdrawRelease.self, WhereReleases.self])
}

private struct AddRelease: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add a release: its manifest, and the payload if it is served here.",
        discussion: """
            For reference devices, which know no manifests, --bare takes a payload alone; --url says where it is when it is not \
            served here. \(doneCodes)
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: ArgumentHelp("The manifest (srup-release sign); with --bare the payload.", valueName: "file"))
    var file: String
    @Argument(help: ArgumentHelp("The payload.", valueName: "payload"))
    var payload: String?
    @Flag(help: "The file is a payload without manifest.")
    var bare = false
    @Option(help: ArgumentHelp("With --bare: the devices' type.", valueName: "type"))
    var type: String?
    // Not --version, which is this program's own.
    @Option(help: ArgumentHelp("With --bare: the payload's version.", valueName: "version"))
    var releaseVersion: String?
    @Option(help: ArgumentHelp("With --bare: where the payload is.", valueName: "https://..."))
    var url: String?

    func validate() throws {
        guard bare || (type == nil && releaseVersion == nil && url == nil) else {
            throw ValidationError("--type, --release-version and --url are for --bare: a manifest says all that")
        }
        guard !bare || (type != nil && releaseVersion != nil && payload == nil) else {
            throw ValidationError("--bare takes the payload alone, with --type and --release-version")
        }
    }

    func run() throws {
        try reporting {
            let shelf = try ReleaseShelf(folder)
            let name = ServerOrder.user
            let now = Participant.systemTime()
            let release: UpdateStore.Release
            if bare {
                let (size, digest) = try PayloadFile(file).measured()
                release = try shelf.add(
                    bare: url, size: size, digest: digest, type: type ?? "", version: releaseVersion ?? "", by: name,
                    now: now)
            } else {
                let text = try PublicText.read(file, atMost: ReleaseManifest.maximumLength)
                release = try shelf.add(manifest: Array(text.utf8), by: name, now: now)
            }
            print("release \(release.number): \(release.version) for \(release.type)")
            if let path = bare ? (url == nil ? file : nil) : payload {
                let upload = try shelf.upload(release)
                try PayloadFile(path).read { bytes in try upload.write(bytes) }
                try shelf.finish(upload, of: release)
                print("its payload is served at \(shelf.base)\(release.file ?? "")")
            } else if release.file != nil, !release.isThere {
                print(
                    "its payload is missing: srup-c2 release add ... PAYLOAD, the page, or PUT /api/v1/releases/\(release.number)/payload"
                )
            }
        }
    }
}

private struct ListReleases: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List releases, the newest first.", discussion: doneCodes)

    /// As JSON.
    private struct Row: Encodable {
        let release: Int64
        let type, version, url, sha256, payload: String
        let complete, withdrawn: Bool
        let expires: Double?
    }

    @OptionGroup var folder: FolderOptions
    @Flag(help: "One JSON object for each release.")
    var json = false

    func run() throws {
        try reporting {
            for one in try ReleaseShelf(folder).store.releases() {
                let row = Row(
                    release: one.number, type: one.type, version: one.version, url: one.url, sha256: one.digest,
                    payload: one.payload, complete: one.isThere, withdrawn: one.isWithdrawn, expires: one.expires)
                let state = one.isWithdrawn ? "withdrawn" : one.isThere ? "ready" : "payload missing"
                print(json ? row.jsonLine : "\(one.number)  \(one.version)  \(one.type)  \(state)  \(one.url)")
            }
        }
    }
}

private struct WithdrawRelease: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "withdraw", abstract: "Tell nobody of a release any more, and remove its files.",
        discussion: "Rollouts of it stop. \(doneCodes)")

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Its number.")
    var number: Int64

    func run() throws {
        try reporting {
            try ReleaseShelf(folder).withdraw(number)
            print("release \(number) is withdrawn")
        }
    }
}

private struct WhereReleases: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "where", abstract: "Show how the addresses of payloads begin that are served here.",
        discussion: doneCodes)

    @OptionGroup var folder: FolderOptions

    func run() throws {
        try reporting { print(try ReleaseShelf(folder).base) }
    }
}
