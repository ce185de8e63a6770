import Foundation
import TestProcesses
import Testing

/// What is wrong in a configuration is named when it is loaded, by every program that loads it: file, line, key, and what is
/// allowed.
@Suite struct ConfigurationTests {
    private func log(_ role: String, _ runner: ProgramRunner) throws -> String {
        try String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)
    }

    @Test(
        arguments: [
            ("[camera]\ndevice = \"video0\"", 2, "camera.device", "folder:DIR"),
            ("[camera]\ndevice = \"usb:46d:825\"", 2, "camera.device", "usb:VVVV:PPPP"),
            ("[nfc]\ndevice = \"/dev/ttyUSB0\"", 2, "nfc.device", "pn532_uart:/dev/ttyUSB0"),
            ("[registration]\nurl = \"http://c2.example.net\"", 2, "registration.url", "https:// and a host"),
            ("[registration]\nurl = \"https://c2.example.net:99999\"", 2, "registration.url", "with its port"),
            ("[registration]\nurl = \"https://::1:8443\"", 2, "registration.url", "https:// and a host"),
            ("[registration]\ntype = \" observer\"", 2, "registration.type", "printable ASCII"),
            ("[registration]\nca = \"a\\u0007b\"", 2, "registration.ca", "without control characters"),
            ("[server]\nid = \"B9D0\"", 2, "server.id", "lower-case hexadecimal"),
            ("[server]\nid = \"00ff\"", 2, "server.id", "without leading zeros"),
            ("[server]\nid = \"0\"", 2, "server.id", "lower-case hexadecimal"),
            ("[camera]\ndevice = \"usb::046d:0825\"", 2, "camera.device", "usb:VVVV:PPPP"),
            ("[signal]\nled = \"gpio17\"", 2, "signal.led", "gpio:17"),
            ("[signal]\nled = \"Auto\"", 2, "signal.led", "auto, none"),
            ("[signal]\nled = \"a b\"", 2, "signal.led", "/sys/class/leds"),
            ("[signal]\nbuzzer = \"auto\"", 2, "signal.buzzer", "gpio:27"),
            (
                "[[observer]]\nname = \"a\"\nurl = \"c2\"\n[observer.camera]\n", 3, "observer[0].url",
                "https:// and a host"
            ),
            ("[[observer]]\nname = \"a\"\nserver = \"x\"\n[observer.camera]\n", 3, "observer[0].server", "hexadecimal"),
            (
                "[[observer]]\nname = \"a\"\n[observer.camera]\ndevice = \"x\"\n", 4, "observer[0].camera.device",
                "fifo:PATH"
            ),
            ("[observe]\ntimeout = -9223372036854775808", 2, "observe.timeout", "must be a time from"),
            ("\n[nonsense]", 2, "nonsense", "no such table"),
            ("\"camera.device\" = \"a\"\n[camera]", 1, "\"camera.device\"", "no such key"),
            ("state = \"/tmp/\\u0000x\"", 1, "state", "NUL"), ("[(d]", 1, "not TOML", "table's name"),
            ("[appliance]\ntime_server = \"[::1]\"", 2, "appliance.time_server", "without brackets"),
        ] as [(String, Int, String, String)])
    func aWrongValueIsNamedByEveryProgram(_ text: String, _ line: Int, _ key: String, _ words: String) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let file = runner.path("observer.toml")
        try runner.write(text, to: "observer.toml")
        for command in [["status"], ["doctor", "--offline"], ["run"], ["signal"]] {
            let code = try runner.run("srup-observer", command + ["--config", file], as: command[0])
            let said = try log(command[0], runner)
            #expect(code == 78, "\(command): \(said)")
            #expect(said.contains("\(file):\(line): \(key)") && said.contains(words), "\(command): \(said)")
        }
    }

    @Test(
        arguments: [
            ("host = \"http://c2\"", 1, "host", "host name or an address"),
            ("host = \"c2:8443\"", 1, "host", "host name"),
            ("host = \"[c2]\"", 1, "host", "host name"),
            ("host = \"c2\"\nbind = \"eth0\"", 2, "bind", "an address of this machine"),
            ("host = \"c2\"\nbind = \"0.0.0.0:8883\"", 2, "bind", "0.0.0.0"),
            ("host = \"c2\"\n[broker]\nport = 0", 3, "broker.port", "from 1 to 65535"),
            ("host = \"c2\"\n[broker]\nport = 8443", 3, "broker.port", "not be that of the key service"),
            ("host = \"c2\"\n[key_service]\nport = 70000", 3, "key_service.port", "from 1 to 65535"),
            ("host = \"c2\"\n[key_service]\nidentities = 5", 3, "key_service.identities", "from 100 to 10000000"),
            ("host = \"c2\"\n[policy]\nsensor = \"yes\"", 3, "policy.sensor", "\"observed\""),
            ("host = \"c2\"\n[policy]\n\"v1.2\" = \"yes\"", 3, "policy.\"v1.2\"", "\"observed\""),
            ("host = \"c2\"\n[policy]\n\"\\u00e9\" = \"simple\"", 3, "policy.\"é\"", "no device can have this type"),
            ("host = \"c2\"\n[polcy]", 2, "polcy", "did you mean \"policy\""),
        ] as [(String, Int, String, String)])
    func theServersToo(_ text: String, _ line: Int, _ key: String, _ words: String) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        try runner.write(text, to: "c2.toml")
        for command in ["check", "run", "key-service"] {
            let code = try runner.run("srup-c2", [command, "--folder", runner.path("")], as: command)
            let said = try log(command, runner)
            #expect(code == 78, "\(command): \(said)")
            #expect(said.contains("c2.toml:\(line): \(key): ") && said.contains(words), "\(command): \(said)")
        }
    }

    @Test func aLEDThatIsNotThereIsNamed() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        try runner.write("state = \"\(runner.path("state"))\"\n[signal]\nled = \"nosuch::led\"\n", to: "observer.toml")
        _ = try runner.run(
            "srup-observer", ["doctor", "--offline", "--config", runner.path("observer.toml")], as: "doctor")
        #expect(try log("doctor", runner).contains("signal.led: there is no LED \"nosuch::led\""))
    }

    @Test func aTypeMayHaveDotsAndSpaces() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        try runner.write(
            "host = \"[::1]\"\nbind = \"[::]\"\n[policy]\n\"v1.2 big\" = \"simple\"\nsensor = \"observed\"\n",
            to: "c2.toml")
        #expect(try runner.run("srup-c2", ["check", "--folder", runner.path("")], as: "check") == 0)
        #expect(try log("check", runner).contains("v1.2 big: come in by their word alone"))
    }
}
