import ArgumentParser
import Glibc
import Witness

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The witness's end of the socket that the keeper has made.
struct KeeperOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The descriptor of the socket to the keeper.", valueName: "n"))
    var socket: Int32 = 3

    func server() throws -> WitnessServer {
        signal(SIGPIPE, SIG_IGN)
        var status = stat()
        guard fstat(socket, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else {
            throw ValidationError("descriptor \(socket) is no socket: the witness is started by \"srup-observer run\"")
        }
        return WitnessServer(descriptor: socket)
    }
}

/// Prints an event at once: as text, or as a JSON object on a line.
func tell(_ line: some Encodable, _ text: String, asJSON: Bool) {
    print(asJSON ? json(line) : text)
    fflush(nil)
}

/// A JSON object on one line, its keys in order.
func json(_ line: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(line)).map { String(decoding: $0, as: UTF8.self) } ?? ""
}
