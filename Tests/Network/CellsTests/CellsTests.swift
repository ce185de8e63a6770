import Foundation
import Logging
import PostgreSQL
import Storage
import TestProcesses
import Testing

@testable import Cells

/// Who works a cell, and who belongs where.
@Suite(.enabled(if: PostgresServer.missing == nil, "PostgreSQL is not installed: deploy/setup --tests installs it"))
struct CellsTests {
    private let address: PostgreSQLAddress
    private let book: CellBook
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    static let long = Duration.seconds(3600)

    init() throws {
        address = try PostgreSQLAddress(PostgresServer.shared.get().makeDatabase())
        book = try CellBook(in: DatabaseSession(address))
        try book.put("main", host: "a.example", port: 8883)
    }

    @Test func aCellIsWorkedByOne() throws {
        let first = try #require(try book.take("main", as: "a", for: Self.long))
        #expect(first.epoch == 1 && !first.isFromAnother)
        #expect(try book.take("main", as: "b", for: Self.long) == nil)
        // The same place again, after a crash: at once, and ahead of what may still be on its way.
        let again = try #require(try book.take("main", as: "a", for: Self.long))
        #expect(again.epoch == 2 && !again.isFromAnother)
        #expect(try !book.keep(first, for: Self.long) && book.keep(again, for: Self.long))
        // Given back by who does not have it: nothing.
        try book.giveBack(first)
        #expect(try book.take("main", as: "b", for: Self.long) == nil)
        try book.giveBack(again)
        let other = try #require(try book.take("main", as: "b", for: Self.long))
        #expect(other.epoch == 3 && other.isFromAnother)
        #expect(try !book.keep(again, for: Self.long))
        #expect(try book.take("nowhere", as: "a", for: Self.long) == nil)
    }

    @Test func aLeaseThatHasEndedIsAnybodys() throws {
        let first = try #require(try book.take("main", as: "a", for: .zero))
        // Nobody has wanted it: it goes on.
        #expect(try book.keep(first, for: .zero))
        let second = try #require(try book.take("main", as: "b", for: Self.long))
        #expect(second.epoch == 2 && second.isFromAnother)
        #expect(try !book.keep(first, for: Self.long))
        let cell = try #require(try book.cells().first)
        #expect(cell.holder == "b" && cell.epoch == 2 && (cell.secondsLeft ?? 0) > 3000)
    }

    @Test func whoWasThoughtDeadStoresNothing() throws {
        func shelf(_ lease: CellBook.Lease) throws -> Database {
            try Database(
                in: DatabaseSession(address, prefix: CellBook.prefix(of: lease.cell), fence: lease.fence),
                store: "shelf",
                migrations: ["CREATE TABLE shelf (value TEXT)"])
        }
        let first = try #require(try book.take("main", as: "a", for: .zero))
        let frozen = try shelf(first)
        try frozen.query("INSERT INTO shelf VALUES ('before')")
        let second = try #require(try book.take("main", as: "b", for: Self.long))
        let error = #expect(throws: StorageError.self) { try frozen.query("INSERT INTO shelf VALUES ('after')") }
        #expect(
            error?.isFenced == true && "\(error.map { "\($0)" } ?? "")".contains("another server works the cell now"))
        try shelf(second).query("INSERT INTO shelf VALUES ('other')")
        #expect(try frozen.read("SELECT value FROM shelf ORDER BY value").map { $0.text(0) } == ["before", "other"])
    }

    @Test func whoWaitsTakesTheCellWhenItIsGivenBackAndItsKeeperEndsWhenItIsLost() async throws {
        let first = try #require(try book.take("main", as: "a", for: Self.long))
        let waiting = Task { try await LeaseKeeper.take("main", as: "b", from: book, logger: logger) }
        try await Task.sleep(for: .milliseconds(50))
        try book.giveBack(first)
        let second = try #require(try await waiting.value)
        #expect(second.isFromAnother)
        let keeper = LeaseKeeper(book, second, logger: logger)
        let keeping = Task { try await keeper.run() }
        // As if it had been frozen, and its lease had ended.
        // Its keeper may have kept it just in between: then again.
        repeat { try book.giveBack(second) } while try book.take("main", as: "c", for: Self.long) == nil
        await #expect(throws: LeaseKeeper.Lost.self) { try await keeping.value }
        // One that is not waited for any more.
        let cancelled = Task { try await LeaseKeeper.take("main", as: "d", from: book, logger: logger) }
        cancelled.cancel()
        #expect(try await cancelled.value == nil)
    }

    @Test func severalThatWaitGetItOneAfterTheOther() async throws {
        try await withThrowingTaskGroup(of: Int64?.self) { group in
            for index in 0..<8 {
                let address = address
                group.addTask {
                    let book = try CellBook(in: DatabaseSession(address))
                    guard let lease = try book.take("main", as: "\(index)", for: Self.long) else { return nil }
                    return lease.epoch
                }
            }
            var epochs: [Int64] = []
            for try await epoch in group { if let epoch { epochs.append(epoch) } }
            #expect(epochs == [1])
        }
    }

    @Test func whoWorksACellSaysWhereItsPagesAre() throws {
        let old = try #require(try book.take("main", as: "one", for: .milliseconds(1)))
        try book.set(old, pagesPort: 8444)
        // Who waits says how the broker is reached, and nothing of the pages.
        try book.put("main", host: "a.example", port: 8883)
        #expect(try book.cells().first?.pagesPort == 8444)
        usleep(20_000)
        let new = try #require(try book.take("main", as: "two", for: .seconds(60)))
        try book.set(new, pagesPort: 9444)
        // Who has lost it says nothing any more.
        try book.set(old, pagesPort: 8444)
        #expect(try book.cells().first?.pagesPort == 9444)
        try book.set(new, pagesPort: nil)
        #expect(try book.cells().first?.pagesPort == nil)
    }

    @Test func whatIsSaidOfACellIsKept() throws {
        try book.put("north", host: "n.example", port: 1)
        try book.put("north", host: "n2.example", port: 2)
        #expect(try book.set("north", isOpen: false) && book.set("north", zone: "hall"))
        #expect(try !book.set("south", isOpen: false) && !book.set("south", zone: nil))
        // Said again at each start: what an operator has said stays.
        try book.put("north", host: "n2.example", port: 2)
        let north = try #require(try book.cells().last)
        #expect(north.name == "north" && north.host == "n2.example" && north.port == 2)
        #expect(!north.isOpen && north.zone == "hall" && north.holder == nil && north.secondsLeft == nil)
    }

    @Test(arguments: [
        ("main", true), ("n", true), ("north2", true), ("abcdefghijklmnopqrst", true), ("", false), ("2n", false),
        ("North", false), ("no_rth", false), ("a-b", false), ("abcdefghijklmnopqrstu", false), ("ä", false),
        ("a'; DROP TABLE cells; --", false),
    ]) func namesAreParts(_ name: String, _ isName: Bool) { #expect(CellBook.isName(name) == isName) }
}

/// The rule by which somebody new is given a cell.
@Suite struct CellChoiceTests {
    private func cell(_ name: String, zone: String? = nil, isOpen: Bool = true) -> CellBook.Cell {
        .init(
            name: name, host: "h", port: 1, pagesPort: nil, zone: zone, isOpen: isOpen, holder: nil, epoch: 0,
            secondsLeft: nil)
    }

    @Test func theOneWithTheFewest() {
        let cells = [cell("a"), cell("b"), cell("c", zone: "hall"), cell("d", isOpen: false)]
        let counts = ["a": 5, "b": 4, "c": 9]
        #expect(CellChooser.choice(cells, counts, nil)?.name == "b")
        #expect(CellChooser.choice(cells, counts, "hall")?.name == "c")
        #expect(CellChooser.choice(cells, counts, "yard")?.name == "b")
        #expect(CellChooser.choice(cells, [:], nil)?.name == "a")
        // Only cells of zones are open: better one of them than none.
        #expect(CellChooser.choice([cell("c", zone: "hall")], [:], nil)?.name == "c")
        #expect(CellChooser.choice([cell("d", isOpen: false)], [:], nil) == nil)
        #expect(CellChooser.choice([cell("z", zone: "hall", isOpen: false), cell("a")], [:], "hall")?.name == "a")
    }
}
