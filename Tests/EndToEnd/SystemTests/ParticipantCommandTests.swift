import Foundation
import TestProcesses
import Testing

/// What `srup-observer` and `srup-device` say and do when something about registration, configuration or options is not as
/// it should be: exit codes are what units and scripts go by.
@Suite(.serialized) struct ParticipantCommandTests {
    /// Runs programs one after the other, each with a log of its own.
    private final class Bench {
        let runner: ProgramRunner
        private var count = 0

        init() throws { runner = try ProgramRunner() }
        deinit { runner.close() }

        func run(_ program: String, _ arguments: [String]) throws -> (code: Int32, said: String) {
            count += 1
            let code = try runner.run(program, arguments, as: "command-\(count)")
            return (code, try String(contentsOfFile: runner.path("log/command-\(count).log"), encoding: .utf8))
        }

        func observer(_ arguments: [String], _ configuration: String? = nil) throws -> (code: Int32, said: String) {
            if let configuration { try runner.write(configuration, to: "observer.toml") }
            return try run("srup-observer", arguments + ["--config", runner.path("observer.toml")])
        }
    }

    // MARK: Before anything is registered

    @Test func withoutAKeyServiceThereIsNothingToStartWith() throws {
        let bench = try Bench()
        let bare = "state = \"state\"\n"
        let check = try bench.observer(["register", "--check"], bare)
        #expect(check.code == 1 && check.said.contains("set registration.url in"))
        #expect(try bench.observer(["register", "--check", "--url", "https://localhost:1"]).code == 0)
        // A start that needs none is not stopped by it, a person is told.
        #expect(try bench.observer(["register", "--if-needed"]).code == 0)
        let told = try bench.observer(["register"])
        #expect(told.code == 78 && told.said.contains("which key service?"))
        // Of a configuration that is wrong the start itself speaks.
        #expect(try bench.observer(["register", "--check"], "state = 7\n").code == 0)
        #expect(try bench.observer(["register"], "state = 7\n").code == 78)
        #expect(
            try bench.observer(["register", "--check"], bare + "[registration]\nurl = \"https://localhost:1\"\n").code
                == 0)
        #expect(!FileManager.default.fileExists(atPath: bench.runner.path("state")))
    }

    @Test func statusAndRunOfWhatIsNotRegisteredSayWhatToDo() throws {
        let bench = try Bench()
        let status = try bench.observer(["status"], "state = \"state\"\n")
        #expect(status.code == 1 && status.said == "not registered (srup-observer register --help)\n")
        let json = try bench.observer(["status", "--json"])
        let report = try #require(
            try JSONSerialization.jsonObject(with: Data(json.said.utf8)) as? [String: Any], "\(json.said)")
        #expect(json.code == 1 && report["running"] as? Bool == false && report["joined"] as? Bool == false)
        #expect(report["identity"] == nil)
        let run = try bench.observer(["run"])
        #expect(run.code == 78 && run.said.contains("register"))
        // Nothing was made by looking.
        #expect(!FileManager.default.fileExists(atPath: bench.runner.path("state")))
        #expect(try bench.observer(["status"], "").code == 1)
    }

    @Test func eachOfSeveralObserversIsNamed() throws {
        let bench = try Bench()
        let several = """
            state = "state"
            [registration]
            url = "https://localhost:1"
            [[observer]]
            name = "door"
            [observer.camera]
            device = "folder:door"
            [[observer]]
            name = "gate"
            [observer.camera]
            device = "folder:gate"
            """
        let status = try bench.observer(["status"], several)
        #expect(status.code == 1)
        for name in ["door", "gate"] { #expect(status.said.contains("\(name): not registered"), "\(status.said)") }
        let stranger = try bench.observer(["register", "--observer", "window"])
        #expect(stranger.code == 78 && stranger.said.contains("there is no [[observer]] named \"window\""))
    }

    @Test func whereNobodyListensIsWorthAnotherTry() throws {
        let bench = try Bench()
        let port = try ProgramRunner.freePort()
        let registration = "state = \"state\"\n[registration]\nurl = \"https://localhost:\(port)\"\n"
        let observer = try bench.observer(["register"], registration)
        #expect(observer.code == 69 && observer.said.contains("localhost:\(port)"), "\(observer)")
        let device = try bench.run(
            "srup-device", ["register", "--url", "https://localhost:\(port)", "--state", bench.runner.path("device")])
        #expect(device.code == 69, "\(device)")
        // An authority's file that is not there is not.
        let absent = try bench.run(
            "srup-device",
            [
                "register", "--url", "https://localhost:\(port)", "--state", bench.runner.path("device"), "--ca",
                bench.runner.path("absent.crt"),
            ])
        #expect(absent.code == 1 && absent.said.contains("absent.crt"), "\(absent)")
        // No half of an identity stays behind.
        for name in ["state", "device"] {
            #expect(!FileManager.default.fileExists(atPath: bench.runner.path(name + "/identity.pem")), "\(name)")
        }
    }

    // MARK: Registered

    @Test func anIdentityIsReplacedAndRenewedOnlyWhenAskedTo() throws {
        let bench = try Bench()
        let loopback = try LoopbackNetwork(bench.runner)
        try loopback.prepare()
        try loopback.startKeyService()
        try loopback.registerObserver("observer", camera: "folder:pictures", settings: "")
        let first = try #require(loopback.identities["observer"])
        let config = ["--config", bench.runner.path("observer.toml")]
        func observer(_ arguments: [String]) throws -> (code: Int32, said: String) {
            try bench.run("srup-observer", arguments + config)
        }
        let key = bench.runner.path("observer/identity.pem")
        let before = try Data(contentsOf: URL(fileURLWithPath: key))
        let again = try observer(["register"])
        #expect(again.code == 78 && again.said.contains("--renew fetches a new certificate for it, --replace drops it"))
        #expect(try observer(["register", "--if-needed"]).said.isEmpty)
        #expect(try observer(["register", "--check"]).code == 0)
        let certificate = try Data(contentsOf: URL(fileURLWithPath: bench.runner.path("observer/certificate.pem")))
        #expect(try observer(["register", "--renew"]).said.hasSuffix("renewed\n"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: key)) == before)
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: bench.runner.path("observer/certificate.pem"))) != certificate)

        let status = try observer(["status"])
        #expect(
            status.code == 1 && status.said.contains("observer    \(first)\n") && status.said.contains("not joined"))
        #expect(status.said.contains("running     no (srup-observer run)"))

        let replaced = try observer(["register", "--replace"])
        #expect(replaced.code == 0 && !replaced.said.contains(first))
        #expect(try Data(contentsOf: URL(fileURLWithPath: key)) != before)
        let second = try #require(replaced.said.split(separator: " ").last.map { $0.filter { !$0.isNewline } })
        #expect(try observer(["status", "--json"]).said.contains("\"identity\":\"\(second)\""))
        // Both are registered: the first one has to be forgotten by whoever runs the server.
        let known = try bench.run("srup-c2", ["identities", "--folder", bench.runner.path("c2")]).said
        #expect(known.contains(first) && known.contains(second))
        // An authority's file that holds none is no reason to try again.
        for text in ["no certificate\n", "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            try bench.runner.write(text, to: "text.crt")
            let answer = try bench.run(
                "srup-device",
                [
                    "register", "--url", loopback.url, "--state", bench.runner.path("device"), "--ca",
                    bench.runner.path("text.crt"),
                ])
            #expect(answer.code == 1, "\(answer)")
        }
        // Where the key service has gone a renewal fails, and a service's start does not.
        bench.runner.stop("key-service")
        #expect(try observer(["register", "--renew"]).code == 69)
        #expect(try observer(["register", "--if-needed"]).code == 0)
    }

    // MARK: Options

    @Test func aDevicesOptionsAreCheckedBeforeAnythingIsDone() throws {
        let bench = try Bench()
        let state = ["--state", bench.runner.path("device")]
        let wrong: [([String], String)] = [
            (["register"], "--url is needed"), (["register", "--renew", "--url", "https://a"], "without --url"),
            (["register", "--renew", "--replace"], "--renew or --replace"),
            (["register", "--url", "https://a", "--server", "0x1"], "--server must be an identity"),
            (["run", "--observer", "ABC"], "--observer must be an identity"),
            (["run", "--server", ""], "--server"), (["run", "--retry", "0.5"], "at least 1 second"),
            (["run", "--patience", "nan"], "at least 1 second"), (["run", "--confirm", "-5"], "--confirm"),
            (["run", "--first-version", "6"], "--first-version must be 4 or 5"),
            (["run", "--first-version", "300"], "--first-version"), (["run", "--present", "smoke"], "smoke"),
            (["run", "--present", "png:"], "png:"),
            (["run", "--present", "words", "--present", "terminal"], "for people"),
            (["show"], "<value>"), (["show", "xyz"], "32 hexadecimal digits"),
            (["show", String(repeating: "0", count: 31)], "32 hexadecimal digits"),
            (["show", String(repeating: "0", count: 32), "--present", "hex:file:"], "hex:file:"),
        ]
        for (arguments, words) in wrong {
            let answer = try bench.run("srup-device", arguments + (arguments[0] == "show" ? [] : state))
            #expect(answer.code == 64 && answer.said.contains(words), "\(arguments): \(answer)")
        }
        #expect(!FileManager.default.fileExists(atPath: bench.runner.path("device")))
    }

    @Test func aValueIsShownAsADeviceShowsIt() throws {
        let bench = try Bench()
        let value = "00112233445566778899aabbccddeeff"
        let picture = bench.runner.path("nonce.png")
        #expect(try bench.run("srup-device", ["show", value, "--present", "png:\(picture)"]).code == 0)
        let found = try bench.run("srup-witness", ["scan", "--json", picture])
        #expect(found.code == 0 && found.said.lowercased().contains("\"value\":\"\(value)\""), "\(found)")
        // In words, which a terminal or a file gets.
        let text = bench.runner.path("words")
        #expect(
            try bench.run("srup-device", ["show", value.uppercased(), "--present", "words:file:\(text)"]).code == 0)
        let words = try String(contentsOfFile: text, encoding: .utf8).split(separator: "\n")
        #expect(words.count == 11)
        #expect(
            try bench.run("srup-device", ["show", value, "--present", "words"]).said.contains(
                words[0].split(separator: " ").last ?? "?"))
        // Where it cannot be shown that is said, and no file is half made.
        let nowhere = try bench.run(
            "srup-device", ["show", value, "--present", "png:\(bench.runner.path("none/x.png"))"])
        #expect(nowhere.code == 1 && nowhere.said.contains("none/x.png"), "\(nowhere)")
    }
}
