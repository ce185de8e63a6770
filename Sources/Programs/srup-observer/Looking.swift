import ArgumentParser
import Glibc
import Keeper
import Program

/// Commands that look at pictures. They are run by srup-witness, which takes this process's place: the program that
/// holds the keys carries no decoder.
protocol LookingCommand: ParsableCommand {
    var arguments: [String] { get }
}

extension LookingCommand {
    func run() throws { try look() }

    /// - Parameter more: arguments besides those that were given.
    func look(_ more: [String] = []) throws {
        let program = Program.sibling("srup-witness")
        let name = Self.configuration.commandName ?? ""
        var argv: [UnsafeMutablePointer<CChar>?] = ([program, name] + arguments + more).map { strdup($0) } + [nil]
        // This thread is one of the cooperative pool's, which blocks signals, and the mask outlives exec: without this
        // the program could not be ended by SIGTERM.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        execv(program, &argv)
        Program.complain("\(program) cannot be started: \(String(cString: strerror(errno)))")
        throw ExitCode(Program.Code.unavailable.rawValue)
    }
}

struct Scan: LookingCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan", abstract: "Read the codes in still pictures (PNG, JPEG, PGM); see \"scan --help\".")

    @Argument(parsing: .captureForPassthrough)
    var arguments: [String] = []
}

struct Capture: LookingCommand {
    static let configuration = CommandConfiguration(
        commandName: "capture",
        abstract: "Look through a camera and print what it shows: to check a camera, its place, its light.")

    @Argument(parsing: .captureForPassthrough)
    var arguments: [String] = []
}

struct Aim: LookingCommand {
    static let configuration = CommandConfiguration(
        commandName: "aim",
        abstract: "Point a camera: says what to do until a code is read well; see \"aim --help\".")

    @Argument(parsing: .captureForPassthrough)
    var arguments: [String] = []
}

struct NFC: LookingCommand {
    static let configuration = CommandConfiguration(
        commandName: "nfc",
        abstract: "Try a near-field reader: \"nfc read\" shows what taps give, \"nfc write\" presents a value.")

    @Argument(parsing: .captureForPassthrough)
    var arguments: [String] = []
}

struct Record: LookingCommand {
    static let configuration = CommandConfiguration(
        commandName: "record",
        abstract:
            "Record a camera, a reader, or both in a file to send, without pictures or values; see \"record --help\".")

    @Argument(parsing: .captureForPassthrough)
    var arguments: [String] = []
}

struct TestSheet: LookingCommand {
    static let configuration = CommandConfiguration(
        commandName: "test-sheet",
        abstract:
            "Make a page of test codes to print, with the distances at which they are read; see \"test-sheet --help\".")

    @Argument(parsing: .captureForPassthrough)
    var arguments: [String] = []

    /// For the picture size that is configured on this machine, when none is given.
    func run() throws {
        let isGiven = arguments.contains { $0 == "--size" || $0.hasPrefix("--size=") || $0 == "--help" || $0 == "-h" }
        try look(isGiven ? [] : configuredSize.map { ["--size", $0] } ?? [])
    }

    private var configuredSize: String? {
        guard let settings = try? ObserverSettings.load(ObserverSettings.defaultPath) else { return nil }
        for case .camera(let camera) in settings.observers.flatMap(\.eyes) { return "\(camera.width)x\(camera.height)" }
        return nil
    }
}
