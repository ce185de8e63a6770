import Evidence
import SRUP
import SeededRandom
import Testing

/// A log of 100,000 lines, and everything that somebody can do to it who has the file and not the key.
@Suite(.serialized) struct TamperingTests {
    private static let lines = 100_000
    private static let log = Result {
        var random = SplitMix64(seed: 15)
        return try LongLog(lines: lines, random: &random)
    }

    private func found(_ log: LongLog, near number: UInt64, _ kinds: Set<EvidenceReport.Problem.Kind>, _ what: String)
        throws
    {
        let report = try log.verified()
        #expect(!report.isGood, "\(what) at \(number)")
        let first = report.problems.filter { kinds.contains($0.kind) && $0.line + 1 >= number && $0.line <= number + 1 }
        #expect(!first.isEmpty, "\(what) at \(number): \(report.problems.prefix(3))")
    }

    @Test func whatNobodyHasTouchedIsGood() throws {
        let log = try Self.log.get()
        let report = try log.verified(head: EvidenceVerifier.Head("100000:" + log.head.hexadecimal))
        #expect(report.isGood, "\(report.problems.prefix(3))")
        #expect(report.lines == 100_000 && report.sealed == 100_000 && report.messages == 11_111)
        #expect(report.head == log.head)
    }

    @Test func aChangeOfAnyFieldOfAnyLineIsFound() throws {
        let whole = try Self.log.get()
        let places = whole.places
        var random = SplitMix64(seed: 1)
        for field in 0..<9 {
            for _ in 0..<2 {
                var place = places[random.below(places.count)]
                // One with a message.
                if field >= 7 { place = places[9 * (1 + random.below(places.count / 9 - 1)) - 1] }
                guard let (original, written) = whole.line(at: place) else { continue }
                var (line, hash) = (original, written)
                let number = line.number
                switch field {
                case 0: line.event += " "
                case 1: line.detail = String(line.detail.dropLast())
                case 2: line.milliseconds += 1
                case 3: line.subject = line.subject == nil ? LongLog.device : nil
                case 4: line.by = line.by == nil ? "" : nil
                case 5: line.salt[random.below(16)] ^= 1
                case 6: hash[random.below(32)] ^= 1 << UInt8(random.below(8))
                case 7:
                    var bytes = line.messages[0].bytes
                    bytes[random.below(bytes.count)] ^= 1
                    line.messages[0] = .init(bytes: bytes, key: line.messages[0].key)
                default: line.messages = []
                }
                var log = whole
                log.records[place] = .line(line, hash: hash)
                try found(log, near: number, [.changed], "field \(field)")
            }
        }
    }

    @Test func aLineThatIsRemovedInsertedMovedOrDoubledIsFound() throws {
        let whole = try Self.log.get()
        let places = whole.places
        var random = SplitMix64(seed: 2)
        for what in ["removed", "first removed", "last removed", "inserted", "swapped", "doubled", "renumbered"] {
            for _ in 0..<2 {
                var log = whole
                let index = 10 + random.below(places.count - 20)
                let (place, number) = (places[index], UInt64(index + 1))
                switch what {
                case "removed":
                    log.records.remove(at: place)
                    try found(log, near: number, [.removed], what)
                case "first removed":
                    log.records.remove(at: places[0])
                    try found(log, near: 1, [.removed], what)
                case "last removed":
                    log.records.remove(at: places[places.count - 1])
                    try found(log, near: UInt64(Self.lines), [.removed], what)
                case "inserted":
                    guard let (original, hash) = whole.line(at: place) else { continue }
                    var line = original
                    line.detail = "made up"
                    log.records.insert(.line(line, hash: hash), at: place + 1)
                    try found(log, near: number, [.inserted], what)
                case "swapped":
                    log.records.swapAt(place, places[index + 1 + random.below(5)])
                    try found(log, near: number, [.reordered, .removed], what)
                case "doubled":
                    log.records.insert(log.records[place], at: places[random.below(index)])
                    #expect(
                        try log.verified().problems.contains { [.inserted, .reordered, .removed].contains($0.kind) })
                default:
                    // The numbers are made to fit again: their hashes do not.
                    log.records.remove(at: place)
                    for later in log.places where later >= place {
                        guard let (original, hash) = log.line(at: later) else { continue }
                        var line = original
                        line.number -= 1
                        log.records[later] = .line(line, hash: hash)
                    }
                    try found(log, near: number, [.changed], what)
                }
            }
        }
    }

    @Test func whoMakesAllHashesFitAgainIsFoundByTheSeals() throws {
        let whole = try Self.log.get()
        var random = SplitMix64(seed: 3)
        for _ in 0..<3 {
            var log = whole
            let index = 10 + random.below(Self.lines - 20)
            let place = log.places[index]
            guard let (original, hash) = log.line(at: place) else { continue }
            var line = original
            line.detail = "somebody else did it"
            log.records[place] = .line(line, hash: hash)
            log.hashAnew(from: place)
            let report = try log.verified()
            let seal = (line.number + LongLog.sealEvery - 1) / LongLog.sealEvery * LongLog.sealEvery
            #expect(report.problems.first?.kind == .changed && report.problems.first?.line == seal)
        }
    }

    @Test func aTailThatIsTakenAwayOrWrittenAnewIsFoundByANotedHead() throws {
        var random = SplitMix64(seed: 4)
        let whole = try LongLog(lines: 3000, unsealed: 500, random: &random)
        let head = EvidenceVerifier.Head("3000:" + whole.head.hexadecimal)
        #expect(try whole.verified(head: head).isGood)
        #expect(try whole.verified().sealed == 2500, "from there on nothing is signed")
        // All of it but the last 500 lines: as if they had never been.
        var short = whole
        let places = short.places
        short.records.removeSubrange(places[2500]...places[2999])
        short.records[short.records.count - 1] = .end(lines: 2500)
        #expect(try short.verified().isGood, "nobody can know by the file alone")
        #expect(try short.verified(head: head).problems.map(\.kind) == [.head])
        var rewritten = whole
        guard let (original, hash) = rewritten.line(at: places[2600]) else { return }
        var line = original
        line.by = "bob"
        rewritten.records[places[2600]] = .line(line, hash: hash)
        rewritten.hashAnew(from: places[2600])
        #expect(try rewritten.verified().isGood)
        #expect(try rewritten.verified(head: head).problems.map(\.kind) == [.head])
        let other = EvidenceVerifier.Head("2999:" + whole.head.hexadecimal)
        #expect(try whole.verified(head: other).problems.map(\.kind) == [.head], "it is another line's")
    }

    @Test func theFrontCannotBeTakenAwayWithoutTheKey() throws {
        var random = SplitMix64(seed: 5)
        let whole = try LongLog(lines: 3000, random: &random)
        var short = whole
        guard case .header(let server, let key, _) = whole.records[0],
            let place = whole.records.firstIndex(where: { if case .seal = $0 { true } else { false } }),
            case .seal(let seal) = whole.records[place]
        else { throw CancellationError() }
        // A genuine seal is no anchor.
        let anchor = Seal(
            .anchor, server: server, number: seal.number, hash: seal.hash, milliseconds: seal.milliseconds, key: key,
            signature: seal.signature)
        short.records.removeSubrange(3...place)
        short.records[0] = .header(server: server, key: key, anchor: anchor)
        short.records[short.records.count - 1] = .end(lines: 2000)
        #expect(try short.verified().problems.contains { $0.kind == .unsealed })
        short.records[0] = .header(server: server, key: key, anchor: nil)
        #expect(try short.verified().problems.contains { $0.kind == .unsealed })
    }

    @Test func anotherServersSealsCountForNothing() throws {
        var random = SplitMix64(seed: 6)
        let log = try LongLog(lines: 100, random: &random)
        var verifier = EvidenceVerifier(trusted: try LongLog.deviceKey.get().publicKey)
        for record in log.records { verifier.take(record) }
        #expect(verifier.finish().problems.map(\.kind) == [.unsealed])
    }
}
