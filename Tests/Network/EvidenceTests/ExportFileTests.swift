import Evidence
import Foundation
import SRUP
import SeededRandom
import Testing

/// Exports as files: what is written is read again, and what is no export is said to be none.
@Suite struct ExportFileTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/evidence-\(UUID().uuidString)"

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false) }

    private func log(_ lines: Int = 50) throws -> LongLog {
        var random = SplitMix64(seed: 7)
        return try LongLog(lines: lines, random: &random)
    }

    private func write(_ log: LongLog) throws -> String {
        let path = folder + "/\(UUID().uuidString).jsonl"
        try EvidenceWriter.write(to: path) { writer in for record in log.records { try writer.add(record) } }
        return path
    }

    private func read(_ path: String) throws -> [EvidenceRecord] {
        var records: [EvidenceRecord] = []
        try EvidenceFile.read(path) { record, _ in records.append(record) }
        return records
    }

    private func failure(_ bytes: [UInt8]) throws -> EvidenceError? {
        let path = folder + "/\(UUID().uuidString).jsonl"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        do {
            _ = try read(path)
            return nil
        } catch let error as EvidenceError {
            return error
        }
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var log = try log()
        // What JSON has to escape, and what is not to be told.
        let odd = EvidenceLine(
            number: 51, milliseconds: -5, event: "\"\\/\u{0}\u{1F}\r\n\u{2028}\u{85}\u{FEFF}",
            detail: "é e\u{301} 🎛 \u{202E}",
            subject: DeviceID(.max), by: "", salt: [UInt8](repeating: 255, count: 16), messages: [])
        let hash = odd.hash(after: log.head)
        log.records.insert(.line(odd, hash: hash), at: log.records.count - 1)
        log.records[log.records.count - 1] = .omitted(number: 52, content: hash, hash: hash)
        log.records.append(.end(lines: 52))
        let path = try write(log)
        let records = try read(path)
        #expect(records == log.records)
        #expect(records.map(\.json) == log.records.map(\.json))
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    @Test func whatIsNoExportIsSaidToBeNone() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let good = try log(3).records.map(\.json)
        let line = good[3]
        func error(_ text: String) throws -> EvidenceError? { try failure(Array(text.utf8)) }
        #expect(try error(line) == nil)
        #expect(try error(good[0] + "\n" + line + "\n") == nil)
        #expect(try error("") == nil, "the verifier says what is missing")
        #expect(try error("\n") == .at(line: 1, .notJSON))
        #expect(try error(good[0] + "\n" + line.dropLast(5)) == .at(line: 2, .notJSON), "cut off")
        #expect(try error("[]") == .at(line: 1, .notJSON))
        #expect(try error("{}") == .at(line: 1, .notARecord))
        #expect(try error(#"{"number":1e400}"#) == .at(line: 1, .notJSON))
        #expect(try error(String(repeating: "[", count: 100_000)) == .at(line: 1, .notJSON))
        #expect(try error(#"{"format":"srup-evidence-2"}"#) == .at(line: 1, .notARecord))
        #expect(try error(line.replacing("\"hash\":\"", with: "\"hash\":\"0g")) == .at(line: 1, .notARecord))
        #expect(try error(line.replacing("\"salt\":\"", with: "\"salt\":\"00")) == .at(line: 1, .notARecord))
        #expect(try error(line.replacing("{", with: "{ ")) == .at(line: 1, .unusualForm))
        #expect(
            try error(line.replacing("\"event\"", with: "\"detail\":\"x\",\"event\"")) == .at(line: 1, .unusualForm))
        #expect(try error(line.replacing("\"event\"", with: "\"more\":1,\"event\"")) == .at(line: 1, .unusualForm))
        #expect(try failure(Array(line.utf8).dropLast(3) + [0xFF, 0xFE, 0x22, 0x7D]) == .at(line: 1, .notJSON))
        let badText = line.replacing("\"event ", with: "\"ev\u{1A}ent ").utf8.map { $0 == 0x1A ? 0xC3 : $0 }
        let told = try failure(badText)
        #expect(told == .at(line: 1, .notJSON) || told == .at(line: 1, .unusualForm))
    }

    @Test func aLineThatNeverEndsIsGivenUp() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(throws: EvidenceError.at(line: 1, .tooLong(limit: EvidenceRecord.maximumLine))) {
            try read("/dev/zero")
        }
        #expect(throws: EvidenceError.self) { try read(folder) }
        #expect(throws: EvidenceError.self) { try read(folder + "/nothing") }
        let many = EvidenceLine(
            number: 1, milliseconds: 0, event: "", detail: "", subject: nil, by: nil,
            salt: [UInt8](repeating: 0, count: 16),
            messages: Array(repeating: .init(bytes: [], key: EvidenceHash.none), count: 65))
        #expect(try failure(Array(EvidenceRecord.line(many, hash: EvidenceHash.none).json.utf8)) != nil)
    }

    @Test func aFileThatIsCutOffOrGoesOnIsNotGood() throws {
        let records = try log().records
        for count in [0, 1, 2, 3, 20, records.count - 1] {
            var verifier = EvidenceVerifier()
            for record in records.prefix(count) { verifier.take(record) }
            #expect(verifier.finish().problems.contains { $0.kind == .file }, "\(count)")
        }
        var verifier = EvidenceVerifier()
        for record in records + [records[4]] { verifier.take(record) }
        #expect(verifier.finish().problems.map(\.kind) == [.file])
        var headless = EvidenceVerifier()
        for record in records.dropFirst() { headless.take(record) }
        #expect(!headless.finish().isGood)
        var twice = EvidenceVerifier()
        for record in records.prefix(5) + records { twice.take(record) }
        #expect(!twice.finish().isGood)
    }

    @Test func whatIsLeftOutStaysInTheChain() throws {
        var log = try log()
        for place in log.places where place % 3 == 0 {
            guard let (line, hash) = log.line(at: place) else { continue }
            log.records[place] = .omitted(number: line.number, content: line.content, hash: hash)
        }
        let report = try log.verified()
        #expect(report.isGood && report.omitted > 10 && report.lines == 50)
        let place = try #require(log.records.firstIndex { if case .omitted = $0 { true } else { false } })
        log.records.remove(at: place)
        #expect(try !log.verified().isGood)
    }

    /// The documentation alone is enough: another program, in another language, comes to the same.
    @Test func anotherProgramChecksAnExport() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let log = try log(60)
        #expect(
            try checked(write(log)).contains("60 lines, 6 messages, sealed up to 60, head 60:\(log.head.hexadecimal)"))
        var wrong = log
        guard let (original, hash) = wrong.line(at: wrong.places[20]) else { return }
        var line = original
        line.detail += "!"
        wrong.records[wrong.places[20]] = .line(line, hash: hash)
        #expect(try checked(write(wrong)).contains("line 21 was changed"))
    }

    private func checked(_ path: String) throws -> String {
        let script = try #require(Bundle.module.url(forResource: "check-evidence", withExtension: nil))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", script.path, path]
        let pipe = Pipe()
        (process.standardOutput, process.standardError) = (pipe, pipe)
        try process.run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text
    }
}
