import Foundation
import SRUP

/// Signs, verifies, seals, opens and parses, in rounds that alternate with `openssl speed`, so that a noisy machine
/// disturbs both alike; prints medians and the ratio to OpenSSL's own.
@main
struct CryptoBenchmark {
    static let rounds = 5

    static func main() throws {
        let key = try PrivateKey.generate()
        let publicKey = try key.publicKey
        let nonce = Nonce.random()
        let envelope = try Envelope.sealing(nonce, for: publicKey)
        let message = Message(
            sequence: SequenceNumber(16), sender: DeviceID(0xB9D0_77E2_2383_4CF6), token: .random(),
            body: .observationRequest(device: DeviceID(7), envelope))
        let signed = try message.signed(with: key)
        let bytes = signed.bytes

        var perSecond: [String: [Double]] = [:]
        var ratios: [String: [Double]] = [:]
        for round in 1...rounds {
            print("round \(round) of \(rounds)")
            let openssl = try opensslSpeed()
            let results: [(name: String, against: Double?, rate: Double)] = [
                ("sign", openssl.sign, try rate { _ = try message.signed(with: key) }),
                ("verify", openssl.verify, try rate { precondition(signed.isSigned(by: publicKey)) }),
                ("seal", openssl.verify, try rate { _ = try Envelope.sealing(nonce, for: publicKey) }),
                ("open", openssl.sign, try rate { _ = try envelope.openNonce(with: key) }),
                ("parse", nil, try rate { _ = try SignedMessage(parsing: bytes) }),
                (
                    "parse and serialise", nil,
                    try rate {
                        let parsed = try SignedMessage(parsing: bytes)
                        _ = try parsed.message.signed(withSignature: Array(parsed.signature))
                    }
                ),
            ]
            perSecond["openssl sign", default: []].append(openssl.sign)
            perSecond["openssl verify", default: []].append(openssl.verify)
            for result in results {
                perSecond[result.name, default: []].append(result.rate)
                if let against = result.against { ratios[result.name, default: []].append(result.rate / against) }
            }
        }
        print("\n| operation | per second (median) | µs each | of openssl speed (median) |\n|---|---|---|---|")
        for name in [
            "openssl sign", "sign", "open", "openssl verify", "verify", "seal", "parse", "parse and serialise",
        ] {
            let rate = median(perSecond[name] ?? [])
            let ratio = ratios[name].map { String(format: "%.2f", median($0)) } ?? ""
            print("| \(name) | \(Int(rate)) | \(String(format: "%.2f", 1e6 / rate)) | \(ratio) |")
        }
        print("\n(sign and open against its private-key operation, verify and seal against its public-key operation)")
    }

    /// How often a second `body` runs, over half a second.
    static func rate(_ body: () throws -> Void) throws -> Double {
        let start = ContinuousClock.now
        var count = 0
        while ContinuousClock.now - start < .milliseconds(500) {
            for _ in 0..<16 { try body() }
            count += 16
        }
        return Double(count) / ((ContinuousClock.now - start) / .seconds(1))
    }

    static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    static func opensslSpeed() throws -> (sign: Double, verify: Double) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = ["speed", "-elapsed", "-seconds", "1", "-mr", "rsa2048"]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        // "+F2:<index>:2048:<signatures a second>:<verifications a second>"
        guard let fields = text.split(separator: "\n").last(where: { $0.hasPrefix("+F2:") })?.split(separator: ":"),
            fields.count >= 5, let sign = Double(fields[3]), let verify = Double(fields[4])
        else { throw CocoaError(.featureUnsupported) }
        return (sign, verify)
    }
}
