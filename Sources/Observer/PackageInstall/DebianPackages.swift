import Glibc
import Linux

/// The machine's package system, as root uses it: dpkg and apt, without a shell and bounded in time and output.
public struct DebianPackages: Sendable {
    /// The observer's own package.
    public static let name = "srup-observer"

    /// Where the system is.
    let root: String

    /// - Parameter root: `/`, or a folder with another system, on which packages are put without their scripts being run in it
    ///   (dpkg(1), `--force-script-chrootless`).
    public init(root: String = "/") { self.root = root }

    /// What a package says of itself, or dpkg of one that is installed.
    public struct Package: Sendable, Hashable {
        /// The field Package.
        public var name: String
        /// The field Version.
        public var version: String
        /// The field Architecture.
        public var architecture: String
    }

    // Longer than a busy apt, on a slow card, with what has to be fetched.
    private static let installTime = Duration.seconds(900)
    /// So long apt waits for another that has the lock, in seconds.
    private static let lockTime = 300
    private static let maximumOutput = 4 << 20

    @discardableResult
    private func run(
        _ program: String, _ arguments: [String], within timeout: Duration = .seconds(120)
    ) throws(InstallProblem) -> String {
        let command = CommandRun.Command(program: program, arguments: arguments, timeout: timeout)
        let run = CommandRun(
            command: command, environment: ["DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"],
            maximumOutput: Self.maximumOutput)
        do throws(CommandRun.Failure) {
            return String(decoding: try run.run(), as: UTF8.self)
        } catch {
            throw InstallProblem("\(program): \(error)")
        }
    }

    private var isOwn: Bool { root == "/" }
    private var elsewhere: [String] { isOwn ? [] : ["--root=\(root)"] }

    /// Fields of a package's file.
    ///
    /// - Throws: ``InstallProblem`` when it is no package.
    public func fields(of deb: String) throws(InstallProblem) -> Package {
        let format = "${Package}\n${Version}\n${Architecture}\n"
        return try Self.package(try run("/usr/bin/dpkg-deb", ["-W", "--showformat=\(format)", deb]))
    }

    /// The observer's package as it is installed.
    ///
    /// - Throws: ``InstallProblem`` when it is not.
    public func installed() throws(InstallProblem) -> Package {
        let format = "${Package}\n${Version}\n${Architecture}\n"
        return try Self.package(try run("/usr/bin/dpkg-query", elsewhere + ["-W", "-f", format, Self.name]))
    }

    /// Whether the observer's package is whole, with its scripts run: a power cut may have left it half done.
    var isConfigured: Bool {
        (try? run("/usr/bin/dpkg-query", elsewhere + ["-W", "-f", "${db:Status-Status}", Self.name])) == "installed"
    }

    private static func package(_ text: String) throws(InstallProblem) -> Package {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard lines.count == 4, !lines[0].isEmpty, !lines[1].isEmpty, !lines[2].isEmpty else {
            throw InstallProblem("there is no package where one should be")
        }
        return Package(name: lines[0], version: lines[1], architecture: lines[2])
    }

    /// The machine's own architecture.
    ///
    /// - Throws: ``InstallProblem``.
    public func architecture() throws(InstallProblem) -> String {
        try run("/usr/bin/dpkg", ["--print-architecture"]).filter { !$0.isNewline }
    }

    /// Installs a package's file, newer or older than what is there, with what it needs; waits for others who use apt.
    /// Configuration that was changed stays, and no other package is removed for it.
    ///
    /// - Throws: ``InstallProblem``; then the package system may be amid its work, and this can be called again.
    public func install(_ deb: String) throws(InstallProblem) {
        // What a power cut has interrupted; a package that cannot be configured is what may be put right now.
        _ = try? run("/usr/bin/dpkg", elsewhere + force + ["--configure", "-a"], within: Self.installTime)
        var options = [
            "-y", "-qq", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=\(Self.lockTime)", "--no-remove",
            "--no-install-recommends", "--allow-downgrades", "--reinstall",
        ]
        for word in ["--force-confdef", "--force-confold"] + elsewhere + force {
            options += ["-o", "Dpkg::Options::=\(word)"]
        }
        if !isOwn {
            options += ["-o", "Dir=\(root)", "-o", "Dir::State::status=\(root)/var/lib/dpkg/status"]
        }
        try run("/usr/bin/apt-get", options + ["install", deb], within: Self.installTime)
    }

    private var force: [String] { isOwn ? [] : ["--force-script-chrootless"] }

    // MARK: The way back

    /// Makes a package's file again from what is installed: its files and folders as they lie there, its scripts and fields as
    /// dpkg knows them. Configuration that the administrator has changed stays out of it, and is not touched when it is put back.
    ///
    /// - Parameters:
    ///   - deb: the file, made as a whole or not at all.
    ///   - work: a folder of root's, emptied before and after.
    /// - Throws: ``InstallProblem``.
    public func repack(to deb: String, in work: String) throws(InstallProblem) {
        try run("/bin/rm", ["-rf", "--one-file-system", "--", work])
        defer { _ = try? run("/bin/rm", ["-rf", "--one-file-system", "--", work]) }
        try run("/bin/mkdir", ["-p", "-m", "755", work + "/DEBIAN"])
        let paths = try run("/usr/bin/dpkg-query", elsewhere + ["-L", Self.name])
            .split(separator: "\n").filter { $0.hasPrefix("/") && $0 != "/." }
        let status = try run("/usr/bin/dpkg-query", elsewhere + ["-s", Self.name])
        let conffiles = conffiles(status)
        var files = ""
        for path in paths where !conffiles.changed.contains(String(path)) {
            var status = stat()
            // What the administrator has removed cannot be put back.
            guard lstat(place(String(path)), &status) == 0 else { continue }
            files += path.dropFirst() + "\n"
        }
        let list = work + ".list"
        defer { unlink(list) }
        try Self.write(files, to: list)
        let archive = work + ".tar"
        defer { unlink(archive) }
        try run(
            "/bin/tar", ["-c", "-f", archive, "-C", root, "--no-recursion", "-T", list], within: .seconds(600))
        try run("/bin/tar", ["-x", "-p", "-f", archive, "-C", work], within: .seconds(600))
        try control(status, conffiles.own, in: work + "/DEBIAN")
        let new = deb + ".new"
        unlink(new)
        try run(
            "/usr/bin/dpkg-deb", ["--root-owner-group", "-Zgzip", "-z1", "--build", work, new], within: .seconds(600))
        sync()
        guard rename(new, deb) == 0 else { throw InstallProblem(deb, errno) }
    }

    /// Copies a file as it is, and has it on the disk.
    func copy(_ path: String, to copy: String) throws(InstallProblem) {
        try run("/bin/cp", ["-p", "--remove-destination", "--", path, copy])
        sync()
    }

    private func place(_ path: String) -> String { isOwn ? path : root + path }

    /// The configuration files that are as the package brought them, and those that are not: as part of the package, what the
    /// administrator has written would count as the package's, and the next version would replace it.
    private func conffiles(_ status: String) -> (own: [String], changed: Set<String>) {
        var (own, changed, isConffiles): ([String], Set<String>, Bool) = ([], [], false)
        for line in status.split(separator: "\n") {
            guard line.hasPrefix(" "), isConffiles else {
                isConffiles = line.hasPrefix("Conffiles:")
                continue
            }
            let words = line.split(separator: " ").map(String.init)
            guard words.count >= 2 else { continue }
            let sum = try? run("/usr/bin/md5sum", ["--", place(words[0])])
            if words.count == 2, sum?.hasPrefix(words[1] + " ") == true {
                own.append(words[0])
            } else {
                changed.insert(words[0])
            }
        }
        return (own, changed)
    }

    /// Fields and scripts.
    private func control(_ status: String, _ conffiles: [String], in folder: String) throws(InstallProblem) {
        var (text, isConffiles) = ("", false)
        for line in status.split(separator: "\n") {
            isConffiles = line.hasPrefix("Conffiles:") || isConffiles && line.hasPrefix(" ")
            if !isConffiles, !line.hasPrefix("Status:") { text += line + "\n" }
        }
        try Self.write(text, to: folder + "/control")
        if !conffiles.isEmpty { try Self.write(conffiles.map { $0 + "\n" }.joined(), to: folder + "/conffiles") }
        let scripts = try run("/usr/bin/dpkg-query", elsewhere + ["--control-list", Self.name]).split(separator: "\n")
        for script in ["preinst", "postinst", "prerm", "postrm", "triggers"] where scripts.contains(Substring(script)) {
            let content = try run("/usr/bin/dpkg-query", elsewhere + ["--control-show", Self.name, script])
            try Self.write(content, to: folder + "/" + script)
            chmod(folder + "/" + script, script == "triggers" ? 0o644 : 0o755)
        }
    }

    private static func write(_ text: String, to path: String) throws(InstallProblem) {
        unlink(path)
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw InstallProblem(path, errno) }
        defer { close(file) }
        guard writeAll(Array(text.utf8), to: file) else { throw InstallProblem(path, errno) }
    }
}
