import SRUP

/// Checks that each message is its sender's, and that it says what its line says.
struct MessageCheck {
    /// Decisions without a message.
    private(set) var bare = 0
    /// Lines were left out: what belongs to a later one may have been among them.
    var hasGap = false
    /// Which key each sender had.
    private var keys: [DeviceID: [UInt8]] = [:]
    /// About whom observers were asked, by the request's token.
    private var asked = Recent<Token, DeviceID>()
    /// Who has vouched for a device since it last came in.
    private var vouched = Recent<DeviceID, Set<DeviceID>>()

    /// What is wrong with a line's messages.
    mutating func problems(_ line: EvidenceLine, keys known: inout EvidenceKeys, server: DeviceID?) -> [String] {
        var found: [String] = []
        var messages: [Message] = []
        for part in line.messages {
            guard let signed = try? SignedMessage(parsing: part.bytes) else {
                found.append("what stands there is no message")
                continue
            }
            let message = signed.message
            guard let key = known.key(part.key) else {
                found.append("the key of \(message.sender) is not there")
                continue
            }
            guard signed.isSigned(by: key) else {
                found.append("the \(message.body.type) of \(message.sender) is not signed by its key")
                continue
            }
            if let other = keys[message.sender], other != part.key {
                found.append("\(message.sender) has another key than before")
            }
            keys[message.sender] = part.key
            messages.append(message)
        }
        guard found.isEmpty, let server else { return found }
        return strangers(line, messages, server) + contradictions(line, messages, server)
    }

    // MARK: Whom a message is about

    private mutating func strangers(_ line: EvidenceLine, _ messages: [Message], _ server: DeviceID) -> [String] {
        for case .observationRequest(let device, _) in messages.map(\.body) {
            for message in messages where message.body.device == device { asked[message.token] = device }
        }
        guard let subject = line.subject else { return [] }
        return messages.compactMap { message in
            switch message.body {
            case .observationRequest(let device, _), .joinCommand(let device), .groupAdd(let device, _),
                .groupDelete(let device, _):
                return device == subject ? nil : "a \(message.body.type) is about \(device)"
            case .response(let status) where status.isVerdict:
                guard let device = asked[message.token] else {
                    return hasGap ? nil : "nobody was asked for the \(status) of \(message.sender)"
                }
                return device == subject ? nil : "the \(status) of \(message.sender) is about \(device)"
            default:
                let isOurs = message.sender == server || message.sender == subject
                return isOurs ? nil : "a \(message.body.type) is from \(message.sender)"
            }
        }
    }

    // MARK: What it says

    private mutating func contradictions(
        _ line: EvidenceLine, _ messages: [Message], _ server: DeviceID
    ) -> [String] {
        let responses = messages.compactMap { message -> (status: Status, from: DeviceID)? in
            guard case .response(let status) = message.body else { return nil }
            return (status, message.sender)
        }
        let types = messages.map(\.body.type)
        switch line.event {
        case "verdict": return verdict(line, responses)
        case "joined": return joined(line, responses, server)
        case "roll call": return rollCall(line)
        case "not joined":
            return expect(
                responses.contains { $0.from == server && [.joinFail, .joinRefused].contains($0.status) },
                messages, "the answer is not that it is not let in")
        case "left":
            let type: MessageType = line.detail.hasSuffix("DEREGISTER_REQUEST") ? .deregisterRequest : .resignRequest
            return expect(types.contains(type), messages, "there is no \(type)")
        case "removed": return expect(types.contains(.terminateCommand), messages, "there is no TERMINATE_COMMAND")
        case "answered":
            return expect(
                responses.contains { $0.from == line.subject && line.detail.contains($0.status.description) }, messages,
                "the device has not answered so")
        default: return []
        }
    }

    private mutating func expect(_ isThere: Bool, _ messages: [Message], _ words: String) -> [String] {
        guard !messages.isEmpty else {
            bare += 1
            return []
        }
        return isThere ? [] : [words]
    }

    private mutating func verdict(_ line: EvidenceLine, _ responses: [(status: Status, from: DeviceID)]) -> [String] {
        let verdicts = responses.filter(\.status.isVerdict)
        guard let subject = line.subject, !verdicts.isEmpty else {
            bare += 1
            return []
        }
        let told = verdicts.filter {
            line.detail.names($0.status.description) && line.detail.names($0.from.hex)
        }
        guard !told.isEmpty else { return ["no observer has said so"] }
        for verdict in told where verdict.status == .observedJoinValid {
            vouched[subject, default: []].insert(verdict.from)
        }
        return []
    }

    private mutating func joined(
        _ line: EvidenceLine, _ responses: [(status: Status, from: DeviceID)], _ server: DeviceID
    ) -> [String] {
        let answers = responses.filter { $0.from == server }
        guard let subject = line.subject, !answers.isEmpty else {
            bare += 1
            return []
        }
        guard answers.contains(where: { $0.status == .joinSuccess }) else { return ["the answer is not JOIN_SUCCESS"] }
        return unvouched(line, subject)
    }

    private mutating func rollCall(_ line: EvidenceLine) -> [String] {
        line.subject.map { unvouched(line, $0) } ?? []
    }

    /// Of those by whom a line says that the device was observed, whoever has not said so.
    private mutating func unvouched(_ line: EvidenceLine, _ subject: DeviceID) -> [String] {
        guard let words = line.detail.firstRange(of: "observed by ") else { return [] }
        defer { vouched[subject] = nil }
        guard !hasGap else { return [] }
        let known = Set(vouched[subject, default: []].map(\.hex))
        // "observed by b1, the phone of anna and b2"
        return line.detail[words.upperBound...].split(separator: " and " as String).compactMap { part in
            let name = part.prefix { $0.isHexDigit }
            return known.contains(String(name))
                ? nil : "the observer \(name) that is named has not vouched for \(subject)"
        }
    }
}

/// What was noted last: as many as may matter, however long the log is.
private struct Recent<Key: Hashable & Sendable, Value: Sendable> {
    private var values: [Key: Value] = [:]
    private var order: [Key] = []
    private static var maximum: Int { 20_000 }

    subscript(key: Key) -> Value? {
        get { values[key] }
        set {
            guard let newValue else { return _ = values.removeValue(forKey: key) }
            if values.updateValue(newValue, forKey: key) == nil { noted(key) }
        }
    }

    subscript(key: Key, default value: Value) -> Value {
        get { values[key] ?? value }
        set { self[key] = newValue }
    }

    private mutating func noted(_ key: Key) {
        order.append(key)
        guard order.count > 2 * Self.maximum else { return }
        for old in order.prefix(Self.maximum) { values[old] = nil }
        order.removeFirst(Self.maximum)
    }
}

extension Status {
    fileprivate var isVerdict: Bool {
        [.observedJoinValid, .observedJoinInvalid, .observedJoinFail].contains(self)
    }
}

extension Body {
    fileprivate var device: DeviceID? {
        if case .observationRequest(let device, _) = self { device } else { nil }
    }
}

extension String {
    /// Whether this word stands in it, as a word.
    fileprivate func names(_ word: String) -> Bool {
        split { !($0.isLetter || $0.isNumber || $0 == "_") }.contains { $0 == word }
    }
}
