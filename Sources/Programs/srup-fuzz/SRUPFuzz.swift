import ArgumentParser
import FuzzTargets
import Glibc
import Linux
import ObservedValue
import SRUP
import SRUPJSON

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@main
struct SRUPFuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "srup-fuzz", abstract: "Hostile input for what reads bytes from outside.",
        subcommands: [MessageFuzz.self, NearFieldFuzz.self, PictureFuzz.self, CodeFuzz.self, SymbolFuzz.self],
        defaultSubcommand: MessageFuzz.self)
}

/// SRUP messages.
struct MessageFuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "messages",
        abstract:
            "Feed hostile messages to the parser, the JSON mapping and the envelope, or print them for other programs.",
        discussion: "Exit codes: 0 nothing was found, 1 an input came back changed; a crash is a crash.")

    @Option(help: ArgumentHelp("messages.json of the reference's vectors: the corpus and the keys.", valueName: "file"))
    var corpus: String
    @OptionGroup var options: FuzzOptions
    @Flag(help: "Print the inputs as lines of hexadecimal digits and do nothing else.")
    var emit = false

    private struct File: Decodable {
        struct Key: Decodable { let private_pem: String }
        struct Vector: Decodable { let serialized_hex: String }
        let keys: [String: Key]
        let vectors: [Vector]
    }

    func run() throws {
        let file = try JSONDecoder().decode(File.self, from: Data(contentsOf: URL(filePath: corpus)))
        var fuzzer = Fuzzer(corpus: file.vectors.compactMap { Hex.decode($0.serialized_hex) }, seed: options.seed)
        if emit { return emit(&fuzzer) }
        guard let pem = file.keys["device"]?.private_pem else { throw ValidationError("the corpus has no device key") }
        let key = try PrivateKey(pem: pem)
        try options.run("messages") { number in
            let input = fuzzer.next()
            let decoded = MessageJSON(decoding: input, keys: DecodingKeys())
            if decoded.error == nil,
                try MessageJSON(json: Array(decoded.line.utf8)).encoded(EncodingKeys()).bytes != input
            {
                throw Violation(description: "came back changed: \(Hex.encode(input))")
            }
            // Opening costs a private-key operation, so that only some are tried.
            if number % 64 == 0 {
                _ = try? Envelope(input).open(with: key)
                if let hex = decoded.envelope, let bytes = Hex.decode(hex) {
                    _ = try? Envelope(bytes).openNonce(with: key)
                }
            }
            return decoded.error == nil
        }
    }

    private func emit(_ fuzzer: inout Fuzzer) {
        signal(SIGPIPE, SIG_DFL)
        var buffer: [UInt8] = []
        for _ in 0..<options.runs {
            buffer += Hex.encode(fuzzer.next()).utf8
            buffer.append(10)
            if buffer.count > 1 << 16 { put(&buffer) }
        }
        put(&buffer)
    }

    private func put(_ buffer: inout [UInt8]) {
        guard writeAll(buffer, to: 1) else { return }
        buffer.removeAll(keepingCapacity: true)
    }
}
