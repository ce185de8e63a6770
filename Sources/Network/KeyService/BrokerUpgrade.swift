import SRUP
import Storage

/// A setting that mosquitto.conf must hold.
struct BrokerSetting: Sendable {
    let key: String
    let value: String
    /// Whether it belongs to a listener, which it must follow in the file.
    var isListeners = false
    /// Whether a value that a person has chosen will do.
    let accepts: @Sendable (String) -> Bool

    private static func number(_ range: ClosedRange<Int>) -> @Sendable (String) -> Bool {
        { Int($0).map(range.contains) ?? false }
    }

    /// All of them; later versions add theirs at the end.
    ///
    /// - Parameter folder: the server's.
    static func all(in folder: String) -> [BrokerSetting] {
        let files = [("crlfile", Revocations.newestList(in: folder)), ("capath", Revocations.listFolder(in: folder))]
        return always
            + files.map { key, path in
                BrokerSetting(key: key, value: path, isListeners: true) { PublicFile.areOne($0, path) }
            }
    }

    private static let always: [BrokerSetting] = [
        BrokerSetting(key: "use_username_as_clientid", value: "true", isListeners: true) { $0 == "true" },
        BrokerSetting(key: "max_qos", value: "1", isListeners: true, accepts: number(0...1)),
        BrokerSetting(key: "max_connections", value: "10000", isListeners: true, accepts: number(1...1_000_000)),
        BrokerSetting(key: "autosave_on_changes", value: "false") { $0 == "false" },
        BrokerSetting(key: "autosave_interval", value: "60", accepts: number(5...3600)),
        BrokerSetting(key: "max_queued_messages", value: "1000", accepts: number(1...1_000_000)),
        BrokerSetting(key: "max_queued_bytes", value: "1048576", accepts: number(1...(1 << 30))),
        BrokerSetting(key: "max_inflight_messages", value: "20", accepts: number(1...65535)),
        BrokerSetting(key: "max_inflight_bytes", value: "131072", accepts: number(1...(1 << 30))),
        BrokerSetting(key: "retain_available", value: "false") { $0 == "false" },
    ]
}

/// The lines of a mosquitto.conf, which a person may have edited.
struct BrokerFile {
    var lines: [String]

    init(_ text: String) {
        // By bytes: to Swift "\r\n" is one character, which is not "\n".
        lines = text.utf8.split(separator: 10, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// Whether there is such a line, whatever white space is around it.
    func hasLine(_ key: String, _ value: String) -> Bool {
        lines.contains { line in
            guard let pair = Self.pair(line) else { return false }
            return pair.key == Substring(key) && pair.value == Substring(value)
        }
    }

    var text: String { lines.joined(separator: "\n") }

    /// Key and value of a line, `nil` for comments and empty ones.
    static func pair(_ line: String) -> (key: Substring, value: Substring)? {
        let words = line.split(maxSplits: 1, whereSeparator: \.isWhitespace)
        guard let key = words.first, !key.hasPrefix("#") else { return nil }
        var value = words.count == 2 ? words[1].drop(while: \.isWhitespace) : ""
        while value.last?.isWhitespace == true { value.removeLast() }
        return (key, value)
    }

    /// The lines after which a listener's settings belong: those that take names from certificates.
    private var anchors: [Int] {
        lines.indices.filter { index in
            guard let pair = Self.pair(lines[index]) else { return false }
            return pair.key == "use_identity_as_username" && pair.value == "true"
        }
    }

    /// The listener's part around a line.
    private func section(around index: Int) -> Range<Int> {
        func isListener(_ index: Int) -> Bool { Self.pair(lines[index])?.key == "listener" }
        let start = (0...index).last(where: isListener) ?? 0
        let end = lines.indices.first { $0 > index && isListener($0) } ?? lines.count
        return start..<end
    }

    /// Whether the setting holds everywhere it must.
    func has(_ setting: BrokerSetting) -> Bool {
        guard setting.isListeners else { return holds(setting, in: lines.indices) }
        let anchors = anchors
        return !anchors.isEmpty && anchors.allSatisfy { holds(setting, in: section(around: $0)) }
    }

    /// Mosquitto takes the last line of a key.
    private func holds(_ setting: BrokerSetting, in range: Range<Int>) -> Bool {
        range.compactMap { Self.pair(lines[$0]) }.last { $0.key == setting.key }
            .map { setting.accepts(String($0.value)) } ?? false
    }

    /// Sets it, leaving all other lines as they are; `false` when there is no place for it.
    mutating func set(_ setting: BrokerSetting) -> Bool {
        let line = "\(setting.key) \(setting.value)"
        guard setting.isListeners else {
            replace(setting.key, in: lines.indices, by: line)
            if !has(setting) { lines.insert(line, at: lines.last == "" ? lines.count - 1 : lines.count) }
            return true
        }
        // From the end, so that what is inserted moves no anchor that is still to come.
        for anchor in anchors.reversed() where !holds(setting, in: section(around: anchor)) {
            replace(setting.key, in: section(around: anchor), by: line)
            if !holds(setting, in: section(around: anchor)) { lines.insert(line, at: anchor + 1) }
        }
        return has(setting)
    }

    private mutating func replace(_ key: String, in range: Range<Int>, by line: String) {
        for index in range where Self.pair(lines[index])?.key == Substring(key) { lines[index] = line }
    }
}

extension BrokerConfiguration {
    /// What in a server's folder is older than this version, in words with the remedy; empty when all is well. To be logged
    /// as a warning when the server starts.
    public static func problems(folder: String) -> [String] {
        var found: [String] = []
        var incurable: [String] = []
        let file = path(folder)
        if let text = try? PublicFile.read(file) {
            let lines = BrokerFile(text)
            for setting in BrokerSetting.all(in: folder) where !lines.has(setting) {
                found.append("\(file): \"\(setting.key) \(setting.value)\" is missing")
            }
            let plugins = [
                guardProblem(
                    lines, users: users(in: folder), groups: groupsPath(folder), library: BrokerGuard.find(),
                    ended: Revocations.nameFile(in: folder)),
                controlProblem(lines, folder: folder, library: BrokerControl.find()),
            ]
            for problem in plugins.compactMap({ $0 }) {
                if problem.isCurable {
                    found.append("\(file): \(problem.words)")
                } else {
                    incurable.append(problem.words)
                }
            }
        } else {
            found.append("\(file): cannot be read")
        }
        let list = accessListPath(folder)
        if (try? PublicFile.read(list)).map({ BrokerFile($0).hasLine("user", Monitor.name) }) != true {
            found.append("\(list): \"\(Monitor.name)\", for tools that watch, is missing")
        }
        if let problem = Monitor.problem(in: folder) { found.append(problem) }
        if let problem = Revocations.problem(folder: folder) { found.append(problem) }
        return found.map { $0 + " (say: srup-c2 upgrade --folder \(folder))" } + incurable
    }

    private static func users(in folder: String) -> [String] {
        (try? PublicFile.read(accessListPath(folder))).map { BrokerFile($0).users } ?? []
    }

    /// Brings mosquitto.conf, the access list and the monitor's identity up to this version. What was there is kept beside
    /// it (`.old`); a file that a person has edited keeps every line but those that must change.
    ///
    /// - Parameters:
    ///   - state: the key service's.
    ///   - host: how the monitor reaches the broker.
    /// - Returns: what was done, in words; empty when nothing had to be.
    /// - Throws: ``PrivateFileError``, ``AuthorityError``, ``CryptoError``.
    public func upgrade(authority: Authority, state: KeyServiceState, host: String) throws -> [String] {
        // The access list first: whom it names, the plugin must let subscribe.
        let list = try upgradeAccessList()
        // What the configuration names has to be there.
        let hadLists = Revocations.problem(folder: folder) == nil
        try Revocations(folder: folder, authority: authority, state: state).publish()
        var done = try upgradeSettings() + list
        if !hadLists { done.append("made \(Revocations.newestList(in: folder)), the list of revoked certificates") }
        if Monitor.problem(in: folder) != nil {
            try Monitor.make(in: folder, authority: authority, host: host, port: port)
            done.append("made \(Monitor.folder(in: folder)), the identity of tools that watch")
        }
        return done
    }

    private func upgradeSettings() throws -> [String] {
        let path = Self.path(folder)
        let text = try PublicFile.read(path)
        var file = BrokerFile(text)
        let missing = BrokerSetting.all(in: folder).filter { !file.has($0) }
        let users = Self.users(in: folder)
        let needsGuard =
            Self.guardProblem(
                file, users: users, groups: Self.groupsPath(folder), library: guardLibrary,
                ended: Revocations.nameFile(in: folder))?
            .isCurable == true
        let needsControl = Self.controlProblem(file, folder: folder, library: controlLibrary)?.isCurable == true
        guard !missing.isEmpty || needsGuard || needsControl else { return [] }
        try BrokerControl.make(in: folder, server: server)
        if ownConfigurations.contains(text) {
            var fresh = BrokerFile(configuration)
            _ = setGuard(&fresh, users)
            _ = setControl(&fresh)
            guard fresh.text != text else { return ["made \(BrokerControl.path(in: folder))"] }
            let backup = try replace(path, text, by: fresh.text)
            return ["renewed \(path) (the old one is \(backup))"]
        }
        let impossible = missing.filter { !file.set($0) }.map(\.key)
        guard impossible.isEmpty else { throw BrokerUpgradeError.noPlace(path, impossible) }
        let lines =
            missing.map { "\($0.key) \($0.value)" } + (needsGuard ? setGuard(&file, users) : [])
            + (needsControl ? setControl(&file) : [])
        let backup = try replace(path, text, by: file.text)
        return [
            "\(path) was edited by somebody, so only these lines were set: "
                + lines.map { "\"\($0)\"" }.joined(separator: ", ")
                + "; all others stay (the old file is \(backup))"
        ]
    }

    /// Has the plugin loaded where it is, and where somebody has chosen its place from there.
    ///
    /// - Returns: the lines.
    private func setGuard(_ file: inout BrokerFile, _ users: [String]) -> [String] {
        let chosen = file.guardPath.flatMap { PublicFile.exists($0) ? $0 : nil }
        guard let library = chosen ?? guardLibrary else { return [] }
        var unrestricted = [server.hex, Monitor.name]
        for name in file.unrestricted + users where !unrestricted.contains(name) { unrestricted.append(name) }
        let ended = Revocations.nameFile(in: folder)
        let groups = Self.groupsPath(folder)
        if chosen == nil || unrestricted != file.unrestricted || file.endedPath != ended
            || groups != file.groupsPath
        {
            file.setGuard(library, unrestricted: unrestricted, ended: ended, groups: groups)
        }
        return [
            "plugin \(library)", "\(BrokerGuard.option) \(unrestricted.joined(separator: " "))",
            "\(BrokerGuard.endedOption) \(ended)", "\(BrokerGuard.groupsOption) \(groups)",
        ]
    }

    /// Has Mosquitto's own plugin loaded, from where somebody has chosen if it is there.
    ///
    /// - Returns: the lines.
    private func setControl(_ file: inout BrokerFile) -> [String] {
        let chosen = (file.control?.library).flatMap { PublicFile.exists($0) ? $0 : nil }
        guard let library = chosen ?? controlLibrary else { return [] }
        let path = BrokerControl.path(in: folder)
        if file.control.map({ $0 != (library, path) }) ?? true { file.setControl(library, file: path) }
        return ["plugin \(library)", "\(BrokerControl.option) \(path)"]
    }

    private func upgradeAccessList() throws -> [String] {
        let path = Self.accessListPath(folder)
        let text = try PublicFile.read(path)
        guard !BrokerFile(text).hasLine("user", Monitor.name) else { return [] }
        if ownAccessLists.contains(text) {
            let backup = try replace(path, text, by: accessList)
            return ["renewed \(path) (the old one is \(backup))"]
        }
        let separator = text.hasSuffix("\n") || text.isEmpty ? "\n" : "\n\n"
        let backup = try replace(path, text, by: text + separator + monitorAccess)
        return [
            "\(path) was edited by somebody, so only the user \"\(Monitor.name)\" was added at its end (the old file is "
                + "\(backup))"
        ]
    }

    /// Keeps the old text beside the new one; an older backup is not overwritten.
    private func replace(_ path: String, _ old: String, by new: String) throws -> String {
        var backup = path + ".old"
        var number = 1
        while PublicFile.exists(backup) {
            number += 1
            backup = "\(path).old-\(number)"
        }
        try PrivateFile.write(old, to: backup)
        try PrivateFile.write(new, to: path)
        return backup
    }
}

/// Why a broker's configuration cannot be brought up to date.
public enum BrokerUpgradeError: Error, Sendable, CustomStringConvertible {
    /// No listener takes names from certificates.
    case noPlace(String, [String])

    /// What is wrong and what to do by hand, in words for the operator.
    public var description: String {
        switch self {
        case .noPlace(let path, let keys):
            "\(path) has no listener with \"use_identity_as_username true\", after which "
                + keys.map { "\"\($0)\"" }.joined(separator: " and ") + " would belong: set them by hand"
        }
    }
}
