import Foundation
import Linux
import Testing

@testable import Agent

/// Commands: what they get, what they may do, how they end.
@Suite struct CommandRunTests {
    private func run(
        _ script: String, input: [UInt8] = [], limit: Duration = .seconds(60), user: AgentSettings.User? = nil,
        environment: [String: String] = [:], maximum: Int = CommandRun.maximumOutput
    ) throws -> String {
        let run = CommandRun(
            command: .init(program: "/bin/sh", arguments: ["-c", script], timeout: limit), user: user,
            environment: environment, input: input, maximumOutput: maximum)
        return String(decoding: try run.run(), as: UTF8.self)
    }

    private func failure(_ body: () throws -> String) -> CommandRun.Failure? {
        do {
            _ = try body()
            return nil
        } catch {
            return error as? CommandRun.Failure
        }
    }

    @Test func itsOutputIsTheAnswerAndItsInputIsGiven() throws {
        #expect(
            try run("cat; echo $SRUP_ACTION", input: Array("21.5\n".utf8), environment: ["SRUP_ACTION": "7"])
                == "21.5\n7\n")
        #expect(try run("true") == "")
        let large = [UInt8](repeating: 65, count: 1_000_000)
        #expect(try run("wc -c | tr -d ' '", input: large) == "1000000\n")
        #expect(try run("true", input: large) == "", "one that does not want its input")
    }

    @Test func itGetsNothingOfOurs() throws {
        setenv("SRUP_TEST_SECRET", "hidden", 1)
        let pipe = open("/dev/null", O_RDONLY)
        defer { close(pipe) }
        let names = try run("env | cut -d= -f1 | sort | tr '\\n' ' '").split(separator: " ")
        #expect(Set(names).isSubset(of: ["PATH", "LANG", "PWD", "SHLVL", "_", "OLDPWD"]), "\(names)")
        // The shell's own, and that of the listing.
        let descriptors = try run("ls /proc/self/fd | tr '\\n' ' '").split(separator: " ").compactMap { Int($0) }
        #expect(descriptors.allSatisfy { $0 <= 3 }, "\(descriptors)")
        #expect(try run("grep NoNewPrivs /proc/self/status | tr -dc 0-9") == "1")
    }

    @Test func argumentsGoThroughNoShell() throws {
        let run = CommandRun(
            command: .init(program: "/bin/echo", arguments: ["$(id)", "; true", "a  b", "*"], timeout: .seconds(60)))
        #expect(String(decoding: try run.run(), as: UTF8.self) == "$(id) ; true a  b *\n")
    }

    @Test func aFailureIsSaidWithItsWords() {
        #expect(
            failure { try run("echo no lamp here >&2; exit 3") }
                == .ended("it exited with code 3", said: "no lamp here"))
        let cannot = CommandRun(command: .init(program: "/nowhere/x", arguments: [], timeout: .seconds(1)))
        #expect(throws: CommandRun.Failure.self) { try cannot.run() }
        let killed = failure { try run("kill -9 $$") }
        #expect(killed?.description.contains("signal 9") == true)
        // What it says of it is bounded and harmless.
        let loud = failure {
            try run("i=0; while [ $i -lt 5000 ]; do printf '\\033[31mxxxxxxxxxx' >&2; i=$((i+1)); done; exit 1")
        }
        let words = loud?.description ?? ""
        #expect(words.utf8.count < 2500 && !words.contains("\u{1B}"), "\(words.utf8.count)")
    }

    @Test func whatHangsIsKilledWithAllThatItHasStarted() throws {
        let mark = "\(3_000_000 + Int.random(in: 0..<900_000))"
        let begin = ContinuousClock.now
        let how = failure { try run("sleep \(mark) & sleep \(mark)", limit: .milliseconds(500)) }
        #expect(how == .tooSlow(.milliseconds(500)))
        #expect(ContinuousClock.now - begin >= .milliseconds(500))
        #expect(!isAnyRunning(mark))
        // One that has closed its output and goes on.
        #expect(
            failure { try run("exec >&- 2>&-; sleep \(mark)", limit: .milliseconds(500)) }
                == .tooSlow(.milliseconds(500)))
        // One that has ended and left another behind with its output.
        #expect(failure { try run("sleep \(mark) &", limit: .milliseconds(500)) } == .tooSlow(.milliseconds(500)))
        // One that has left another behind without it: done, and the other one ended.
        #expect(try run("sleep \(mark) >&- 2>&- <&- & echo started") == "started\n")
        #expect(!isAnyRunning(mark))
        // Signals that can be caught do not help it.
        #expect(
            failure { try run("trap '' TERM INT HUP; sleep \(mark)", limit: .milliseconds(500)) }
                == .tooSlow(.milliseconds(500)))
        #expect(!isAnyRunning(mark))
    }

    /// Whether a `sleep` with this argument goes on: one that was killed is gone when the kernel gets to it.
    private func isAnyRunning(_ mark: String) -> Bool {
        let end = ContinuousClock.now + .seconds(30)
        while isAnyThere(mark) {
            if ContinuousClock.now > end { return true }
            usleep(10_000)
        }
        return false
    }

    private func isAnyThere(_ mark: String) -> Bool {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.contains { name in
            guard Int(name) != nil, let line = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else {
                return false
            }
            let state = (try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8))?.split(separator: ")").last
            return line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) } == ["sleep", mark]
                && state?.hasPrefix(" Z") == false
        }
    }

    @Test func whatFloodsIsKilled() {
        #expect(failure { try run("cat /dev/zero") } == .tooMuch(8192))
        #expect(failure { try run("head -c 5000000 /dev/zero") } == .tooMuch(8192))
        #expect(failure { try run("head -c 8193 /dev/zero") } == .tooMuch(8192))
        #expect(failure { try run("head -c 8192 /dev/zero") } == nil)
        // Megabytes on its standard error are read and dropped.
        #expect(failure { try run("head -c 5000000 /dev/zero >&2; echo done") } == nil)
    }

    @Test(.enabled(if: geteuid() == 0)) func asRootItIsSomebodyElse() throws {
        let entry = try #require(getpwnam("nobody")).pointee
        let user = AgentSettings.User(id: entry.pw_uid, group: entry.pw_gid)
        #expect(try run("id -u; id -g; id -G", user: user) == "\(entry.pw_uid)\n\(entry.pw_gid)\n\(entry.pw_gid)\n")
        // All four, so that there is no way back.
        let uids = try run("grep Uid /proc/self/status | tr -dc '0-9\\t' | tr -s '\\t' ' '", user: user)
        #expect(Set(uids.split(separator: " ")) == ["\(entry.pw_uid)"])
        // And it is ended all the same.
        #expect(failure { try run("sleep 100", limit: .milliseconds(300), user: user) } == .tooSlow(.milliseconds(300)))
        #expect(geteuid() == 0, "we are who we were")
    }

    @Test(.enabled(if: geteuid() != 0)) func whoIsNotRootBecomesNobodyElse() {
        let how = failure { try run("id", user: AgentSettings.User(id: 65534, group: 65534)) }
        guard case .cannotStart? = how else {
            Issue.record("it was started: \(String(describing: how))")
            return
        }
    }
}
