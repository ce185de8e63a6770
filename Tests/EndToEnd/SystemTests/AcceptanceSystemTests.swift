import CodeWriter
import Foundation
import Linux
import ObservedValue
import Program
import Synchronization
import TestProcesses
import Testing

/// "srup-observer accept" from its first step to its last: a real network, the real observer with a camera and a reader, drawn scenes,
/// the real libnfc on simulated chips, and a machine's files that say what a Pi's say.
@Suite(.serialized) struct AcceptanceSystemTests {
    /// A mounted box with its surroundings.
    private struct Bench {
        let runner: ProgramRunner
        let loopback: LoopbackNetwork
        let readers: SimulatedReaders
        let camera: String

        static func with(_ more: String = "", _ body: (Bench) throws -> Void) throws {
            let runner = try ProgramRunner()
            defer { runner.close() }
            let loopback = try LoopbackNetwork(runner)
            try loopback.startServer(["--policy", "sensor=observed", "--tries", "1", "--observation-timeout", "60"])
            let bench = Bench(
                runner: runner, loopback: loopback,
                readers: try loopback.startReaders(["observer", "device"], ["--immediate"]),
                camera: try loopback.makeCamera("camera"))
            try loopback.bringObserver(
                eyes:
                    "[camera]\ndevice = \"fifo:\(bench.camera)\"\n[nfc]\ndevice = \"\(bench.readers.connstring("observer"))\"",
                settings: LoopbackNetwork.patient + more)
            try bench.machine("/proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.5\0")
            try bench.machine("/proc/sys/kernel/hostname", "door-3\n")
            try bench.machine("/proc/sys/kernel/random/boot_id", "11111111-0000-4000-8000-000000000000\n")
            try bench.machine("/proc/stat", "cpu 1 2 3\nbtime 1790000000\n")
            try bench.machine("/sys/class/thermal/thermal_zone0/temp", "52100\n")
            try bench.vcgencmd("0x0")
            try body(bench)
        }

        func machine(_ path: String, _ text: String, mode: Int = 0o644) throws {
            let whole = runner.path("root" + path)
            try FileManager.default.createDirectory(
                atPath: (whole as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try text.write(toFile: whole, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: whole)
        }

        func vcgencmd(_ bits: String) throws {
            try machine(
                "/usr/bin/vcgencmd", "#!/bin/sh\ntest \"$*\" = get_throttled && echo throttled=\(bits)\n", mode: 0o755)
        }

        private func arguments(_ answers: String, _ more: [String]) throws -> [String] {
            try runner.write(answers, to: "answers")
            return [
                "accept", "--config", runner.path("observer.toml"), "--folder", runner.path("kept"), "--answers",
                runner.path("answers"), "--root", runner.path("root"), "--wait", "8", "--heat", "0.1", "--verdict",
                "60",
            ] + more
        }

        func accept(_ answers: String, _ more: [String] = []) throws -> Int32 {
            try runner.run("srup-observer", try arguments(answers, more), as: "accept", within: 300)
        }

        func start(_ answers: String, as role: String, _ more: [String] = []) throws {
            try runner.start("srup-observer", try arguments(answers, more), as: role)
        }

        func wait(for role: String, within seconds: Double = 120, _ condition: () -> Bool) throws {
            let deadline = EventFollower.clock() + seconds
            while EventFollower.clock() < deadline {
                if condition() { return }
                usleep(50_000)
            }
            throw ProgramRunner.Failure(description: "\(role) goes on and on:\n\(runner.tail(of: role))")
        }

        /// What the service srup-accept runs.
        func startSheet(as role: String, _ more: [String] = []) throws {
            try runner.start(
                "srup-observer",
                [
                    "accept", "--sheet", "--config", runner.path("observer.toml"), "--root", runner.path("root"),
                    "--wait", "8", "--heat", "0.1", "--verdict", "60",
                ] + more, as: role)
        }

        /// A picture of a text as a code.
        func draw(_ text: String) throws -> String {
            let picture = runner.path("card-\(text).png")
            if !FileManager.default.fileExists(atPath: picture) {
                try runner.must("/usr/bin/env", ["qrencode", "-s", "8", "-l", "M", "-o", picture, text], as: "card")
            }
            return picture
        }

        /// A card before the camera until the check says something, and then away.
        func hold(_ command: SheetCommand, until words: String, in role: String) throws {
            let before = log(role).ranges(of: words).count
            // Nobody is faster; a card that is there when the eyes look again is taken for the one before.
            usleep(2_500_000)
            try loopback.startScene(on: camera, picture: try draw(command.text))
            try wait(for: role) { log(role).ranges(of: words).count > before }
            runner.stop("scene")
        }

        /// Lines of text that were wrapped are one line again.
        func report(_ name: String = "report.txt") -> String {
            // Cards have the usual folder, answers one of their own.
            let text =
                ["kept/", "observer/acceptance/"].lazy.compactMap {
                    try? String(contentsOfFile: runner.path($0 + name), encoding: .utf8)
                }.first ?? ""
            return text.replacing("\n          ", with: " ")
        }

        func log(_ role: String) -> String {
            (try? String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)) ?? ""
        }

        func status() -> String {
            _ = try? runner.run("srup-observer", ["status", "--config", runner.path("observer.toml")], as: "status")
            return log("status")
        }

        /// A device that shows a value, before the camera.
        func show(_ value: [UInt8]) throws {
            runner.stop("scene")
            let picture = runner.path("shown-\(value[0])-\(value[15]).png")
            try runner.must("srup-device", ["show", Hex.encode(value), "--present", "png:\(picture)"], as: "show")
            try loopback.startScene(on: camera, picture: picture)
        }

        func tap(_ value: [UInt8]) throws {
            try runner.start(
                "srup-witness",
                ["nfc", "write", "--keep", "--device", readers.connstring("device"), Hex.encode(value)],
                as: "tapping")
            try readers.tell("near observer device")
        }

        func noTap() throws {
            runner.stop("tapping")
            try readers.tell("apart")
        }

        /// A device asks to join, and another code is held up in its place.
        func showWrongCode(_ name: String) throws {
            runner.stop("scene")
            try loopback.registerDevice(name, type: "sensor")
            let other = runner.path("other.png")
            try runner.must(
                "srup-device", ["show", Hex.encode((0..<16).map { 0xA0 + $0 }), "--present", "png:\(other)"],
                as: "other")
            try loopback.showLater(other, on: camera, before: name) { try loopback.startDevice(name) }
        }
    }

    private static let sheet = TestValue(edge: 30)?.bytes ?? []
    private static let tapped = (0..<16).map { UInt8(0xB0 + $0) }

    @Test func aBoxThatIsWellPassesEveryStepAndComesBackAfterThePowerWasCut() throws {
        try Bench.with { bench in
            // Doctor and readings.
            try bench.show(Self.sheet)
            #expect(try bench.accept("doctor: check\nday: check\nlamp: check\n") == 2, "\(bench.report())")
            for line in [
                "box         door-3", "[passed ] The doctor finds nothing wrong",
                "[passed ] The test sheet is read three times by day",
                "[passed ] The test sheet is read three times by lamplight", "read 3 of 3 times: codes of 30 mm",
                "NOT COMPLETE",
            ] { #expect(bench.report().contains(line), "\(line)\n\(bench.report())") }

            // A tap, while it listens.
            try bench.start("tap: check\n", as: "tap")
            try bench.tap(Self.tapped)
            try bench.wait(for: "tap") { !bench.runner.isRunning("tap") }
            #expect(bench.report().contains("[passed ] A tap at the mark is read"), "\(bench.report())")
            try bench.noTap()

            // A wrong code.
            try bench.start("wrong-code: check\n", as: "wrong")
            try bench.showWrongCode("wrong-device")
            try bench.wait(for: "wrong") { !bench.runner.isRunning("wrong") }
            #expect(bench.report().contains("[passed ] A wrong code gives INVALID"), "\(bench.report())")

            // Heat, shortened, and power.
            try bench.show(Self.sheet)
            #expect(try bench.accept("heat: check\npower: check\n") == 2)
            let text = bench.report()
            #expect(text.contains("SHORTENED to 6 s of 60 min: at most 52 °C in 6 s of looking, "), "\(text)")
            #expect(text.contains("no undervoltage since the start (vcgencmd)"))

            // The plug is pulled: nobody says goodbye.
            try bench.start("power-cut: check\n", as: "cut")
            try bench.wait(for: "cut") { bench.log("cut").contains("Pull the plug now") }
            bench.runner.kill9("cut")
            bench.runner.kill9("observer")
            try bench.machine("/proc/sys/kernel/random/boot_id", "22222222-0000-4000-8000-000000000000\n")
            try bench.loopback.startObserver("observer")
            #expect(try bench.accept("power-cut: check\n") == 0, "\(bench.report())")
            let report = bench.report()
            #expect(report.contains("ACCEPTED: every step has passed (of 8, 1 shortened)"))
            #expect(report.contains("[passed ] It comes back after a power cut"))
            #expect(report.contains("stopped by force after ") && report.contains("started anew 2026-09-21T14:13:20Z"))
            #expect(report.contains(bench.loopback.identities["observer"] ?? "?"))

            // Nothing that was shown or tapped stands in it, and its pictures hold no code.
            let page = bench.report("report.html")
            for value in [Self.sheet, Self.tapped] {
                #expect(!page.contains(Hex.encode(value)) && !report.contains(Hex.encode(value)))
            }
            let pictures = page.matches(of: /data:image\/jpeg;base64,([A-Za-z0-9+\/=]+)/).map { $0.output.1 }
            #expect(pictures.count == 2)
            for (index, picture) in pictures.enumerated() {
                let path = bench.runner.path("blanked-\(index).jpg")
                try #require(Data(base64Encoded: String(picture))).write(to: URL(fileURLWithPath: path))
                #expect(try bench.runner.run("srup-witness", ["scan", path], as: "scan") == 1)
            }
            // To be looked at, where somebody asks for it.
            if let folder = ProcessInfo.processInfo.environment["SRUP_KEEP_REPORT"] {
                try page.write(toFile: folder + "/accepted.html", atomically: true, encoding: .utf8)
                try report.write(toFile: folder + "/accepted.txt", atomically: true, encoding: .utf8)
            }
        }
    }

    @Test func aBoxThatIsNotWellFailsStepByStepWithTheReason() throws {
        try Bench.with { bench in
            func fails(_ step: String, _ words: String, _ more: [String] = []) throws {
                let code = try bench.accept("\(step): check\n", ["--again", step] + more)
                #expect(code == 1 && bench.report().contains(words), "\(step), \(words):\n\(bench.report())")
            }
            // Nothing in view; another code in view; a sheet that is taken away.
            try bench.loopback.startScene(on: bench.camera, picture: nil)
            try fails("day", "read 0 of 3 times; at the end: no code in view", ["--wait", "2"])
            try bench.show((0..<16).map { 0xC0 + $0 })
            try fails("lamp", "read 0 of 3 times; at the end a code was read that is none", ["--wait", "2"])
            bench.runner.stop("scene")
            try fails("day", "read 0 of 3 times; at the end: no picture", ["--wait", "2"])

            // No tap; one of a poster without a value.
            try fails("tap", "no tap was read in 2 s", ["--wait", "2"])
            try bench.readers.tell("tag poster type2 D1010654026" + "56E746167")
            try bench.readers.tell("near observer poster")
            try fails("tap", "what was tapped holds no value", ["--wait", "4"])
            try bench.readers.tell("apart")

            // A code that is right gives VALID.
            try bench.loopback.registerDevice("right", type: "sensor")
            try bench.loopback.startScene(on: bench.camera, picture: bench.loopback.picture("right"))
            try bench.start("wrong-code: check\n", as: "wrong", ["--verdict", "20"])
            try bench.loopback.startDevice("right")
            try bench.wait(for: "wrong") { !bench.runner.isRunning("wrong") }
            #expect(bench.report().contains("no INVALID in 20 s; it has answered VALID"), "\(bench.report())")
            bench.runner.stop("right")

            // Heat; a camera that is gone; undervoltage.
            try bench.machine("/sys/class/thermal/thermal_zone0/temp", "84000\n")
            try fails("heat", "at most 84 °C: the processor slows down")
            try fails("doctor", "temperature: 84 °C")
            try bench.machine("/sys/class/thermal/thermal_zone0/temp", "52000\n")
            bench.runner.stop("scene")
            try fails("heat", "0 pictures: the camera gave none")
            try bench.vcgencmd("0x50005")
            try fails("power", "undervoltage now (vcgencmd)")
            try bench.vcgencmd("0x50000")
            try fails("power", "undervoltage since the start (vcgencmd)")

            // It is not back after the cut.
            try bench.start("power-cut: check\n", as: "cut")
            try bench.wait(for: "cut") { bench.log("cut").contains("Pull the plug now") }
            bench.runner.kill9("cut")
            bench.runner.kill9("observer")
            try bench.machine("/proc/sys/kernel/random/boot_id", "22222222-0000-4000-8000-000000000000\n")
            #expect(try bench.accept("power-cut: check\n", ["--verdict", "1"]) == 1)
            #expect(bench.report().contains("it is not back on its network"))
            #expect(bench.report().contains("NOT ACCEPTED: a step has failed"))
        }
    }

    /// Without terminal, file of answers or login: what is before the camera drives all of it, over a power cut.
    @Test func cardsBeforeTheCameraDriveTheCheck() throws {
        try Bench.with("\n[appliance]\nacceptance = true\n") { bench in
            let lamp = LampFollower(bench.runner.path("observer/signal.sock"))
            defer { lamp.stop() }
            try bench.startSheet(as: "sheet")
            // A card that is none of the beginning; then the beginning, and the doctor by itself.
            try bench.hold(.check, until: "card: check", in: "sheet")
            #expect(bench.report().isEmpty)
            try bench.hold(.begin, until: "card: begin", in: "sheet")
            try bench.show(Self.sheet)
            try bench.wait(for: "sheet") {
                bench.report().contains("] The doctor finds nothing wrong") && lamp.has("step2")
            }
            #expect(bench.report().contains("[passed ] The doctor"), "\(bench.report())")
            bench.runner.stop("scene")

            // By day: the card, then the sheet.
            try bench.hold(.check, until: "step 2, The test sheet is read three times by day", in: "sheet")
            try bench.show(Self.sheet)
            try bench.wait(for: "sheet") { lamp.has("step3") }
            #expect(bench.report().contains("read 3 of 3 times: codes of 30 mm"), "\(bench.report())")
            bench.runner.stop("scene")
            // By lamplight nothing is held up: it fails, and is left as it is.
            try bench.hold(.check, until: "step 3, The test sheet is read three times by lamplight", in: "sheet")
            try bench.wait(for: "sheet") { lamp.has("step-failed") }
            #expect(bench.report().contains("[FAILED ] The test sheet is read three times by lamplight"))
            try bench.hold(.skip, until: "card: skip", in: "sheet")
            // A tap, and a wrong code, are left out and confirmed.
            try bench.hold(
                .skip, until: "step 4, A tap at the mark is read: skipped, skipped by the sheet", in: "sheet")
            // The wait for INVALID is ended by a card.
            try bench.hold(.check, until: "step 5, A wrong code gives INVALID", in: "sheet")
            try bench.hold(
                .seen, until: "step 5, A wrong code gives INVALID: passed, seen: confirmed by the sheet", in: "sheet")
            // Heat, shortened, and power by itself.
            try bench.hold(.check, until: "step 6, It stays cool", in: "sheet")
            try bench.loopback.startScene(on: bench.camera, picture: nil)
            try bench.wait(for: "sheet") { lamp.has("step8") }
            bench.runner.stop("scene")
            // The plug is pulled; nobody says anything to it afterwards.
            try bench.hold(.check, until: "Pull the plug now", in: "sheet")
            try bench.wait(for: "sheet") { lamp.has("unplug") }
            bench.runner.kill9("sheet")
            bench.runner.kill9("observer")
            try bench.machine("/proc/sys/kernel/random/boot_id", "22222222-0000-4000-8000-000000000000\n")
            try bench.loopback.startObserver("observer")
            try bench.startSheet(as: "after")
            try bench.wait(for: "after") { bench.log("after").contains("NOT ACCEPTED: a step has failed") }
            let report = bench.report()
            for line in [
                "[passed ] The doctor finds nothing wrong", "[skipped] A tap at the mark is read",
                "skipped by the sheet",
                "[passed ] It comes back after a power cut", "SHORTENED", "seen: confirmed by the sheet",
            ] { #expect(report.contains(line), "\(line)\n\(report)") }
            // What failed or was left out comes again; the tag is tapped, which is all that is said of it.
            try bench.hold(.begin, until: "card: begin", in: "after")
            try bench.hold(.check, until: "step 3, The test sheet is read three times by lamplight", in: "after")
            try bench.show(Self.sheet)
            try bench.wait(for: "after") {
                bench.report().contains("[passed ] The test sheet is read three times by lamplight")
            }
            bench.runner.stop("scene")
            try bench.hold(.check, until: "step 4, A tap at the mark is read", in: "after")
            try bench.tap(Self.tapped)
            try bench.wait(for: "after") {
                bench.log("after").contains("ACCEPTED: every step has passed (of 8, 1 by somebody's word, 1 shortened)")
            }
            // No verdict was given for anything that was held up or tapped.
            #expect(bench.status().contains("VALID 0, INVALID 0, FAILED 0"), "\(bench.status())")
            #expect(bench.status().contains("acceptance  ACCEPTED: every step has passed"))
        }
    }

    /// Where nothing is said of acceptance, a card is nothing: to the observer, to the lamp, on the disk.
    @Test func whereItIsOffACardIsNothing() throws {
        try Bench.with { bench in
            try bench.startSheet(as: "sheet")
            try bench.wait(for: "sheet") { !bench.runner.isRunning("sheet") }
            #expect(bench.log("sheet").contains("no card drives an acceptance check here"))
            #expect(!FileManager.default.fileExists(atPath: bench.runner.path("observer/acceptance")))
            #expect(!FileManager.default.fileExists(atPath: bench.runner.path("observer/acceptance.sock")))
            // Beside the device's own code: it is VALID as ever; alone: FAILED, since nothing was shown.
            try bench.loopback.registerDevice("one", type: "sensor")
            try bench.loopback.startScene(on: bench.camera, picture: try bench.draw(SheetCommand.check.text))
            try bench.loopback.startDevice("one")
            try bench.loopback.events.wait(for: "observer", ["verdict"], within: 60)
            #expect(bench.status().contains("VALID 0, INVALID 0, FAILED 1"), "\(bench.status())")
        }
    }

    /// While the check is on, a card in a device's place is neither VALID nor INVALID.
    @Test func whereItIsOnACardIsNoVerdictEither() throws {
        try Bench.with("\n[appliance]\nacceptance = true\n") { bench in
            try bench.startSheet(as: "sheet")
            try bench.loopback.registerDevice("one", type: "sensor")
            try bench.loopback.startScene(on: bench.camera, picture: try bench.draw(SheetCommand.end.text))
            try bench.loopback.startDevice("one")
            try bench.loopback.events.wait(for: "observer", ["verdict"], within: 60)
            #expect(bench.status().contains("VALID 0, INVALID 0, FAILED 1"), "\(bench.status())")
        }
    }
}

/// What a lamp hears.
private final class LampFollower: Sendable {
    private let heard = Mutex<[String]>([])
    private let isStopping = Mutex(false)

    init(_ path: String) {
        DetachedThread.start {
            let listener = SignalListener()
            while !self.isStopping.withLock({ $0 }) {
                if !listener.isConnected { listener.connect(toAny: [path]) }
                guard listener.isConnected else {
                    usleep(50_000)
                    continue
                }
                let words = listener.words(within: 100)
                self.heard.withLock { $0 += words }
            }
        }
    }

    func has(_ word: String) -> Bool { heard.withLock { $0.contains(word) } }
    func stop() { isStopping.withLock { $0 = true } }
}
