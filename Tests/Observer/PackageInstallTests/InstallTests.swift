import Foundation
import Releases
import Testing

@testable import PackageInstall

/// The real apt and dpkg, on a root of their own.
@Suite("The observer's package is installed", .enabled(if: geteuid() == 0))
struct InstallTests {
    private static let new = "2.0.0+20260601.g2"

    @Test("and stays when the new version reports in; what the administrator has configured stays, too")
    func stays() throws {
        let bench = try MachineBench()
        try bench.write("# by hand\n", to: bench.root + "/etc/srup-observer/srup-observer.toml")
        try bench.order(try bench.package(Self.new))
        #expect(try bench.run() == .installed(Self.new))
        #expect(bench.installed == Self.new && bench.program == "version 2.0.0")
        #expect(bench.text(bench.root + "/etc/srup-observer/srup-observer.toml") == "# by hand\n")
        #expect(!bench.exists(bench.orders + "/order") && bench.refusal == "")
        #expect(bench.kept == ["earlier.deb", "highest", "lock"])
        #expect(bench.text(bench.own + "/highest") == "2.0.0\n")
        // What was installed this way is the way back from the next one.
        #expect(try bench.packages.fields(of: bench.own + "/earlier.deb").version == Self.new)
        try bench.order(try bench.package("1.5"), release: "1.5")
        guard case .refused = try bench.run() else { return _ = Issue.record("an older one was taken") }
        bench.allowsOlder = true
        try bench.order(try bench.package("1.5"), release: "1.5")
        #expect(try bench.run() == .installed("1.5"))
        #expect(bench.text(bench.own + "/highest") == "2.0.0\n")
    }

    @Test(
        "and goes back when it does not run, does not report in, or cannot be configured",
        arguments: [
            ("broken", nil, "has not reported in"), ("silent", nil, "has not reported in"),
            ("version 3.1", nil, "has not reported in"), (nil, "exit 1", "apt-get"),
        ] as [(String?, String?, String)])
    func goesBack(_ program: String?, _ postinst: String?, _ why: String) throws {
        let bench = try MachineBench()
        try bench.write("# by hand\n", to: bench.root + "/etc/srup-observer/srup-observer.toml")
        bench.times.report = .milliseconds(200)
        try bench.order(try bench.package(Self.new, program: program, postinst: postinst))
        bench.expectRefused(why, try bench.run())
        #expect(bench.program == "version 1.0.0" && bench.packages.isConfigured)
        #expect(bench.text(bench.root + "/etc/srup-observer/srup-observer.toml") == "# by hand\n")
        #expect(!bench.exists(bench.own + "/highest"))
        // A good one is taken after it.
        bench.times.report = .seconds(120)
        try bench.order(try bench.package("2.0.1"), release: "2.0.1")
        #expect(try bench.run() == .installed("2.0.1"))
        // The way back has not made the administrator's words the package's own, which the next version would replace.
        #expect(bench.text(bench.root + "/etc/srup-observer/srup-observer.toml") == "# by hand\n")
    }

    @Test("without a report where the observer did not run before")
    func didNotRun() throws {
        let bench = try MachineBench()
        try bench.write("version 1.0.0 broken", to: bench.root + "/usr/bin/srup-observer")
        try bench.order(try bench.package(Self.new, program: "broken"))
        #expect(try bench.run() == .installed(Self.new))
    }

    @Test("never without a way back")
    func noWayBack() throws {
        let bench = try MachineBench()
        try bench.order(try bench.package(Self.new))
        // Nothing can be made there.
        mkdir(bench.own + "/earlier.deb", 0o700)
        try bench.write("", to: bench.own + "/earlier.deb/x")
        bench.expectRefused("earlier.deb", try bench.run())
    }

    @Test("The package that is made again for the way back is the installed one, with its scripts and fields")
    func repacked() throws {
        let bench = try MachineBench()
        let first = try bench.package("1.1", postinst: "exit 0")
        try bench.packages.install(first)
        let copy = bench.folder + "/copy.deb"
        try bench.packages.repack(to: copy, in: bench.folder + "/work")
        #expect(try bench.packages.fields(of: copy) == bench.packages.fields(of: first))
        func listing(_ deb: String, _ part: String) throws -> String {
            let folder = bench.folder + "/listing"
            try? FileManager.default.removeItem(atPath: folder)
            try bench.must("/usr/bin/dpkg-deb", ["-R", deb, folder])
            return try bench.must(
                "/bin/sh",
                [
                    "-c",
                    "cd \(folder)/\(part) && find . -type f ! -name control -printf '%m %p ' -exec cat {} \\; | sort",
                ])
        }
        for part in ["usr", "etc", "DEBIAN"] { #expect(try listing(copy, part) == listing(first, part), "\(part)") }
        #expect(!bench.exists(bench.folder + "/work") && !bench.exists(copy + ".new"))
    }
}
