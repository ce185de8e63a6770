import Glibc
import Logging
import Participant
import SRUP
import ServiceLifecycle
import Storage

/// Phones of a network in operation: each operator's identity lies in a folder of its own, is registered with the network's
/// own key service, and comes by way of the broker like any other.
package struct RegisteredPhones: PhonePlaces {
    /// `DIR/server/phones`.
    private let folder: String
    private let keyService: String
    private let authorityFile: String
    private let server: DeviceID
    private let serverKey: PublicKey
    private let logger: Logger

    /// - Parameters:
    ///   - folder: with a folder for each operator, mode 0700.
    ///   - keyService: its URL.
    ///   - authorityFile: of its certificate.
    package init(
        folder: String, keyService: String, authorityFile: String, server: DeviceID, serverKey: PublicKey,
        logger: Logger
    ) {
        self.folder = folder
        self.keyService = keyService
        self.authorityFile = authorityFile
        self.server = server
        self.serverKey = serverKey
        self.logger = logger
    }

    package func identities() -> [DeviceID] {
        names().compactMap { name in
            // Only what it is called: keys stay on the disk.
            let path = Identity.statePath(folder + "/" + name)
            guard PublicFile.isThere(path), let state = try? ParticipantStore(path: path, use: .look) else {
                return nil
            }
            return try? state.value("identity").flatMap { DeviceID(hex: $0) }
        }
    }

    private func names() -> [String] {
        guard let list = opendir(folder) else { return [] }
        defer { closedir(list) }
        var found: [String] = []
        while let entry = readdir(list) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { found.append(name) }
        }
        return found.sorted()
    }

    package func place(of name: String) async throws -> PhonePlace {
        try PrivateFile.makeFolder(folder)
        let home = folder + "/" + name
        if try await !isRegistered(home) {
            let id = try await Registrar.register(
                at: keyService, authorityFile: authorityFile, type: "observer", folder: home, server: server
            ) { _ in }
            logger.notice("the phone of \(name) is the observer \(id) now")
        }
        let (identity, state) = try Identity.load(from: home)
        var logger = logger
        logger[metadataKey: "phone"] = "\(name)"
        // Nothing waits for it at the broker: what it was asked when the page was open before, it does not look at.
        let link = try BrokerLink(
            identity.broker, clientID: identity.clientID, subscriptions: ["SRUP/\(identity.id.hex)"], logger: logger,
            isPersistent: false)
        let participant = Participant(id: identity.id, key: identity.key, state: state, link: link, logger: logger)
        return PhonePlace(participant: participant, server: server, serverKey: serverKey) { [logger] member in
            Self.begin(
                [Renewal(folder: home, link: link, logger: logger), member, link], of: name, logger)
        }
    }

    /// - Returns: what ends them, and waits for that.
    private static func begin(
        _ services: [any Service], of name: String, _ logger: Logger
    ) -> @Sendable () async -> Void {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        var configuration = ServiceGroupConfiguration(
            services: services.map {
                .init(
                    service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup)
            }, gracefulShutdownSignals: [], cancellationSignals: [], logger: quiet)
        configuration.maximumGracefulShutdownDuration = .seconds(2)
        configuration.maximumCancellationDuration = .seconds(1)
        let group = ServiceGroup(configuration: configuration)
        let running = Task {
            do {
                try await group.run()
            } catch {
                logger.error("the phone of \(name) has stopped: \(error)")
            }
        }
        return {
            await group.triggerGracefulShutdown()
            await running.value
        }
    }

    /// Whether there is an identity that the key service still knows. When it cannot be asked, the one that is there is tried.
    private func isRegistered(_ home: String) async throws -> Bool {
        guard try Identity.exists(in: home) else { return false }
        let (identity, _) = try Identity.load(from: home)
        do throws(KeyServiceError) {
            let key = try await Registrar.client(identity, folder: home, timeout: .seconds(5)).key(of: identity.id)
            return key != nil
        } catch {
            return true
        }
    }
}
