import Foundation
import ObservedValue
import Releases
import SRUP
import Testing

@testable import Updates

@Suite("Updates are fetched")
struct FetchingTests {
    private static func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
    }

    @Test("verified, and put to use when the server says so")
    func all() async throws {
        let bench = try await UpdateBench()
        let token = try await bench.offer(Array("new".utf8))
        #expect(bench.answers(token) == [.updateSuccess])
        #expect(bench.inUse == "old")
        try await bench.say(.activate, token)
        try await bench.wait(.seconds(10))
        #expect(bench.answers(token) == [.updateSuccess, .activateSuccess])
        #expect(bench.inUse == "new")
        #expect(bench.leftOvers == [])
        #expect(bench.value("UPDATE_VERSION") == Array("2.0.0".utf8))
    }

    @Test("in pieces when the connection is cut at every tenth, each byte once")
    func cuts() async throws {
        let bench = try await UpdateBench()
        let payload = Self.bytes(1_000_000)
        try bench.web.fault("payload", ["cut": payload.count / 10])
        let token = try await bench.offer(payload)
        try await bench.wait(.seconds(300))
        #expect(bench.answers(token) == [.updateSuccess])
        let sent = bench.web.sent("payload")
        #expect(sent.answers == 10)
        #expect(sent.bytes == payload.count)
    }

    @Test("from the beginning where the web server knows no ranges, or has another file meanwhile")
    func noRanges() async throws {
        for fault in [["no_range": true], ["mark": "another"], ["shift": 7], ["no_mark": true]] as [[String: Any]] {
            let bench = try await UpdateBench()
            let payload = Self.bytes(100_000)
            try bench.web.fault("payload", ["cut": 60_000])
            let token = try await bench.offer(payload)
            try bench.web.fault("payload", fault)
            try await bench.wait(.seconds(30))
            #expect(bench.answers(token) == [.updateSuccess], "\(fault): \(bench.problem)")
        }
    }

    @Test("on where an earlier run has ended")
    func overRestarts() async throws {
        let bench = try await UpdateBench()
        let payload = Self.bytes(1_000_000)
        try bench.web.fault("payload", ["cut": 300_000])
        let token = try await bench.offer(payload)
        for _ in 0..<2 { try await bench.restart() }
        bench.web.healthy()
        try await bench.restart()
        try await bench.wait(.seconds(60))
        #expect(bench.answers(token) == [.updateSuccess])
        #expect(bench.web.sent("payload").bytes <= payload.count * 11 / 10)
    }

    @Test("when the web server comes back after an hour")
    func gone() async throws {
        let bench = try await UpdateBench()
        let payload = Self.bytes(100_000)
        try bench.web.fault("payload", ["cut": 50_000])
        let token = try await bench.offer(payload)
        bench.web.stop()
        try await bench.wait(.seconds(3600), step: .seconds(60))
        #expect(bench.answers(token) == [])
        try bench.web.start()
        bench.web.healthy()
        try await bench.wait(.seconds(900), step: .seconds(60))
        #expect(bench.answers(token) == [.updateSuccess])
        #expect(bench.web.sent("payload").bytes == payload.count)
    }

    @Test("not for longer than they may take")
    func neverBack() async throws {
        let bench = try await UpdateBench { $0.patience = .seconds(1800) }
        try bench.web.fault("payload", ["cut": 10])
        let token = try await bench.offer(Self.bytes(1000))
        bench.web.stop()
        try await bench.wait(.seconds(2000), step: .seconds(60))
        bench.expectOld(token, .updateFailServer, "could not be fetched")
    }

    @Test("not when size or digest are not those of the manifest")
    func wrong() async throws {
        let payload = Self.bytes(50_000)
        var other = payload
        other[49_999] ^= 1
        for (served, status, why) in [
            (Array(payload.dropLast()), Status.updateFailFile, "its manifest says"),
            (payload + [1], .updateFailFile, "its manifest says"),
            (other, .updateFailDigest, "another digest"),
            ([], .updateFailFile, "empty"),
        ] {
            let bench = try await UpdateBench()
            let token = try await bench.offer(payload, served: served)
            bench.expectOld(token, status, why)
        }
    }

    @Test("not without an end, and not beyond the manifest's or the configuration's bound")
    func endless() async throws {
        let bench = try await UpdateBench { $0.maximumSize = 1 << 20 }
        try bench.web.fault("payload", ["endless": true])
        let token = try await bench.offer(Self.bytes(100_000))
        bench.expectOld(token, .updateFailFile, "larger than its manifest says")
        try bench.web.fault("manifest", ["endless": true])
        bench.expectOld(try await bench.offer(Self.bytes(100)), .updateFailFile, "larger than")
        bench.web.healthy()
        let large = try await bench.offer(Self.bytes(100)) { $0.size = 2 << 20 }
        bench.expectOld(large, .updateFailFile, "more than the 1048576")
        let huge = try await bench.offer(Self.bytes(100)) { $0.size = 15 << 30 }
        bench.expectOld(huge, .updateFailFile, "more than the 1048576")
    }

    @Test("not where there is no room")
    func noRoom() async throws {
        let bench = try await UpdateBench()
        // The disk is full after 2 MiB of each file, as far as this process can tell.
        var before = rlimit()
        getrlimit(__rlimit_resource_t(1), &before)
        signal(SIGXFSZ, SIG_IGN)
        var small = rlimit(rlim_cur: 2 << 20, rlim_max: before.rlim_max)
        try bench.web.put(Self.bytes(3 << 20), as: "payload")
        setrlimit(__rlimit_resource_t(1), &small)
        defer { setrlimit(__rlimit_resource_t(1), &before) }
        let payload = Self.bytes(3 << 20)
        let content = ReleaseManifest.Content(
            type: UpdateBench.type, version: try #require(ReleaseVersion("2")), size: 3 << 20,
            digest: UpdateBench.digest(payload), expires: 1_900_000_000, url: bench.web.url("payload"))
        let manifest = try ReleaseManifest(content, signedBy: bench.key)
        try bench.web.put(manifest.bytes, as: "manifest")
        let token = Token.random()
        try await bench.say(
            .initiate(
                url: TerminatedText(bench.web.url("manifest")),
                digest: TerminatedText(Hex.encode(UpdateBench.digest(manifest.bytes)))), token)
        bench.expectOld(token, .updateFailFile, "no room")
    }

    /// A disk of 1 MiB, where this process may mount one.
    @Test("not begun when the disk has no room for it", .enabled(if: geteuid() == 0))
    func noRoomFromTheBeginning() async throws {
        let bench = try await UpdateBench()
        guard mount("tmpfs", bench.place, "tmpfs", 0, "size=1m") == 0 else { return }
        defer { umount2(bench.place, Int32(MNT_DETACH)) }
        try Data("old".utf8).write(to: URL(fileURLWithPath: bench.path))
        bench.expectOld(try await bench.offer(Self.bytes(3 << 20)), .updateFailFile, "no room")
        #expect(bench.web.sent("payload").answers == 0)
    }

    @Test("not from an address that is not https, be it by a redirection")
    func plain() async throws {
        let bench = try await UpdateBench()
        try bench.web.fault("payload", ["redirect": "http://localhost:\(bench.web.port)/payload"])
        bench.expectOld(try await bench.offer(Self.bytes(100)), .updateFailServer, "not https")
        try bench.web.fault("payload", ["redirect": bench.web.url("payload")])
        bench.expectOld(try await bench.offer(Self.bytes(100)), .updateFailServer, "more than 3 times")
        try bench.web.fault("payload", ["redirect": "file:///etc/passwd"])
        bench.expectOld(try await bench.offer(Self.bytes(100)), .updateFailServer, "not https")
        let token = Token.random()
        let digest = TerminatedText(String(repeating: "0", count: 64))
        try await bench.say(.initiate(url: TerminatedText("http://localhost/x"), digest: digest), token)
        bench.expectOld(token, .updateFailFile, "only https")
    }

    @Test("not from a web server whose certificate is not believed")
    func stranger() async throws {
        let other = try WebServer()
        let bench = try await UpdateBench { $0.authority = .file(other.authority) }
        let token = try await bench.offer(Self.bytes(100))
        try await bench.wait(.seconds(120), step: .seconds(5))
        bench.expectOld(token, .updateFailServer, "certificate")
    }

    @Test("not when the web server refuses, with the beginning of what it says, however much that is")
    func refused() async throws {
        for status in [404, 403, 500] {
            let bench = try await UpdateBench()
            try bench.web.fault("payload", ["status": status, "size": 1 << 30])
            let token = try await bench.offer(Self.bytes(100))
            try await bench.wait(.seconds(120), step: .seconds(5))
            bench.expectOld(token, .updateFailHTTPError, "HTTP status \(status)")
            #expect(bench.value("HTTP_STATUS") == DataValue.int32(Int32(status)).wire)
            #expect(bench.value("HTTP_BODY")?.count == Download.maximumBody)
            #expect(bench.web.sent("payload").bytes < 64 << 20)
            #expect(bench.web.sent("payload").answers == (status == 500 ? Updater.maximumTroubles : 1))
        }
    }

    @Test("by a manifest for this device, in time, upwards, and signed by a key that is believed")
    func manifests() async throws {
        let bench = try await UpdateBench { $0.installed = ReleaseVersion("1.5") }
        let payload = Self.bytes(1000)
        bench.expectOld(try await bench.offer(payload) { $0.type = "lamp" }, .updateFailFile, "of type \"lamp\"")
        bench.expectOld(try await bench.offer(payload, version: "1.4.9"), .updateFailFile, "not newer")
        bench.expectOld(try await bench.offer(payload, version: "1.5.0"), .updateFailFile, "not newer")
        bench.expectOld(try await bench.offer(payload) { $0.expires = 1_799_999_999 }, .updateFailFile, "expired")
        bench.expectOld(
            try await bench.offer(payload, signedBy: .generate()), .updateFailDigest, "not believed here")
        #expect(bench.web.sent("payload").answers == 0)
        let token = Token.random()
        try bench.web.put(Array("SRUP release manifest 1\nnonsense".utf8), as: "manifest")
        let digest = Hex.encode(UpdateBench.digest(Array("SRUP release manifest 1\nnonsense".utf8)))
        try await bench.say(
            .initiate(url: TerminatedText(bench.web.url("manifest")), digest: TerminatedText(digest)), token)
        bench.expectOld(token, .updateFailFile, "no manifest")
        let other = Token.random()
        try await bench.say(
            .initiate(
                url: TerminatedText(bench.web.url("manifest")),
                digest: TerminatedText(String(repeating: "0", count: 64))),
            other)
        bench.expectOld(other, .updateFailDigest, "not the one")
        let upper = Token.random()
        try await bench.say(
            .initiate(url: TerminatedText(bench.web.url("manifest")), digest: TerminatedText(digest.uppercased())),
            upper)
        bench.expectOld(upper, .updateFailDigest, "lower case")
    }

    @Test("without a manifest from a reference server, with and without its NULs, in both versions")
    func reference() async throws {
        for version in [ProtocolVersion.v4, .v5] {
            for terminated in [true, false] {
                let bench = try await UpdateBench { $0.requiresReleaseKey = false }
                try bench.serverSpeaks(version)
                let payload = Self.bytes(10_000)
                try bench.web.put(payload, as: "payload")
                let token = try #require(Token(Array("0b0a3a3e-5c8f-4f6e-9a39-1b6d0d0f6c11".utf8)))
                let digest = Hex.encode(UpdateBench.digest(payload))
                try await bench.say(
                    .initiate(
                        url: TerminatedText(bench.web.url("payload"), terminated: terminated),
                        digest: TerminatedText(digest, terminated: terminated)), token)
                #expect(bench.answers(token) == [.updateSuccess])
                try await bench.say(.activate, token)
                try await bench.wait(.seconds(10))
                #expect(bench.answers(token) == [.updateSuccess, .activateSuccess])
                #expect(bench.lastVersion == version)
                #expect(FileManager.default.contents(atPath: bench.path) == Data(payload))
                #expect(bench.leftOvers == [])
            }
        }
    }

    @Test("and what a reference server does not know it is not told")
    func referenceRefused() async throws {
        let bench = try await UpdateBench { $0.requiresReleaseKey = false }
        let token = Token.random()
        let digest = TerminatedText(String(repeating: "0", count: 64))
        try await bench.say(.initiate(url: TerminatedText(bench.web.url("nothing")), digest: digest), token)
        #expect(bench.answers(token) == [.updateFailFile])
        #expect(bench.value("HTTP_STATUS") == DataValue.int32(404).wire)
        #expect(bench.value("UPDATE_PROBLEM") == nil)
        #expect(bench.inUse == "old")
    }

    @Test("one at a time: the newer offer counts")
    func whileOneRuns() async throws {
        let bench = try await UpdateBench()
        try bench.web.fault("payload", ["cut": 1000])
        let first = try await bench.offer(Self.bytes(100_000))
        #expect(bench.answers(first) == [])
        bench.web.healthy()
        let second = try await bench.offer(Array("new".utf8))
        #expect(bench.answers(first) == [.updateFailFile])
        #expect(bench.answers(second) == [.updateSuccess])
        try await bench.say(.activate, first)
        #expect(bench.answers(first) == [.updateFailFile, .activateFail])
        try await bench.say(.activate, second)
        try await bench.wait(.seconds(10))
        #expect(bench.answers(second) == [.updateSuccess, .activateSuccess])
        #expect(bench.inUse == "new")
        #expect(bench.leftOvers == [])
    }

    @Test("no further when the server puts the device out")
    func putOut() async throws {
        let bench = try await UpdateBench()
        let token = try await bench.offer(Array("new".utf8))
        #expect(bench.answers(token) == [.updateSuccess])
        try await bench.say(.terminateCommand)
        #expect(bench.leftOvers == [])
        #expect(bench.inUse == "old")
        #expect(try bench.state().requests(.ready) == [])
    }
}
