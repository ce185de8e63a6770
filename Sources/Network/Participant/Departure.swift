import Glibc
import Linux
import Logging
import SRUP
import ServiceLifecycle
import Storage

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A short visit to the server, to leave its network (RESIGN or DEREGISTER): connects, asks, waits for the answer. As a service
/// it ends when that has come or the time is over.
public actor Departure: Service {
    /// How it went.
    public enum Result: Sendable, Hashable {
        /// The server has answered that it is done.
        case done
        /// The server has answered that it could not be done.
        case notDone
        /// The broker has the message; the server has not answered, as a reference server never does.
        case unanswered
        /// The broker could not be reached.
        case unreached
    }

    private let how: Member.Leaving
    private let limit: Duration
    private var member: Member?
    private var hasAsked = false
    /// How it went, as far as is known.
    public private(set) var result = Result.unreached
    private nonisolated let end = AsyncStream<Void>.makeStream()

    /// - Parameter limit: how long it may take.
    public init(_ how: Member.Leaving, limit: Duration = .seconds(10)) {
        self.how = how
        self.limit = limit
    }

    /// The member and its link, to be run beside this service.
    ///
    /// - Parameters:
    ///   - server: the C2 server, whose key is known.
    ///   - key: the server's.
    /// - Throws: ``BrokerLinkError``.
    public func services(
        _ identity: Identity, state: ParticipantStore, server: DeviceID, key: PublicKey, logger: Logger
    ) throws -> [any Service] {
        let link = try BrokerLink(
            identity.broker, clientID: identity.clientID, subscriptions: ["SRUP/\(identity.id.hex)"], logger: logger)
        let participant = Participant(id: identity.id, key: identity.key, state: state, link: link, logger: logger)
        let member = Member(
            participant, server: server, serverKey: key,
            behaviour: .init(rejoin: nil, identification: Identification(program: "leaving"))
        ) { [weak self] in await self?.handle($0) }
        self.member = member
        return [member, link]
    }

    /// What happens to the member.
    package func handle(_ event: MemberEvent) async {
        switch event {
        case .connected:
            guard !hasAsked else { return }
            hasAsked = true
            // The member is in its handler: it is asked when that has returned.
            let (member, how) = (member, how)
            Task {
                do {
                    try await member?.leave(how)
                    self.asked()
                } catch {
                    self.answered(.notDone)
                }
            }
        case .leavingAnswered(how, let isDone): answered(isDone ? .done : .notDone)
        default: break
        }
    }

    private func asked() { if result == .unreached { result = .unanswered } }

    private func answered(_ result: Result) {
        self.result = result
        end.continuation.finish()
    }

    /// Goes on until the answer has come, the time is over, or the service group asks it to stop.
    public nonisolated func run() async throws {
        let alarm = Task {
            try? await Task.sleep(for: limit)
            end.continuation.finish()
        }
        await withGracefulShutdownHandler {
            for await _ in end.stream {}
        } onGracefulShutdown: {
            self.end.continuation.finish()
        }
        alarm.cancel()
    }
}

/// Throws an identity away, without asking anybody: its keys are removed, and the server is told when it can be reached.
public struct Reset: Sendable {
    /// What has become of it.
    public struct Outcome: Sendable {
        /// Who is gone.
        public let identity: DeviceID
        /// Its last word.
        public let receipt: ReleaseReceipt
        /// Whether the key service has been told.
        public let isTold: Bool
    }

    private let folder: String
    private let isOffline: Bool

    /// - Parameters:
    ///   - folder: the identity's.
    ///   - isOffline: tell nobody now.
    public init(folder: String, isOffline: Bool = false) {
        self.folder = folder
        self.isOffline = isOffline
    }

    /// Does it. What was not told is told by the next ``Registrar/register(at:authorityFile:type:folder:server:progress:)`` in
    /// this folder, or by ``Registrar/tellFarewell(in:timeout:)``.
    ///
    /// - Throws: ``FolderLockError`` when a program runs with the identity; ``ParticipantError/notRegistered(folder:)``; what
    ///   ``Identity/wipe(_:key:mustTell:now:)`` throws.
    public func run(now: Double = Participant.systemTime()) async throws -> Outcome {
        guard try Identity.exists(in: folder) else { throw ParticipantError.notRegistered(folder: folder) }
        // The administrator may, in the folder of a service's user, who finds what is left there.
        let lock = try FolderLock(folder, isOurs: false)
        defer {
            giveBack()
            withExtendedLifetime(lock) {}
        }
        let key = try Identity.privateKey(folder + "/identity.pem")
        // A last word that could not be delivered is not overwritten by this one's.
        if !isOffline { _ = await Registrar.tellFarewell(in: folder) }
        let receipt = try Identity.wipe(folder, key: key, mustTell: true, now: now)
        let told = isOffline ? nil : await Registrar.tellFarewell(in: folder)
        return Outcome(identity: receipt.identity, receipt: receipt, isTold: told != nil)
    }

    private func giveBack() {
        var status = stat()
        guard geteuid() == 0, stat(folder, &status) == 0, status.st_uid != 0 else { return }
        for name in ["lock", Identity.receiptName, Identity.farewellName] {
            _ = lchown(folder + "/" + name, status.st_uid, status.st_gid)
        }
    }
}

extension ReleaseReceipt {
    /// Writes it to a file that a user has named.
    ///
    /// - Throws: ``OutputFile/Failure``, ``PrivateFileError``.
    public func write(to path: String) throws {
        _ = try OutputFile.checkReplaceable(path)
        try PrivateFile.write(description, to: path, mode: 0o644)
    }
}
