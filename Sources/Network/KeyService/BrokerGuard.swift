import Glibc
import SRUP
import Storage

/// Mosquitto's plugin that rules who may subscribe to what (`Sources/C/brokerguard`): the access list rules only what is
/// published and delivered, and lets everybody have any number of subscriptions, each of which the broker keeps in memory.
enum BrokerGuard {
    static let fileName = "libBrokerGuard.so"
    /// Where the package has it.
    static let packaged = "/usr/lib/srup-c2/" + fileName
    /// Its option with the users that may subscribe to anything.
    static let option = "plugin_opt_unrestricted"
    /// Its option with the file of those who may do nothing any more.
    static let endedOption = "plugin_opt_ended"
    /// Its option with the file that says who is in which group.
    static let groupsOption = "plugin_opt_groups"

    /// The library: beside this program, as `swift build` puts it, or where the package has it; `nil`: nowhere.
    static func find() -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = readlink("/proc/self/exe", &buffer, Int(PATH_MAX))
        let program = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let beside = program.lastIndex(of: "/").map { String(program[...$0]) + fileName }
        return [beside, packaged].compactMap { $0 }.first(where: PublicFile.exists)
    }
}

extension BrokerFile {
    /// Where the plugin is loaded.
    private var guardLine: Int? {
        lines.indices.last { index in
            guard let pair = Self.pair(lines[index]) else { return false }
            return pair.key == "plugin" && pair.value.hasSuffix("/" + BrokerGuard.fileName)
        }
    }

    /// The file that is loaded as the plugin; `nil`: none.
    var guardPath: String? { guardLine.flatMap { Self.pair(lines[$0]) }.map { String($0.value) } }

    /// An option's line: those of a plugin stand between it and the next plugin.
    private func guardOption(_ key: String = BrokerGuard.option) -> Int? {
        guardLine.flatMap { option(key, of: $0) }
    }

    func option(_ key: String, of plugin: Int) -> Int? {
        let end = lines.indices.first { $0 > plugin && Self.pair(lines[$0])?.key == "plugin" } ?? lines.count
        return (plugin..<end).last { Self.pair(lines[$0])?.key == Substring(key) }
    }

    /// The file with those who may do nothing any more.
    var endedPath: String? {
        guardOption(BrokerGuard.endedOption).flatMap { Self.pair(lines[$0]) }.map { String($0.value) }
    }

    /// The users that the plugin lets subscribe to anything.
    var unrestricted: [String] {
        guard let value = guardOption().flatMap({ Self.pair(lines[$0])?.value }) else { return [] }
        return value.split(whereSeparator: \.isWhitespace).map(String.init)
    }

    /// The file that tells the plugin who is in which group; `nil`: none.
    var groupsPath: String? {
        guardOption(BrokerGuard.groupsOption).flatMap { Self.pair(lines[$0]) }.map { String($0.value) }
    }

    /// The users that an access list has lines of their own for.
    var users: [String] {
        lines.compactMap { line in
            guard let pair = Self.pair(line), pair.key == "user" else { return nil }
            return String(pair.value)
        }
    }

    /// Has the plugin loaded, lets these users subscribe to anything, and those in the file do nothing.
    mutating func setGuard(_ path: String, unrestricted: [String], ended: String, groups: String) {
        let options = [
            (BrokerGuard.option, BrokerGuard.option + " " + unrestricted.joined(separator: " ")),
            (BrokerGuard.endedOption, BrokerGuard.endedOption + " " + ended),
            (BrokerGuard.groupsOption, BrokerGuard.groupsOption + " " + groups),
        ]
        guard let line = guardLine else {
            lines.insert(contentsOf: ["plugin " + path] + options.map(\.1), at: placeOfGuard)
            return
        }
        lines[line] = "plugin " + path
        for (key, option) in options.reversed() {
            if let old = guardOption(key) { lines[old] = option } else { lines.insert(option, at: line + 1) }
        }
    }

    /// Behind the access list, and the options of a plugin that stands there.
    private var placeOfGuard: Int {
        let end = lines.last == "" ? lines.count - 1 : lines.count
        guard let list = lines.indices.last(where: { Self.pair(lines[$0])?.key == "acl_file" }) else { return end }
        return lines.indices.first {
            $0 > list && Self.pair(lines[$0])?.key.hasPrefix("plugin_opt_") != true
        } ?? end
    }
}

extension BrokerConfiguration {
    /// What is wrong with the plugin in a mosquitto.conf, in words.
    ///
    /// - Parameters:
    ///   - users: who has lines of their own in the access list.
    ///   - groups: the file that says who is in which group.
    ///   - library: where the plugin is.
    ///   - ended: the file with those who may do nothing any more.
    /// - Returns: the problem, and whether an upgrade cures it; `nil`: nothing is wrong.
    static func guardProblem(
        _ file: BrokerFile, users: [String], groups: String, library: String?, ended: String
    ) -> (words: String, isCurable: Bool)? {
        guard let path = file.guardPath else {
            guard library != nil else {
                return (
                    "\(BrokerGuard.fileName) is neither beside srup-c2 nor in \(BrokerGuard.packaged): without this plugin any "
                        + "participant can fill the broker's memory with subscriptions", false
                )
            }
            return ("the plugin that limits subscriptions (\(BrokerGuard.fileName)) is not loaded", true)
        }
        guard PublicFile.exists(path) else {
            return ("the plugin \(path) is not there, without which the broker does not start", library != nil)
        }
        guard let path = file.endedPath, PublicFile.areOne(path, ended) else {
            return ("the plugin does not know who has ended (\(BrokerGuard.endedOption) \(ended))", true)
        }
        let allowed = file.unrestricted
        let missing = users.filter { !allowed.contains($0) }
        guard missing.isEmpty else {
            return (
                "\(missing.joined(separator: ", ")) may not subscribe to what the access list allows "
                    + "(\(BrokerGuard.option))", true
            )
        }
        guard file.groupsPath == groups else {
            return ("the plugin is not told who is in which group (\(BrokerGuard.groupsOption))", true)
        }
        return nil
    }

    /// Tells the broker's plugin who is in which group, from now on: it reads the file again when it has changed.
    ///
    /// - Throws: ``PrivateFileError``.
    public static func setGroups(
        _ members: [GroupID: [DeviceID]], folder: String
    ) throws(PrivateFileError) {
        let lines = members.sorted { $0.key < $1.key }.flatMap { group in
            group.value.sorted().map { "\(group.key) \($0.hex)\n" }
        }
        let text = "# Who is in which group. Written by the C2 server; read by the broker's plugin.\n" + lines.joined()
        let path = groupsPath(folder)
        if (try? PublicFile.read(path)) == text { return }
        try PrivateFile.write(text, to: path)
    }
}
