import Foundation
import Participant
import SRUP
import Settings
import Testing

@testable import Agent

/// `device.toml`: what is right, and what is wrong with a line's place.
@Suite struct AgentSettingsTests {
    private func read(_ text: String, isRoot: Bool = false) throws -> AgentSettings {
        try AgentSettings.read(try SettingsFile(text: text, name: "device.toml"), isRoot: isRoot)
    }

    @Test func everythingIsRead() throws {
        let settings = try read(
            """
            socket = "/run/x/agent.sock"
            socket_group = "root"

            [action.1]
            name = "on"
            command = ["/bin/true", "a b", "$HOME"]
            timeout = "3 s"
            sends = "state"

            [action.255]
            name = "by-program"

            [sends.state]
            type = "string"

            [sends."room.temperature"]
            type = "float"
            command = ["/bin/echo", "21"]
            every = "5 s"

            [takes.setpoint]
            type = "int16"
            command = ["/bin/cat"]
            """)
        let on = AgentSettings.Command(program: "/bin/true", arguments: ["a b", "$HOME"], timeout: .seconds(3))
        #expect(settings.actions[1] == .init(name: "on", command: on, sends: "state", timeout: .seconds(3)))
        #expect(settings.actions[255]?.command == nil && settings.actions.count == 2)
        #expect(settings.sends["room.temperature"]?.every == .seconds(5))
        #expect(settings.sends["room.temperature"]?.type == .float64)
        #expect(settings.takes["setpoint"]?.type == .int16)
        #expect(settings.socket == "/run/x/agent.sock" && settings.socketGroup == 0)
        var said = Identification(program: "x")
        settings.describe(in: &said)
        #expect(
            said.description
                == "x actions=1:on,255:by-program sends=room.temperature:float64,state:string takes=setpoint:int16")
    }

    @Test func nothingIsNothing() throws {
        #expect(try read("") == AgentSettings())
    }

    @Test(arguments: [
        ("[action.256]\nname = \"x\"", "number from 0 to 255"), ("[action.01]\nname = \"x\"", "number from 0 to 255"),
        ("[action.on]\nname = \"x\"", "number from 0 to 255"), ("[action.1]\ncommand = [\"/bin/true\"]", "is missing"),
        ("[action.1]\nname = \"a b\"\ncommand = [\"/bin/true\"]", "letters, digits"),
        ("[action.1]\nname = \"x\"", "socket"), ("[action.1]\nname = \"x\"\ncommand = []", "must not be empty"),
        ("[action.1]\nname = \"x\"\ncommand = [\"true\"]", "whole path"),
        ("[action.1]\nname = \"x\"\ncommand = [\"/nowhere/x\"]", "can be run"),
        ("[action.1]\nname = \"x\"\ncommand = \"/bin/true\"", "list of strings"),
        ("[action.1]\nname = \"x\"\ncommand = [\"/bin/true\"]\ntimeout = \"1 h\"", "time from"),
        ("[action.1]\nname = \"x\"\ncommand = [\"/bin/true\"]\nsends = \"y\"", "[sends.NAME]"),
        ("[action.1]\nname = \"x\"\ncommand = [\"/bin/true\"]\nshell = true", "no such key"),
        ("action.1 = \"x\"", "must be a table"), ("[sends.t]", "must be a table"),
        ("[sends.t]\nevery = \"1 s\"\ntype = \"int\"", "needs a command"),
        ("[sends.t]\ntype = \"uint8\"", "must be one of"), ("[takes.\"a b\"]\ntype = \"int\"", "letters, digits"),
        ("[takes.\"\"]\ntype = \"int\"", "letters, digits"), ("user = \"root\"", "only root"),
        ("socket_group = \"nobody-knows\"", "no group"), ("sockets = \"/x\"", "did you mean \"socket\""),
    ])
    func whatIsWrongIsSaid(_ text: String, _ words: String) {
        let error = #expect(throws: SettingsError.self) { try read(text) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "nothing")")
    }

    @Test func asRootCommandsNeedAUserOfTheirOwn() throws {
        let text = "[action.1]\nname = \"on\"\ncommand = [\"/bin/true\"]\n"
        #expect(throws: SettingsError.self) { try read(text, isRoot: true) }
        #expect(throws: SettingsError.self) { try read("user = \"root\"\n" + text, isRoot: true) }
        #expect(throws: SettingsError.self) { try read("user = \"nobody-knows\"\n" + text, isRoot: true) }
        #expect(try read("user = \"nobody\"\n" + text, isRoot: true).user?.id != 0)
        #expect(try read("", isRoot: true) == AgentSettings(), "without commands nothing is needed")
    }

    @Test func thereIsAnEndToNames() throws {
        let many = (0..<33).map { "[takes.n\($0)]\ntype = \"int\"" }.joined(separator: "\n")
        #expect(throws: SettingsError.self) { try read(many) }
    }

    @Test func aFileThatIsNotThereIsSaid() {
        #expect(throws: SettingsError.self) { try AgentSettings.load("/nowhere/device.toml") }
    }
}
