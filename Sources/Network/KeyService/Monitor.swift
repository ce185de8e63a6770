import SRUP
import Storage

/// The identity of tools that watch a network (`srup listen`): a client certificate under a name of its own, which the
/// broker's access list lets read everything and write nothing.
///
/// The broker lets one identity have one connection, so that a tool with the server's certificate would throw the server
/// off. The name is no identity of the protocol (those are hexadecimal), hence nobody can register it.
///
/// ```
/// monitor/access.pem       private key                                  0600
/// monitor/certificate.pem  client certificate, common name "monitor"
/// monitor/ca.pem           the authority that signed it and the broker's
/// monitor/broker           host:port
/// ```
public enum Monitor {
    /// The certificate's common name, and the user's name in the access list.
    public static let name = "monitor"
    /// Its folder in the server's.
    public static func folder(in folder: String) -> String { folder + "/" + name }

    /// Makes key, certificate and the note where the broker is.
    ///
    /// - Throws: ``AuthorityError``, ``CryptoError``, ``PrivateFileError``.
    public static func make(in folder: String, authority: Authority, host: String, port: Int) throws {
        let home = self.folder(in: folder)
        let key = try PrivateKey.generate()
        try PrivateFile.makeFolder(home)
        try PrivateFile.write("\(host):\(port)\n", to: home + "/broker", mode: 0o644)
        try PrivateFile.write(authority.certificate, to: home + "/ca.pem", mode: 0o644)
        try key.pem.withBytes { try PrivateFile.write($0, to: home + "/access.pem") }
        // Last: without it there is no such identity.
        try PrivateFile.write(
            try authority.client(named: name, key: try key.publicKey), to: home + "/certificate.pem", mode: 0o644)
    }

    /// What is wrong with it, in words; `nil`: nothing.
    static func problem(in folder: String) -> String? {
        let path = self.folder(in: folder) + "/certificate.pem"
        guard PublicFile.exists(path), let text = try? PublicFile.read(path) else {
            return "\(self.folder(in: folder)): there is no identity for tools that watch"
        }
        // A key service that runs would have renewed it.
        let least = Double(ServerCertificates.warningDays) * 86400
        guard let dates = Authority.dates(text), dates.end - Authority.systemTime() >= least else {
            return "\(path): the certificate ends soon, or has ended"
        }
        return nil
    }
}
