import ArgumentParser
import Glibc
import SRUP
import Workbench

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@main
struct SRUPFuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "srup-fuzz", abstract: "Hostile input for what reads bytes from outside.",
        subcommands: [MessageFuzz.self, NearFieldFuzz.self, PictureFuzz.self, CodeFuzz.self],
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
    @Option(help: "How many inputs.")
    var runs = 1_000_000
    @Option(help: ArgumentHelp("End after so many seconds, even before.", valueName: "n"))
    var seconds = 3600.0
    @Option(help: "The same seed makes the same inputs.")
    var seed: UInt64 = 1
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
        var fuzzer = Fuzzer(corpus: file.vectors.compactMap { Hex.decode($0.serialized_hex) }, seed: seed)
        if emit { return print(&fuzzer) }
        guard let pem = file.keys["device"]?.private_pem else { throw ValidationError("the corpus has no device key") }
        let key = try PrivateKey(pem: pem)
        let start = ContinuousClock.now
        var parsed = 0
        var envelopes = 0
        for number in 0..<runs {
            let input = fuzzer.next()
            let decoded = MessageJSON(decoding: input, keys: DecodingKeys())
            if decoded.error == nil {
                parsed += 1
                guard try MessageJSON(json: Array(decoded.line.utf8)).encoded(EncodingKeys()).bytes == input else {
                    Swift.print("input \(number) of seed \(seed) came back changed: \(Hex.encode(input))")
                    throw ExitCode(1)
                }
            }
            // Opening costs a private-key operation, so that only some are tried.
            if number % 64 == 0 {
                envelopes += 1
                _ = try? Envelope(input).open(with: key)
                if let hex = decoded.envelope, let bytes = Hex.decode(hex) {
                    _ = try? Envelope(bytes).openNonce(with: key)
                }
            }
            if number % 1024 == 0, ContinuousClock.now - start > .seconds(seconds) { break }
            if (number + 1) % 100_000 == 0 { report(number + 1, parsed, envelopes, start) }
        }
        report(nil, parsed, envelopes, start)
    }

    private func report(_ number: Int?, _ parsed: Int, _ envelopes: Int, _ start: ContinuousClock.Instant) {
        var usage = rusage()
        getrusage(0, &usage)  // RUSAGE_SELF, whose type differs between C libraries
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let count = number.map { "\($0) inputs" } ?? "done"
        Swift.print(
            "\(count) in \(Int(seconds)) s: \(parsed) parsed and came back, \(envelopes) envelopes tried, at most \(usage.ru_maxrss >> 10) MiB"
        )
    }

    private func print(_ fuzzer: inout Fuzzer) {
        signal(SIGPIPE, SIG_DFL)
        var buffer: [UInt8] = []
        for _ in 0..<runs {
            buffer += Hex.encode(fuzzer.next()).utf8
            buffer.append(10)
            if buffer.count > 1 << 16 { put(&buffer) }
        }
        put(&buffer)
    }

    private func put(_ buffer: inout [UInt8]) {
        var sent = 0
        while sent < buffer.count {
            let count = buffer.withUnsafeBytes { write(1, $0.baseAddress! + sent, $0.count - sent) }
            guard count > 0 else { return }
            sent += count
        }
        buffer.removeAll(keepingCapacity: true)
    }
}
