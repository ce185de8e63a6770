import ArgumentParser
import Foundation
import KeyService
import Participant
import Program
import SRUP

struct Upgrade: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring a folder that an earlier version has made up to date.",
        discussion: """
            Renews mosquitto.conf and acl, or rabbitmq.conf and its like, and makes monitor/, where they are older than this version, and certificates that end soon; what was there is kept \
            beside it (.old). Lines that somebody has changed stay, but for those that must be otherwise, which are named. \
            Nothing is changed when all is up to date. The broker has to be restarted afterwards.
            Exit codes: 0 up to date now, 1 failed, 78 the folder or its configuration is wrong.
            """)

    @OptionGroup var folder: FolderOptions

    func run() throws {
        let folder = URL(fileURLWithPath: folder.folder).standardizedFileURL.path
        let settings: ServerSettings
        let identity: Identity
        let stores: ServerStores
        do {
            settings = try ServerSettings.load(folder)
            stores = ServerStores(folder, settings.database)
            (identity, _) = try stores.identity(use: .look)
        } catch {
            throw Program.failure(error, code: .configuration)
        }
        do {
            try Self.checkOwner(folder)
            let authority = try Authority(folder: folder)
            let certificates = ServerCertificates(folder: folder, authority: authority)
                .renewDue(now: Participant.systemTime())
            for problem in certificates.problems { Program.complain(problem) }
            let done =
                certificates.renewed.map { "renewed \($0)" }
                + (try broker(folder, settings, identity, authority, stores.keyService()))
            for line in done { print(line) }
            print(done.isEmpty ? "all is up to date" : "now restart the broker (systemctl restart srup-broker)")
        } catch {
            throw Program.failure(error)
        }
    }

    private func broker(
        _ folder: String, _ settings: ServerSettings, _ identity: Identity, _ authority: Authority,
        _ state: KeyServiceState
    ) throws -> [String] {
        switch settings.broker.engine {
        case .mosquitto:
            try BrokerConfiguration(
                folder: folder, bind: settings.bind, port: settings.brokerPort, server: identity.id
            ).upgrade(authority: authority, state: state, host: settings.host)
        case .rabbitmq:
            try settings.broker.rabbit(folder, bind: settings.bind, port: settings.brokerPort)
                .upgrade(authority: authority, state: state, host: settings.host)
        }
    }

    /// Files written as root could not be read by the services that run as the folder's owner.
    private static func checkOwner(_ folder: String) throws {
        var status = stat()
        guard stat(folder, &status) == 0, status.st_uid != geteuid() else { return }
        let name = getpwuid(status.st_uid).map { String(cString: $0.pointee.pw_name) } ?? "\(status.st_uid)"
        throw ParticipantError.identity("\(folder) belongs to the user \(name): say sudo -u \(name) srup-c2 upgrade …")
    }
}
