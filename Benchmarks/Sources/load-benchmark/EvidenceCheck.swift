import Foundation
import SRUP

/// What the server's audit log says it has done, against what it may do once only. Reads an export as an auditor does, by
/// docs/evidence.md alone.
struct EvidenceCheck {
    private struct Line: Decodable {
        struct Part: Decodable { let bytes: String }
        let number: Int
        let event: String
        let detail: String
        let about: String?
        let messages: [Part]
    }

    private let server: DeviceID
    private let trusted: Set<DeviceID>
    /// Where each answer, each request and each verdict has had its effect, by its token.
    private var joined: [Token: Int] = [:]
    private var requests: [Token: Int] = [:]
    private var verdicts: [Token: Int] = [:]
    /// The try, by the nonce's token, to which an observer's request belongs.
    private var tries: [Token: Token] = [:]
    private var latestTry: [DeviceID: Token] = [:]
    /// Who has said VALID in a try.
    private var vouched: [Token: Set<DeviceID>] = [:]
    private(set) var findings: [String] = []
    /// How many devices were let in, and how many of them were looked at; verdicts.
    private(set) var (admissions, observed, looks) = (0, 0, 0)

    /// - Parameter trusted: the observers.
    init(server: DeviceID, trusted: Set<DeviceID>) {
        self.server = server
        self.trusted = trusted
    }

    /// Checks an exported log.
    ///
    /// - Throws: Foundation's error when the file cannot be read.
    mutating func check(_ path: String) throws {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        for line in text.utf8.split(separator: 10) {
            // Keys and seals are other records.
            guard let line = try? JSONDecoder().decode(Line.self, from: Data(line)) else { continue }
            take(line)
        }
    }

    private mutating func take(_ line: Line) {
        guard let device = line.about.flatMap({ DeviceID(hex: $0) }) else { return }
        let messages = line.messages.compactMap { part in
            Self.bytes(part.bytes).flatMap { try? SignedMessage(parsing: $0).message }
        }
        for message in messages { note(message, device, line) }
        switch line.event {
        case "verdict": looks += 1
        case "joined": admitted(device, messages, line)
        default: break
        }
    }

    private mutating func note(_ message: Message, _ device: DeviceID, _ line: Line) {
        switch message.body {
        case .observedJoinResponse: latestTry[device] = message.token
        case .observationRequest: tries[message.token] = latestTry[device]
        case .response(let status) where message.sender != server && line.event == "verdict":
            if let earlier = verdicts.updateValue(line.number, forKey: message.token) {
                findings.append(
                    "the \(status) of \(message.sender) about \(device) has had effect twice: lines \(earlier) and \(line.number)"
                )
            }
            if status == .observedJoinValid, let offer = tries[message.token] {
                vouched[offer, default: []].insert(message.sender)
            }
        case .joinRequest, .observedJoinRequest:
            if let earlier = requests.updateValue(line.number, forKey: message.token), line.event == "joined" {
                findings.append(
                    "one request of \(device) has led to two lines: \(earlier) and \(line.number)")
            }
        default: break
        }
    }

    private mutating func admitted(_ device: DeviceID, _ messages: [Message], _ line: Line) {
        admissions += 1
        let answer = messages.last { $0.sender == server && $0.body == .response(.joinSuccess) }
        guard let answer else {
            findings.append(
                "line \(line.number) says that \(device) joined (\(line.detail)), without an answer of its own: its join has had effect twice"
            )
            return
        }
        if let earlier = joined.updateValue(line.number, forKey: answer.token) {
            findings.append("\(device) joined twice by one answer: lines \(earlier) and \(line.number)")
        }
        guard line.detail.contains("observed by ") else { return }
        observed += 1
        if vouched[answer.token, default: []].isDisjoint(with: trusted) {
            findings.append(
                "line \(line.number) says \(line.detail), and no trusted observer has said VALID in that try")
        }
    }

    private static func bytes(_ hexadecimal: String) -> [UInt8]? {
        let digits = Array(hexadecimal.utf8)
        guard digits.count % 2 == 0 else { return nil }
        func value(_ digit: UInt8) -> UInt8? {
            switch digit {
            case 0x30...0x39: digit - 0x30
            case 0x61...0x66: digit - 0x57
            default: nil
            }
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}
