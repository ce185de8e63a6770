import ArgumentParser
import Keeper
import Linux
import Participant
import Program
import Storage

struct ResetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Throw the identity away: remove its keys, and tell the server when it can be reached.",
        discussion: """
            Asks nobody. Stop the observer first. What is left in the state folder is the identity's last word, signed with its \
            key before that was removed (the file "receipt"): for whoever takes the observer over; "srup receipt FILE" checks \
            it. When the key service cannot be reached, the next "register" tells it. Where a key service is configured, the \
            next start of the service registers a new identity, which somebody has to trust anew.

            Exit codes: 0 gone, and the key service knows; 69 gone, the key service does not know yet; 1 failed; 78 there is no \
            identity, a program runs with it, or the configuration is wrong.
            """)

    @OptionGroup var configuration: ConfigurationOptions
    @Option(help: ArgumentHelp("Also write the receipt to this file.", valueName: "file"))
    var receipt: String?
    @Flag(help: "Tell nobody now.")
    var offline = false
    @Option(
        help: ArgumentHelp(
            "Which of the configuration's [[observer]] blocks; needed when there are several.", valueName: "name"))
    var observer: String?

    func run() async throws {
        let settings = try configuration.load()
        let chosen = settings.observers.filter { observer == nil || $0.name == observer }
        guard let one = chosen.first, chosen.count == 1 else {
            let why =
                chosen.isEmpty
                ? "there is no [[observer]] named \"\(observer ?? "")\" in \(configuration.path)"
                : "which one? give --observer \(chosen.map(\.name).joined(separator: " or --observer "))"
            throw Program.failure(ParticipantError.identity(why), code: .configuration)
        }
        do {
            if let receipt { _ = try OutputFile.checkReplaceable(receipt) }
            let outcome = try await Reset(folder: one.stateFolder, isOffline: offline).run()
            print("the keys of \(outcome.identity) are gone")
            if let receipt { try outcome.receipt.write(to: receipt) }
            guard !outcome.isTold else { return print("the key service knows that it has ended") }
            print("the key service does not know yet: the next \"register\" tells it")
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
