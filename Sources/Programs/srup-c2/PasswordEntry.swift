import ArgumentParser
import Glibc
import Operators
import Storage

/// Where an operator's password comes from. It is never on the command line, which everybody on the machine can read.
struct PasswordOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Read the password from the first line of this file, which only its owner may read; \"-\" is standard input.",
            valueName: "file"))
    var passwordFile: String?
    @Flag(help: "Make a password and print it, once.")
    var generate = false

    func validate() throws {
        guard passwordFile == nil || !generate else {
            throw ValidationError("give --password-file or --generate, not both")
        }
    }

    /// The password, and its text if it was made here.
    func password() throws -> (Password, made: String?) {
        if generate {
            guard let made = Password.random() else { throw OperatorError.failed("no password could be made") }
            return (made.password, made.text)
        }
        guard let passwordFile else { return (try SilentTerminal().newPassword(), nil) }
        let text =
            passwordFile == "-"
            ? readLine() ?? ""
            : try PrivateFile.withContents(of: passwordFile) { String(decoding: $0.prefix(4096), as: UTF8.self) }
        return (try Password(String(text.prefix { !$0.isNewline })), nil)
    }
}

/// The terminal, without echo.
private struct SilentTerminal {
    /// Asks twice.
    func newPassword() throws -> Password {
        let descriptor = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw OperatorError.invalid("there is no terminal to ask on: use --password-file or --generate")
        }
        defer { close(descriptor) }
        var before = termios()
        guard tcgetattr(descriptor, &before) == 0 else {
            throw OperatorError.invalid("the terminal cannot be made silent: use --password-file or --generate")
        }
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        silent.c_lflag |= tcflag_t(ICANON | ECHONL)
        // Ctrl-C must not leave it silent: it ends the line, and is seen below.
        silent.c_lflag &= ~tcflag_t(ISIG)
        withUnsafeMutableBytes(of: &silent.c_cc) { $0[Int(VEOL)] = 3 }
        tcsetattr(descriptor, TCSAFLUSH, &silent)
        defer { tcsetattr(descriptor, TCSAFLUSH, &before) }
        let first = try ask("Password (at least \(Password.minimumCharacters) characters): ", descriptor)
        let password = try Password(first)
        guard try ask("The same again: ", descriptor) == first else {
            throw OperatorError.invalid("the two are not the same")
        }
        return password
    }

    private func ask(_ question: String, _ descriptor: Int32) throws -> String {
        _ = write(descriptor, question, question.utf8.count)
        var line: [UInt8] = []
        line.reserveCapacity(4 * Password.maximumBytes)
        defer { for index in line.indices { line[index] = 0 } }
        var byte: UInt8 = 0
        while read(descriptor, &byte, 1) == 1, byte != 0x0A {
            // Ctrl-C.
            guard byte != 3 else { throw OperatorError.invalid("stopped") }
            if line.count < 4 * Password.maximumBytes { line.append(byte) }
        }
        return String(decoding: line, as: UTF8.self)
    }
}
