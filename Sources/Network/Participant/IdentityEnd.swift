import Glibc
import Linux
import Logging
import SRUP
import ServiceLifecycle
import Storage

/// Ends the program when the server has ended its identity, after the keys were removed.
public final class IdentityEnd: Service {
    private let folder: String
    private let participant: Participant
    private let signal = AsyncStream<Void>.makeStream()

    /// How long the broker may take to confirm our last word.
    private static let lastWord = Duration.seconds(2)

    /// - Parameter folder: the identity's.
    public init(folder: String, participant: Participant) {
        self.folder = folder
        self.participant = participant
    }

    /// To be called at ``MemberEvent/identityEnded``.
    public func begin() { signal.continuation.yield() }

    /// Waits for ``begin()``, or until the service group asks it to stop.
    ///
    /// - Throws: ``ParticipantError/identityEnded(folder:)`` once the keys are gone.
    public func run() async throws {
        let hasEnded = await withGracefulShutdownHandler {
            for await _ in self.signal.stream { return true }
            return false
        } onGracefulShutdown: {
            self.signal.continuation.finish()
        }
        guard hasEnded else { return }
        let participant = participant
        await waitEvenIfCancelled(atMost: Self.lastWord) { (try? participant.state.isAllConfirmed()) != false }
        try Identity.wipe(folder, key: participant.key, now: participant.wallClock())
        participant.logger.notice("the keys of \(participant.id) are gone; \(folder)/\(Identity.receiptName) says so")
        throw ParticipantError.identityEnded(folder: folder)
    }
}

extension Identity {
    /// The file in an identity's folder with the last word of the one that was there before.
    public static let receiptName = "receipt"
    /// The same, while the key service has not been told.
    static let farewellName = "farewell"

    /// All that an identity leaves in its folder; the key first: a folder without it holds no identity.
    private static let files = [
        "identity.pem", "access.pem", "certificate.pem", "ca.pem", "https-ca.pem", "state.db", "state.db-wal",
        "state.db-shm",
        "state.db-journal",
    ]

    /// Throws an identity away: its keys are overwritten and removed, and all else that was its own. On flash memory, which
    /// writes elsewhere, the old blocks may be read by whoever takes the chip out.
    ///
    /// - Parameters:
    ///   - key: the identity's, for its last word.
    ///   - mustTell: whether the key service does not know of it: ``Registrar`` tells it when it can.
    ///   - now: seconds since 1970.
    /// - Returns: the last word, which is in ``receiptName`` beside where the keys were.
    /// - Throws: ``CryptoError``, ``PrivateFileError``, ``StorageError``; the keys may be there then.
    @discardableResult
    public static func wipe(
        _ folder: String, key: PrivateKey, mustTell: Bool = false, now: Double
    ) throws -> ReleaseReceipt {
        let state = try ParticipantStore(path: statePath(folder))
        guard let id = try state.value("identity").flatMap({ DeviceID(hex: $0) }) else {
            throw ParticipantError.notRegistered(folder: folder)
        }
        let receipt = try ReleaseReceipt(
            of: id, key: try key.publicKey.digest, ended: UInt64(max(0, now)), signedBy: key)
        if mustTell {
            // Who it is to be told, and by whose certificate that one is believed.
            let service = try state.value("key-service") ?? ""
            let authority = (try? PublicFile.read(folder + "/https-ca.pem")) ?? ""
            try PrivateFile.write("\(service)\n\(authority)\n\(receipt)", to: folder + "/" + farewellName)
        }
        try PrivateFile.write(receipt.description, to: folder + "/" + receiptName, mode: 0o644)
        for name in files { try overwrite(folder + "/" + name) }
        return receipt
    }

    private static func overwrite(_ path: String) throws(PrivateFileError) {
        let file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else {
            if errno == ENOENT { return }
            throw .failed(path: path, doing: "overwrite", why: String(cString: strerror(errno)))
        }
        defer { close(file) }
        var status = stat()
        // A database may be open elsewhere: it goes, and is not changed under its reader.
        if fstat(file, &status) == 0, path.hasSuffix(".pem") {
            let zeros = [UInt8](repeating: 0, count: Int(max(0, min(status.st_size, 1 << 20))))
            _ = pwrite(file, zeros, zeros.count, 0)
            fsync(file)
        }
        guard unlink(path) == 0 else {
            throw .failed(path: path, doing: "remove", why: String(cString: strerror(errno)))
        }
    }
}

extension Registrar {
    /// Tells the key service of identities that were thrown away while it could not be reached.
    ///
    /// - Returns: who has ended there now; `nil`: there is nothing to tell, or it cannot be told yet.
    public static func tellFarewell(in folder: String, timeout: Duration = .seconds(10)) async -> DeviceID? {
        let path = folder + "/" + Identity.farewellName
        guard PublicFile.isThere(path), let text = try? PublicFile.read(path),
            let start = text.range(ofWord: "SRUP release receipt"), let receipt = ReleaseReceipt(String(text[start...]))
        else { return nil }
        let head = text[..<start].split(separator: "\n", maxSplits: 1)
        guard let service = head.first else { return nil }
        let authority = folder + "/farewell-ca.pem"
        defer { unlink(authority) }
        let hasOwn = head.count > 1 && head[1].contains("CERTIFICATE")
        if hasOwn { try? PrivateFile.write(String(head[1]) + "\n", to: authority) }
        guard
            let client = try? KeyServiceClient(
                url: String(service), authorityFile: hasOwn ? authority : nil, timeout: timeout),
            (try? await client.release(receipt)) == true
        else { return nil }
        unlink(path)
        return receipt.identity
    }
}

extension String {
    /// Where a text begins that is in it.
    fileprivate func range(ofWord word: String) -> String.Index? {
        var rest = self[...]
        while let place = rest.firstIndex(of: "S") {
            if rest[place...].hasPrefix(word) { return place }
            rest = rest[index(after: place)...]
        }
        return nil
    }
}
