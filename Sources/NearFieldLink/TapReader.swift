import Glibc
import NearField

/// What a tap has given.
public struct Tap: Sendable {
    /// Who spoke first, and how.
    public enum Role: String, Sendable, Hashable {
        /// The device called, we answered: NFC-DEP, LLCP, SNEP.
        case target
        /// We called a device that listened: NFC-DEP, LLCP, SNEP.
        case initiator
        /// We read a Type 2 tag.
        case type2
        /// We read a Type 4 tag or a card that a phone emulates.
        case type4

        /// Whether something lay in the field to be read, rather than being given to us by a peer: it may lie there since
        /// long ago.
        public var isTag: Bool { self == .type2 || self == .type4 }
    }

    public let role: Role
    public let message: NDEFMessage
    /// From the moment the device was found to the message.
    public let duration: Duration
    /// Calls to the chip in that time.
    public let exchanges: Int
}

/// What happens at a reader.
public enum TapEvent: Sendable {
    /// The reader is open: what it is.
    case ready(String)
    /// The reader cannot be used; it is tried again.
    case lost(ReaderError)
    /// A peer has given something; or a tag has come, or holds something else than before.
    case tapped(Tap)
    /// A tag rests on the reader and still holds what it has been tapped with; said at every turn.
    case rests(Tap)
    /// A device was there, and nothing came of it.
    case failed(String)
    /// Nothing has happened; said a few times a second.
    case idle
}

/// Waits at a reader for devices that give something: listens as NFC-DEP target most of the time, and in between calls
/// for tags and for devices that only listen.
///
/// One thread runs it (``run(while:)``); it never needs a human: whatever goes wrong, it opens the reader again.
public final class TapReader {
    /// Limits of one tap.
    public struct Limits: Sendable {
        /// How long one turn of listening lasts, in milliseconds; over I2C, where turning round takes long, twice that.
        public var listening = 400
        /// How long a peer may take for its first PDU, in milliseconds: one whose host has just given up listening, while
        /// its chip has answered, will never send one.
        public var firstPDU = 400
        /// How long a tap may last at most.
        public var tap = Duration.seconds(2)
        /// How long a peer that has given something may go on.
        public var farewell = Duration.milliseconds(300)

        public init() {}
    }

    private let station: ReaderStation
    private let limits: Limits
    private let judge: TapReceiver.Judge
    private let onEvent: (TapEvent) -> Void
    /// The tag that rests on the reader.
    private var present: (content: TagContent, misses: Int)?

    /// - Parameters:
    ///   - judge: whether a message counts; its giver is told Success only then.
    ///   - onEvent: called on the thread that runs this.
    public init(
        _ address: ReaderAddress, limits: Limits = Limits(), watchdog: Watchdog?,
        judge: @escaping TapReceiver.Judge = { _ in true }, onEvent: @escaping (TapEvent) -> Void
    ) {
        self.limits = limits
        self.judge = judge
        self.onEvent = onEvent
        station = ReaderStation(address, watchdog: watchdog) { news in
            switch news {
            case .ready(let name): onEvent(.ready(name))
            case .lost(let error): onEvent(.lost(error))
            case .failed(let error): onEvent(.failed(error.description))
            }
        }
    }

    /// Works until `isWanted` says no, at the latest half a second later; then the field is off and the reader closed.
    public func run(while isWanted: () -> Bool) {
        station.run(while: isWanted, afterEach: { onEvent(.idle) }) { (reader) throws(ReaderError) in
            try turn(reader, isWanted)
        }
        present = nil
    }

    private func turn(_ reader: Reader, _ isWanted: () -> Bool) throws(ReaderError) {
        try call(reader)
        guard isWanted() else {
            reader.fieldOff()
            return
        }
        // Turns the field off before anything else.
        try listen(reader)
    }

    // MARK: As target

    private func listen(_ reader: Reader) throws(ReaderError) {
        let general: [UInt8]
        do {
            general = try reader.listenDEP(
                general: LinkParameters.ours.generalBytes, timeout: timeToListen(reader))
        } catch {
            if error == .timeout { return }
            throw error
        }
        let start = ContinuousClock.now
        let first = reader.exchanges
        do throws(LLCPError) {
            var receiver = TapReceiver(remote: try LinkParameters(generalBytes: general), judge: judge)
            try exchange(&receiver, .target, start, reader, first) {
                (answer: [UInt8]?, wait: Int) throws(ReaderError) in
                if let answer { try reader.send(answer) }
                return wait == 0 ? [] : try reader.receive(timeout: wait)
            }
        } catch {
            onEvent(.failed(error.description))
        }
    }

    private func timeToListen(_ reader: Reader) -> Int {
        // A tag that rests is looked at often enough to know that it stays; a peer hardly comes beside it.
        if present != nil { return limits.listening / 2 }
        return reader.isSlow ? limits.listening * 2 : limits.listening
    }

    // MARK: As initiator

    private func call(_ reader: Reader) throws(ReaderError) {
        try reader.beInitiator()
        guard let tag = try reader.selectTypeA() else {
            // Gone for two turns is gone: a bad moment is not a new tap.
            if let seen = present { present = seen.misses >= 1 ? nil : (seen.content, seen.misses + 1) }
            return
        }
        if tag.speaksDEP {
            guard let general = try reader.activateDEP(general: LinkParameters.ours.generalBytes) else { return }
            try receive(reader, general)
        } else if tag.speaksISODEP || tag.isType2 {
            read(reader, tag)
        }
    }

    private func receive(_ reader: Reader, _ general: [UInt8]) throws(ReaderError) {
        defer { reader.release() }
        let start = ContinuousClock.now
        let first = reader.exchanges
        do throws(LLCPError) {
            var receiver = TapReceiver(remote: try LinkParameters(generalBytes: general), judge: judge)
            var next = receiver.next()
            try exchange(&receiver, .initiator, start, reader, first) {
                (answer: [UInt8]?, wait: Int) throws(ReaderError) in
                // An initiator's DISC would be waited for; the release that follows says the same.
                if wait == 0 { return [] }
                if let answer { next = answer }
                return try reader.transceive(next, timeout: wait)
            }
        } catch {
            onEvent(.failed(error.description))
        }
    }

    private func read(_ reader: Reader, _ tag: Reader.TypeATarget) {
        let start = ContinuousClock.now
        let first = reader.exchanges
        let deadline = start + limits.tap * 2
        func exchange(_ bytes: [UInt8]) throws(TagError) -> [UInt8] {
            guard ContinuousClock.now < deadline else { throw .link("it takes longer than \(limits.tap * 2)") }
            do throws(ReaderError) {
                return try reader.transceive(bytes, timeout: 500)
            } catch {
                throw .link(error.description)
            }
        }
        do throws(TagError) {
            let kind: SteadyTag.Kind = tag.speaksISODEP ? .type4 : .type2
            var steady = SteadyTag(kind)
            steady.maximumTime = limits.tap
            let content = try steady.read(
                known: present?.content, elapsed: { ContinuousClock.now - start }, exchange)
            let isNew = present?.content != content
            present = (content, 0)
            let tap = Tap(
                role: tag.speaksISODEP ? .type4 : .type2, message: try content.message(),
                duration: ContinuousClock.now - start, exchanges: reader.exchanges - first)
            if judge(tap.message) {
                onEvent(isNew ? .tapped(tap) : .rests(tap))
            } else if isNew {
                onEvent(.failed("the tag holds no 128-bit value"))
            }
        } catch {
            onEvent(.failed(error.description))
        }
        reader.release()
    }

    // MARK: A link

    /// Takes turns with the peer until it has given what it has, or its time is up.
    ///
    /// - Parameter step: sends our PDU (at first none) and gives the peer's, which it awaits for so many milliseconds; 0:
    ///   none is wanted any more.
    private func exchange(
        _ receiver: inout TapReceiver, _ role: Tap.Role, _ start: ContinuousClock.Instant, _ reader: Reader,
        _ firstExchange: Int, _ step: (_ answer: [UInt8]?, _ wait: Int) throws(ReaderError) -> [UInt8]
    ) throws(LLCPError) {
        var answer: [UInt8]?
        var reported = 0
        var lastGift: ContinuousClock.Instant?
        var refused = 0
        var hasHeard = false
        while !receiver.isEnded {
            let bytes: [UInt8]
            do throws(ReaderError) {
                // The peer's own limit, and a tap's.
                let left = Int((limits.tap - (ContinuousClock.now - start)) / .milliseconds(1))
                let peers = hasHeard ? receiver.link.remote.linkTimeout + 200 : limits.firstPDU
                bytes = try step(answer, max(50, min(peers, left)))
                hasHeard = true
            } catch {
                // After it has given something a peer may go as it likes.
                if reported == 0 { onEvent(.failed(error.description)) }
                return
            }
            try receiver.receive(bytes)
            for message in receiver.messages.dropFirst(reported) {
                lastGift = .now
                onEvent(
                    .tapped(
                        Tap(
                            role: role, message: message, duration: ContinuousClock.now - start,
                            exchanges: reader.exchanges - firstExchange)))
            }
            reported = receiver.messages.count
            for why in receiver.refusals.dropFirst(refused) { onEvent(.failed("refused: \(why)")) }
            refused = receiver.refusals.count
            if receiver.isEnded {
                // An initiator that has said goodbye waits for an answer, and its chip asks ours for it.
                answer = PDU.disconnect(dsap: 0, ssap: 0).bytes
                break
            }
            let now = ContinuousClock.now
            let isOver =
                lastGift.map { !receiver.isConnected && !receiver.link.hasToSend || now - $0 > limits.farewell }
                ?? (now - start > limits.tap)
            if isOver { receiver.deactivate() }
            answer = receiver.next()
        }
        // Our DISC is the last word.
        if let answer { _ = try? step(answer, 0) }
    }
}
