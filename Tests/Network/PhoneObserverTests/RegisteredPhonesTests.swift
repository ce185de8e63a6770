import Foundation
import Logging
import Participant
import SRUP
import TestProcesses
import Testing

@testable import PhoneObserver

/// The identities of operators' phones, as they lie in the server's folder.
@Suite struct RegisteredPhonesTests {
    private func phones(_ runner: ProgramRunner, port: Int) throws -> RegisteredPhones {
        try runner.write("no certificate", to: "ca.pem")
        return RegisteredPhones(
            folder: runner.path("phones"), keyService: "https://127.0.0.1:\(port)",
            authorityFile: runner.path("ca.pem"),
            server: DeviceID(0x5E), serverKey: try PrivateKey.generate().publicKey,
            logger: Logger(label: "phones") { _ in SwiftLogNoOpLogHandler() })
    }

    private func save(_ id: DeviceID, _ name: String, _ runner: ProgramRunner) throws {
        try PrivateFolderForTests.make(runner.path("phones"))
        try Identity.save(
            .init(
                id: id, key: try PrivateKey.generate(), accessKey: try PrivateKey.generate(), certificate: "none",
                authority: "none", brokerHost: "127.0.0.1", brokerPort: 1, keyService: "https://127.0.0.1:1",
                server: nil,
                serverKey: nil), in: runner.path("phones/\(name)"))
    }

    private enum PrivateFolderForTests {
        static func make(_ path: String) throws {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
    }

    @Test func allThatThereAreAreKnownAgain() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let phones = try phones(runner, port: 1)
        #expect(phones.identities().isEmpty)
        try save(DeviceID(0xA1), "mia", runner)
        try save(DeviceID(0xA2), "anna@example.net", runner)
        // What is no identity is nobody.
        try PrivateFolderForTests.make(runner.path("phones/empty"))
        try PrivateFolderForTests.make(runner.path("phones/damaged"))
        try runner.write("not a database", to: "phones/damaged/state.db")
        try runner.write("a file", to: "phones/file")
        #expect(Set(phones.identities()) == [DeviceID(0xA1), DeviceID(0xA2)])
    }

    @Test func withoutAKeyServiceThereIsNoPlaceAndNothingIsLeft() async throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let phones = try phones(runner, port: try ProgramRunner.freePort())
        await #expect(throws: (any Error).self) { try await phones.place(of: "mia") }
        #expect(phones.identities().isEmpty)
        #expect(!FileManager.default.fileExists(atPath: runner.path("phones/mia")))
        let mode = try FileManager.default.attributesOfItem(atPath: runner.path("phones"))[.posixPermissions] as? Int
        #expect(mode == 0o700)
    }

    /// The key service cannot be asked whether it still knows the identity: the one that is there is tried, and here its
    /// certificate is none.
    @Test func anIdentityThatIsThereIsUsedAndNotMadeAnew() async throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let phones = try phones(runner, port: try ProgramRunner.freePort())
        try save(DeviceID(0xA1), "mia", runner)
        do {
            let place = try await phones.place(of: "mia")
            #expect(place.participant.id == DeviceID(0xA1))
        } catch {
            // libmosquitto may refuse the files already here.
            #expect(error is BrokerLinkError)
        }
        #expect(phones.identities() == [DeviceID(0xA1)])
    }
}
