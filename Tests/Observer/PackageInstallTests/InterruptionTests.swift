import Foundation
import Storage
import Testing

@testable import PackageInstall

/// A power cut, or a kill, between the steps: the next run brings it to the new version or the old one.
@Suite("An installation that was interrupted", .enabled(if: geteuid() == 0))
struct InterruptionTests {
    /// Ends where the test wants, as a power cut does.
    private struct CutWay: InstallWay {
        enum Place { case beforeReverting, afterReverting }
        let real: AptWay
        let place: Place

        private func cut(_ now: Place) throws(InstallProblem) {
            if place == now { throw InstallProblem("the power is cut") }
        }
        func isRunning() -> Bool { real.isRunning() }
        func prepare(_ own: OwnFolder) throws(InstallProblem) { try real.prepare(own) }
        func install(_ record: InstallRecord, _ own: OwnFolder) throws(InstallProblem) { try real.install(record, own) }
        func trial(_ record: InstallRecord, hasReported: () -> Bool) -> InstallState {
            real.trial(record, hasReported: hasReported)
        }
        func revert(_ record: InstallRecord, _ own: OwnFolder) throws(InstallProblem) {
            try cut(.beforeReverting)
            try real.revert(record, own)
            try cut(.afterReverting)
        }
        func keep(_ own: OwnFolder) { real.keep(own) }
    }

    private func record(_ bench: MachineBench, _ phase: InstallRecord.Phase) throws {
        let record = InstallRecord(
            phase: phase, release: "2.0.0", version: "2.0.0", earlier: MachineBench.here, wasRunning: true,
            problem: "it was bad")
        try OwnFolder(path: bench.own).save(record)
    }

    /// All that lies there when the record has been written: the verified copy, the way back, the order.
    private func begun(_ bench: MachineBench, program: String? = nil) throws {
        let deb = try bench.package("2.0.0", program: program)
        try bench.order(deb)
        try FileManager.default.copyItem(atPath: deb, toPath: bench.own + "/new.deb")
        try bench.way.prepare(OwnFolder(path: bench.own))
    }

    @Test("while it was installed, is installed", arguments: [false, true])
    func installing(_ isUnpacked: Bool) throws {
        let bench = try MachineBench()
        try begun(bench)
        try record(bench, .installing)
        // As dpkg leaves it in its midst: unpacked, and not configured.
        if isUnpacked {
            try bench.must(
                "/usr/bin/dpkg",
                ["--root=\(bench.root)", "--force-script-chrootless", "--unpack", bench.own + "/new.deb"])
            #expect(!bench.packages.isConfigured)
        }
        // The program that goes on, whatever the new one does.
        #expect(bench.text(bench.own + "/srup-observer") == bench.text(bench.folder + "/systemctl"))
        #expect(access(bench.own + "/srup-observer", X_OK) == 0)
        #expect(try bench.run() == .installed("2.0.0"))
        #expect(bench.packages.isConfigured && bench.program == "version 2.0.0")
        #expect(bench.kept == ["earlier.deb", "highest", "lock"] && !bench.exists(bench.orders + "/order"))
    }

    @Test("in its trial, is tried again", arguments: ["version 2.0.0", "broken"])
    func trial(_ program: String) throws {
        let bench = try MachineBench()
        try begun(bench, program: program)
        try bench.packages.install(bench.own + "/new.deb")
        try record(bench, .trial)
        if program == "broken" {
            bench.times.report = .milliseconds(100)
            bench.expectRefused("has not reported in", try bench.run())
        } else {
            #expect(try bench.run() == .installed("2.0.0"))
        }
    }

    @Test("on its way back, goes back, with the reason of before", arguments: [false, true])
    func reverting(_ isUnpacked: Bool) throws {
        let bench = try MachineBench()
        try begun(bench)
        try bench.packages.install(bench.own + "/new.deb")
        if isUnpacked {
            try bench.must(
                "/usr/bin/dpkg",
                ["--root=\(bench.root)", "--force-script-chrootless", "--unpack", bench.own + "/earlier.deb"])
        }
        try record(bench, .reverting)
        bench.expectRefused("it was bad", try bench.run())
        #expect(bench.packages.isConfigured && bench.program == "version 1.0.0")
    }

    @Test("after it was kept, and before the order was taken away, is over at the next run")
    func kept() throws {
        let bench = try MachineBench()
        try bench.order(try bench.package("2.0.0"))
        #expect(try bench.run() == .installed("2.0.0"))
        try bench.write("install\n", to: bench.orders + "/order")
        guard case .refused(let why) = try bench.run() else { return _ = Issue.record("installed again") }
        #expect(why.contains("not newer") && !bench.exists(bench.orders + "/order") && bench.installed == "2.0.0")
    }

    @Test("whose way back fails, is gone on with by the next run; the order stays until then")
    func failing() throws {
        let bench = try MachineBench()
        bench.times.report = .milliseconds(100)
        for place in [CutWay.Place.beforeReverting, .afterReverting] {
            try bench.order(try bench.package("2.0.0", program: "broken"))
            let way = CutWay(real: bench.way, place: place)
            #expect(throws: InstallProblem.self) { _ = try bench.run(way) }
            #expect(bench.exists(bench.orders + "/order") && bench.kept.contains("record"))
            bench.expectRefused("has not reported in", try bench.run())
        }
    }

    @Test("is never in another's way: one run at a time")
    func twice() throws {
        let bench = try MachineBench()
        let lock = try FolderLock(bench.own)
        #expect(throws: (any Error).self) { _ = try bench.run() }
        withExtendedLifetime(lock) {}
    }
}
