import Glibc
import Linux

/// What whoever registers a machine by an invitation sees and says.
public struct InvitationDialogue: Sendable {
    private let eyes: [InvitationWatch.Eye]
    private let hosts: [String]
    private let patience: Duration
    private let executable: String

    /// - Parameters:
    ///   - hosts: whose invitations are taken at once, and no other's; empty: somebody at the terminal says yes.
    ///   - patience: how long it waits for one.
    ///   - executable: of srup-witness.
    public init(
        eyes: [InvitationWatch.Eye], hosts: [String], patience: Duration,
        executable: String = ChildProcess.sibling("srup-witness")
    ) {
        self.eyes = eyes
        self.hosts = hosts
        self.patience = patience
        self.executable = executable
    }

    /// Whether anybody decides: a configuration, or somebody at a terminal.
    public static func isPossible(hosts: [String]) -> Bool { !hosts.isEmpty || isatty(0) == 1 }

    /// Waits for an invitation and has it confirmed. Blocks.
    ///
    /// - Throws: ``InvitationWatch/Failure``, ``NotConfirmed``.
    public func invitation() throws -> Invitation {
        print("no key service is known: waiting for an invitation (the QR code of \"srup-c2 invite\", or a tag)")
        fflush(nil)
        let watch = InvitationWatch(eyes, hosts: hosts, executable: executable)
        let invitation = try watch.wait(patience: patience) { words in
            print(words.withoutControls)
            fflush(nil)
        }
        print("an invitation:\n\(invitation)")
        fflush(nil)
        guard hosts.isEmpty else { return invitation }
        print(
            "Is this the network to join? Compare host and fingerprint with what the operator sees. [yes/no] ",
            terminator: "")
        fflush(nil)
        // What was typed before the question was asked is no answer to it.
        tcflush(0, TCIFLUSH)
        guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else { throw NotConfirmed() }
        return invitation
    }

    /// Whoever was asked has not said yes.
    public struct NotConfirmed: Error, Sendable, Hashable, CustomStringConvertible {
        /// What to do, for people.
        public var description: String { "not registered: the invitation was not confirmed" }
    }
}
