import Glibc
import Logging
import SRUP
import Storage

/// Registers a new identity: status, identity, keys, register, validate, certificate (docs/protocol.md, "Key service").
public enum Registrar {
    /// Registers and keeps the result in `folder`.
    ///
    /// - Parameters:
    ///   - progress: told in words before each step, since making keys takes seconds on a small machine.
    ///   - authorityFile: of the key service's HTTPS certificate; `nil`: the system's authorities.
    ///   - server: the C2 server to join; `nil`: the one that the key service tells.
    /// - Throws: ``KeyServiceError``, ``CryptoError``, ``PrivateFileError``, ``StorageError``; nothing is kept then.
    public static func register(
        at url: String, authorityFile: String?, type: String, folder: String, server: DeviceID? = nil,
        progress: (String) -> Void
    ) async throws -> DeviceID {
        try await register(
            at: url, authority: authorityFile.map { .file($0) } ?? .system, type: type, folder: folder, server: server,
            progress: progress)
    }

    /// The same, with an authority that need not be in a file.
    ///
    /// - Parameter authority: by whose signature the key service's HTTPS certificate is believed; it is kept.
    /// - Throws: as ``register(at:authorityFile:type:folder:server:progress:)``.
    public static func register(
        at url: String, authority trusted: TrustedAuthority, type: String, folder: String, server: DeviceID? = nil,
        progress: (String) -> Void
    ) async throws -> DeviceID {
        let service = try KeyServiceClient(url: url, authority: trusted)
        // An identity that cannot be kept would stay at the key service, and nobody would ever come with it.
        let isNew = access(folder, F_OK) != 0
        try Identity.makeRoom(in: folder)
        var isKept = false
        // Not what was there before, and only what is empty.
        defer { if isNew && !isKept { rmdir(folder) } }
        progress("asking the key service at \(service.url)")
        let status = try await service.status()
        guard status.isActive else { throw KeyServiceError.inactive(service.url) }
        // Before anything is registered: it may be a slip of the pen.
        let wantedKey = try await key(ofWanted: server, service)
        progress("making the identity's key and the broker's key (RSA-2048)")
        let key = try PrivateKey.generate()
        let accessKey = try PrivateKey.generate()
        progress("registering as \"\(type)\"")
        let (id, welcome) = try await registered(service, key: try key.publicKey, type: type)
        progress("proving identity \(id)")
        try await service.validate(id, key: key)
        progress("fetching the certificate for the broker at \(welcome.brokerHost):\(welcome.brokerPort)")
        let (certificate, authority) = try await service.access(id, key: key, accessKey: accessKey)
        let known: (id: DeviceID?, key: PublicKey?) =
            if let server { (server, wantedKey) } else { try await told(service, status, welcome) }
        try Identity.save(
            .init(
                id: id, key: key, accessKey: accessKey, certificate: certificate, authority: authority,
                brokerHost: welcome.brokerHost, brokerPort: welcome.brokerPort, keyService: service.url,
                server: known.id, serverKey: known.key),
            in: folder)
        isKept = true
        if let gone = await tellFarewell(in: folder) { progress("told the key service that \(gone) has ended") }
        try keepAuthority(trusted, in: folder)
        return id
    }

    private static func key(
        ofWanted server: DeviceID?, _ service: KeyServiceClient
    ) async throws(KeyServiceError) -> PublicKey? {
        guard let server else { return nil }
        guard let key = try await service.key(of: server) else { throw .serverUnknown(server.hex, service.url) }
        return key
    }

    /// The C2 server and its key, as the service tells them. One of release 4.0 has both in other places: its own identity is
    /// the server's, and the answer to a registration has the key.
    private static func told(
        _ service: KeyServiceClient, _ status: KeyServiceClient.Status, _ welcome: KeyServiceClient.Welcome
    ) async throws(KeyServiceError) -> (id: DeviceID?, key: PublicKey?) {
        guard let id = welcome.server ?? status.identity else { return (nil, nil) }
        do throws(KeyServiceError) {
            return (id, try await service.key(of: id) ?? welcome.serverKey)
        } catch {
            switch error {
            case .refused, .notUnderstood: return (id, welcome.serverKey)
            default: throw error
            }
        }
    }

    /// An identity that is taken (one in 2^60) is replaced by another.
    private static func registered(
        _ service: KeyServiceClient, key: PublicKey, type: String
    ) async throws(KeyServiceError) -> (DeviceID, KeyServiceClient.Welcome) {
        var tries = 0
        while true {
            let id = DeviceID.random()
            tries += 1
            do throws(KeyServiceError) {
                return (id, try await service.register(id, key: key, type: type))
            } catch .refused(let step, 400, let says) where tries < 3 && says.lowercased().contains("identity") {
                _ = step
                continue
            }
        }
    }

    /// Has a new broker certificate made for the identity in `folder`, for the key that is there: only one file changes,
    /// so that a power cut leaves the old pair or the new one.
    ///
    /// - Throws: as ``register(at:authorityFile:type:folder:progress:)``; the old certificate stays in use then.
    public static func renew(in folder: String, progress: (String) -> Void) async throws {
        let (identity, _) = try Identity.load(from: folder)
        let service = try client(identity, folder: folder)
        let accessKey = try Identity.privateKey(folder + "/access.pem")
        progress("fetching a new certificate")
        let (certificate, authority) = try await service.access(identity.id, key: identity.key, accessKey: accessKey)
        try renewAuthority(authority, in: folder)
        try Identity.saveCertificate(certificate, authority: authority, in: folder)
    }

    /// A certificate with less than this left is renewed, in days: a month is for trying.
    public static let renewalDays = 60
    /// With less than this left somebody has to be told, in days.
    public static let warningDays = 30

    /// Whether the certificate in `folder`, or its authority's, has to be fetched anew now.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Throws: ``PrivateFileError``.
    public static func isRenewalDue(in folder: String, now: Double) throws -> Bool {
        for name in ["/certificate.pem", "/ca.pem"]
        where Certificate.isDue(try PublicFile.read(folder + name), now: now) { return true }
        return false
    }

    /// Renews the certificate in `folder` when it ends soon; at other times asks nobody.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Returns: whether it was renewed.
    /// - Throws: as ``renew(in:progress:)``.
    public static func renewIfDue(in folder: String, now: Double = Participant.systemTime()) async throws -> Bool {
        guard try isRenewalDue(in: folder, now: now) else { return false }
        try await renew(in: folder) { _ in }
        return true
    }

    /// The authority renews its own certificate in good time, with the same key; the copy by which the key service is believed
    /// has to follow.
    private static func renewAuthority(_ authority: String, in folder: String) throws {
        let path = folder + "/https-ca.pem"
        guard PublicFile.exists(path), Certificate.isSuccessor(authority, of: try PublicFile.read(path)) else { return }
        try PrivateFile.write(authority, to: path, mode: 0o644)
    }

    /// The HTTPS authority is kept beside the identity: the key service is asked again later.
    private static func keepAuthority(_ authority: TrustedAuthority, in folder: String) throws {
        let text: String
        switch authority {
        case .system: return
        case .file(let path): text = try PublicFile.read(path)
        case .certificate(let pem): text = pem
        }
        try PrivateFile.write(text, to: folder + "/https-ca.pem", mode: 0o644)
    }

    /// A client for the key service that knows this identity.
    ///
    /// - Throws: ``KeyServiceError/badURL(_:)``.
    public static func client(
        _ identity: Identity, folder: String, timeout: Duration = .seconds(20)
    ) throws(KeyServiceError) -> KeyServiceClient {
        let authority = folder + "/https-ca.pem"
        return try KeyServiceClient(
            url: identity.keyService, authorityFile: PublicFile.isThere(authority) ? authority : nil, timeout: timeout)
    }

    /// The C2 server's key: what we have, or what the key service tells; it is kept.
    ///
    /// - Throws: ``KeyServiceError``, ``StorageError``.
    public static func serverKey(
        _ server: DeviceID, identity: Identity, state: ParticipantStore, folder: String
    ) async throws -> PublicKey? {
        if let key = try state.peer(server)?.key { return key }
        if server == identity.server, let key = identity.serverKey { return key }
        guard let key = try await client(identity, folder: folder).key(of: server) else { return nil }
        try state.remember(server, key: key)
        return key
    }
}
