import Foundation
import Logging
import SRUP
import Storage
import Testing

@testable import Participant

/// An identity that is thrown away, or that its server has ended: nothing of it stays but its last word.
@Suite struct IdentityEndTests {
    static let key = Result { try PrivateKey.generate() }
    let folder = NSTemporaryDirectory() + "srup-end-\(UUID().uuidString)"
    let id = DeviceID(0xD1)

    private func make() throws {
        let key = try Self.key.get()
        try Identity.save(
            .init(
                id: id, key: key, accessKey: key, certificate: "certificate", authority: "authority",
                brokerHost: "localhost", brokerPort: 8883, keyService: "https://localhost:1", server: DeviceID(0x5E),
                serverKey: nil), in: folder)
    }

    private func remove() { try? FileManager.default.removeItem(atPath: folder) }

    private var left: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }
    }

    @Test func itsKeysAreOverwrittenAndOnlyItsLastWordStays() throws {
        defer { remove() }
        try make()
        // Another name for the same blocks.
        let names = ["identity", "access"]
        for name in names { #expect(link("\(folder)/\(name).pem", "\(folder)/\(name).other") == 0) }
        let receipt = try Identity.wipe(folder, key: Self.key.get(), now: 1_800_000_000)
        for name in names {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name).other"))
            #expect(!bytes.isEmpty && bytes.allSatisfy { $0 == 0 })
            unlink("\(folder)/\(name).other")
        }
        #expect(try left == ["receipt"])
        #expect(receipt.identity == id && receipt.ended == 1_800_000_000 && receipt.isOwn)
        #expect(ReleaseReceipt(try PublicFile.read(folder + "/receipt")) == receipt)
        #expect(try !Identity.exists(in: folder))
        #expect(throws: ParticipantError.self) { try Identity.load(from: folder) }
    }

    @Test func whereThereIsNoIdentityNothingIsWritten() throws {
        defer { remove() }
        try PrivateFile.makeFolder(folder)
        #expect(throws: ParticipantError.self) { try Identity.wipe(folder, key: Self.key.get(), now: 1) }
        #expect(try !left.contains("receipt") && !left.contains("farewell"))
    }

    @Test func whatALinkLeadsToIsNotTouched() throws {
        defer { remove() }
        try make()
        let other = folder + "/somebody-elses"
        try PrivateFile.write("precious", to: other)
        unlink(folder + "/access.pem")
        try FileManager.default.createSymbolicLink(atPath: folder + "/access.pem", withDestinationPath: other)
        #expect(throws: PrivateFileError.self) { try Identity.wipe(folder, key: Self.key.get(), now: 1) }
        #expect(try PublicFile.read(other) == "precious")
        #expect(try !Identity.exists(in: folder), "the identity's own key goes first")
    }

    @Test func anIdentityThatIsInUseIsNotReset() async throws {
        defer { remove() }
        try make()
        let lock = try FolderLock(folder)
        await #expect(throws: FolderLockError.self) { try await Reset(folder: folder, isOffline: true).run() }
        #expect(try Identity.exists(in: folder))
        withExtendedLifetime(lock) {}
    }

    @Test func whatCannotBeToldIsKept() async throws {
        defer { remove() }
        try make()
        // Nobody listens there.
        let outcome = try await Reset(folder: folder).run()
        #expect(!outcome.isTold)
        #expect(try left == ["farewell", "lock", "receipt"])
        let text = try PublicFile.read(folder + "/farewell")
        #expect(text.hasPrefix("https://localhost:1\n") && text.hasSuffix(outcome.receipt.description))
        #expect(await Registrar.tellFarewell(in: folder) == nil)
        #expect(PublicFile.isThere(folder + "/farewell"))
    }

    @Test(arguments: ["", "\n", "https://x\n", "SRUP release receipt", "file:///etc/passwd\nSRUP release receipt 1\n"])
    func aFarewellThatIsNoneIsToldToNobody(_ text: String) async throws {
        defer { remove() }
        try PrivateFile.makeFolder(folder)
        try PrivateFile.write(text, to: folder + "/farewell")
        #expect(await Registrar.tellFarewell(in: folder) == nil)
        #expect(try left == ["farewell"])
    }

    // MARK: As a service

    private func participant(_ state: ParticipantStore) throws -> Participant {
        Participant(
            id: id, key: try Self.key.get(), state: state, link: Silent(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private final class Silent: MessageLink {
        let place = "nowhere"
        let events = BrokerEvents()
        let isConnected = false
        func publish(_ payload: [UInt8], to topic: String, id: Int64) {}
        func subscribe(_ filter: String) {}
        func unsubscribe(_ filter: String) {}
    }

    /// With a broker that confirms the last word, and with one that never does.
    @Test(arguments: [true, false])
    func aProgramWhoseIdentityEndsRemovesItAndEnds(_ isConfirmed: Bool) async throws {
        defer { remove() }
        try make()
        let state = try ParticipantStore(path: Identity.statePath(folder))
        let participant = try participant(state)
        try participant.send(.response(.deregisterSuccess), to: DeviceID(0x5E), on: .member(id), token: .random())
        #expect(try !state.isAllConfirmed())
        let end = IdentityEnd(folder: folder, participant: participant)
        end.begin()
        if isConfirmed {
            for entry in try state.unconfirmed(now: participant.wallClock()) { try state.confirmed(entry.id) }
        }
        await #expect(throws: ParticipantError.self) { try await end.run() }
        #expect(try left == ["receipt"])
    }
}
