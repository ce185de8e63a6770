#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Encodable {
    /// The value as one line of JSON, for people's terminals and for programs: keys in alphabetical order, with escapes for what
    /// would not be seen; "{}" for what JSON cannot hold (a number that is none).
    public var jsonLine: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self).withEscapesInJSON } ?? "{}"
    }
}
