import Foundation
import Participant
import SRUP

/// What a registered identity needs at the broker and to sign.
struct Credential: Sendable {
    let id: DeviceID
    let key: PrivateKey
    let certificate: String
    let server: DeviceID
    let serverKey: PublicKey
    /// Where its cell's broker listens.
    let brokerPort: Int
}

/// RSA keys cost 0.1 to 0.3 s each, so a few serve thousands of identities: the server knows an identity by its number, and
/// takes the same key for several.
struct KeyPool: Sendable {
    let keys: [PrivateKey]
    /// Of all client certificates.
    let access: PrivateKey

    init(_ count: Int) throws {
        keys = try (0..<count).map { _ in try PrivateKey.generate() }
        access = try PrivateKey.generate()
    }

    /// How often one core signs in a second of its time, whatever else the machine does: the median of ten rounds.
    func signaturesPerSecond() throws -> Double {
        let bytes = [UInt8](repeating: 7, count: 64)
        let message = Message(
            sequence: SequenceNumber(1), sender: DeviceID(1), token: .random(),
            body: .data(id: bytes, value: bytes))
        var rates: [Double] = []
        for _ in 0..<10 {
            let begin = Self.processorTime()
            for _ in 0..<100 { _ = try message.signed(with: keys[0]) }
            rates.append(100 / (Self.processorTime() - begin))
        }
        return rates.sorted()[5]
    }

    /// Of this thread, in seconds.
    private static func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// Registers identities at the real key service, eight at once, as so many machines do: each few hundred come from an address
/// of their own, since the key service limits what one address may do.
struct Registrations: Sendable {
    let pool: KeyPool
    let url: String
    let authority: String

    /// What one address of this machine registers: below what the key service allows one at once.
    private static let perAddress = 250
    static let atOnce = 8

    /// - Returns: the identities, and how long each registration took, in seconds.
    /// - Throws: ``KeyServiceError``, ``CryptoError``.
    func make(_ count: Int, type: String, firstAddress: Int) async throws -> (
        credentials: [Credential], seconds: [Double]
    ) {
        try await withThrowingTaskGroup(of: (Credential, Double).self) { group in
            var (credentials, seconds): ([Credential], [Double]) = ([], [])
            for number in 0..<count {
                if number >= Self.atOnce, let (credential, time) = try await group.next() {
                    credentials.append(credential)
                    seconds.append(time)
                }
                let address = firstAddress + number / Self.perAddress
                group.addTask {
                    let begin = BrokerLoop.clock()
                    let credential = try await register(
                        type: type, key: pool.keys[number % pool.keys.count],
                        from: "127.1.\(address / 250).\(address % 250 + 1)")
                    return (credential, BrokerLoop.clock() - begin)
                }
            }
            for try await (credential, time) in group {
                credentials.append(credential)
                seconds.append(time)
            }
            return (credentials, seconds)
        }
    }

    static func addresses(_ count: Int) -> Int { (count + perAddress - 1) / perAddress }

    private func register(type: String, key: PrivateKey, from address: String) async throws -> Credential {
        var service = try KeyServiceClient(url: url, authorityFile: authority)
        service.source = address
        let id = DeviceID.random()
        let welcome = try await service.register(id, key: try key.publicKey, type: type)
        try await service.validate(id, key: key)
        let (certificate, _) = try await service.access(id, key: key, accessKey: pool.access)
        guard let server = welcome.server, let serverKey = welcome.serverKey else {
            throw KeyServiceError.notUnderstood(step: "register")
        }
        return Credential(
            id: id, key: key, certificate: certificate, server: server, serverKey: serverKey,
            brokerPort: Int(welcome.brokerPort))
    }
}
