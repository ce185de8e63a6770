import Foundation
import Linux
import Program
import TestProcesses
import Testing

/// What helps people: doctor and signal, with the real programs.
@Suite(.serialized) struct SupportTests {
    struct Report: Decodable {
        let checks: [Finding]
        let ok: Bool

        subscript(name: String) -> Finding? { checks.first { $0.name == name } }
    }

    func doctor(_ runner: ProgramRunner, _ configuration: String, _ arguments: [String] = []) throws -> (
        code: Int32, Report
    ) {
        let role = "doctor-\(UUID().uuidString.prefix(6))"
        let code = try runner.run(
            "srup-observer", ["doctor", "--json", "--config", configuration] + arguments, as: role)
        let text = try String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)
        return (code, try JSONDecoder().decode(Report.self, from: Data(text.utf8)))
    }

    @Test func theDoctorFollowsAnObserverFromNothingToWorkAndFindsWhatBreaks() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()

        // Nothing is there.
        var (code, report) = try doctor(runner, runner.path("none.toml"))
        #expect(code == 78)
        #expect(report["configuration"]?.state == .problem)

        // A network, and a registered observer that does not run.
        try loopback.startKeyService()
        try loopback.startBroker()
        try loopback.startC2(["--policy", "sensor=observed"])
        let fifo = try loopback.makeCamera("camera")
        try loopback.startScene(on: fifo, picture: nil)
        try loopback.registerObserver("observer", camera: "fifo:\(fifo)", settings: LoopbackNetwork.quick)
        try loopback.trust("observer")
        let configuration = runner.path("observer.toml")
        (code, report) = try doctor(runner, configuration)
        #expect(code == 1)
        #expect(report["observer"]?.state == .problem)
        for name in [
            "configuration", "state folder", "registered", "certificate", "authority's certificate", "broker key",
            "key service's authority", "key service", "key service's certificate", "broker", "broker's certificate",
            "camera", "camera light",
        ] { #expect(report[name]?.state == .ok, "\(name): \(report[name]?.says ?? "absent")") }

        // It runs. Its session at the broker is not disturbed by being looked at.
        try loopback.startObserver("observer")
        try loopback.events.wait(for: "observer", ["joined"], within: 20)
        let before = EventFollower.clock()
        (code, report) = try doctor(runner, configuration)
        #expect(report["observer"]?.state == .ok)
        #expect(!report.checks.contains { $0.state == .problem }, "\(report.checks.filter { $0.state == .problem })")
        #expect(code == 0)
        #expect(report.ok)
        _ = loopback.events.news()
        #expect(
            !loopback.events.all.contains { $0.who == "observer" && $0.name == "disconnected" && $0.time >= before })

        // What breaks is found, each by its own name.
        loopback.runner.stop("broker")
        (code, report) = try doctor(runner, configuration)
        #expect(code == 1)
        #expect(report["broker"]?.state == .problem)
        #expect(report["observer"]?.state == .problem)
        loopback.runner.stop("observer")
        let other = runner.path("c2/server/access.pem")
        let key = runner.path("observer/access.pem")
        try FileManager.default.removeItem(atPath: key)
        try FileManager.default.copyItem(atPath: other, toPath: key)
        chmod(runner.path("observer/identity.pem"), 0o644)
        (code, report) = try doctor(runner, configuration, ["--offline"])
        #expect(report["broker key"]?.state == .problem)
        #expect(report["state folder"]?.state == .problem)
        // No key is in any answer.
        #expect(!report.checks.contains { "\($0)".contains("PRIVATE KEY") })
    }

    @Test func theKeeperSaysWhatItDoesOnTheSignalSocket() throws {
        try ObservedJoinTests().withLoopback { loopback, fifo in
            let listener = SignalListener()
            listener.connect(toAny: [loopback.runner.path("observer/signal.sock")])
            var words: [String] = []
            func hear(until word: String, within seconds: Double) {
                let deadline = EventFollower.clock() + seconds
                while !words.contains(word), listener.isConnected, EventFollower.clock() < deadline {
                    words += listener.words(within: 200)
                }
            }
            hear(until: "waiting", within: 10)
            #expect(words.last == "waiting")
            try loopback.registerDevice("right", type: "sensor")
            try loopback.startScene(on: fifo, picture: loopback.picture("right"))
            try loopback.startDevice("right")
            words = []
            hear(until: "waiting", within: 60)
            #expect(words.filter { $0 != "fault" } == ["looking", "VALID", "waiting"])
            loopback.runner.stop("broker")
            words = []
            hear(until: "fault", within: 20)
            #expect(words == ["fault"])
        }
    }
}
