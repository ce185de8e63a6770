import Addresses
import Glibc
import NFCProtocols

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

    /// Who spoke first, and how.
    public let role: Role
    /// The message that was given or read.
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
    /// What a peer or a tag gave does not count; a peer was told so.
    case refused(Tap)
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
        /// How long is waited for a tag that changes while it is read.
        public var tap = Duration.seconds(2)
        /// How long a card may take that goes on answering: some phones need half a second for each answer.
        public var card = Duration.seconds(15)
        /// How long a link lasts at most; one without traffic, too, since the peer's user may have to say yes first.
        public var link = Duration.seconds(10)
        /// How long a peer that has given something may go on.
        public var farewell = Duration.milliseconds(300)

        /// The usual limits, as above.
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
        try call(reader, isWanted)
        guard isWanted() else {
            reader.fieldOff()
            return
        }
        // Turns the field off before anything else.
        try listen(reader, isWanted)
    }

    // MARK: As target

    private func listen(_ reader: Reader, _ isWanted: () -> Bool) throws(ReaderError) {
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
            try exchange(&receiver, .target, start, reader, first, isWanted) {
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

    private func call(_ reader: Reader, _ isWanted: () -> Bool) throws(ReaderError) {
        try reader.beInitiator()
        guard let found = try reader.selectTypeA() else {
            // Gone for two turns is gone: a bad moment is not a new tap.
            if let seen = present { present = seen.misses >= 1 ? nil : (seen.content, seen.misses + 1) }
            return
        }
        if found.speaksDEP {
            let general = try reader.activateDEP(general: LinkParameters.ours.generalBytes)
            if let general, !found.speaksISODEP || LinkParameters.isLLCP(general) {
                return try receive(reader, general, isWanted)
            }
            // A phone that is a card as well: what it says of peer-to-peer may be all there is to it. It has to be selected
            // anew, without what it was just asked.
            guard found.speaksISODEP else { return }
            if general != nil { reader.release() }
            reader.fieldOff()
            guard let card = try reader.selectTypeA(), card.speaksISODEP else { return }
            read(reader, .type4, isWanted)
        } else if found.speaksISODEP || found.isType2 {
            read(reader, found.speaksISODEP ? .type4 : .type2, isWanted)
        }
    }

    private func receive(_ reader: Reader, _ general: [UInt8], _ isWanted: () -> Bool) throws(ReaderError) {
        defer { reader.release() }
        let start = ContinuousClock.now
        let first = reader.exchanges
        do throws(LLCPError) {
            var receiver = TapReceiver(remote: try LinkParameters(generalBytes: general), judge: judge)
            var next = receiver.next()
            try exchange(&receiver, .initiator, start, reader, first, isWanted) {
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

    private func read(_ reader: Reader, _ kind: SteadyTag.Kind, _ isWanted: () -> Bool) {
        let start = ContinuousClock.now
        let first = reader.exchanges
        let deadline = start + limits.card
        // A card asks for more time while it thinks; a Type 2 tag answers at once.
        let timeout = kind == .type4 ? 2000 : 500
        func exchange(_ bytes: [UInt8]) throws(TagError) -> [UInt8] {
            guard ContinuousClock.now < deadline else { throw .link("it takes longer than \(limits.card)") }
            guard isWanted() else { throw .link("it is not wanted any more") }
            do throws(ReaderError) {
                return try reader.transceive(bytes, timeout: timeout)
            } catch {
                throw .link(error.description)
            }
        }
        do throws(TagError) {
            var steady = SteadyTag(kind)
            steady.maximumTime = limits.tap
            let content = try steady.read(
                known: present?.content, elapsed: { ContinuousClock.now - start }, exchange)
            let isNew = present?.content != content
            present = (content, 0)
            let tap = Tap(
                role: kind == .type4 ? .type4 : .type2, message: try content.message(),
                duration: ContinuousClock.now - start, exchanges: reader.exchanges - first)
            if judge(tap.message) {
                onEvent(isNew ? .tapped(tap) : .rests(tap))
            } else if isNew {
                onEvent(.refused(tap))
            }
        } catch {
            if isWanted() { onEvent(.failed(error.description)) }
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
        _ firstExchange: Int, _ isWanted: () -> Bool,
        _ step: (_ answer: [UInt8]?, _ wait: Int) throws(ReaderError) -> [UInt8]
    ) throws(LLCPError) {
        var answer: [UInt8]?
        var lastGift: ContinuousClock.Instant?
        var hasHeard = false
        func tap(_ message: NDEFMessage) -> Tap {
            Tap(
                role: role, message: message, duration: ContinuousClock.now - start,
                exchanges: reader.exchanges - firstExchange)
        }
        while !receiver.isEnded {
            let bytes: [UInt8]
            do throws(ReaderError) {
                // The peer's own limit, and the link's.
                let left = Int((limits.link - (ContinuousClock.now - start)) / .milliseconds(1))
                let peers = hasHeard ? receiver.link.remote.linkTimeout + 200 : limits.firstPDU
                bytes = try step(answer, max(50, min(peers, left)))
                hasHeard = true
            } catch {
                // After it has given something a peer may go as it likes.
                if lastGift == nil { onEvent(.failed(error.description)) }
                return
            }
            try receiver.receive(bytes)
            for gift in receiver.takeGifts() {
                lastGift = .now
                switch gift {
                case .taken(let message): onEvent(.tapped(tap(message)))
                case .refused(let message): onEvent(.refused(tap(message)))
                case .malformed(let error): onEvent(.failed("refused: \(error)"))
                }
            }
            if receiver.isEnded {
                // An initiator that has said goodbye waits for an answer, and its chip asks ours for it.
                answer = PDU.disconnect(dsap: 0, ssap: 0).bytes
                break
            }
            let now = ContinuousClock.now
            let isOver =
                lastGift.map { !receiver.isConnected && !receiver.link.hasToSend || now - $0 > limits.farewell }
                ?? (now - start > limits.link)
            // Who has given something is told what became of it, even if nobody waits for more.
            if isOver || (lastGift == nil && !isWanted()) { receiver.deactivate() }
            answer = receiver.next()
        }
        // Our DISC is the last word.
        if let answer { _ = try? step(answer, 0) }
    }
}
