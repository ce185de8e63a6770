import CPostgres
import Storage

/// Where a PostgreSQL database is, and how one gets in: `postgresql://user@host/database`, as libpq reads it.
///
/// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
public struct PostgreSQLAddress: Sendable {
    /// For libpq; the password may be among them.
    let options: [String: String]
    /// Host, port and database, for people: neither user nor password.
    public let place: String
    private let secrets: [String]

    /// What all addresses begin with.
    public static let beginnings = ["postgresql://", "postgres://"]

    /// Reads an address. Several hosts may be named, of which the one is used that may be written:
    /// `postgresql://srup@one,two/srup`. A password is better put into a file (`?passfile=/path`).
    ///
    /// - Throws: ``StorageError/cannotOpen(path:why:)``, without the text: a password may be in it.
    public init(_ text: String) throws(StorageError) {
        guard Self.beginnings.contains(where: text.hasPrefix), text.utf8.count <= 4096, !text.utf8.contains(0) else {
            throw Self.unreadable
        }
        var message: UnsafeMutablePointer<CChar>?
        let parsed = PQconninfoParse(text, &message)
        defer {
            PQconninfoFree(parsed)
            PQfreemem(message)
        }
        guard let parsed else { throw Self.unreadable }
        var options: [String: String] = [:]
        var option = parsed
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val, value.pointee != 0 {
                options[String(cString: keyword)] = String(cString: value)
            }
            option += 1
        }
        secrets = ["password", "sslpassword"].compactMap { options[$0] }.filter { !$0.isEmpty }
        let hosts = (options["host"] ?? options["hostaddr"] ?? "").split(
            separator: ",", omittingEmptySubsequences: false)
        let ports = (options["port"] ?? "").split(separator: ",", omittingEmptySubsequences: false)
        let names = hosts.enumerated().map { index, host in
            let port = ports.count > 1 ? (index < ports.count ? ports[index] : "") : (ports.first ?? "")
            return (host.isEmpty ? "localhost" : String(host)) + (port.isEmpty ? "" : ":\(port)")
        }
        place = "postgresql://\(names.joined(separator: ","))/\(options["dbname"] ?? "")"
        // On the network nobody else may answer in the server's place, unless somebody says so.
        let isHere = hosts.allSatisfy {
            $0.isEmpty || $0.hasPrefix("/") || ["localhost", "127.0.0.1", "::1"].contains($0)
        }
        let defaults = [
            "connect_timeout": "5", "keepalives_idle": "10", "keepalives_interval": "3", "keepalives_count": "3",
            "tcp_user_timeout": "15000", "target_session_attrs": "read-write", "fallback_application_name": "srup",
            "sslmode": isHere ? "prefer" : "verify-full",
        ]
        options.merge(defaults) { said, _ in said }
        // Not to be chosen.
        options["client_encoding"] = "UTF8"
        self.options = options
    }

    private static let unreadable = StorageError.cannotOpen(
        path: "postgresql://…", why: "the address cannot be read; one looks like \"postgresql://user@host/database\"")

    /// libpq's words in one line, without what nobody may read.
    func words(_ message: String) -> String {
        let line = message.split(whereSeparator: \.isNewline).joined(separator: "; ")
        return secrets.reduce(line) { $0.replacing($1, with: "…") }
    }
}
