import Storage

/// A rabbitmq.conf, which a person may have edited: lines `key = value`.
struct RabbitFile {
    var lines: [String]

    init(_ text: String) {
        lines = text.utf8.split(separator: 10, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    var text: String { lines.joined(separator: "\n") }

    /// Key and value of a line, `nil` for comments and empty ones.
    static func pair(_ line: String) -> (key: String, value: String)? {
        guard let sign = line.firstIndex(of: "="), line.first(where: { !$0.isWhitespace }) != "#" else { return nil }
        func trimmed(_ text: Substring) -> String {
            var text = text.drop(while: \.isWhitespace)
            while text.last?.isWhitespace == true { text.removeLast() }
            return String(text)
        }
        return (trimmed(line[..<sign]), trimmed(line[line.index(after: sign)...]))
    }

    /// All lines by their keys, with the value of the last; RabbitMQ takes that one.
    var values: [String: String] {
        Dictionary(lines.compactMap { line in Self.pair(line).map { ($0.key, $0.value) } }) { _, last in last }
    }

    /// Sets it, leaving all other lines as they are.
    mutating func set(_ key: String, _ value: String) {
        let line = "\(key) = \(value)"
        let places = lines.indices.filter { Self.pair(lines[$0])?.key == key }
        for place in places { lines[place] = line }
        if places.isEmpty { lines.insert(line, at: lines.last == "" ? lines.count - 1 : lines.count) }
    }
}

extension RabbitConfiguration {
    /// What a person may set otherwise: limits, and what is logged.
    static let free: Set = [
        "mqtt.tcp_listen_options.nodelay", "mqtt.tcp_listen_options.backlog", "auth_http.request_timeout",
        "auth_http.connection_timeout", "mqtt.prefetch", "mqtt.max_packet_size_authenticated",
        "mqtt.max_packet_size_unauthenticated", "mqtt.max_session_expiry_interval_seconds", "mqtt.durable_queue_type",
        "mqtt.topic_alias_maximum", "vm_memory_high_watermark.relative", "disk_free_limit.absolute", "log.file",
        "log.console", "log.console.level", "log.console.use_colors", "management_agent.disable_metrics_collector",
    ]
    /// What opens a way past the key service or from outside, if it begins a line's key.
    static let foreign = [
        "listeners.", "mqtt.listeners.", "auth_backends.", "management.ssl.", "management.tcp.", "loopback_users",
        "default_user", "default_pass", "auth_mechanisms.",
    ]

    /// Which lines rabbitmq.conf must have: key and value.
    ///
    /// - Throws: ``PrivateFileError``, ``RabbitSecret/Damaged``.
    private func required() throws -> [(key: String, value: String)] {
        RabbitFile(try configuration(secret: RabbitSecret.answers.read(in: folder))).lines.compactMap(RabbitFile.pair)
            .filter { !Self.free.contains($0.key) }
    }

    /// What in a server's folder is not as this version needs it, in words with the remedy; empty when all is well.
    public func problems() -> [String] {
        var found: [String] = []
        let path = Self.path(folder)
        do {
            let values = RabbitFile(try PublicFile.read(path)).values
            let required = try required()
            for (key, value) in required where values[key] != value {
                // The value may hold the secret.
                found.append("\(path): \"\(key)\" is missing, or not as it must be")
            }
            let known = Set(required.map(\.key))
            for key in values.keys.sorted() where !known.contains(key) && Self.foreign.contains(where: key.hasPrefix) {
                found.append("\(path): \"\(key)\" opens another way in")
            }
        } catch {
            found.append("\(error)")
        }
        for file in [Self.environmentPath(folder), Self.pluginsPath(folder), Self.definitionsPath(folder)]
        where !PublicFile.exists(file) {
            found.append("\(file): cannot be read")
        }
        if (try? PublicFile.read(Self.pluginsPath(folder))).map({ $0 != Self.plugins }) == true {
            found.append("\(Self.pluginsPath(folder)): not the plugins that are needed, and no others")
        }
        if let problem = Monitor.problem(in: folder) { found.append(problem) }
        if let problem = Revocations.problem(folder: folder) { found.append(problem) }
        return found.map { $0 + " (say: srup-c2 upgrade --folder \(folder))" }
    }

    /// Brings the files up to this version. A rabbitmq.conf that a person has edited keeps every line but those that must change;
    /// what was there is kept beside it (`.old`).
    ///
    /// - Parameters:
    ///   - state: the key service's.
    ///   - host: how the monitor reaches the broker.
    /// - Returns: what was done, in words; empty when nothing had to be.
    /// - Throws: ``PrivateFileError``, ``AuthorityError``, ``CryptoError``, ``RabbitSecret/Damaged``.
    public func upgrade(authority: Authority, state: KeyServiceState, host: String) throws -> [String] {
        guard !problems().isEmpty else { return [] }
        var done: [String] = []
        try PrivateFile.makeFolder(folder + "/broker-data")
        try Revocations(folder: folder, authority: authority, state: state).publish()
        for secret in RabbitSecret.allCases where try secret.make(in: folder) {
            done.append("made \(secret.path(in: folder))")
            // The hash in it is of another one.
            if secret == .control { try PrivateFile.write(try definitions(), to: Self.definitionsPath(folder)) }
        }
        for (file, text) in [
            (Self.environmentPath(folder), environment), (Self.pluginsPath(folder), Self.plugins),
        ] where (try? PublicFile.read(file)) != text && (file == Self.pluginsPath(folder) || !PublicFile.exists(file)) {
            try PrivateFile.write(text, to: file)
            done.append("made \(file)")
        }
        if !PublicFile.exists(Self.definitionsPath(folder)) {
            try PrivateFile.write(try definitions(), to: Self.definitionsPath(folder))
            done.append("made \(Self.definitionsPath(folder))")
        }
        done += try upgradeSettings()
        if Monitor.problem(in: folder) != nil {
            try Monitor.make(in: folder, authority: authority, host: host, port: port)
            done.append("made \(Monitor.folder(in: folder)), the identity of tools that watch")
        }
        return done
    }

    private func upgradeSettings() throws -> [String] {
        let path = Self.path(folder)
        guard let text = try? PublicFile.read(path) else {
            try PrivateFile.write(try configuration(secret: RabbitSecret.answers.read(in: folder)), to: path)
            return ["made \(path)"]
        }
        var file = RabbitFile(text)
        let required = try required()
        let known = Set(required.map(\.key))
        let wrong = required.filter { file.values[$0.key] != $0.value }
        let foreign = file.values.keys.filter { key in
            !known.contains(key) && Self.foreign.contains(where: key.hasPrefix)
        }.sorted()
        guard !wrong.isEmpty || !foreign.isEmpty else { return [] }
        for (key, value) in wrong { file.set(key, value) }
        file.lines = file.lines.map { line in
            RabbitFile.pair(line).map { foreign.contains($0.key) } == true ? "# " + line : line
        }
        try PrivateFile.write(text, to: path + ".old")
        try PrivateFile.write(file.text, to: path)
        return [
            "\(path): set \((wrong.map(\.key) + foreign.map { "# " + $0 }).joined(separator: ", ")) (the old file is \(path).old)"
        ]
    }
}
