import Glibc
import Linux

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Reads what displays would show with the observer's own reader, `srup-witness`, in a process of its own.
public struct ReadBack: Sendable {
    private let witness: String
    private let limit: Duration

    /// - Parameters:
    ///   - witness: the program; beside this one when nothing is said.
    ///   - limit: after which it is killed.
    public init(witness: String = ChildProcess.sibling("srup-witness"), limit: Duration = .seconds(60)) {
        self.witness = witness
        self.limit = limit
    }

    /// Whether every picture that the display would show says the value, and no other.
    ///
    /// - Parameter hex: 32 hexadecimal characters, borrowed. They are in a file of one's own for a moment.
    /// - Returns: the displays whose pictures were read; others show none.
    /// - Throws: ``PresentationError/unreadable(_:why:)``, and what making the pictures throws.
    public func check(_ presenter: any NoncePresenter, _ hex: UnsafeRawBufferPointer) throws -> [String] {
        guard access(witness, X_OK) == 0 else {
            throw PresentationError.unreadable(
                "what is shown", why: "\(witness), the observer's reader, is not installed")
        }
        let pictures = try presenter.pictures(hex)
        for picture in pictures { try check(picture, String(decoding: hex, as: UTF8.self)) }
        return pictures.map(\.display)
    }

    private func check(_ picture: ShownPicture, _ hex: String) throws(PresentationError) {
        var template = Array("\(getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp")/srup-check.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw .cannotWrite("a folder for temporary files", why: String(cString: strerror(errno)))
        }
        let folder = String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let path = "\(folder)/picture\(picture.suffix)"
        defer {
            unlink(path)
            rmdir(folder)
        }
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .cannotWrite(path, why: String(cString: strerror(errno))) }
        let isWritten = writeAll(picture.file, to: file)
        guard close(file) == 0, isWritten else { throw .cannotWrite(path, why: String(cString: strerror(errno))) }
        let codes = try codes(in: path)
        guard codes == [hex.lowercased()] else {
            throw .unreadable(
                picture.display,
                why: codes.isEmpty ? "the reader finds no value in it" : "the reader finds another value in it")
        }
    }

    /// The values that the reader finds, in lower case, each once.
    private func codes(in path: String) throws(PresentationError) -> [String] {
        struct Report: Decodable {
            struct Code: Decodable {
                var value: String?
                var candidate: Bool
            }
            var codes: [Code]
        }
        let output: ChildProcess.Output
        do throws(ChildProcess.Failure) {
            output = try ChildProcess.output(
                of: witness, ["scan", "--json", "--symbologies", "qr", path], until: .now + limit, atMost: 65_536)
        } catch {
            throw .unreadable("what is shown", why: "the reader could not be started: \(error)")
        }
        guard output.end == .exited(0) || output.end == .exited(1),
            let report = try? JSONDecoder().decode(Report.self, from: Data(output.bytes))
        else { throw .unreadable("what is shown", why: "the reader did not do its work") }
        return Set(report.codes.filter(\.candidate).compactMap { $0.value?.lowercased() }).sorted()
    }
}
