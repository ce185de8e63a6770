import Glibc
import SRUP
import Storage

/// A registered identity as it lies in its state folder.
///
/// ```
/// identity.pem      private key of the identity                       0600, encrypted where there is a ``MachineKey``
/// access.pem        private key of the broker's client certificate    0600, likewise
/// certificate.pem   client certificate for the broker
/// ca.pem            authority that signed it and the broker's
/// state.db          counters, peers, open requests, audit log         0600
/// ```
/// The folder itself has mode 0700.
public struct Identity: Sendable {
    /// Who we are on the network.
    public let id: DeviceID
    /// The identity's private key: signs messages and opens envelopes.
    public let key: PrivateKey
    /// Where the broker is, with the files that its TLS needs.
    public let broker: BrokerAddress
    /// Base URL of the key service that knows us.
    public let keyService: String
    /// The C2 server to join, and its key, when the key service told them.
    public let server: DeviceID?
    /// The C2 server's public key; `nil` when the key service did not tell it.
    public let serverKey: PublicKey?

    /// What registration has brought, to be kept.
    public struct Registration: Sendable {
        /// The new identity.
        public var id: DeviceID
        /// The identity's private key.
        public var key: PrivateKey
        /// The private key of the broker's client certificate.
        public var accessKey: PrivateKey
        /// The client certificate for the broker, in PEM.
        public var certificate: String
        /// The certificate of the authority that signed it and the broker's, in PEM.
        public var authority: String
        /// The broker's host name or address.
        public var brokerHost: String
        /// The broker's TCP port.
        public var brokerPort: UInt16
        /// The key service's base URL.
        public var keyService: String
        /// The C2 server to join; `nil` when the key service did not tell it.
        public var server: DeviceID?
        /// The C2 server's public key; `nil` when the key service did not tell it.
        public var serverKey: PublicKey?

        /// What registration has brought; ``Identity/save(_:in:machineKey:)`` keeps it.
        public init(
            id: DeviceID, key: PrivateKey, accessKey: PrivateKey, certificate: String, authority: String,
            brokerHost: String, brokerPort: UInt16, keyService: String, server: DeviceID?, serverKey: PublicKey?
        ) {
            self.id = id
            self.key = key
            self.accessKey = accessKey
            self.certificate = certificate
            self.authority = authority
            self.brokerHost = brokerHost
            self.brokerPort = brokerPort
            self.keyService = keyService
            self.server = server
            self.serverKey = serverKey
        }
    }

    /// Where the state file is in an identity's folder.
    public static func statePath(_ folder: String) -> String { folder + "/state.db" }

    /// Whether there is an identity in the folder.
    ///
    /// - Throws: ``ParticipantError/mayNotBeRead(path:why:)`` when that cannot be told: the folder is somebody else's.
    public static func exists(in folder: String) throws(ParticipantError) -> Bool {
        let path = folder + "/identity.pem"
        if access(path, F_OK) == 0 { return true }
        guard errno == EACCES else { return false }
        throw .mayNotBeRead(path: path, why: String(cString: strerror(errno)))
    }

    /// Makes sure that what registration brings can be kept, before anything is registered: folder, rights, room on the disk.
    ///
    /// - Throws: ``PrivateFileError``, ``StorageError``.
    public static func makeRoom(in folder: String) throws {
        try PrivateFile.makeFolder(folder)
        // More than keys, certificates and a new state file with its log take.
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 1)
        defer { room.deallocate() }
        room.initializeMemory(as: UInt8.self, repeating: 0x5A)
        let probe = folder + "/room"
        defer { unlink(probe) }
        try PrivateFile.write(UnsafeRawBufferPointer(room), to: probe)
        // Opened, and made if it is not there; a state file that is damaged or another user's shows here.
        if access(statePath(folder), F_OK) == 0 { _ = try ParticipantStore(path: statePath(folder)) }
    }

    /// Writes a fresh identity. The key file comes last: a folder without it holds no identity.
    ///
    /// - Parameters:
    ///   - machineKey: what the keys are encrypted with, see ``MachineKey``.
    ///   - state: where the rest is kept; `nil`: in the folder.
    /// - Throws: ``PrivateFileError``, ``StorageError``.
    public static func save(
        _ registration: Registration, in folder: String, machineKey: SecretBytes? = MachineKey.own,
        state other: ParticipantStore? = nil
    ) throws {
        try PrivateFile.makeFolder(folder)
        let state = try other ?? ParticipantStore(path: statePath(folder))
        if let old = try state.value("identity").flatMap({ DeviceID(hex: $0) }), old != registration.id {
            // A key that is gone or damaged cannot speak for itself; the operator can still remove the old identity.
            let proof = (try? privateKey(folder + "/identity.pem", machineKey)).flatMap {
                Replacement(of: old, by: registration.id, key: $0)
            }
            // From here on a power cut leaves a folder without an identity, never one with another's key.
            unlink(folder + "/identity.pem")
            // Counters, membership and open requests were the old identity's: with them the new one would take every
            // message of its server for a replayed one.
            try state.beginAnew()
            try state.set("replaces", to: proof?.description)
        }
        try state.set("identity", to: registration.id.hex)
        try state.set("broker.host", to: registration.brokerHost)
        try state.set("broker.port", to: String(registration.brokerPort))
        try state.set("key-service", to: registration.keyService)
        try state.set("server", to: registration.server?.hex)
        try state.set("server.key", to: registration.serverKey?.pem)
        try saveCertificate(registration.certificate, authority: registration.authority, in: folder)
        try save(registration.accessKey, folder + "/access.pem", machineKey)
        try save(registration.key, folder + "/identity.pem", machineKey)
    }

    private static func save(_ key: PrivateKey, _ path: String, _ machineKey: SecretBytes?) throws {
        try key.pem(passphrase: machineKey).withBytes { try PrivateFile.write($0, to: path) }
    }

    /// Encrypts for this machine what lies unencrypted, as it does when it was registered by hand.
    ///
    /// - Returns: whether something did.
    /// - Throws: ``PrivateFileError``, ``CryptoError``; ``ParticipantError`` when a key is another machine's.
    public static func bind(in folder: String, to machineKey: SecretBytes? = MachineKey.own) throws -> Bool {
        guard let machineKey, try exists(in: folder) else { return false }
        var isNew = false
        for path in ["/access.pem", "/identity.pem"].map({ folder + $0 }) where try !isBound(path) {
            try save(try privateKey(path, machineKey), path, machineKey)
            isNew = true
        }
        return isNew
    }

    /// Whether a key file is encrypted for a machine.
    ///
    /// - Throws: ``PrivateFileError``.
    public static func isBound(_ path: String) throws -> Bool {
        try PrivateFile.withContents(of: path) { PrivateKey.isEncrypted(pem: SecretBytes(copying: $0)) }
    }

    /// Replaces the client certificate, after a renewal.
    ///
    /// - Throws: ``PrivateFileError``.
    public static func saveCertificate(_ certificate: String, authority: String, in folder: String) throws {
        try PrivateFile.write(certificate, to: folder + "/certificate.pem", mode: 0o644)
        try PrivateFile.write(authority, to: folder + "/ca.pem", mode: 0o644)
    }

    /// Loads the identity and opens its state.
    ///
    /// - Parameter use: of the state; ``Database/Use/look`` for who only reports.
    /// - Throws: ``ParticipantError/notRegistered(folder:)``; ``ParticipantError/mayNotBeRead(path:why:)``; ``ParticipantError/identity(_:)``
    ///   when others may change what is in the folder; ``PrivateFileError`` when a key file is open to others;
    ///   ``ParticipantError/bound(path:)`` when keys are encrypted for a machine and its key is not there;
    ///   ``StorageError``; ``CryptoError``.
    public static func load(
        from folder: String, machineKey: SecretBytes? = MachineKey.own, use: Database.Use = .change
    ) throws -> (Identity, ParticipantStore) {
        try load(from: folder, machineKey: machineKey) { path throws(StorageError) in
            try ParticipantStore(path: path, use: use)
        }
    }

    /// The same, for a state that may be kept elsewhere.
    ///
    /// - Parameter opened: opens it; it is given the path of the file in the folder.
    /// - Throws: as ``load(from:machineKey:use:)``.
    public static func load(
        from folder: String, machineKey: SecretBytes? = MachineKey.own,
        _ opened: (String) throws(StorageError) -> ParticipantStore
    ) throws -> (Identity, ParticipantStore) {
        guard try exists(in: folder) else { throw ParticipantError.notRegistered(folder: folder) }
        try check(folder)
        let key = try privateKey(folder + "/identity.pem", machineKey)
        // libmosquitto reads this file itself; here only its mode is judged.
        try PrivateFile.withContents(of: folder + "/access.pem") { _ in }
        let state = try opened(statePath(folder))
        guard let id = try state.value("identity").flatMap({ DeviceID(hex: $0) }),
            let host = try state.value("broker.host"),
            let port = try state.value("broker.port").flatMap({ UInt16($0) }),
            let keyService = try state.value("key-service")
        else {
            throw ParticipantError.identity(
                "\(state.database.path) does not belong to the identity in \(folder); register again")
        }
        let identity = Identity(
            id: id, key: key,
            broker: BrokerAddress(
                host: host, port: port, caFile: folder + "/ca.pem", certificateFile: folder + "/certificate.pem",
                keyFile: folder + "/access.pem"),
            keyService: keyService,
            server: try state.value("server").flatMap { DeviceID(hex: $0) },
            serverKey: try state.value("server.key").flatMap { try? PublicKey(pem: $0) })
        return (identity, state)
    }

    private static func check(_ folder: String) throws {
        do {
            try PrivateFolder.check(folder)
        } catch {
            if error.isFolders { throw ParticipantError.identity(error.description) }
            throw error
        }
    }

    /// Reads a private key file of mode 0600.
    ///
    /// - Parameter machineKey: what it may be encrypted with.
    /// - Throws: ``PrivateFileError``; ``CryptoError``; ``ParticipantError/boundElsewhere(path:)``.
    public static func privateKey(_ path: String, _ machineKey: SecretBytes? = MachineKey.own) throws -> PrivateKey {
        try PrivateFile.withContents(of: path) { text in
            let pem = SecretBytes(copying: text)
            guard PrivateKey.isEncrypted(pem: pem) else { return try PrivateKey(pem: pem) }
            guard let machineKey else { throw ParticipantError.bound(path: path) }
            do {
                return try PrivateKey(pem: pem, passphrase: machineKey)
            } catch CryptoError.wrongPassphrase {
                throw ParticipantError.boundElsewhere(path: path)
            }
        }
    }

    /// The name of our session at the broker: the reference's form.
    public var clientID: String { "SRUP Client: \(id.hex)" }
}
