import ArgumentParser
import C2
import Foundation
import Linux
import ObservedValue
import Participant
import Program
import SRUP
import Storage
import ValueForms

/// How values are printed: in a form of ours, or as a device of the reference shows them.
enum PrintedForm: ExpressibleByArgument {
    case ours(ValueForm)
    case references(ReferenceForm)

    init?(argument: String) {
        if let form = ValueForm(rawValue: argument) {
            self = .ours(form)
        } else if let form = ReferenceForm(rawValue: argument) {
            self = .references(form)
        } else {
            return nil
        }
    }

    static var allValueStrings: [String] {
        ValueForm.allCases.map(\.rawValue) + ReferenceForm.allCases.map(\.rawValue)
    }
}

struct WaitingCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "waiting",
        abstract: "List who waits for a person to let it in.",
        discussion: """
            Each shows a value on its own display. "srup-c2 approve" asks for some of its words, which only who looks at the \
            device can know; --show prints the values, to compare them side by side.

            Exit codes: 0 done, 1 no server answers.
            """)

    @OptionGroup var folder: FolderOptions
    @Option(
        help: """
            Also show each value: words, colours, mono, eink or hex, as the device does; reference-colours, reference-mono or \
            reference-words as one of the reference implementation does.
            """)
    var show: PrintedForm?
    @Option(help: ArgumentHelp("The reference's 8192 words, a line each, for reference-words.", valueName: "file"))
    var wordList: String?
    @Flag(help: "One JSON object for each; with the value only when --show is given.")
    var json = false

    func run() throws {
        do {
            let reply = try ServerOrder(what: .waiting, by: ServerOrder.user).ask(folder.folder)
            let waiting = reply.waiting ?? []
            if waiting.isEmpty && !json { print("nobody waits") }
            let list = try wordList.map(Self.words)
            for one in waiting { json ? printJSON(one) : printText(one, list) }
        } catch {
            throw Program.failure(error)
        }
    }

    private func printJSON(_ one: ServerReply.Waiting) {
        struct Line: Encodable {
            let device, type, since: String
            let tries, requests: Int
            let question: [Int]
            let wouldBeTrusted: Bool
            let note, value: String?
        }
        let line = Line(
            device: one.device, type: one.type, since: Self.time(one.since), tries: one.tries, requests: one.requests,
            question: one.question, wouldBeTrusted: one.wouldBeTrusted, note: one.note,
            value: show == nil ? nil : one.value)
        print(line.jsonLine)
    }

    /// The reference's list, which is not part of this project.
    private static func words(_ path: String) throws -> [String] {
        let words = try PublicFile.read(path).split(whereSeparator: \.isNewline).map(String.init)
        let areWords = words.allSatisfy {
            (1...16).contains($0.utf8.count) && $0.utf8.allSatisfy { (0x61...0x7A).contains($0) }
        }
        guard words.count == ReferenceForm.listLength, areWords else {
            throw OperationError.invalid(
                "\(path) is not the reference's list: \(ReferenceForm.listLength) lower-case words")
        }
        return words
    }

    private func printText(_ one: ServerReply.Waiting, _ list: [String]?) {
        let asked = one.requests > 1 ? ", asked \(one.requests) times" : ""
        print("\(one.device)  \(one.type)  since \(Self.time(one.since))\(asked)")
        if one.wouldBeTrusted { print("    would vouch for other devices, as an observer") }
        if let note = one.note { print("    note: \(note)") }
        print("    words asked for: \(one.question.map(String.init).joined(separator: ", "))")
        guard let show, let value = Hex.decode(one.value) else { return }
        let hasColour = isatty(1) == 1 && getenv("NO_COLOR") == nil
        let text = value.withUnsafeBytes { value in
            switch show {
            case .ours(let form): form.text(of: value, hasColour: hasColour)
            case .references(let form): form.text(of: value, hasColour: hasColour, list: list)
            }
        }
        print(text.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n"))
    }

    static func time(_ seconds: Double) -> String { Date(timeIntervalSince1970: seconds).formatted(.iso8601) }
}

struct Approve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let in a device that waits, since you have looked at it.",
        discussion: """
            Asks for the first letters of three of the words that the device shows; --words gives them. For a device that shows \
            a picture or digits look at "srup-c2 waiting --show colours" (or mono, eink, hex) beside it, and say --compared.

            Example: srup-c2 approve b9d077e223834cf6 --words abi cor tun

            Exit codes: 0 let in, 1 not (wrong words, or it does not wait any more).
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Its identity, as \"srup-c2 waiting\" shows it.")
    var identity: IdentityArgument
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "At least three letters of each of the words asked for, in their order.", valueName: "letters"))
    var words: [String] = []
    @Flag(help: "I have compared what the device shows with \"srup-c2 waiting --show\".")
    var compared = false
    @Flag(help: "One JSON object: {\"decision\", \"device\"}.")
    var json = false

    func validate() throws {
        guard words.isEmpty || words.count == 3 else { throw ValidationError("--words takes three words") }
        guard words.isEmpty || !compared else { throw ValidationError("--words or --compared") }
    }

    func run() throws {
        do {
            let order = ServerOrder(what: .waiting, by: ServerOrder.user)
            let waiting = try order.ask(folder.folder).waiting ?? []
            guard let one = waiting.first(where: { $0.device == identity.id.hex }) else {
                throw OperationError.ended(identity.id)
            }
            let typed = compared ? nil : words.isEmpty ? try Self.asked(one.question) : words
            _ = try ServerOrder(
                what: .approve, by: ServerOrder.user, device: one.device, ticket: one.ticket, words: typed
            ).ask(folder.folder)
            print(json ? Decision(decision: "approved", device: one.device).jsonLine : "\(one.device) is let in")
        } catch {
            throw Program.failure(error)
        }
    }

    private static func asked(_ question: [Int]) throws(OperationError) -> [String] {
        guard isatty(0) == 1 else {
            throw .invalid("without a terminal say the letters with --words, or --compared")
        }
        print("Look at the device. The first three letters (or all) of its words:")
        return question.map { place in
            print("  word \(place): ", terminator: "")
            fflush(nil)
            return readLine() ?? ""
        }
    }
}

private struct Decision: Encodable { let decision, device: String }

struct Refuse: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Do not let in a device that waits.",
        discussion: "It may ask again. Exit codes: 0 refused, 1 it does not wait any more.")

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Its identity, as \"srup-c2 waiting\" shows it.")
    var identity: IdentityArgument
    @Flag(help: "One JSON object: {\"decision\", \"device\"}.")
    var json = false

    func run() throws {
        do {
            let waiting = try ServerOrder(what: .waiting, by: ServerOrder.user).ask(folder.folder).waiting ?? []
            guard let one = waiting.first(where: { $0.device == identity.id.hex }) else {
                throw OperationError.ended(identity.id)
            }
            _ = try ServerOrder(what: .refuse, by: ServerOrder.user, device: one.device, ticket: one.ticket)
                .ask(folder.folder)
            print(json ? Decision(decision: "refused", device: one.device).jsonLine : "\(one.device) is not let in")
        } catch {
            throw Program.failure(error)
        }
    }
}
