import Geometry
import ObservedValue

/// Paces what a witness says of the codes in a stream: a value at once when it comes into view, and then a few times a second
/// for as long as it stays; never more lines than the keeper takes, whatever is held before the camera.
///
/// It knows no clock: the time is passed in.
public struct SightingPace {
    /// A value and where it is.
    public struct Sighting: Sendable, Hashable {
        /// The 16 bytes that the code holds.
        public let value: [UInt8]
        /// The symbology's name and the box around the code, in pixels of the frame: `qr at 10,20 to 110,120 of 1280x720`.
        public let how: String
    }

    /// A value that stays is said again after this time, when there are many after this longer one at most.
    public static let (period, longestPeriod) = (Duration.milliseconds(250), Duration.milliseconds(360))
    /// That a symbol is unread is said again after this time.
    public static let unreadPeriod = Duration.milliseconds(500)
    /// Lines a second in the long run, and at once. The keeper ends a witness that says more than 400 a second.
    public static let (linesPerSecond, maximumAtOnce) = (200, 64)

    private var commanded: [SheetCommand: ContinuousClock.Instant] = [:]
    private var said: [(value: [UInt8], at: ContinuousClock.Instant)] = []
    private var lines = Double(maximumAtOnce)
    private var lastFrame: ContinuousClock.Instant?
    private var lastUnread: ContinuousClock.Instant?
    private var turn = 0

    /// Begins with nothing said.
    public init() {}

    /// What is to be said of a frame's readings: of those that hold a value each that is due, the longest silent first, then
    /// those that are new.
    ///
    /// - Parameters:
    ///   - readings: all codes that were read in the frame.
    ///   - size: of the frame, in pixels.
    ///   - now: never earlier than before.
    public mutating func sightings(
        _ readings: [Reading], size: (width: Int, height: Int), at now: ContinuousClock.Instant
    ) -> [Sighting] {
        refill(now)
        let period = min(max(Self.period, .seconds(1) * said.count / Self.linesPerSecond), Self.longestPeriod)
        var due: [(last: ContinuousClock.Instant?, sighting: Sighting)] = []
        for reading in readings {
            guard let value = reading.candidate, !due.contains(where: { $0.sighting.value == value }) else { continue }
            let last = said.first { $0.value == value }?.at
            if let last, now - last < period { continue }
            due.append((last, Sighting(value: value, how: reading.place(in: size))))
        }
        due.sort { one, other in
            guard let a = one.last else { return false }
            return other.last.map { a < $0 } ?? true
        }
        let words = due.prefix(Int(lines)).map(\.sighting)
        lines -= Double(words.count)
        for word in words {
            said.removeAll { $0.value == word.value }
            said.append((word.value, now))
        }
        return words
    }

    /// The words of the acceptance check that are in view and due: at first sight, and then a few times a second.
    ///
    /// - Parameters:
    ///   - readings: all codes that were read in the frame.
    ///   - now: never earlier than before.
    public mutating func commands(_ readings: [Reading], at now: ContinuousClock.Instant) -> [SheetCommand] {
        let due = Set(readings.compactMap(\.command)).filter { command in
            commanded[command].map { now - $0 >= Self.period } ?? true
        }
        for command in due { commanded[command] = now }
        return SheetCommand.allCases.filter { due.contains($0) }
    }

    /// Where an unread symbol is, when it is time to say so; of several another one each time.
    ///
    /// - Parameters:
    ///   - aims: the symbols of the frame that were found and not read.
    ///   - size: of the frame, in pixels.
    ///   - now: never earlier than before.
    public mutating func unread(
        _ aims: [Aim], size: (width: Int, height: Int), at now: ContinuousClock.Instant
    ) -> String? {
        guard !aims.isEmpty, lastUnread.map({ now - $0 >= Self.unreadPeriod }) ?? true else { return nil }
        lastUnread = now
        turn = (turn + 1) % aims.count
        return Reading.box(aims[turn].corners, in: size)
    }

    private mutating func refill(_ now: ContinuousClock.Instant) {
        if let lastFrame {
            let seconds = min(max((now - lastFrame) / .seconds(1), 0), 1)
            lines = min(lines + seconds * Double(Self.linesPerSecond), Double(Self.maximumAtOnce))
        }
        lastFrame = now
        said.removeAll { now - $0.at > .seconds(1) }
    }
}

extension Reading {
    fileprivate func place(in size: (width: Int, height: Int)) -> String {
        "\(symbology.rawValue) at \(Self.box(corners, in: size))"
    }

    /// The box around corners, as far as it is in the frame.
    fileprivate static func box(_ corners: [Place], in size: (width: Int, height: Int)) -> String {
        let box = corners.bounds ?? (.zero, .zero)
        let frame = Place(corner: size.width, size.height)
        let (low, high) = (box.low.clamped(to: .zero, frame).whole, box.high.clamped(to: .zero, frame).whole)
        return "\(low.x),\(low.y) to \(high.x),\(high.y) of \(size.width)x\(size.height)"
    }
}
