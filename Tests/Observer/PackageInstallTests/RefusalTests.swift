import Foundation
import Releases
import Testing

@testable import PackageInstall

/// What root does not install, whatever lies in the observer's folder.
@Suite("The observer's package is refused", .enabled(if: geteuid() == 0))
struct RefusalTests {
    @Test("when its manifest is not what root believes")
    func manifest() throws {
        let bench = try MachineBench()
        let deb = try bench.package("2.0.0")
        try bench.order(deb, signedBy: try ReleaseKey.generate())
        bench.expectRefused("which is not believed here", try bench.run())
        try bench.order(deb)
        try bench.write(
            bench.text(bench.orders + "/manifest").replacing("2.0.0", with: "2.0.1"), to: bench.orders + "/manifest")
        bench.expectRefused("signature is not its signer's", try bench.run())
        try bench.order(deb) { $0.type = "thermometer" }
        bench.expectRefused("for devices of type", try bench.run())
        try bench.order(deb) { $0.expires = 1_799_999_999 }
        bench.expectRefused("has expired", try bench.run())
        try bench.order(deb)
        try bench.write(String(repeating: "x", count: 5000), to: bench.orders + "/manifest")
        bench.expectRefused("larger than 4096 bytes", try bench.run())
        bench.maximumSize = 10
        try bench.order(deb)
        bench.expectRefused("more than the 10", try bench.run())
    }

    @Test("when it is not newer than what is installed, or than what was ever in use")
    func version() throws {
        let bench = try MachineBench()
        try bench.order(try bench.package("0.9"), release: "0.9")
        bench.expectRefused("not newer than 1.0.0", try bench.run())
        try bench.order(try bench.package("1.0.0+20270101.g2"), release: "1.0.0")
        bench.expectRefused("not newer than 1.0.0", try bench.run())
        try bench.write("2.5\n", to: bench.own + "/highest")
        try bench.order(try bench.package("2.0.0"))
        bench.expectRefused("not newer than 2.5", try bench.run())
        try bench.write("what?\n", to: bench.own + "/highest")
        try bench.order(try bench.package("3.0.0"), release: "3.0.0")
        bench.expectRefused("cannot be read", try bench.run())
    }

    @Test("when the package is not the one that its manifest names")
    func package() throws {
        let bench = try MachineBench()
        let deb = try bench.package("2.0.0")
        try bench.order(deb) { $0.digest[0] ^= 1 }
        bench.expectRefused("another digest", try bench.run())
        try bench.order(deb) { $0.size += 1 }
        bench.expectRefused("and its manifest says", try bench.run())
        try bench.order(try bench.package("2.0.0", name: "sudo"))
        bench.expectRefused("the package sudo, not srup-observer", try bench.run())
        try bench.order(try bench.package("2.0.0", architecture: "s390x"))
        bench.expectRefused("it is for s390x", try bench.run())
        try bench.order(try bench.package("2.0.1"))
        bench.expectRefused("it is version 2.0.1, and its manifest says 2.0.0", try bench.run())
        let noPackage = bench.folder + "/none.deb"
        try bench.write("no package", to: noPackage)
        try bench.order(noPackage)
        bench.expectRefused("dpkg-deb", try bench.run())
    }

    @Test("when something else lies in a file's place", arguments: ["manifest", "package.deb"])
    func names(_ name: String) throws {
        let bench = try MachineBench()
        let (deb, place) = (try bench.package("2.0.0"), bench.orders + "/" + name)
        let aside = bench.folder + "/aside"
        // Each time the very file that would be right, or something in its place.
        func anew(_ change: () -> Void) throws {
            for path in [place, aside] where unlink(path) != 0 { rmdir(path) }
            try bench.order(deb)
            change()
        }
        try anew {
            rename(place, aside)
            symlink(aside, place)
        }
        bench.expectRefused("symbolic link", try bench.run())
        try anew {
            rename(place, aside)
            link(aside, place)
        }
        bench.expectRefused("has another name", try bench.run())
        try anew {
            unlink(place)
            mkfifo(place, 0o600)
        }
        bench.expectRefused("is no file", try bench.run())
        try anew {
            unlink(place)
            mkdir(place, 0o700)
        }
        bench.expectRefused("is no file", try bench.run())
        try anew { chown(place, 1, 1) }
        bench.expectRefused("does not belong", try bench.run())
        try anew { unlink(place) }
        bench.expectRefused("No such file", try bench.run())
    }

    @Test("when the folder itself is a link, and nothing is written where it leads")
    func folder() throws {
        let bench = try MachineBench()
        try bench.order(try bench.package("2.0.0"))
        rename(bench.orders, bench.folder + "/elsewhere")
        symlink(bench.folder + "/elsewhere", bench.orders)
        #expect(try bench.run() == .nothing)
        #expect(bench.installed == MachineBench.here)
        #expect(bench.exists(bench.folder + "/elsewhere/order") && !bench.exists(bench.folder + "/elsewhere/refusal"))
    }

    @Test("without following what lies in the refusal's and the order's place")
    func refusal() throws {
        let bench = try MachineBench()
        let victim = bench.folder + "/victim"
        try bench.write("untouched", to: victim)
        try bench.order(try bench.package("0.9"), release: "0.9")
        for name in ["refusal", ".refusal.new"] { symlink(victim, bench.orders + "/" + name) }
        unlink(bench.orders + "/order")
        mkdir(bench.orders + "/order", 0o700)
        bench.expectRefused("not newer", try bench.run())
        #expect(bench.text(victim) == "untouched")
        // In its place a folder that is not empty: no refusal can be left, and the order goes all the same.
        try bench.order(try bench.package("0.9"), release: "0.9")
        unlink(bench.orders + "/refusal")
        mkdir(bench.orders + "/refusal", 0o700)
        try bench.write("", to: bench.orders + "/refusal/x")
        guard case .refused = try bench.run() else { return _ = Issue.record("not refused") }
        #expect(!bench.exists(bench.orders + "/order"))
    }

    @Test("when root has no key of its own, or others may write it")
    func keys() throws {
        let bench = try MachineBench()
        let (deb, good) = (try bench.package("2.0.0"), bench.text(bench.keys))
        for (change, why) in [
            ({ unlink(bench.keys) }, "there is no"),
            ({ try bench.write("# nothing\n", to: bench.keys) }, "names no release key"),
            ({ try bench.write(good + "no key\n", to: bench.keys) }, "a line is no public half"),
            ({ chmod(bench.keys, 0o666) }, "nobody else may write"),
            ({ chown(bench.keys, 1, 1) }, "nobody else may write"),
            (
                {
                    rename(bench.keys, bench.folder + "/other.pub")
                    symlink(bench.folder + "/other.pub", bench.keys)
                }, "nobody else may write"
            ),
        ] as [(() throws -> Void, String)] {
            unlink(bench.keys)
            try bench.write(good, to: bench.keys)
            chmod(bench.keys, 0o644)
            try change()
            try bench.order(deb)
            bench.expectRefused(why, try bench.run())
        }
    }

    @Test("not at all when nothing is ordered")
    func nothing() throws {
        let bench = try MachineBench()
        try bench.order(try bench.package("2.0.0"))
        unlink(bench.orders + "/order")
        #expect(try bench.run() == .nothing)
        #expect(bench.refusal == "" && bench.installed == MachineBench.here)
    }
}
