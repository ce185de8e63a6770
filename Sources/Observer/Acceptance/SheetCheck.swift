import ObservedValue

/// An acceptance check that is driven by what is held before the eyes: which step is asked for, and what a word does to it.
///
/// The steps, and what comes of them, are the record's; this is the order. Pure.
public struct SheetCheck: Sendable {
    /// What is to be done now.
    public enum Action: Sendable, Hashable {
        case check(AcceptanceStep)
        case skip(AcceptanceStep)
        case seen(AcceptanceStep)
    }

    /// Steps for which nobody has to do anything: they are checked when it is their turn.
    public static let unattended: Set<AcceptanceStep> = [.doctor, .power]

    /// The step that is asked for; `nil` before the beginning and after the end.
    public private(set) var step: AcceptanceStep?
    /// What is still to come, the present step first.
    private var list: [AcceptanceStep] = []
    /// Whether the check goes on by itself when this is asked for the first time.
    private var isDue = false

    /// Goes on where it was when it was under way.
    public init(_ record: AcceptanceRecord) {
        if record.isUnderWay { begin(record) }
    }

    private mutating func begin(_ record: AcceptanceRecord) {
        // What failed or was left out comes again when all the rest is done.
        let others = AcceptanceStep.allCases.filter { [.failed, .skipped].contains(record[$0]?.state) }
        list = record.open.isEmpty ? others : record.open
        turn()
    }

    private mutating func turn() {
        step = list.first
        isDue = step.map { Self.unattended.contains($0) } ?? false
    }

    /// What is due without a word: a step for which nobody has to do anything. Once for each.
    public mutating func due() -> Action? {
        guard isDue, let step else { return nil }
        isDue = false
        return .check(step)
    }

    /// What a word means now.
    ///
    /// - Parameter record: begun anew where all has passed, and its step is open again where it is checked once more.
    public mutating func heard(_ command: SheetCommand, _ record: inout AcceptanceRecord) -> Action? {
        guard let step else {
            guard command == .begin else { return nil }
            if record.exitCode == 0 { record = AcceptanceRecord() }
            record.isUnderWay = true
            begin(record)
            return due()
        }
        switch command {
        case .begin: return nil
        case .end:
            stop(&record)
            return nil
        case .check:
            record.forget(step)
            return .check(step)
        case .seen:
            record.forget(step)
            return .seen(step)
        case .skip:
            // What has failed stays so: only a check, or somebody's word, makes it good.
            guard record[step] == nil else {
                passOn(&record)
                return nil
            }
            return .skip(step)
        }
    }

    /// A step's turn is over, whatever came of it: one that has failed is asked for again, one that is open, too.
    public mutating func took(_ record: inout AcceptanceRecord) {
        guard let step, let state = record[step]?.state, state != .failed else { return }
        passOn(&record)
    }

    private mutating func passOn(_ record: inout AcceptanceRecord) {
        list.removeFirst()
        turn()
        if step == nil { record.isUnderWay = false }
    }

    private mutating func stop(_ record: inout AcceptanceRecord) {
        (list, step, isDue) = ([], nil, false)
        record.isUnderWay = false
    }
}
