import Foundation
import TestProcesses
import Testing

/// The server side over a PostgreSQL database: the real programs, a real database server.
@Suite(
    .serialized,
    .enabled(if: PostgresServer.missing == nil, "PostgreSQL is not installed: deploy/setup --tests installs it"))
struct DatabaseServerTests {
    private static let simple = ["--policy", "lamp=simple"]

    private func network(_ runner: ProgramRunner) throws -> LoopbackNetwork {
        let loopback = try LoopbackNetwork(runner)
        loopback.database = try PostgresServer.shared.get().makeDatabase()
        return loopback
    }

    private func said(
        _ runner: ProgramRunner, _ words: [String], in folder: String = "c2"
    ) throws -> (code: Int32, text: String) {
        let role = "said-\(UUID().uuidString)"
        let code = try runner.run("srup-c2", words + ["--folder", runner.path(folder)], as: role)
        return (code, try String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8))
    }

    private func join(_ loopback: LoopbackNetwork, _ name: String, within limit: Double = 60) throws {
        let begin = EventFollower.clock()
        try loopback.startDevice(name)
        try loopback.events.wait(for: name, ["joined"], since: begin, within: limit)
    }

    private func wait(_ what: String, _ runner: ProgramRunner, within seconds: Int = 60, _ isSo: () throws -> Bool)
        throws
    {
        let end = ContinuousClock.now + .seconds(seconds)
        while try !isSo() {
            guard ContinuousClock.now < end else {
                Issue.record("not in time: \(what)\n\(runner.tail(of: "c2"))\n\(runner.tail(of: "other"))")
                throw CancellationError()
            }
            usleep(20_000)
        }
    }

    // MARK: One server

    @Test func aNetworkIsKeptInADatabaseAndNothingOfItInFiles() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try network(runner)
        try loopback.startServer(Self.simple)
        for name in ["lamp", "other"] { try loopback.registerDevice(name, type: "lamp") }
        try join(loopback, "lamp")
        let ids = try #require(loopback.identities["lamp"])
        for words in [
            ["devices"], ["identities"], ["audit", "show"], ["doctor"], ["database", "show"], ["cell", "list"],
        ] {
            let (code, text) = try said(runner, words)
            #expect(code == 0 || words == ["doctor"], "\(words): \(text)")
            if words == ["devices"] || words == ["identities"] { #expect(text.contains(ids), "\(text)") }
            if words == ["cell", "list"] { #expect(text.contains("2 identities  worked by"), "\(text)") }
            if words == ["database", "show"] { #expect(text.contains("cell main"), "\(text)") }
            if words == ["doctor"] { #expect(text.contains("holds the C2 server"), "\(text)") }
        }
        #expect(try said(runner, ["operator", "list"]).code == 0)
        #expect(try said(runner, ["audit", "verify"]).code == 0)
        let files = try FileManager.default.subpathsOfDirectory(atPath: runner.path("c2"))
        #expect(files.filter { $0.contains(".db") && !$0.hasPrefix("broker-data/") } == [])
        // After a crash it is all there.
        runner.kill9("c2")
        try loopback.startC2(Self.simple)
        try join(loopback, "lamp")
        try join(loopback, "other")
        // Its identity ends; the broker closes the door to it.
        #expect(try said(runner, ["deregister", ids]).code == 0)
        #expect(try String(contentsOfFile: runner.path("c2/ended"), encoding: .utf8).contains(ids))
        // A second network does not fit in.
        let again = try runner.run(
            "srup-c2",
            ["init", "--folder", runner.path("second"), "--host", "localhost", "--database", loopback.database ?? ""],
            as: "second")
        #expect(again != 0 && runner.tail(of: "second").contains("holds a network already"))
        #expect(!FileManager.default.fileExists(atPath: runner.path("second/c2.toml")))
    }

    @Test func aServerWhoseDatabaseIsGoneStopsInOrderAllTheSame() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let server = try PostgresServer()
        let loopback = try LoopbackNetwork(runner)
        loopback.database = try server.makeDatabase()
        try loopback.startServer(Self.simple)
        try loopback.registerDevice("lamp", type: "lamp")
        try join(loopback, "lamp")
        server.crash()
        usleep(500_000)
        #expect(runner.end("c2", SIGTERM, within: 60) == 0, "\(runner.tail(of: "c2"))")
        // It comes back with it.
        try server.start()
        try loopback.startC2(Self.simple)
        try join(loopback, "lamp")
    }

    @Test func filesAreMovedAndABackupOfADatabaseIsFiles() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(Self.simple)
        for name in ["lamp", "other"] { try loopback.registerDevice(name, type: "lamp") }
        try join(loopback, "lamp")
        let database = try PostgresServer.shared.get().makeDatabase()
        let busy = try said(runner, ["database", "move", database])
        #expect(busy.code == 78 && busy.text.contains("is running"), "\(busy)")
        runner.stop("c2")
        let open = try said(runner, ["database", "move", database])
        #expect(open.code == 78 && open.text.contains("the key service runs"), "\(open)")
        runner.stop("key-service")
        let before = (try said(runner, ["devices"]).text, try said(runner, ["identities"]).text)
        let wrong = try said(runner, ["database", "move", "postgresql://srup@/nothing?host=/nowhere"])
        #expect(
            wrong.code == 1 && FileManager.default.fileExists(atPath: runner.path("c2/server/state.db")), "\(wrong)")
        let moved = try said(runner, ["database", "move", database])
        #expect(moved.code == 0 && moved.text.contains("c2.toml says so"), "\(moved)")
        #expect(FileManager.default.fileExists(atPath: runner.path("c2/before-database/state.db")))
        #expect(!FileManager.default.fileExists(atPath: runner.path("c2/server/state.db")))
        #expect(try said(runner, ["devices"]).text == before.0 && said(runner, ["identities"]).text == before.1)
        #expect(try said(runner, ["database", "move", database]).code == 78)
        // It goes on where it was: the member is one, and the log is one chain.
        try loopback.startKeyService()
        try loopback.startC2(Self.simple)
        for name in ["lamp", "other"] { try join(loopback, name) }
        let saved = try said(runner, ["backup", runner.path("b.tar")])
        #expect(saved.code == 0, "\(saved)")
        runner.stop("c2")
        #expect(try said(runner, ["audit", "verify"]).code == 0)
        let restored = try said(runner, ["restore", runner.path("b.tar")], in: "restored")
        #expect(restored.code == 0 && restored.text.contains("here it is in files"), "\(restored)")
        #expect(FileManager.default.fileExists(atPath: runner.path("restored/server/state.db")))
        #expect(try said(runner, ["database", "show"], in: "restored").text.hasPrefix("files in"))
        #expect(try said(runner, ["identities"], in: "restored").text == said(runner, ["identities"]).text)
        #expect(try said(runner, ["audit", "verify"], in: "restored").code == 0)
    }

    // MARK: One server in another's place

    /// Another server's folder for the same cell, as an administrator copies it to a second machine.
    private func second(_ runner: ProgramRunner) throws {
        let file = runner.path("c2/c2.toml")
        // On one machine they would want the same port.
        let text = try String(contentsOfFile: file, encoding: .utf8).replacing(
            "[pages]\non = true", with: "[pages]\non = false")
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        try FileManager.default.copyItem(atPath: runner.path("c2"), toPath: runner.path("other"))
    }

    /// All of a network, with a folder for another server.
    private func startFirst(_ loopback: LoopbackNetwork) throws {
        try loopback.prepare()
        try second(loopback.runner)
        try loopback.startKeyService()
        try loopback.startBroker()
        try loopback.startC2(Self.simple)
    }

    private func startSecond(_ runner: ProgramRunner) throws {
        try runner.start(
            "srup-c2",
            ["run", "--folder", runner.path("other"), "--events", EventFollower.file("other", on: runner)]
                + Self.simple,
            as: "other")
        try wait("it waits", runner) {
            (try? String(contentsOfFile: runner.path("log/other.log"), encoding: .utf8))?.contains(
                "waits to take its place")
                == true
        }
    }

    private func sent(_ database: String, to id: String) throws -> Int {
        let value = UInt64(id, radix: 16).map { Int64(bitPattern: $0) } ?? 0
        return Int(
            try PostgresServer.shared.get().sql("SELECT sent FROM participant.peers WHERE id = \(value)", at: database))
            ?? 0
    }

    @Test func aServerThatDiesIsReplacedAndNoNumberIsUsedTwice() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try network(runner)
        try startFirst(loopback)
        for name in ["lamp", "new"] { try loopback.registerDevice(name, type: "lamp") }
        try join(loopback, "lamp")
        try startSecond(runner)
        let (database, id) = (try #require(loopback.database), try #require(loopback.identities["lamp"]))
        let before = try sent(database, to: id)
        let begin = EventFollower.clock()
        runner.kill9("c2")
        try loopback.events.wait(for: "other", ["connected"], since: begin, within: 60)
        // Both who is known and who is not are answered by the other one.
        for name in ["lamp", "new"] { try join(loopback, name) }
        #expect(try sent(database, to: id) > before + 1 << 20)
        #expect(try said(runner, ["audit", "verify"], in: "other").code == 0)
        // Stopped in order, the first one has it back at once.
        try runner.start(
            "srup-c2",
            ["run", "--folder", runner.path("c2"), "--events", EventFollower.file("c2", on: runner)] + Self.simple,
            as: "c2")
        try wait("it waits", runner) { runner.tail(of: "c2").contains("waits to take its place") }
        runner.stop("other")
        try wait("it works", runner) { runner.tail(of: "c2").contains("is worked here now") }
        try join(loopback, "lamp")
    }

    @Test func aServerThatWasOnlyFrozenWritesNothingAndEnds() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try network(runner)
        try startFirst(loopback)
        try loopback.registerDevice("lamp", type: "lamp")
        try join(loopback, "lamp")
        try startSecond(runner)
        let frozen = try #require(runner.processIdentifier("c2"))
        let begin = EventFollower.clock()
        kill(frozen, SIGSTOP)
        try loopback.events.wait(for: "other", ["connected"], since: begin, within: 60)
        try join(loopback, "lamp")
        let database = try #require(loopback.database)
        let log = {
            try PostgresServer.shared.get().sql("SELECT count(*), max(id) FROM participant.audit", at: database)
        }
        let before = try log()
        kill(frozen, SIGCONT)
        try wait("the first one ends", runner) { !runner.isRunning("c2") }
        #expect(
            runner.tail(of: "c2").contains("another server works the cell \"main\" now"), "\(runner.tail(of: "c2"))")
        #expect(try log() == before)
        // The other one is not disturbed.
        try join(loopback, "lamp")
        #expect(try said(runner, ["audit", "verify"], in: "other").code == 0)
    }

    // MARK: Several cells

    /// A second cell beside the first: its folder, its broker and its server.
    ///
    /// - Returns: the port of its pages.
    @discardableResult
    private func startNorth(_ loopback: LoopbackNetwork, _ arguments: [String]) throws -> String {
        let runner = loopback.runner
        let ports = try (0..<3).map { _ in "\(try ProgramRunner.freePort())" }
        let made = try said(
            runner,
            [
                "cell", "new", "north", "--host", "localhost", "--to", runner.path("north"), "--bind", "127.0.0.1",
                "--broker-port", ports[0], "--key-service-port", ports[1], "--pages-port", ports[2],
            ])
        #expect(made.code == 0, "\(made)")
        try runner.start("mosquitto", ["-c", runner.path("north/mosquitto.conf")], as: "broker-north")
        try startServerOfNorth(loopback, arguments)
        return ports[2]
    }

    private func startServerOfNorth(_ loopback: LoopbackNetwork, _ arguments: [String]) throws {
        let begin = EventFollower.clock()
        try loopback.runner.start(
            "srup-c2",
            [
                "run", "--folder", loopback.runner.path("north"), "--events",
                EventFollower.file("north", on: loopback.runner),
            ]
                + arguments, as: "north")
        try loopback.events.wait(for: "north", ["connected"], since: begin, within: 90)
    }

    /// All that register from now on belong to this cell.
    private func onlyOpen(_ cell: String, _ runner: ProgramRunner) throws {
        for name in ["main", "north"] {
            #expect(try said(runner, ["cell", name == cell ? "open" : "close", name]).code == 0)
        }
        // So long the key service goes by what it knows.
        usleep(2_100_000)
    }

    @Test func thePagesOfOneCellLeadToAllOfThem() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try network(runner)
        try loopback.startServer(Self.simple)
        let northPort = try startNorth(loopback, Self.simple)
        try onlyOpen("north", runner)
        try loopback.registerDevice("lamp", type: "lamp")
        try join(loopback, "lamp")
        let lamp = try #require(loopback.identities["lamp"])
        let password = runner.path("password")
        try runner.write("a long enough passphrase for anna\n", to: "password")
        chmod(password, 0o600)
        #expect(
            try said(runner, ["operator", "add", "anna", "--role", "moderate", "--password-file", password]).code == 0)
        let token = try said(runner, ["token", "add", "test", "--operator", "anna", "--role", "moderate"]).text
            .split(separator: "\n").first { $0.hasPrefix("srup_") }
        let bearer = ["-H", "Authorization: Bearer \(try #require(token))"]
        let base = "https://localhost:\(loopback.pagesPort)"

        // A program says which cell it means; by itself it is the one that it has reached.
        let device = "\(base)/api/v1/devices/\(lamp)"
        let north = ["-H", "SRUP-Cell: north"]
        for here in [[], ["-H", "SRUP-Cell: main"]] {
            #expect(try runner.curl(bearer + here + [device]).body.contains("\"state\":\"out\""))
        }
        let found = try runner.curl(bearer + north + [device])
        #expect(found.status == 200 && found.body.contains("\"state\":\"in\""), "\(found)")
        let unknown = try runner.curl(bearer + ["-H", "SRUP-Cell: south", device])
        #expect(unknown.status == 404 && unknown.body.contains("no such cell"), "\(unknown)")
        let note = ["-X", "PUT", "-H", "Content-Type: application/json", "-d", "{\"note\":\"by the door\"}"]
        let noted = try runner.curl(bearer + north + note + [device + "/note"])
        #expect((200...204).contains(noted.status), "\(noted)")
        // Who may not come in is handed on nowhere; who was handed on is not again.
        #expect(try runner.curl(north + [device]).status == 401)
        #expect(try runner.curl(["-H", "Authorization: Bearer srup_x"] + north + [device]).status == 401)
        #expect(try runner.curl(bearer + north + ["-H", "SRUP-Handed-On: south", device]).status == 421)

        // A person chooses on a page, and stays there, whichever server is reached.
        let jar = ["-c", runner.path("jar"), "-b", runner.path("jar")]
        func form(_ path: String, _ fields: [String]) throws -> (status: Int, body: String) {
            try runner.curl(
                jar + ["-H", "Origin: \(base)"] + fields.flatMap { ["--data-urlencode", $0] } + [base + path])
        }
        func value(_ page: String, of form: String) -> String {
            let part = page.components(separatedBy: "action=\"\(form)\"").dropFirst().first ?? ""
            let rest = part.components(separatedBy: "name=\"token\" value=\"").dropFirst().first ?? ""
            return String(rest.prefix { $0 != "\"" })
        }
        #expect(try form("/sign-in", ["name=anna", "password=a long enough passphrase for anna"]).status == 303)
        let mine = try runner.curl(jar + [base + "/devices"])
        #expect(mine.status == 200 && !mine.body.contains(lamp) && mine.body.contains("Cell main"), "\(mine)")
        let other = "https://localhost:\(northPort)"
        #expect(try runner.curl(jar + [other + "/devices"]).body.contains("Cell main"))
        let cells = try runner.curl(jar + [base + "/cells"]).body
        #expect(cells.contains("localhost:\(northPort)"), "\(cells)")
        let token1 = value(cells, of: "/cells")
        #expect(try form("/cells", ["token=\(token1)", "name=south"]).status == 404)
        #expect(try form("/cells", ["token=\(token1)", "name=north"]).status == 303)
        let theirs = try runner.curl(jar + [base + "/devices/\(lamp)"])
        #expect(
            theirs.status == 200 && theirs.body.contains("by the door") && theirs.body.contains("Cell north"),
            "\(theirs)")
        let action = "/devices/\(lamp)/note"
        #expect(try form(action, ["token=\(value(theirs.body, of: action))", "note=upstairs"]).status == 303)
        #expect(try runner.curl(bearer + north + [device]).body.contains("upstairs"))
        #expect(try form(action, ["token=nonsense", "note=x"]).status == 403)
        // Its server is away.
        runner.kill9("north")
        let away = try runner.curl(jar + [base + "/devices"])
        #expect(away.status == 502 && away.body.contains("do not answer"), "\(away)")
        let back = try runner.curl(jar + [base + "/cells"]).body
        #expect(try form("/cells", ["token=\(value(back, of: "/cells"))", "name=main"]).status == 303)
        #expect(try runner.curl(jar + [base + "/devices"]).body.contains("Cell main"))
    }

    @Test func anObserverOfAnotherCellVouchesByWayOfItsOwnServer() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try network(runner)
        let rules = ["--policy", "lamp=observed", "--policy", "observer=trusted", "--observation-timeout", "20"]
        try loopback.startServer(rules)
        try startNorth(loopback, rules)
        let camera = try loopback.makeCamera("camera")
        try onlyOpen("north", runner)
        try loopback.registerObserver("observer", camera: "fifo:\(camera)", settings: LoopbackNetwork.patient)
        let observer = try #require(loopback.identities["observer"])
        #expect(try said(runner, ["trust", observer], in: "north").code == 0)
        try loopback.startObserver("observer")
        try loopback.events.wait(for: "observer", ["joined"], within: 90)
        try onlyOpen("main", runner)
        for name in ["early", "lamp", "liar", "late"] { try loopback.registerDevice(name, type: "lamp") }

        // Trusted in its own cell alone it does not vouch in another.
        var begin = EventFollower.clock()
        try loopback.startDevice("early", ["--once", "--observer", observer])
        #expect(try loopback.answer(to: "early", since: begin) == "JOIN_FAIL")
        #expect(try said(runner, ["trust", observer]).code == 0)
        try loopback.startScene(on: camera, picture: loopback.picture("lamp"))
        begin = EventFollower.clock()
        try loopback.startDevice("lamp", ["--once", "--observer", observer])
        #expect(
            try loopback.answer(to: "lamp", since: begin) == "JOIN_SUCCESS",
            "\(runner.tail(of: "c2"))\n\(runner.tail(of: "north"))\n\(runner.tail(of: "observer"))")
        runner.stop("scene")
        let log = try said(runner, ["audit", "show"], in: "north").text
        #expect(log.contains("for another cell"), "\(log)")

        // Another value is a lie wherever it is seen.
        let other = runner.path("other.png")
        try runner.must(
            "srup-device", ["show", String(repeating: "0123456789abcdef", count: 2), "--present", "png:\(other)"],
            as: "show")
        begin = EventFollower.clock()
        try loopback.showLater(other, on: camera, before: "liar") {
            try loopback.startDevice("liar", ["--once", "--observer", observer])
        }
        #expect(try loopback.answer(to: "liar", since: begin) == "JOIN_FAIL")
        runner.stop("scene")

        // Its server is away when the device asks, and back in time.
        runner.kill9("north")
        begin = EventFollower.clock()
        try loopback.startScene(on: camera, picture: loopback.picture("late"))
        try loopback.startDevice("late", ["--once", "--observer", observer])
        try loopback.events.wait(for: "c2", ["observation-requested"], since: begin, within: 60)
        // Whoever writes into the database is not the observer, whose signature that takes.
        let forged = "UPDATE errands.errands SET state = 2, status = \(0x60) RETURNING 1"
        #expect(try PostgresServer.shared.get().sql(forged, at: loopback.database ?? "").hasPrefix("1"))
        try wait("it is not believed", runner) {
            try String(contentsOfFile: runner.path("log/c2.log"), encoding: .utf8).contains("which has not signed that")
        }
        try startServerOfNorth(loopback, rules)
        #expect(try loopback.answer(to: "late", since: begin, within: 120) == "JOIN_SUCCESS")
        #expect(
            try PostgresServer.shared.get().sql("SELECT count(*) FROM errands.errands", at: loopback.database ?? "")
                == "0")
        for folder in ["c2", "north"] {
            let (code, text) = try said(runner, ["audit", "verify"], in: folder)
            #expect(code == 0, "\(folder): \(text)")
        }
    }

    @Test func newOnesAreSharedAmongCellsAndEachIsAnsweredInItsOwn() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try network(runner)
        try loopback.startServer(Self.simple)
        try startNorth(loopback, Self.simple)
        #expect(try said(runner, ["cell", "new", "north", "--host", "h", "--to", runner.path("x")]).code == 1)
        // The key service has had its look at the cells before there were two.
        try loopback.registerDevice("first", type: "lamp")
        usleep(2_100_000)
        let names = ["one", "two", "three", "four"]
        for name in names { try loopback.registerDevice(name, type: "lamp") }
        for name in names + ["first"] { try join(loopback, name) }
        let list = try said(runner, ["cell", "list"]).text
        #expect(list.contains("main  localhost:\(loopback.brokerPort)"), "\(list)")
        let members = try (said(runner, ["devices"]).text, said(runner, ["devices"], in: "north").text)
        for name in names + ["first"] {
            let id = try #require(loopback.identities[name])
            #expect(members.0.contains(id) != members.1.contains(id), "\(name)")
        }
        #expect(members.1.split(separator: "\n").count >= 2, "\(members.1)")
        // Closed: all go to the other one.
        #expect(try said(runner, ["cell", "close", "main"]).code == 0)
        usleep(2_100_000)
        for name in ["five", "six"] {
            try loopback.registerDevice(name, type: "lamp")
            try join(loopback, name)
        }
        let after = try said(runner, ["devices"], in: "north").text
        for name in ["five", "six"] { #expect(after.contains(try #require(loopback.identities[name])), "\(after)") }
        // Who has ended is refused by both brokers.
        let id = try #require(loopback.identities["five"])
        #expect(try said(runner, ["deregister", id], in: "north").code == 0)
        try wait("the key service tells its broker, too", runner) {
            try String(contentsOfFile: runner.path("c2/ended"), encoding: .utf8).contains(id)
        }
    }
}
