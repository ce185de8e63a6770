import Addresses
import ArgumentParser
import Glibc
import Linux
import NFCProtocols
import NFCReader
import ObservedValue
import Program
import Synchronization
import WitnessLink

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct NFC: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nfc", abstract: "Near-field readers: try one, present a value, or be the keeper's witness.",
        subcommands: [NFCWitness.self, NFCRead.self, NFCWrite.self], defaultSubcommand: NFCWitness.self)
}

struct ReaderOptions: ParsableArguments {
    @Option(
        name: .customLong("device"),
        help: ArgumentHelp("The reader: \(ReaderAddress.forms).", valueName: "connstring"), transform: Self.reader)
    var address = ReaderAddress.auto

    private static let reader: @Sendable (String) throws -> ReaderAddress = { text in
        do throws(AddressError) {
            return try ReaderAddress(text)
        } catch {
            throw ValidationError(error.description)
        }
    }
}

/// libnfc would take a closed 0, 1 or 2 for its own, and then fails to open.
func keepStandardDescriptors() {
    while true {
        let descriptor = open("/dev/null", O_RDWR)
        guard descriptor >= 0 else { return }
        if descriptor > 2 {
            close(descriptor)
            return
        }
    }
}

/// Waits for taps for the keeper. Holds no key and no nonce, and ends when the socket closes.
struct NFCWitness: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "witness", abstract: "Wait for taps for the keeper at the other end of a socket.")

    @OptionGroup var reader: ReaderOptions
    @OptionGroup var keeper: KeeperOptions
    @Flag(help: "Take words of the acceptance check, too.")
    var commands = false

    func run() throws {
        let (server, words) = try keeper.server()
        let wanted = try words.map { try Self.parse(Array($0.dropFirst(2))) } ?? self
        keepStandardDescriptors()
        let eye = NFCEye(wanted.reader.address, server, takesCommands: wanted.commands)
        server.serve(eye)
        eye.rest()
        keeper.endAll()
    }
}

/// The reader as the witness's eye.
final class NFCEye: Eye {
    let kind = "nfc"
    private let address: ReaderAddress
    private let server: WitnessServer
    private let takesCommands: Bool
    private let watchdog: Watchdog
    private let isAwake = Mutex(false)
    private let isWorking = Mutex(false)

    init(_ address: ReaderAddress, _ server: WitnessServer, takesCommands: Bool) {
        self.address = address
        self.takesCommands = takesCommands
        self.server = server
        watchdog = Watchdog { doing in server.say(.lost("libnfc hangs while \(doing)")) }
    }

    func wake() {
        // The last run may still be closing its reader.
        while isWorking.withLock({ $0 }) { usleep(5_000) }
        isAwake.withLock { $0 = true }
        isWorking.withLock { $0 = true }
        DetachedThread.start { self.work() }
    }

    func rest() {
        isAwake.withLock { $0 = false }
    }

    private func work() {
        var taps: UInt64 = 0
        var lastWord = ContinuousClock.now
        let reader = TapReader(
            address, watchdog: watchdog,
            judge: { [takesCommands] message in
                PresentedValue.find(in: message) != nil || takesCommands && PresentedValue.command(in: message) != nil
            }
        ) { [server, takesCommands] event in
            switch event {
            case .ready(let name): server.say(.ready(name))
            case .lost(let error): server.say(.lost(error.description))
            case .tapped(let tap):
                taps += 1
                if let event = Self.event(tap, takesCommands) { server.say(event) }
            case .rests(let tap):
                if let event = Self.event(tap, takesCommands) { server.say(event) }
            case .failed, .refused: break
            case .idle:
                guard ContinuousClock.now - lastWord >= .seconds(1) else { return }
                lastWord = .now
                server.say(.alive(frames: taps))
            }
        }
        reader.run { self.isAwake.withLock { $0 } }
        isWorking.withLock { $0 = false }
    }

    /// A peer presents on purpose. A tag is only seen: its device may be about to write another value.
    private static func event(_ tap: Tap, _ takesCommands: Bool) -> WitnessEvent? {
        guard let value = PresentedValue.find(in: tap.message) else {
            guard takesCommands else { return nil }
            return PresentedValue.command(in: tap.message).map { .commanded($0, how: tap.role.rawValue) }
        }
        return tap.role.isTag
            ? .seen(value, how: tap.role.rawValue) : .tapped(value, how: tap.role.rawValue)
    }
}

struct NFCRead: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "read",
        abstract: "Show what taps give: to check a reader and the devices that tap it.",
        discussion: """
            Prints a line per tap: who called whom, how long it took, the records. It judges as the observer does: what \
            holds no 128-bit value is shown as refused, and its giver is told so. Values are shown here, so do not use it \
            while a join is under way. Contacts no server and needs no identity.

            Exit codes: 0 a value was tapped, 1 none was, 69 the reader never opened.
            """)

    @OptionGroup var reader: ReaderOptions
    @Flag(help: "One JSON object per line.")
    var json = false
    @Flag(help: "Take any message, not only a 128-bit value: its giver is told that it was taken.")
    var any = false
    @Flag(help: "End after the first tap.")
    var once = false
    @Option(help: ArgumentHelp("End after so many seconds.", valueName: "n"))
    var seconds: Double?
    @Option(help: ArgumentHelp("End after so many taps.", valueName: "n"))
    var taps: Int?
    @Option(help: ArgumentHelp("Listen for so many milliseconds before calling for tags again.", valueName: "n"))
    var listen = TapReader.Limits().listening

    func validate() throws {
        guard (20...10_000).contains(listen) else { throw ValidationError("--listen must be 20 to 10000 milliseconds") }
    }

    private struct Line: Codable {
        struct Record: Codable {
            var format: String
            var type: String?
            var text: String?
            var language: String?
            var uri: String?
            var payloadHex: String?
            var bytes: Int
        }
        var event: String
        var reader: String?
        var role: String?
        var milliseconds: Double?
        var exchanges: Int?
        var records: [Record]?
        /// Whether an observer would take notice.
        var candidate: Bool?
        /// Of a test sheet's value, the edge in millimetres.
        var test: Int?
        var reason: String?
    }

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        keepStandardDescriptors()
        let address = reader.address
        let deadline = seconds.map { ContinuousClock.now + .seconds($0) }
        let wanted = once ? 1 : taps
        var count = 0
        var wasOpen = false
        var limits = TapReader.Limits()
        limits.listening = listen
        let tapReader = TapReader(
            address, limits: limits, watchdog: Watchdog { Program.complain("libnfc hangs while \($0); start again") },
            judge: { any || PresentedValue.find(in: $0) != nil }
        ) { event in
            switch event {
            case .ready(let name):
                wasOpen = true
                show(Line(event: "ready", reader: name), "ready: \(name); tap a device")
            case .lost(let error): show(Line(event: "lost", reason: error.description), "lost: \(error)")
            case .failed(let why): show(Line(event: "failed", reason: why), "failed: \(why)")
            case .idle, .rests: break
            case .tapped(let tap):
                count += 1
                show(tap, isTaken: true)
            case .refused(let tap): show(tap, isTaken: false)
            }
        }
        StopSignals.take()
        tapReader.run {
            !StopSignals.came && (wanted.map { count < $0 } ?? true) && (deadline.map { $0 > .now } ?? true)
        }
        if !wasOpen { throw ExitCode(Program.Code.unavailable.rawValue) }
        if count == 0 { throw ExitCode(1) }
    }

    private func show(_ tap: Tap, isTaken: Bool) {
        let milliseconds = ((tap.duration / .milliseconds(1)) * 10).rounded() / 10
        let records = tap.message.records.map(Self.record)
        let texts = records.map { record in
            record.text.map { "Text \($0.debugDescription)" } ?? record.uri.map { "URI \($0.debugDescription)" }
                ?? "\(record.format) \(record.type ?? "") (\(record.bytes) bytes)"
        }
        let event = isTaken ? "tap" : "refused"
        let value = PresentedValue.find(in: tap.message)
        let test = value.flatMap { TestValue($0)?.edge }
        let kind =
            test.map { "a test sheet's value of \($0) mm" } ?? (value == nil ? "no 128-bit value" : "a 128-bit value")
        show(
            Line(
                event: event, role: tap.role.rawValue, milliseconds: milliseconds, exchanges: tap.exchanges,
                records: records, candidate: value != nil, test: test,
                reason: isTaken ? nil : "it holds no 128-bit value"),
            "\(event) (\(tap.role.rawValue), \(milliseconds) ms): \(texts.joined(separator: ", ").withoutControls)"
                + " [\(kind)]")
    }

    private static func record(_ record: NDEFRecord) -> Line.Record {
        var line = Line.Record(format: "\(record.format)", bytes: record.payload.count)
        line.type = String(validating: record.type, as: UTF8.self)
        let text = (try? record.text()).flatMap { $0 }
        line.text = text?.text
        line.language = text?.language
        line.uri = (try? record.uri()).flatMap { $0 }
        if line.text == nil && line.uri == nil {
            line.payloadHex = Hex.encode(record.payload)
        }
        return line
    }

    private func show(_ line: Line, _ text: String) { tell(line, text, asJSON: json) }
}

struct NFCWrite: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write",
        abstract: "Present a value to whoever is near, as a joining device does.",
        discussion: """
            As peer it calls and listens in turn (LLCP, SNEP); as card it is read as a Type 4 tag. Without a value on the \
            command line one line of standard input is taken, so that a secret need not be seen in the list of processes.

            Exit codes: 0 it was taken, 1 it was not, 69 the reader never opened.
            """)

    @OptionGroup var reader: ReaderOptions
    @Argument(
        help: ArgumentHelp("The text to present; 32 hexadecimal digits are what an observer takes.", valueName: "text"))
    var text: String?
    @Option(help: ArgumentHelp("peer or card.", valueName: "manner"))
    var `as`: TapPresenter.Manner = .peer
    @Flag(help: "One JSON object per line.")
    var json = false
    @Flag(help: "Go on after it was taken.")
    var keep = false
    @Option(help: ArgumentHelp("End after so many seconds.", valueName: "n"))
    var seconds: Double?
    @Option(help: ArgumentHelp("End when it was taken so many times.", valueName: "n"))
    var taps: Int?
    @Option(help: ArgumentHelp("Present nothing for so many milliseconds after it was taken.", valueName: "n"))
    var pause: UInt32 = 1000

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        keepStandardDescriptors()
        let address = reader.address
        guard let text = text ?? readLine() else { throw ValidationError("there is no text to present") }
        let deadline = seconds.map { ContinuousClock.now + .seconds($0) }
        let wanted = taps ?? (keep ? nil : 1)
        var count = 0
        var wasOpen = false
        let presenter = TapPresenter(
            address, NDEFMessage([.text(text)]), as: self.as, rest: pause,
            watchdog: Watchdog { Program.complain("libnfc hangs while \($0); start again") }
        ) { event in
            switch event {
            case .ready(let name):
                wasOpen = true
                say("ready", name)
            case .lost(let error): say("lost", error.description)
            case .failed(let why): say("failed", why)
            case .taken(let role, let duration):
                count += 1
                say("taken", "\(role.rawValue), \(Int(duration / .milliseconds(1))) ms")
            }
        }
        StopSignals.take()
        presenter.run {
            !StopSignals.came && (wanted.map { count < $0 } ?? true) && (deadline.map { $0 > .now } ?? true)
        }
        if !wasOpen { throw ExitCode(Program.Code.unavailable.rawValue) }
        if count == 0 { throw ExitCode(1) }
    }

    private func say(_ event: String, _ detail: String) {
        tell(["event": event, "detail": detail], "\(event): \(detail)", asJSON: json)
    }
}

extension TapPresenter.Manner: ExpressibleByArgument {}
