import ArgumentParser

@main
struct SRUPScene: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "srup-scene",
        abstract: "Draw what a camera would see of a device's display, for trying an observer without a camera.",
        discussion: """
            Without a subcommand it plays a camera (see srup-scene play --help).

            Exit codes: 0 drawn, 1 a file cannot be written, 64 the command line is wrong.
            """,
        subcommands: [Play.self, Pictures.self, Stream.self], defaultSubcommand: Play.self)
}
