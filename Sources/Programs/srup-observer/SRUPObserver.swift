import ArgumentParser
import Program

@main
struct SRUPObserver: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "srup-observer",
        abstract: "An observer for observed joins in a SRUP network: looks at joining devices and vouches for them.",
        discussion: """
            A new observer:
              srup-observer register --url https://c2.example.net:8443 --ca ca.crt
              srup-observer run
              srup-observer status
            """,
        version: Release.version,
        subcommands: [
            Register.self, Run.self, ResetCommand.self, StatusCommand.self, MetricsCommand.self, DoctorCommand.self,
            AcceptCommand.self,
            SignalCommand.self,
            Scan.self,
            Capture.self, Aim.self, NFC.self, OpticsCommand.self, TestSheet.self, Record.self, Prepare.self,
            InstallUpdate.self,
        ])
}
