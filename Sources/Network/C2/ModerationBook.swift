import Limits
import ObservedValue
import SRUP
import ValueForms

/// The joins that wait for a person: what each device shows, and what the person is asked about it.
///
/// The values are in memory only. Pure: the time is passed in.
struct ModerationBook: Sendable {
    struct Entry: Sendable {
        var moderation: C2State.Moderation
        /// When the device asked, by the server's own clock.
        let began: Duration
        /// What the device shows, or will show.
        var nonce: Nonce
        /// Stands for the value: a decision about an earlier one does not count.
        var ticket: UInt64
        /// The words that the person is asked for, by their place.
        var question: [Int]
        /// How often the answer has been wrong with this value.
        var wrong = 0
        /// How many values the device was sent.
        var tries = 1
    }

    private(set) var entries: [DeviceID: Entry] = [:]
    private var perIdentity: SenderBudget<DeviceID>
    private var perType: SenderBudget<String>
    private let limits: C2Rules.Limits

    init(_ limits: C2Rules.Limits) {
        self.limits = limits
        perIdentity = SenderBudget(burst: limits.valueBurst, perSecond: limits.valuesPerHour / 3600)
        perType = SenderBudget(burst: limits.valueBurstOfOneType, perSecond: limits.valuesPerHourOfOneType / 3600)
    }

    /// The same joins under other limits.
    func with(_ limits: C2Rules.Limits) -> ModerationBook {
        var book = ModerationBook(limits)
        book.entries = entries
        return book
    }

    subscript(device: DeviceID) -> Entry? { entries[device] }

    var count: Int { entries.count }

    /// Why no value is drawn for a device; `nil` when one may be, which is counted then.
    mutating func problem(_ device: DeviceID, type: String, at now: Duration) -> String? {
        let others = entries.values.lazy.filter { $0.moderation.device != device }
        if others.count >= limits.moderations { return "too many devices wait for a person" }
        if others.count(where: { $0.moderation.type == type }) >= limits.moderationsOfOneType {
            return "too many devices of type \(type) wait for a person"
        }
        guard perIdentity.take(device, at: now) else { return "it has asked for too many values" }
        guard perType.take(type, at: now) else { return "devices of type \(type) have asked for too many values" }
        return nil
    }

    /// Whether another value may be drawn for a device whose present one was answered wrongly.
    mutating func mayDrawAgain(_ device: DeviceID, type: String, at now: Duration) -> Bool {
        perIdentity.take(device, at: now) && perType.take(type, at: now)
    }

    /// A join waits with this value from now on.
    mutating func wait(_ moderation: C2State.Moderation, _ nonce: Nonce, began: Duration) {
        var entry = Entry(
            moderation: moderation, began: entries[moderation.device]?.began ?? began, nonce: nonce,
            ticket: .random(in: 1...(.max)), question: Self.question())
        entry.tries = (entries[moderation.device]?.tries ?? 0) + 1
        entries[moderation.device] = entry
    }

    /// Counts a wrong answer and asks for other words.
    ///
    /// - Returns: how often it has been wrong with this value.
    mutating func answeredWrongly(_ device: DeviceID) -> Int {
        entries[device]?.wrong += 1
        entries[device]?.question = Self.question()
        return entries[device]?.wrong ?? 0
    }

    /// - Returns: whether it waited.
    mutating func remove(_ device: DeviceID) -> Bool { entries.removeValue(forKey: device) != nil }

    /// Who has waited for too long.
    func due(at now: Duration, longest: Duration) -> [Entry] { entries.values.filter { now - $0.began >= longest } }

    static let questionCount = 3

    /// Different places of the eleven words, in order.
    private static func question() -> [Int] {
        Array(Array(0..<ValueWords.count).shuffled().prefix(questionCount)).sorted()
    }
}
