import ArgumentParser
import Glibc
import Linux
import WitnessLink

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The witness's end of the socket that the keeper has made, or that the service manager listens at for it.
struct KeeperOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The descriptor of the socket to the keeper.", valueName: "n"))
    var socket: Int32 = 3

    /// The keeper, and the options it wants us to use when it could not put them on our command line.
    func server() throws -> (WitnessServer, words: [String]?) {
        signal(SIGPIPE, SIG_IGN)
        if let listening = ServiceManager.listeningSocket {
            ServiceManager.ready()
            guard let accepted = WitnessServer.accepted(from: listening) else { throw ExitCode.success }
            return (accepted.server, accepted.words)
        }
        var status = stat()
        guard fstat(socket, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else {
            throw ValidationError("descriptor \(socket) is no socket: the witness is started by \"srup-observer run\"")
        }
        return (WitnessServer(descriptor: socket), nil)
    }

    /// The last that a witness does when its keeper has gone: what it has started goes with it. A service manager sees to that
    /// itself, and a group that is not ours alone is left alone.
    func endAll() {
        guard ServiceManager.listeningSocket == nil, getpgrp() == getpid() else { return }
        ChildProcess.endOthersOfOwnGroup()
    }
}

/// Prints an event at once: as text, or as a JSON object on a line.
///
/// - Returns: `false` when nobody reads it any more; only where SIGPIPE is ignored.
@discardableResult
func tell(_ line: some Encodable, _ text: String, asJSON: Bool) -> Bool {
    print(asJSON ? line.jsonLine : text)
    return fflush(nil) == 0
}
