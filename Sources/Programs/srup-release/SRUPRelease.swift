import ArgumentParser
import Program

@main
struct SRUPRelease: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "srup-release",
        abstract: "Say what may run on the devices of a SRUP network: release keys and signed manifests.",
        discussion: """
            Where releases are made, once:
              srup-release key release.key                    # its public half goes into the devices' configuration
            For each release:
              srup-release sign thermometer-1.4.2.bin --key release.key --type thermometer \\
                --release-version 1.4.2 --expires 90d --url https://updates.example.net/thermometer-1.4.2.bin -o thermometer-1.4.2.manifest

            The release key belongs on no server: a server that is broken into can then offer old releases at most, and devices \
            refuse those.
            """,
        version: Release.version, subcommands: [KeyCommand.self, SignCommand.self, VerifyCommand.self])
}
