import Foundation
import TestProcesses

/// A join that the visitor decides: the device shows its words here, and the operator's page asks for some of them.
struct PeopleDemo {
    let loopback: LoopbackNetwork
    let story: Narrator

    private static let device = "lamp"
    private static let visitor = "visitor"
    /// How long the visitor may take, in seconds.
    private static let patience = 1800.0

    func play() throws {
        story.chapter("Setting the stage")
        try loopback.prepare()
        try loopback.startKeyService()
        try loopback.startBroker()
        try loopback.startC2(["--policy", "\(Self.device)=human"])
        story.say(
            "key service, broker and C2 server run; whoever calls itself a \(Self.device) must be compared by a person")
        let password = try makeOperator()
        try waitForPages()
        story.say("you are an operator, with the role administer")

        story.chapter("Your part")
        let page = "https://localhost:\(loopback.pagesPort)/waiting"
        for line in [
            "1. Open   \(page)",
            "   (Your browser does not know this network's authority: go on anyway, or add",
            "   \(loopback.runner.path("c2/ca.crt")) to those that it trusts.)",
            "2. Sign in as   \(Self.visitor)   with the password   \(password)",
            "3. Let the device in: the page asks for three of the words that it shows here. Ctrl-C ends all.",
        ] {
            story.tell("  " + line)
        }
        open(page)
        try join()
    }

    private func makeOperator() throws -> String {
        // No letters that look like others.
        let letters = Array("abcdefghjkmnpqrstuvwxyz23456789")
        let password = (0..<4).map { _ in String((0..<4).map { _ in letters[Int.random(in: 0..<letters.count)] }) }
            .joined(separator: "-")
        try loopback.runner.write(password + "\n", to: "password")
        chmod(loopback.runner.path("password"), 0o600)
        try loopback.runner.must(
            "srup-c2",
            [
                "operator", "add", Self.visitor, "--folder", loopback.runner.path("c2"), "--role", "administer",
                "--password-file", loopback.runner.path("password"),
            ], as: "operator")
        return password
    }

    private func waitForPages() throws {
        let deadline = EventFollower.clock() + 90
        while !ProgramRunner.accepts(port: loopback.pagesPort) {
            guard EventFollower.clock() < deadline, loopback.runner.isRunning("c2") else {
                throw ProgramRunner.Failure(
                    description: "the pages do not come; the server's log ends:\n\(loopback.runner.tail(of: "c2"))")
            }
            usleep(20_000)
        }
    }

    /// In the visitor's browser, where there is a desktop.
    private func open(_ page: String) {
        let environment = ProcessInfo.processInfo.environment
        guard environment["DISPLAY"] != nil || environment["WAYLAND_DISPLAY"] != nil else { return }
        _ = try? loopback.runner.run("xdg-open", [page], as: "browser", within: 5)
    }

    // MARK: The device

    private func join() throws {
        let file = loopback.runner.path("display")
        try loopback.registerDevice(Self.device, type: Self.device)
        story.chapter("The device \(loopback.identities[Self.device] ?? "?")")
        let begin = EventFollower.clock()
        try loopback.startDevice(
            Self.device, present: "words:file:\(file)", ["--retry", "5", "--patience", "\(Int(Self.patience))"])
        var shown = ""
        while EventFollower.clock() < begin + Self.patience {
            let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
            if text != shown, !text.isEmpty { display(text) }
            shown = text
            for event in loopback.events.news() where event.who == Self.device {
                switch event.name {
                case "joined":
                    story.say("you have let it in")
                    end()
                    return
                case "not-let-in":
                    story.say("it is not let in; it asks again in 5 s, and shows other words then")
                default: break
                }
            }
            guard loopback.runner.isRunning(Self.device), loopback.runner.isRunning("c2") else {
                throw ProgramRunner.Failure(
                    description: "the device has ended; its log:\n\(loopback.runner.tail(of: Self.device))")
            }
            usleep(50_000)
        }
        throw ProgramRunner.Failure(description: "nobody has let the device in")
    }

    /// Draws the device's display.
    private func display(_ text: String) {
        let lines = text.split(separator: "\n").map(String.init)
        let width = max(24, (lines.map(\.count).max() ?? 0) + 4)
        story.tell("")
        story.tell("  ┌" + String(repeating: "─", count: width) + "┐")
        for line in lines {
            story.tell("  │  " + line.padding(toLength: width - 2, withPad: " ", startingAt: 0) + "│")
        }
        story.tell("  └" + String(repeating: "─", count: width) + "┘")
    }

    private func end() {
        story.chapter("What to try next")
        for line in [
            "docs/people.md          the other forms, an observer's own words, a network of your own with pages",
            "srup-c2 up              the same for a network that stays",
            "deploy/demo             a join that an observer sees, without any person",
        ] {
            story.tell("  " + line)
        }
    }
}
