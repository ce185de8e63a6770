import Foundation
import Participant
import SRUP
import TestProcesses
import Testing

/// Actions, values and groups with the real programs and a real Mosquitto: the examples as they are, an observer, a liar.
@Suite(.serialized) struct CommandSystemTests {
    private struct Network {
        let runner: ProgramRunner
        let loopback: LoopbackNetwork
        private let count = Count()

        private final class Count {
            var value = 0
        }

        init() throws {
            runner = try ProgramRunner()
            loopback = try LoopbackNetwork(runner)
            try loopback.startServer(["--policy", "thing=simple", "--policy", "observer=trusted"])
            // As root commands are run by somebody else, who must get to them.
            if geteuid() == 0 { chmod(runner.folder, 0o711) }
        }

        func id(_ name: String) throws -> String { try #require(loopback.identities[name]) }

        /// What a command says, and its exit code.
        func c2(_ arguments: [String]) throws -> (code: Int32, output: String) {
            count.value += 1
            let role = "command-\(count.value)"
            let parts = arguments[0] == "group" ? 2 : 1
            let code = try runner.run(
                "srup-c2",
                arguments.prefix(parts) + ["--folder", runner.path("c2")] + arguments.dropFirst(parts), as: role)
            return (code, (try? String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)) ?? "")
        }

        /// A line of JSON of what a command says.
        func json(_ text: String) throws -> [String: Any] {
            let line = try #require(text.split(separator: "\n").first)
            return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }

        func wait(_ what: String, _ condition: () throws -> Bool) throws {
            let deadline = Date(timeIntervalSinceNow: 90)
            while try !condition() {
                guard Date() < deadline else { throw ProgramRunner.Failure(description: "waited in vain: \(what)") }
                usleep(50_000)
            }
        }

        /// A device that has joined, with an example's configuration: its paths are those of a copy in the runner's folder.
        func start(_ name: String, example: String) throws {
            let examples = #filePath.components(separatedBy: "/Tests/")[0] + "/examples"
            let copy = runner.path(name + ".d")
            try FileManager.default.copyItem(atPath: "\(examples)/\(example)", toPath: copy)
            if geteuid() == 0 { chmod(copy, 0o777) }
            var text = try String(contentsOfFile: copy + "/device.toml", encoding: .utf8)
            text = text.replacingOccurrences(of: "/usr/local/lib/srup-examples/\(example)", with: copy)
                .replacingOccurrences(of: "/run/srup-device", with: copy)
            if geteuid() == 0 { text = "user = \"nobody\"\n" + text }
            try text.write(toFile: copy + "/device.toml", atomically: true, encoding: .utf8)
            try loopback.registerDevice(name, type: "thing")
            let begin = EventFollower.clock()
            try loopback.startDevice(name, ["--config", copy + "/device.toml"])
            try loopback.events.wait(for: name, ["joined"], since: begin, within: 90)
        }

        func lamp(_ name: String) -> String {
            ((try? String(contentsOfFile: runner.path("\(name).d/lamp"), encoding: .utf8)) ?? "")
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }

    @Test func theSwitchDoesWhatItIsToldTo() throws {
        let network = try Network()
        defer { network.runner.close() }
        try network.start("switch", example: "switch")
        let id = try network.id("switch")

        let on = try network.c2(["action", id, "1", "--wait", "60"])
        #expect(on.code == 0 && on.output.contains("\(id)  done"), "\(on.output)")
        #expect(network.lamp("switch") == "100")
        // By its name, too, which it has told.
        try network.wait("its names") { try network.c2(["action", id, "off", "--wait", "60"]).code == 0 }
        #expect(network.lamp("switch") == "0")
        // Its state came as a value, by the type that it has told.
        let state = try network.json(try network.c2(["values", id, "state", "--last", "1", "--json"]).output)
        #expect(state["text"] as? String == "off" && state["type"] as? String == "string")

        let unknown = try network.c2(["action", id, "9", "--wait", "60", "--json"])
        #expect(unknown.code == 1)
        #expect(try network.json(unknown.output)["status"] as? String == "ACTION_UNKNOWN")
        #expect(try network.c2(["action", id, "nonsense"]).code == 1)

        // Values, of the right type and of others.
        #expect(try network.c2(["data", id, "brightness", "40"]).code == 0)
        try network.wait("the brightness") { network.lamp("switch") == "40" }
        let tooLarge = try network.c2(["data", id, "brightness", "400"])
        #expect(tooLarge.code == 1 && tooLarge.output.contains("is no int8"), "\(tooLarge.output)")
        for arguments in [["brightness", "40", "--type", "int32"], ["nonsense", "1"]] {
            let refused = try network.c2(["data", id] + arguments + ["--wait", "60"])
            #expect(refused.code == 1 && refused.output.contains("does not take this value"), "\(refused.output)")
        }
        #expect(network.lamp("switch") == "40")

        let told = try network.c2(["identify", id, "--wait", "60", "--json"])
        let identity = try network.json(told.output)
        #expect((identity["program"] as? String)?.hasPrefix("srup-device ") == true)
        #expect(identity["actions"] as? [String: String] == ["1": "on", "2": "off"])
        #expect(identity["takes"] as? [String: String] == ["brightness": "int8"])

        // All of it is in the list and in the audit.
        let list = try network.c2(["commands", id, "--last", "100"])
        #expect(list.output.contains("action 9: knows no such action") && list.output.contains("identify"))
        let audit = try network.c2(["audit", "--about", id])
        #expect(audit.output.contains("answered: \(id): ACTION_UNKNOWN to action 9"))
        // Who does not belong, and who is nobody.
        #expect(try network.c2(["action", "1", "1"]).code == 1)
        #expect(try network.c2(["action", id, "1", "--wait", "-1"]).code != 0)
    }

    @Test func theThermometerMeasuresByItselfAndWhenItIsToldTo() throws {
        let network = try Network()
        defer { network.runner.close() }
        try network.runner.write("21437\n", to: "sensor")
        try network.start("thermometer", example: "thermometer")
        let id = try network.id("thermometer")
        // Without its program an action fails, at once.
        let alone = try network.c2(["action", id, "1", "--wait", "60"])
        #expect(alone.code == 1 && alone.output.contains("failed"), "\(alone.output)")
        try network.runner.start(
            "/usr/bin/python3",
            [
                network.runner.path("thermometer.d/thermometer.py"), "--socket",
                network.runner.path("thermometer.d/agent.sock"), "--sensor", network.runner.path("sensor"),
            ], as: "program")
        func last() throws -> [String: Any]? {
            let text = try network.c2(["values", id, "temperature", "--last", "1", "--json"]).output
            return text.isEmpty ? nil : try network.json(text)
        }
        try network.wait("a temperature") { try last()?["text"] as? String == "21.437" }
        try network.runner.write("-3500\n", to: "sensor")
        let measured = try network.c2(["action", id, "measure", "--wait", "60"])
        #expect(measured.code == 0, "\(measured.output)")
        #expect(try last()?["text"] as? String == "-3.5" && last()?["type"] as? String == "float64")
        // A sensor that is broken is a failure, and the program lives on.
        try network.runner.write("warm\n", to: "sensor")
        #expect(try network.c2(["action", id, "measure", "--wait", "60"]).code == 1)
        try network.runner.write("5000\n", to: "sensor")
        try network.wait("it is well again") { try network.c2(["action", id, "measure", "--wait", "60"]).code == 0 }
        #expect(try last()?["text"] as? String == "5.0")
        // Another program beside it.
        let path = network.runner.path("thermometer.d/agent.sock")
        try network.runner.must("srup-device", ["send", "temperature", "7.25", "--socket", path], as: "send")
        try network.wait("its value") { try last()?["text"] as? String == "7.25" }
        #expect(
            try network.runner.run("srup-device", ["send", "temperature", "warm", "--socket", path], as: "send") == 1)
        #expect(try network.runner.run("srup-device", ["send", "x", "1", "--socket", path + "x"], as: "send") == 69)
        // Both are stopped in good order.
        #expect(network.runner.end("thermometer", SIGTERM, within: 60) == 0)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func oneMessageReachesAGroupAndNobodyElse() throws {
        let network = try Network()
        defer { network.runner.close() }
        let names = ["one", "two", "three"]
        for name in names { try network.start(name, example: "switch") }
        let ids = try names.map { try network.id($0) }
        try network.loopback.startListening()
        let log = network.runner.path("log/listen.log")
        func heard() -> Int {
            let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
            return text.split(separator: "\n").count { $0.contains("SRUP/groups/lamps") }
        }
        // Until the listener is there, and the devices have entered.
        let begin = EventFollower.clock()
        #expect(try network.c2(["group", "add", "lamps", ids[0], ids[1]]).code == 0)
        for name in names.prefix(2) {
            try network.loopback.events.wait(for: name, ["group-entered"], since: begin, within: 60)
        }
        try network.wait("all have done it") {
            try network.c2(["group", "action", "lamps", "1", "--wait", "5"]).code == 0 && heard() > 0
        }
        let before = heard()
        let off = try network.c2(["group", "action", "lamps", "2", "--wait", "60", "--json"])
        #expect(off.code == 0 && off.output.split(separator: "\n").count == 2, "\(off.output)")
        #expect(names.map(network.lamp) == ["0", "0", ""])
        try network.wait("the listener") { heard() == before + 1 }
        #expect(try network.c2(["group", "data", "lamps", "brightness", "30", "--type", "int8"]).code == 0)
        try network.wait("the brightness") { names.map(network.lamp) == ["30", "30", ""] }
        let list = try network.c2(["group", "list"]).output
        #expect(
            list
                == "lamps  \(ids.prefix(2).sorted { UInt64($0, radix: 16) ?? 0 < UInt64($1, radix: 16) ?? 0 }.joined(separator: " "))\n"
        )
        // After a restart of everything it is as before.
        network.runner.stop("c2")
        network.runner.stop("broker")
        try network.loopback.startBroker()
        try network.loopback.startC2(["--policy", "thing=simple"])
        try network.wait("both have done it") {
            try network.c2(["group", "action", "lamps", "1", "--wait", "10"]).code == 0
        }
        // One is out.
        #expect(try network.c2(["group", "remove", "lamps", ids[0]]).code == 0)
        try network.loopback.events.wait(for: "one", ["group-left"], within: 60)
        #expect(try network.c2(["group", "action", "lamps", "2", "--wait", "60"]).code == 0)
        #expect(names.map(network.lamp) == ["100", "0", ""])
        // Names that are none, groups that are none, and the end of this one.
        for name in ["#", "+", "a/b", "Lamps", ""] {
            #expect(try network.c2(["group", "add", name, ids[0]]).code != 0)
        }
        #expect(try network.c2(["group", "destroy", "lamps"]).code == 0)
        #expect(try network.c2(["group", "action", "lamps", "2"]).code == 1)
        #expect(try network.c2(["group", "list"]).output.isEmpty)
    }

    @Test func anObserverDoesWhatItIsToldTo() throws {
        let network = try Network()
        defer { network.runner.close() }
        try FileManager.default.createDirectory(
            atPath: network.runner.path("pictures"), withIntermediateDirectories: true)
        try network.loopback.bringObserver(
            camera: "folder:\(network.runner.path("pictures"))", settings: LoopbackNetwork.quick)
        let id = try network.id("observer")
        try network.wait("its names") { try network.c2(["action", id, "report-status", "--wait", "60"]).code == 0 }
        let status = try network.json(
            try network.c2(["values", id, "OBSERVER_STATUS", "--last", "1", "--json"]).output)
        let text = try #require(status["text"] as? String)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect((object["program"] as? String)?.hasPrefix("srup-observer ") == true && object["eyes"] != nil)
        // Whoever shows its state hears that it is looked for.
        let signal = network.runner.path("observer/signal.sock")
        let words = SignalWords(signal)
        #expect(try network.c2(["action", id, "locate", "--wait", "60"]).code == 0)
        #expect(words.wait(for: "locate", within: 30))
        // Its camera's witness is another process afterwards.
        let observer = try #require(network.runner.processIdentifier("observer"))
        func witness() -> Set<Int32> {
            Set(
                ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { name in
                    guard let process = Int32(name),
                        let status = try? String(contentsOfFile: "/proc/\(name)/status", encoding: .utf8),
                        status.contains("\nPPid:\t\(observer)\n"), status.contains("Name:\tsrup-witness")
                    else { return nil }
                    return process
                })
        }
        try network.wait("its witness") { witness().count == 1 }
        let before = witness()
        #expect(try network.c2(["action", id, "restart-camera", "--wait", "60"]).code == 0)
        try network.wait("another witness") { witness().count == 1 && witness().isDisjoint(with: before) }
        #expect(try network.c2(["action", id, "restart-reader", "--wait", "60"]).code == 1, "it has none")
        #expect(try network.c2(["action", id, "77", "--wait", "60"]).code == 1)
    }

    /// The lines of an observer's signal socket.
    private final class SignalWords: @unchecked Sendable {
        // Changed under the lock only.
        private let lock = NSLock()
        private var text = ""

        init(_ path: String) {
            Thread.detachNewThread { [weak self] in
                let tool = Process()
                tool.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
                tool.arguments = [
                    "-uc",
                    "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\ns.settimeout(60)\n"
                        + "while True:\n d=s.recv(100)\n if not d: break\n sys.stdout.buffer.write(d); sys.stdout.flush()",
                    path,
                ]
                let pipe = Pipe()
                tool.standardOutput = pipe
                try? tool.run()
                while true {
                    let data = pipe.fileHandleForReading.availableData
                    guard !data.isEmpty, let self else { break }
                    self.lock.withLock { self.text += String(decoding: data, as: UTF8.self) }
                }
                tool.terminate()
            }
            // Until it has connected, and was told the present word.
            _ = wait(for: "", within: 30)
        }

        func wait(for word: String, within seconds: Double) -> Bool {
            let deadline = Date(timeIntervalSinceNow: seconds)
            while Date() < deadline {
                let text = lock.withLock { self.text }
                if word.isEmpty ? !text.isEmpty : text.split(separator: "\n").contains(Substring(word)) { return true }
                usleep(20_000)
            }
            return false
        }
    }

    @Test func aMemberThatFloodsWithValuesCostsTheOthersNothing() async throws {
        let network = try Network()
        defer { network.runner.close() }
        try network.start("switch", example: "switch")
        try network.loopback.registerDevice("liar", type: "thing")
        let begin = EventFollower.clock()
        try network.loopback.startDevice("liar")
        try network.loopback.events.wait(for: "liar", ["joined"], since: begin, within: 90)
        network.runner.stop("liar")
        let liar = try Liar(network.runner.path("liar"))
        let (id, honest) = (try network.id("liar"), try network.id("switch"))
        let server = try #require(liar.identity.server)
        let topic = Topic.member(liar.identity.id)
        // As large as a message can be, a name that is none, and then one that is well.
        let large = 65_535 - 400
        for (name, value) in [
            ("large", Array(repeating: 65, count: large)), (String(repeating: "n", count: 300), [1]),
            ("small", [1, 2]),
        ] as [(String, [UInt8])] {
            try liar.participant.send(
                .data(id: Array(name.utf8), value: value), to: server, on: topic, token: .random())
        }
        try network.wait("the small one") {
            try network.c2(["values", id]).output.contains("small = 0x0102")
        }
        #expect(try !network.c2(["values", id]).output.contains("large"))
        // Answers to what was never asked, and actions for the server, by the hundred.
        for number in 0..<300 {
            try liar.participant.send(
                number % 2 == 0 ? .response(.actionSuccess) : .action(1), to: server, on: topic, token: .random())
        }
        let answer = try network.c2(["action", honest, "1", "--wait", "60"])
        #expect(answer.code == 0, "\(answer.output)")
        #expect(network.lamp("switch") == "100")
        await liar.stop()
    }
}
