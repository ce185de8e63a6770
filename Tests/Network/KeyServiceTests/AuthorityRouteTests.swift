import Foundation
import Participant
import Storage
import Testing

@testable import KeyService

/// The authority's certificate, fetched by its fingerprint.
@Suite(.serialized) struct AuthorityRouteTests {
    @Test func theAuthorityIsToldToWhoeverKnowsItsFingerprint() async throws {
        try await Rig.with { rig in
            let own = try String(contentsOfFile: rig.ca, encoding: .utf8)
            let fingerprint = try #require(Fingerprint(of: own))
            let fetched = try await KeyServiceClient.authority(at: rig.url, fingerprint: fingerprint)
            #expect(fetched == own)
            // By it alone the service is believed.
            #expect(try await KeyServiceClient(url: rig.url, authority: .certificate(fetched)).isActive())
            // The system's authorities do not count beside it, and it does not count for others.
            await #expect(throws: KeyServiceError.self) {
                try await KeyServiceClient(url: rig.url, authority: .system).isActive()
            }
            let other = try #require(Fingerprint(hex: String(repeating: "5", count: 64)))
            await #expect(throws: KeyServiceError.otherAuthority(rig.url, other.description)) {
                try await KeyServiceClient.authority(at: rig.url, fingerprint: other)
            }
            // The certificate that the service shows is no authority's.
            let shown = try String(contentsOfFile: rig.folder + "/https.crt", encoding: .utf8)
            await #expect(throws: KeyServiceError.self) {
                try await KeyServiceClient.authority(at: rig.url, fingerprint: try #require(Fingerprint(of: shown)))
            }
            await #expect(throws: KeyServiceError.self) {
                try await KeyServiceClient.authority(at: "https://localhost:1", fingerprint: fingerprint)
            }
            #expect(try await rig.client().isActive())
        }
    }

    @Test func anotherAuthorityOfTheSameNameIsNotBelieved() async throws {
        try await Rig.with { rig in
            let folder = rig.folder + "/false"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
            let false1 = try Authority.create(in: folder, name: "test")
            await #expect(throws: KeyServiceError.self) {
                try await KeyServiceClient(url: rig.url, authority: .certificate(false1.certificate)).isActive()
            }
            for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
                await #expect(throws: KeyServiceError.self, "\(text)") {
                    try await KeyServiceClient(url: rig.url, authority: .certificate(text)).isActive()
                }
            }
            // Served after those who went away in the middle of the handshake.
            #expect(try await rig.client().isActive())
        }
    }
}
