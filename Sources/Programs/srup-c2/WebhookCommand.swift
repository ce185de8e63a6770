import ArgumentParser
import C2
import Console
import Doctor
import Foundation
import Program
import Settings

struct WebhookCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhook", abstract: "Try the webhook, and see how it is doing.",
        discussion: """
            [webhook] in c2.toml names another server that is told who waits, how joins end, and who comes and goes; what it \
            gets and how it checks the signature is in docs/api.md.

            srup-c2 webhook test
            srup-c2 webhook status

            Exit codes: 0 done, 1 it was not taken, 78 the configuration is wrong, or has no webhook.
            """,
        subcommands: [TestWebhook.self, WebhookStatus.self])
}

extension FolderOptions {
    /// - Throws: ``SettingsError`` or what is wrong with the secret.
    fileprivate func webhook() throws -> (settings: WebhookSettings, secret: WebhookSecret) {
        guard let webhook = try ServerSettings.load(folder).webhook else {
            throw ValidationError("c2.toml has no [webhook]")
        }
        return (webhook.settings, try WebhookSecret(file: webhook.secretFile))
    }
}

private struct TestWebhook: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Send one call that means nothing (kind \"test\"), signed like all others.",
        discussion: "Works without a running server, too.")

    @OptionGroup var folder: FolderOptions

    func run() async throws {
        let webhook: (settings: WebhookSettings, secret: WebhookSecret)
        do {
            webhook = try folder.webhook()
        } catch {
            throw Program.failure(error, code: .configuration)
        }
        if let problem = await Webhook.test(webhook.settings, secret: webhook.secret) {
            throw Program.failure(OperationError.failed("\(webhook.settings.url): \(problem)"))
        }
        print("\(webhook.settings.url) has taken it")
    }
}

private struct WebhookStatus: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how far the webhook is, and why it fails if it does.")

    @OptionGroup var folder: FolderOptions
    @Flag(help: "One JSON object.")
    var json = false

    private struct Line: Encodable {
        let told, pending, dropped: Int64
        let succeeded, failingSince, problem: String?
    }

    func run() throws {
        do {
            let store = try folder.stores().state(use: .look)
            let standing = try store.webhook() ?? .init(told: try store.newestOccurrence())
            guard json else {
                print("told up to occurrence \(standing.told), \(standing.pending) to be told")
                if standing.dropped > 0 { print("\(standing.dropped) were given up") }
                if let time = standing.succeeded { print("taken last at \(WaitingCommand.time(time))") }
                if let time = standing.failed {
                    print("fails since \(WaitingCommand.time(time)): \(standing.problem ?? "?")")
                }
                return
            }
            let line = Line(
                told: standing.told, pending: standing.pending, dropped: standing.dropped,
                succeeded: standing.succeeded.map(WaitingCommand.time),
                failingSince: standing.failed.map(WaitingCommand.time), problem: standing.problem)
            print(line.jsonLine)
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }
}

extension ServerDoctor {
    /// How the webhook is doing; nothing when there is none.
    static func webhook(_ settings: ServerSettings, _ folder: String) -> [Finding] {
        guard let webhook = settings.webhook else { return [] }
        do {
            _ = try WebhookSecret(file: webhook.secretFile)
        } catch {
            return [
                Finding(
                    "webhook", .problem, "\(error)",
                    remedy: "openssl rand -hex 32 >\(webhook.secretFile); chmod 600 \(webhook.secretFile)")
            ]
        }
        guard let store = try? ServerStores(folder).state(use: .look), let standing = try? store.webhook()
        else { return [Finding("webhook", .skipped, "the server has not run with it yet")] }
        if let since = standing.failed {
            return [
                Finding(
                    "webhook", .warning,
                    "\(webhook.settings.url) could not be told since \(WaitingCommand.time(since)), \(standing.pending) wait: "
                        + (standing.problem ?? "?"), remedy: "srup-c2 webhook test --folder \(folder)")
            ]
        }
        return [Finding("webhook", .ok, "\(standing.pending) are to be told, \(standing.dropped) were given up")]
    }
}
