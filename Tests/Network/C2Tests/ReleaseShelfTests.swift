import Foundation
import ObservedValue
import Releases
import SRUP
import Testing

@testable import C2

/// Releases and their files.
@Suite struct ReleaseShelfTests {
    private let path = NSTemporaryDirectory() + "srup-releases-\(UUID().uuidString)"
    private static let base = "https://c2.example.net:8443/releases/"
    private static let payload = Array("the new program".utf8)

    private func with(
        limit: Int64 = 1 << 20, keys: [ReleasePublicKey] = [], _ body: (ReleaseShelf) throws -> Void
    ) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(
            ReleaseShelf(
                store: try UpdateStore(path: path + "/updates.db"),
                folder: try ReleaseFolder(path: path + "/releases", limit: limit), base: Self.base, keys: keys))
    }

    private func manifest(
        _ version: String = "1.4.2", url: String = base + "lamp-1.4.2.bin", payload: [UInt8] = payload,
        expires: UInt64 = 2_000_000_000, key: ReleaseKey
    ) throws -> [UInt8] {
        let content = ReleaseManifest.Content(
            type: "lamp", version: try #require(ReleaseVersion(version)), size: UInt64(payload.count),
            digest: try #require(Hex.decode(ReleaseFolder.digest(payload))), expires: expires, url: url)
        return try ReleaseManifest(content, signedBy: key).bytes
    }

    private var files: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path + "/releases")) ?? []).sorted()
    }

    @Test func aManifestAndItsPayloadAreServedUnderTheirNames() throws {
        let key = try ReleaseKey.generate()
        try with(keys: [try key.publicKey]) { shelf in
            let bytes = try manifest(key: key)
            let release = try shelf.add(manifest: bytes, by: "anna", now: 1000)
            #expect(release.url == Self.base + ReleaseFolder.digest(bytes) + ".manifest")
            #expect(release.digest == ReleaseFolder.digest(bytes) && !release.isThere && release.version == "1.4.2")
            let upload = try shelf.upload(release)
            for byte in Self.payload { try upload.write([byte][...]) }
            try shelf.finish(upload, of: release)
            #expect(try shelf.store.release(release.number)?.isThere == true)
            #expect(files == [ReleaseFolder.digest(bytes) + ".manifest", "lamp-1.4.2.bin"].sorted())
            #expect(FileManager.default.contents(atPath: path + "/releases/lamp-1.4.2.bin") == Data(Self.payload))
            #expect(throws: OperationError.self) { try shelf.add(manifest: bytes, by: "anna", now: 1000) }
            try shelf.withdraw(release.number)
            #expect(files.isEmpty)
        }
    }

    @Test func onlyManifestsOfTheReleaseKeyThatHaveNotExpiredAreTaken() throws {
        let (key, other) = (try ReleaseKey.generate(), try ReleaseKey.generate())
        try with(keys: [try key.publicKey]) { shelf in
            func refused(_ bytes: [UInt8]) throws {
                #expect(throws: OperationError.self) { try shelf.add(manifest: bytes, by: "anna", now: 1000) }
                #expect(try shelf.store.releases().isEmpty && files.isEmpty)
            }
            try refused(try manifest(key: other))
            try refused(try manifest(expires: 1000, key: key))
            var changed = try manifest(key: key)
            changed[40] ^= 1
            try refused(changed)
            try refused([])
            for name in ["../c2.toml", ".hidden", "", "a/b", "a%2Fb"] {
                try refused(try manifest(url: Self.base + name, key: key))
            }
            #expect(throws: OperationError.self) {
                try shelf.add(
                    bare: nil, size: 3, digest: String(repeating: "a", count: 64), type: "lamp", version: "1", by: "a",
                    now: 1)
            }
        }
    }

    @Test func aPayloadThatIsNotTheOneLeavesNothingBehind() throws {
        let key = try ReleaseKey.generate()
        try with { shelf in
            let release = try shelf.add(manifest: try manifest(key: key), by: "anna", now: 1000)
            let there = files
            func fails(_ body: (ReleaseUpload) throws -> Void) throws {
                do {
                    let upload = try shelf.upload(release)
                    #expect(throws: (any Error).self) { try body(upload) }
                }
                #expect(files == there)
                #expect(try shelf.store.release(release.number)?.isThere == false)
            }
            try fails { upload in
                try upload.write(Self.payload.dropLast())
                try shelf.finish(upload, of: release)
            }
            try fails { try $0.write((Self.payload + [0])[...]) }
            try fails { upload in
                try upload.write([UInt8](repeating: 1, count: Self.payload.count)[...])
                try shelf.finish(upload, of: release)
            }
        }
    }

    @Test func allFilesTogetherHaveALimit() throws {
        let key = try ReleaseKey.generate()
        try with(limit: 1500) { shelf in
            let large = [UInt8](repeating: 7, count: 1000)
            let first = try shelf.add(manifest: try manifest(payload: large, key: key), by: "anna", now: 1)
            let upload = try shelf.upload(first)
            try upload.write(large[...])
            try shelf.finish(upload, of: first)
            let other = [UInt8](repeating: 8, count: 1000)
            #expect(throws: OperationError.self) {
                let second = try shelf.add(
                    manifest: try manifest("1.5", url: Self.base + "b", payload: other, key: key), by: "anna", now: 1)
                _ = try shelf.upload(second)
            }
        }
    }

    @Test func theWayBackIsAnEarlierPayloadUnderAHigherVersion() throws {
        let key = try ReleaseKey.generate()
        try with { shelf in
            func add(_ version: String, _ payload: String) throws -> UpdateStore.Release {
                try shelf.add(
                    manifest: try manifest(
                        version, url: "https://elsewhere.example/\(version)", payload: Array(payload.utf8), key: key),
                    by: "anna", now: 1)
            }
            _ = try add("1.0", "good")
            let bad = try add("2.0", "bad")
            #expect(try shelf.wayBack(from: bad) == nil)
            _ = try add("2.1", "another")
            #expect(try shelf.wayBack(from: bad) == nil)
            let back = try add("2.2", "good")
            #expect(try shelf.wayBack(from: bad)?.number == back.number)
            try shelf.withdraw(back.number)
            #expect(try shelf.wayBack(from: bad) == nil)
        }
    }
}
