import ArgumentParser
import Glibc
import PhoneObserver
import Program

@main
struct SRUPC2: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "srup-c2",
        abstract: "The reference C2 server of a SRUP network, with its key service and its broker's configuration.",
        discussion: """
            A new network, in one terminal:
              srup-c2 up --folder DIR --host c2.example.net
            The same as services of their own:
              srup-c2 init --folder DIR --host c2.example.net
              srup-c2 key-service --folder DIR
              srup-c2 broker --folder DIR
              srup-c2 run --folder DIR
              srup-c2 trust --folder DIR <identity of an observer>
            After an update of srup-c2:
              srup-c2 upgrade --folder DIR
            """,
        version: Release.version,
        subcommands: [
            Up.self, Initialise.self, CheckCommand.self, ServerDoctor.self, Backup.self, Restore.self, Upgrade.self,
            KeyServiceCommand.self, BrokerCommand.self, Serve.self, Invite.self,
            WaitingCommand.self, Approve.self, Refuse.self, NoteCommand.self, PolicyCommand.self, Devices.self,
            ObserversCommand.self, JoinsCommand.self, AuditCommand.self, Trust.self,
            ActionCommand.self, DataCommand.self, IdentifyCommand.self, ValuesCommand.self, CommandsCommand.self,
            GroupCommand.self, ZoneCommand.self, RollCallCommand.self, ReleaseCommand.self, RolloutCommand.self,
            Terminate.self, CallToJoin.self, Deregister.self, Ended.self, Receipt.self, Identities.self, Forget.self,
            ServerTokenCommand.self, OperatorCommand.self, TokenCommand.self, WebhookCommand.self, MetricsCommand.self,
            DatabaseCommand.self, CellCommand.self,
        ])

    static func main() async {
        // It confines itself, which it can only before there are other threads; so not by way of run().
        if CommandLine.arguments.dropFirst() == ["read-picture"] { Glibc.exit(PictureProcess.answer()) }
        await main(nil)
    }
}
