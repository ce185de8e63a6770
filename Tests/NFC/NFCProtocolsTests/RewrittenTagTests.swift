import Testing

@testable import ChipSimulator
@testable import NFCProtocols

/// Tags whose device writes while we read. What is read is a value that was written whole, or nothing.
@Suite struct RewrittenTagTests {
    /// A clock that goes on with each exchange, as a reader's does: some milliseconds.
    private final class Table {
        var memory = SimulatedMemory(message: [])
        var card = SimulatedCard(message: [], maximumAnswer: 15)
        var exchanges = 0
        var now: Duration { .milliseconds(exchanges * 5) }
    }

    private func content(
        _ kind: SteadyTag.Kind, _ table: Table, _ write: (inout [UInt8]) -> Void
    ) -> [UInt8]? {
        let content = try? SteadyTag(kind).read(elapsed: { table.now }) { (command: [UInt8]) throws(TagError) in
            table.exchanges += 1
            if kind == .type2 {
                write(&table.memory.bytes)
                return table.memory.answer(command) ?? []
            }
            write(&table.card.files[SimulatedCard.messageFile, default: []])
            return table.card.answer(command)
        }
        return content.flatMap { try? $0.message() }.flatMap { PresentedValue.find(in: $0) }
    }

    /// Random values and two that alternate; in step with the reader and not; fast and slow.
    static let paces = [
        (0, 30, 0), (1, 40, 0), (2, 60, 0), (3, 80, 0), (5, 100, 0), (0, 30, 2), (2, 60, 2), (5, 100, 2),
    ]

    @Test(arguments: [SteadyTag.Kind.type2, .type4], paces)
    func aTagThatIsRewrittenAllTheTimeGivesNoMixedValue(_ kind: SteadyTag.Kind, _ pace: (Int, Int, Int)) {
        let table = Table()
        var rewriter = Rewriter(
            kind == .type2 ? .pages : .standard, start: kind == .type2 ? 16 : 0, seed: 7, maximumPause: pace.0,
            maximumRest: pace.1, values: pace.2)
        var values = 0
        for _ in 0..<1000 {
            guard let value = content(kind, table, { rewriter.step(&$0) }) else { continue }
            values += 1
            #expect(CheckedValue.isWhole(value))
        }
        #expect(values > 250, "only \(values) of 1000 gave a value")
    }

    /// One value over another, begun before every exchange of a reading, at every speed up to a page an exchange.
    @Test(arguments: [SteadyTag.Kind.type2, .type4])
    func aRewritingThatBeginsAtAnyMomentGivesOneOfTheTwoValues(_ kind: SteadyTag.Kind) {
        for begin in 0..<24 {
            for seed in 0..<40 {
                let table = Table()
                var rewriter = Rewriter(
                    kind == .type2 ? .pages : .standard, start: kind == .type2 ? 16 : 0, seed: UInt64(seed),
                    maximumPause: seed % 4, maximumRest: 0, values: 0)
                var exchanges = 0
                let value = content(kind, table) { memory in
                    // The first value is there before; the second is written during the reading, and no third.
                    while rewriter.written == 0 { rewriter.step(&memory) }
                    exchanges += 1
                    if exchanges > begin, rewriter.written == 1 { rewriter.step(&memory) }
                }
                #expect(value.map { CheckedValue.isWhole($0) } == true, "begun at \(begin), seed \(seed)")
            }
        }
    }

    @Test func aTagThatNeverHoldsStillIsTold() {
        let table = Table()
        var rewriter = Rewriter(.pages, start: 16, seed: 1, maximumPause: 1, maximumRest: 0)
        #expect(throws: TagError.changing) {
            try SteadyTag(.type2).read(elapsed: { table.now }) { (command: [UInt8]) throws(TagError) in
                table.exchanges += 1
                rewriter.step(&table.memory.bytes)
                return table.memory.answer(command) ?? []
            }
        }
        // Bounded by its time and by the number of readings.
        #expect(table.exchanges < 500)
    }

    @Test func whatAnEarlierReadingHasGivenNeedsOneReadingOnly() throws {
        let message = NDEFMessage([PresentedValue.record(Array(0..<16))])
        let memory = SimulatedMemory(message: message.bytes)
        var exchanges = 0
        func exchange(_ command: [UInt8]) throws(TagError) -> [UInt8] {
            exchanges += 1
            return memory.answer(command) ?? []
        }
        let content = try SteadyTag(.type2).read(elapsed: { .milliseconds(exchanges * 10) }, exchange)
        #expect(try content.message() == message && exchanges >= 12)
        exchanges = 0
        #expect(try SteadyTag(.type2).read(known: content, elapsed: { .zero }, exchange) == content)
        #expect(exchanges == 4)
    }

    @Test func aClockThatStandsStillDoesNotReadForEver() throws {
        let memory = SimulatedMemory(message: NDEFMessage([.text("x")]).bytes)
        _ = try SteadyTag(.type2).read(elapsed: { .zero }) { (command: [UInt8]) throws(TagError) in
            memory.answer(command) ?? []
        }
    }
}
