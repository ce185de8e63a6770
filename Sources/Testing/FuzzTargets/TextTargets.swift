import Addresses
import Agent
import CertificateRequests
import Invitations
import Participant
import Recording
import SRUP
import Settings
import WitnessLink
import SRUPJSON

/// Messages, configuration, and what programs and servers say to each other.
enum TextTargets {
    static func srup(_ input: [UInt8]) throws -> Bool {
        let decoded = MessageJSON(decoding: input, keys: DecodingKeys())
        guard decoded.error == nil else { return false }
        guard try MessageJSON(json: Array(decoded.line.utf8)).encoded(EncodingKeys()).bytes == input else {
            throw Violation(description: "came back changed")
        }
        return true
    }

    static func json(_ input: [UInt8]) throws -> Bool {
        guard let message = try? MessageJSON(json: input), let bytes = try? message.encoded(EncodingKeys()).bytes else {
            return false
        }
        // What was written as a message is read as one, and is then the same again.
        return try srup(bytes)
    }

    static func toml(_ input: [UInt8]) throws -> Bool {
        guard input.count <= SettingsFile.maximumSize, let text = try? SettingsText(input, name: "x") else {
            return false
        }
        guard text.bytes(of: text.text) == input else { throw Violation(description: "another text") }
        guard var file = try? SettingsFile(text: text.text, name: "x") else { return false }
        for key in ["camera.device", "wifi.passphrase", "a", "a.b"] {
            _ = try? file.string(key)
            _ = try? file.integer(key, default: 1, in: 0...9)
            _ = try? file.duration(key, default: .zero, in: .zero...(.seconds(9)))
            _ = try? file.strings(key)
            _ = try? file.boolean(key, default: false)
            _ = file.place(of: key)
        }
        _ = try? file.blocks(of: "observer")
        for name in (try? file.keys(of: "policy")) ?? [] {
            guard file.contains(SettingsFile.path("policy", name)) else {
                throw Violation(description: "the key \(name) is not found again")
            }
        }
        for place in file.textPlaces where (place.begin.line, place.begin.column) >= (place.end.line, place.end.column)
        {
            throw Violation(description: "a text that ends before it begins: \(place)")
        }
        _ = try? file.https("registration.url")
        _ = try? file.value("camera.device", allowed: "") { try? CameraAddress($0) }
        _ = try? file.value("nfc.device", allowed: "") { try? ReaderAddress($0) }
        _ = try? file.finish()
        return true
    }

    static func invitation(_ input: [UInt8]) throws -> Bool {
        guard let found = try? Invitation(String(decoding: input, as: UTF8.self)) else { return false }
        // The client takes every address that is taken here, and what is written is read as the same.
        guard let client = try? KeyServiceClient(url: found.url, authority: .system), client.url.hasPrefix("https://"),
            let again = try? Invitation(found.text), again == found, !found.host.isEmpty, found.port > 0
        else { throw Violation(description: "an invitation that is none") }
        return true
    }

    static func witness(_ input: [UInt8]) throws -> Bool {
        let line = String(decoding: input, as: UTF8.self)
        let (said, told) = (WitnessLine(line), WitnessCommand(line))
        if let said, WitnessLine(said.description) != said {
            throw Violation(description: "another line: \(said)")
        }
        if let told, told.description.utf8.count < WitnessLine.maximumLength, WitnessCommand(told.description) != told {
            throw Violation(description: "another command: \(told)")
        }
        return said != nil || told != nil
    }

    static func agent(_ input: [UInt8]) throws -> Bool {
        let line = String(decoding: input, as: UTF8.self)
        let order = try? AgentOrder(line: line)
        if case .send(_, let text, let type?) = order, let value = try? type.value(text: text) {
            guard try type.value(wire: value.wire) == value else {
                throw Violation(description: "another value: \(value)")
            }
        }
        let identification = Identification(line)
        let said = identification.description
        if said.count <= Identification.maximumLength, Identification(said) != identification {
            throw Violation(description: "another identification: \(said)")
        }
        return order != nil || !identification.actions.isEmpty || identification.groups != nil
    }

    static func recording(_ input: [UInt8]) throws -> Bool {
        guard let recording = try? Recording(parsing: input) else { return false }
        guard let bytes = try? recording.bytes() else {
            throw Violation(description: "it was read and cannot be written")
        }
        guard try Recording(parsing: bytes) == recording else { throw Violation(description: "came back changed") }
        return true
    }

    static func csr(_ input: [UInt8]) throws -> Bool {
        let pem = String(decoding: input, as: UTF8.self)
        let isCertificate = Certificate.validity(pem) != nil
        let isKey = (try? PublicKey(pem: pem)) != nil || (try? PrivateKey(pem: pem)) != nil
        do throws(CertificateRequestError) {
            _ = try CertificateRequestKey.read(pem, for: DeviceID(0xA1))
            return true
        } catch {
            return isCertificate || isKey
        }
    }
}
