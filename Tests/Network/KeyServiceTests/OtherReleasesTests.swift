import Foundation
import SRUP
import Testing

@testable import KeyService
@testable import Participant

/// Clients and servers of other releases, and what the current one has besides.
@Suite(.serialized) struct OtherReleasesTests {
    static let key = Result { try PrivateKey.generate() }

    /// What a JSON answer says.
    private func object(_ text: String) throws -> [String: String] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: String])
    }

    @Test func aClientOfRelease4GetsTheBareKeyBelowAPathOfItsOwn() async throws {
        try await Rig.with { rig in
            let body = try Self.key.get().publicKey.pemBody
            let serverKey = try rig.serverKey.publicKey
            let old = try rig.post("register", #"{"identity":"a1","key":"\#(body)"}"#, base: "/v4")
            let oldAnswer = try object(old.body)
            #expect(old.status == 201 && oldAnswer == ["broker": "mqtt://localhost:1883", "key": serverKey.pemBody])
            let new = try object(try rig.post("register", #"{"identity":"a2","key":"\#(body)"}"#).body)
            #expect(new["key"] == Data(serverKey.pem.utf8).base64EncodedString() && new["default_c2"] == "c2c2")
            // It takes the server's identity from the status, and checks what it signs with that key.
            #expect(try rig.get("status", base: "/v4").body.contains(#""identity":"c2c2""#))
            #expect(try rig.get("get_type/a1", base: "/v4").body == "default")
        }
    }

    @Test func ourClientFindsTheServerAtAServiceOfRelease4() async throws {
        try await Rig.with { rig in
            let folder = rig.folder + "/device"
            _ = try await Registrar.register(
                at: rig.url + "/v4", authorityFile: rig.ca, type: "sensor", folder: folder, progress: { _ in })
            let (identity, _) = try Identity.load(from: folder)
            #expect(try identity.server == rig.server && identity.serverKey == rig.serverKey.publicKey)
            #expect(identity.keyService == rig.url + "/v4")
        }
    }

    @Test func theAnswersOfBothReleasesAreRead() throws {
        let key = try Self.key.get().publicKey
        let old = KeyServiceClient.welcome(["broker": "mqtt://b", "key": key.pemBody])
        #expect(old?.server == nil && old?.serverKey == key)
        let new = KeyServiceClient.welcome([
            "broker": "mqtt://b", "default_c2": "C2C2", "key": Data(key.pem.utf8).base64EncodedString(),
        ])
        #expect(new?.server == DeviceID(0xC2C2) && new?.serverKey == key)
        #expect(KeyServiceClient.welcome(["broker": "mqtt://b", "key": "nonsense"])?.serverKey == nil)
        #expect(KeyServiceClient.welcome(["key": key.pemBody]) == nil)
    }

    @Test func whoHasTheOperatorsTokenBecomesAServerAndNobodyElse() async throws {
        try await Rig.with { rig in
            let other = try Self.key.get().publicKey
            func register(_ id: String, _ key: PublicKey, _ token: String) throws -> Int {
                try rig.post(
                    "c2/", #"{"identity":"\#(id)","key":"\#(key.pemBody)","signature":"\#(token)"}"#
                ).status
            }
            let token = try ServerToken.make(for: other, by: rig.serverKey)
            let stranger = try PrivateKey.generate()
            // No token, one's own, another key's, one that was changed.
            #expect(try rig.post("c2/", #"{"identity":"d4","key":"\#(other.pemBody)"}"#).status == 400)
            #expect(try register("d4", other, "AAAA") == 400)
            #expect(try register("d4", other, ServerToken.make(for: other, by: stranger)) == 400)
            #expect(try register("d4", stranger.publicKey, token) == 400)
            #expect(try register("d4", other, String(token.reversed())) == 400)
            #expect(try rig.get("c2_check/d4").status == 404)
            // The service's own identity cannot be taken; the token makes one server.
            #expect(try register("c2c2", other, token) == 400)
            #expect(try register("d4", other, token) == 201)
            #expect(try rig.get("c2_check/d4").status == 200)
            #expect(try register("d5", other, token) == 400)
            // A device may ask for that server, and not for one that does not exist: then nothing is registered.
            let folder = rig.folder + "/device"
            let state = try KeyServiceState(path: rig.statePath)
            let before = try state.count()
            await #expect(throws: KeyServiceError.serverUnknown("ffff", rig.url)) {
                try await Registrar.register(
                    at: rig.url, authorityFile: rig.ca, type: "sensor", folder: folder, server: DeviceID(0xFFFF),
                    progress: { _ in })
            }
            #expect(try state.count() == before)
            let isThere = try Identity.exists(in: folder)
            #expect(!isThere)
            _ = try await Registrar.register(
                at: rig.url, authorityFile: rig.ca, type: "sensor", folder: folder, server: DeviceID(0xD4),
                progress: { _ in })
            let (identity, _) = try Identity.load(from: folder)
            #expect(identity.server == DeviceID(0xD4) && identity.serverKey == other)
        }
    }

    @Test func aTypeMayHaveSpacesInside() async throws {
        try await Rig.with { rig in
            let key = try Self.key.get().publicKey
            for (id, type) in [
                (0xA1, "door lock, outside"), (0xA2, "a.b [c]"), (0xA3, String(repeating: "x", count: 64)),
            ] {
                _ = try await rig.client().register(DeviceID(UInt64(id)), key: key, type: type)
                #expect(try await rig.client().type(of: DeviceID(UInt64(id))) == type)
            }
        }
    }
}
