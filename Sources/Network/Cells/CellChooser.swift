import Storage
import Synchronization

/// Which cell somebody new belongs to: one of the zone that it was invited to, else of those for everybody; among these the one
/// with the fewest.
///
/// It asks the database at most every few seconds: somebody new pays for a row, not for counting all.
public final class CellChooser: Sendable {
    private struct Known {
        var cells: [CellBook.Cell] = []
        var counts: [String: Int] = [:]
        var since: ContinuousClock.Instant?
    }

    private let book: CellBook
    private let counts: @Sendable () throws(StorageError) -> [String?: Int]
    private let known = Mutex(Known())

    /// So long what is known counts.
    private static let freshness = Duration.seconds(2)

    /// - Parameter counts: how many each cell has; with `nil`, those that were there before there were several.
    public init(_ book: CellBook, counts: @escaping @Sendable () throws(StorageError) -> [String?: Int]) {
        self.book = book
        self.counts = counts
    }

    /// - Parameter zone: of the invitation, if there was one.
    /// - Returns: `nil` when no cell takes anybody new.
    /// - Throws: ``StorageError``.
    public func choose(_ zone: String?) throws -> CellBook.Cell? {
        try known.withLock { known in
            if known.since.map({ .now - $0 >= Self.freshness }) ?? true {
                known.cells = try book.cells()
                known.counts = CellBook.byName(try counts())
                known.since = .now
            }
            let cell = Self.choice(known.cells, known.counts, zone)
            if let cell { known.counts[cell.name, default: 0] += 1 }
            return cell
        }
    }

    static func choice(_ cells: [CellBook.Cell], _ counts: [String: Int], _ zone: String?) -> CellBook.Cell? {
        let open = cells.filter(\.isOpen)
        let ofZone = zone.map { zone in open.filter { $0.zone == zone } } ?? []
        let forEverybody = open.filter { $0.zone == nil }
        let candidates = [ofZone, forEverybody, open].first { !$0.isEmpty } ?? []
        return candidates.min {
            (counts[$0.name, default: 0], $0.name) < (counts[$1.name, default: 0], $1.name)
        }
    }
}
