import C2
import Foundation
import Logging
import Participant
import SRUP
import Synchronization

/// The C2 server on the test network; can be restarted over the same state.
package final class TestServer {
    package static let id = DeviceID(0x5E)
    package let network: TestNetwork
    package private(set) var server: C2Server
    package let participant: Participant
    package let state: C2State
    package let commands: CommandStore
    /// Releases and rollouts.
    package let shelf: ReleaseShelf
    /// Who may listen to which group, as the broker was told.
    package let access = Access()
    package var rules: C2Rules

    package final class Access: BrokerAccess {
        private let told = Mutex<[GroupID: [DeviceID]]>([:])
        package func setGroups(_ members: [GroupID: [DeviceID]]) { told.withLock { $0 = members } }
        package var groups: [GroupID: [DeviceID]] { told.withLock { $0 } }
    }

    /// The key service's book, which knows who was registered there and who has ended.
    package final class Book: KeyDirectory {
        private struct State {
            var types: [DeviceID: String] = [:]
            var ended: [EndedIdentity] = []
            var open: Set<DeviceID> = []
            var confirmed: Set<DeviceID> = []
            var revoked: Set<DeviceID> = []
            var problem: String?
        }
        private let state = Mutex(State())
        package struct Problem: Error {}

        /// Somebody whom the server is to find when it asks.
        package func register(_ id: DeviceID, type: String) { state.withLock { $0.types[id] = type } }

        package func lookUp(_ id: DeviceID) async throws -> DirectoryEntry? {
            state.withLock { $0.types[id] }.map { DirectoryEntry(key: TestNetwork.publicKey(id), type: $0) }
        }
        package func belong(_ ids: [DeviceID]) {}
        package func end(_ id: DeviceID, why: String, by name: String?, since: Double) throws {
            try state.withLock { state in
                guard state.problem == nil else { throw Problem() }
                guard !state.ended.contains(where: { $0.id == id }) else { return }
                state.ended.append(EndedIdentity(id: id, since: since, why: why, by: name))
                state.open.insert(id)
            }
        }
        package func revoke() throws {
            try state.withLock { state in
                guard state.problem == nil else { throw Problem() }
                state.revoked.formUnion(state.open)
            }
        }
        package func openEndings() throws -> [EndedIdentity] {
            state.withLock { state in state.ended.filter { state.open.contains($0.id) } }
        }
        package func ended() throws -> [EndedIdentity] { state.withLock { $0.ended } }
        package func closed(_ id: DeviceID, confirmed: Bool, at: Double) throws {
            state.withLock { state in
                state.open.remove(id)
                if confirmed { state.confirmed.insert(id) }
            }
        }

        /// Those whom the broker has been told to refuse.
        package var revoked: Set<DeviceID> { state.withLock { $0.revoked } }
        /// Those who have said that their keys are gone.
        package var confirmed: Set<DeviceID> { state.withLock { $0.confirmed } }
        /// Nothing can be stored from now on, until that ends.
        package func fail(_ fails: Bool) { state.withLock { $0.problem = fails ? "full" : nil } }
        /// As after an old backup was put back.
        package func forget(_ id: DeviceID) {
            state.withLock { state in
                state.ended.removeAll { $0.id == id }
                state.open.remove(id)
                state.revoked.remove(id)
            }
        }
    }

    /// The key service's book.
    package let book = Book()

    package init(_ network: TestNetwork, _ change: (inout C2Rules) -> Void = { _ in }) async throws {
        self.network = network
        var rules = C2Rules()
        rules.policies["sensor"] = .observed
        rules.policies["lamp"] = .simple
        change(&rules)
        self.rules = rules
        participant = try network.participant(Self.id, name: "server")
        state = try C2State(path: network.folder + "/c2.db")
        commands = try CommandStore(path: network.folder + "/commands.db")
        shelf = ReleaseShelf(
            store: try UpdateStore(path: network.folder + "/updates.db"),
            folder: try ReleaseFolder(path: network.folder + "/releases", limit: 1 << 20),
            base: "https://c2.example.net:8443/releases/", keys: [])
        server = try Self.made(network, participant, state, commands, access, rules, book, shelf)
        try await start()
    }

    private static func made(
        _ network: TestNetwork, _ participant: Participant, _ state: C2State, _ commands: CommandStore,
        _ access: Access, _ rules: C2Rules, _ book: Book, _ shelf: ReleaseShelf
    ) throws -> C2Server {
        C2Server(
            participant, state: state, commands: commands, access: access, directory: book, updates: shelf,
            rules: rules,
            events: try EventLog(path: nil),
            time: network.time)
    }

    private func start() async throws {
        let server = server
        network.attach(Self.id, C2Server.subscriptions(Self.id)) {
            await server.handle($0)
        } tick: {
            await server.tick()
        }
        try await server.begin()
    }

    /// As after a crash: what was in memory is gone.
    package func restart(_ change: (inout C2Rules) -> Void = { _ in }) async throws {
        change(&rules)
        server = try Self.made(network, participant, state, commands, access, rules, book, shelf)
        try await start()
    }

    /// Makes an identity known, as the key service does.
    package func know(_ id: DeviceID, type: String) throws {
        try participant.state.remember(id, key: TestNetwork.publicKey(id), type: type)
    }

    package func isMember(_ id: DeviceID) throws -> Bool { try participant.state.peer(id)?.isJoined ?? false }
}

/// A participant that says what the test wants, properly signed and numbered.
package final class Puppet {
    package let id: DeviceID
    package let participant: Participant
    package let network: TestNetwork
    package private(set) var heard: [Message] = []
    /// Called for each message from the server.
    package var onMessage: (Message) throws -> Void = { _ in }
    private var serverKey: PublicKey?

    package init(_ id: DeviceID, _ network: TestNetwork) throws {
        self.id = id
        self.network = network
        participant = try network.participant(id)
        serverKey = TestNetwork.publicKey(TestServer.id)
        network.onClose { [weak self] in self?.onMessage = { _ in } }
        // The network holds it for as long as the test lasts.
        network.attach(id, ["SRUP/\(id.hex)"]) { event in
            guard case .message(let topic, let payload) = event,
                let (signed, _) = try? self.participant.read(payload, topic: topic),
                signed.message.sender == TestServer.id,
                let message = try? self.participant.admit(signed, key: self.serverKey)
            else { return }
            self.heard.append(message)
            try? self.onMessage(message)
        }
    }

    @discardableResult
    package func ask(_ body: Body) throws -> Token {
        let token = Token.random()
        try participant.send(body, to: TestServer.id, on: .joins(server: TestServer.id, from: id), token: token)
        return token
    }

    package func say(_ body: Body, _ token: Token = .random()) throws {
        try participant.send(body, to: TestServer.id, on: .member(id), token: token)
    }

    package var answers: [Status] { network.answers(to: id, from: TestServer.id) }

    /// The nonces it was sent.
    package func nonce(_ message: Message) throws -> Nonce? {
        switch message.body {
        case .observedJoinResponse(let envelope), .humanJoinResponse(let envelope),
            .observationRequest(_, let envelope):
            try envelope.openNonce(with: participant.key)
        default: nil
        }
    }
}

/// What stands in front of an observer: which values can be seen there.
package final class View {
    package var values: [Nonce] = []

    package init() {}
    package func shows(_ nonce: Nonce) -> Bool { values.contains(nonce) }
}

/// An observer as the reference implementation makes one (docs/protocol.md, "One observation at a time"): each request
/// is looked for, and every answer carries the token of the last request, whichever device it is about.
package final class ReferenceObserver {
    package let puppet: Puppet
    private let view: View
    private var slot: Token?
    package private(set) var looks: [(nonce: Nonce, until: Duration)] = []

    private let patience: Duration
    /// What it has recognised, oldest first.
    package private(set) var valid: [Nonce] = []

    package init(_ id: DeviceID, _ network: TestNetwork, _ view: View, patience: Duration = .seconds(60)) throws {
        self.patience = patience
        puppet = try Puppet(id, network)
        self.view = view
        puppet.onMessage = { message in
            guard case .observationRequest = message.body, let nonce = try self.puppet.nonce(message) else { return }
            self.slot = message.token
            self.looks.append((nonce, network.clock + patience))
        }
    }

    /// Looks once at what is in view; answers what it sees, or what it has not seen in time.
    package func look() throws {
        for (index, look) in looks.enumerated().reversed() {
            let status: Status? =
                view.shows(look.nonce)
                ? .observedJoinValid : look.until <= puppet.network.clock ? .observedJoinFail : nil
            guard let status, let token = slot else { continue }
            if status == .observedJoinValid { valid.append(look.nonce) }
            looks.remove(at: index)
            try puppet.say(.response(status), token)
        }
    }
}
