import Foundation

/// One line of a program's event file.
public struct ProgramEvent: Sendable {
    /// The program's role, from the file's name.
    public let who: String
    /// What has happened ("joined"): the line's `event`.
    public let name: String
    /// CLOCK_MONOTONIC, in seconds.
    public let time: Double
    /// All fields of the line, `event` and `t` among them.
    public let details: [String: String]
}

/// Follows the event files of everything that a runner has started (`events-<role>.jsonl`).
public final class EventFollower {
    private var offsets: [String: UInt64] = [:]
    private let runner: ProgramRunner
    /// Everything read so far.
    public private(set) var all: [ProgramEvent] = []

    /// Follows all event files in the runner's folder from their beginnings.
    public init(_ runner: ProgramRunner) {
        self.runner = runner
    }

    /// CLOCK_MONOTONIC in seconds, the clock of the event files.
    public static func clock() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The event file of a role.
    public static func file(_ who: String, on runner: ProgramRunner) -> String { runner.path("events-\(who).jsonl") }

    /// New events of all files, the earliest first.
    public func news() -> [ProgramEvent] {
        var events: [ProgramEvent] = []
        let names = (try? FileManager.default.contentsOfDirectory(atPath: runner.folder)) ?? []
        for name in names where name.hasPrefix("events-") && name.hasSuffix(".jsonl") {
            guard let handle = FileHandle(forReadingAtPath: runner.path(name)) else { continue }
            defer { try? handle.close() }
            try? handle.seek(toOffset: offsets[name] ?? 0)
            guard let data = try? handle.readToEnd(), let end = data.lastIndex(of: 10) else { continue }
            let whole = data[data.startIndex...end]
            offsets[name, default: 0] += UInt64(whole.count)
            let who = String(name.dropFirst("events-".count).dropLast(".jsonl".count))
            for line in whole.split(separator: 10) {
                guard let details = try? JSONDecoder().decode([String: String].self, from: line),
                    let event = details["event"], let time = details["t"].flatMap(Double.init)
                else { continue }
                events.append(ProgramEvent(who: who, name: event, time: time, details: details))
            }
        }
        events.sort { $0.time < $1.time }
        all += events
        return events
    }

    /// Waits for an event of `who` that is not older than `since`, passing every new event to `each`.
    @discardableResult
    public func wait(
        for who: String, _ names: Set<String>, since: Double = 0, within limit: Double,
        matching: (ProgramEvent) -> Bool = { _ in true }, each: (ProgramEvent) -> Void = { _ in }
    ) throws -> ProgramEvent {
        let deadline = Self.clock() + limit
        let fits: (ProgramEvent) -> Bool = {
            $0.who == who && names.contains($0.name) && $0.time >= since && matching($0)
        }
        if let earlier = all.first(where: fits), since > 0 { return earlier }
        while Self.clock() < deadline {
            let events = news()
            for event in events { each(event) }
            if let found = events.first(where: fits) { return found }
            usleep(5_000)
        }
        throw ProgramRunner.Failure(
            description:
                "waited \(limit) s for \(who) to say \(names.sorted().joined(separator: " or ")); its log ends:\n"
                + runner.tail(of: who))
    }
}
