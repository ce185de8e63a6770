import Foundation
import TestProcesses
import Testing

/// What an operator's commands say and do on a folder where no server runs, with right and with wrong arguments.
@Suite(.serialized) struct ServerCommandTests {
    @Test(arguments: [
        (["--host", ""], "--host must be"), (["--host", "a b"], "--host must be"),
        (["--host=-a"], "--host must be"),
        (["--host", "localhost", "--host", "http://x"], "--host must be"), ([], "--host"),
        (["--host", "localhost", "--bind", "localhost:80"], "--bind must be"),
        (["--host", "localhost", "--bind", "[::1"], "--bind must be"),
        (["--host", "localhost", "--broker-port", "0"], "ports are from 1 to 65535"),
        (["--host", "localhost", "--key-service-port", "65536"], "ports are from 1 to 65535"),
        (["--host", "localhost", "--broker-port", "8443"], "no two ports may be the same"),
        (["--host", "localhost", "--broker-port", "mqtt"], "--broker-port"),
        (["--host", "localhost", "--pages-port", "8883"], "no two ports may be the same"),
        (["--host", "localhost", "--broker", "emqx"], "--broker"),
        (["--host", "localhost", "--broker", "rabbitmq", "--control-port", "8883"], "no two ports may be the same"),
        (["--host", "localhost", "--broker", "rabbitmq", "--answers-port", "0"], "ports are from 1 to 65535"),
        (["--host", "localhost", "--rabbitmq-program", "rabbitmq-server"], "must begin with /"),
    ])
    func aFolderIsNotMadeFromWrongArguments(_ arguments: [String], _ words: String) throws {
        let bench = try CommandBench(isMade: false)
        let answer = try bench.c2(["init"] + arguments)
        #expect(answer.code == 64 && answer.said.contains(words), "\(answer)")
        #expect(!bench.exists("c2"))
    }

    @Test func aFolderIsMadeOnceWithPrivateKeysThatAreItsOwnersAlone() throws {
        let bench = try CommandBench()
        for name in [
            "ca.key", "https.key", "broker.key", "server/identity.pem", "server/access.pem", "key-service.db",
            "c2.toml", "monitor/access.pem",
        ] {
            #expect(bench.mode("c2/" + name) == 0o600, "\(name)")
        }
        for name in ["c2", "c2/server", "c2/broker-data", "c2/monitor"] {
            #expect(bench.mode(name) == 0o700, "\(name)")
        }
        for name in ["ca.crt", "https.crt", "broker.crt"] { #expect(bench.mode("c2/" + name) == 0o644, "\(name)") }
        let key = try Data(contentsOf: URL(fileURLWithPath: bench.runner.path("c2/ca.key")))
        let again = try bench.c2(["init", "--host", "localhost"])
        #expect(again.code == 1 && again.said.contains("has been initialised already"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: bench.runner.path("c2/ca.key"))) == key)
        #expect(try bench.c2(["check"]).said.hasPrefix("observer: come in when the operator has named their identity"))
    }

    @Test func aFolderForRabbitMQIsForRabbitMQAlone() throws {
        let bench = try CommandBench(isMade: false)
        let program = bench.runner.path("rabbitmq_server-3.10.8/sbin/rabbitmq-server")
        #expect(
            try bench.c2([
                "init", "--host", "localhost", "--bind", "127.0.0.1", "--broker", "rabbitmq", "--rabbitmq-program",
                program,
            ]).code == 0)
        #expect(!bench.exists("c2/mosquitto.conf"))
        for name in [
            "rabbitmq.conf", "rabbitmq-definitions.json", "rabbitmq-answers.secret", "rabbitmq-control.secret",
        ] { #expect(bench.mode("c2/" + name) == 0o600, "\(name)") }
        #expect(try !bench.c2(["check"]).said.contains("warning: /"))
        #expect(try bench.c2(["upgrade"]).said.contains("all is up to date"))
        // A backup has it all, and elsewhere it names its own files.
        let (archive, elsewhere) = (bench.runner.path("x.tar"), bench.runner.path("elsewhere"))
        #expect(try bench.c2(["backup", archive]).code == 0)
        #expect(try bench.runner.run("srup-c2", ["restore", archive, "--folder", elsewhere], as: "restore") == 0)
        let restored = try String(contentsOfFile: elsewhere + "/rabbitmq.conf", encoding: .utf8)
        #expect(restored.contains("= \(elsewhere)/ca.crt") && !restored.contains(bench.runner.path("c2/")))
        #expect(try bench.runner.run("srup-c2", ["check", "--folder", elsewhere], as: "check") == 0)
        #expect(!bench.runner.tail(of: "check").contains("warning: /"))
        let absent = try bench.c2(["broker"])
        #expect(absent.code == 69 && absent.said.contains("RabbitMQ is not installed"))
        try FileManager.default.createDirectory(
            atPath: bench.runner.path("rabbitmq_server-3.10.8/sbin"), withIntermediateDirectories: true)
        try "#!/bin/sh\nsleep 60\n".write(toFile: program, atomically: true, encoding: .utf8)
        chmod(program, 0o755)
        let old = try bench.c2(["broker"])
        #expect(old.code == 69 && old.said.contains("RabbitMQ 3.10.8 is too old"))
        let doctor = try bench.c2(["doctor"])
        #expect(doctor.code == 1 && doctor.said.contains("RabbitMQ 3.10.8 is too old"))
        #expect(doctor.said.contains("rabbitmq.conf and what it names are up to date"))

        // Where a line lets others in, it is found.
        let path = bench.runner.path("c2/rabbitmq.conf")
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try text.replacingOccurrences(of: "listeners.tcp = none\n", with: "").write(
            toFile: path, atomically: true, encoding: .utf8)
        #expect(try bench.c2(["check"]).said.contains("is missing, or not as it must be"))
        #expect(try bench.c2(["upgrade"]).said.contains("now restart the broker"))

        // Mosquitto's folder is not RabbitMQ's.
        let other = try CommandBench()
        let settings = other.runner.path("c2/c2.toml")
        let toml = try String(contentsOfFile: settings, encoding: .utf8)
        #expect(toml.contains("engine = \"mosquitto\""))
        try toml.replacingOccurrences(of: "engine = \"mosquitto\"", with: "engine = \"rabbitmq\"").write(
            toFile: settings, atomically: true, encoding: .utf8)
        let wrong = try other.c2(["broker"])
        #expect(wrong.code == 78 && wrong.said.contains("srup-c2 init --broker rabbitmq"))
        try toml.replacingOccurrences(of: "engine = \"mosquitto\"", with: "engine = \"emqx\"").write(
            toFile: settings, atomically: true, encoding: .utf8)
        #expect(try other.c2(["broker"]).code == 78)
    }

    @Test func aFolderThatWasHalfMadeIsMadeAnew() throws {
        let bench = try CommandBench()
        // The last file that is written is the one by which a folder counts as made.
        for name in ["c2.toml", "mosquitto.conf", "key-service.db", "server/certificate.pem"] {
            try FileManager.default.removeItem(atPath: bench.runner.path("c2/" + name))
        }
        for command in [
            ["check"], ["backup", bench.runner.path("x.tar")], ["doctor"], ["upgrade"], ["key-service"], ["run"],
        ] {
            #expect(try bench.c2(command).code == 78, "\(command)")
        }
        #expect(try bench.c2(["init", "--host", "localhost", "--bind", "127.0.0.1"]).code == 0)
        #expect(try bench.c2(["check"]).code == 0)
        let doctor = try bench.c2(["doctor", "--json"]).said
        for name in ["certificates", "broker's files", "folder", "key-service.db"] {
            #expect(doctor.contains("{\"name\":\"\(name)\",\"says\":"), "\(name)")
        }
        #expect(!doctor.contains("\"name\":\"key-service.db\",\"says\":\"it is damaged"))
    }

    @Test func inAFolderThatOthersMayWriteInNothingIsMade() throws {
        let bench = try CommandBench(isMade: false)
        try FileManager.default.createDirectory(atPath: bench.folder, withIntermediateDirectories: false)
        chmod(bench.folder, 0o777)
        for command in ["init", "up"] {
            let answer = try bench.c2([command, "--host", "localhost"])
            #expect(answer.code != 0 && answer.said.contains("others could exchange the keys"), "\(command): \(answer)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.folder).isEmpty)
    }

    // MARK: Trust, removal, identities

    @Test func trustIsGivenListedAndTakenBack() throws {
        let bench = try CommandBench()
        #expect(try bench.c2(["trust"]).said.isEmpty)
        for identity in ["b9d077e223834cf6", "1", "ffffffffffffffff"] {
            let answer = try bench.c2(["trust", identity])
            #expect(answer.code == 0 && answer.said == "\(identity) may come in as an observer and vouch for devices\n")
        }
        // Twice is once.
        #expect(try bench.c2(["trust", "1"]).code == 0)
        func trusted() throws -> Set<Substring> { Set(try bench.c2(["trust"]).said.split(separator: "\n")) }
        #expect(try trusted() == ["b9d077e223834cf6", "1", "ffffffffffffffff"])
        #expect(try bench.c2(["trust", "--remove", "1"]).said == "1 may not vouch any more\n")
        // Who is put out is trusted no more: that is for the server to do, and it does not run.
        #expect(try bench.c2(["remove", "b9d077e223834cf6"]).said == "b9d077e223834cf6 is put out\n")
        #expect(try !trusted().contains("1"))
    }

    @Test func whatIsNoIdentityIsRefusedEverywhere() throws {
        let bench = try CommandBench()
        let texts = ["", "0x1", "B9D077E223834CF6", "g", "01", "12345678901234567", "-1", " 1", "1 ", "*", "0"]
        for text in texts {
            #expect(try bench.c2(["trust", "--", text]).code == 64, "\(text)")
        }
        for command in ["remove", "approve", "refuse", "forget"] {
            #expect(try bench.c2([command, "--", "01"]).code == 64, "\(command)")
        }
        #expect(try bench.c2(["audit", "--about=01"]).code == 64)
        #expect(try bench.c2(["trust"]).said.isEmpty)
    }

    @Test func identitiesAreListedAndForgotten() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try loopback.startKeyService()
        for name in ["lamp", "lock"] { try loopback.registerDevice(name, type: name) }
        runner.stop("key-service")
        let (lamp, lock) = (try #require(loopback.identities["lamp"]), try #require(loopback.identities["lock"]))
        var count = 0
        func c2(_ arguments: [String]) throws -> (code: Int32, said: String) {
            count += 1
            let code = try runner.run("srup-c2", arguments + ["--folder", runner.path("c2")], as: "c2-\(count)")
            return (code, try String(contentsOfFile: runner.path("log/c2-\(count).log"), encoding: .utf8))
        }
        let listed = try c2(["identities"]).said.split(separator: "\n")
        #expect(listed.count == 3)
        #expect(
            listed.contains { $0.hasPrefix("\(lamp)  lamp  registered 2") && $0.contains("never joined, certified 2") })
        #expect(listed.contains { $0.hasSuffix("  server") })
        #expect(try c2(["identities", "--never-joined"]).said.split(separator: "\n").count == 2)

        // Wrong arguments forget nobody.
        for arguments in [
            [], [lamp, "--never-joined"], [lamp, "--older-than", "1d"], ["--never-joined", "--older-than", "soon"],
        ] {
            #expect(try c2(["forget"] + arguments).code == 64, "\(arguments)")
        }
        #expect(try c2(["forget", "--never-joined", "--older-than", "1h"]).said == "forgot 0 identities\n")
        // One that is there, one that is not, and the server's own.
        let server = try #require(
            listed.first { $0.hasSuffix("  server") }?.split(separator: " ").first.map(String.init))
        let mixed = try c2(["forget", lamp, "12ab", server])
        #expect(mixed.code == 1 && mixed.said.contains("forgot \(lamp)"))
        for id in ["12ab", server] { #expect(mixed.said.contains("error: \(id) is not registered, or is a server")) }
        #expect(try c2(["forget", "--never-joined"]).said == "forgot 1 identities\n")
        let left = try c2(["identities"]).said
        #expect(!left.contains(lamp) && !left.contains(lock) && left.contains(server))
        // Whoever is forgotten gets no certificate any more.
        try loopback.startKeyService()
        #expect(
            try runner.run("srup-device", ["register", "--renew", "--state", runner.path("lamp")], as: "renew") == 1)
    }

    // MARK: What a wrong configuration and a missing server say

    @Test func everyCommandThatReadsTheConfigurationNamesWhatIsWrong() throws {
        let bench = try CommandBench()
        let configurations = [
            ("host = \"localhost\"\n[policy]\nlamp = \"open\"\n", "c2.toml:3: policy.lamp: must be one of \"simple\""),
            ("host = \"localhost\"\n[policy]\n\"a\\tb\" = \"simple\"\n", "no device can have this type"),
            ("[key_service]\nport = 1\n", "host: is missing"),
            ("host = \"a b\"\n", "c2.toml:1: host: must be a host name"),
            ("host = \"a\"\nbind = \"eth0\"\n", "c2.toml:2: bind: must be an address"),
            ("host = \"a\"\n[broker]\nport = 8443\n", "broker.port: must not be that of the key service, 8443"),
            ("host = \"a\"\n[limits]\njoins = 0\n", "limits.joins: must be a whole number from 1 to 100000"),
            ("host = \"a\"\n[observation]\ntries = 21\n", "observation.tries: must be a whole number from 1 to 20"),
            ("host = \"a\"\nlog = \"loud\"\n", "log: must be one of \"debug\""),
            ("host = \"a\"\npolicy = \"simple\"\n", "c2.toml:2: policy: must be a table"), ("host = 'a", "not TOML"),
            ("", "host: is missing"),
        ]
        for (index, (text, words)) in configurations.enumerated() {
            try bench.runner.write(text, to: "c2/c2.toml")
            let commands = index == 0 ? ["check", "run", "key-service", "upgrade", "doctor", "up"] : ["check"]
            for command in commands {
                let answer = try bench.c2([command])
                #expect(answer.code == 78 && answer.said.contains(words), "\(command): \(answer)")
            }
        }
    }

    @Test func policiesOfTheCommandLineMustBeSome() throws {
        let bench = try CommandBench()
        for policy in ["lamp", "=simple", "lamp=Simple", ""] {
            #expect(try bench.c2(["run", "--policy", policy]).code == 64, "\(policy)")
        }
        for option in [
            ["--tries", "0"], ["--tries", "21"], ["--observation-timeout", "0.5"], ["--observation-timeout", "nan"],
        ] {
            #expect(try bench.c2(["run"] + option).code == 64, "\(option)")
        }
    }

    @Test func withoutAServerThoseWhoAskItSaySo() throws {
        let bench = try CommandBench()
        for command in [["waiting"], ["waiting", "--json"], ["approve", "1", "--compared"], ["refuse", "1"]] {
            let answer = try bench.c2(command)
            #expect(answer.code == 1 && answer.said.contains("no server answers"), "\(command): \(answer)")
        }
        #expect(try bench.c2(["approve", "1", "--words", "abc", "def"]).code == 64)
        #expect(try bench.c2(["approve", "1", "--compared", "--words", "abc", "def", "ghi"]).code == 64)
        #expect(try bench.c2(["waiting", "--show", "smoke"]).code == 64)
        // Something else that listens there is no server.
        try bench.runner.write("", to: "c2/server/commands.sock")
        #expect(try bench.c2(["waiting"]).code == 1)
        for last in ["0", "-1", "10001", "all"] {
            #expect(try bench.c2(["audit", "--last=\(last)"]).code == 64, "\(last)")
        }
        #expect(try bench.c2(["audit"]).code == 0)
        #expect(try bench.c2(["devices"]).said.isEmpty)
    }

    @Test func aServersTokenIsMadeForAPublicKeyAlone() throws {
        let bench = try CommandBench()
        let pem = bench.runner.path("key.pem")
        try bench.runner.must("/usr/bin/openssl", ["genrsa", "-out", pem, "2048"], as: "genrsa")
        try bench.runner.must("/usr/bin/openssl", ["rsa", "-in", pem, "-pubout", "-out", pem + ".pub"], as: "rsa")
        let token = try bench.c2(["server-token", pem + ".pub"])
        #expect(token.code == 0 && Data(base64Encoded: token.said.filter { !$0.isNewline })?.count == 256, "\(token)")
        // A private key, another kind of file and none at all.
        for (file, words) in [
            (pem, "key.pem"), (bench.runner.path("c2/c2.toml"), "c2.toml"), (pem + ".absent", "cannot be read"),
        ] {
            let answer = try bench.c2(["server-token", file])
            #expect(answer.code == 1 && answer.said.contains(words), "\(file): \(answer)")
            #expect(!answer.said.contains("PRIVATE"))
        }
        #expect(try bench.c2(["server-token", pem + ".pub"], in: bench.runner.path("none")).code == 78)
    }

    // MARK: All of it as one

    @Test func oneCommandMakesTheFolderAndPassesOnWhatIsReadAgain() throws {
        let bench = try CommandBench(isMade: false)
        // Made by a first start, with this machine's own ports taken into account.
        let (broker, keys) = (try ProgramRunner.freePort(), try ProgramRunner.freePort())
        try bench.runner.must(
            "srup-c2",
            [
                "init", "--folder", bench.folder, "--host", "localhost", "--bind", "127.0.0.1", "--broker-port",
                "\(broker)", "--key-service-port", "\(keys)", "--pages-port", "\(try ProgramRunner.freePort())",
            ], as: "init")
        try bench.runner.start(
            "/usr/bin/setsid", ["--wait", bench.runner.binaries + "/srup-c2", "up", "--folder", bench.folder], as: "up")
        func log() -> String { (try? String(contentsOfFile: bench.runner.path("log/up.log"), encoding: .utf8)) ?? "" }
        func wait(_ what: String, _ condition: () -> Bool) throws {
            let deadline = Date(timeIntervalSinceNow: 90)
            while !condition() {
                guard Date() < deadline else {
                    throw ProgramRunner.Failure(description: "waited in vain: \(what)\n\(log())")
                }
                usleep(50_000)
            }
        }
        try wait("the address") { log().contains("The network is up") }
        try wait("the key service") { ProgramRunner.accepts(port: keys) }
        let setsid = try #require(bench.runner.processIdentifier("up"))
        let up = try #require(
            try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }.first {
                (try? String(contentsOfFile: "/proc/\($0)/status", encoding: .utf8))?.contains("\nPPid:\t\(setsid)\n")
                    == true
            })
        // A wrong configuration changes nothing, and a right one is read by both who read it.
        let toml = try String(contentsOfFile: bench.runner.path("c2/c2.toml"), encoding: .utf8)
        try bench.runner.write(toml + "\nnonsense = 1\n", to: "c2/c2.toml")
        kill(up, SIGHUP)
        try wait("two refusals") { log().components(separatedBy: "the earlier one stays in use").count == 3 }
        try bench.runner.write(toml.replacingOccurrences(of: "open = true ", with: "open = false"), to: "c2/c2.toml")
        kill(up, SIGHUP)
        try wait("both to read it") { log().components(separatedBy: "c2.toml again:").count == 3 }
        #expect(
            try bench.runner.run(
                "srup-device",
                [
                    "register", "--url", "https://localhost:\(keys)", "--ca", bench.runner.path("c2/ca.crt"), "--state",
                    bench.runner.path("device"),
                ],
                as: "device") != 0)
        kill(up, SIGTERM)
        try wait("the end") { !ProgramRunner.accepts(port: keys) && !ProgramRunner.accepts(port: broker) }
        try wait("the program's end") { !bench.runner.isRunning("up") }
    }
}
