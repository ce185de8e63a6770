import Foundation
import Program
import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Console
@testable import Operators

/// What Prometheus reads, by a strict reader of its format.
@Suite struct MetricsTests {
    /// A sample, and what its family is.
    struct Sample {
        let name: String
        let labels: [String: String]
        let value: Double
    }

    enum Wrong: Error { case line(String) }

    /// Reads the text format, and refuses what promtool would complain about.
    static func read(_ text: String) throws -> [Sample] {
        var (kinds, helps, seen, samples): ([String: String], Set<String>, Set<String>, [Sample]) = ([:], [], [], [])
        var current = ""
        #expect(text.hasSuffix("\n"))
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if line.hasPrefix("# HELP ") {
                let parts = line.dropFirst(7).split(separator: " ", maxSplits: 1)
                guard parts.count == 2, helps.insert(String(parts[0])).inserted else { throw Wrong.line(String(line)) }
                current = String(parts[0])
                continue
            }
            if line.hasPrefix("# TYPE ") {
                let parts = line.dropFirst(7).split(separator: " ").map(String.init)
                guard parts.count == 2, parts[0] == current, ["counter", "gauge"].contains(parts[1]),
                    kinds[current] == nil
                else { throw Wrong.line(String(line)) }
                kinds[current] = parts[1]
                // Only counters are totals.
                guard (parts[1] == "counter") == current.hasSuffix("_total") else { throw Wrong.line(String(line)) }
                continue
            }
            let sample = try read(sample: line)
            guard sample.name == current, kinds[current] != nil, helps.contains(current),
                seen.insert("\(sample.name)\(sample.labels.sorted { $0.key < $1.key })").inserted,
                sample.name.wholeMatch(of: /[a-z][a-z0-9_]*/) != nil
            else { throw Wrong.line(String(line)) }
            if kinds[current] == "counter", sample.value < 0 { throw Wrong.line(String(line)) }
            samples.append(sample)
        }
        return samples
    }

    private static func read(sample line: Substring) throws -> Sample {
        var rest = Array(line.unicodeScalars)[...]
        func wrong() -> Wrong { .line(String(line)) }
        var name = ""
        while let next = rest.first, next != "{", next != " " {
            name.unicodeScalars.append(rest.removeFirst()); _ = next
        }
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest.removeFirst()
            while rest.first != "}" {
                var (label, value) = ("", "")
                while let next = rest.first, next != "=" { label.unicodeScalars.append(rest.removeFirst()); _ = next }
                guard rest.prefix(2).elementsEqual(["=", "\""]), label.wholeMatch(of: /[a-z_]+/) != nil else {
                    throw wrong()
                }
                rest = rest.dropFirst(2)
                while let next = rest.first, next != "\"" {
                    rest.removeFirst()
                    guard next == "\\" else {
                        value.unicodeScalars.append(next)
                        continue
                    }
                    guard let escaped = rest.first, ["\\", "\"", "n"].contains(escaped) else { throw wrong() }
                    rest.removeFirst()
                    value.unicodeScalars.append(escaped == "n" ? "\n" : escaped)
                }
                guard rest.first == "\"", labels.updateValue(value, forKey: label) == nil else { throw wrong() }
                rest.removeFirst()
                if rest.first == "," { rest.removeFirst() } else if rest.first != "}" { throw wrong() }
            }
            rest.removeFirst()
        }
        guard rest.first == " " else { throw wrong() }
        let number = String(String.UnicodeScalarView(rest.dropFirst()))
        guard let value = ["NaN": Double.nan, "+Inf": .infinity, "-Inf": -.infinity][number] ?? Double(number) else {
            throw wrong()
        }
        return Sample(name: name, labels: labels, value: value)
    }

    @Test func whatIsWrittenIsReadBack() throws {
        var metrics = Metrics()
        metrics.family(
            "a_total", "Help with \\ and\nlines.", .counter,
            [([("x", "a\"b\\c\nd"), ("y", "é\u{1F600}")], 5), ([("x", ""), ("y", "}")], 0.25)])
        metrics.gauge("b", "B.", .infinity)
        metrics.gauge("b", "Again.", 2)
        metrics.family("c", "None.", .gauge, [])
        let samples = try Self.read(metrics.text)
        #expect(samples.count == 3)
        #expect(samples.contains { $0.labels == ["x": "a\"b\\c\nd", "y": "é\u{1F600}"] && $0.value == 5 })
        #expect(samples.last?.value == .infinity)
        #expect(metrics.text.contains("# HELP a_total Help with \\\\ and\\nlines.\n"))
    }

    @Test func theProgramItselfIsInIt() throws {
        var metrics = Metrics()
        metrics.process()
        let samples = Dictionary(try Self.read(metrics.text).map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        #expect(try #require(samples["process_resident_memory_bytes"]) > 1_000_000)
        #expect(try #require(samples["process_open_fds"]) >= 3)
        let start = try #require(samples["process_start_time_seconds"])
        #expect(start > 1_600_000_000 && start <= Date().timeIntervalSince1970 + 5)
        #expect(samples["process_cpu_seconds_total"] != nil && samples["srup_build_info"] == 1)
    }

    @Test func theServerCountsWhatHappens() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        _ = try await scene.panel(0xD1)
        let second = try await scene.panel(0xD2)
        for number in 1...3 { try scene.member(DeviceID(UInt64(0x100 + number)), type: "la\"mp\\\n") }
        try scene.server.know(DeviceID(0xE1), type: "lamp")
        let lamp = try Puppet(DeviceID(0xE1), scene.network)
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        try await scene.server.server.refuse(second.id, ticket: UInt64(try await scene.ticket(second)) ?? 0, by: "eve")
        let browser = ConsoleScene.Browser(scene: scene)
        _ = try await browser.post("/sign-in", [("name", "look"), ("password", "wrong wrong wrong")])
        let program = try scene.program(.look)
        _ = try await program.ask(.get, "waiting")
        _ = try await program.ask(.get, "waiting/zz")
        let answer = try await program.ask(.get, "/metrics")
        #expect(answer.status == 200 && answer.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
        let samples = try Self.read(answer.text)
        func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
            samples.first { $0.name == name && $0.labels == labels }?.value
        }
        #expect(value("srup_waiting") == 1)
        #expect(value("srup_broker_connected") == 1)
        #expect(value("srup_members", ["type": "lamp"]) == 1)
        #expect(samples.contains { $0.name == "srup_members" && $0.value == 3 })
        #expect(value("srup_joins_total", ["outcome": "joined", "policy": "simple"]) == 1)
        #expect(value("srup_joins_total", ["outcome": "failed", "policy": "human"]) == 1)
        #expect(value("srup_sign_ins_total", ["outcome": "wrong"]) == 1)
        #expect(value("srup_sign_ins_total", ["outcome": "accepted"]) == 0)
        #expect(value("srup_api_requests_total", ["operation": "listWaiting", "status": "200"]) == 1)
        #expect(value("srup_api_requests_total", ["operation": "getWaiting", "status": "404"]) == 1)
        #expect(value("srup_observers", ["state": "trusted"]) == 0)
        // Nothing of what a device shows, and no secret.
        #expect(!answer.text.contains("srup_" + "token") && !answer.text.contains("d1"))
    }

    @Test func typesThatAnybodyCanMakeUpDoNotFillIt() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        for number in 1...120 { try scene.member(DeviceID(UInt64(number + 0x1000)), type: "type-\(number)") }
        for number in 1...2 { try scene.member(DeviceID(UInt64(number + 0x2000)), type: "often") }
        let samples = try Self.read(await scene.console.metrics()).filter { $0.name == "srup_members" }
        #expect(samples.count == 51 && samples.reduce(0) { $0 + $1.value } == 122)
        #expect(samples.contains { $0.labels["type"] == "often" && $0.value == 2 })
        #expect(samples.contains { $0.labels["type"] == "(others)" })
    }

    @Test func certificatesTellTheirDays() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let receiver = try WebhookTests.Receiver(scene.network.folder + "/certificates")
        var metrics = Metrics()
        metrics.certificates([
            "hook": receiver.folder + "/hook.crt", "gone": receiver.folder + "/none",
            "bad": receiver.folder + "/secret",
        ])
        let samples = try Self.read(metrics.text)
        #expect(samples.map { $0.labels["certificate"] } == ["hook", "hook"])
        #expect(samples[1].value > 300 && samples[1].value < 500)
    }
}
