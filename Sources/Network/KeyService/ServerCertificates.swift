import COpenSSL
import Glibc
import SRUP
import Storage

/// The certificates in a server's folder, and how they are kept from running out.
///
/// Each is made anew in its last two months for the key that is there: only one file changes, so that a power cut leaves the
/// old pair or the new one. The authority renews its own two years before its end, so that everybody, who gets it with the
/// yearly certificate of their own, has the new one long before. What another authority has signed is left alone.
public struct ServerCertificates: Sendable {
    /// A certificate with less than this left is renewed, in days: a month is for trying.
    public static let renewalDays = 60
    /// With less than this left somebody has to be told, in days.
    public static let warningDays = 30
    /// The same for the authority's own.
    static let authorityRenewalDays = 730
    static let authorityWarningDays = 640

    private let folder: String
    private let authority: Authority

    /// - Parameter authority: of this folder.
    public init(folder: String, authority: Authority) {
        self.folder = folder
        self.authority = authority
    }

    /// One of those that the authority signs.
    private struct Kept {
        let file: String
        let whose: String
    }

    private static let kept = [
        Kept(file: "https.crt", whose: "key service"), Kept(file: "broker.crt", whose: "broker"),
        Kept(file: "server/certificate.pem", whose: "C2 server"),
        Kept(file: "\(Monitor.name)/certificate.pem", whose: "tools that watch"),
    ]

    /// Copies of the authority's certificate, where it is the one that is believed.
    private static let copies = ["server/ca.pem", "server/https-ca.pem", "\(Monitor.name)/ca.pem"]

    /// What was done, in words, and what went wrong.
    public struct Outcome: Sendable {
        /// The certificates that were renewed: path and whose each is.
        public var renewed: [String] = []
        /// What could not be renewed and why, one sentence each.
        public var problems: [String] = []
    }

    /// Renews what has to be.
    ///
    /// - Parameter now: seconds since 1970.
    public func renewDue(now: Double) -> Outcome {
        var outcome = Outcome()
        func attempt(_ file: String, _ body: () throws -> String?) {
            do {
                if let words = try body() { outcome.renewed.append(words) }
            } catch {
                outcome.problems.append("\(folder)/\(file) cannot be renewed: \(error)")
            }
        }
        attempt("ca.crt") {
            guard Self.isDue(authority.certificate, now, within: Self.authorityRenewalDays) else { return nil }
            try authority.renewOwn(in: folder)
            return "\(folder)/ca.crt, the authority's own certificate"
        }
        for copy in Self.copies {
            attempt(copy) {
                try renewCopy(folder + "/" + copy)
                return nil
            }
        }
        for one in Self.kept {
            attempt(one.file) {
                let path = folder + "/" + one.file
                guard PublicFile.exists(path) else { return nil }
                let text = try PublicFile.read(path)
                guard Self.isDue(text, now, within: Self.renewalDays), authority.hasSigned(text) else { return nil }
                try PrivateFile.write(try authority.renewed(text), to: path, mode: 0o644)
                return "\(path), the certificate of the \(one.whose)"
            }
        }
        return outcome
    }

    private func renewCopy(_ path: String) throws {
        guard PublicFile.exists(path) else { return }
        let text = try PublicFile.read(path)
        guard text != authority.certificate, Authority.areOfOneKey(text, authority.certificate) else { return }
        try PrivateFile.write(authority.certificate, to: path, mode: 0o644)
    }

    /// Whether the private key in one file is the one of the certificate in the other, whatever kind of key it is.
    ///
    /// - Throws: ``AuthorityError``, ``PrivateFileError`` when the certificate cannot be read.
    public static func fit(certificateFile: String, keyFile: String) throws -> Bool {
        let certificate = try CertificateRequestReader.certificate(try PublicFile.read(certificateFile))
        defer {
            X509_free(certificate)
            ERR_clear_error()
        }
        guard let file = BIO_new_file(keyFile, "r") else { return false }
        defer { BIO_free(file) }
        // An encrypted one is not asked for its passphrase.
        guard let key = PEM_read_bio_PrivateKey(file, nil, { _, _, _, _ in 0 }, nil) else { return false }
        defer { EVP_PKEY_free(key) }
        return X509_check_private_key(certificate, key) == 1
    }

    /// - Throws: ``AuthorityError`` when the private key in one file is not the one of the certificate in the other.
    @Sendable public static func mustFit(certificateFile: String, keyFile: String) throws {
        guard try fit(certificateFile: certificateFile, keyFile: keyFile) else {
            throw AuthorityError.notOfOnePair(certificateFile, keyFile)
        }
    }

    /// Whether a certificate ends within so many days or was made by a clock that went ahead.
    private static func isDue(_ pem: String, _ now: Double, within days: Int) -> Bool {
        guard let dates = Authority.dates(pem) else { return false }
        return dates.end - now < Double(days) * 86400 || dates.begin - now > 86400
    }

    /// What in a server's folder ends soon although it should have been renewed, in words; empty when all is well.
    ///
    /// - Parameter now: seconds since 1970; `nil`: as the clock says.
    public static func problems(folder: String, now: Double? = nil) -> [String] {
        let now = now ?? Authority.systemTime()
        let others = (try? PublicFile.read(folder + "/ca.crt")).map { authority in
            kept.filter { one in
                (try? PublicFile.read(folder + "/" + one.file)).map { !Authority.isIssuer(authority, of: $0) } == true
            }.map(\.file)
        }
        var found = kept.compactMap { one -> String? in
            let path = folder + "/" + one.file
            guard PublicFile.exists(path) else { return nil }
            let remedy =
                others?.contains(one.file) == true
                ? "it is another authority's, who must renew it"
                : "srup-c2 key-service renews it: does it run, and what does its log say?"
            return problem(path, "the certificate of the \(one.whose)", now, within: warningDays, remedy)
        }
        let own = problem(
            folder + "/ca.crt", "the authority's own certificate", now, within: authorityWarningDays,
            "srup-c2 key-service renews it: does it run, and what does its log say?")
        if let own { found.append(own) }
        return found
    }

    private static func problem(
        _ path: String, _ what: String, _ now: Double, within days: Int, _ remedy: String
    ) -> String? {
        guard let text = try? PublicFile.read(path), let dates = Authority.dates(text) else {
            return "\(path), \(what), cannot be read"
        }
        let left = dates.end - now
        if left < 0 { return "\(path), \(what), has ended (\(remedy))" }
        if dates.begin > now { return "\(path), \(what), is not valid yet: is the clock right?" }
        guard left < Double(days) * 86400 else { return nil }
        return "\(path), \(what), ends in \(Int(left / 86400)) days (\(remedy))"
    }
}
