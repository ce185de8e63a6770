import CTOML
import Glibc
import Linux

/// What is wrong in a configuration file: where, which key, and what is allowed.
public struct SettingsError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file's path, or what it is called instead.
    public let file: String
    /// From 1; 0 when it is about the file as a whole.
    public let line: Int
    /// The path of the key ("camera.device"); `nil` when it is about no single key.
    public let key: String?
    /// What is wrong, and what is allowed, to stand behind the key: "must be true or false".
    public let problem: String

    /// Made by whoever says what is wrong in a file of settings, a reader or the program whose file it is.
    public init(file: String, line: Int, key: String?, problem: String) {
        self.file = file
        self.line = line
        self.key = key
        self.problem = problem
    }

    /// For people, in one line: "FILE:LINE: KEY: PROBLEM", without a line or a key where there is none.
    public var description: String {
        let place = line > 0 ? "\(file):\(line)" : file
        // Keys and parts of values come from the file.
        return (key.map { "\(place): \($0.prefix(200)): \(problem)" } ?? "\(place): \(problem)").withoutControls
    }
}

/// A TOML configuration file, read key by key: every reader says the default and what is allowed, and
/// ``finish()`` refuses keys that nobody asked for.
public struct SettingsFile {
    private struct Entry {
        let path: String
        let kind: ctoml_kind
        let text: String
        let integer: Int64
        let real: Double
        let line: Int
        let begin: Place
        let end: Place
    }

    /// Where a character is: line and column from 1, columns in Unicode scalars.
    public struct Place: Sendable, Hashable {
        /// From 1.
        public let line: Int
        /// From 1, in Unicode scalars.
        public let column: Int

        init(_ place: ctoml_place) {
            line = Int(place.line)
            column = Int(place.column)
        }
    }

    /// The file's path, or what it is called in errors instead.
    public let path: String
    private let entries: [Entry]
    private var known: Set<String> = []

    /// The keys and tables that were asked for so far.
    public var knownKeys: Set<String> { known }

    /// The keys that stand in the file, without tables and the elements of lists.
    public var keys: [String] {
        entries.filter { $0.kind != CTOML_TABLE && !$0.path.hasSuffix("]") }.map(\.path)
    }

    /// The largest file that is read, in bytes: work and memory go with it.
    public static let maximumSize = 64 << 10

    /// - Throws: ``SettingsError`` when the file cannot be read or is not TOML.
    public init(path: String) throws(SettingsError) {
        try self.init(text: try SettingsText(try Self.contents(of: path), name: path).text, name: path)
    }

    /// The bytes of a file of settings.
    ///
    /// - Parameter name: how the file is called in errors; `nil`: by its path.
    /// - Throws: ``SettingsError`` when it cannot be read or is larger than ``maximumSize``.
    public static func contents(of path: String, name: String? = nil) throws(SettingsError) -> [UInt8] {
        func failure() -> SettingsError {
            SettingsError(
                file: name ?? path, line: 0, key: nil, problem: "cannot be read: \(String(cString: strerror(errno)))")
        }
        // Not blocking: a FIFO must not hold everything up.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure() }
        defer { close(descriptor) }
        return try contents(of: descriptor, name: name ?? path)
    }

    /// The same of an open file.
    ///
    /// - Throws: ``SettingsError``.
    public static func contents(of descriptor: Int32, name: String) throws(SettingsError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else {
                throw SettingsError(
                    file: name, line: 0, key: nil, problem: "cannot be read: \(String(cString: strerror(errno)))")
            }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk.prefix(count))
            guard bytes.count <= maximumSize else { throw tooLarge(name) }
        }
    }

    private static func tooLarge(_ name: String) -> SettingsError {
        SettingsError(file: name, line: 0, key: nil, problem: "is larger than \(maximumSize) bytes")
    }

    /// - Throws: ``SettingsError`` when the text is not TOML.
    public init(text: String, name: String) throws(SettingsError) {
        path = name
        var text = text
        // UTF-16 takes two bytes where UTF-8 may take three.
        guard text.utf8.count <= Self.maximumSize * 2 else { throw Self.tooLarge(name) }
        let document = text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { ctoml_parse($0.baseAddress, UInt($0.count)) }
        }
        defer { ctoml_free(document) }
        var place = ctoml_place()
        if let error = ctoml_error(document, &place) {
            let what = String(String(cString: error).prefix(300))
            let hint = SettingsText.typography(text, line: Int(place.line)).map { "; \($0)" } ?? ""
            throw SettingsError(
                file: name, line: Int(place.line), key: nil,
                problem: (place.column > 0 ? "not TOML at column \(place.column): \(what)" : what) + hint)
        }
        entries = (0..<ctoml_count(document)).map { index in
            let entry = ctoml_get(document, index)
            return Entry(
                path: String(cString: entry.path), kind: entry.kind, text: String(cString: entry.text),
                integer: entry.integer, real: entry.real, line: Int(entry.begin.line), begin: Place(entry.begin),
                end: Place(entry.end))
        }
    }

    private mutating func entry(_ key: String) -> Entry? {
        known.insert(key)
        return entries.first { $0.path == key }
    }

    private func error(_ entry: Entry, _ problem: String) -> SettingsError {
        SettingsError(file: path, line: entry.line, key: entry.path, problem: problem)
    }

    /// A string, or `nil` when the key is absent.
    ///
    /// - Throws: ``SettingsError`` when it is no string or is empty.
    public mutating func string(_ key: String) throws(SettingsError) -> String? {
        guard let entry = entry(key) else { return nil }
        guard entry.kind == CTOML_STRING, !entry.text.isEmpty else {
            throw error(entry, "must be a string in quotes, not empty")
        }
        return entry.text
    }

    /// A string that must be there.
    ///
    /// - Throws: ``SettingsError``.
    public mutating func required(_ key: String, example: String) throws(SettingsError) -> String {
        guard let value = try string(key) else {
            throw SettingsError(
                file: path, line: 0, key: key, problem: "is missing; for example \(key) = \"\(example)\"")
        }
        return value
    }

    /// A string that has a form of its own, or `nil` when the key is absent.
    ///
    /// - Parameters:
    ///   - allowed: the form in words, behind "must be".
    ///   - isAllowed: whether a string has it.
    /// - Throws: ``SettingsError``.
    public mutating func string(
        _ key: String, allowed: String, _ isAllowed: (String) -> Bool
    ) throws(SettingsError) -> String? {
        guard let value = try string(key) else { return nil }
        guard isAllowed(value) else { throw problem(key, "must be \(allowed)") }
        return value
    }

    /// A text that is read into a value, or `nil` when the key is absent.
    ///
    /// - Parameters:
    ///   - allowed: the form in words, behind "must be".
    ///   - parse: `nil` for a string that has another form.
    /// - Throws: ``SettingsError``.
    public mutating func value<Value>(
        _ key: String, allowed: String, _ parse: (String) -> Value?
    ) throws(SettingsError) -> Value? {
        guard let text = try string(key) else { return nil }
        guard let value = parse(text) else { throw problem(key, "must be \(allowed)") }
        return value
    }

    /// One of some words.
    ///
    /// - Throws: ``SettingsError``.
    public mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, default value: Choice
    ) throws(SettingsError) -> Choice where Choice.RawValue == String {
        guard let entry = entry(key) else { return value }
        guard entry.kind == CTOML_STRING, let choice = Choice(rawValue: entry.text) else {
            throw error(entry, "must be one of \(Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))")
        }
        return choice
    }

    /// A whole number within limits.
    ///
    /// - Throws: ``SettingsError``.
    public mutating func integer(
        _ key: String, default value: Int, in range: ClosedRange<Int>
    ) throws(SettingsError) -> Int {
        guard let entry = entry(key) else { return value }
        guard entry.kind == CTOML_INTEGER, range.contains(Int(entry.integer)) else {
            throw error(entry, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return Int(entry.integer)
    }

    /// - Throws: ``SettingsError``.
    public mutating func boolean(_ key: String, default value: Bool) throws(SettingsError) -> Bool {
        guard let entry = entry(key) else { return value }
        guard entry.kind == CTOML_BOOLEAN else { throw error(entry, "must be true or false") }
        return entry.integer != 0
    }

    /// A time: seconds as a number, or a string such as "500 ms", "3 s", "10 min", "1 h".
    ///
    /// - Throws: ``SettingsError``.
    public mutating func duration(
        _ key: String, default value: Duration, in range: ClosedRange<Duration>
    ) throws(SettingsError) -> Duration {
        guard let entry = entry(key) else { return value }
        let found: Duration? =
            switch entry.kind {
            case CTOML_INTEGER where entry.integer.magnitude < 1 << 40: .seconds(entry.integer)
            case CTOML_FLOAT where entry.real.isFinite && abs(entry.real) < 1e12: .seconds(entry.real)
            case CTOML_STRING: Self.duration(entry.text)
            default: nil
            }
        guard let found, range.contains(found) else {
            throw error(
                entry,
                "must be a time from \(Self.text(range.lowerBound)) to \(Self.text(range.upperBound)), as seconds (30) or a string"
                    + " (\"500 ms\", \"30 s\", \"5 min\", \"1 h\")")
        }
        return found
    }

    /// A list of strings, empty when the key is absent.
    ///
    /// - Throws: ``SettingsError``.
    public mutating func strings(_ key: String) throws(SettingsError) -> [String] {
        guard let entry = entry(key) else { return [] }
        guard entry.kind == CTOML_ARRAY else { throw error(entry, "must be a list of strings: [\"a\", \"b\"]") }
        var values: [String] = []
        for element in elements(of: key) {
            known.insert(element.path)
            guard element.kind == CTOML_STRING, !element.text.isEmpty else {
                throw error(element, "must be a string in quotes, not empty")
            }
            values.append(element.text)
        }
        return values
    }

    private func elements(of key: String) -> [Entry] {
        entries.filter {
            $0.path.hasPrefix(key + "[") && $0.path.dropFirst(key.count).firstIndex(of: "]") == $0.path.indices.last
        }
    }

    /// The blocks of an array of tables (`[[name]]`), as what to put before their keys: "name[0].", "name[1]." …
    ///
    /// - Throws: ``SettingsError`` when it is something else.
    public mutating func blocks(of name: String) throws(SettingsError) -> [String] {
        guard let entry = entry(name) else { return [] }
        guard entry.kind == CTOML_ARRAY, elements(of: name).allSatisfy({ $0.kind == CTOML_TABLE }) else {
            throw error(entry, "must be blocks that begin with [[\(name)]]")
        }
        return elements(of: name).map { $0.path + "." }
    }

    /// Whether a table or key is there.
    public func contains(_ key: String) -> Bool { entries.contains { $0.path == key } }

    /// Where a value stands, with its quotes; the end is behind its last character. `nil` when the key is absent.
    public func place(of key: String) -> (begin: Place, end: Place)? {
        entries.first { $0.path == key }.map { ($0.begin, $0.end) }
    }

    /// Where the texts stand, see ``place(of:)``.
    public var textPlaces: [(begin: Place, end: Place)] {
        entries.filter { $0.kind == CTOML_STRING }.map { ($0.begin, $0.end) }
    }

    /// The keys under a table: for tables whose keys are names of the user's own, in quotes or not.
    ///
    /// - Throws: ``SettingsError`` when something else than a table has that name.
    public mutating func keys(of table: String) throws(SettingsError) -> [String] {
        if let entry = entry(table), entry.kind != CTOML_TABLE {
            throw error(entry, "must be a table: a line with [\(table)], and below it a line for each name")
        }
        let prefix = table + "."
        return entries.filter { $0.path.hasPrefix(prefix) }.compactMap { Self.name($0.path.dropFirst(prefix.count)) }
    }

    /// The path of a key with a name of the user's own: one that is not bare stands in quotes.
    public static func path(_ table: String, _ name: String) -> String {
        let isBare = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
        }
        if isBare && !name.isEmpty { return "\(table).\(name)" }
        let escaped = name.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
        return "\(table).\"\(escaped)\""
    }

    /// The name that one part of a path means; `nil` for more than one part.
    private static func name(_ part: Substring) -> String? {
        guard part.first == "\"" else { return part.contains(".") || part.contains("[") ? nil : String(part) }
        var name = ""
        var rest = part.dropFirst()
        while let character = rest.popFirst(), character != "\"" {
            if character == "\\", let escaped = rest.popFirst() { name.append(escaped) } else { name.append(character) }
        }
        return rest.isEmpty ? name : nil
    }

    /// The line of a key, 0 when it is absent: for errors that the caller finds.
    public func problem(_ key: String, _ problem: String) -> SettingsError {
        SettingsError(file: path, line: entries.first { $0.path == key }?.line ?? 0, key: key, problem: problem)
    }

    /// Refuses keys and tables that nobody has asked for.
    ///
    /// - Throws: ``SettingsError`` that names the nearest key there is.
    public func finish() throws(SettingsError) {
        let tables = knownTables
        for entry in entries where !known.contains(entry.path) {
            let isTable = entry.kind == CTOML_TABLE
            if isTable && tables.contains(entry.path) { continue }
            let candidates = isTable ? tables : known
            let nearest = candidates.min { Self.distance($0, entry.path) < Self.distance($1, entry.path) }
            let hint = nearest.flatMap { Self.distance($0, entry.path) <= 4 ? "; did you mean \"\($0)\"?" : nil }
            let all = candidates.sorted().joined(separator: ", ")
            throw error(
                entry, "there is no such \(isTable ? "table" : "key")\(hint ?? "; these are known: \(all)")")
        }
    }

    /// The tables in which a key was asked for: "a", "a.b[0]" and so on for "a.b[0].c".
    private var knownTables: Set<String> {
        var tables: Set<String> = []
        for key in known {
            var table = key[...]
            while let dot = table.lastIndex(of: ".") {
                table = table[..<dot]
                tables.insert(String(table))
            }
        }
        return tables
    }

    static func duration(_ text: String) -> Duration? {
        let number = text.prefix { $0.isNumber || $0 == "." }
        guard let value = Double(number), value < 1e12 else { return nil }
        switch text.dropFirst(number.count).drop(while: { $0 == " " }) {
        case "ms": return .milliseconds(Int(value.rounded()))
        case "s", "": return .seconds(value)
        case "min", "m": return .seconds(value * 60)
        case "h": return .seconds(value * 3600)
        default: return nil
        }
    }

    private static func text(_ duration: Duration) -> String {
        let milliseconds = duration / .milliseconds(1)
        return switch milliseconds {
        case ..<1000: "\(Int(milliseconds)) ms"
        case ..<120_000: "\(Int(milliseconds / 1000)) s"
        case ..<7_200_000: "\(Int(milliseconds / 60000)) min"
        default: "\(Int(milliseconds / 3_600_000)) h"
        }
    }

    /// Levenshtein distance, for "did you mean".
    private static func distance(_ left: String, _ right: String) -> Int {
        let a = Array(left.utf8.prefix(64))
        let b = Array(right.utf8.prefix(64))
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let next = min(row[j] + 1, row[j + 1] + 1, diagonal + (x == y ? 0 : 1))
                diagonal = row[j + 1]
                row[j + 1] = next
            }
        }
        return row[b.count]
    }
}
