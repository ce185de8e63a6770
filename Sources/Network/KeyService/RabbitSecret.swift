import COpenSSL
import Glibc
import SRUP
import Storage

/// What RabbitMQ and this server's programs know of each other, on loopback: 256 random bits as hexadecimal digits, in a file that
/// is its owner's alone.
public enum RabbitSecret: String, CaseIterable, Sendable {
    /// Who knows this may ask the key service as the broker does; it is in rabbitmq.conf, too.
    case answers = "rabbitmq-answers.secret"
    /// The password of RabbitMQ's user ``RabbitConfiguration/controller``; RabbitMQ has only its hash.
    case control = "rabbitmq-control.secret"

    /// The file holds something else.
    public struct Damaged: Error, Sendable, CustomStringConvertible {
        /// The file.
        public let path: String
        /// What is wrong, and what to do.
        public var description: String {
            "\(path) must hold 64 hexadecimal digits; remove it and say srup-c2 upgrade, then restart broker, key service and server"
        }
    }

    private static let digits = 64

    func path(in folder: String) -> String { folder + "/" + rawValue }

    /// Makes the file if it is not there.
    ///
    /// - Returns: whether it was made.
    /// - Throws: ``PrivateFileError``.
    func make(in folder: String) throws(PrivateFileError) -> Bool {
        guard !PublicFile.isThere(path(in: folder)) else { return false }
        let digits = Array("0123456789abcdef".utf8)
        let text = (0..<Self.digits).map { _ in digits[Int.random(in: 0..<16)] }
        try PrivateFile.write(String(decoding: text, as: UTF8.self), to: path(in: folder))
        return true
    }

    /// - Throws: ``PrivateFileError``, ``Damaged``.
    func read(in folder: String) throws -> String {
        let text = try PrivateFile.withContents(of: path(in: folder)) { String(decoding: $0, as: UTF8.self) }
        guard text.utf8.count == Self.digits,
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { throw Damaged(path: path(in: folder)) }
        return text
    }

    /// A password as RabbitMQ keeps it (`rabbit_password_hashing_sha256`): four bytes of salt, and SHA-256 of salt and password.
    static func hash(_ password: String, salt: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let salted = salt + Array(password.utf8)
        _ = SHA256(salted, salted.count, &digest)
        return salt + digest
    }
}
