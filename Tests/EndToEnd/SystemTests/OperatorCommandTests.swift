import Foundation
import TestProcesses
import Testing

/// `srup-c2 operator` and `srup-c2 token`, as real processes: who may sign in is decided here.
@Suite(.serialized) struct OperatorCommandTests {
    @Test func operatorsAreAddedListedChangedAndRemoved() throws {
        let bench = try CommandBench()
        let made = try bench.c2(["operator", "add", "Bob", "--generate"])
        #expect(made.code == 0)
        // Shown once, and not the same for the next.
        let password = try #require(made.said.split(separator: " ").last.map { $0.filter { !$0.isNewline } })
        #expect(made.said.hasPrefix("bob may sign in (moderate); the password, shown only now: "))
        #expect(password.split(separator: "-").count == 5 && password.count == 24)
        #expect(
            try bench.shell(
                "printf 'correct horse battery\\n' | SRUP operator add anna --role administer --password-file - --folder \(bench.folder)"
            ).said == "anna may sign in (administer)\n")

        func list() throws -> [[String: Any]] { try bench.objects(try bench.c2(["operator", "list", "--json"]).said) }
        var all = try list()
        #expect(all.map { $0["name"] as? String } == ["anna", "bob"])
        #expect(all.map { $0["role"] as? String } == ["administer", "moderate"])
        #expect(all.allSatisfy { $0["disabled"] as? Bool == false && $0["sessions"] as? Int == 0 })
        let before = try #require(all[1]["passwordSet"] as? Double)

        #expect(try bench.c2(["operator", "role", "bob", "look"]).said == "bob has the role look\n")
        #expect(try bench.c2(["operator", "disable", "bob"]).said == "bob cannot sign in any more\n")
        let again = try bench.c2(["operator", "password", "bob", "--generate"])
        #expect(again.code == 0 && again.said.contains("signed out everywhere") && !again.said.contains(password))
        all = try list()
        #expect(all[1]["role"] as? String == "look" && all[1]["disabled"] as? Bool == true)
        #expect(try #require(all[1]["passwordSet"] as? Double) > before)
        #expect(try bench.c2(["operator", "list"]).said.contains("bob  look  disabled  0 sessions, 0 tokens, since 2"))
        #expect(try bench.c2(["operator", "enable", "bob"]).said == "bob may sign in again\n")
        #expect(try list()[1]["disabled"] as? Bool == false)
        #expect(try bench.c2(["operator", "sign-out", "bob"]).said == "bob is signed out (0 sessions)\n")
        #expect(try bench.c2(["operator", "remove", "bob"]).code == 0)
        #expect(try list().map { $0["name"] as? String } == ["anna"])

        // All of it is in the audit log, by name and without a password; the file is its owner's alone.
        let audit = try bench.c2(["audit", "--json"]).said
        let events = try bench.objects(audit).compactMap { $0["event"] as? String }
        for event in ["operator added", "role set", "operator disabled", "password set", "operator removed"] {
            #expect(events.contains(event), "\(event)")
        }
        #expect(!audit.contains(password) && !audit.contains("horse"))
        #expect(bench.mode("c2/server/operators.db") == 0o600)
        let database = try Data(contentsOf: URL(fileURLWithPath: bench.runner.path("c2/server/operators.db")))
        #expect(database.range(of: Data("horse".utf8)) == nil && database.range(of: Data(password.utf8)) == nil)
    }

    @Test func whatIsRefusedIsSaidAndChangesNothing() throws {
        let bench = try CommandBench()
        #expect(try bench.c2(["operator", "add", "anna", "--generate"]).code == 0)
        // Before a password is asked for, and whatever the case.
        let taken = try bench.c2(["operator", "add", "ANNA"])
        #expect(taken.code == 1 && taken.said == "error: there is an operator anna already\n")
        for command in ["role", "disable", "enable", "remove", "sign-out", "password"] {
            let arguments = ["operator", command, "nobody"] + (command == "role" ? ["look"] : [])
            let answer = try bench.c2(arguments)
            #expect(answer.code == 1 && answer.said == "error: there is no operator nobody\n", "\(command): \(answer)")
        }
        for name in ["", "-x", "a b", "ä", "a/b", "../x", String(repeating: "a", count: 33), "a\n", "a;b", "a:b"] {
            let answer = try bench.c2(["operator", "add", "--generate", "--", name])
            #expect(answer.code == 64, "\(name.debugDescription): \(answer)")
        }
        #expect(try bench.c2(["operator", "add", "x", "--role", "root", "--generate"]).code == 64)
        #expect(try bench.c2(["operator", "add", "x", "--generate", "--password-file", "y"]).code == 64)
        // Without a terminal nobody can be asked.
        let silent = try bench.shell("setsid SRUP operator add x --folder \(bench.folder) < /dev/null")
        #expect(silent.code == 1 && silent.said.contains("use --password-file or --generate"))
        #expect(try bench.objects(try bench.c2(["operator", "list", "--json"]).said).count == 1)
    }

    @Test func passwordsThatAreNoneAreRefused() throws {
        let bench = try CommandBench()
        let passwords = [
            ("short", "at least 12 characters"), ("", "at least 12 characters"),
            ("aaaaaaaaaaaaaaaa", "again and again"),
            ("abababababababab", "again and again"), ("with\\ta\\ttab\\tinside", "no control characters"),
            (String(repeating: "long", count: 70), "at most 256 bytes"),
        ]
        for (password, words) in passwords {
            let answer = try bench.shell(
                "printf '\(password)\\n' | SRUP operator add anna --password-file - --folder \(bench.folder)")
            #expect(answer.code == 1 && answer.said.contains(words), "\(answer)")
        }
        #expect(try bench.c2(["operator", "list"]).said.isEmpty)
    }

    @Test func aPasswordsFileMustBeItsOwnersAlone() throws {
        let bench = try CommandBench()
        let file = bench.runner.path("password")
        try bench.runner.write("correct horse battery\nnot this line\n", to: "password")
        chmod(file, 0o644)
        let open = try bench.c2(["operator", "add", "anna", "--password-file", file])
        #expect(open.code == 1 && open.said.contains("others could read it") && !open.said.contains("horse"))
        chmod(file, 0o600)
        #expect(try bench.c2(["operator", "add", "anna", "--password-file", file]).code == 0)
        let absent = try bench.c2(["operator", "add", "bob", "--password-file", bench.runner.path("absent")])
        #expect(absent.code == 1 && absent.said.contains("cannot be opened"))
        // A FIFO that nobody writes to, and a folder, hold nothing up.
        #expect(mkfifo(bench.runner.path("pipe"), 0o600) == 0)
        for name in ["pipe", "c2"] {
            #expect(try bench.c2(["operator", "add", "bob", "--password-file", bench.runner.path(name)]).code == 1)
        }
    }

    @Test func tokensAreMadeListedAndEnded() throws {
        let bench = try CommandBench()
        #expect(try bench.c2(["operator", "add", "anna", "--role", "moderate", "--generate"]).code == 0)
        // Standard output is the token alone.
        let output = bench.runner.path("token")
        let made = try bench.shell(
            "SRUP token add 'my script' --operator anna --folder \(bench.folder) > \(output)")
        #expect(made.code == 0 && made.said == "token 1, shown only now:\n")
        let token = try String(contentsOfFile: output, encoding: .utf8)
        #expect(token.hasPrefix("srup_") && token.hasSuffix("\n") && token.count > 40)
        #expect(
            try bench.c2(["token", "add", "b", "--operator", "anna", "--role", "moderate", "--expires", "90d"]).code
                == 0)

        let list = try bench.objects(try bench.c2(["token", "list", "--json"]).said)
        #expect(list.map { $0["number"] as? Int } == [1, 2])
        #expect(list.map { $0["role"] as? String } == ["look", "moderate"])
        #expect(list[0]["expires"] == nil && list[0]["lastUsedDay"] == nil)
        let (created, end) = (list[1]["created"] as? Double ?? 0, list[1]["expires"] as? Double ?? 0)
        #expect(abs(end - created - 90 * 86400) < 1)
        let text = try bench.c2(["token", "list"]).said
        #expect(text.contains("1  \"my script\"  anna  look  never used, does not end") && !text.contains("srup_"))

        #expect(try bench.c2(["token", "remove", "1"]).said == "token 1 has ended\n")
        let gone = try bench.c2(["token", "remove", "1"])
        #expect(gone.code == 1 && gone.said == "error: there is no number 1\n")
        // With its operator goes what is left.
        #expect(try bench.c2(["operator", "remove", "anna"]).code == 0)
        #expect(try bench.c2(["token", "list"]).said.isEmpty)
        let audit = try bench.c2(["audit"]).said
        #expect(audit.contains("token made") && audit.contains("token ended") && !audit.contains("srup_"))
        // A number is not given twice.
        #expect(try bench.c2(["operator", "add", "carl", "--generate"]).code == 0)
        #expect(
            try bench.shell("SRUP token add c --operator carl --folder \(bench.folder) 2>&1 >/dev/null").said
                == "token 3, shown only now:\n")
    }

    @Test func aTokenMayNeverDoMoreThanItsOperator() throws {
        let bench = try CommandBench()
        #expect(try bench.c2(["operator", "add", "anna", "--role", "look", "--generate"]).code == 0)
        let more = try bench.c2(["token", "add", "x", "--operator", "anna", "--role", "moderate"])
        #expect(more.code == 1 && more.said.contains("cannot have more"))
        #expect(try bench.c2(["token", "add", "x", "--operator", "nobody"]).code == 1)
        for name in ["", " ", String(repeating: "x", count: 65)] {
            #expect(try bench.c2(["token", "add", "--operator", "anna", "--", name]).code == 1, "\(name)")
        }
        // A name that would steer a terminal is harmless where it is shown.
        #expect(try bench.c2(["token", "add", "\u{1B}[2J\u{202E}x", "--operator", "anna"]).code == 0)
        for command in [["token", "list"], ["token", "list", "--json"], ["audit"], ["audit", "--json"]] {
            let said = try bench.c2(command).said
            #expect(!said.contains("\u{1B}") && !said.contains("\u{202E}"), "\(command)")
        }
        for time in ["", "0", "5", "d", "-1d", "1w", "1.5h", "100000d", "٣d", "1d "] {
            let arguments = ["token", "add", "x", "--operator", "anna", "--expires=\(time)"]
            #expect(try bench.c2(arguments).code == 64, "\(time)")
        }
        #expect(try bench.c2(["token", "add", "x", "--operator", "anna", "--expires", "0s"]).code == 1)
        #expect(try bench.objects(try bench.c2(["token", "list", "--json"]).said).count == 1)
    }

    @Test func whereNoServersFolderIsNothingIsMade() throws {
        let bench = try CommandBench(isMade: false)
        for command in [
            ["operator", "list"], ["operator", "add", "a", "--generate"], ["token", "list"], ["token", "remove", "1"],
        ] {
            let answer = try bench.c2(command)
            #expect(answer.code == 78 && answer.said.hasPrefix("error: "), "\(command): \(answer)")
        }
        #expect(!bench.exists("c2"))
    }
}
