import ArgumentParser
import C2
import CodeWriter
import Foundation
import Glibc
import KeyService
import Linux
import Logging
import Participant
import Program
import SRUP
import ServiceLifecycle
import Storage

struct Terminate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "terminate",
        abstract: "Put a device or an observer out of the network.",
        discussion: """
            The running server tells it so (TERMINATE) within a second; without one, the next server does at its start. It \
            stays registered and may ask to come in again, and the policy of its type decides: for a type with policy \
            "simple" that is a yes ("srup-c2 deregister" ends it for good). An observer loses its trust, too.
            """, aliases: ["remove"])

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Its identity, as \"srup-c2 devices\" shows it.")
    var identity: IdentityArgument

    func run() throws {
        do {
            try folder.state().askRemoval(
                of: identity.id, by: ServerOrder.user, now: Participant.systemTime())
            print("\(identity.id) is put out")
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }
}

struct CallToJoin: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join",
        abstract: "Tell a device or an observer to ask to be let in (JOIN_COMMAND).",
        discussion: """
            For one that was put out, or has resigned. The policy decides when it asks. One that is away is told when it \
            comes back.
            Exit codes: 0 told, 1 no server answers, or it does not know the identity.
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Its identity.")
    var identity: IdentityArgument

    func run() throws {
        do {
            _ = try ServerOrder(what: .callToJoin, by: ServerOrder.user, device: identity.id.hex).ask(folder.folder)
            print("\(identity.id) is told to ask")
        } catch {
            throw Program.failure(error)
        }
    }
}

struct Deregister: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "End an identity for good: take a device out.",
        discussion: """
            The device is told (DEREGISTER) and removes its keys if it obeys; its certificates are revoked, the broker closes \
            its connection within a second and refuses the next one, the key service gives neither its key nor a certificate \
            any more, and nobody gets its name again. Waits until the broker has confirmed. When no server runs, the broker \
            and the key service refuse it all the same, and the next server does the rest. There is no way back: the device \
            has to register anew.

            Then "srup-c2 receipt" makes a receipt for whoever takes the device over.

            Exit codes: 0 ended, 1 it could not be, or had ended before, 69 decided, but not yet confirmed by the broker, 78 \
            there is no such folder.
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Its identity, as \"srup-c2 devices\" or \"srup-c2 identities\" shows it.")
    var identity: IdentityArgument
    @Option(help: "How long to wait for the broker, in seconds.")
    var wait = 10.0

    func validate() throws {
        guard (0...3600).contains(wait) else { throw ValidationError("--wait must be from 0 to 3600 seconds") }
    }

    func run() throws {
        let id = identity.id
        do {
            let state = try folder.stores().presentKeyService()
            guard try state.ended(id) == nil else { throw OperationError.hasEnded(id) }
            let order = ServerOrder(what: .deregister, by: ServerOrder.user, device: id.hex)
            if try order.askIfRunning(folder.folder) == nil, try state.ended(id) == nil { try endAlone(state) }
            guard let ended = try awaitClosing(state) else {
                print(
                    "\(id) has ended. The broker has not confirmed that its connection is closed: do broker and server run?"
                )
                throw ExitCode(Program.Code.unavailable.rawValue)
            }
            let milliseconds = Int((((ended.closed ?? 0) - ended.since) * 1000).rounded())
            print("\(id) has ended; its connection was closed after \(milliseconds) ms")
            if ended.isConfirmed { print("the device says that its keys are gone") }
        } catch let error as ParticipantError {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
    }

    /// Without a server: the broker's plugin sees the files.
    private func endAlone(_ state: KeyServiceState) throws {
        let revocations = try Revocations(folder: folder.folder, state: state)
        let now = Participant.systemTime()
        guard try state.end(identity.id, why: "as an operator says", by: ServerOrder.user, now: now) else {
            throw OperationError.invalid("\(identity.id) is a server's: it does not end this way")
        }
        try revocations.publish()
    }

    private func awaitClosing(_ state: KeyServiceState) throws -> KeyServiceState.Ended? {
        let deadline = ContinuousClock.now + .seconds(wait)
        while true {
            if let ended = try state.ended(identity.id), ended.closed != nil { return ended }
            guard ContinuousClock.now < deadline else { return nil }
            usleep(20_000)
        }
    }
}

struct Ended: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ended", abstract: "List the identities that have ended for good.",
        discussion: """
            With --json one object per line; times are seconds since 1970 there. Keep the list beside your backups: \
            "srup-c2 restore --ended FILE" goes by it.
            Exit codes: 0 done, 78 there is no such folder.
            """)

    @OptionGroup var folder: FolderOptions
    @Flag(help: "One JSON object per line.")
    var json = false

    private struct Line: Encodable {
        let identity, type, why: String
        let by: String?
        let since: Double
        let listed, closed: Double?
        let confirmed: Bool
    }

    func run() throws {
        do {
            for ended in try folder.stores().presentKeyService().allEnded() {
                if json {
                    let line = Line(
                        identity: ended.id.hex, type: ended.type, why: ended.why, by: ended.by, since: ended.since,
                        listed: ended.listed, closed: ended.closed, confirmed: ended.isConfirmed)
                    print(line.jsonLine)
                    continue
                }
                let time = Date(timeIntervalSince1970: ended.since).formatted(.iso8601)
                let state = ended.closed == nil ? "  not yet confirmed by the broker" : ""
                print(
                    "\(ended.id)  \(ended.type.withoutControls)  ended \(time)  \(ended.why.withoutControls)"
                        + "\(ended.by.map { " (\($0.withoutControls))" } ?? "")\(state)")
            }
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }
}

struct Receipt: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a signed receipt that an identity has ended, for whoever takes the device over.",
        discussion: """
            Says, by the network's authority: this identity has ended, none of its certificates counts, and nobody gets its \
            name again. As text on standard output, as a file (--output), as a QR code on the terminal (--qr). \
            "srup receipt FILE --ca ca.crt" checks it.

            Exit codes: 0 made, 1 the identity has not ended, or is still connected as far as is known, 78 there is no such \
            folder.
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Its identity.")
    var identity: IdentityArgument
    @Option(help: ArgumentHelp("Write it to this file.", valueName: "file"))
    var output: String?
    @Flag(help: "Show it as a QR code, on standard error.")
    var qr = false

    func run() throws {
        do {
            let state = try folder.stores().presentKeyService()
            guard let ended = try state.ended(identity.id) else {
                throw OperationError.invalid(
                    "\(identity.id) has not ended (srup-c2 deregister \(identity.id))")
            }
            guard ended.closed != nil else {
                throw OperationError.invalid(
                    "the broker has not confirmed yet that the connection of \(identity.id) is closed")
            }
            let receipt = try Authority(folder: folder.folder).receipt(for: ended)
            if let output { try receipt.write(to: output) }
            if output == nil { print(receipt.description, terminator: "") }
            if qr { StandardError.line(try QRMatrix(text: receipt.description).terminal(rows: 0)) }
        } catch let error as ParticipantError {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
    }
}

/// In the key service: sees to it that the broker learns who has ended, when no C2 server does, and that the list of revoked
/// certificates does not run out.
struct RevocationCare: Service {
    let revocations: Revocations
    let logger: Logger

    /// A server that runs is quicker.
    private static let every = Duration.seconds(1)

    func run() async throws {
        var said = ""
        do {
            for id in try revocations.endAgain() {
                logger.warning("\(id) had ended, and a backup has brought it back: it ends again")
            }
        } catch {
            logger.error("\(error)")
        }
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            do {
                if let listed = try revocations.publish() {
                    logger.notice(
                        "a new list of revoked certificates\(listed.isEmpty ? "" : ", for " + listed.map(\.hex).joined(separator: ", "))"
                    )
                }
                said = ""
            } catch {
                // Once, however often it fails the same way.
                if said != "\(error)" { logger.error("the list of revoked certificates cannot be made: \(error)") }
                said = "\(error)"
            }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.every) }
        }
    }
}
