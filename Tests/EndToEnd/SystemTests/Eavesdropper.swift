import Foundation
import ObservedValue
import SRUP
import TestProcesses

/// Records everything that crosses the broker, as the monitor may, and checks what must hold whatever was killed.
final class Eavesdropper {
    private let runner: ProgramRunner
    private let role: String

    init(_ loopback: LoopbackNetwork) throws {
        runner = loopback.runner
        role = "eavesdropper"
        let home = loopback.monitor
        try runner.start(
            "mosquitto_sub",
            [
                "-h", "localhost", "-p", "\(loopback.brokerPort)", "--cafile", home + "/ca.pem", "--cert",
                home + "/certificate.pem", "--key", home + "/access.pem", "-i", "eavesdropper", "-c", "-q", "1", "-t",
                "SRUP/#", "-F", "%t %x",
            ], as: role)
    }

    /// All messages so far, each once, with their topics.
    func messages() throws -> [(topic: String, signed: SignedMessage)] {
        let text = try String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)
        var seen: Set<String> = []
        return text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 2, words[0].hasPrefix("SRUP/"), seen.insert(String(line)).inserted,
                let bytes = Hex.decode(words[1]), let signed = try? SignedMessage(parsing: bytes)
            else { return nil }
            return (String(words[0]), signed)
        }
    }

    /// What went wrong, in words; empty when all is well.
    ///
    /// - Parameter observerKey: opens the nonces.
    func violations(observerKey: PrivateKey) throws -> [String] {
        var problems: [String] = []
        var numbers: Set<String> = []
        var nonces: [(token: Token, nonce: Nonce)] = []
        var admitted: [Token: Int] = [:]
        for (topic, signed) in try messages() {
            let message = signed.message
            // One conversation: the sender and the participant whose topic it is.
            let owner = topic.split(separator: "/").last.map(String.init) ?? ""
            if !numbers.insert("\(message.sender)-\(owner)-\(message.sequence)").inserted {
                problems.append("\(message.sender) used sequence number \(message.sequence) twice on \(topic)")
            }
            switch message.body {
            case .observationRequest(_, let envelope):
                let nonce = try envelope.openNonce(with: observerKey)
                if nonces.contains(where: { $0.nonce == nonce && $0.token != message.token }) {
                    problems.append("a nonce was sent twice")
                }
                nonces.append((message.token, nonce))
            case .response(.joinSuccess): admitted[message.token, default: 0] += 1
            default: break
            }
        }
        for (token, count) in admitted where count > 1 {
            problems.append("token \(token) let somebody in \(count) times")
        }
        return problems
    }
}
