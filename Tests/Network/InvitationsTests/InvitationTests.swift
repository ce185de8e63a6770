import Foundation
import Participant
import Testing

@testable import Invitations

/// What a code or a tag may say, and which one is meant.
@Suite struct InvitationTests {
    static let digits = String(repeating: "0123456789abcdef", count: 4)
    static let good = "https://c2.example.net:8443/#ca=sha256:\(digits)"

    @Test func anInvitationIsReadAndWritten() throws {
        let invitation = try Invitation(Self.good)
        #expect(invitation.url == "https://c2.example.net:8443")
        #expect(invitation.host == "c2.example.net" && invitation.port == 8443)
        #expect(invitation.fingerprint?.hex == Self.digits)
        #expect(invitation.text == Self.good)
        #expect(invitation.description.contains("0123 4567 89ab cdef"))
        // Without a slash, with capitals in the fingerprint and the host: the same network.
        let other = try Invitation("https://C2.example.net:8443#ca=sha256:\(Self.digits.uppercased())")
        #expect(other.host == "c2.example.net" && other.fingerprint == invitation.fingerprint)
        #expect(try Invitation("https://[2001:db8::7]:8443/#ca=sha256:\(Self.digits)").host == "2001:db8::7")
        #expect(try Invitation("https://[2001:db8::7]/#ca=sha256:\(Self.digits)").port == 443)
        #expect(try Invitation("https://192.0.2.1/v4/#ca=sha256:\(Self.digits)").url == "https://192.0.2.1/v4")
        let plain = try Invitation("https://c2.example.net")
        #expect(plain.fingerprint == nil && plain.port == 443 && plain.text == "https://c2.example.net/")
        #expect(plain.description.contains("this machine knows"))
        for text in [Self.good, plain.text] { #expect(try Invitation(try Invitation(text).text) == Invitation(text)) }
    }

    @Test(arguments: [
        ("http://c2.example.net/#ca=sha256:\(digits)", InvitationError.notHTTPS),
        ("HTTPS://c2.example.net/#ca=sha256:\(digits)", .notHTTPS), ("", .notHTTPS), ("ftp://x", .notHTTPS),
        ("https://", .badAddress), ("https:///x", .badAddress), ("https://user@c2.example.net/", .badAddress),
        ("https://user:secret@c2.example.net/", .badAddress), ("https://c2.example.net:0/", .badAddress),
        ("https://c2.example.net:65536/", .badAddress), ("https://c2.example.net:/", .badAddress),
        ("https://c2.example.net:8443:8443/", .badAddress), ("https://c2.example.net/?x=1", .badAddress),
        ("https://c2.example.net/%2e%2e/", .badAddress), ("https://c2.example.net/../x", .badAddress),
        ("https://[::1/", .badAddress), ("https://[c2]/", .badAddress), ("https://-c2/", .badAddress),
        ("https://c2.example.net\\x/", .badAddress), ("https://c2.example.net/\u{1B}[2J", .badCharacter),
        ("https://c2.example.net/ x", .badCharacter), ("https://c2.example.net/\n", .badCharacter),
        ("https://c2.example.net/\u{0}", .badCharacter), ("https://c2.exämple.net/", .badCharacter),
        ("https://c2.example.net/\u{202E}", .badCharacter), ("https://c2.example.net/#", .badFingerprint),
        ("https://c2.example.net/#ca=sha256:", .badFingerprint),
        ("https://c2.example.net/#ca=sha256:\(digits.dropLast())", .badFingerprint),
        ("https://c2.example.net/#ca=sha256:\(digits)0", .badFingerprint),
        ("https://c2.example.net/#ca=sha256:\(digits.dropLast())g", .badFingerprint),
        ("https://c2.example.net/#ca=sha1:\(digits)", .badFingerprint),
        ("https://c2.example.net/#ca=sha256:\(digits)&x=1", .badFingerprint),
        ("https://c2.example.net/#\(digits)", .badFingerprint),
        ("https://c2.example.net/#ca=sha256:\(digits)#", .badFingerprint),
        ("https://c2.example.net/" + String(repeating: "a", count: 600), .tooLong(623)),
        (String(repeating: "\u{1B}", count: 100_000), .tooLong(100_000)),
    ])
    func whatIsNoInvitationIsNamed(_ text: String, _ error: InvitationError) {
        #expect(throws: error) { try Invitation(text) }
        #expect(!error.description.contains("\u{1B}") && error.description.utf8.count < 200)
    }

    @Test func aNetworksOwnInvitationHasItsAuthority() throws {
        #expect(throws: InvitationError.badFingerprint) { try Invitation(host: "c2", port: 8443, authority: "no PEM") }
        #expect(Fingerprint(of: "") == nil)
        #expect(Fingerprint(hex: Self.digits.uppercased())?.hex == Self.digits)
        for wrong in ["", "0", Self.digits + "00", "g" + Self.digits.dropFirst(), " " + Self.digits.dropFirst()] {
            #expect(Fingerprint(hex: wrong) == nil)
        }
    }

    // MARK: Which one is meant

    private func seconds(_ value: Double) -> Duration { .seconds(value) }
    private static let other = "https://evil.example/#ca=sha256:" + String(repeating: "e", count: 64)

    @Test func oneThatStaysAloneIsTaken() throws {
        var choice = InvitationChoice(hosts: [])
        #expect(choice.saw(Self.good, at: seconds(1)) == nil)
        #expect(choice.chosen(at: seconds(1)).invitation == nil)
        #expect(choice.chosen(at: seconds(2.9)).invitation == nil)
        #expect(choice.saw(Self.good, at: seconds(3)) == nil)
        #expect(choice.chosen(at: seconds(3)).invitation?.text == Self.good)
    }

    @Test func labelsDoNoHarm() throws {
        var choice = InvitationChoice(hosts: [])
        for text in ["a label", "00112233445566778899aabbccddeeff", "mailto:x@y", "", "\u{0}"] {
            #expect(choice.saw(text, at: seconds(1)) == nil)
        }
        #expect(choice.saw(Self.good, at: seconds(1)) == nil)
        _ = choice.chosen(at: seconds(1))
        #expect(choice.chosen(at: seconds(3)).invitation != nil)
    }

    @Test func asLongAsTwoDifferNoneIsTaken() throws {
        var choice = InvitationChoice(hosts: [])
        var told: [String] = []
        for step in 0..<20 {
            _ = choice.saw(Self.good, at: seconds(Double(step)))
            _ = choice.saw(Self.other, at: seconds(Double(step)))
            let (invitation, words) = choice.chosen(at: seconds(Double(step)))
            #expect(invitation == nil)
            if let words { told.append(words) }
        }
        // Said once.
        #expect(told.count == 1 && told[0].contains("only one"))
        // The other is taken away: after it has been gone for a while, and the first alone for two seconds.
        for step in 20..<23 {
            _ = choice.saw(Self.good, at: seconds(Double(step)))
            #expect(choice.chosen(at: seconds(Double(step))).invitation == nil)
        }
        for step in 23..<28 {
            _ = choice.saw(Self.good, at: seconds(Double(step)))
            _ = choice.chosen(at: seconds(Double(step)))
        }
        #expect(choice.chosen(at: seconds(28)).invitation?.text == Self.good)
    }

    @Test func oneThatComesLateStopsTheFirst() {
        var choice = InvitationChoice(hosts: [])
        _ = choice.saw(Self.good, at: seconds(0))
        _ = choice.chosen(at: seconds(0))
        _ = choice.saw(Self.other, at: seconds(1.9))
        #expect(choice.chosen(at: seconds(2.5)).invitation == nil)
        // Also one that is no invitation at all, but means to be one.
        var second = InvitationChoice(hosts: [])
        _ = second.saw(Self.good, at: seconds(0))
        _ = second.chosen(at: seconds(0))
        #expect(second.saw("http://c2.example.net/", at: seconds(1))?.contains("https://") == true)
        #expect(second.chosen(at: seconds(2.5)).invitation == nil)
    }

    @Test func aForeignHostIsNotTakenAndIsNamed() {
        var choice = InvitationChoice(hosts: ["c2.example.net"])
        #expect(choice.saw(Self.other, at: seconds(0))?.contains("evil.example") == true)
        #expect(choice.saw(Self.other, at: seconds(1)) == nil)
        for step in 0..<10 { #expect(choice.chosen(at: seconds(Double(step))).invitation == nil) }
        // It has gone.
        _ = choice.saw(Self.good, at: seconds(10))
        _ = choice.chosen(at: seconds(10))
        #expect(choice.chosen(at: seconds(12)).invitation?.host == "c2.example.net")
    }

    @Test func whoShowsWithoutEndIsNotRememberedWithoutEnd() {
        var choice = InvitationChoice(hosts: [])
        var told = 0
        for number in 0..<100_000 {
            if choice.saw("https://x/\(number)?", at: seconds(Double(number) / 1e6)) != nil { told += 1 }
            if number % 1000 == 0 { #expect(choice.chosen(at: seconds(Double(number) / 1e6)).invitation == nil) }
        }
        #expect(told <= InvitationChoice.maximumTexts)
        #expect(choice.saw("https://x/" + String(repeating: "x", count: 1 << 17), at: seconds(1)) == nil)
        // Two long ones with the same beginning are not taken for one that is good.
        #expect(choice.chosen(at: seconds(1)).invitation == nil)
    }

    // MARK: What the eyes say

    @Test func theEyesLinesAreRead() {
        func read(_ line: String) -> [EyeEvent] { EyeEvent.read(Array(line.utf8), from: "camera") }
        #expect(read(#"{"event":"sighting","value":"https://x","symbology":"qr","frame":3}"#) == [.text("https://x")])
        #expect(read(#"{"event":"opened","device":"x"}"#) == [.ready("camera")])
        #expect(read(#"{"event":"lost","reason":"a\u001b[2Jb"}"#) == [.lost("camera", "a?[2Jb")])
        #expect(
            read(
                #"{"event":"tap","records":[{"format":"wellKnown","uri":"https://x","bytes":1},{"text":"t"},{"bytes":2}]}"#
            )
                == [.text("https://x"), .text("t")])
        #expect(read(#"{"event":"refused","records":[{"uri":"https://x"}]}"#) == [])
        #expect(read(#"{"event":"sighting"}"#) == [])
        for wrong in ["", "{", "[]", "null", #"{"event":3}"#, "\u{0}", String(repeating: "[", count: 100_000)] {
            #expect(read(wrong) == [])
        }
    }

    @Test func withoutEyesThereIsNothingToWaitFor() {
        #expect(throws: InvitationWatch.Failure.self) {
            try InvitationWatch([], hosts: []).wait(patience: .seconds(60)) { _ in }
        }
        // A program that is not there, and one that ends at once.
        for program in ["/nowhere/srup-witness", "/bin/true"] {
            #expect(throws: InvitationWatch.Failure.self, "\(program)") {
                try InvitationWatch([.camera("auto", size: nil)], hosts: [], executable: program)
                    .wait(patience: .seconds(60)) { _ in }
            }
        }
    }

    /// A decoder that was taken over says anything: without end, without lines, in halves.
    @Test func anEyeThatTalksNonsenseGivesNothing() throws {
        let folder = NSTemporaryDirectory() + "srup-eye-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func eye(_ script: String) throws -> String {
            let path = folder + "/eye-\(UUID().uuidString)"
            try ("#!/bin/sh\n" + script + "\n").write(toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
            return path
        }
        func wait(_ script: String, patience: Double = 4) throws -> Invitation {
            try InvitationWatch([.reader("x")], hosts: [], executable: try eye(script))
                .wait(patience: .seconds(patience)) { _ in }
        }
        #expect(throws: InvitationWatch.Failure.none(.seconds(4))) { try wait("cat /dev/zero") }
        #expect(throws: InvitationWatch.Failure.none(.seconds(4))) { try wait("yes '{\"event\":\"sighting\"}'") }
        #expect(throws: InvitationWatch.Failure.none(.seconds(4))) {
            try wait("while :; do echo '{\"event\":\"sighting\",\"value\":\"https://x/'$((n=n+1))'\"}'; done")
        }
        // After rubbish and in halves it is read all the same.
        let line = #"{"event":"tap","records":[{"uri":"\#(Self.good)"}]}"#
        let (first, second) = (line.prefix(20), line.dropFirst(20))
        let found = try wait("echo rubbish; printf '%s' '\(first)'; sleep 1; echo '\(second)'; sleep 100", patience: 60)
        #expect(found.text == Self.good)
    }
}
