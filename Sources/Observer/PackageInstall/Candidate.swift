import Glibc
import Linux
import Releases
import Storage

/// Whom root believes: its own word, which the observer cannot change.
public struct InstallTrust: Sendable {
    /// The release keys.
    public var keys: [ReleasePublicKey]
    /// The observer's type: manifests for another one are refused.
    public var type: String
    /// Larger packages are refused, in bytes.
    public var maximumSize: UInt64
    /// Whether a lower or the same version is taken as well.
    public var allowsOlder: Bool

    /// What root believes.
    public init(keys: [ReleasePublicKey], type: String, maximumSize: UInt64, allowsOlder: Bool) {
        self.keys = keys
        self.type = type
        self.maximumSize = maximumSize
        self.allowsOlder = allowsOlder
    }

    /// A longer file of keys is none, in bytes.
    private static let maximumLength = 8192

    /// Reads root's own copy of the release keys: a public half a line, what follows `#` is a comment.
    ///
    /// - Throws: ``InstallProblem`` when it is not there, others than root may change it, or a line is no key.
    public static func keys(in path: String) throws(InstallProblem) -> [ReleasePublicKey] {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            throw errno == ENOENT
                ? InstallProblem(
                    "there is no \(path): root installs only what a release key in it has signed (srup-release key --show)"
                )
                : InstallProblem(path, errno)
        }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
            throw InstallProblem("\(path) must be a file that belongs to root, in which nobody else may write")
        }
        let text: String
        do throws(PrivateFileError) {
            try PrivateFolder.check(path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".", isOurs: true)
            text = try PublicFile.read(path, atMost: maximumLength)
        } catch {
            throw InstallProblem("\(error)")
        }
        var keys: [ReleasePublicKey] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let word = line.prefix { $0 != "#" }.filter { !$0.isWhitespace }
            if word.isEmpty { continue }
            guard let key = ReleasePublicKey(word) else {
                throw InstallProblem("\(path): a line is no public half of a release key (64 hexadecimal digits)")
            }
            keys.append(key)
        }
        guard !keys.isEmpty else { throw InstallProblem("\(path) names no release key") }
        return keys
    }
}

/// A package that was taken out of the order's folder, verified in every way before anything of it is opened.
struct Candidate: Sendable {
    let manifest: ReleaseManifest
    /// Its own field Version.
    let version: String

    /// Takes it: the manifest first, then just what that names, as a copy in root's folder.
    ///
    /// - Throws: ``InstallProblem``; then there is no copy.
    static func take(
        from orders: OrderFolder, to own: OwnFolder, trust: InstallTrust, packages: DebianPackages, now: Double
    ) throws(InstallProblem) -> Candidate {
        let installed = try packages.installed()
        guard let here = release(of: installed.version) else {
            throw InstallProblem("the version that is installed, \(installed.version), cannot be compared")
        }
        let manifest: ReleaseManifest
        do throws(ReleaseError) {
            manifest = try ReleaseManifest(parsing: try manifestBytes(orders))
            let highest = try highest(own)
            try manifest.check(
                keys: trust.keys, type: trust.type, highest: max(here, highest ?? here), now: now,
                allowsOlder: trust.allowsOlder)
        } catch {
            throw InstallProblem("\(error)")
        }
        guard manifest.size <= trust.maximumSize else {
            throw InstallProblem(
                "its \(manifest.size) bytes are more than the \(trust.maximumSize) that are taken here")
        }
        try checkRoom(manifest.size, own)
        try orders.copy(.package, size: manifest.size, to: own.package)
        do throws(InstallProblem) {
            return try verified(manifest, own.package, installed, packages)
        } catch {
            unlink(own.package)
            throw error
        }
    }

    private static func manifestBytes(_ orders: OrderFolder) throws(ReleaseError) -> [UInt8] {
        do throws(InstallProblem) {
            return try orders.bytes(.manifest, atMost: ReleaseManifest.maximumLength)
        } catch {
            throw .malformed(error.description)
        }
    }

    private static func highest(_ own: OwnFolder) throws(ReleaseError) -> ReleaseVersion? {
        do throws(InstallProblem) {
            return try own.highest
        } catch {
            throw .malformed(error.description)
        }
    }

    /// The copy, the way back and what is unpacked need room, too: four times the package.
    private static func checkRoom(_ size: UInt64, _ own: OwnFolder) throws(InstallProblem) {
        var space = statvfs()
        guard statvfs(own.path, &space) == 0 else { throw InstallProblem(own.path, errno) }
        let (free, isTooMuch) = UInt64(space.f_bavail).multipliedReportingOverflow(by: UInt64(space.f_frsize))
        guard isTooMuch || free / 4 >= size else { throw InstallProblem("there is no room for it on the disk") }
    }

    private static func verified(
        _ manifest: ReleaseManifest, _ copy: String, _ installed: DebianPackages.Package, _ packages: DebianPackages
    ) throws(InstallProblem) -> Candidate {
        guard PayloadDigest.matches(copy, manifest.digest) else {
            throw InstallProblem("the package has another digest than its manifest says")
        }
        // From here on it is the release key's word what is in it.
        let package = try packages.fields(of: copy)
        guard package.name == DebianPackages.name else {
            throw InstallProblem("it is the package \(package.name), not \(DebianPackages.name)")
        }
        let architecture = try packages.architecture()
        guard package.architecture == architecture || package.architecture == "all" else {
            throw InstallProblem("it is for \(package.architecture), and this machine is \(architecture)")
        }
        guard release(of: package.version) == manifest.version else {
            throw InstallProblem(
                "it is version \(package.version), and its manifest says \(manifest.version)")
        }
        guard package.version != installed.version else {
            throw InstallProblem("version \(package.version) is installed already")
        }
        return Candidate(manifest: manifest, version: package.version)
    }

    /// The version in a package's field Version: without what was built when (`1.4.2+20260501.g12345678`, as Semantic
    /// Versioning's build metadata), and with Debian's sign for a trial (`2.0.0~rc.1`) as ours.
    static func release(of version: String) -> ReleaseVersion? {
        let upstream = version.prefix { $0 != "+" }
        return ReleaseVersion(String(upstream.map { $0 == "~" ? "-" : $0 }))
    }
}
