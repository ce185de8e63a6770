import Addresses
import Glibc

/// Keeps a reader at work: opens it, gives it turns, and opens it again when it fails. Used on one thread only.
///
/// Errors of a link are the peer's, and over with the next turn. One of the reader's own may be a frame garbled on its
/// way; after two in a row the reader is closed and opened anew, with pauses that grow to a second. A chip that has not
/// answered twice is lost at once.
final class ReaderStation {
    enum News {
        case ready(String)
        case lost(ReaderError)
        /// A turn has failed; the reader stays open.
        case failed(ReaderError)
    }

    private let address: ReaderAddress
    private let watchdog: Watchdog?
    private let onNews: (News) -> Void
    private var reader: Reader?
    private var failures = 0
    private var lastLoss: ReaderError?

    init(_ address: ReaderAddress, watchdog: Watchdog?, onNews: @escaping (News) -> Void) {
        self.address = address
        self.watchdog = watchdog
        self.onNews = onNews
    }

    /// Gives turns until `isWanted` says no; then the reader is closed and its field off.
    ///
    /// - Parameter afterEach: called after every turn, however it ended.
    func run(
        while isWanted: () -> Bool, afterEach: () -> Void = {}, turn: (Reader) throws(ReaderError) -> Void
    ) {
        var pause: UInt32 = 100
        while isWanted() {
            do throws(ReaderError) {
                try turn(try opened())
                failures = 0
                pause = 100
            } catch {
                failed(error)
                if reader == nil {
                    Self.wait(pause, isWanted)
                    pause = min(pause * 2, 1000)
                }
            }
            afterEach()
        }
        reader = nil
    }

    /// Waits so many milliseconds, or until it is wanted no more.
    static func wait(_ milliseconds: UInt32, _ isWanted: () -> Bool) {
        for _ in 0..<milliseconds / 20 where isWanted() { usleep(20_000) }
    }

    private func opened() throws(ReaderError) -> Reader {
        if let reader { return reader }
        let opened = try Reader(address, watchdog: watchdog)
        reader = opened
        lastLoss = nil
        onNews(.ready(opened.name))
        return opened
    }

    private func failed(_ error: ReaderError) {
        if error.isOnlyTheLink { return onNews(.failed(error)) }
        failures += 1
        if reader != nil, failures < 2, !error.isSilence { return onNews(.failed(error)) }
        failures = 0
        reader = nil
        if error != lastLoss { onNews(.lost(error)) }
        lastLoss = error
    }
}
