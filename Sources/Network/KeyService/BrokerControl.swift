import Glibc
import SRUP
import Storage

/// Mosquitto's own plugin for dynamic security, here for one thing only: an identity that is made known to it and dropped
/// again has its connection closed, whatever it is doing, and the broker says so to whoever asked. It allows nobody
/// anything else: topics are ruled by the access list.
enum BrokerControl {
    static let fileName = "mosquitto_dynamic_security.so"
    /// Its option with the file of what it knows, which it writes anew at each change.
    static let option = "plugin_opt_config_file"

    static func path(in folder: String) -> String { folder + "/broker-control.json" }

    /// Where Debian has it, or who builds Mosquitto by hand; `nil`: nowhere.
    static func find() -> String? {
        let machines = ["x86_64-linux-gnu", "aarch64-linux-gnu", "arm-linux-gnueabihf"]
        let folders = machines.map { "/usr/lib/\($0)/" } + ["/usr/local/lib/", "/usr/lib/", "/usr/lib64/"]
        return folders.map { $0 + fileName }.first(where: PublicFile.exists)
    }

    /// Makes the file if it is not there: the C2 server may command the plugin and hear its answers.
    ///
    /// - Throws: ``PrivateFileError``.
    static func make(in folder: String, server: DeviceID) throws(PrivateFileError) {
        guard !PublicFile.isThere(path(in: folder)) else { return }
        try PrivateFile.write(text(server), to: path(in: folder))
    }

    private static func text(_ server: DeviceID) -> String {
        let answers = "$CONTROL/dynamic-security/v1/response"
        let rights = [
            ("publishClientSend", "$CONTROL/dynamic-security/v1"), ("publishClientReceive", answers),
            ("subscribeLiteral", answers),
        ].map { #"{"acltype": "\#($0)", "topic": "\#($1)", "priority": 0, "allow": true}"# }
        return """
            {
            "defaultACLAccess": {"publishClientSend": false, "publishClientReceive": false, "subscribe": false, "unsubscribe": false},
            "clients": [{"username": "\(server.hex)", "roles": [{"rolename": "closes-connections"}]}],
            "groups": [],
            "roles": [{"rolename": "closes-connections", "acls": [
            \(rights.joined(separator: ",\n"))
            ]}]
            }

            """
    }
}

extension BrokerFile {
    private var controlLine: Int? {
        lines.indices.last { index in
            guard let pair = Self.pair(lines[index]) else { return false }
            return pair.key == "plugin" && pair.value.hasSuffix("/" + BrokerControl.fileName)
        }
    }

    /// The library and its file, as they are set.
    var control: (library: String, file: String)? {
        guard let line = controlLine, let library = Self.pair(lines[line])?.value else { return nil }
        let file = option(BrokerControl.option, of: line).flatMap { Self.pair(lines[$0])?.value }
        return (String(library), file.map(String.init) ?? "")
    }

    /// Has the plugin loaded, with this file; `nil` removes nothing.
    mutating func setControl(_ library: String, file: String) {
        let option = BrokerControl.option + " " + file
        guard let line = controlLine else {
            // Before the first listener, behind what belongs to plugins there.
            let place = lines.indices.first { Self.pair(lines[$0])?.key == "listener" } ?? lines.count
            lines.insert(contentsOf: ["plugin " + library, option, ""], at: place)
            return
        }
        lines[line] = "plugin " + library
        if let old = self.option(BrokerControl.option, of: line) {
            lines[old] = option
        } else {
            lines.insert(option, at: line + 1)
        }
    }
}

extension BrokerConfiguration {
    /// What is wrong with the plugin by which connections are closed, in words, and whether an upgrade cures it.
    static func controlProblem(_ file: BrokerFile, folder: String, library: String?) -> (
        words: String, isCurable: Bool
    )? {
        guard let control = file.control else {
            guard library != nil else {
                return (
                    "\(BrokerControl.fileName), which is Mosquitto's own, is not installed: without it the broker does not confirm "
                        + "that the connection of an identity is closed that has ended", false
                )
            }
            return ("the plugin by which connections are closed (\(BrokerControl.fileName)) is not loaded", true)
        }
        guard PublicFile.exists(control.library) else {
            return (
                "the plugin \(control.library) is not there, without which the broker does not start", library != nil
            )
        }
        guard PublicFile.areOne(control.file, BrokerControl.path(in: folder)), PublicFile.isThere(control.file) else {
            return ("the plugin \(BrokerControl.fileName) has not the file \(BrokerControl.path(in: folder))", true)
        }
        return nil
    }
}
