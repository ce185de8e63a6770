import Foundation

/// Reads the programs' event files and tells what happens, as it happens.
final class Story {
    struct Event {
        let who: String
        let name: String
        let time: Double
        let details: [String: String]
    }

    private var offsets: [String: UInt64] = [:]
    private let start = Story.clock()
    private var last = Story.clock()
    private let stage: Stage

    init(_ stage: Stage) {
        self.stage = stage
    }

    /// CLOCK_MONOTONIC in seconds, the clock of the event files.
    static func clock() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    func file(_ who: String) -> String { stage.path("events-\(who).jsonl") }

    /// New events of all files, the earliest first.
    private func news() -> [Event] {
        var events: [Event] = []
        let names = (try? FileManager.default.contentsOfDirectory(atPath: stage.folder)) ?? []
        for name in names where name.hasPrefix("events-") && name.hasSuffix(".jsonl") {
            guard let handle = FileHandle(forReadingAtPath: stage.path(name)) else { continue }
            defer { try? handle.close() }
            try? handle.seek(toOffset: offsets[name] ?? 0)
            let data = handle.availableData
            guard let end = data.lastIndex(of: 10) else { continue }
            let whole = data[data.startIndex...end]
            offsets[name, default: 0] += UInt64(whole.count)
            let who = String(name.dropFirst("events-".count).dropLast(".jsonl".count))
            for line in whole.split(separator: 10) {
                guard let details = try? JSONDecoder().decode([String: String].self, from: line),
                    let event = details["event"], let time = details["t"].flatMap(Double.init)
                else { continue }
                events.append(Event(who: who, name: event, time: time, details: details))
            }
        }
        return events.sorted { $0.time < $1.time }
    }

    /// Tells events until one of them is the awaited one.
    @discardableResult
    func tell(until who: String, _ names: Set<String>, within limit: Double, words: (Event) -> String?) throws -> Event {
        let deadline = Story.clock() + limit
        var found: Event?
        while Story.clock() < deadline {
            for event in news() {
                if let text = words(event) { say(text, at: event.time) }
                if found == nil && event.who == who && names.contains(event.name) { found = event }
            }
            if let found { return found }
            usleep(5_000)
        }
        throw Stage.Failure(
            description: "waited \(Int(limit)) s for \(who) to say \(names.sorted().joined(separator: " or ")):\n"
                + stage.tail(of: who))
    }

    /// A line with the time since the beginning and since the line before.
    func say(_ text: String, at time: Double = Story.clock()) {
        let since = String(format: "%7.3f s  +%6.3f s", max(0, time - start), max(0, time - last))
        last = max(last, time)
        print("\(since)  \(text)")
        fflush(stdout)
    }

    func chapter(_ title: String) {
        print("\n\(title)")
        fflush(stdout)
    }
}
