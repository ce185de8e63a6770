import ArgumentParser
import Foundation
import Program
import TestProcesses
import Synchronization

@main
struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "srup-demo",
        abstract: "An observed join on this machine, from registration to verdict, told as it happens.",
        discussion: """
            Starts a key service, a broker, a C2 server, an observer and three joining devices on loopback, in a temporary \
            folder. The observer's camera sees a drawn scene in which the device's picture appears, tilts and turns noisy; \
            with --camera it is a real camera, and you hold the code in front of it. With --nfc the devices tap: the real \
            libnfc drives simulated PN532 chips; with --reader and --device-reader they are real ones, and you tap.
            With --people there is no observer: a device shows words in this terminal, and you let it in on the operator's page.
            With --update twenty devices are updated: a good release, a bad one, and a rollout that stops by itself.
            With --cells three cells share a PostgreSQL database: servers are killed and frozen, and others take their place.

            Exit codes: 0 the three verdicts (or updates) came out as they must, 1 they did not, 128 and the signal's number: it was \
            stopped (141: nobody reads what it tells). Nothing is left running then, and of the folder nothing but with --keep.
            """)

    @Option(help: ArgumentHelp("Use this camera instead of the drawn scene (/dev/video0, auto).", valueName: "camera"))
    var camera: String?
    @Flag(help: "By tap instead of by camera.")
    var nfc = false
    @Option(
        help: ArgumentHelp("With --nfc: the observer's reader, such as pn532_i2c:/dev/i2c-1.", valueName: "connstring"))
    var reader: String?
    @Option(
        help: ArgumentHelp(
            "With --nfc: the joining devices' reader, such as pn532_uart:/dev/ttyUSB0.", valueName: "connstring"))
    var deviceReader: String?
    @Flag(help: "Let a device in yourself, on the operator's page.")
    var people = false
    @Flag(help: "Update devices: a good release, a bad one, and a rollout that stops by itself.")
    var update = false
    @Flag(help: "Three cells on a PostgreSQL database: a server is killed, another takes its place.")
    var cells = false
    @Option(help: "With --cells: how often a server is killed.")
    var kills = 4
    @Option(help: ArgumentHelp("Keep everything (logs, state, pictures) in this folder.", valueName: "dir"))
    var keep: String?

    func validate() throws {
        guard (reader == nil) == (deviceReader == nil) else {
            throw ValidationError("--reader and --device-reader belong together: one reader for each side")
        }
        guard nfc || reader == nil else { throw ValidationError("--reader is for --nfc") }
        guard !people || (!nfc && camera == nil) else {
            throw ValidationError("--people has no observer: leave --nfc and --camera away")
        }
        guard !update || (!nfc && camera == nil && !people) else {
            throw ValidationError("--update has no observer: leave --nfc, --camera and --people away")
        }
        guard (1...1000).contains(kills) else { throw ValidationError("--kills must be from 1 to 1000") }
        guard !cells || (!nfc && camera == nil && !people && !update) else {
            throw ValidationError("--cells is a demo of its own: leave the others away")
        }
        guard !nfc || camera == nil else { throw ValidationError("--nfc and --camera exclude each other") }
    }

    /// Whether somebody has to lend a hand.
    private var isByHand: Bool { camera != nil || reader != nil }

    /// What the observer looks with, and how it comes to see something.
    private enum Eye {
        case camera(fifo: String)
        case readers(SimulatedReaders?, observer: String, device: String)
    }

    /// One of the three joins.
    struct Act {
        let title: String
        let device: String
        /// What the observer gets to see: the device's own value, another, or none.
        let shows: Shown
        let expected: String
        enum Shown { case itself, impostor, nothing }
    }

    struct Outcome {
        let act: Act
        let verdicts: [String]
        let admitted: Bool
        let seconds: Double
    }

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        // Ctrl-C, a terminal that is closed, and a service manager leave nothing running either. Before the runner, which
        // starts threads.
        let curtain = Mutex<(runner: ProgramRunner?, isFalling: Bool)>((nil, false))
        StopSignals.whenOneComes { number in
            let runner = curtain.withLock { curtain in
                curtain.isFalling = true
                return curtain.runner
            }
            runner?.close()
            _exit(128 + number)
        }
        // One step for the handler: from the moment that there is a folder, it knows whose.
        let runner = try curtain.withLock { curtain in
            let runner = try ProgramRunner(keeping: keep)
            curtain.runner = runner
            return runner
        }
        defer { runner.close() }
        do {
            try play(runner)
        } catch {
            // What fails because all is being ended is no failure; the other thread ends us.
            while curtain.withLock({ $0.isFalling }) { pause() }
            guard let failure = error as? ProgramRunner.Failure else { throw error }
            FileHandle.standardError.write(Data("error: \(failure.description)\n".utf8))
            throw ExitCode(1)
        }
    }

    private func play(_ runner: ProgramRunner) throws {
        let loopback = try LoopbackNetwork(runner)
        let story = Narrator {
            // Nobody reads it any more: as if SIGPIPE had ended it.
            runner.close()
            _exit(128 + SIGPIPE)
        }
        guard !cells else { return try CellsDemo(runner: runner, story: story, kills: kills).play() }
        guard !people else { return try PeopleDemo(loopback: loopback, story: story).play() }
        guard !update else { return try UpdateDemo(loopback: loopback, story: story).play() }
        story.chapter("Setting the stage")
        try loopback.prepare()
        story.say("keys and certificates made: an authority, the key service's, the broker's, the C2 server's")
        try loopback.startKeyService()
        story.say("the key service listens on https://localhost:\(loopback.keyServicePort)")
        try loopback.startBroker()
        story.say(
            "the broker (Mosquitto) listens on port \(loopback.brokerPort): TLS, client certificates, access by identity"
        )
        try loopback.startC2([
            "--policy", "sensor=observed", "--tries", "2", "--observation-timeout", "20",
        ])
        story.say("the C2 server is connected; sensors must be observed, it says")
        let eye = try makeEye(loopback, story)
        try loopback.registerObserver(
            "observer", eyes: table(eye),
            settings: """
                [observe]
                timeout = "\(isByHand ? 30 : 8) s"
                invalid_after = "2 s"
                display_time = "2 s"
                settle = "1 s"
                """)
        try loopback.trust("observer")
        try loopback.startObserver("observer")
        try loopback.events.wait(for: "observer", ["joined"], within: 20)
        story.say("the observer \(loopback.identities["observer"] ?? "?") is registered, trusted and joined")

        let acts = [
            Act(title: "Act 1: the device shows its own value", device: "device-1", shows: .itself, expected: "VALID"),
            Act(
                title: "Act 2: something else shows another value", device: "device-2", shows: .impostor,
                expected: "INVALID"),
            Act(title: "Act 3: nothing is shown", device: "device-3", shows: .nothing, expected: "FAILED"),
        ]
        let outcomes = try acts.map { try perform($0, loopback, story, eye) }
        show(outcomes, story)
        guard
            outcomes.allSatisfy({ $0.verdicts.last == $0.act.expected && $0.admitted == ($0.act.expected == "VALID") })
        else { throw ProgramRunner.Failure(description: "a verdict is not what it must be") }
        story.chapter("What to try next")
        for line in Self.next { story.tell("  " + line) }
    }

    private static let next = [
        "deploy/demo --camera /dev/video0    the same before a real camera: hold a phone with the code into it",
        "deploy/demo --nfc                   the same by tap",
        "deploy/demo --people                let a device in yourself, on the operator's page",
        "README.md                           a network of your own on this machine, in a dozen lines",
        "docs/run-a-network.md               the same with real machines; deploy/README.md for a Raspberry Pi",
    ]

    private func makeEye(_ loopback: LoopbackNetwork, _ story: Narrator) throws -> Eye {
        guard nfc else { return .camera(fifo: try loopback.makeCamera("camera")) }
        if let reader, let deviceReader { return .readers(nil, observer: reader, device: deviceReader) }
        let readers = try loopback.startReaders(["observer", "device", "other"])
        story.say(
            "three simulated PN532 readers are there, the real libnfc drives them: observer's, device's, another's")
        return .readers(readers, observer: readers.connstring("observer"), device: readers.connstring("device"))
    }

    private func table(_ eye: Eye) -> String {
        switch eye {
        case .camera(let fifo): "[camera]\ndevice = \"\(camera ?? "fifo:\(fifo)")\""
        case .readers(_, let observer, _): "[nfc]\ndevice = \"\(observer)\""
        }
    }

    private func perform(_ act: Act, _ loopback: LoopbackNetwork, _ story: Narrator, _ eye: Eye) throws -> Outcome {
        story.chapter(act.title)
        let begin = EventFollower.clock()
        try loopback.registerDevice(act.device, type: "sensor")
        story.say("\(act.device) has made its identity: \(loopback.identities[act.device] ?? "?")")
        let value = (0..<16).map { _ in String(format: "%02x", UInt8.random(in: 0...255)) }.joined()
        switch eye {
        case .camera(let fifo):
            try prepareScene(act, value, loopback, story, fifo)
            try loopback.startDevice(act.device)
        case .readers(_, _, let device):
            if isByHand {
                story.say(
                    act.shows == .nothing ? "keep the readers apart" : "bring the two readers together when it presents"
                )
            }
            // The impostor's value comes from another reader; by hand, from the same one.
            try loopback.startDevice(
                act.device, present: act.shows == .impostor && isByHand ? "terminal" : "nfc:\(device)")
        }
        var verdicts: [String] = []
        let tell: (ProgramEvent) -> Void = { event in
            if event.who == "observer" && event.name == "verdict" { verdicts.append(event.details["verdict"] ?? "?") }
            if let words = Narrator.words(event, byTap: nfc) { story.say(words, at: event.time) }
            if event.who == act.device && event.name == "showing" { try? tap(act, value, loopback, story, eye) }
            if event.who == "observer" && event.name == "looking" { try? slip(act, loopback, story) }
        }
        let end = try loopback.events.wait(
            for: act.device, ["joined", "not-let-in"], since: begin, within: isByHand ? 150 : 60, each: tell)
        // The observer's own last words may follow the server's.
        usleep(50_000)
        loopback.events.news().forEach(tell)
        loopback.runner.stop(act.device)
        loopback.runner.stop("scene")
        loopback.runner.stop("impostor")
        if case .readers(let readers?, _, _) = eye { try readers.tell("apart") }
        return Outcome(act: act, verdicts: verdicts, admitted: end.name == "joined", seconds: end.time - begin)
    }

    private func prepareScene(
        _ act: Act, _ value: String, _ loopback: LoopbackNetwork, _ story: Narrator, _ fifo: String
    ) throws {
        let impostor = Self.impostor(act, loopback)
        if act.shows == .impostor {
            try loopback.runner.must("srup-device", ["show", value, "--present", "png:\(impostor)"], as: "impostor")
        }
        if camera == nil {
            let picture: String? =
                switch act.shows {
                case .itself: loopback.picture(act.device)
                // It comes into view while the observer looks (see ``slip``).
                case .impostor: impostor + ".shown"
                case .nothing: nil
                }
            try loopback.startScene(on: fifo, picture: picture, ["--script", "demo"])
        } else {
            switch act.shows {
            case .itself:
                story.say("hold \(loopback.picture(act.device)) (open it on a phone, say) in front of the camera")
            case .impostor: story.say("hold \(impostor) in front of the camera: it is another device's code")
            case .nothing: story.say("show nothing to the camera")
            }
        }
    }

    private static func impostor(_ act: Act, _ loopback: LoopbackNetwork) -> String {
        loopback.runner.path("\(act.device)-impostor.png")
    }

    /// What was in view before would be furniture to the observer: the impostor's picture comes a moment later.
    private func slip(_ act: Act, _ loopback: LoopbackNetwork, _ story: Narrator) throws {
        guard case .impostor = act.shows, !nfc, camera == nil else { return }
        let picture = Self.impostor(act, loopback)
        guard !FileManager.default.fileExists(atPath: picture + ".shown") else { return }
        usleep(1_500_000)
        story.say("somebody holds another device's code in front of the camera")
        try FileManager.default.moveItem(atPath: picture, toPath: picture + ".shown")
    }

    /// The device presents: bring it to the reader, or another in its place.
    private func tap(_ act: Act, _ value: String, _ loopback: LoopbackNetwork, _ story: Narrator, _ eye: Eye) throws {
        guard case .readers(let readers, _, let device) = eye else { return }
        switch act.shows {
        case .nothing: break
        case .itself:
            guard let readers else { return }
            story.say("the device is brought to the observer's reader")
            try readers.tell("near observer device")
        case .impostor:
            let other = readers?.connstring("other") ?? device
            try loopback.runner.start(
                "srup-witness", ["nfc", "write", "--keep", "--device", other, value], as: "impostor")
            guard let readers else { return }
            story.say("something else is brought to the observer's reader, with a value of its own")
            try readers.tell("near observer other")
        }
    }

    private func show(_ outcomes: [Outcome], _ story: Narrator) {
        func row(_ columns: [String]) -> String {
            zip(columns, [10, 34, 18, 10, 8]).map {
                $0.padding(toLength: max($1, $0.count), withPad: " ", startingAt: 0)
            }
            .joined(separator: "  ")
        }
        story.tell(
            "\n" + row(["device", nfc ? "at the reader" : "before the camera", "verdicts", "joined", "seconds"]))
        for outcome in outcomes {
            let shown =
                switch outcome.act.shows {
                case .itself: "its own value"
                case .impostor: "another value"
                case .nothing: "nothing"
                }
            story.tell(
                row([
                    outcome.act.device, shown, outcome.verdicts.joined(separator: ", "),
                    outcome.admitted ? "yes" : "no",
                    String(format: "%.1f", outcome.seconds),
                ]))
        }
    }
}

/// Tells in plain words what happens, with the time since the beginning and since the line before.
final class Narrator {
    private let start = EventFollower.clock()
    private var last = EventFollower.clock()
    private let whenDeaf: () -> Void

    /// - Parameter whenDeaf: called when nobody reads what is told.
    init(whenDeaf: @escaping () -> Void) {
        self.whenDeaf = whenDeaf
    }

    func tell(_ line: String) {
        print(line)
        if fflush(nil) != 0 { whenDeaf() }
    }

    func say(_ text: String, at time: Double = EventFollower.clock()) {
        let stamp = String(format: "%7.3f s  +%6.3f s", max(0, time - start), max(0, time - last))
        last = max(last, time)
        tell("\(stamp)  \(text)")
    }

    func chapter(_ title: String) {
        tell("\n\(title)")
    }

    static func words(_ event: ProgramEvent, byTap: Bool) -> String? {
        let details = event.details
        switch (event.who, event.name) {
        case ("c2", "join-requested"):
            return details["kind"] == "JOIN_REQUEST"
                ? "the device asks the C2 server to let it in (a simple join)"
                : "the device asks again, for an observed join"
        case ("c2", "join-answered"):
            switch details["status"] {
            case "JOIN_SUCCESS": return "the C2 server lets the device in"
            case "JOIN_REFUSED": return "the C2 server refuses: \(details["why"] ?? ""); it tells by whom"
            default: return "the C2 server does not let the device in: \(details["why"] ?? "")"
            }
        case ("c2", "observation-requested"):
            return
                "the C2 server sends a fresh nonce, sealed, to the device and to the observer (try \(details["try"] ?? "?"))"
        case ("c2", "verdict-received"): return "the C2 server has the observer's answer: \(details["status"] ?? "")"
        case ("observer", "looking"): return "the observer has opened its nonce and looks"
        case ("observer", "verdict"):
            return
                "the observer's verdict: \(details["verdict"] ?? "?"), \(details["milliseconds"] ?? "?") ms after it began to look (\(details["how"] ?? ""))"
        case (let device, "showing") where device.hasPrefix("device"):
            return byTap
                ? "the device presents its nonce to whoever it taps" : "the device shows its nonce as a QR code"
        case (let device, "joined") where device.hasPrefix("device"): return "the device knows that it has joined"
        case (let device, "not-let-in") where device.hasPrefix("device"):
            return "the device knows that it was not let in"
        default: return nil
        }
    }
}
