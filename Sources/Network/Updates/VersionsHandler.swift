import Glibc
import Linux
import ObservedValue

/// A folder with a version in each of its folders, and a link to the one in use, which is switched.
struct VersionsHandler: UpdateHandler {
    let folder: String
    /// The link.
    let path: String
    /// What the payload is called in its folder; `nil`: it is an archive.
    let name: String?
    let isProgram: Bool

    var part: String { folder + "/.srup-update.part" }
    private var unpacked: String { folder + "/.srup-update.new" }
    private var newLink: String { path + ".srup-update" }

    /// By version and content: another payload has another folder.
    private func own(_ payload: Payload) -> String {
        folder + "/" + payload.version + "-" + Hex.encode(payload.digest.prefix(4))
    }

    func prepare(_ payload: Payload) throws(UpdateProblem) -> String {
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFLNK {
            throw .activation("\(path) is no link to a version")
        }
        let old = target ?? ""
        if Files.exists(own(payload)), old == own(payload) { throw .activation("this very payload is in use") }
        try remove(unpacked)
        guard mkdir(unpacked, 0o755) == 0 else { throw Files.problem(unpacked) }
        if let name {
            guard link(part, unpacked + "/" + name) == 0 else { throw Files.problem(unpacked) }
            guard chmod(part, isProgram ? 0o755 : 0o644) == 0 else { throw Files.problem(part) }
        } else {
            let tar = CommandRun.Command(
                program: "/usr/bin/tar",
                arguments: ["-x", "-f", part, "-C", unpacked, "--no-same-owner", "--no-same-permissions"],
                timeout: .seconds(600))
            try Files.run(tar, nil, payload, part: part)
        }
        // All of it, whatever the archive had in it.
        sync()
        return old
    }

    func make(_ payload: Payload, undo: String) throws(UpdateProblem) {
        if Files.exists(unpacked) {
            try remove(own(payload))
            try Files.move(unpacked, to: own(payload))
        }
        guard Files.exists(own(payload)) else { throw .activation("\(own(payload)) has gone") }
        try point(to: own(payload))
    }

    func revert(_ payload: Payload, undo: String) throws(UpdateProblem) {
        if undo.isEmpty { unlink(path) } else { try point(to: undo) }
        try remove(own(payload))
        discard()
    }

    /// The version before stays, for whoever wants to go back by hand; those before it do not.
    func keep(_ payload: Payload, undo: String) throws(UpdateProblem) {
        discard()
        let undo = undo.hasPrefix("/") ? undo : Files.folder(of: path) + "/" + undo
        for entry in versions where ![own(payload), undo].contains(entry) { try remove(entry) }
    }

    func discard() {
        unlink(part)
        unlink(newLink)
        try? remove(unpacked)
    }

    /// Those that were made here: their names end with eight digits of their payload's digest.
    private var versions: [String] {
        guard let listing = opendir(folder) else { return [] }
        defer { closedir(listing) }
        var found: [String] = []
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let parts = name.split(separator: "-")
            guard parts.count >= 2, let last = parts.last, last.utf8.count == 8, Hex.decode(last) != nil,
                name.first?.isNumber == true || name.first?.isLetter == true
            else { continue }
            found.append(folder + "/" + name)
        }
        return found
    }

    /// What the link leads to.
    private var target: String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count - 1)
        guard count > 0 else { return nil }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func point(to target: String) throws(UpdateProblem) {
        if self.target == target { return }
        unlink(newLink)
        guard symlink(target, newLink) == 0 else { throw Files.problem(newLink) }
        try Files.move(newLink, to: path)
    }

    /// With all that is in it, and nothing that lies elsewhere.
    private func remove(_ tree: String) throws(UpdateProblem) {
        guard Files.exists(tree) else { return }
        let rm = CommandRun.Command(
            program: "/bin/rm", arguments: ["-rf", "--one-file-system", "--", tree], timeout: .seconds(600))
        do {
            _ = try CommandRun(command: rm).run()
        } catch {
            throw .activation("\(tree) cannot be removed: \(error)")
        }
    }
}
