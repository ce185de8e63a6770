import Addresses
import Glibc
import Linux
import Synchronization

/// A small display with an SSD1306, that shows one or several pages in turn.
///
/// Each page is written anew every few seconds, so that a display that lost its power or its cable for a moment shows it again.
public final class OLEDScreen: Sendable {
    /// Which display.
    public let address: OLEDAddress
    private let interval: Duration

    private struct State {
        /// Counts what was shown: a thread of an earlier one ends.
        var turn = 0
        var pages: [[UInt8]] = []
    }
    /// Held while the display is written to, so that an old page never follows a newer one.
    private let state = Mutex(State())

    /// Nothing is opened yet.
    ///
    /// - Parameter interval: between two pages.
    public init(_ address: OLEDAddress, interval: Duration = .seconds(4)) {
        self.address = address
        self.interval = interval
    }

    /// A page, ready for the display.
    ///
    /// - Parameter isLit: of a pixel, from the upper left corner.
    public func page(isLit: (_ x: Int, _ y: Int) -> Bool) -> [UInt8] { SSD1306.memory(address.size, isLit: isLit) }

    /// Shows pages in turn until ``clear()`` or the next call; the first is there when this returns.
    ///
    /// - Parameter pages: of ``page(isLit:)``, at least one.
    /// - Throws: ``OLEDError``; nothing is kept then.
    public func show(_ pages: [[UInt8]]) throws(OLEDError) {
        guard let first = pages.first else { return }
        let turn = try state.withLock { state throws(OLEDError) -> Int in
            Self.forget(&state)
            try write(first)
            state.pages = pages
            return state.turn
        }
        DetachedThread.start(stack: 128) { self.turnPages(turn) }
    }

    /// Switches the display off, empty.
    ///
    /// - Throws: ``OLEDError``.
    public func clear() throws(OLEDError) {
        try state.withLock { state throws(OLEDError) in
            Self.forget(&state)
            let bus = try SSD1306.Bus(address)
            try bus.command([SSD1306.off] + SSD1306.settings(address.size))
            try bus.fill([UInt8](repeating: 0, count: address.size.width * address.size.height / 8))
        }
    }

    private static func forget(_ state: inout State) {
        state.turn += 1
        for index in state.pages.indices {
            explicit_bzero(&state.pages[index], state.pages[index].count)
        }
        state.pages = []
    }

    private func write(_ page: [UInt8]) throws(OLEDError) {
        let bus = try SSD1306.Bus(address)
        try bus.command(SSD1306.settings(address.size))
        try bus.fill(page)
        try bus.command([SSD1306.on])
    }

    private func turnPages(_ turn: Int) {
        var index = 0
        while true {
            let next = ContinuousClock.now + interval
            while ContinuousClock.now < next {
                usleep(50_000)
                guard state.withLock({ $0.turn == turn }) else { return }
            }
            index += 1
            let goesOn = state.withLock { state -> Bool in
                guard state.turn == turn, !state.pages.isEmpty else { return false }
                // One that is not there now may be there again later.
                try? write(state.pages[index % state.pages.count])
                return true
            }
            guard goesOn else { return }
        }
    }
}
