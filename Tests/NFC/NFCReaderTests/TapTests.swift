import Foundation
import TestProcesses
import Testing

/// Taps through the real libnfc, between simulated chips.
@Suite(.serialized) struct TapTests {
    static let value = "00112233445566778899aabbccddeeff"
    static let needsNfcpy: Comment = "nfcpy 1.0.4 is not there (deploy/setup --tests installs it)"

    @Test(.enabled(if: Readers.python != nil, needsNfcpy), arguments: ["initiator", "target"])
    func nfcpyPutsByNameAndByAccessPointWholeAndInFragments(_ role: String) throws {
        try Readers.with { readers in
            try readers.chips.tell("near a b")
            try readers.startRead()
            for how in ["name", "sap"] {
                for size in [0, 1500] {
                    let before = try readers.taps().count
                    let said = try readers.nfcpy([
                        "put", readers.chips.connstring("b").path, role, how, "\(size)", "1", Self.value,
                    ])
                    #expect(said.allSatisfy { $0["result"] as? Bool == true }, "\(role) \(how) \(size): \(said)")
                    try readers.wait("the tap") { try readers.taps().count > before }
                    let tap = try #require(try readers.taps().last)
                    #expect(Readers.text(tap)?.count == (size == 0 ? 32 : size))
                    #expect(tap["role"] as? String == (role == "initiator" ? "target" : "initiator"))
                }
            }
        }
    }

    @Test(.enabled(if: Readers.python != nil, needsNfcpy), arguments: ["target", "initiator"])
    func ourClientPutsToNfcpysServer(_ role: String) throws {
        try Readers.with { readers in
            try readers.chips.tell("near a b")
            try readers.startWrite(Self.value)
            let said = try readers.nfcpy(["serve", readers.chips.connstring("a").path, role, "2"])
            #expect(said.count >= 2)
            for line in said { #expect(line["got"] as? [String] == [Self.value]) }
            try readers.wait("our client to know") {
                try readers.lines("write").contains { $0["event"] as? String == "taken" }
            }
        }
    }

    @Test(.enabled(if: Readers.python != nil, needsNfcpy))
    func nfcpyReadsOurCard() throws {
        try Readers.with { readers in
            try readers.chips.tell("near a b")
            try readers.startWrite(Self.value, ["--as", "card", "--keep"])
            let said = try readers.nfcpy(["tag", readers.chips.connstring("a").path])
            #expect(said.last?["got"] as? [String] == [Self.value])
        }
    }

    @Test(.enabled(if: Readers.python != nil, needsNfcpy))
    func aThousandTapsInARowAndNoneIsLost() throws {
        try Readers.with { readers in
            try readers.chips.tell("near a b")
            try readers.startRead(["--listen", "60"])
            // In both roles, and by both ways to the service. A link that a standstill of the machine breaks is made
            // again, as people do: what was put may then have come already.
            var broken = 0
            for (role, how, count) in [
                ("initiator", "name", 250), ("initiator", "sap", 250), ("target", "name", 250), ("target", "sap", 250),
            ] {
                let said = try readers.nfcpy(
                    ["put", readers.chips.connstring("b").path, role, how, "0", "\(count)", Self.value], within: 300)
                let lost = said.filter { $0["result"] as? Bool != true }
                #expect(said.count == count && lost.isEmpty, "\(role) \(how): \(lost.prefix(5))")
                broken += said.reduce(0) { $0 + ($1["again"] as? Int ?? 0) }
            }
            #expect(broken <= 100)
            let taps = try readers.taps()
            #expect(taps.count >= 1000 && taps.count <= 1000 + broken, "\(broken) links broke")
            #expect(taps.allSatisfy { Readers.text($0) == Self.value })
        }
    }

    @Test(arguments: [true, false])
    func ourOwnPeersMeetWhateverTheChipsDo(_ isHelpful: Bool) throws {
        try Readers.with { readers in
            for chip in ["a", "b"] {
                try readers.chips.tell("rtox \(chip) \(isHelpful ? "on" : "off")")
                try readers.chips.tell("fieldloss \(chip) \(isHelpful ? "on" : "off")")
            }
            try readers.chips.tell("near a b")
            try readers.startRead()
            try readers.startWrite(Self.value)
            try readers.wait("20 taps", within: 30) { try readers.taps().count >= 20 }
            #expect(try readers.taps().allSatisfy { Readers.text($0) == Self.value })
        }
    }

    @Test func tagsAreReadOncePerTouch() throws {
        try Readers.with { readers in
            try readers.chips.tell("tag sticker type2 \(RestingTagTests.tag(Self.value))")
            try readers.chips.tell("tag phone type4 \(RestingTagTests.tag(Self.value))")
            try readers.startRead()
            for (number, name) in ["sticker", "phone", "sticker"].enumerated() {
                try readers.chips.tell("near a \(name)")
                try readers.wait("the tag") { try readers.taps().count == number + 1 }
                #expect(try readers.taps().last?["role"] as? String == (name == "phone" ? "type4" : "type2"))
                // It stays for a while: still one tap.
                usleep(1_500_000)
                #expect(try readers.taps().count == number + 1)
                try readers.chips.tell("apart")
                // Gone for two turns is gone; there is no sign of it to wait for.
                usleep(3_000_000)
            }
        }
    }

    @Test func wrongTagsAreToldAndTheNextIsRead() throws {
        try Readers.with { readers in
            let memories = [
                "00", "0000000000000000000000", "000000000000000000000000E1106D0003FFFFFF",
                "000000000000000000000000E1106D000105", "000000000000000000000000E1106D000303D10105",
                "000000000000000000000000E110010003FE",
            ]
            try readers.startRead()
            for (number, memory) in memories.enumerated() {
                try readers.chips.tell("tag t\(number) memory \(memory)")
                try readers.chips.tell("near a t\(number)")
                let before = try readers.lines("read").count
                try readers.wait("the error") { try readers.lines("read").count > before }
                try readers.chips.tell("apart")
            }
            try readers.chips.tell("tag good type2 \(RestingTagTests.tag(Self.value))")
            try readers.chips.tell("near a good")
            try readers.wait("the good tag") { try readers.taps().count == 1 }
        }
    }

    /// As the observer judges: what holds no value is shown, but no tap, and its giver is not told Success.
    @Test func whatHoldsNoValueIsShownAsRefusedAndItsGiverIsTold() throws {
        try Readers.with { readers in
            let text = "tag".utf8.map { String($0, radix: 16) }.joined()
            try readers.chips.tell("tag poster type2 D101065402656E\(text)")
            try readers.chips.tell("near a poster")
            try readers.startRead(["--once"])
            func refused() throws -> [[String: Any]] {
                try readers.lines("read").filter { $0["event"] as? String == "refused" }
            }
            try readers.wait("the poster") { try refused().count == 1 }
            #expect(try Readers.text(refused()[0]) == "tag" && refused()[0]["candidate"] as? Bool == false)
            try readers.chips.tell("apart")
            try readers.chips.tell("near a b")
            try readers.startWrite("hello")
            try readers.wait("the refusal") {
                try readers.lines("write").contains {
                    $0["detail"] as? String == "SNEP: the server answers Bad Request"
                }
            }
            #expect(try !readers.lines("write").contains { $0["event"] as? String == "taken" })
            #expect(try readers.taps().isEmpty)
        }
    }

    /// A peer's user may have to say yes first: the link is kept though nothing goes over it.
    @Test(.enabled(if: Readers.python != nil, needsNfcpy), arguments: ["initiator", "target"])
    func aLiveLinkWithoutTrafficIsKeptForSeconds(_ role: String) throws {
        try Readers.with { readers in
            try readers.chips.tell("near a b")
            try readers.startRead()
            let said = try readers.nfcpy([
                "put", readers.chips.connstring("b").path, role, "sap", "0", "1", Self.value, "5",
            ])
            // A link that a standstill of the machine breaks is made again, and waits as long again.
            #expect(said.last?["result"] as? Bool == true, "\(said)")
            let tap = try #require(try readers.taps().last)
            #expect(try #require(tap["milliseconds"] as? Double) > 4000)
        }
    }

    @Test func aReaderOverI2CTakesTaps() throws {
        try Readers.with { readers in
            try readers.chips.tell("near i b")
            try readers.startI2CRead()
            try readers.startWrite(Self.value)
            try readers.wait("5 taps", within: 40) { try readers.taps().count >= 5 }
        }
    }

    /// Made by hardware/pn532-usb-bridge/tests/run, which deploy/test runs before.
    static let bridge = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../hardware/pn532-usb-bridge/build/bridge-in-simavr").standardizedFileURL.path

    @Test(
        .enabled(
            if: FileManager.default.isExecutableFile(atPath: bridge),
            "the bridge's simulation is not built (hardware/pn532-usb-bridge/tests/run; needs gcc-avr and libsimavr-dev)"
        ))
    func theUSBBridgesImageInSimavrCarriesTapsInBothRoles() throws {
        try Readers.with { readers in
            try readers.chips.tell("near i b")
            let port = readers.runner.path("ttyACM0")
            try readers.runner.start(
                Self.bridge,
                [
                    "--elf", Self.bridge.replacingOccurrences(of: "bridge-in-simavr", with: "bridge.elf"), "--pty",
                    port, "--i2c", readers.chips.bus("i"),
                ],
                as: "bridge")
            try readers.wait("the bridge's port") { FileManager.default.fileExists(atPath: port) }
            try readers.runner.start(
                "srup-witness", ["nfc", "read", "--json", "--device", "pn532_uart:\(port)"], as: "read")
            try readers.startWrite(Self.value)
            try readers.wait("taps in both roles", within: 40) {
                let roles = Set(try readers.taps().compactMap { $0["role"] as? String })
                return try readers.taps().count >= 5 && roles == ["target", "initiator"]
            }
            #expect(try readers.taps().allSatisfy { Readers.text($0) == Self.value })
        }
    }

    @Test func aReaderInUseAbsentOrDumbIsToldWithItsExitCode() throws {
        try Readers.with { readers in
            try readers.startRead()
            let busy = try readers.runner.run(
                "srup-witness", ["nfc", "read", "--seconds", "1", "--device", readers.chips.connstring("a")], as: "busy"
            )
            #expect(busy == 69 && readers.runner.tail(of: "busy").contains("is in use by another program"))
            let absent = try readers.runner.run(
                "srup-witness", ["nfc", "read", "--seconds", "1", "--device", "pn532_uart:/nowhere"], as: "absent")
            #expect(absent == 69 && readers.runner.tail(of: "absent").contains("/nowhere is not there"))
            try readers.chips.tell("bus b silent 1000")
            let dumb = try readers.runner.run(
                "srup-witness", ["nfc", "read", "--seconds", "1", "--device", readers.chips.connstring("b")], as: "dumb"
            )
            #expect(dumb == 69 && readers.runner.tail(of: "dumb").contains("no PN532 answers"))
            let wrong = try readers.runner.run("srup-witness", ["nfc", "read", "--device", "usb"], as: "wrong")
            #expect(wrong == 64 && readers.runner.tail(of: "wrong").contains("is no reader"))
        }
    }
}

extension String {
    /// The path in a connstring.
    var path: String { String(drop { $0 != ":" }.dropFirst()) }
}
