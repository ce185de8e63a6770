import C2
import Settings

/// `c2.toml` in the server's folder, which "srup-c2 init" writes.
struct ServerSettings {
    var host = "localhost"
    var bind = "0.0.0.0"
    var keyServicePort = 8443
    var brokerPort = 8883
    var isOpen = true
    var rules = C2Rules()

    static func load(_ folder: String) throws(SettingsError) -> ServerSettings {
        var file = try SettingsFile(path: folder + "/c2.toml")
        var settings = ServerSettings()
        settings.host = try file.required("host", example: "c2.example.net")
        settings.bind = try file.string("bind") ?? settings.bind
        settings.keyServicePort = try file.integer("key_service.port", default: 8443, in: 1...65535)
        settings.isOpen = try file.boolean("key_service.open", default: true)
        settings.brokerPort = try file.integer("broker.port", default: 8883, in: 1...65535)
        settings.rules.tries = try file.integer("observation.tries", default: settings.rules.tries, in: 1...20)
        settings.rules.observationTimeout = try file.duration(
            "observation.timeout", default: settings.rules.observationTimeout, in: .seconds(1)...(.seconds(3600)))
        settings.rules.otherwise = try file.choice("policy.otherwise", default: settings.rules.otherwise)
        for type in file.keys(of: "policy") where type != "otherwise" {
            settings.rules.policies[type] = try file.choice("policy.\(type)", default: JoinPolicy.refuse)
        }
        try file.finish()
        return settings
    }

    static func text(host: String, bind: String, keyServicePort: Int, brokerPort: Int) -> String {
        """
        # The C2 server, its key service and its broker. Written by "srup-c2 init"; change it as you like.
        # (After a change of host, bind or broker.port: srup-c2 init in a new folder, since certificates name the host.)
        host = "\(host)"             # as devices reach this machine
        bind = "\(bind)"

        [key_service]
        port = \(keyServicePort)
        open = true                  # false: no new registrations

        [broker]
        port = \(brokerPort)

        # How devices come in, by the type they register with: simple, observed, human, refuse.
        [policy]
        otherwise = "observed"       # all types that are not named here
        observer = "simple"          # an observer joins simply; it vouches only after: srup-c2 trust <identity>

        [observation]
        tries = 3                    # FAILED is tried again with a fresh nonce, up to this many tries in all
        timeout = "90 s"             # how long an observer may take

        """
    }
}
