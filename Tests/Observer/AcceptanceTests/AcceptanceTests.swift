import Acceptance
import CodeWriter
import Luma
import Linux
import AimPage
import Foundation
import Glibc
import ObservedValue
import TestProcesses
import Testing

@Suite struct AcceptanceTests {
    @Test func answersAreReadLineByLine() throws {
        let answers = try AcceptanceAnswers(
            "# by night\ndoctor: check\r\nlamp: skip no lamps: here\n\ntap: seen a phone # x\n")
        #expect(answers[.doctor] == .check && answers[.lamp] == .skip("no lamps: here"))
        #expect(answers[.tap] == .seen("a phone ") && answers[.heat] == nil)
    }

    @Test(arguments: [("door: check", 1), ("day: check\nday: check", 2), ("day: skip", 1), ("day", 1), ("day: yes", 1)])
    func aWrongAnswerIsNamed(_ text: String, _ line: Int) {
        #expect { try AcceptanceAnswers(text) } throws: { ($0 as? AcceptanceAnswers.Failure)?.line == line }
    }

    @Test func theExitCodeSaysWhatIsOpen() {
        var record = AcceptanceRecord()
        #expect(record.exitCode == 2 && record.open == AcceptanceStep.allCases)
        for step in AcceptanceStep.allCases { record[step] = AcceptanceResult(.passed, "", at: "") }
        record[.tap] = AcceptanceResult(.none, "", at: "")
        #expect(record.exitCode == 0 && record.open.isEmpty)
        record[.lamp] = AcceptanceResult(.skipped, "", at: "")
        #expect(record.exitCode == 2)
        record[.day] = AcceptanceResult(.failed, "", at: "")
        #expect(record.exitCode == 1)
    }

    @Test func nothingOfAReportIsMarkup() {
        var record = AcceptanceRecord()
        record.host = "<script>\u{1B}[31m\"&"
        record.pictures["day"] = "\"><script>"
        record[.day] = AcceptanceResult(.passed, "<b>\n", at: "")
        let report = AcceptanceReport(record)
        #expect(!report.html.contains("<script>") && !report.text.contains("\u{1B}"))
        #expect(report.html.contains("&lt;script&gt;"))
    }

    @Test func whatRestsOnLessStandsInTheVerdict() {
        var record = AcceptanceRecord()
        for step in AcceptanceStep.allCases { record[step] = AcceptanceResult(.passed, "", at: "") }
        #expect(AcceptanceReport(record).text.contains("\nACCEPTED: every step has passed\n"))
        record[.heat] = AcceptanceResult(.passed, "", at: "", weakness: .shortened)
        record[.tap] = AcceptanceResult(.none, "", at: "")
        record[.lamp] = AcceptanceResult(.passed, "seen: x", at: "", weakness: .seen)
        let words = "every step has passed (of 8, 1 not applicable here, 1 by somebody's word, 1 shortened)"
        #expect(AcceptanceReport(record).text.contains(words))
        #expect(AcceptanceReport(record).html.contains(words.escapedForMarkup))
    }

    @Test func aStepThatIsCheckedAgainSaysSo() throws {
        var record = AcceptanceRecord()
        record.forget(.day)
        #expect(record.open.count == 8)
        record[.day] = AcceptanceResult(.failed, "", at: "then")
        record.undervoltage = "x"
        for _ in 0..<2 {
            record.forget(.day)
            #expect(record.open.count == 8)
            record[.day] = AcceptanceResult(.passed, "", at: "then")
        }
        record = try JSONDecoder().decode(AcceptanceRecord.self, from: Data(record.encoded))
        #expect(record[.day]?.attempt == 3 && AcceptanceReport(record).text.contains("then (attempt 3)"))
        #expect(record.undervoltage == "x")
        record[.power] = AcceptanceResult(.failed, "", at: "then")
        record.forget(.power)
        #expect(record.undervoltage == nil)
    }

    /// The page as a browser prints it, with as much in it as there can be.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/chromium"), "no chromium"))
    func itPrintsOnOnePage() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        var record = AcceptanceRecord()
        let long = String(repeating: "words and words ", count: 100)
        (record.host, record.identity, record.version) = ("observer-hall", "0123456789abcdef", "0.1.0")
        (record.eyes, record.began) = (String(long.prefix(150)), "2026-11-30T21:23:04Z")
        for step in AcceptanceStep.allCases {
            record[step] = AcceptanceResult(.failed, long, at: "2026-11-30T21:23:04Z")
            record.forget(step)
            record[step] = AcceptanceResult(.failed, long, at: "2026-11-30T21:23:04Z")
        }
        let picture = try #require(
            LumaPicture(width: 320, height: 240, pixels: [UInt8](repeating: 99, count: 320 * 240))
                .flatMap { JPEGEncoder()?.encoded($0) })
        for name in ["day", "lamp"] { record.pictures[name] = Data(picture).base64EncodedString() }
        for (paper, size) in [("A4", "A4"), ("Letter", "letter")] {
            let page = AcceptanceReport(record).html.replacing("@page {", with: "@page { size: \(size);")
            try runner.write(page, to: "page.html")
            try runner.must(
                "/usr/bin/chromium",
                [
                    "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
                    "--user-data-dir=\(runner.path("browser"))",
                    "--print-to-pdf=\(runner.path("page.pdf"))", "file://" + runner.path("page.html"),
                ], as: "print")
            let pdf = String(decoding: try Data(contentsOf: URL(filePath: runner.path("page.pdf"))), as: UTF8.self)
            #expect(pdf.matches(of: /\/Type\s*\/Page\b/).count == 1, "\(paper)")
        }
    }

    // MARK: The program

    /// A box that looks into a folder, on a machine of files.
    private final class Bench {
        let runner: ProgramRunner
        private var count = 0

        init() throws {
            runner = try ProgramRunner()
            for folder in ["pictures", "state", "root/proc/sys/kernel/random", "root/sys/class/thermal/thermal_zone0"] {
                try FileManager.default.createDirectory(atPath: runner.path(folder), withIntermediateDirectories: true)
            }
            try runner.write("start-1\n", to: "root/proc/sys/kernel/random/boot_id")
            try runner.write("55000\n", to: "root/sys/class/thermal/thermal_zone0/temp")
            try runner.write(
                "state = \"\(runner.path("state"))\"\n[camera]\ndevice = \"folder:\(runner.path("pictures"))\"\n",
                to: "observer.toml")
        }

        deinit { runner.close() }

        func show(_ value: [UInt8]) throws {
            try runner.must(
                "/usr/bin/env",
                ["qrencode", "-s", "6", "-l", "M", "-o", runner.path("pictures/a.png"), Hex.encode(value)], as: "code")
        }

        func arguments(_ answers: String?, _ more: [String] = []) throws -> [String] {
            if let answers { try runner.write(answers, to: "answers") }
            return [
                "accept", "--config", runner.path("observer.toml"), "--folder", runner.path("kept"), "--root",
                runner.path("root"), "--wait", "3", "--heat", "0.1", "--verdict", "0", "--cut", "1",
            ] + (answers == nil ? [] : ["--answers", runner.path("answers")]) + more
        }

        func accept(_ answers: String, _ more: [String] = []) throws -> (code: Int32, text: String, page: String) {
            let code = try runner.run("srup-observer", try arguments(answers, more), as: "accept", within: 300)
            return (code, text("report.txt"), text("report.html"))
        }

        /// Lines of text that were wrapped are one line again.
        func text(_ name: String) -> String {
            let text = (try? String(contentsOfFile: runner.path("kept/" + name), encoding: .utf8)) ?? ""
            return text.replacing("\n          ", with: " ")
        }

        func log(_ role: String) -> String {
            (try? String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)) ?? ""
        }

        /// Starts it, lets it wait for the plug, and ends it by a signal.
        func waitForThePlug(andEndBy signal: Int32) throws {
            count += 1
            let role = "cut-\(count)"
            try runner.start("srup-observer", try arguments("power-cut: check\n", ["--cut", "600"]), as: role)
            let deadline = Date(timeIntervalSinceNow: 60)
            while !log(role).contains("Pull the plug now"), Date() < deadline { usleep(20_000) }
            #expect(log(role).contains("Pull the plug now"))
            _ = runner.end(role, signal)
        }
    }

    /// The real programs: what a folder shows is read, the machine is measured, what is not there is said.
    @Test func aCheckGoesOnWhereItWas() throws {
        let bench = try Bench()
        let value = try #require(TestValue(edge: 30)).bytes
        try bench.show(value)
        var report = try bench.accept(
            "day: check\nlamp: skip no lamps\ntap: check\nheat: check\npower: check\n")
        #expect(report.code == 2, "\(report.text)")
        #expect(report.text.contains("read 3 of 3 times: codes of 30 mm"), "\(report.text)")
        #expect(report.text.contains("no reader is configured") && report.text.contains("at most 55 °C"))
        #expect(report.text.contains("SHORTENED to 6 s of 60 min"))
        #expect(report.page.contains("data:image/jpeg;base64,/9j/"))
        #expect(!report.page.contains(Hex.encode(value)) && !report.text.contains(Hex.encode(value)))
        // What has ended is not asked again, unless somebody wants it.
        report = try bench.accept("day: skip again\n")
        #expect(report.code == 2 && report.text.contains("read 3 of 3 times"))
        report = try bench.accept("day: skip again\nwrong-code: check\n", ["--again", "day"])
        #expect(report.code == 1 && report.text.contains("the observer does not run"))
        #expect(report.text.contains("(attempt 2)") && !report.text.contains("read 3 of 3"))
        #expect(!report.page.contains("data:image"))
        // A record that is none is put aside.
        try bench.runner.write("{\"host\":", to: "kept/record.json")
        #expect(try bench.accept("").code == 2)
        #expect(bench.log("accept").contains("cannot be read") && bench.text("record.json.unreadable") == "{\"host\":")
        #expect(try bench.accept("", ["--anew"]).code == 2)
        #expect(try bench.accept("nonsense: 1\n").code == 78)
        #expect(bench.log("accept").contains("answers, line 1: "))
        #expect(try bench.accept("", ["--answers", bench.runner.path("none")]).code == 78)
        #expect(bench.log("accept").contains("none: cannot be read: No such file"))
        #expect(try bench.accept("day: check\n", ["--folder", bench.runner.path("none/deeper")]).code == 69)
        #expect(bench.log("accept").contains("cannot be written: No such file"))
        for wrong in [["--again", "door"], ["--heat", "0"], ["--heat", "601"], ["--cut", "0"], ["--wait", "nan"]] {
            #expect(try bench.accept("", wrong).code == 64, "\(wrong)")
        }
    }

    /// A box with two cameras: one that sees nothing fails the step, and is named.
    @Test func eachCameraOfTheBoxIsChecked() throws {
        let bench = try Bench()
        try bench.show(try #require(TestValue(edge: 30)).bytes)
        try FileManager.default.createDirectory(
            atPath: bench.runner.path("wall"), withIntermediateDirectories: true)
        func box(_ second: String) throws {
            try bench.runner.write(
                """
                state = "\(bench.runner.path("state"))"
                [[observer]]
                name = "door"
                [observer.camera]
                device = "folder:\(bench.runner.path("pictures"))"
                [[observer]]
                name = "desk"
                [observer.camera]
                device = "folder:\(bench.runner.path(second))"
                """, to: "observer.toml")
        }
        try box("wall")
        let wall = try #require(
            LumaPicture(width: 640, height: 480, pixels: [UInt8](repeating: 120, count: 640 * 480))
                .flatMap { JPEGEncoder()?.encoded($0) })
        try Data(wall).write(to: URL(filePath: bench.runner.path("wall/a.jpg")))
        var report = try bench.accept("day: check\n")
        #expect(report.code == 1 && report.text.contains("door: read 3 of 3 times: codes of 30 mm"), "\(report.text)")
        #expect(report.text.contains("desk: read 0 of 3 times; at the end: no code in view"), "\(report.text)")
        #expect(report.page.contains("door by day") && report.page.contains("desk by day"))
        try box("pictures")
        report = try bench.accept("day: check\nheat: check\n", ["--again", "day"])
        #expect(report.code == 2 && report.text.contains("desk: read 3 of 3 times"), "\(report.text)")
        #expect(report.text.contains("of looking through door, ") && report.text.contains("through desk, "))
    }

    @Test func aStartWithoutAPowerCutIsNone() throws {
        let bench = try Bench()
        // Nobody pulls the plug.
        var report = try bench.accept("power-cut: check\n")
        #expect(report.code == 2 && report.text.contains("[open   ] It comes"))
        #expect(bench.log("accept").contains("The power was not cut"))
        // The machine is shut down in order, the terminal is closed, Ctrl-C; then it starts.
        for (number, signal) in [SIGTERM, SIGHUP, SIGINT].enumerated() {
            try bench.waitForThePlug(andEndBy: signal)
            try bench.runner.write("start-2\(number)\n", to: "root/proc/sys/kernel/random/boot_id")
            report = try bench.accept("power-cut: check\n")
            #expect(report.code == 2 && report.text.contains("[open   ] It comes"), "\(report.text)")
        }
        // The program alone is killed, and the machine goes on.
        try bench.waitForThePlug(andEndBy: SIGKILL)
        report = try bench.accept("power-cut: check\n")
        #expect(report.code == 2 && report.text.contains("[open   ] It comes"))
        // Cut at last; no observer runs here.
        try bench.waitForThePlug(andEndBy: SIGKILL)
        try bench.runner.write("start-3\n", to: "root/proc/sys/kernel/random/boot_id")
        report = try bench.accept("power-cut: check\n")
        #expect(report.code == 1 && report.text.contains("not back on its network"))
        // A machine that does not number its starts.
        try FileManager.default.removeItem(atPath: bench.runner.path("root/proc/sys/kernel/random/boot_id"))
        report = try bench.accept("power-cut: check\n", ["--again", "power-cut"])
        #expect(report.code == 1 && report.text.contains("does not number its starts"))
    }

    /// What the kernel's monitor says for two seconds is remembered.
    @Test func undervoltageWhileHeatIsMeasuredIsNotForgotten() throws {
        let bench = try Bench()
        try bench.show([UInt8](repeating: 0xA5, count: 16))
        let folder = "root/usr/bin"
        try FileManager.default.createDirectory(
            atPath: bench.runner.path(folder), withIntermediateDirectories: true)
        // Low once, and never again.
        try bench.runner.write(
            "#!/bin/sh\nif [ -e \"$0.asked\" ]; then echo throttled=0x0; else : >\"$0.asked\"; echo throttled=0x1; fi\n",
            to: folder + "/vcgencmd")
        chmod(bench.runner.path(folder + "/vcgencmd"), 0o755)
        let report = try bench.accept("heat: check\npower: check\n")
        #expect(report.code == 1 && report.text.contains("[passed ] It stays cool"), "\(report.text)")
        #expect(report.text.contains("[FAILED ] The power") && report.text.contains("while heat was measured"))
        #expect(
            try bench.accept("power: check\n", ["--again", "power"]).text.contains("no undervoltage since the start"))
    }

    /// Somebody at a keyboard, who mistypes, and goes away.
    @Test func aPersonIsAskedUntilTheAnswerIsOne() throws {
        let bench = try Bench()
        let command = ([bench.runner.binaries + "/srup-observer"] + (try bench.arguments(nil))).map { "'\($0)'" }
        let typed = "skip\\nyes\\nskip dark\\nseen by me\\nskip no lamps\\nskip none\\nseen INVALID\\n"
        let code = try bench.runner.run(
            "/bin/sh", ["-c", "printf '\(typed)' | " + command.joined(separator: " ")], as: "asked", within: 120)
        #expect(code == 2)
        let log = bench.log("asked")
        #expect(log.components(separatedBy: "Enter to check, skip REASON, seen WORDS, quit:").count - 1 == 8, "\(log)")
        let text = bench.text("report.txt")
        #expect(text.contains("[skipped] The doctor") && text.contains("dark") && text.contains("seen: by me"))
        #expect(text.contains("[open   ] It stays cool"))
    }

    /// What doctor and status say of it.
    @Test func whetherItWasAcceptedIsVisible() throws {
        let bench = try Bench()
        func says(_ command: [String]) throws -> String {
            let role = "says-\(UUID().uuidString.prefix(8))"
            _ = try bench.runner.run(
                "srup-observer", command + ["--config", bench.runner.path("observer.toml")], as: role)
            return bench.log(role)
        }
        func doctor() throws -> String {
            String(
                try says(["doctor", "--offline", "--root", bench.runner.path("root")]).split(separator: "\n").first {
                    $0.contains("acceptance")
                } ?? "")
        }
        try bench.show(try #require(TestValue(edge: 30)).bytes)
        #expect(try doctor().contains("was never checked"))
        #expect(try !says(["status"]).contains("acceptance"))
        let folder = ["--folder", bench.runner.path("state/acceptance")]
        _ = try bench.accept("lamp: skip no lamps\n", folder)
        #expect(try doctor().contains("NOT COMPLETE") && doctor().contains("skipped lamp"))
        _ = try bench.accept("wrong-code: check\n", folder)
        #expect(try doctor().contains("NOT ACCEPTED") && doctor().contains("wrong-code"))
        let all = AcceptanceStep.allCases.map { "\($0.rawValue): seen it\n" }.joined()
        #expect(try bench.accept(all, folder + ["--anew"]).code == 0)
        #expect(
            try doctor().hasPrefix("ok")
                && doctor().contains("ACCEPTED: every step has passed (of 8, 8 by somebody's word)"))
        #expect(try says(["status", "--json"]).contains("\"acceptance\":\"ACCEPTED"))
        // The doctor's step of another check is not concerned with it.
        try bench.runner.write("{", to: "state/acceptance/record.json")
        #expect(try doctor().contains("cannot be read"))
        let text = try String(contentsOfFile: bench.runner.path("observer.toml"), encoding: .utf8)
        try bench.runner.write(text + "[appliance]\nacceptance = true\n", to: "observer.toml")
        _ = try bench.accept(all, folder + ["--anew"])
        #expect(
            try says(["doctor", "--offline", "--root", bench.runner.path("root")]).contains(
                "take acceptance = true out"))
        #expect(try bench.accept("", ["--sheet"]).code == 64, "cards or a file")
    }
}
