import ArgumentParser

/// What the unit srup-witness@INSTANCE.service runs: the kind of eye is the instance's first word.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Be the witness of a systemd unit: \"camera\", \"nfc\", or these with a name, as \"camera-door\".")

    @Argument(help: "The unit's instance.")
    var instance: String

    func validate() throws {
        guard kind == "camera" || kind == "nfc" else {
            throw ValidationError("there is no kind of eye \"\(kind)\": camera, nfc")
        }
    }

    private var kind: Substring { instance.prefix { $0 != "-" } }

    func run() throws {
        if kind == "camera" { try CameraWitness.parse([]).run() } else { try NFCWitness.parse([]).run() }
    }
}
