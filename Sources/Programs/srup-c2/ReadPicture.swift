import ArgumentParser
import PhoneObserver

/// What "srup-c2 run" starts for each picture that comes from a phone (``PictureProcess``).
struct ReadPicture: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "read-picture", abstract: "Say which codes are in the picture on standard input.",
        shouldDisplay: false)

    func run() throws {
        throw ExitCode(PictureProcess.answer())
    }
}
