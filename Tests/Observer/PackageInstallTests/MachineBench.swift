import COpenSSL
import Foundation
import Linux
import Releases
import Storage
import Testing

@testable import PackageInstall

/// A machine in a folder: the real dpkg and apt work on a root of its own, in which `srup-observer` 1.0.0 is installed, made by
/// the real dpkg-deb. systemctl is a script that takes the installed "program" for the service: it runs when its text says so.
final class MachineBench {
    static let here = "1.0.0+20260101.g1"
    static let type = "observer"
    static let now = 1_800_000_000.0

    let folder: String
    let key: ReleaseKey
    var root: String { folder + "/root" }
    var orders: String { folder + "/state/update" }
    var own: String { folder + "/own" }
    var keys: String { folder + "/release.pub" }
    let packages: DebianPackages
    var allowsOlder = false
    var maximumSize: UInt64 = 1 << 30
    var times = InstallTimes()

    init() throws {
        let made = NSTemporaryDirectory() + "srup-package-\(UUID().uuidString)"
        folder = made
        key = try ReleaseKey.generate()
        packages = DebianPackages(root: made + "/root")
        for path in [
            "state/update", "own", "root/var/lib/dpkg/info", "root/var/lib/dpkg/updates", "root/var/lib/dpkg/triggers",
            "root/var/lib/apt/lists/partial", "root/var/cache/apt/archives/partial", "root/var/log/apt",
            "root/etc/apt/apt.conf.d", "root/etc/apt/preferences.d", "root/tmp",
        ] {
            try FileManager.default.createDirectory(atPath: folder + "/" + path, withIntermediateDirectories: true)
        }
        chmod(own, 0o700)
        try write("", to: root + "/var/lib/dpkg/status")
        try write("", to: root + "/etc/apt/sources.list")
        try write("# ours\n\(try key.publicKey)  # since 2026\n", to: keys)
        try writeSystemctl()
        times.report = .seconds(120)
        times.settle = .zero
        times.pace = 5000
        times.reverts = 1
        let first = try package(Self.here)
        try must("/usr/bin/dpkg", ["--root=\(root)", "--force-script-chrootless", "-i", first])
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Says of the service what the installed program's text says, and lets the observer report that it runs.
    private func writeSystemctl() throws {
        try write(
            """
            #!/bin/sh
            # Another process for each version.
            [ "$1" = show ] || exit 0
            text=$(cat \(root)/usr/bin/srup-observer)
            case "$text" in
                *broken*) state=failed ;;
                *silent*) state=active ;;
                *) state=active; [ ! -d \(orders) ] || echo "${text#version }" >\(orders)/running ;;
            esac
            printf 'ActiveState=%s\\nMainPID=%s\\nNRestarts=0\\n' $state $(cksum <\(root)/usr/bin/srup-observer | cut -c1-4)

            """, to: folder + "/systemctl")
        chmod(folder + "/systemctl", 0o755)
    }

    @discardableResult
    func must(_ program: String, _ arguments: [String]) throws -> String {
        let command = CommandRun.Command(program: program, arguments: arguments, timeout: .seconds(120))
        return String(decoding: try CommandRun(command: command, maximumOutput: 1 << 20).run(), as: UTF8.self)
    }

    func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    /// Makes a package; returns its path.
    func package(
        _ version: String, name: String = "srup-observer", architecture: String = "all", program: String? = nil,
        postinst: String? = nil
    ) throws -> String {
        let tree = folder + "/tree"
        try? FileManager.default.removeItem(atPath: tree)
        for path in ["DEBIAN", "usr/bin", "etc/srup-observer"] {
            try FileManager.default.createDirectory(atPath: tree + "/" + path, withIntermediateDirectories: true)
        }
        try write(
            "Package: \(name)\nVersion: \(version)\nArchitecture: \(architecture)\nMaintainer: nobody <n@localhost>\nDescription: a test\n a test\n",
            to: tree + "/DEBIAN/control")
        try write("/etc/srup-observer/srup-observer.toml\n", to: tree + "/DEBIAN/conffiles")
        try write(program ?? "version \(version.prefix { $0 != "+" })", to: tree + "/usr/bin/srup-observer")
        try write("# of \(version)\n", to: tree + "/etc/srup-observer/srup-observer.toml")
        if let postinst {
            try write("#!/bin/sh\n\(postinst)\n", to: tree + "/DEBIAN/postinst")
            chmod(tree + "/DEBIAN/postinst", 0o755)
        }
        let deb = folder + "/\(name)-\(version).deb"
        try must("/usr/bin/dpkg-deb", ["--root-owner-group", "-Zgzip", "-z1", "--build", tree, deb])
        return deb
    }

    /// What the observer does: package, manifest, order.
    func order(
        _ deb: String, signedBy other: ReleaseKey? = nil, release: String = "2.0.0",
        _ change: (inout ReleaseManifest.Content) -> Void = { _ in }
    ) throws {
        let bytes = Array(try #require(FileManager.default.contents(atPath: deb)))
        var digest = [UInt8](repeating: 0, count: 32)
        _ = SHA256(bytes, bytes.count, &digest)
        var content = ReleaseManifest.Content(
            type: Self.type, version: try #require(ReleaseVersion(release)), size: UInt64(bytes.count), digest: digest,
            expires: 1_900_000_000, url: "https://updates.example.net/x.deb")
        change(&content)
        try Data(bytes).write(to: URL(fileURLWithPath: orders + "/package.deb"))
        try write(try ReleaseManifest(content, signedBy: other ?? key).description, to: orders + "/manifest")
        try write("install\n", to: orders + "/order")
    }

    var way: AptWay {
        AptWay(
            packages: packages, service: ServiceWatch(program: folder + "/systemctl"), times: times,
            program: folder + "/systemctl")
    }

    func run(_ way: (any InstallWay)? = nil) throws -> PackageInstaller.Outcome {
        let (keys, size, older) = (keys, maximumSize, allowsOlder)
        let installer = PackageInstaller(
            orders: orders, below: folder + "/state", own: own, times: times, packages: packages, way: way ?? self.way,
            trust: {
                InstallTrust(
                    keys: try InstallTrust.keys(in: keys), type: Self.type, maximumSize: size, allowsOlder: older)
            }, now: { Self.now })
        return try installer.run()
    }

    var installed: String? { try? packages.installed().version }
    var program: String { text(root + "/usr/bin/srup-observer") }
    var refusal: String { text(orders + "/refusal") }
    func text(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
    func exists(_ path: String) -> Bool { PublicFile.isThere(path) }
    /// What lies in root's own folder.
    var kept: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: own)) ?? []).sorted() }

    /// Nothing was installed, the observer is told why, and nothing is left behind.
    func expectRefused(
        _ why: String, _ outcome: PackageInstaller.Outcome, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        guard case .refused(let reason) = outcome else {
            Issue.record("\(outcome)", sourceLocation: sourceLocation)
            return
        }
        #expect(reason.contains(why), "\(reason)", sourceLocation: sourceLocation)
        #expect(refusal == reason + "\n", sourceLocation: sourceLocation)
        #expect(installed == Self.here, sourceLocation: sourceLocation)
        #expect(!exists(orders + "/order"), sourceLocation: sourceLocation)
        #expect(!kept.contains("new.deb") && !kept.contains("record"), "\(kept)", sourceLocation: sourceLocation)
    }
}
