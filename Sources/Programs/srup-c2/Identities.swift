import ArgumentParser
import Foundation
import KeyService
import Linux
import Participant
import Program
import SRUP
import Storage

struct Identities: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List who has registered with the key service.",
        discussion: """
            For each: identity, type, when it registered, when it first got a certificate for the broker, when it first joined. \
            With --json one object per line; times are seconds since 1970 there.
            Exit codes: 0 done, 78 there is no such folder.
            """)

    @OptionGroup var folder: FolderOptions
    @Flag(help: "Only those that have never joined.")
    var neverJoined = false
    @Flag(help: "One JSON object per line.")
    var json = false

    func run() throws {
        do {
            let state = try folder.stores().presentKeyService()
            var last: KeyServiceState.Registration?
            while true {
                let part = try state.registrations(neverJoined: neverJoined, after: last)
                for registration in part { print(json ? Self.json(registration) : Self.text(registration)) }
                guard let end = part.last else { return }
                last = end
            }
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }

    private static func text(_ registration: KeyServiceState.Registration) -> String {
        func time(_ seconds: Double?) -> String? {
            seconds.map { Date(timeIntervalSince1970: $0).formatted(.iso8601) }
        }
        let state =
            registration.isServer
            ? "server"
            : time(registration.joined).map { "joined \($0)" }
                ?? time(registration.certified).map { "never joined, certified \($0)" }
                ?? "never joined, no certificate"
        return [
            registration.id.hex, registration.type.withoutControls,
            "registered \(time(registration.registered) ?? "?")",
            state,
        ].joined(separator: "  ")
    }

    private struct Line: Encodable {
        let identity: String
        let type: String
        let server: Bool
        let registered: Double
        let certified: Double?
        let joined: Double?
    }

    private static func json(_ registration: KeyServiceState.Registration) -> String {
        Line(
            identity: registration.id.hex, type: registration.type, server: registration.isServer,
            registered: registration.registered, certified: registration.certified, joined: registration.joined
        ).jsonLine
    }
}

struct Forget: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove identities from the key service.",
        discussion: """
            srup-c2 forget <identity> …
            srup-c2 forget --never-joined --older-than 7d

            Who is forgotten gets no certificate any more, and the C2 server finds no key for it; a certificate that it has \
            stays valid until it ends, and who has joined stays joined (srup-c2 devices). The identity may be registered again. \
            To take a device out for good: srup-c2 deregister.
            Exit codes: 0 removed, 1 an identity was not there (or is a server's), 78 there is no such folder.
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Identities.")
    var identity: [String] = []
    @Flag(help: "All that have never joined.")
    var neverJoined = false
    @Option(
        help: ArgumentHelp(
            "With --never-joined: only those that registered so long ago, as 7d, 12h, 30min or 90s.", valueName: "time")
    )
    var olderThan: Age?

    func validate() throws {
        guard identity.isEmpty == neverJoined else { throw ValidationError("give identities, or --never-joined") }
        guard olderThan == nil || neverJoined else { throw ValidationError("--older-than goes with --never-joined") }
        _ = try ids()
    }

    private func ids() throws -> [DeviceID] {
        try identity.map { text in
            guard let id = DeviceID(participant: text) else {
                throw ValidationError(
                    "an identity is 1 to 16 lower-case hexadecimal digits, not \"\(text.withoutControls)\"")
            }
            return id
        }
    }

    func run() throws {
        do {
            let state = try folder.stores().presentKeyService()
            guard !neverJoined else {
                let gone = try state.forgetUnjoined(
                    olderThan: olderThan?.duration ?? .zero, now: Participant.systemTime())
                print("forgot \(gone.count) identities")
                return
            }
            var isAllDone = true
            for id in try ids() {
                if try state.forget(id) {
                    print("forgot \(id)")
                } else {
                    isAllDone = false
                    Program.complain("\(id) is not registered, or is a server")
                }
            }
            if !isAllDone { throw ExitCode(1) }
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }
}

/// A time on the command line: a number with its unit.
struct Age: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        let units = ["d": 86400, "h": 3600, "min": 60, "s": 1]
        guard let count = Int(digits), count < 100_000, let unit = units[String(argument.dropFirst(digits.count))]
        else { return nil }
        duration = .seconds(count * unit)
    }
}
