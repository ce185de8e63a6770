import COpenSSL
import Foundation
import SRUP
import Storage
import Testing

@testable import KeyService
@testable import Participant

/// What is written for RabbitMQ, and how it is kept so.
struct RabbitTests {
    private final class Bench {
        let folder = NSTemporaryDirectory() + "srup-rabbit-\(UUID().uuidString)"
        let state: KeyServiceState
        let authority: Authority
        let rabbit: RabbitConfiguration

        init(bind: String = "192.0.2.1") throws {
            try PrivateFile.makeFolder(folder)
            authority = try Authority.create(in: folder, name: "test")
            state = try KeyServiceState(path: folder + "/key-service.db")
            rabbit = RabbitConfiguration(
                folder: folder, bind: bind, port: 8883, answersPort: 8881, controlPort: 8882)
            try rabbit.write(state)
            try Monitor.make(in: folder, authority: authority, host: "localhost", port: 8883)
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }

        func text(_ name: String) throws -> String { try PublicFile.read(folder + "/" + name) }
        func mode(_ name: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: folder + "/" + name)[.posixPermissions] as? Int
        }
        func upgrade() throws -> [String] { try rabbit.upgrade(authority: authority, state: state, host: "localhost") }
    }

    @Test func nothingButMQTTOverTLSIsReachedFromOutsideAndWhoConnectsIsWhoItsCertificateSays() throws {
        let bench = try Bench()
        let values = RabbitFile(try bench.text("rabbitmq.conf")).values
        for (key, value) in [
            "listeners.tcp": "none", "listeners.ssl": "none", "mqtt.listeners.tcp": "none",
            "mqtt.listeners.ssl.default": "192.0.2.1:8883", "management.tcp.ip": "127.0.0.1",
            "management.tcp.port": "8882", "ssl_options.verify": "verify_peer",
            "ssl_options.fail_if_no_peer_cert": "true", "ssl_options.versions.1": "tlsv1.3",
            "ssl_options.versions.2": "tlsv1.2", "mqtt.allow_anonymous": "false", "anonymous_login_user": "none",
            "mqtt.ssl_cert_login": "true", "ssl_cert_login_from": "common_name",
            "mqtt.ssl_cert_client_id_from": "subject_alternative_name", "mqtt.ssl_cert_login_san_type": "other_name",
            "mqtt.ssl_cert_login_san_index": "0", "auth_backends.1": "internal", "auth_backends.2": "http",
            "mqtt.max_packet_size_authenticated": "66560", "mqtt.prefetch": "256",
            "mqtt.retained_message_store": "rabbit_mqtt_retained_msg_store_noop",
            "ssl_options.cacertfile": bench.folder + "/ca.crt",
        ] { #expect(values[key] == value, "\(key)") }
        let secret = try RabbitSecret.answers.read(in: bench.folder)
        for kind in BrokerQuestions.Kind.allCases {
            #expect(values["auth_http.\(kind.rawValue)_path"] == "http://127.0.0.1:8881/\(secret)/\(kind.rawValue)")
        }
        #expect(values.keys.allSatisfy { !$0.contains("cache") })
        let environment = try bench.text("rabbitmq-env.conf")
        #expect(environment.contains("ERL_EPMD_ADDRESS=127.0.0.1\n"))
        #expect(environment.contains("inet_dist_use_interface {127,0,0,1}"))
        #expect(
            try bench.text("enabled_plugins")
                == "[rabbitmq_mqtt,rabbitmq_auth_mechanism_ssl,rabbitmq_auth_backend_http,rabbitmq_management].\n")
        #expect(bench.rabbit.problems() == [])
        #expect(try bench.upgrade() == [])
    }

    @Test func theLimitsAreThoseOfMosquittosConfigurationAndThereIsNoGuest() throws {
        let bench = try Bench()
        let mosquitto = BrokerFile(
            BrokerConfiguration(folder: bench.folder, bind: "192.0.2.1", port: 8883, server: DeviceID(1)).configuration)
        for (key, value) in [
            ("max_connections", BrokerConfiguration.maximumConnections),
            ("max_queued_messages", RabbitConfiguration.queuedMessages),
            ("max_queued_bytes", RabbitConfiguration.queuedBytes),
            ("max_inflight_messages", RabbitConfiguration.inflight),
            ("max_packet_size", RabbitConfiguration.largestPacket),
        ] { #expect(mosquitto.hasLine(key, "\(value)"), "\(key)") }
        #expect(mosquitto.hasLine("persistent_client_expiration", "\(RabbitConfiguration.sessionExpiry / 86400)d"))

        let text = try bench.text("rabbitmq-definitions.json")
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: [[String: Any]]])
        #expect(object["users"]?.map { $0["name"] as? String } == ["srup-control"])
        #expect(object["vhosts"]?.map { $0["name"] as? String } == ["/"])
        let policy = try #require(object["policies"]?.first?["definition"] as? [String: Any])
        #expect(policy["max-length"] as? Int == 20_000 && policy["max-length-bytes"] as? Int == 8_388_608)
        let limits = try #require(object["parameters"]?.first?["value"] as? [String: Any])
        #expect(limits["max-connections"] as? Int == 20_000)
        // The password itself is in its file alone; RabbitMQ has four bytes of salt and SHA-256 of salt and password.
        let password = try RabbitSecret.control.read(in: bench.folder)
        for name in ["rabbitmq.conf", "rabbitmq-env.conf", "rabbitmq-definitions.json"] {
            #expect(try !bench.text(name).contains(password))
        }
        let hash = try #require(
            (object["users"]?.first?["password_hash"] as? String).flatMap { Data(base64Encoded: $0) }.map(Array.init))
        #expect(RabbitSecret.hash(password, salt: Array(hash.prefix(4))) == hash)
        // As RabbitMQ's documentation computes "test12" with the salt 90 8D C6 0A.
        #expect(
            Data(RabbitSecret.hash("test12", salt: [0x90, 0x8D, 0xC6, 0x0A])).base64EncodedString()
                == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR")
        for name in [
            "rabbitmq.conf", "rabbitmq-definitions.json", "rabbitmq-answers.secret", "rabbitmq-control.secret",
        ] { #expect(try bench.mode(name) == 0o600, "\(name)") }
        #expect(try RabbitSecret.answers.read(in: bench.folder) != password)
    }

    @Test func aSecretThatIsReadableByOthersOrDamagedIsRefused() throws {
        let bench = try Bench()
        chmod(bench.folder + "/rabbitmq-answers.secret", 0o644)
        #expect(throws: PrivateFileError.self) { try RabbitSecret.answers.read(in: bench.folder) }
        for text in ["", "abc", String(repeating: "A", count: 64), String(repeating: "a", count: 64) + "\n"] {
            try PrivateFile.write(text, to: bench.folder + "/rabbitmq-answers.secret")
            #expect(throws: RabbitSecret.Damaged.self) { try RabbitSecret.answers.read(in: bench.folder) }
        }
        #expect(!bench.rabbit.problems().isEmpty)
    }

    @Test(arguments: [
        ("mqtt.ssl_cert_client_id_from = subject_alternative_name", ""),
        ("auth_backends.2 = http", "auth_backends.2 = http\nauth_backends.3 = ldap"),
        ("listeners.tcp = none", "listeners.tcp.default = 5672"),
        ("ssl_options.verify = verify_peer", "ssl_options.verify = verify_none"),
        ("mqtt.allow_anonymous = false", "mqtt.allow_anonymous = true"),
        ("mqtt.listeners.tcp = none", "  mqtt.listeners.tcp.1   =   1883"),
        ("management.tcp.ip = 127.0.0.1", "management.tcp.ip = 0.0.0.0"),
    ])
    func whatOpensAnotherWayInIsFoundAndClosedAndOtherLinesStay(_ line: String, _ instead: String) throws {
        let bench = try Bench()
        let path = bench.folder + "/rabbitmq.conf"
        let edited =
            try bench.text("rabbitmq.conf").replacingOccurrences(of: "\n\(line)\n", with: "\n\(instead)\n")
            .replacingOccurrences(of: "log.console.level = warning", with: "log.console.level = debug")
            + "heartbeat = 30\n"
        try PrivateFile.write(edited, to: path)
        #expect(!bench.rabbit.problems().isEmpty)
        #expect(try !bench.upgrade().isEmpty)
        #expect(bench.rabbit.problems() == [])
        let values = RabbitFile(try bench.text("rabbitmq.conf")).values
        #expect(values["log.console.level"] == "debug" && values["heartbeat"] == "30")
        #expect(try bench.text("rabbitmq.conf.old") == edited)
        #expect(try bench.mode("rabbitmq.conf.old") == 0o600)
        #expect(try bench.upgrade() == [])
    }

    @Test func whatIsMissingIsMadeAnew() throws {
        let bench = try Bench()
        for name in [
            "rabbitmq.conf", "rabbitmq-env.conf", "enabled_plugins", "rabbitmq-definitions.json",
            "rabbitmq-control.secret",
        ] {
            try FileManager.default.removeItem(atPath: bench.folder + "/" + name)
            if name != "rabbitmq-control.secret" { #expect(!bench.rabbit.problems().isEmpty, "\(name)") }
        }
        #expect(try !bench.upgrade().isEmpty)
        #expect(bench.rabbit.problems() == [])
        try PrivateFile.write("[rabbitmq_mqtt,rabbitmq_stomp].\n", to: bench.folder + "/enabled_plugins")
        #expect(bench.rabbit.problems().count == 1)
        #expect(try bench.upgrade().count == 1)
    }

    @Test(arguments: ["0.0.0.0", "localhost", "::", "127.0.0.1"])
    func theListenerIsWhereItIsSaid(_ bind: String) throws {
        let bench = try Bench(bind: bind)
        let place = RabbitFile(try bench.text("rabbitmq.conf")).values["mqtt.listeners.ssl.default"]
        #expect(place == (bind == "localhost" ? "127.0.0.1" : bind) + ":8883")
    }

    // MARK: Certificates

    @Test func aCertificateNamesItsHoldersClientID() throws {
        let bench = try Bench()
        let key = try PrivateKey.generate().publicKey
        let id = DeviceID(0xABCD)
        let pem = try bench.authority.client(id, key: key)
        #expect(Certificate.session(of: pem) == "SRUP Client: abcd")
        // A certificate that is renewed keeps it.
        #expect(Certificate.session(of: try bench.authority.renewed(pem)) == "SRUP Client: abcd")
        #expect(
            Certificate.session(of: try PublicFile.read(bench.folder + "/monitor/certificate.pem"))
                == "SRUP Client: monitor")
        #expect(Certificate.session(of: bench.authority.certificate) == nil)
        #expect(Certificate.session(of: "") == nil)
    }

    // MARK: Versions

    @Test func aVersionBeforeTheFourthIsTooOld() throws {
        for version in ["3.10.8", "3.13.7", "2", "", "x", "-4", "v4.0"] {
            #expect(RabbitProgram.isTooOld(version), "\(version)")
        }
        for version in ["4.0.5", "4", "4.1.0-rc.1", "10.0"] { #expect(!RabbitProgram.isTooOld(version), "\(version)") }
        #expect(RabbitProgram.refusal("3.10.8").contains("3.10.8"))
    }

    @Test func theVersionIsInThePathToWhichDebiansLeads() throws {
        let bench = try Bench()
        let home = bench.folder + "/lib/rabbitmq_server-3.10.8/sbin"
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        let program = home + "/rabbitmq-server"
        try "#!/bin/sh\n".write(toFile: program, atomically: true, encoding: .utf8)
        #expect(RabbitProgram.find(program) == nil)
        chmod(program, 0o755)
        let link = bench.folder + "/rabbitmq-server"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: program)
        #expect(RabbitProgram.find(nil, places: ["/nowhere", link])?.version == "3.10.8")
        #expect(RabbitProgram.find(link)?.path == link)
        #expect(RabbitProgram.find("/bin/sh")?.version == nil)
        #expect(RabbitProgram.find(nil, places: []) == nil)
    }

    // MARK: The interface

    @Test(arguments: [
        ("HTTP/1.1 204 No Content\r\nserver: x\r\n\r\n", 204, ""),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", 200, "[]"),
        ("HTTP/1.0 404 Not Found\r\n\r\nanything", 404, "anything"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n1;x=y\r\n \r\n0\r\n\r\n", 200, "[] "),
    ])
    func anAnswerIsRead(_ text: String, _ status: Int, _ body: String) throws {
        let answer = try LoopbackHTTP.answer(Array(text.utf8), port: 1)
        #expect(answer == .init(status: status, body: Array(body.utf8)))
    }

    @Test(arguments: [
        "", "HTTP/1.1 200 OK\r\n", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 99 OK\r\n\r\n",
        "HTTP/2 \r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[]",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n[]", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n[]",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[]\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n[]\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n[]\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]",
    ])
    func anAnswerThatIsNoneIsAnError(_ text: String) {
        #expect(throws: LoopbackHTTP.Failure.malformed(port: 1)) {
            try LoopbackHTTP.answer(Array(text.utf8), port: 1)
        }
    }

    @Test func whoDoesNotAnswerIsNamed() throws {
        let bench = try Bench()
        let control = try RabbitControl(folder: bench.folder, port: 1)
        let failure = #expect(throws: RabbitControl.Failure.self) { try control.version() }
        #expect(failure?.description.contains("port 1") == true)
        #expect(throws: RabbitControl.Failure.self) { try control.end(DeviceID(1)) }
    }

    @Test func aMembershipIsFoundInABinding() {
        func member(_ key: String, _ queue: String) -> String? {
            RabbitControl.member(key, queue).map { "\($0.0) \($0.1.hex)" }
        }
        #expect(member("SRUP.groups.lamps", "mqtt-subscription-SRUP Client: abcdqos1") == "lamps abcd")
        #expect(member("SRUP.groups.lamp-1", "mqtt-subscription-SRUP Client: abcdqos0") == "lamp-1 abcd")
        for (key, queue) in [
            ("SRUP.groups.*", "mqtt-subscription-SRUP Client: abcdqos1"),
            ("SRUP.abcd", "mqtt-subscription-SRUP Client: abcdqos1"),
            ("SRUP.groups.lamps", "mqtt-subscription-SRUP Client: abcdqos2"),
            ("SRUP.groups.lamps", "mqtt-subscription-SRUP Client: qos1"),
            ("SRUP.groups.lamps", "mqtt-subscription-SRUP Client: monitorqos1"), ("SRUP.groups.lamps", "abcd"),
            ("", ""),
        ] { #expect(member(key, queue) == nil, "\(key) \(queue)") }
        #expect(
            RabbitControl.escaped("mqtt-subscription-SRUP Client: aqos1")
                == "mqtt-subscription-SRUP%20Client%3A%20aqos1")
    }
}
