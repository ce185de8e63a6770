import COpenSSL
import Foundation
import SRUP
import Storage
import Synchronization
import Testing

@testable import KeyService
@testable import Participant

/// A server's folder and its participants over many years, day by day; the clock is the test's.
@Suite struct YearsTests {
    static let day = 86400.0

    /// Seconds since 1970, moved by the test.
    final class Clock: Sendable {
        private let seconds = Mutex(1_800_000_000.0)
        var now: Double { seconds.withLock { $0 } }
        func go(_ days: Double) { seconds.withLock { $0 += days * YearsTests.day } }
    }

    /// What a participant has: it fetches its certificate, and with it the authority's, by its own rule and from nowhere else.
    final class Far {
        let id: DeviceID
        let key: PublicKey
        var certificate: String
        var authority: String
        var renewals = 0

        init(_ id: DeviceID, _ key: PublicKey, _ signer: Authority) throws {
            self.id = id
            self.key = key
            certificate = try signer.client(id, key: key)
            authority = signer.certificate
        }

        func look(_ signer: Authority, _ now: Double) throws {
            guard Certificate.isDue(certificate, now: now) || Certificate.isDue(authority, now: now) else { return }
            certificate = try signer.client(id, key: key)
            authority = signer.certificate
            renewals += 1
        }
    }

    let clock = Clock()
    let folder = NSTemporaryDirectory() + "srup-years-\(UUID().uuidString)"
    let authority: Authority
    let certificates: ServerCertificates
    let key: PublicKey

    init() throws {
        try PrivateFile.makeFolder(folder + "/server")
        let clock = clock
        authority = try Authority.create(in: folder, name: "test") { clock.now }
        certificates = ServerCertificates(folder: folder, authority: authority)
        key = try PrivateKey.generate().publicKey
        for name in ["https", "broker"] {
            try PrivateFile.write(
                authority.server(key, hosts: ["c2.example.net", "192.0.2.1"]), to: "\(folder)/\(name).crt")
        }
        try PrivateFile.write(authority.client(DeviceID(0xC2C2), key: key), to: folder + "/server/certificate.pem")
        for name in ["ca.pem", "https-ca.pem"] {
            try PrivateFile.write(authority.certificate, to: folder + "/server/" + name)
        }
        try Monitor.make(in: folder, authority: authority, host: "c2.example.net", port: 8883)
    }

    private func read(_ file: String) throws -> String { try PublicFile.read(folder + "/" + file) }

    /// Whether whoever believes `authority` takes the certificate at this moment.
    private func isTaken(_ certificate: String, by authority: String) throws -> Bool {
        let store = X509_STORE_new()
        let context = X509_STORE_CTX_new()
        let leaf = try CertificateRequestReader.certificate(certificate)
        let root = try CertificateRequestReader.certificate(authority)
        defer {
            X509_STORE_CTX_free(context)
            X509_STORE_free(store)
            X509_free(leaf)
            X509_free(root)
        }
        X509_STORE_add_cert(store, root)
        X509_STORE_CTX_init(context, store, leaf, nil)
        X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context), time_t(clock.now))
        return X509_verify_cert(context) == 1
    }

    /// Who must believe whom, today.
    private func everybodyTakesEverybody(_ far: [Far]) throws -> Bool {
        let root = try read("ca.crt")
        let shown = try (read("https.crt"), read("broker.crt"))
        let near = try [read("server/certificate.pem"), read("monitor/certificate.pem")]
        let clients = near + far.map(\.certificate)
        let believed =
            try [read("server/ca.pem"), read("server/https-ca.pem"), read("monitor/ca.pem")] + far.map(\.authority)
        return try clients.allSatisfy { try isTaken($0, by: root) }
            && believed.allSatisfy { try isTaken(shown.0, by: $0) && isTaken(shown.1, by: $0) }
    }

    @Test func noDayOfTwelveYearsFindsACertificateAtItsEnd() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Some are switched on for a day now and then only.
        let far = try (1...3).map { try Far(DeviceID($0), key, authority) }
        var renewed: [String: Int] = [:]
        let first = try read("broker.crt")
        for day in 0..<(12 * 365) {
            let outcome = certificates.renewDue(now: clock.now)
            for words in outcome.renewed {
                renewed[String(words.dropFirst(folder.count + 1).prefix { $0 != "," }), default: 0] += 1
            }
            #expect(outcome.problems == [])
            for (index, one) in far.enumerated() where day % (index * 25 + 1) == 0 {
                try one.look(authority, clock.now)
            }
            if day % 5 == 0 || !outcome.renewed.isEmpty {
                #expect(try everybodyTakesEverybody(far), "on day \(day)")
                #expect(ServerCertificates.problems(folder: folder, now: clock.now) == [], "on day \(day)")
            }
            clock.go(1)
        }
        // Every ten months; the authority after eight years.
        #expect(renewed["broker.crt"] == 14 && renewed["https.crt"] == 14 && renewed["ca.crt"] == 1, "\(renewed)")
        #expect(far.allSatisfy { (13...15).contains($0.renewals) }, "\(far.map(\.renewals))")
        // It is the same certificate, but for its dates: names, uses and key.
        let last = try read("broker.crt")
        #expect(first != last && Authority.areOfOneKey(first, last))
        #expect(try names(last) == names(first) && names(last).count == 2)
    }

    private func names(_ pem: String) throws -> [String] {
        let certificate = try CertificateRequestReader.certificate(pem)
        defer { X509_free(certificate) }
        return ["c2.example.net", "192.0.2.1"].filter {
            X509_check_host(certificate, $0, $0.utf8.count, 0, nil) == 1 || X509_check_ip_asc(certificate, $0, 0) == 1
        }
    }

    @Test func whatNobodyRenewsIsToldAMonthBefore() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func problems() -> [String] { ServerCertificates.problems(folder: folder, now: clock.now) }
        clock.go(334)
        #expect(problems() == [])
        clock.go(2)
        #expect(
            problems().count == 4
                && problems().allSatisfy { $0.contains("ends in 2") && $0.contains("srup-c2 key-service") })
        clock.go(40)
        #expect(problems().count == 4 && problems().allSatisfy { $0.contains("has ended") })
        // Late is not too late.
        #expect(certificates.renewDue(now: clock.now).renewed.count == 4 && problems() == [])
    }

    @Test func aClockThatWentAheadAndCameBackLeavesNothingThatBeginsInTheFuture() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let far = try [Far(DeviceID(1), key, authority)]
        clock.go(20 * 365)
        _ = certificates.renewDue(now: clock.now)
        try far[0].look(authority, clock.now)
        #expect(try everybodyTakesEverybody(far))
        clock.go(-20 * 365)
        #expect(try !everybodyTakesEverybody(far))
        #expect(!ServerCertificates.problems(folder: folder, now: clock.now).isEmpty)
        #expect(certificates.renewDue(now: clock.now).renewed.count == 5)
        try far[0].look(authority, clock.now)
        #expect(try everybodyTakesEverybody(far))
        #expect(ServerCertificates.problems(folder: folder, now: clock.now) == [])
    }

    @Test func anotherAuthoritysCertificateIsLeftAlone() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let other = NSTemporaryDirectory() + "srup-other-\(UUID().uuidString)"
        try PrivateFile.makeFolder(other)
        defer { try? FileManager.default.removeItem(atPath: other) }
        let clock = clock
        let theirs = try Authority.create(in: other, name: "test") { clock.now }.server(key, hosts: ["c2.example.net"])
        try PrivateFile.write(theirs, to: folder + "/https.crt")
        clock.go(350)
        let problem = ServerCertificates.problems(folder: folder, now: clock.now).first { $0.contains("https.crt") }
        #expect(problem?.contains("another authority's") == true)
        #expect(certificates.renewDue(now: clock.now).renewed.count == 3)
        #expect(try read("https.crt") == theirs)
    }

    @Test func aRoundIsDailyByTheWallClockAndAtOnceWhenItWasSetBack() {
        var round = DailyRound()
        #expect(round.isDue(1000))
        round.done(1000, worked: true)
        #expect(!round.isDue(1000 + 86399) && round.isDue(1000 + 86400) && round.isDue(1e9))
        #expect(!round.isDue(950) && round.isDue(900))
        round.done(1000, worked: false)
        #expect(!round.isDue(4599) && round.isDue(4600))
    }

    @Test func theKeyServiceServesARenewedCertificateWithoutARestart() async throws {
        try await Rig.with { rig in
            func shown() async throws -> String {
                let probe = try #require(BrokerProbe(url: rig.url, authorityFile: rig.ca))
                guard case .accepted(_, let certificate) = await probe.outcome() else { return "" }
                return certificate
            }
            let path = rig.folder + "/https.crt"
            let first = try PublicFile.read(path)
            #expect(try await shown() == first)
            let second = try rig.authority.renewed(first)
            try PrivateFile.write(second, to: path)
            #expect(try await shown() == second && second != first)
            // One that does not fit its key changes nothing.
            let stranger = try PrivateKey.generate().publicKey
            try PrivateFile.write(try rig.authority.server(stranger, hosts: ["localhost"]), to: path)
            #expect(try await shown() == second)
            try PrivateFile.write("nonsense", to: path)
            #expect(try await shown() == second)
            try PrivateFile.write(first, to: path)
            #expect(try await shown() == first)
            #expect(try await rig.client().isActive())
        }
    }

    @Test func aLinkConnectsAnewWhenItsCertificateWasRenewed() async throws {
        let rig = try Rig()
        try rig.startBroker()
        let address = try rig.credentials(DeviceID(0xA1))
        let server = try Peer(rig.credentials(rig.server), as: "server")
        let a = try Peer(address, as: "a", ["SRUP/a1"])
        for peer in [server, a] { #expect(await peer.wait { $0.connections == 1 }) }
        a.link.reconnectIfRenewed()
        try PrivateFile.write(
            try rig.authority.renewed(try PublicFile.read(address.certificateFile)), to: address.certificateFile)
        a.link.reconnectIfRenewed()
        #expect(await a.wait { $0.connections == 2 })
        // Once, and nothing was lost.
        a.link.reconnectIfRenewed()
        for _ in 0..<20 { server.publish("SRUP/a1", size: 10) }
        a.publish("SRUP/servers/c2c2/a1")
        #expect(await a.wait { $0.confirmed == 1 && $0.topics.contains("SRUP/a1") })
        #expect(a.connections == 2 && a.problem.contains("renewed certificate"))
        for peer in [server, a] { await peer.stop() }
        await rig.stop()
    }
}
