import Foundation
import Testing

@testable import PackageInstall

/// On the card image: srup-update(8) and srup-slot(8) are stand-ins here, which write down how they are called
/// (`deploy/image/test --self-update` has the real ones).
@Suite("The observer's package on the card image", .enabled(if: geteuid() == 0))
struct CardTests {
    private func card(_ bench: MachineBench, says: String, slot: String) throws -> CardWay {
        try bench.write("#!/bin/sh\necho \"$@\" >>\(bench.folder)/log\necho '\(says)'\n", to: bench.folder + "/update")
        try bench.write("#!/bin/sh\necho '\(slot)'\n", to: bench.folder + "/slot")
        for name in ["update", "slot"] { chmod(bench.folder + "/" + name, 0o755) }
        return CardWay(
            packages: bench.packages, service: bench.way.service, times: bench.times, update: bench.folder + "/update",
            slot: bench.folder + "/slot")
    }

    @Test("is refused in srup-update's words when that was tried before and did not stay")
    func didNotStay() throws {
        let bench = try MachineBench()
        try bench.order(try bench.package("2.0.0"))
        let way = try card(bench, says: "srup-update: this update was tried and did not stay", slot: "a stays")
        bench.expectRefused("was tried and did not stay", try bench.run(way))
        #expect(bench.text(bench.folder + "/log") == "--offline --deb \(bench.own)/new.deb\n")
    }

    @Test("stays when the system that runs after the trial has it, and nothing is begun again")
    func stays() throws {
        let bench = try MachineBench()
        let deb = try bench.package("2.0.0")
        try bench.order(deb)
        try bench.packages.install(deb)
        let record = InstallRecord(
            release: "2.0.0", version: "2.0.0", earlier: MachineBench.here, wasRunning: true, tries: 1)
        try OwnFolder(path: bench.own).save(record)
        let way = try card(bench, says: "", slot: "b stays")
        #expect(try bench.run(way) == .installed("2.0.0"))
        #expect(bench.text(bench.folder + "/log") == "" && !bench.exists(bench.orders + "/order"))
        #expect(bench.kept == ["highest", "lock"])
    }

    @Test("is given up after three tries that power cuts have ended")
    func tries() throws {
        let bench = try MachineBench()
        try bench.order(try bench.package("2.0.0"))
        let record = InstallRecord(
            release: "2.0.0", version: "2.0.0", earlier: MachineBench.here, wasRunning: true, tries: 3)
        try OwnFolder(path: bench.own).save(record)
        bench.expectRefused("came to no end", try bench.run(try card(bench, says: "", slot: "a stays")))
    }
}
