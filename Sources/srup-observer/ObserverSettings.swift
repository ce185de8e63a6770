import Observation
import Settings

/// The appliance's configuration file.
struct ObserverSettings {
    var stateFolder = "/var/lib/srup-observer"
    var keyServiceURL: String?
    var authorityFile: String?
    var deviceType = "observer"
    /// Overrides what registration has told.
    var server: String?
    var camera: String? = "auto"
    var cameraWidth = 1280
    var cameraHeight = 720
    var symbologies: [String] = []
    var rejoin: Duration = .seconds(600)
    var rules = WatchRules()
    var logLevel = LogLevel.info

    enum LogLevel: String, CaseIterable { case debug, info, notice, warning, error }

    static let defaultPath = "/etc/srup-observer/srup-observer.toml"

    static let example = """
        # srup-observer.toml: every key with its default; leave out what you do not change.
        state = "/var/lib/srup-observer"       # keys, counters, audit log (mode 0700)
        log = "info"                           # debug, info, notice, warning, error

        [registration]
        url = "https://c2.example.net:8443"    # the key service
        ca = "/etc/srup-observer/ca.pem"       # its authority, when it is not a public one
        type = "observer"                      # what we tell the key service that we are

        [server]
        # id = "b9d077e223834cf6"              # the C2 server, when the key service does not tell
        rejoin = "10 min"                      # how often to confirm that we belong

        [observe]
        timeout = "60 s"                       # then the verdict is FAILED
        invalid_after = "3 s"                  # another value in view for so long is INVALID
        witness_grace = "15 s"                 # FAILED after so long without a working camera

        [camera]
        device = "auto"                        # auto, /dev/video0, by-id:NAME, usb:046d:0825, folder:DIR, y4m:FILE, fifo:PATH
        width = 1280
        height = 720
        # symbologies = ["qr", "code128", "code93", "code39"]
        """

    static func load(_ path: String) throws(SettingsError) -> ObserverSettings {
        var file = try SettingsFile(path: path)
        var settings = ObserverSettings()
        settings.stateFolder = try file.string("state") ?? settings.stateFolder
        settings.logLevel = try file.choice("log", default: settings.logLevel)
        settings.keyServiceURL = try file.string("registration.url")
        settings.authorityFile = try file.string("registration.ca")
        settings.deviceType = try file.string("registration.type") ?? settings.deviceType
        settings.server = try file.string("server.id")
        settings.rejoin = try file.duration(
            "server.rejoin", default: settings.rejoin, in: .seconds(1)...(.seconds(86400)))
        settings.rules.timeout = try file.duration(
            "observe.timeout", default: settings.rules.timeout, in: .milliseconds(500)...(.seconds(3600)))
        settings.rules.invalidAfter = try file.duration(
            "observe.invalid_after", default: settings.rules.invalidAfter, in: .milliseconds(100)...(.seconds(600)))
        settings.rules.witnessGrace = try file.duration(
            "observe.witness_grace", default: settings.rules.witnessGrace, in: .milliseconds(500)...(.seconds(3600)))
        settings.camera = try file.string("camera.device") ?? settings.camera
        settings.cameraWidth = try file.integer("camera.width", default: settings.cameraWidth, in: 64...8192)
        settings.cameraHeight = try file.integer("camera.height", default: settings.cameraHeight, in: 64...8192)
        settings.symbologies = try file.strings("camera.symbologies")
        let known = ["qr", "code128", "code93", "code39"]
        if settings.symbologies.contains(where: { !known.contains($0) }) {
            throw file.problem(
                "camera.symbologies", "each must be one of \(known.map { "\"\($0)\"" }.joined(separator: ", "))")
        }
        try file.finish()
        return settings
    }
}
