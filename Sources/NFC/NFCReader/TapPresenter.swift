import Addresses
import Glibc
import NFCProtocols

/// Presents an NDEF message to whoever is near: as NFC-DEP peer with a SNEP client, in both roles in turn, or as a Type 4
/// card.
///
/// One thread runs it (``run(while:)``); it recovers by itself as ``TapReader`` does.
public final class TapPresenter {
    /// What the reader is to whoever is near.
    public enum Manner: String, Sendable, CaseIterable {
        /// Peer-to-peer: LLCP and SNEP.
        case peer
        /// Card emulation: for readers that know tags only.
        case card
    }

    /// What happens while something is presented.
    public enum Event: Sendable {
        case ready(String)
        case lost(ReaderError)
        /// The other side has it.
        case taken(Tap.Role, Duration)
        case failed(String)
    }

    private let station: ReaderStation
    private let message: NDEFMessage
    private let manner: Manner
    private let onEvent: (Event) -> Void
    private var turns = 0
    private let rest: UInt32
    /// As in ``TapReader/Limits/firstPDU``.
    private static let firstPDU = 400

    /// - Parameters:
    ///   - rest: how long nothing is presented after it was taken, so that one touch is one tap, in milliseconds.
    ///   - onEvent: called on the thread that runs this.
    public init(
        _ address: ReaderAddress, _ message: NDEFMessage, as manner: Manner, rest: UInt32 = 1000,
        watchdog: Watchdog?, onEvent: @escaping (Event) -> Void
    ) {
        self.message = message
        self.manner = manner
        self.rest = rest
        self.onEvent = onEvent
        station = ReaderStation(address, watchdog: watchdog) { news in
            switch news {
            case .ready(let name): onEvent(.ready(name))
            case .lost(let error): onEvent(.lost(error))
            // Who presents hears of a link that failed; a garbled frame is tried again without a word.
            case .failed(let error): if error.isOnlyTheLink { onEvent(.failed(error.description)) }
            }
        }
    }

    /// Presents until `isWanted` says no, which it is asked between two attempts; then the reader is closed.
    public func run(while isWanted: () -> Bool) {
        station.run(while: isWanted) { (reader) throws(ReaderError) in
            if try turn(reader) { ReaderStation.wait(rest, isWanted) }
        }
    }

    /// One attempt; whether the message was taken.
    private func turn(_ reader: Reader) throws(ReaderError) -> Bool {
        if manner == .card { return try card(reader) }
        turns += 1
        // Mostly calling, since an observer mostly listens; two devices that only call would never meet.
        if turns % 10 != 0 { return try call(reader) }
        return try listen(reader)
    }

    private func call(_ reader: Reader) throws(ReaderError) -> Bool {
        try reader.beInitiator()
        guard let general = try reader.activateDEP(general: LinkParameters.ours.generalBytes) else {
            reader.fieldOff()
            // The gaps differ, so that two that call in step get out of it.
            usleep(UInt32.random(in: 2_000...12_000))
            return false
        }
        defer {
            reader.release()
            reader.fieldOff()
        }
        return send(general, .initiator) { (bytes: [UInt8], wait: Int, isLast: Bool) throws(ReaderError) in
            // An initiator's DISC would be waited for; the release that follows says the same.
            isLast ? [] : try reader.transceive(bytes, timeout: wait)
        }
    }

    private func listen(_ reader: Reader) throws(ReaderError) -> Bool {
        let general: [UInt8]
        do {
            general = try reader.listenDEP(
                general: LinkParameters.ours.generalBytes, timeout: Int.random(in: 120...240))
        } catch {
            if error == .timeout { return false }
            throw error
        }
        var isFirst = true
        return send(general, .target) { (bytes: [UInt8], wait: Int, isLast: Bool) throws(ReaderError) in
            // The initiator speaks first, and most likely with a SYMM.
            if isFirst {
                isFirst = false
                _ = try reader.receive(timeout: wait)
            }
            try reader.send(bytes)
            return isLast ? [] : try reader.receive(timeout: wait)
        }
    }

    private func send(
        _ general: [UInt8], _ role: Tap.Role,
        _ step: (_ pdu: [UInt8], _ wait: Int, _ isLast: Bool) throws(ReaderError) -> [UInt8]
    ) -> Bool {
        let start = ContinuousClock.now
        do throws(LLCPError) {
            var sender = TapSender(message, remote: try LinkParameters(generalBytes: general))
            var wait = Self.firstPDU
            while ContinuousClock.now - start < .seconds(3) {
                let answer: [UInt8]
                do throws(ReaderError) {
                    let pdu = sender.next()
                    answer = try step(pdu, wait, sender.isEnded)
                } catch {
                    if sender.outcome == nil { onEvent(.failed(error.description)) }
                    break
                }
                if sender.isEnded { break }
                wait = min(sender.link.remote.linkTimeout + 200, 2000)
                try sender.receive(answer)
                if sender.isEnded {
                    _ = try? step(PDU.disconnect(dsap: 0, ssap: 0).bytes, wait, true)
                    break
                }
            }
            switch sender.outcome {
            case .taken:
                onEvent(.taken(role, ContinuousClock.now - start))
                return true
            case .refused(let why): onEvent(.failed(why))
            case nil: break
            }
        } catch {
            onEvent(.failed(error.description))
        }
        return false
    }

    private func card(_ reader: Reader) throws(ReaderError) -> Bool {
        do {
            try reader.listenCard(timeout: 500)
        } catch {
            if error == .timeout { return false }
            throw error
        }
        let start = ContinuousClock.now
        var card = Type4Card(message)
        var taken: Duration?
        while ContinuousClock.now - start < .seconds(3) {
            do throws(ReaderError) {
                // Once it was read, a reader that says nothing more need not be waited for.
                let command = try reader.receive(timeout: taken == nil ? 1000 : 100)
                try reader.send(card.answer(command))
            } catch {
                break
            }
            if card.wasRead, taken == nil { taken = ContinuousClock.now - start }
        }
        if let taken { onEvent(.taken(.target, taken)) }
        return taken != nil
    }
}
