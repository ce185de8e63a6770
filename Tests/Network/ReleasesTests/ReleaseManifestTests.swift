import Glibc
import Storage
import Testing

@testable import Releases

@Suite("Release manifests")
struct ReleaseManifestTests {
    private static func content(
        type: String = "thermometer", version: String = "1.4.2", size: UInt64 = 1 << 20,
        expires: UInt64 = 1_811_808_000,
        url: String = "https://updates.example.net/thermometer-1.4.2.bin"
    ) throws -> ReleaseManifest.Content {
        ReleaseManifest.Content(
            type: type, version: try #require(ReleaseVersion(version)), size: size,
            digest: Array(0..<32), expires: expires, url: url)
    }

    @Test("are read as they were signed, and written the same again")
    func roundTrip() throws {
        let key = try ReleaseKey.generate()
        let manifest = try ReleaseManifest(Self.content(), signedBy: key)
        let read = try ReleaseManifest(parsing: manifest.bytes)
        #expect(read == manifest)
        #expect(read.content == (try Self.content()))
        #expect(read.signer == (try key.publicKey))
        #expect(read.bytes == manifest.bytes)
    }

    @Test("with any byte changed, left out or added are none")
    func everyByte() throws {
        let bytes = try ReleaseManifest(Self.content(), signedBy: .generate()).bytes
        for index in bytes.indices {
            for change in [0x01, 0x20, 0x80] as [UInt8] {
                var other = bytes
                other[index] ^= change
                #expect(throws: ReleaseError.self, "\(index)") { try ReleaseManifest(parsing: other) }
            }
            var shorter = bytes
            shorter.remove(at: index)
            #expect(throws: ReleaseError.self, "\(index)") { try ReleaseManifest(parsing: shorter) }
            var longer = bytes
            longer.insert(bytes[index], at: index)
            #expect(throws: ReleaseError.self, "\(index)") { try ReleaseManifest(parsing: longer) }
            #expect(throws: ReleaseError.self, "\(index)") { try ReleaseManifest(parsing: bytes[..<index]) }
        }
        #expect(throws: ReleaseError.self) { try ReleaseManifest(parsing: bytes + [10]) }
        #expect(throws: ReleaseError.self) { try ReleaseManifest(parsing: [UInt8](repeating: 10, count: 1 << 20)) }
    }

    @Test("say which key has signed them, and only that key's signature counts")
    func otherSigner() throws {
        let manifest = try ReleaseManifest(Self.content(), signedBy: .generate())
        let other = try ReleaseKey.generate().publicKey
        let text =
            manifest.description.split(separator: "\n").map {
                $0.hasPrefix("signer: ") ? "signer: \(other)" : String($0)
            }.joined(separator: "\n") + "\n"
        #expect(throws: ReleaseError.badSignature) { try ReleaseManifest(parsing: Array(text.utf8)) }
    }

    @Test("are obeyed only by their own devices, in time, and upwards")
    func rules() throws {
        let key = try ReleaseKey.generate()
        let manifest = try ReleaseManifest(Self.content(), signedBy: key)
        let keys = [try ReleaseKey.generate().publicKey, try key.publicKey]
        let (old, same, new) = (ReleaseVersion("1.4.1"), ReleaseVersion("1.4.2.0"), ReleaseVersion("1.5"))
        try manifest.check(keys: keys, type: "thermometer", highest: old, now: 1_800_000_000)
        try manifest.check(keys: keys, type: "thermometer", highest: nil, now: 1_800_000_000)
        try manifest.check(keys: keys, type: "thermometer", highest: new, now: 1_800_000_000, allowsOlder: true)
        #expect(throws: ReleaseError.otherKey(manifest.signer)) {
            try manifest.check(keys: [keys[0]], type: "thermometer", highest: old, now: 1_800_000_000)
        }
        #expect(throws: ReleaseError.otherKey(manifest.signer)) {
            try manifest.check(keys: [], type: "thermometer", highest: old, now: 1_800_000_000)
        }
        #expect(throws: ReleaseError.otherType("thermometer", wanted: "Thermometer")) {
            try manifest.check(keys: keys, type: "Thermometer", highest: old, now: 1_800_000_000)
        }
        #expect(throws: ReleaseError.expired(manifest.expires)) {
            try manifest.check(keys: keys, type: "thermometer", highest: old, now: Double(manifest.expires))
        }
        for highest in [same, new].compactMap({ $0 }) {
            #expect(throws: ReleaseError.notNewer(manifest.version, than: highest)) {
                try manifest.check(keys: keys, type: "thermometer", highest: highest, now: 1_800_000_000)
            }
        }
    }

    @Test("that no device would take are not signed")
    func refusedContent() throws {
        let key = try ReleaseKey.generate()
        let long = "https://h/" + String(repeating: "a", count: ReleaseManifest.maximumURL)
        let wrong = [
            try Self.content(type: ""), try Self.content(type: " a"), try Self.content(type: "a\nversion: 9"),
            try Self.content(type: String(repeating: "a", count: 65)), try Self.content(size: 0),
            try Self.content(size: ReleaseManifest.maximumSize + 1), try Self.content(expires: .max),
            try Self.content(url: "http://updates.example.net/a"), try Self.content(url: "https://a b"),
            try Self.content(url: "https://a\nsigner: x"), try Self.content(url: "https://"),
            try Self.content(url: long),
        ]
        for content in wrong {
            #expect(throws: ReleaseError.self, "\(content)") { try ReleaseManifest(content, signedBy: key) }
        }
        var short = try Self.content()
        short.digest = [1]
        #expect(throws: ReleaseError.self) { try ReleaseManifest(short, signedBy: key) }
    }

    @Test("are signed as RFC 8032 says: test 2 of its section 7.1")
    func knownAnswer() throws {
        let pem = """
            -----BEGIN PRIVATE KEY-----
            MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7
            -----END PRIVATE KEY-----

            """
        let key = try Array(pem.utf8).withUnsafeBytes { try ReleaseKey(pem: $0) }
        let known = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        #expect(try key.publicKey.description == known)
        let signature = try key.sign([0x72])
        #expect(signature.prefix(8) == [0x92, 0xA0, 0x09, 0xA9, 0xF0, 0xD4, 0xCA, 0xB8])
        #expect(try key.publicKey.isSignature(signature, over: [0x72]))
        #expect(try !key.publicKey.isSignature(signature, over: [0x73]))
    }

    @Test("are signed with a key in a file of mode 0600, and no other file")
    func keyFile() throws {
        var template = Array("/tmp/releases-XXXXXX".utf8CString)
        let folder = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer {
            unlink(folder + "/key")
            rmdir(folder)
        }
        let key = try ReleaseKey.generate()
        try key.write(to: folder + "/key")
        #expect(try ReleaseKey(file: folder + "/key").publicKey == key.publicKey)
        var status = stat()
        #expect(stat(folder + "/key", &status) == 0 && status.st_mode & 0o777 == 0o600)
        chmod(folder + "/key", 0o640)
        #expect(throws: PrivateFileError.self) { try ReleaseKey(file: folder + "/key") }
        try PrivateFile.write("-----BEGIN PRIVATE KEY-----\nnonsense\n", to: folder + "/key")
        #expect(throws: ReleaseError.notAKey) { try ReleaseKey(file: folder + "/key") }
        #expect("\(key)" == "<release key>")
    }
}
