import Foundation
import Participant
import TestProcesses
import Testing

/// The real programs over years, without a hand: their wall clocks are moved while they run (Tests/Testing/ClockShim).
@Suite(.serialized) struct YearsTests {
    /// The clocks of all programs that are started while it is there.
    final class Clocks {
        private let path: String
        private(set) var days = 0

        init(_ stage: Stage) throws {
            path = stage.path("clock")
            try set()
            setenv("LD_PRELOAD", Stage.ownFolder + "/libClockShim.so", 1)
            setenv("SRUP_CLOCK", path, 1)
        }

        deinit {
            unsetenv("LD_PRELOAD")
            unsetenv("SRUP_CLOCK")
        }

        func go(_ days: Int) throws {
            self.days += days
            try set()
        }

        private func set() throws {
            // In place: the programs have the file mapped.
            let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
            defer { close(file) }
            var seconds = Int64(days) * 86400
            guard pwrite(file, &seconds, 8, 0) == 8 else {
                throw Stage.Failure(description: "\(path) cannot be written")
            }
        }
    }

    static let files = [
        "c2/https.crt", "c2/broker.crt", "c2/server/certificate.pem", "c2/monitor/certificate.pem",
        "lamp/certificate.pem",
        "observer/certificate.pem",
    ]
    static let programs = ["key-service", "broker", "c2", "lamp", "observer"]

    private func contents(_ stage: Stage) -> [String] {
        Self.files.map { (try? String(contentsOfFile: stage.path($0), encoding: .utf8)) ?? "" }
    }

    /// Waits until something holds.
    private func wait(_ what: String, _ stage: Stage, within limit: Double = 90, _ holds: () throws -> Bool) throws {
        let deadline = EventFollower.clock() + limit
        while EventFollower.clock() < deadline {
            if try holds() { return }
            usleep(100_000)
        }
        let logs = Self.programs.map { "\($0):\n\(stage.tail(of: $0))" }.joined(separator: "\n")
        throw Stage.Failure(description: "not within \(limit) s: \(what)\n\(logs)")
    }

    /// The certificate that the broker shows; it is not judged here, where no clock was moved.
    private func shown(_ world: World) throws -> String {
        let role = "shown-\(UUID().uuidString.prefix(8))"
        let home = world.stage.path("lamp")
        let words =
            "openssl s_client -connect localhost:\(world.brokerPort) -cert \(home)/certificate.pem -key \(home)/access.pem "
            + "</dev/null 2>/dev/null | openssl x509"
        try world.stage.run("bash", ["-c", words], as: role)
        return (try? String(contentsOfFile: world.stage.path("log/\(role).log"), encoding: .utf8)) ?? ""
    }

    /// As a service manager does, with the broker in its keeper.
    private func startServer(_ world: World) throws {
        try world.prepare()
        try world.startKeyService()
        try startBroker(world)
        try world.startC2(ObservedJoinTests.policies)
    }

    private func startBroker(_ world: World) throws {
        try world.stage.start("srup-c2", ["broker", "--folder", world.stage.path("c2")], as: "broker")
        try wait("the broker listens", world.stage) { Stage.accepts(port: world.brokerPort) }
    }

    private func log(_ stage: Stage, _ role: String) -> String {
        (try? String(contentsOfFile: stage.path("log/\(role).log"), encoding: .utf8)) ?? ""
    }

    @Test func aNetworkLivesThreeYearsWithoutAHandAndSaysWhatNobodyRenews() throws {
        let stage = try Stage()
        defer { stage.close() }
        let world = try World(stage)
        let clocks = try Clocks(stage)
        defer { withExtendedLifetime(clocks) {} }
        try startServer(world)
        try world.bringObserver(camera: "folder:" + stage.path("none"), settings: World.quick)
        try world.registerDevice("lamp", type: "lamp")
        var begin = EventFollower.clock()
        try world.startDevice("lamp", [])
        try world.events.wait(for: "lamp", ["joined"], since: begin, within: 30)
        let processes = Self.programs.map { stage.processIdentifier($0) }

        while clocks.days < 3 * 365 {
            begin = EventFollower.clock()
            let before = contents(stage)
            try clocks.go(310)
            try wait("all certificates are renewed", stage) {
                zip(before, contents(stage)).allSatisfy { $0 != $1 }
            }
            try wait("the broker shows its new one", stage) { try shown(world) == contents(stage)[1] }
            // Each uses its own new one.
            for name in ["c2", "lamp", "observer"] {
                try world.events.wait(for: name, ["connected"], since: begin, within: 90)
            }
            // And who comes today is let in, by all that is shown today.
            let name = "lamp-\(clocks.days)"
            try world.registerDevice(name, type: "lamp")
            try world.startDevice(name)
            try world.events.wait(for: name, ["joined"], since: begin, within: 60)
        }
        #expect(Self.programs.map { stage.processIdentifier($0) } == processes)
        #expect(!log(stage, "c2").contains("ends in"))
        #expect(try stage.run("srup-c2", ["check", "--folder", stage.path("c2")], as: "check-well") == 0)
        #expect(!log(stage, "check-well").contains("warning"), "\(stage.tail(of: "check-well"))")

        // Nobody renews any more: both sides say so in the last month, and go on.
        stage.stop("key-service")
        try clocks.go(345)
        try wait("the server says so", stage) {
            log(stage, "c2").contains("certificate of the broker, ends in 19 days")
        }
        try wait("the observer says so", stage) {
            log(stage, "observer").contains("ends in 19 days and cannot be renewed")
        }
        try wait("the device says so", stage) { log(stage, "lamp").contains("ends in 19 days and cannot be renewed") }
        #expect(try stage.run("srup-c2", ["check", "--folder", stage.path("c2")], as: "check") == 0)
        for what in ["key service", "broker", "C2 server", "tools that watch"] {
            #expect(
                log(stage, "check").contains("the certificate of the \(what), ends in"), "\(stage.tail(of: "check"))")
        }
        try stage.run("srup-observer", ["doctor", "--json", "--config", stage.path("observer.toml")], as: "doctor")
        struct Report: Decodable {
            struct Check: Decodable {
                let name: String
                let state: String
                let says: String
            }
            let checks: [Check]
        }
        let text = log(stage, "doctor")
        let report = try JSONDecoder().decode(Report.self, from: Data(text.drop { $0 != "{" }.utf8))
        for name in ["certificate", "broker's certificate"] {
            let check = report.checks.first { $0.name == name }
            #expect(
                check?.state == "warning" && check?.says.contains("days left, and it was not renewed") == true,
                "\(name): \(text)")
        }
        // It comes back, and all is well within the hour.
        let before = contents(stage)
        try world.startKeyService()
        try clocks.go(1)
        try wait("all certificates are renewed", stage) { zip(before, contents(stage)).allSatisfy { $0 != $1 } }
        try wait("the broker shows its new one", stage) { try shown(world) == contents(stage)[1] }
    }

    @Test func aDeviceThatWasInADrawerForTwoYearsRenewsAndJoins() throws {
        let stage = try Stage()
        defer { stage.close() }
        let world = try World(stage)
        let clocks = try Clocks(stage)
        defer { withExtendedLifetime(clocks) {} }
        try startServer(world)
        for name in ["lamp", "other"] { try world.registerDevice(name, type: "lamp") }
        // The server was on all the time.
        try clocks.go(310)
        let before = contents(stage)[0]
        try wait("the key service renews", stage) { contents(stage)[0] != before }
        try clocks.go(310)
        let begin = EventFollower.clock()
        try world.startDevice("lamp", [])
        try world.events.wait(for: "lamp", ["joined"], since: begin, within: 120)
        #expect(log(stage, "lamp").contains("was renewed"))
        // By hand.
        try stage.must("srup-device", ["register", "--renew", "--state", stage.path("other")], as: "renew")
        #expect(stage.tail(of: "renew").contains("renewed"))
        try world.startDevice("other")
        try world.events.wait(for: "other", ["joined"], since: begin, within: 60)
        #expect(try stage.run("srup-device", ["register", "--state", stage.path("other")], as: "no-url") == 64)
    }

    @Test func theBrokerIsStartedAnewWithItsCertificateAndKeepsWhatWaits() throws {
        let stage = try Stage()
        defer { stage.close() }
        let world = try World(stage)
        try world.prepare()
        try world.startKeyService()
        try startBroker(world)
        for name in ["lamp", "other"] { try world.registerDevice(name, type: "lamp") }
        let id = world.identities["lamp"] ?? "?"
        func client(_ folder: String, _ arguments: [String]) -> [String] {
            let home = stage.path(folder)
            return [
                "-h", "localhost", "-p", "\(world.brokerPort)", "--cafile", home + "/ca.pem", "--cert",
                home + "/certificate.pem", "--key", home + "/access.pem", "-q", "1", "-t", "SRUP/\(id)",
            ] + arguments
        }
        func hear(_ role: String) throws -> String {
            try stage.run("mosquitto_sub", client("lamp", ["-i", "x", "-c", "-W", "2"]), as: role)
            return log(stage, role)
        }
        _ = try hear("first")
        try stage.must("mosquitto_pub", client("c2/server", ["-m", "waits"]), as: "publish")
        let old = try shown(world)
        // A certificate that does not fit its key is not taken, and the broker goes on.
        let path = stage.path("c2/broker.crt")
        let stranger = try String(contentsOfFile: stage.path("c2/https.crt"), encoding: .utf8)
        try stranger.write(toFile: path, atomically: true, encoding: .utf8)
        usleep(5_000_000)
        #expect(try shown(world) == old)
        // The same one over again, as a renewal would write it.
        try old.write(toFile: path, atomically: true, encoding: .utf8)
        try wait("it is started anew", stage) { log(stage, "broker").contains("starting the broker anew") }
        try wait("it listens", stage) { try shown(world) == old }
        #expect(try hear("second").hasPrefix("waits\n"))
        // Killed, it leaves no broker behind that would hold the port.
        stage.kill9("broker")
        try wait("the port is free", stage) { !Stage.accepts(port: world.brokerPort) }
        try startBroker(world)
        stage.stop("broker")
        #expect(!Stage.accepts(port: world.brokerPort))
        #expect(try stage.run("srup-c2", ["broker", "--folder", stage.path("nothing")], as: "nothing") == 78)
    }
}
