import Glibc
import Linux

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// An acceptance check under way or done: kept in a file after each step, so that it goes on where it was, over a restart of
/// the machine, too.
public struct AcceptanceRecord: Codable, Sendable, Hashable {
    /// The machine's name.
    public var host = ""
    /// Of the observer on its network, 16 hexadecimal digits; empty when it is not registered.
    public var identity = ""
    /// The program's version.
    public var version = ""
    /// What it looks with, in words.
    public var eyes = ""
    /// When it began, as ISO 8601 in UTC.
    public var began = ""
    /// By ``AcceptanceStep``'s name.
    public private(set) var results: [String: AcceptanceResult] = [:]
    /// The kernel's number of the start in which the plug was to be pulled, and since when that was waited for; `nil` before, and when
    /// the program was ended in any other way than by force.
    public var startBeforeCut: String?
    /// As ISO 8601 in UTC.
    public var cutAwaited: String?
    /// Undervoltage that was seen while heat was measured, and when; a monitor that looks two seconds back does not remember it.
    public var undervoltage: String?
    /// Cards that are held up drive it, and it has not come to its end: it goes on by itself after a start.
    private var sheet: Bool?
    /// How often a step was begun anew, by its name.
    private var repeats: [String: Int]?
    /// Pictures of where the camera looks, JPEG in Base64, with codes made unreadable; by the step's name and, of several cameras,
    /// that of the logical observer.
    public var pictures: [String: String] = [:]

    /// Nothing has been checked.
    public init() {}

    /// Whether it is driven by cards that are held up, and has not come to its end.
    public var isUnderWay: Bool {
        get { sheet == true }
        set { sheet = newValue ? true : nil }
    }

    /// How a step has ended; `nil` while it is open.
    public subscript(step: AcceptanceStep) -> AcceptanceResult? {
        get { results[step.rawValue] }
        set {
            results[step.rawValue] = newValue
            results[step.rawValue]?.attempt = repeats?[step.rawValue].map { $0 + 1 }
        }
    }

    /// A step is open again, and its next result says that it is not the first.
    public mutating func forget(_ step: AcceptanceStep) {
        guard results.removeValue(forKey: step.rawValue) != nil else { return }
        pictures = pictures.filter { !$0.key.hasPrefix(step.rawValue) }
        if step == .power { undervoltage = nil }
        if step == .powerCut { startBeforeCut = nil }
        repeats = (repeats ?? [:]).merging([step.rawValue: 1], uniquingKeysWith: +)
    }

    /// The steps that have not ended.
    public var open: [AcceptanceStep] { AcceptanceStep.allCases.filter { self[$0] == nil } }

    /// 0: all passed or not applicable; 1: something failed; 2: something is open or was skipped.
    public var exitCode: Int32 {
        let states = AcceptanceStep.allCases.map { self[$0]?.state }
        if states.contains(.failed) { return 1 }
        return states.allSatisfy { $0 == .passed || $0 == AcceptanceResult.State.none } ? 0 : 2
    }

    private static let maximumSize = 4 << 20

    /// What stands in a file.
    ///
    /// - Throws: an error of reading or decoding.
    public init(contentsOf path: String) throws {
        let data = try Data(contentsOf: URL(filePath: path))
        guard data.count <= Self.maximumSize else { throw CocoaError(.fileReadTooLarge) }
        self = try JSONDecoder().decode(Self.self, from: data)
    }

    /// The same of a file that somebody else has written: no symbolic link on its last step is followed, nothing but a file is read, and
    /// nothing is waited for.
    ///
    /// - Parameters:
    ///   - folder: may be no link, either.
    /// - Returns: `nil` when there is none.
    /// - Throws: an error of reading or decoding.
    public init?(ofOther folder: String, name: String) throws {
        let directory = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard directory >= 0 else {
            if errno == ENOENT { return nil }
            throw CocoaError(.fileReadNoPermission)
        }
        defer { close(directory) }
        let descriptor = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw CocoaError(.fileReadNoPermission)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw CocoaError(.fileReadUnknown)
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw CocoaError(.fileReadUnknown) }
            guard count > 0 else { break }
            bytes += chunk.prefix(count)
            guard bytes.count <= Self.maximumSize else { throw CocoaError(.fileReadTooLarge) }
        }
        self = try JSONDecoder().decode(Self.self, from: Data(bytes))
    }

    /// As ``init(contentsOf:)`` reads it.
    public var encoded: [UInt8] { Array((jsonLine + "\n").utf8) }
}
