import ArgumentParser
import Glibc
import ObservedValue
import Program
import SRUP
import SRUPJSON

struct Encode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write messages from JSON, one object per line: the form that \"srup decode --json\" prints.",
        discussion: """
            With --private-key the message is signed, otherwise "signature_hex" is put in its place. With --recipient-key \
            "nonce" is sealed, otherwise "envelope" is taken as it is. A missing "token" is made up, a missing "version" is 5. \
            What no participant would take can be written, too: a "type" as 0x30, a "status_code" as 0x42 in place of "status", \
            "tail" in place of a type's own keys, "trailing" bytes.

              echo '{"type":"ACTION","sequence":16,"sender":"a1","action":7}' | srup encode --private-key key.pem

            Exit codes: 0 all were written, 1 one was not (the error names its line and key).
            """)

    @Argument(help: ArgumentHelp("Files; standard input without.", valueName: "file"))
    var files: [String] = []
    @Option(help: ArgumentHelp("PEM file of the sender's private key.", valueName: "file"))
    var privateKey: String?
    @Option(help: ArgumentHelp("PEM file of the recipient's public key.", valueName: "file"))
    var recipientKey: String?
    @Flag(help: "Write the bytes themselves and not lines of hexadecimal digits.")
    var binary = false

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        var keys = EncodingKeys()
        keys.signer = try privateKey.map { try KeyFiles.privateKey($0) }
        keys.recipient = try recipientKey.map { try KeyFiles.publicKey($0) }
        var output = Output()
        var isAllWell = true
        try Inputs.each(files) { descriptor, name in
            var reader = LineReader(descriptor, limit: 1 << 20)
            var number = 0
            while let item = reader.next() {
                number += 1
                do {
                    guard case .line(let line) = item else {
                        throw MessageJSONError(key: "", problem: "the line is longer than any message")
                    }
                    if line.allSatisfy({ $0 == 32 || $0 == 9 || $0 == 13 }) { continue }
                    let bytes = try MessageJSON(json: line).encodedBytes(keys)
                    if binary { output.write(bytes) } else { output.line(Hex.encode(bytes)) }
                } catch {
                    isAllWell = false
                    Program.complain("\(name), line \(number): \(error)")
                }
            }
        }
        output.flush()
        if !isAllWell { throw ExitCode(1) }
    }
}
