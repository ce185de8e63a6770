import ArgumentParser
import Program
import SRUP
import Storage
import SRUPJSON

@main
struct SRUPTool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "srup",
        abstract: "The protocol workbench: read, write and watch SRUP messages.",
        discussion: """
            srup decode message.bin
            srup decode --json --public-key server.pem --private-key device.pem < hex-lines
            srup decode --json < hex-lines | srup encode > the-same-hex-lines
            srup listen --folder DIR/monitor
            srup receipt FILE --ca ca.crt
            """,
        version: Release.version,
        subcommands: [Decode.self, Encode.self, Listen.self, Receipt.self])
}

/// Keys for checking and opening.
struct DecodingKeyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "PEM file of a sender's public key; ID=FILE: only for that sender. May be given several times.",
            valueName: "file"))
    var publicKey: [String] = []
    @Option(help: ArgumentHelp("PEM file of the recipient's private key, to open sealed nonces.", valueName: "file"))
    var privateKey: String?

    func keys() throws -> DecodingKeys {
        var keys = DecodingKeys()
        for text in publicKey {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2, let id = DeviceID(hex: parts[0]) {
                keys.bySender[id] = try KeyFiles.publicKey(parts[1])
            } else {
                keys.any.append(try KeyFiles.publicKey(text))
            }
        }
        keys.recipient = try privateKey.map { try KeyFiles.privateKey($0) }
        return keys
    }
}

enum KeyFiles {
    static func publicKey(_ path: String) throws -> PublicKey {
        do {
            return try PublicKey(pem: try PublicFile.read(path))
        } catch let error as CryptoError {
            throw ValidationError("\(path): \(error)")
        }
    }

    /// A workbench reads test keys as they come; only programs that keep a key insist on mode 0600.
    static func privateKey(_ path: String) throws -> PrivateKey {
        do {
            return try PrivateKey(pem: try PublicFile.read(path))
        } catch let error as CryptoError {
            throw ValidationError("\(path): \(error)")
        }
    }
}
