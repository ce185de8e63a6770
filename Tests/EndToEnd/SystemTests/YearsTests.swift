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

        init(_ runner: ProgramRunner) throws {
            path = runner.path("clock")
            try set()
            setenv("LD_PRELOAD", ProgramRunner.ownFolder + "/libClockShim.so", 1)
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
                throw ProgramRunner.Failure(description: "\(path) cannot be written")
            }
        }
    }

    static let files = [
        "c2/https.crt", "c2/broker.crt", "c2/server/certificate.pem", "c2/monitor/certificate.pem",
        "lamp/certificate.pem",
        "observer/certificate.pem",
    ]
    static let programs = ["key-service", "broker", "c2", "lamp", "observer"]

    private func contents(_ runner: ProgramRunner) -> [String] {
        Self.files.map { (try? String(contentsOfFile: runner.path($0), encoding: .utf8)) ?? "" }
    }

    /// Waits until something holds.
    private func wait(_ what: String, _ runner: ProgramRunner, within limit: Double = 90, _ holds: () throws -> Bool)
        throws
    {
        let deadline = EventFollower.clock() + limit
        while EventFollower.clock() < deadline {
            if try holds() { return }
            usleep(100_000)
        }
        let logs = Self.programs.map { "\($0):\n\(runner.tail(of: $0))" }.joined(separator: "\n")
        throw ProgramRunner.Failure(description: "not within \(limit) s: \(what)\n\(logs)")
    }

    /// The certificate that the broker shows; it is not judged here, where no clock was moved.
    private func shown(_ loopback: LoopbackNetwork) throws -> String {
        let role = "shown-\(UUID().uuidString.prefix(8))"
        let home = loopback.runner.path("lamp")
        let words =
            "openssl s_client -connect localhost:\(loopback.brokerPort) -cert \(home)/certificate.pem -key \(home)/access.pem "
            + "</dev/null 2>/dev/null | openssl x509"
        try loopback.runner.run("bash", ["-c", words], as: role)
        return (try? String(contentsOfFile: loopback.runner.path("log/\(role).log"), encoding: .utf8)) ?? ""
    }

    /// As a service manager does, with the broker in its keeper.
    private func startServer(_ loopback: LoopbackNetwork) throws {
        try loopback.prepare()
        try loopback.startKeyService()
        try startBroker(loopback)
        try loopback.startC2(ObservedJoinTests.policies)
    }

    private func startBroker(_ loopback: LoopbackNetwork) throws {
        try loopback.runner.start("srup-c2", ["broker", "--folder", loopback.runner.path("c2")], as: "broker")
        try wait("the broker listens", loopback.runner) { ProgramRunner.accepts(port: loopback.brokerPort) }
    }

    private func log(_ runner: ProgramRunner, _ role: String) -> String {
        (try? String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)) ?? ""
    }

    @Test func aNetworkLivesThreeYearsWithoutAHandAndSaysWhatNobodyRenews() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        let clocks = try Clocks(runner)
        defer { withExtendedLifetime(clocks) {} }
        try startServer(loopback)
        try loopback.bringObserver(camera: "folder:" + runner.path("none"), settings: LoopbackNetwork.quick)
        try loopback.registerDevice("lamp", type: "lamp")
        var begin = EventFollower.clock()
        try loopback.startDevice("lamp", [])
        try loopback.events.wait(for: "lamp", ["joined"], since: begin, within: 30)
        let processes = Self.programs.map { runner.processIdentifier($0) }

        while clocks.days < 3 * 365 {
            begin = EventFollower.clock()
            let before = contents(runner)
            try clocks.go(310)
            try wait("all certificates are renewed", runner) {
                zip(before, contents(runner)).allSatisfy { $0 != $1 }
            }
            try wait("the broker shows its new one", runner) { try shown(loopback) == contents(runner)[1] }
            // Each uses its own new one.
            for name in ["c2", "lamp", "observer"] {
                try loopback.events.wait(for: name, ["connected"], since: begin, within: 90)
            }
            // And who comes today is let in, by all that is shown today.
            let name = "lamp-\(clocks.days)"
            try loopback.registerDevice(name, type: "lamp")
            try loopback.startDevice(name)
            try loopback.events.wait(for: name, ["joined"], since: begin, within: 60)
        }
        #expect(Self.programs.map { runner.processIdentifier($0) } == processes)
        #expect(!log(runner, "c2").contains("ends in"))
        #expect(try runner.run("srup-c2", ["check", "--folder", runner.path("c2")], as: "check-well") == 0)
        #expect(!log(runner, "check-well").contains("warning"), "\(runner.tail(of: "check-well"))")

        // Nobody renews any more: both sides say so in the last month, and go on.
        runner.stop("key-service")
        try clocks.go(345)
        try wait("the server says so", runner) {
            log(runner, "c2").contains("certificate of the broker, ends in 19 days")
        }
        try wait("the observer says so", runner) {
            log(runner, "observer").contains("ends in 19 days and cannot be renewed")
        }
        try wait("the device says so", runner) { log(runner, "lamp").contains("ends in 19 days and cannot be renewed") }
        #expect(try runner.run("srup-c2", ["check", "--folder", runner.path("c2")], as: "check") == 0)
        for what in ["key service", "broker", "C2 server", "tools that watch"] {
            #expect(
                log(runner, "check").contains("the certificate of the \(what), ends in"), "\(runner.tail(of: "check"))")
        }
        try runner.run("srup-observer", ["doctor", "--json", "--config", runner.path("observer.toml")], as: "doctor")
        struct Report: Decodable {
            struct Check: Decodable {
                let name: String
                let state: String
                let says: String
            }
            let checks: [Check]
        }
        let text = log(runner, "doctor")
        let report = try JSONDecoder().decode(Report.self, from: Data(text.drop { $0 != "{" }.utf8))
        for name in ["certificate", "broker's certificate"] {
            let check = report.checks.first { $0.name == name }
            #expect(
                check?.state == "warning" && check?.says.contains("days left, and it was not renewed") == true,
                "\(name): \(text)")
        }
        // It comes back, and all is well within the hour.
        let before = contents(runner)
        try loopback.startKeyService()
        try clocks.go(1)
        try wait("all certificates are renewed", runner) { zip(before, contents(runner)).allSatisfy { $0 != $1 } }
        try wait("the broker shows its new one", runner) { try shown(loopback) == contents(runner)[1] }
    }

    @Test func aDeviceThatWasInADrawerForTwoYearsRenewsAndJoins() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        let clocks = try Clocks(runner)
        defer { withExtendedLifetime(clocks) {} }
        try startServer(loopback)
        for name in ["lamp", "other"] { try loopback.registerDevice(name, type: "lamp") }
        // The server was on all the time.
        try clocks.go(310)
        let before = contents(runner)[0]
        try wait("the key service renews", runner) { contents(runner)[0] != before }
        try clocks.go(310)
        let begin = EventFollower.clock()
        try loopback.startDevice("lamp", [])
        try loopback.events.wait(for: "lamp", ["joined"], since: begin, within: 120)
        #expect(log(runner, "lamp").contains("was renewed"))
        // By hand.
        try runner.must("srup-device", ["register", "--renew", "--state", runner.path("other")], as: "renew")
        #expect(runner.tail(of: "renew").contains("renewed"))
        try loopback.startDevice("other")
        try loopback.events.wait(for: "other", ["joined"], since: begin, within: 60)
        #expect(try runner.run("srup-device", ["register", "--state", runner.path("other")], as: "no-url") == 64)
    }

    @Test func theBrokerIsStartedAnewWithItsCertificateAndKeepsWhatWaits() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try loopback.startKeyService()
        try startBroker(loopback)
        for name in ["lamp", "other"] { try loopback.registerDevice(name, type: "lamp") }
        let id = loopback.identities["lamp"] ?? "?"
        func client(_ folder: String, _ arguments: [String]) -> [String] {
            let home = runner.path(folder)
            return [
                "-h", "localhost", "-p", "\(loopback.brokerPort)", "--cafile", home + "/ca.pem", "--cert",
                home + "/certificate.pem", "--key", home + "/access.pem", "-q", "1", "-t", "SRUP/\(id)",
            ] + arguments
        }
        func hear(_ role: String) throws -> String {
            try runner.run("mosquitto_sub", client("lamp", ["-i", "x", "-c", "-W", "2"]), as: role)
            return log(runner, role)
        }
        _ = try hear("first")
        try runner.must("mosquitto_pub", client("c2/server", ["-m", "waits"]), as: "publish")
        let old = try shown(loopback)
        // A certificate that does not fit its key is not taken, and the broker goes on.
        let path = runner.path("c2/broker.crt")
        let stranger = try String(contentsOfFile: runner.path("c2/https.crt"), encoding: .utf8)
        try stranger.write(toFile: path, atomically: true, encoding: .utf8)
        usleep(5_000_000)
        #expect(try shown(loopback) == old)
        // The same one over again, as a renewal would write it.
        try old.write(toFile: path, atomically: true, encoding: .utf8)
        // Not the line before it: then the old one may still answer.
        try wait("it is started anew", runner) { log(runner, "broker").contains("the broker was started anew") }
        try wait("it listens", runner) { try shown(loopback) == old }
        #expect(try hear("second").hasPrefix("waits\n"))
        // Killed, it leaves no broker behind that would hold the port.
        runner.kill9("broker")
        try wait("the port is free", runner) { !ProgramRunner.accepts(port: loopback.brokerPort) }
        try startBroker(loopback)
        runner.stop("broker")
        #expect(!ProgramRunner.accepts(port: loopback.brokerPort))
        #expect(try runner.run("srup-c2", ["broker", "--folder", runner.path("nothing")], as: "nothing") == 78)
    }
}
