import ArgumentParser
import Evidence
import Foundation
import Linux
import Participant
import Program
import SRUP
import Storage

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Show what has happened, check that nobody has changed it, hand it to an auditor.",
        discussion: """
            Each line covers the line before by its hash, has the signed messages beside it that made the decision, and is \
            sealed by the server within a second. Works without a running server, too. docs/evidence.md says what it proves.

            srup-c2 audit --about b9d077e223834cf6
            srup-c2 audit head                          note it elsewhere, from time to time
            srup-c2 audit verify --head NUMBER:HASH
            srup-c2 audit export evidence.jsonl
            srup-c2 audit verify --file evidence.jsonl --key server.pem
            """,
        subcommands: [
            ShowAudit.self, VerifyAudit.self, ExportAudit.self, AuditHead.self, AuditKey.self,
        ], defaultSubcommand: ShowAudit.self)
}

struct ShowAudit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show what has happened: who joined, who decided, what was sent.",
        discussion: "So many lines are kept as [audit] in c2.toml says. Works without a running server, too.")

    @OptionGroup var folder: FolderOptions
    @Option(help: "Only about this identity.")
    var about: IdentityArgument?
    @Option(help: ArgumentHelp("Only lines in which this stands, in any case.", valueName: "text"))
    var search = ""
    @Option(help: "How many lines at most, the newest first.")
    var last = 50
    @Flag(help: "One JSON object per line.")
    var json = false

    func validate() throws {
        guard (1...10000).contains(last) else { throw ValidationError("--last must be from 1 to 10000") }
    }

    func run() throws {
        do {
            let (_, store) = try folder.stores().identity(use: .look)
            struct Line: Encodable { let time, event, detail: String; let about, by: String? }
            for line in try store.auditLog(last: last, containing: search, about: about?.id) {
                let time = WaitingCommand.time(line.time)
                guard json else {
                    print("\(time)  \(line.event): \(line.detail)\(line.by.map { " (by \($0))" } ?? "")")
                    continue
                }
                let object = Line(
                    time: time, event: line.event, detail: line.detail, about: line.subject?.hex, by: line.by)
                print(object.jsonLine)
            }
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }
}

extension FolderOptions {
    /// The server's log and key, for who only looks.
    fileprivate func log() throws -> (Identity, ParticipantStore) {
        do {
            return try stores().identity(use: .look)
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }
}

private let noChain = EvidenceArchive.Failure(
    description: "the log is no chain yet: the server of this release makes it one when it starts")

/// A moment on the command line.
private struct Moment: ExpressibleByArgument {
    let seconds: Double

    init?(argument: String) {
        if let date = try? Date(argument, strategy: .iso8601) {
            seconds = date.timeIntervalSince1970
        } else if let day = try? Date(argument + "T00:00:00Z", strategy: .iso8601) {
            seconds = day.timeIntervalSince1970
        } else {
            return nil
        }
    }
}

private struct ExportAudit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write the log with its messages, keys and seals into one file.",
        discussion: """
            JSON, one object a line, as docs/evidence.md describes it: others can check it without this program. With \
            --since, --until or --about other lines are left out; their hashes stay, so that all is checked as before.
            It holds what operators and devices are called and when things happened, and no keys but public ones. An auditor \
            needs the server's key, too, from somewhere else than the file: "srup-c2 audit key".

            srup-c2 audit export --since 2026-11-01 --about b9d077e223834cf6 lamp.jsonl

            Exit codes: 0 written, 1 it could not be, 78 there is no such folder.
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: ArgumentHelp("The file to write; \"-\" for standard output.", valueName: "file"))
    var file: String
    @Option(help: ArgumentHelp("Only lines from then on: 2026-11-29 or 2026-11-29T12:00:00Z.", valueName: "time"))
    var since: Moment?
    @Option(help: ArgumentHelp("Only lines up to then.", valueName: "time"))
    var until: Moment?
    @Option(help: "Only lines about this identity.")
    var about: IdentityArgument?

    func run() throws {
        let (_, store) = try folder.log()
        do {
            guard try store.evidenceExtent() != nil else { throw noChain }
            var selection = ParticipantStore.EvidenceSelection()
            if let since { selection.since = since.seconds }
            if let until { selection.until = until.seconds }
            selection.about = about?.id
            var (told, omitted) = (0, 0)
            try EvidenceWriter.write(to: file) { writer in
                try store.evidence(selection) { record in
                    if case .line = record { told += 1 }
                    if case .omitted = record { omitted += 1 }
                    try writer.add(record)
                }
            }
            if file != "-" { print("\(file): \(told) lines, and the hashes of \(omitted) that are left out") }
        } catch {
            throw Program.failure(error)
        }
    }
}

private struct AuditHead: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "head", abstract: "Print the newest line's number and hash.",
        discussion: """
            Kept where nobody who can change this machine can change it (printed, mailed, in a log elsewhere), it proves later \
            that no line up to this one was changed or removed: srup-c2 audit verify --head NUMBER:HASH.

            Exit codes: 0 printed, 1 it could not be read, 78 there is no such folder.
            """)

    @OptionGroup var folder: FolderOptions

    func run() throws {
        let (_, store) = try folder.log()
        do {
            guard let extent = try store.evidenceExtent() else { throw noChain }
            print("\(extent.last):\(extent.head.hexadecimal)")
        } catch {
            throw Program.failure(error)
        }
    }
}

private struct AuditKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Print the server's public key, which seals the log.",
        discussion: "For an auditor, on another way than the export: srup-c2 audit verify --key FILE.")

    @OptionGroup var folder: FolderOptions

    func run() throws {
        let (identity, _) = try folder.log()
        do {
            print(try identity.key.publicKey.pem, terminator: "")
        } catch {
            throw Program.failure(error)
        }
    }
}

private struct VerifyAudit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check that no line was changed, removed, inserted or reordered.",
        discussion: """
            Checks each line's hash, each seal of the server, each message's signature, and that the messages say what their \
            lines say. It needs nothing but the file, or the folder. Lines removed at the end are found by a head that was \
            noted before (--head). For an export say --file and --key; without --key the key that the file names is believed, \
            and printed.

            Exit codes: 0 all is as it was written, 1 something is not, 65 the file is no export, 78 there is no such folder.
            """)

    @OptionGroup var folder: FolderOptions
    @Option(
        help: ArgumentHelp("An export; \"-\" for standard input. Without it, the log in the folder.", valueName: "file")
    )
    var file: String?
    @Option(help: ArgumentHelp("What \"srup-c2 audit head\" has printed.", valueName: "head"))
    var head: String?
    @Option(help: ArgumentHelp("The server's public key: what \"srup-c2 audit key\" has printed.", valueName: "file"))
    var key: String?
    @Flag(help: "One JSON object.")
    var json = false

    func validate() throws {
        if let head, EvidenceVerifier.Head(head) == nil {
            throw ValidationError("--head takes a hash of 64 hexadecimal digits, or NUMBER:HASH")
        }
    }

    func run() throws {
        let wanted = head.flatMap { EvidenceVerifier.Head($0) }
        let report: EvidenceReport
        do {
            let given = try key.map { try PublicKey(pem: try PublicFile.read($0)) }
            report = try file.map { try checked($0, wanted, given) } ?? checkedLog(wanted, given)
        } catch let error as EvidenceError {
            Program.complain("\(file ?? ""): \(error)")
            throw ExitCode(65)
        } catch {
            throw Program.failure(error)
        }
        json ? print(AuditReport(report).jsonLine) : show(report)
        if !report.isGood { throw ExitCode(1) }
    }

    private func checked(_ file: String, _ head: EvidenceVerifier.Head?, _ key: PublicKey?) throws -> EvidenceReport {
        var verifier = EvidenceVerifier(head: head, trusted: key)
        var progress = VerifyProgress()
        try EvidenceFile.read(file) { record, _ in
            verifier.take(record)
            progress.tell(verifier.report.lines)
        }
        progress.end()
        return verifier.finish()
    }

    private func checkedLog(_ head: EvidenceVerifier.Head?, _ key: PublicKey?) throws -> EvidenceReport {
        let (identity, store) = try folder.log()
        guard try store.evidenceExtent() != nil else { throw noChain }
        var verifier = EvidenceVerifier(head: head, trusted: try key ?? identity.key.publicKey)
        var progress = VerifyProgress()
        try store.evidence { record in
            verifier.take(record)
            progress.tell(verifier.report.lines)
        }
        progress.end()
        return verifier.finish()
    }

    private func show(_ report: EvidenceReport) {
        print("log of the server \(report.server), sealed by the key \(report.key)")
        if let first = report.first {
            let omitted = report.omitted > 0 ? ", \(report.omitted) of them left out" : ""
            print("\(report.lines) lines, \(first) to \(report.last)\(omitted); \(report.messages) signed messages")
        } else {
            print("no lines")
        }
        if let sealed = report.sealed, let at = report.sealedAt {
            print("signed up to line \(sealed), at \(WaitingCommand.time(Double(at) / 1000))")
            if sealed < report.last { print("nothing is signed yet from line \(sealed + 1) on") }
        } else {
            print("nothing is signed yet")
        }
        if let adopted = report.adopted, let first = report.first, adopted >= first {
            print("lines up to \(adopted) are of an earlier release, and were taken in as they were found")
        }
        if report.bare > 0 { print("\(report.bare) decisions have no message beside them") }
        for line in report.restored {
            print("line \(line): a backup was put back; what followed that backup is not here")
        }
        print("head \(report.last):\(report.head.hexadecimal)")
        for problem in report.problems { print("WRONG: \(problem)") }
        let more = report.problemCount - report.problems.count
        if more > 0 { print("WRONG: and \(more) more") }
        print(report.isGood ? "all is as it was written" : "the log is NOT as it was written")
    }
}

/// On a terminal, how far it has got.
private struct VerifyProgress {
    private let isShown = isatty(2) == 1
    private var shown: UInt64 = 0

    mutating func tell(_ lines: UInt64) {
        guard isShown, lines >= shown + 5000 else { return }
        shown = lines
        Self.write("\r\(lines) lines ")
    }

    private static func write(_ text: String) { _ = writeAll(Array(text.utf8), to: 2) }

    func end() {
        if shown > 0 { Self.write("\r\u{1B}[K") }
    }
}

/// The report for programs.
private struct AuditReport: Encodable {
    struct Problem: Encodable {
        let kind, words: String
        let line: UInt64
    }
    let good: Bool
    let server, key, head: String
    let lines, omitted, last: UInt64
    let first, sealed: UInt64?
    let messages, bare, problemCount: Int
    let restored: [UInt64]
    let problems: [Problem]

    init(_ report: EvidenceReport) {
        (good, server, key) = (report.isGood, report.server, report.key)
        head = "\(report.last):\(report.head.hexadecimal)"
        (lines, omitted, last, first) = (report.lines, report.omitted, report.last, report.first)
        (sealed, messages, bare) = (report.sealed, report.messages, report.bare)
        (problemCount, restored) = (report.problemCount, report.restored)
        problems = report.problems.map { Problem(kind: $0.kind.rawValue, words: $0.words, line: $0.line) }
    }
}
