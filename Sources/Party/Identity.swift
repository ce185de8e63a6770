import Glibc
import SRUP
import Storage

/// A registered identity as it lies in its state folder.
///
/// ```
/// identity.pem      private key of the identity                       0600
/// access.pem        private key of the broker's client certificate    0600
/// certificate.pem   client certificate for the broker
/// ca.pem            authority that signed it and the broker's
/// state.db          counters, peers, open requests, audit log         0600
/// ```
/// The folder itself has mode 0700.
public struct Identity: Sendable {
    public let id: DeviceID
    public let key: PrivateKey
    public let broker: BrokerAddress
    /// Base URL of the key service that knows us.
    public let keyService: String
    /// The C2 server to join, and its key, when the key service told them.
    public let server: DeviceID?
    public let serverKey: PublicKey?

    /// What registration has brought, to be kept.
    public struct Registration: Sendable {
        public var id: DeviceID
        public var key: PrivateKey
        public var accessKey: PrivateKey
        public var certificate: String
        public var authority: String
        public var brokerHost: String
        public var brokerPort: UInt16
        public var keyService: String
        public var server: DeviceID?
        public var serverKey: PublicKey?

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

    public static func statePath(_ folder: String) -> String { folder + "/state.db" }

    /// Whether there is an identity in the folder.
    public static func exists(in folder: String) -> Bool { access(folder + "/identity.pem", F_OK) == 0 }

    /// Writes a fresh identity. The key file comes last: a folder without it holds no identity.
    ///
    /// - Throws: ``PrivateFileError``, ``StorageError``.
    public static func save(_ registration: Registration, in folder: String) throws {
        try PrivateFile.makeFolder(folder)
        let state = try PartyState(path: statePath(folder))
        try state.set("identity", to: registration.id.hex)
        try state.set("broker.host", to: registration.brokerHost)
        try state.set("broker.port", to: String(registration.brokerPort))
        try state.set("key-service", to: registration.keyService)
        try state.set("server", to: registration.server?.hex)
        try state.set("server.key", to: registration.serverKey?.pem)
        try saveCertificate(registration.certificate, authority: registration.authority, in: folder)
        try registration.accessKey.pem.withBytes { try PrivateFile.write($0, to: folder + "/access.pem") }
        try registration.key.pem.withBytes { try PrivateFile.write($0, to: folder + "/identity.pem") }
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
    /// - Throws: ``PartyError/notRegistered(folder:)``; ``PrivateFileError`` when a key file is open to others;
    ///   ``StorageError``; ``CryptoError``.
    public static func load(from folder: String) throws -> (Identity, PartyState) {
        guard exists(in: folder) else { throw PartyError.notRegistered(folder: folder) }
        let key = try privateKey(folder + "/identity.pem")
        // libmosquitto reads this file itself; here only its mode is judged.
        try PrivateFile.withContents(of: folder + "/access.pem") { _ in }
        let state = try PartyState(path: statePath(folder))
        guard let id = try state.value("identity").flatMap({ DeviceID(hex: $0) }),
            let host = try state.value("broker.host"),
            let port = try state.value("broker.port").flatMap({ UInt16($0) }),
            let keyService = try state.value("key-service")
        else {
            throw PartyError.identity(
                "\(statePath(folder)) does not belong to the identity in \(folder); register again")
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

    /// Reads a private key file of mode 0600.
    ///
    /// - Throws: ``PrivateFileError``, ``CryptoError``.
    public static func privateKey(_ path: String) throws -> PrivateKey {
        try PrivateFile.withContents(of: path) { text in
            try PrivateKey(
                pem: SecretBytes(capacity: text.count) { buffer in
                    buffer.copyMemory(from: text)
                    return text.count
                })
        }
    }

    /// The name of our session at the broker: the reference's form.
    public var clientID: String { "SRUP Client: \(id.hex)" }
}
