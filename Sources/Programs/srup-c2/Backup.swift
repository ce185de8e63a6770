import ArgumentParser
import Foundation
import Glibc
import KeyService
import Linux
import Participant
import Program
import SRUP
import Storage

struct Backup: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy everything in the server's folder into one file, also while the server runs.",
        discussion: """
            The file is a tar archive with the keys of authority, broker, key service and server in it: keep it as you keep \
            those (its mode is 0600). What is kept in a database (c2.toml) is in it, too, as files. What waits at the broker for participants that are away is not in it. "srup-c2 restore" \
            puts it back.

            Example: srup-c2 backup --folder /var/lib/srup-c2 /media/backup/c2-$(date +%F).tar

            Exit codes: 0 written, 1 it could not be, 78 there is no such folder.
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: ArgumentHelp("The file to make; there must be none of that name.", valueName: "file"))
    var file: String

    func run() throws {
        let folder = URL(fileURLWithPath: folder.folder).standardizedFileURL.path
        guard PublicFile.isThere(folder + "/c2.toml") else {
            throw Program.failure(ParticipantError.notRegistered(folder: folder), code: .configuration)
        }
        do {
            let (count, bytes) = try Archive.write(folder, to: URL(fileURLWithPath: file).standardizedFileURL.path)
            print("\(file): \(count) files, \(bytes / 1024) KiB; it holds private keys")
        } catch {
            throw Program.failure(error)
        }
    }
}

struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a server's folder from a backup.",
        discussion: """
            All numbers of messages jump ahead, so that nothing is taken or sent twice that was exchanged since the backup; \
            members are told when the server starts, and need not do anything. What joined or left since the backup is not \
            known: such devices join again by themselves, or have to be removed again. Never run the old server and the \
            restored one at the same time.

            Identities that have ended since the backup would be back with their keys. --ended names where it is known who \
            has: the old folder (moved away), its file "ended", or what "srup-c2 ended" has printed; they end again. Without \
            it the old folder's neighbours are looked at, whose authority is the same. If nothing is found, it says so.

            Exit codes: 0 done, 1 it could not be, 78 the folder is there already, or the file is no backup.
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: ArgumentHelp("What \"srup-c2 backup\" has written.", valueName: "file"))
    var file: String
    @Option(
        help: ArgumentHelp(
            "Where it is known who has ended since: the old folder, or a list of identities. May be given several times.",
            valueName: "place"))
    var ended: [String] = []

    func run() throws {
        let folder = URL(fileURLWithPath: folder.folder).standardizedFileURL.path
        do {
            for place in ended where !PublicFile.isThere(place) {
                throw Archive.Failure(description: "there is no \(place)", isConfiguration: true)
            }
            try Archive.read(URL(fileURLWithPath: file).standardizedFileURL.path, into: folder)
            try endAgain(folder)
            print("\(folder) is as it was at the backup. Now: srup-c2 up --folder \(folder), or start the services")
        } catch let error as Archive.Failure where error.isConfiguration {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
    }
}

extension Restore {
    private func endAgain(_ folder: String) throws {
        let revocations = try ServerStores(folder).revocations()
        let places = ended.isEmpty ? try neighbours(of: folder) : ended
        var again: [DeviceID] = []
        for place in places {
            let state = KeyServiceState.path(in: place)
            if PublicFile.isThere(state) {
                // Read, and not changed: it may be all that is left of a network.
                let copy = folder + "/neighbour.db"
                defer { for end in ["", "-wal", "-shm"] { unlink(copy + end) } }
                try Database.copy(state, to: copy)
                let known = try KeyServiceState(path: copy).allEnded().map { $0.id.hex + "\n" }.joined()
                let list = folder + "/neighbour-ended"
                defer { unlink(list) }
                try PrivateFile.write(known, to: list)
                again += try revocations.endAgain(by: list)
            } else {
                again += try revocations.endAgain(by: place)
            }
        }
        try revocations.prepareStart()
        for id in again { print("\(id) has ended since the backup: it ends again") }
        if places.isEmpty {
            print(
                "warning: who has ended since the backup is not known here, and would be back: end them again (srup-c2 deregister), "
                    + "or restore with --ended")
        }
    }

    /// Folders beside this one whose authority is the same: where the old one was moved to, perhaps.
    private func neighbours(of folder: String) throws -> [String] {
        let url = URL(fileURLWithPath: folder)
        let own = try PublicFile.read(folder + "/ca.crt")
        let parent = url.deletingLastPathComponent().path
        return ((try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []).sorted().map { parent + "/" + $0 }
            .filter { place in
                place != folder && PublicFile.isThere(KeyServiceState.path(in: place))
                    && (try? PublicFile.read(place + "/ca.crt")) == own
            }
    }
}

/// A server's folder as a tar archive.
enum Archive {
    struct Failure: Error, CustomStringConvertible {
        let description: String
        var isConfiguration = false
    }

    /// What is made anew: sockets, locks, SQLite's own files beside a database (which is copied as a whole), and what waits
    /// at the broker.
    private static func isLeftOut(_ path: String) -> Bool {
        let names = path.split(separator: "/")
        let name = names.last ?? ""
        return path.hasPrefix("broker-data/") || name == "lock" || name.hasSuffix(".sock") || name.hasSuffix("-wal")
            || name.hasSuffix("-shm") || name.hasSuffix("-journal") || names.contains { $0.contains(".part") }
            || names.first == "before-database"
    }

    /// A folder of our own to work in, beside where the result goes: new, in place of what a run that was cut off has left
    /// there, never one that somebody else has made (the keys will be in it), and one run's alone.
    private final class Staging {
        let path: String
        private let descriptor: Int32

        init(_ path: String) throws {
            self.path = path
            let before = Self.open(path)
            defer { if before >= 0 { close(before) } }
            guard before < 0 || flock(before, LOCK_EX | LOCK_NB) == 0 else {
                throw Failure(description: "another backup or restore is at work in \(path)")
            }
            try? FileManager.default.removeItem(atPath: path)
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            guard mkdir(path, 0o700) == 0 else {
                throw Failure(description: "\(path) cannot be made: \(String(cString: strerror(errno)))")
            }
            descriptor = Self.open(path)
            guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                throw Failure(description: "\(path) cannot be held: \(String(cString: strerror(errno)))")
            }
            do {
                try PrivateFolder.check(path)
            } catch {
                rmdir(path)
                throw error
            }
        }

        deinit {
            if descriptor >= 0 { close(descriptor) }
        }

        private static func open(_ path: String) -> Int32 {
            Glibc.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }

        /// What is left of it at the end.
        func remove() { try? FileManager.default.removeItem(atPath: path) }
    }

    /// - Returns: how many files there are in it, and its size in bytes.
    static func write(_ folder: String, to file: String) throws -> (Int, Int) {
        guard !PublicFile.isThere(file) else { throw Failure(description: "\(file) is there already") }
        // Nothing of it may be read by others, at no moment.
        umask(0o077)
        let staging = try Staging(file + ".part.d")
        defer { staging.remove() }
        let tree = staging.path + "/tree"
        try PrivateFile.makeFolder(tree)
        var count = 0
        for path in try FileManager.default.subpathsOfDirectory(atPath: folder).sorted() where !isLeftOut(path) {
            switch kind(folder + "/" + path) {
            case S_IFDIR: try PrivateFile.makeFolder(tree + "/" + path)
            case S_IFREG:
                let (from, to) = (folder + "/" + path, tree + "/" + path)
                if path.hasSuffix(".db") {
                    try Database.copy(from, to: to)
                } else {
                    try FileManager.default.copyItem(atPath: from, toPath: to)
                }
                count += 1
            default: continue
            }
        }
        let stores = try ServerStores(folder)
        if stores.database != nil {
            // As files, which any machine can read.
            try PrivateFile.makeFolder(tree + "/server")
            count += try ServerStores(tree, nil).takeOver(stores).count
        }
        try PrivateFile.write(folder + "\n", to: tree + "/" + manifest)
        let part = staging.path + "/archive.tar"
        try tar(["-cf", part, "-C", tree, "."])
        let size = try FileManager.default.attributesOfItem(atPath: part)[.size] as? Int ?? 0
        guard link(part, file) == 0 else {
            throw Failure(description: "\(file) cannot be made: \(String(cString: strerror(errno)))")
        }
        sync()
        return (count, size)
    }

    /// Says where the folder was: the broker's configuration names it.
    private static let manifest = "backup-of"

    static func read(_ file: String, into folder: String) throws {
        guard PublicFile.isThere(file) else {
            throw Failure(description: "there is no file \(file)", isConfiguration: true)
        }
        guard !PublicFile.isThere(folder) else {
            throw Failure(
                description: "\(folder) is there already: move it away, or name another folder", isConfiguration: true)
        }
        umask(0o077)
        let staging = try Staging(folder + ".part")
        // Nothing is, once it has the folder's name.
        defer { staging.remove() }
        let part = staging.path
        do {
            try tar(["-xf", file, "-C", part, "--no-same-owner", "--no-same-permissions"])
            try check(part)
        } catch let error as Failure {
            throw Failure(description: "\(file) is no backup of srup-c2: \(error.description)", isConfiguration: true)
        }
        let before = try String(contentsOfFile: part + "/" + manifest, encoding: .utf8).filter { $0 != "\n" }
        unlink(part + "/" + manifest)
        try PrivateFile.makeFolder(part + "/broker-data")
        try move(part, from: before, to: folder)
        try useFiles(part)
        try ParticipantStore(path: Identity.statePath(part + "/server")).leapAhead()
        guard rename(part, folder) == 0 else {
            throw Failure(description: "\(folder) cannot be made: \(String(cString: strerror(errno)))")
        }
        sync()
    }

    /// Only files and folders, and what a server cannot be without.
    private static func check(_ folder: String) throws {
        for path in try FileManager.default.subpathsOfDirectory(atPath: folder) {
            let whole = folder + "/" + path
            switch kind(whole) {
            case S_IFDIR: chmod(whole, 0o700)
            case S_IFREG: chmod(whole, path.hasSuffix(".crt") ? 0o644 : 0o600)
            default: throw Failure(description: "\(path) in it is neither a file nor a folder")
            }
        }
        for path in [manifest, "c2.toml", "ca.key", "key-service.db", "server/identity.pem", "server/state.db"]
        where kind(folder + "/" + path) != S_IFREG {
            throw Failure(description: "\(path) is not in it")
        }
        for path in ["key-service.db", "server/state.db", "server/c2.db", "server/commands.db", "server/updates.db"]
        where PublicFile.isThere(folder + "/" + path) {
            let damage: String?
            do {
                damage = try Database.damage(folder + "/" + path)
            } catch {
                damage = "\(error)"
            }
            if let damage { throw Failure(description: "\(path) in it is damaged: \(damage)") }
        }
    }

    /// What was on a database server is in files now: what is there now is not overwritten by a backup.
    private static func useFiles(_ part: String) throws {
        guard try ServerSettings.database(part) != nil else { return }
        let text = try String(contentsOfFile: part + "/c2.toml", encoding: .utf8)
        let lines = text.components(separatedBy: "\n").map { line in
            let name = line.drop { $0 == " " }.prefix { $0 != "=" && $0 != " " }
            return name == "database" || name == "cell" ? "# " + line : line
        }
        try PrivateFile.write(lines.joined(separator: "\n"), to: part + "/c2.toml")
        guard try ServerSettings.database(part) == nil else {
            throw Failure(description: "c2.toml in it names a database in a way that is not understood")
        }
        print(
            "note: this was kept in a database; here it is in files. \"srup-c2 database move\" puts it into an empty one"
        )
    }

    /// The broker's configuration names its files with the folder.
    static func move(_ part: String, from before: String, to folder: String) throws {
        guard before != folder, before.hasPrefix("/") else { return }
        let names = ["mosquitto.conf", "acl", "rabbitmq.conf", "rabbitmq-env.conf", "rabbitmq-definitions.json"]
        for name in names where PublicFile.isThere(part + "/" + name) {
            let text = try String(contentsOfFile: part + "/" + name, encoding: .utf8)
            try PrivateFile.write(
                text.replacingOccurrences(of: before + "/", with: folder + "/"), to: part + "/" + name)
        }
    }

    private static func kind(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : 0
    }

    private static func tar(_ arguments: [String]) throws {
        guard let program = (["/usr/bin/tar", "/bin/tar"] as [String]).first(where: { access($0, X_OK) == 0 }) else {
            throw Failure(description: "there is no tar on this machine")
        }
        let process = try ChildProcess.start(program, arguments)
        let end = ChildProcess.wait(process, until: .now + .seconds(600))
        guard end == .exited(0) else { throw Failure(description: "tar: \(end?.description ?? "it took too long")") }
    }
}
