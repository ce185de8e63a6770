import ArgumentParser
import C2
import Foundation
import Linux
import Participant
import Program
import SRUP

struct NoteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "note", abstract: "Keep a note about a device or an observer.",
        discussion: """
            Without a text the note is removed.
            Example: srup-c2 note b9d077e223834cf6 "in the cellar, Anna has its key"

            Exit codes: 0 done, 1 it is not known, or no server answers.
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Its identity, as \"srup-c2 devices\" shows it.")
    var identity: IdentityArgument
    @Argument(help: "At most 500 characters.")
    var text = ""

    func run() throws {
        do {
            _ = try ServerOrder(what: .note, by: ServerOrder.user, device: identity.id.hex, text: text)
                .ask(folder.folder)
            print(text.isEmpty ? "the note about \(identity.id) is removed" : "the note about \(identity.id) is kept")
        } catch {
            throw Program.failure(error)
        }
    }
}

struct PolicyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Show and set how devices come in while the server runs.",
        discussion: """
            What is set holds beside c2.toml, also after a restart, until it is reset.

            srup-c2 policy list
            srup-c2 policy set panel human
            srup-c2 policy reset panel

            Exit codes: 0 done, 1 it was refused, or no server answers.
            """,
        subcommands: [ListPolicies.self, SetPolicy.self, ResetPolicy.self])
}

private struct ListPolicies: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List how devices come in, by type.", discussion: "srup-c2 policy list --json")

    @OptionGroup var folder: FolderOptions
    @Flag(help: "One JSON object per line.")
    var json = false

    func run() throws {
        do {
            let reply = try ServerOrder(what: .policies, by: ServerOrder.user).ask(folder.folder)
            for one in reply.policies ?? [] {
                guard !json else {
                    print(one.jsonLine)
                    continue
                }
                let name = one.type == "*" ? "all other types" : one.type.withoutControls
                let source = one.by.map { "set by \($0.withoutControls)" } ?? "c2.toml"
                print("\(name): \(one.policy) (\(source))")
            }
        } catch {
            throw Program.failure(error)
        }
    }
}

private struct SetPolicy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Set how devices of a type come in.",
        discussion: "Joins under way keep what they were promised. Example: srup-c2 policy set panel human")

    @OptionGroup var folder: FolderOptions
    @Argument(help: "The device type; \"*\" for all that have no policy of their own.")
    var type: String
    @Argument(help: "\(JoinPolicy.words).")
    var policy: String

    func validate() throws {
        guard JoinPolicy(rawValue: policy) != nil else {
            throw ValidationError("a policy is \(JoinPolicy.words)")
        }
    }

    func run() throws {
        do {
            _ = try ServerOrder(what: .setPolicy, by: ServerOrder.user, device: type, text: policy).ask(folder.folder)
            print("\(type.withoutControls): \(policy)")
        } catch {
            throw Program.failure(error)
        }
    }
}

private struct ResetPolicy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset", abstract: "Go back to what c2.toml says of a type.",
        discussion: "Example: srup-c2 policy reset panel")

    @OptionGroup var folder: FolderOptions
    @Argument(help: "The device type; \"*\" for all that have no policy of their own.")
    var type: String

    func run() throws {
        do {
            _ = try ServerOrder(what: .setPolicy, by: ServerOrder.user, device: type).ask(folder.folder)
            print("\(type.withoutControls): as c2.toml says")
        } catch {
            throw Program.failure(error)
        }
    }
}

struct ObserversCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "observers", abstract: "List the observers that are trusted or members, and what they are doing.",
        discussion: "Exit codes: 0 done, 1 no server answers.")

    @OptionGroup var folder: FolderOptions
    @Flag(help: "One JSON object per line.")
    var json = false

    func run() throws {
        do {
            let reply = try ServerOrder(what: .observers, by: ServerOrder.user).ask(folder.folder)
            let all = reply.observers ?? []
            if all.isEmpty && !json { print("there is none: register one, then srup-c2 trust IDENTITY") }
            for one in all { print(json ? one.jsonLine : Self.text(one)) }
        } catch {
            throw Program.failure(error)
        }
    }

    private static func text(_ one: ServerReply.Observer) -> String {
        var parts = [
            one.device, one.trusted ? "trusted" : "not trusted",
            one.inNetwork ? "in the network" : "not in the network",
        ]
        parts.append(one.lastHeard.map { "heard \($0)" } ?? "never heard")
        if !one.looksAt.isEmpty { parts.append("looks at \(one.looksAt.joined(separator: ", "))") }
        if one.queueLength > 0 { parts.append("\(one.queueLength) wait for it") }
        if let note = one.note { parts.append("note: \(note.withoutControls)") }
        return parts.joined(separator: "  ")
    }
}

extension ServerReply.Observer {
    init(_ one: C2Server.ObserverSummary) {
        self.init(
            device: one.id.hex, trusted: one.isTrusted, inNetwork: one.peer?.isJoined == true,
            lastHeard: one.peer?.lastHeard.map(WaitingCommand.time), places: one.places,
            looksAt: one.looksAt.map(\.hex), queueLength: one.queue.count, note: one.peer?.note)
    }
}

struct JoinsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "joins", abstract: "List joins that an observer or a person decides, the newest first.",
        discussion:
            "The newest 20,000 are kept. Works without a running server, too. Exit codes: 0 done, 78 there is no such folder."
    )

    @OptionGroup var folder: FolderOptions
    @Option(help: "Only of this device.")
    var about: IdentityArgument?
    @Option(help: "How many at most.")
    var last = 50
    @Flag(help: "One JSON object per line.")
    var json = false

    func validate() throws {
        guard (1...20000).contains(last) else { throw ValidationError("--last must be from 1 to 20000") }
    }

    private struct Line: Encodable {
        let number: Int64
        let device, type, way, began: String
        let observer: String?
        let tries: Int
        let outcome, why, by, ended: String?
    }

    func run() throws {
        do {
            _ = try folder.state()
            let store = try folder.stores().state(use: .look)
            for join in try store.joins(of: about?.id, limit: last) {
                let line = Line(
                    number: join.id, device: join.device.hex, type: join.type.withoutControls,
                    way: join.way.rawValue, began: WaitingCommand.time(join.began), observer: join.observer?.hex,
                    tries: join.tries,
                    outcome: join.ending?.outcome.rawValue, why: join.ending?.why, by: join.ending?.by,
                    ended: join.ending.map { WaitingCommand.time($0.at) })
                print(json ? line.jsonLine : Self.text(line))
            }
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }

    private static func text(_ line: Line) -> String {
        let whom =
            switch line.way {
            case "human": "by a person"
            default: (line.way == "observed" ? "observed by " : "roll call by ") + (line.observer ?? "several")
            }
        let end = line.outcome.map { "\($0): \(line.why ?? "")\(line.by.map { " (by \($0))" } ?? "")" } ?? "under way"
        return "\(line.began)  \(line.device)  \(line.type)  \(whom)  \(end)"
    }
}

extension Devices {
    /// A device as one line of JSON.
    struct Line: Encodable {
        let device: String
        let type: String?
        let state: String
        let trusted: Bool
        let admittedBy, lastHeard, program, note: String?

        init(_ peer: ParticipantStore.Peer, isWaiting: Bool, isTrusted: Bool) {
            device = peer.id.hex
            type = peer.type?.withoutControls
            state = isWaiting ? "waiting" : peer.isJoined ? "in" : "out"
            trusted = isTrusted
            admittedBy = peer.admission?.way.rawValue
            lastHeard = peer.lastHeard.map(WaitingCommand.time)
            program = peer.identification.map { Identification($0).program.withoutControls(atMost: 80) }
            note = peer.note
        }
    }

    /// All that are known, members or not.
    static func printJSON(_ state: ParticipantStore, _ c2: C2State) throws {
        let trusted = Set(try c2.trusted())
        let waiting = Set(try c2.moderations().map(\.device))
        var query = ParticipantStore.PeerQuery()
        while true {
            let part = try state.peers(query, limit: 500)
            for peer in part {
                print(
                    Line(peer, isWaiting: waiting.contains(peer.id), isTrusted: trusted.contains(peer.id)).jsonLine)
            }
            guard let last = part.last else { return }
            query.after = last.id
        }
    }
}
