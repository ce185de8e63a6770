import Glibc
import Linux
import SRUP
import Storage

/// What binds the keys of an identity to the machine: a secret that systemd keeps sealed (with the machine's TPM where
/// there is one, with the host's own key otherwise) and lends to the observer's service as a credential. With it the key
/// files are encrypted; a copy of the state folder opens nowhere else.
///
/// The package makes it when it is installed. Where there is none (the observer run by hand, in a container, by a systemd
/// older than 254) keys lie unencrypted in their files of mode 0600.
public enum MachineKey {
    /// The credential's name: each program has its own (`srup-observer.machine-key`).
    public static let name = (ChildProcess.executable.split(separator: "/").last ?? "") + ".machine-key"
    /// Where the package keeps it, sealed.
    static let sealed = "/etc/credstore.encrypted/\(name)"
    private static let tool = "/usr/bin/systemd-creds"

    /// This process's, looked for once; `nil`: there is none, and none is made.
    public static let own: SecretBytes? = credential() ?? unsealed()

    /// What systemd lends to a service: root's file, which an access list opens to the service's user alone. Such a list
    /// shows as access for the group (mode 0440).
    private static func credential() -> SecretBytes? {
        guard let folder = getenv("CREDENTIALS_DIRECTORY") else { return nil }
        let path = String(cString: folder) + "/" + name
        guard access(path, F_OK) == 0 else { return nil }
        do {
            if let secret = try PrivateFile.withContents(of: path, denied: 0o007, secret) { return secret }
            complain("\(path) holds no secret of 16 to \(most) bytes")
        } catch {
            complain(String(describing: error))
        }
        return nil
    }

    private static func complain(_ problem: String) {
        StandardError.line("error: keys are not bound to this machine: \(problem)")
    }

    /// The administrator, who runs doctor or status beside the service, may have it unsealed.
    private static func unsealed() -> SecretBytes? {
        guard geteuid() == 0, access(sealed, R_OK) == 0, access(tool, X_OK) == 0 else { return nil }
        var pipe: [Int32] = [0, 0]
        guard Glibc.pipe(&pipe) == 0 else { return nil }
        defer { close(pipe[0]) }
        let process = try? ChildProcess.start(
            tool, ["decrypt", "--name=\(name)", sealed, "-"], descriptors: [1: pipe[1]])
        close(pipe[1])
        guard let process else { return nil }
        let result = SecretBytes(capacity: most) { max(0, readAll(into: $0, from: pipe[0])) }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        return status == 0 ? result.withBytes { secret($0) } : nil
    }

    /// OpenSSL takes passphrases of up to 1023 bytes.
    private static let most = 1023

    private static func secret(_ bytes: UnsafeRawBufferPointer) -> SecretBytes? {
        (16...most).contains(bytes.count) ? SecretBytes(copying: bytes) : nil
    }

    typealias PassphraseCallback =
        @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32

    /// For C libraries that ask for a private key's passphrase.
    static let callback: PassphraseCallback = { buffer, size, _, _ in
        // A passphrase of length 0 is a wrong one; a negative number would have libmosquitto ask on the terminal.
        max(own?.copy(to: buffer, size) ?? 0, 0)
    }
}
