import Glibc
import SRUP
import Storage
import Synchronization

/// What a server writes at the end of a turn (``Participant/gather(signing:_:)``): its messages, and its audit log.
///
/// A signature takes longer than all the rest of a message, and those of a whole turn can be made together, on all cores. What
/// holds one is written then, in the order in which it was asked for: what is on its way, the evidence, and the log's lines, whose
/// hashes cover the evidence. Numbers, memberships and requests are stored at once.
struct TurnBook {
    enum Entry {
        /// `to` is `nil` for a group's.
        case sent(UnsignedMessage, to: DeviceID?, topic: String, now: Double)
        case taken(SignedMessage, key: PublicKey, now: Double)
        case line(AuditEntry)
        /// What was sent to it before this does not wait for the broker any more.
        case ended(topic: String)

        var isLine: Bool { if case .line = self { true } else { false } }
    }

    /// Makes the signatures, in the order of the messages.
    typealias Signing = @Sendable ([UnsignedMessage]) throws -> [SignedMessage]

    let signing: Signing
    /// Whose turn it is: what other threads write waits until the turn is over, and is no part of it.
    let thread = pthread_self()
    var entries: [Entry] = []
    /// What was written, and has to be published.
    var outgoing: [ParticipantStore.Outgoing] = []
    /// Why lines of the log could not be written: the log guards nothing.
    var failures: [StorageError] = []
}

/// A line of the audit log that has no number yet.
struct AuditEntry {
    let event: String
    let detail: String
    let subject: DeviceID?
    let by: String?
    /// Seconds since 1970.
    let now: Double
}

extension ParticipantStore {
    /// Opens the book of the turn that this thread has begun.
    func openBook(signing: @escaping TurnBook.Signing) { book.withLock { $0 = TurnBook(signing: signing) } }

    /// - Returns: what is to be published when the turn is stored, and what could not be written.
    func closeBook() -> (outgoing: [Outgoing], failures: [StorageError]) {
        book.withLock { book in
            let closed = book.take()
            return (closed?.outgoing ?? [], closed?.failures ?? [])
        }
    }

    /// Whether this thread's turn has a book.
    var hasBook: Bool { book.withLock { Self.isOurs($0) } }

    private static func isOurs(_ book: TurnBook?) -> Bool {
        book.map { pthread_equal($0.thread, pthread_self()) != 0 } ?? false
    }

    /// - Returns: `false` where there is no book: it must be written at once.
    func takeDown(_ entry: @autoclosure () -> TurnBook.Entry) -> Bool {
        book.withLock { book in
            guard Self.isOurs(book) else { return false }
            book?.entries.append(entry())
            return true
        }
    }

    /// Signs and writes what is in the book: at the turn's end, or for who looks at it before.
    ///
    /// - Throws: ``StorageError``, or what the signing throws: the turn has failed.
    func writeUp() throws {
        let (entries, signing) = book.withLock { book in
            guard Self.isOurs(book), let found = book else { return ([TurnBook.Entry](), TurnBook.Signing?.none) }
            book?.entries = []
            return (found.entries, found.signing)
        }
        guard let signing, !entries.isEmpty else { return }
        let unsigned = entries.compactMap { entry in
            if case .sent(let message, _, _, _) = entry { message } else { nil }
        }
        let signed = unsigned.isEmpty ? [] : try signing(unsigned)
        guard signed.count == unsigned.count else { throw ParticipantError.cannotWrite("signatures are missing") }
        let (outgoing, failures) = try write(entries, signed)
        book.withLock { book in
            book?.outgoing += outgoing
            book?.failures += failures
        }
    }

    private func write(
        _ entries: [TurnBook.Entry], _ signed: [SignedMessage]
    ) throws(StorageError) -> (outgoing: [Outgoing], failures: [StorageError]) {
        do throws(StorageError) {
            return (try write(entries[...], signed[...]), [])
        } catch {
            guard entries.contains(where: \.isLine) else { throw error }
        }
        // Each by itself: a line that cannot be written takes no message with it.
        var rest = signed[...]
        var outgoing: [Outgoing] = []
        var failures: [StorageError] = []
        for index in entries.indices {
            do throws(StorageError) {
                outgoing += try write(entries[index...index], rest)
            } catch {
                guard entries[index].isLine else { throw error }
                failures.append(error)
            }
            if case .sent = entries[index] { rest.removeFirst() }
        }
        return (outgoing, failures)
    }

    private func write(
        _ entries: ArraySlice<TurnBook.Entry>, _ signed: ArraySlice<SignedMessage>
    ) throws(StorageError) -> [Outgoing] {
        try database.transaction { connection throws(StorageError) in
            var rest = signed
            var outgoing: [Outgoing] = []
            var chain = ChainEnd()
            for entry in entries {
                switch entry {
                case .sent(_, let peer, let topic, let now):
                    outgoing.append(try put(rest.removeFirst(), to: peer, topic: topic, now: now, connection))
                case .taken(let message, let key, let now): try keep(message, key: key, now: now, connection)
                case .line(let line): try Self.write(line, &chain, connection)
                case .ended(let topic): try connection.query("DELETE FROM outbox WHERE topic = ?", .text(topic))
                }
            }
            return outgoing
        }
    }

    /// Keeps a message of our own until the broker has confirmed it, and as evidence.
    private func put(
        _ signed: SignedMessage, to peer: DeviceID?, topic: String, now: Double, _ connection: Connection
    ) throws(StorageError) -> Outgoing {
        try keepOwn(signed, to: peer, now: now, connection)
        return try Self.insertOutgoing(signed.bytes, topic: topic, now: now, connection)
    }

    static func insertOutgoing(
        _ payload: [UInt8], topic: String, now: Double, _ connection: Connection
    ) throws(StorageError) -> Outgoing {
        let inserted = try connection.query(
            "INSERT INTO outbox (topic, payload, created) VALUES (?, ?, ?) RETURNING id", .text(topic),
            .blob(payload), .real(now))
        return Outgoing(id: inserted.first?.integer(0) ?? 0, topic: topic, payload: payload)
    }
}
