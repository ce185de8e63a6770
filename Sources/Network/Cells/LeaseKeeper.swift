import Logging
import ServiceLifecycle
import Storage
import Synchronization

/// Keeps the lease of a cell while its server runs, and ends the server when somebody else has taken the cell.
public final class LeaseKeeper: Service {
    /// Another server works the cell now.
    public struct Lost: Error, CustomStringConvertible {
        let cell: String
        /// For people, in one line.
        public var description: String {
            "another server works the cell \"\(cell)\" now: it took this one for dead. Nothing of what came since was stored"
        }
    }

    private let book: CellBook
    private let lease: CellBook.Lease
    private let logger: Logger

    /// So long a lease lasts without a word: what a network that stumbles may cost, and what a death costs.
    public static let time = Duration.seconds(5)
    /// So often it is kept.
    private static let interval = Duration.seconds(1)
    /// So often somebody who waits for a cell asks for it.
    private static let impatience = Duration.milliseconds(300)

    /// - Parameter book: over a connection of its own, which no long transaction holds up.
    public init(_ book: CellBook, _ lease: CellBook.Lease, logger: Logger) {
        self.book = book
        self.lease = lease
        self.logger = logger
    }

    /// Waits until nobody works the cell, and takes it.
    ///
    /// - Returns: `nil` when the task was cancelled before that.
    /// - Throws: ``StorageError`` when the database cannot be asked at first; later it is asked again.
    public static func take(
        _ cell: String, as holder: String, from book: CellBook, logger: Logger
    ) async throws -> CellBook.Lease? {
        var isWaiting = false
        while !Task.isCancelled {
            let outcome = Result { () throws(StorageError) in try book.take(cell, as: holder, for: time) }
            switch outcome {
            case .success(let lease?):
                if isWaiting { logger.notice("the cell \"\(cell)\" is worked here now (epoch \(lease.epoch))") }
                return lease
            case .success(nil):
                if !isWaiting { try tellWhoHas(cell, book, logger) }
                isWaiting = true
            case .failure(let error):
                guard isWaiting else { throw error }
                logger.warning("\(error)")
                try? await Task.sleep(for: interval)
            }
            try? await Task.sleep(for: impatience)
        }
        return nil
    }

    private static func tellWhoHas(_ cell: String, _ book: CellBook, _ logger: Logger) throws {
        let other = try book.cells().first { $0.name == cell }?.holder ?? "?"
        logger.notice("the cell \"\(cell)\" is worked by \(other): this server waits to take its place, should it end")
    }

    /// Until the program is to end; then gives the lease back.
    ///
    /// - Throws: ``Lost``.
    public func run() async throws {
        try await cancelWhenGracefulShutdown {
            var isComplained = false
            while !Task.isCancelled {
                do {
                    guard try self.book.keep(self.lease, for: Self.time) else { throw Lost(cell: self.lease.cell) }
                    isComplained = false
                } catch let error as StorageError {
                    // Whether somebody else has it, only the database knows; until it can be asked nothing can be stored.
                    if !isComplained { self.logger.error("the lease could not be kept: \(error)") }
                    isComplained = true
                }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }

    /// To be called when nothing is stored any more.
    public func giveBack() {
        do {
            try book.giveBack(lease)
        } catch {
            logger.warning("the lease could not be given back, and ends by itself after \(Self.time): \(error)")
        }
    }
}
