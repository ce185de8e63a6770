import Foundation
import FuzzTargets
import Testing

/// What the fuzzers have kept, through the same entry points, without any sanitizer: what once was found stays mended.
@Suite struct CorpusTests {
    static let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Lanes/Fuzz/corpus").standardizedFileURL

    @Test(arguments: FuzzTarget.allCases) func theKeptInputsGoThrough(_ target: FuzzTarget) throws {
        let files = try FileManager.default.contentsOfDirectory(
            at: Self.corpus.appendingPathComponent(target.rawValue), includingPropertiesForKeys: nil
        ).sorted { $0.path < $1.path }
        #expect(!files.isEmpty)
        var useful = 0
        for file in files {
            do {
                if try target.feed(Array(Data(contentsOf: file))) { useful += 1 }
            } catch {
                Issue.record("\(target.rawValue)/\(file.lastPathComponent): \(error)")
            }
        }
        #expect(useful > 0, "nothing of it is right")
    }

    /// Cut at each length and with each byte another: the quick part of fuzzing.
    @Test(arguments: FuzzTarget.allCases) func whatIsNearTheKeptInputsGoesThrough(_ target: FuzzTarget) throws {
        let files = try FileManager.default.contentsOfDirectory(
            at: Self.corpus.appendingPathComponent(target.rawValue), includingPropertiesForKeys: nil
        ).sorted { $0.path < $1.path }
        for file in files.prefix(4) {
            let bytes = Array(try Data(contentsOf: file).prefix(200))
            for place in bytes.indices {
                var other = bytes
                other[place] ^= 1 << UInt8(place % 8)
                for input in [Array(bytes[..<place]), other] {
                    do {
                        try target.feed(input)
                    } catch {
                        Issue.record("\(target.rawValue)/\(file.lastPathComponent), byte \(place): \(error)")
                        return
                    }
                }
            }
        }
    }
}
