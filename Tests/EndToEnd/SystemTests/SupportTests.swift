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

    func doctor(_ stage: Stage, _ configuration: String, _ arguments: [String] = []) throws -> (code: Int32, Report) {
        let role = "doctor-\(UUID().uuidString.prefix(6))"
        let code = try stage.run(
            "srup-observer", ["doctor", "--json", "--config", configuration] + arguments, as: role)
        let text = try String(contentsOfFile: stage.path("log/\(role).log"), encoding: .utf8)
        return (code, try JSONDecoder().decode(Report.self, from: Data(text.utf8)))
    }

    @Test func theDoctorFollowsAnObserverFromNothingToWorkAndFindsWhatBreaks() throws {
        let stage = try Stage()
        defer { stage.close() }
        let world = try World(stage)
        try world.prepare()

        // Nothing is there.
        var (code, report) = try doctor(stage, stage.path("none.toml"))
        #expect(code == 78)
        #expect(report["configuration"]?.state == .problem)

        // A network, and a registered observer that does not run.
        try world.startKeyService()
        try world.startBroker()
        try world.startC2(["--policy", "sensor=observed"])
        let fifo = try world.makeCamera("camera")
        try world.startScene(on: fifo, picture: nil)
        try world.registerObserver("observer", camera: "fifo:\(fifo)", settings: World.quick)
        try world.trust("observer")
        let configuration = stage.path("observer.toml")
        (code, report) = try doctor(stage, configuration)
        #expect(code == 1)
        #expect(report["observer"]?.state == .problem)
        for name in [
            "configuration", "state folder", "registered", "certificate", "authority's certificate", "broker key",
            "key service's authority", "key service", "key service's certificate", "broker", "broker's certificate",
            "camera", "camera light",
        ] { #expect(report[name]?.state == .ok, "\(name): \(report[name]?.says ?? "absent")") }

        // It runs. Its session at the broker is not disturbed by being looked at.
        try world.startObserver("observer")
        try world.events.wait(for: "observer", ["joined"], within: 20)
        let before = EventFollower.clock()
        (code, report) = try doctor(stage, configuration)
        #expect(report["observer"]?.state == .ok)
        #expect(!report.checks.contains { $0.state == .problem }, "\(report.checks.filter { $0.state == .problem })")
        #expect(code == 0)
        #expect(report.ok)
        _ = world.events.news()
        #expect(!world.events.all.contains { $0.who == "observer" && $0.name == "disconnected" && $0.time >= before })

        // What breaks is found, each by its own name.
        world.stage.stop("broker")
        (code, report) = try doctor(stage, configuration)
        #expect(code == 1)
        #expect(report["broker"]?.state == .problem)
        #expect(report["observer"]?.state == .problem)
        world.stage.stop("observer")
        let other = stage.path("c2/server/access.pem")
        let key = stage.path("observer/access.pem")
        try FileManager.default.removeItem(atPath: key)
        try FileManager.default.copyItem(atPath: other, toPath: key)
        chmod(stage.path("observer/identity.pem"), 0o644)
        (code, report) = try doctor(stage, configuration, ["--offline"])
        #expect(report["broker key"]?.state == .problem)
        #expect(report["state folder"]?.state == .problem)
        // No key is in any answer.
        #expect(!report.checks.contains { "\($0)".contains("PRIVATE KEY") })
    }

    @Test func theKeeperSaysWhatItDoesOnTheSignalSocket() throws {
        try ObservedJoinTests().withWorld { world, fifo in
            let listener = SignalListener()
            listener.connect(toAny: [world.stage.path("observer/signal.sock")])
            var words: [String] = []
            func hear(until word: String, within seconds: Double) {
                let deadline = EventFollower.clock() + seconds
                while !words.contains(word), listener.isConnected, EventFollower.clock() < deadline {
                    words += listener.words(within: 200)
                }
            }
            hear(until: "waiting", within: 10)
            #expect(words.last == "waiting")
            try world.registerDevice("right", type: "sensor")
            try world.startScene(on: fifo, picture: world.picture("right"))
            try world.startDevice("right")
            words = []
            hear(until: "waiting", within: 60)
            #expect(words.filter { $0 != "fault" } == ["looking", "VALID", "waiting"])
            world.stage.stop("broker")
            words = []
            hear(until: "fault", within: 20)
            #expect(words == ["fault"])
        }
    }
}
