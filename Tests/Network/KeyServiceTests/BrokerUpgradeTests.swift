import Foundation
import SRUP
import Storage
import Testing

@testable import KeyService

/// A server's folder as an earlier version has left it.
@Suite struct BrokerUpgradeTests {
    let folder = NSTemporaryDirectory() + "srup-old-\(UUID().uuidString)"
    let configuration: BrokerConfiguration
    let authority: Authority
    let state: KeyServiceState

    init() throws {
        try PrivateFile.makeFolder(folder)
        authority = try Authority.create(in: folder, name: "test")
        state = try KeyServiceState(path: KeyServiceState.path(in: folder))
        configuration = BrokerConfiguration(folder: folder, bind: "0.0.0.0", port: 8883, server: DeviceID(0xC2C2))
    }

    private func conf() throws -> String { try PublicFile.read(folder + "/mosquitto.conf") }
    private func acl() throws -> String { try PublicFile.read(folder + "/acl") }
    private func upgrade() throws -> [String] { try configuration.upgrade(authority: authority, state: state, host: "localhost") }

    /// As version 0.1 wrote them (a folder made by it, but for its path).
    private func writeOld(_ edit: (String) -> String = { $0 }, acl: (String) -> String = { $0 }) throws {
        let old = """
            # Mosquitto for a SRUP network, written by "srup-c2 init". Run it with: mosquitto -c FOLDER/mosquitto.conf
            per_listener_settings false
            allow_anonymous false
            acl_file FOLDER/acl

            listener 8883 0.0.0.0
            cafile FOLDER/ca.crt
            certfile FOLDER/broker.crt
            keyfile FOLDER/broker.key
            tls_version tlsv1.2
            # Who connects is who its certificate says: the key service certifies only the proven identity.
            require_certificate true
            use_identity_as_username true

            # What is published to a participant that is away waits for it, over a restart of the broker too.
            persistence true
            persistence_location FOLDER/broker-data/
            autosave_interval 1
            autosave_on_changes true
            persistent_client_expiration 14d
            max_queued_messages 1000
            # The largest SRUP message has 65535 bytes.
            message_size_limit 65535
            max_packet_size 66560
            max_inflight_messages 20
            max_keepalive 600
            # Every message here is small and awaited.
            set_tcp_nodelay true
            # Nobody here reads the broker's statistics.
            sys_interval 0
            log_dest stderr
            log_type error
            log_type warning
            log_type notice
            connection_messages true

            """
        let list = """
            # Everybody: the own topic, and asking this server to join. %u is the identity from the certificate.
            pattern readwrite SRUP/%u
            pattern write SRUP/servers/c2c2/%u

            # The C2 server.
            user c2c2
            topic readwrite SRUP/#

            """
        try PrivateFile.write(
            edit(old.replacingOccurrences(of: "FOLDER", with: folder)), to: folder + "/mosquitto.conf")
        try PrivateFile.write(acl(list), to: folder + "/acl")
    }

    @Test func aFolderOfAnEarlierVersionIsFoundAndRenewedOnce() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try writeOld()
        let (before, listBefore) = (try conf(), try acl())
        let problems = BrokerConfiguration.problems(folder: folder)
        #expect(problems.contains { $0.contains("\"use_username_as_clientid true\" is missing") })
        #expect(problems.contains { $0.contains("\"autosave_on_changes false\" is missing") })
        #expect(problems.contains { $0.contains("for tools that watch") })
        #expect(problems.allSatisfy { $0.hasSuffix("(say: srup-c2 upgrade --folder \(folder))") })
        #expect(problems.contains { $0.contains("there is no list of revoked certificates") })
        #expect(problems.contains { $0.contains("crlfile \(folder)/revoked.pem") })
        #expect(problems.contains { $0.contains("mosquitto_dynamic_security.so) is not loaded") })
        #expect(try upgrade().count == 4)
        #expect(try conf() == configuration.configuration && acl() == configuration.accessList)
        #expect(try PublicFile.read(folder + "/mosquitto.conf.old") == before)
        #expect(try PublicFile.read(folder + "/acl.old") == listBefore)
        #expect(BrokerConfiguration.problems(folder: folder) == [])
        // Once is enough.
        #expect(try upgrade() == [])
        #expect(!PublicFile.exists(folder + "/mosquitto.conf.old-2"))
    }

    @Test func whatSomebodyHasEditedStaysAndIsToldSo() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try writeOld { old in
            old.replacingOccurrences(of: "max_queued_messages 1000", with: "max_queued_messages  500 \r")
                + "listener 1883 127.0.0.1\nmax_connections 5\n"
        } acl: {
            $0 + "\nuser c2c3\ntopic read SRUP/x"
        }
        let done = try upgrade()
        #expect(done.count == 4 && done[0].contains("was edited by somebody") && done[1].contains("was edited"))
        let text = try conf()
        // The setting stands in the listener that takes names from certificates, and the choice is kept.
        #expect(
            text.contains(
                "use_identity_as_username true\ncapath \(folder)/revoked\ncrlfile \(folder)/revoked.pem\n"
                    + "max_connections 10000\nmax_qos 1\nuse_username_as_clientid true\n"))
        #expect(text.contains("max_queued_messages  500 \r\n") && !text.contains("max_queued_messages 1000"))
        #expect(text.contains("listener 1883 127.0.0.1\nmax_connections 5\n"))
        #expect(text.contains("autosave_on_changes false") && !text.contains("autosave_on_changes true"))
        let list = try acl()
        #expect(list.contains("user c2c3\ntopic read SRUP/x\n\n") && list.hasSuffix(configuration.monitorAccess))
        // Whom somebody has given access of its own may subscribe to it.
        let library = try #require(BrokerGuard.find())
        #expect(
            text.contains(
                "acl_file \(folder)/acl\nplugin \(library)\nplugin_opt_unrestricted c2c2 monitor c2c3\n"
                    + "plugin_opt_ended \(folder)/ended\nplugin_opt_groups \(folder)/groups\n\n"))
        let control = try #require(BrokerControl.find())
        #expect(
            text.contains(
                "\n\nplugin \(control)\nplugin_opt_config_file \(folder)/broker-control.json\n\nlistener 8883"))
        #expect(BrokerConfiguration.problems(folder: folder) == [])
        #expect(try upgrade() == [])
    }

    @Test func aConfigurationWithNoPlaceForItIsLeftAlone() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try writeOld { $0.replacingOccurrences(of: "use_identity_as_username true", with: "password_file /x") }
        let before = try conf()
        #expect(throws: BrokerUpgradeError.self) { try upgrade() }
        #expect(try conf() == before)
    }

    @Test func thePluginIsLoadedFromWhereItIsAndItsAbsenceIsTold() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try configuration.write(state)
        try Monitor.make(in: folder, authority: authority, host: "localhost", port: 8883)
        let fresh = try conf()
        let library = try #require(BrokerGuard.find())
        // A library that was moved, with the option left as it was and others' plugins beside it.
        let others = "plugin /x/other.so\nplugin_opt_unrestricted theirs\n"
        let moved = fresh.replacingOccurrences(of: library, with: "/nowhere/libBrokerGuard.so") + others
        try PrivateFile.write(moved, to: folder + "/mosquitto.conf")
        #expect(
            BrokerConfiguration.problems(folder: folder).contains {
                $0.contains("/nowhere/libBrokerGuard.so is not there")
            })
        #expect(try upgrade().count == 1)
        #expect(try conf() == fresh + others)
        #expect(BrokerConfiguration.problems(folder: folder) == [])
        // One of the last version: only the plugin and what belongs to it are new.
        var old = configuration
        old.guardLibrary = nil
        try PrivateFile.write(old.configuration, to: folder + "/mosquitto.conf")
        #expect(
            BrokerConfiguration.problems(folder: folder).contains {
                $0.contains("(libBrokerGuard.so) is not loaded (say")
            })
        try PrivateFile.write(configuration.accessList + "\nuser c2c3\ntopic read SRUP/#\n", to: folder + "/acl")
        #expect(try upgrade().first?.hasPrefix("renewed") == true)
        #expect(try conf() == fresh.replacingOccurrences(of: "c2c2 monitor\n", with: "c2c2 monitor c2c3\n"))
        // Without the library there is nothing to load, and the operator is told so, not to say upgrade.
        let problem = BrokerConfiguration.guardProblem(
            BrokerFile(old.configuration), users: [], groups: "/x", library: nil, ended: folder + "/ended")
        #expect(problem?.words.contains("any participant can fill") == true && problem?.isCurable == false)
        try PrivateFile.write(old.configuration, to: folder + "/mosquitto.conf")
        #expect(try old.upgrade(authority: authority, state: state, host: "localhost") == [])
    }

    @Test func thePluginIsToldOfGroupsInAFolderThatKnewNone() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try configuration.write(state)
        try Monitor.make(in: folder, authority: authority, host: "localhost", port: 8883)
        let isOurs: (String) -> Bool = { $0.contains("plugin_opt_unrestricted") && !$0.contains("plugin_opt_groups") }
        let old = try #require(configuration.ownConfigurations.first(where: isOurs))
        try PrivateFile.write(old, to: folder + "/mosquitto.conf")
        #expect(!BrokerConfiguration.problems(folder: folder).isEmpty)
        #expect(try upgrade().first?.hasPrefix("renewed") == true)
        #expect(try conf() == configuration.configuration)
        // One that somebody has edited keeps the rest.
        let without = configuration.configuration.replacingOccurrences(
            of: "plugin_opt_groups \(folder)/groups\n", with: "")
        try PrivateFile.write(without + "# mine\n", to: folder + "/mosquitto.conf")
        #expect(BrokerConfiguration.problems(folder: folder).contains { $0.contains("(plugin_opt_groups)") })
        #expect(try upgrade().first?.contains("was edited by somebody") == true)
        #expect(try conf().hasSuffix("# mine\n") && conf().contains("plugin_opt_groups \(folder)/groups\n"))
        #expect(BrokerConfiguration.problems(folder: folder) == [])
        #expect(try upgrade() == [])
    }

    @Test func groupsAreWrittenAsLinesThatThePluginReads() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let lamps = try #require(GroupID("lamps")), all = try #require(GroupID("all"))
        try BrokerConfiguration.setGroups(
            [lamps: [DeviceID(0xB), DeviceID(0xA)], all: [DeviceID(0xB)]], folder: folder)
        let text = try PublicFile.read(folder + "/groups")
        #expect(text.split(separator: "\n").dropFirst() == ["all b", "lamps a", "lamps b"])
        try BrokerConfiguration.setGroups([:], folder: folder)
        #expect(try PublicFile.read(folder + "/groups").split(separator: "\n").count == 1)
    }

    @Test func aFreshFolderHasNothingToRenew() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try configuration.write(state)
        try Monitor.make(in: folder, authority: authority, host: "localhost", port: 8883)
        #expect(BrokerConfiguration.problems(folder: folder) == [])
        #expect(try upgrade() == [])
        #expect(try PublicFile.read(folder + "/monitor/broker") == "localhost:8883\n")
    }

    @Test func aFolderFromBeforeIdentitiesCouldEndIsRenewedAndAnEditedOneGetsTheLines() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try configuration.write(state)
        try Monitor.make(in: folder, authority: authority, host: "localhost", port: 8883)
        let fresh = try conf()
        for edit in ["", "# somebody was here\n"] {
            // Our text of the last version, and the same with a line of somebody's.
            let isOurs: (String) -> Bool = { $0.contains("plugin_opt_unrestricted") && !$0.contains("crlfile") }
            let old = try #require(configuration.ownConfigurations.first(where: isOurs))
            try PrivateFile.write(old + edit, to: folder + "/mosquitto.conf")
            for file in ["/revoked.pem", "/ended", "/broker-control.json"] {
                try FileManager.default.removeItem(atPath: folder + file)
            }
            try FileManager.default.removeItem(atPath: folder + "/revoked")
            #expect(BrokerConfiguration.problems(folder: folder).count == 5)
            let done = try upgrade()
            #expect(done.count == 2 && done[1].contains("revoked.pem"))
            #expect(BrokerConfiguration.problems(folder: folder) == [])
            if edit.isEmpty { #expect(try conf() == fresh) } else { #expect(try conf().hasSuffix(edit)) }
            for line in ["crlfile", "capath", "plugin_opt_ended", "plugin_opt_config_file"] {
                #expect(try conf().split(separator: "\n").count { $0.hasPrefix(line + " ") } == 1)
            }
            #expect(try upgrade() == [])
        }
    }

    @Test func aListOfSomebodyElsesIsReplacedByOurs() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try configuration.write(state)
        try Monitor.make(in: folder, authority: authority, host: "localhost", port: 8883)
        let edited = try conf().replacingOccurrences(
            of: "crlfile \(folder)/revoked.pem", with: "crlfile /etc/somebody.crl")
        try PrivateFile.write(edited, to: folder + "/mosquitto.conf")
        #expect(BrokerConfiguration.problems(folder: folder).count == 1)
        #expect(try upgrade().count == 1)
        #expect(try conf().contains("crlfile \(folder)/revoked.pem") && !conf().contains("/etc/somebody.crl"))
    }

    @Test func whereMosquittosOwnPluginIsNotInstalledTheOperatorIsTold() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var without = configuration
        without.controlLibrary = nil
        let problem = BrokerConfiguration.controlProblem(
            BrokerFile(without.configuration), folder: folder, library: nil)
        #expect(problem?.isCurable == false && problem?.words.contains("is not installed") == true)
        try without.write(state)
        try Monitor.make(in: folder, authority: authority, host: "localhost", port: 8883)
        #expect(try without.upgrade(authority: authority, state: state, host: "localhost") == [])
        // After its installation.
        #expect(try upgrade().first?.hasPrefix("renewed") == true)
        #expect(try conf() == configuration.configuration)
    }
}
