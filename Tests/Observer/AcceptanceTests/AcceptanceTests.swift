import Acceptance
import CodeWriter
import Foundation
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

    /// The real programs: what a folder shows is read, the machine is measured, what is not there is said.
    @Test func aCheckGoesOnWhereItWas() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        for folder in ["pictures", "state", "root/proc/sys/kernel/random", "root/sys/class/thermal/thermal_zone0"] {
            try FileManager.default.createDirectory(atPath: runner.path(folder), withIntermediateDirectories: true)
        }
        try runner.write("start-1\n", to: "root/proc/sys/kernel/random/boot_id")
        try runner.write("55000\n", to: "root/sys/class/thermal/thermal_zone0/temp")
        try runner.write(
            "state = \"\(runner.path("state"))\"\n[camera]\ndevice = \"folder:\(runner.path("pictures"))\"\n",
            to: "observer.toml")
        let value = try #require(TestValue(edge: 30)).bytes
        try runner.must(
            "/usr/bin/env",
            ["qrencode", "-s", "6", "-l", "M", "-o", runner.path("pictures/a.png"), Hex.encode(value)], as: "code")
        func accept(_ answers: String, _ more: [String] = []) throws -> (code: Int32, text: String, page: String) {
            try runner.write(answers, to: "answers")
            let code = try runner.run(
                "srup-observer",
                [
                    "accept", "--config", runner.path("observer.toml"), "--folder", runner.path("kept"), "--answers",
                    runner.path("answers"), "--root", runner.path("root"), "--wait", "3", "--heat", "0", "--verdict",
                    "0",
                ] + more, as: "accept", within: 300)
            func text(_ name: String) -> String {
                (try? String(contentsOfFile: runner.path("kept/" + name), encoding: .utf8)) ?? ""
            }
            return (code, text("report.txt"), text("report.html"))
        }
        var report = try accept(
            "day: check\nlamp: skip no lamps\ntap: check\nheat: check\npower: check\npower-cut: check\n")
        #expect(report.code == 2)
        #expect(report.text.contains("read 3 of 3 times: codes of 30 mm"), "\(report.text)")
        #expect(report.text.contains("no reader is configured") && report.text.contains("at most 55 °C"))
        #expect(report.page.contains("data:image/jpeg;base64,/9j/"))
        #expect(!report.page.contains(Hex.encode(value)) && !report.text.contains(Hex.encode(value)))
        // What has ended is not asked again; the power cut is over only after another start.
        report = try accept("day: skip again\npower-cut: check\n")
        #expect(
            report.code == 2 && report.text.contains("read 3 of 3 times") && report.text.contains("[open   ] It comes"))
        try runner.write("start-2\n", to: "root/proc/sys/kernel/random/boot_id")
        report = try accept("power-cut: check\nwrong-code: check\n")
        #expect(report.code == 1 && report.text.contains("not back on its network"))
        #expect(report.text.contains("the observer does not run"))
        #expect(try accept("", ["--anew"]).code == 2)
        #expect(try accept("nonsense: 1\n").code == 78)
    }
}
