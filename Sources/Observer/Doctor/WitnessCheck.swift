import Glibc
import Linux
import Program

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Asks srup-witness what it finds at a camera or a reader: the doctor's own program links no decoder and no libnfc, and a
/// driver that hangs or a library that ends its process is a finding, not the doctor's end.
public struct WitnessCheck: Sendable {
    /// "camera" or "reader".
    private let name: String
    private let executable: String
    private let arguments: [String]
    private let limit: Duration

    /// The most that is read of its answer, in bytes.
    private static let maximumBytes = 64 << 10

    /// Asks nothing yet; ``findings()`` does.
    ///
    /// - Parameters:
    ///   - name: "camera" or "reader", for the findings.
    ///   - executable: path of srup-witness.
    ///   - arguments: without the program's name; they ask for findings as JSON, one a line.
    ///   - limit: after which the witness is killed.
    public init(_ name: String, executable: String, arguments: [String], limit: Duration) {
        self.name = name
        self.executable = executable
        self.arguments = arguments
        self.limit = limit
    }

    /// Blocks until the witness has ended or its time is over.
    public func findings() -> [Finding] {
        do throws(ChildProcess.Failure) {
            let output = try ChildProcess.output(
                of: executable, arguments, until: .now + limit, atMost: Self.maximumBytes)
            return Self.parsed(output.bytes) + problem(output.end)
        } catch {
            return [
                Finding(
                    name, .problem, error.description, remedy: "install the whole package: srup-witness is part of it")
            ]
        }
    }

    /// Whole lines only: the last one of a program that died may be cut off.
    static func parsed(_ output: [UInt8]) -> [Finding] {
        guard let end = output.lastIndex(of: 10) else { return [] }
        let decoder = JSONDecoder()
        return output[..<end].split(separator: 10).compactMap { line in
            try? decoder.decode(Finding.self, from: Data(line))
        }
    }

    private func problem(_ end: ChildProcess.End?) -> [Finding] {
        switch end {
        case .exited(0), .exited(1): return []
        case .exited(let code):
            return [Finding(name, .problem, "the witness's check ended with code \(code)", remedy: remedy)]
        case .killed(let signal):
            let word = String(cString: strsignal(signal))
            return [Finding(name, .problem, "the witness's check died of signal \(signal) (\(word))", remedy: remedy)]
        case nil:
            let seconds = Int(limit / .seconds(1))
            return [
                Finding(name, .problem, "the driver or the device hangs: no answer within \(seconds) s", remedy: remedy)
            ]
        }
    }

    private var remedy: String {
        "unplug it, wait five seconds, plug it in again; see \"dmesg\" for its driver's words"
    }
}
