import ArgumentParser
import CodeWriter
import Linux
import Logging
import Participant
import Program
import SRUP
import Storage

struct Resign: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Leave the server's network, and stay registered.",
        discussion: """
            Stop "srup-device run" first. A later "run" asks to be let in again.

            Exit codes: 0 the server has taken note, 1 it could not, or the device is no member, 69 no server has answered; 78 \
            no usable identity, or another program runs with it.
            """)

    @OptionGroup var state: StateOptions
    @Option(help: "How long to wait for the server, in seconds.")
    var patience = 10.0

    func run() async throws {
        let logger = Program.logger("srup-device", level: .warning)
        do {
            let departure = Departure(.resign, limit: .seconds(patience))
            let (identity, store) = try Identity.load(from: state.folder)
            let lock = try FolderLock(state.folder)
            defer { withExtendedLifetime(lock) {} }
            guard let server = identity.server, try store.peer(server)?.isJoined == true,
                let key = try await Registrar.serverKey(
                    server, identity: identity, state: store, folder: state.folder)
            else {
                Program.complain("\(identity.id) belongs to no network")
                throw ExitCode(1)
            }
            let services = try await departure.services(
                identity, state: store, server: server, key: key, logger: logger)
            try await Program.run([departure] + services, logger: logger)
            switch await departure.result {
            case .done: print("\(identity.id) has left the network of \(server)")
            case .notDone:
                Program.complain("the server \(server) could not take note")
                throw ExitCode(1)
            case .unanswered:
                print("\(identity.id) has left the network of \(server), which has not answered")
                throw ExitCode(Program.Code.unavailable.rawValue)
            case .unreached:
                Program.complain("the broker could not be reached")
                throw ExitCode(Program.Code.unavailable.rawValue)
            }
        } catch let error as ParticipantError {
            throw Program.failure(error, code: .configuration)
        } catch let error as FolderLockError {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
    }
}

struct ResetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Throw the identity away: remove its keys, and tell the server when it can be reached.",
        discussion: """
            Asks nobody. Stop "srup-device run" first. What is left in the folder is the identity's last word, signed with its \
            key before that was removed (the file "receipt"): for whoever takes the device over; "srup receipt FILE" checks it. \
            When the key service cannot be reached, the next "register" in this folder, or "reset --tell", tells it.

            Exit codes: 0 gone, and the key service knows; 69 gone, the key service does not know yet; 1 failed; 78 there is no \
            identity, or a program runs with it.
            """)

    @OptionGroup var state: StateOptions
    @Option(help: ArgumentHelp("Also write the receipt to this file.", valueName: "file"))
    var receipt: String?
    @Flag(help: "Show the receipt as a QR code.")
    var qr = false
    @Flag(help: "Tell nobody now.")
    var offline = false
    @Flag(help: "Only tell the key service of an identity that was thrown away before.")
    var tell = false

    func validate() throws {
        guard !(tell && (offline || qr || receipt != nil)) else {
            throw ValidationError("--tell goes with nothing else")
        }
    }

    func run() async throws {
        do {
            if tell {
                guard let id = await Registrar.tellFarewell(in: state.folder) else {
                    Program.complain("there is nothing to tell, or the key service cannot be reached")
                    throw ExitCode(Program.Code.unavailable.rawValue)
                }
                return print("the key service knows that \(id) has ended")
            }
            if let receipt { _ = try OutputFile.checkReplaceable(receipt) }
            let outcome = try await Reset(folder: state.folder, isOffline: offline).run()
            print("the keys of \(outcome.identity) are gone")
            if let receipt { try outcome.receipt.write(to: receipt) }
            if qr { print(try QRMatrix(text: outcome.receipt.description).terminal(rows: 0)) }
            guard !outcome.isTold else { return print("the key service knows that it has ended") }
            print("the key service does not know yet: the next \"register\" tells it, or \"reset --tell\"")
            throw ExitCode(Program.Code.unavailable.rawValue)
        } catch let error as ParticipantError {
            throw Program.failure(error, code: .configuration)
        } catch let error as FolderLockError {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
    }
}
