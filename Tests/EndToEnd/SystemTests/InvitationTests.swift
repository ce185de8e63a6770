import CLinux
import Camera
import CodeReader
import CodeWriter
import Foundation
import Glibc
import Linux
import Luma
import Participant
import TestProcesses
import Testing

/// Registration by a code before the camera or a tag on the reader, all the way: a real key service, real pictures, simulated
/// chips.
@Suite(.serialized) struct InvitationTests {
    /// A key service, and a folder that is the camera.
    private final class Place {
        let runner: ProgramRunner
        let loopback: LoopbackNetwork
        let camera: String

        init() throws {
            runner = try ProgramRunner()
            loopback = try LoopbackNetwork(runner)
            try loopback.prepare()
            try loopback.startKeyService()
            camera = runner.path("camera")
            try FileManager.default.createDirectory(atPath: camera, withIntermediateDirectories: false)
        }

        deinit { runner.close() }

        func log(_ role: String) -> String {
            (try? String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)) ?? ""
        }

        func invitation() throws -> String {
            try runner.must("srup-c2", ["invite", "--url", "--folder", runner.path("c2")], as: "invite")
            return log("invite").trimmingCharacters(in: .whitespacesAndNewlines)
        }

        /// Puts codes before the camera, beside one another.
        func show(_ texts: [String]) throws {
            let codes = try texts.map { try QRMatrix(text: $0, level: .low) }
            let scale = 4
            let side = (codes.map(\.size).max() ?? 0) * scale + 16 * scale
            var pixels = [UInt8](repeating: 255, count: side * side * codes.count)
            for (index, code) in codes.enumerated() {
                for y in 0..<code.size * scale {
                    for x in 0..<code.size * scale where code.isDark(x / scale, y / scale) {
                        pixels[(y + 8 * scale) * side * codes.count + index * side + x + 8 * scale] = 0
                    }
                }
            }
            var picture = Array("P5\n\(side * codes.count) \(side)\n255\n".utf8)
            picture += pixels
            let path = camera + "/picture.pgm"
            try Data(picture).write(to: URL(fileURLWithPath: path + ".new"))
            guard rename(path + ".new", path) == 0 else { throw ProgramRunner.Failure(description: "no picture") }
        }

        func registered(_ folder: String) -> Bool {
            FileManager.default.fileExists(atPath: runner.path(folder) + "/identity.pem")
        }

        /// Without a terminal.
        func register(_ role: String, _ arguments: [String], patience: Int = 60) throws -> Int32 {
            try runner.run(
                "srup-device",
                ["register", "--state", runner.path(role), "--patience", "\(patience)"] + arguments, as: role,
                within: patience + 60)
        }

        func register(_ role: String, hosts: [String] = ["localhost"], patience: Int = 60) throws -> Int32 {
            try register(
                role, ["--camera", "folder:\(camera)"] + hosts.flatMap { ["--host", $0] }, patience: patience)
        }
    }

    @Test func theServersCodeIsWhatADeviceRegistersBy() throws {
        let place = try Place()
        // As it is printed, written and drawn: the same.
        let text = try place.invitation()
        #expect(text.hasPrefix("https://localhost:\(place.loopback.keyServicePort)/#ca=sha256:"))
        let folder = ["--folder", place.runner.path("c2")]
        let png = place.camera + "/code.png"
        try place.runner.must("srup-c2", ["invite", "--png", png] + folder, as: "png")
        let picture = try StillPicture.read(png)
        let read = picture.withPlane { CodeReader([.qr]).read($0) }.map { String(decoding: $0.value, as: UTF8.self) }
        #expect(read == [text])
        try place.runner.must("srup-c2", ["invite", "--svg", place.runner.path("code.svg")] + folder, as: "svg")
        #expect(
            try String(contentsOfFile: place.runner.path("code.svg"), encoding: .utf8).contains(
                "Invitation to localhost"))
        try place.runner.must("srup-c2", ["invite"] + folder, as: "terminal")
        #expect(place.log("terminal").contains(text) && place.log("terminal").contains("▀"))
        // The fingerprint is that of ca.crt, as openssl says it.
        try place.runner.must(
            "/usr/bin/openssl",
            ["x509", "-in", place.runner.path("c2/ca.crt"), "-noout", "-fingerprint", "-sha256"], as: "openssl")
        let digits = place.log("openssl").split(separator: "=").last?.filter(\.isHexDigit).lowercased()
        #expect(text.hasSuffix(digits ?? "?"))

        // No --url and no --ca.
        let code = try place.register("device")
        #expect(code == 0, "\(place.log("device"))")
        #expect(place.registered("device"))
        #expect(place.log("device").contains("SHA-256"))
        // The authority that was fetched is kept, and is the one of the server.
        let kept = try String(contentsOfFile: place.runner.path("device/https-ca.pem"), encoding: .utf8)
        #expect(kept == (try String(contentsOfFile: place.runner.path("c2/ca.crt"), encoding: .utf8)))
        let renewed = try place.runner.run(
            "srup-device", ["register", "--renew", "--state", place.runner.path("device")], as: "renew")
        #expect(renewed == 0, "\(place.log("renew"))")
    }

    @Test func anObserverRegistersByItsConfigurationsHostAndByWhatItsCameraSees() throws {
        let place = try Place()
        try place.show([try place.invitation()])
        func configure(_ hosts: String) throws {
            try place.runner.write(
                """
                state = "state"
                [registration]
                hosts = [\(hosts)]
                [camera]
                device = "folder:camera"
                """, to: "observer.toml")
        }
        let command = ["register", "--config", place.runner.path("observer.toml"), "--patience"]
        try configure("")
        // Nobody could say yes: at once.
        #expect(try place.runner.run("srup-observer", command + ["60"], as: "nobody") == 78)
        #expect(place.log("nobody").contains("registration.hosts"))
        // The start of a service does not wait either.
        try configure("\"localhost\"")
        #expect(try place.runner.run("srup-observer", command + ["60", "--if-needed"], as: "start") == 0)
        #expect(!place.registered("state"))
        try configure("\"c2.example.net\"")
        #expect(try place.runner.run("srup-observer", command + ["6"], as: "foreign") == 69)
        #expect(place.log("foreign").contains("which the configuration does not allow"))
        #expect(!place.registered("state"))
        try configure("\"localhost\"")
        #expect(
            try place.runner.run("srup-observer", command + ["60"], as: "observer") == 0, "\(place.log("observer"))")
        #expect(place.registered("state"))
    }

    /// Somebody at a terminal decides.
    @Test(arguments: ["yes", "no", ""]) func somebodyAtTheTerminalConfirms(_ answer: String) throws {
        let place = try Place()
        try place.show([try place.invitation()])
        var name = [CChar](repeating: 0, count: 128)
        let terminal = srup_openpt(&name, name.count)
        #expect(terminal >= 0)
        defer { close(terminal) }
        let path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let other = open(path, O_RDWR | O_NOCTTY)
        defer { close(other) }
        // Typed before the question: no answer to it.
        _ = write(terminal, "yes\n", 4)
        let process = try ChildProcess.start(
            ProgramRunner.ownFolder + "/srup-device",
            [
                "register", "--state", place.runner.path("device"), "--camera", "folder:\(place.camera)", "--patience",
                "60",
            ], descriptors: [0: other, 1: other, 2: other])
        var said = ""
        var isAnswered = false
        let deadline = Date(timeIntervalSinceNow: 120)
        while ChildProcess.ended(process) == nil, Date() < deadline {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = read(terminal, &bytes, bytes.count)
            if count > 0 { said += String(decoding: bytes.prefix(count), as: UTF8.self) }
            if !isAnswered, said.contains("[yes/no]") {
                isAnswered = true
                usleep(200_000)
                let line = answer + "\n"
                _ = write(terminal, line, line.utf8.count)
            }
            usleep(20_000)
        }
        let end = ChildProcess.wait(process, until: .now)
        #expect(isAnswered, "\(said)")
        #expect(said.contains("https://localhost") && said.contains("SHA-256"))
        #expect(end == .exited(answer == "yes" ? 0 : 1), "\(said)")
        #expect(place.registered("device") == (answer == "yes"))
    }

    @Test func aCodeWithAnotherFingerprintGetsNothing() throws {
        let place = try Place()
        let text = try place.invitation()
        let false1 = String(text.dropLast(64)) + String(repeating: "ab", count: 32)
        try place.show([false1])
        let before = try identities(place)
        #expect(try place.register("device") == 1)
        #expect(place.log("device").contains("old or false"))
        #expect(!place.registered("device"))
        #expect(try identities(place) == before)
        // Without a fingerprint the system's authorities are asked, who do not know this one.
        try place.show([String(text.prefix { $0 != "#" })])
        #expect(try place.register("device") == 1)
        #expect(place.log("device").contains("not signed by an authority that this machine knows"))
        // The right one of another network: its authority is not this service's.
        try place.runner.must(
            "srup-c2", ["init", "--folder", place.runner.path("other"), "--host", "localhost"], as: "init2")
        try place.runner.must("srup-c2", ["invite", "--url", "--folder", place.runner.path("other")], as: "other")
        let fingerprint = place.log("other").trimmingCharacters(in: .whitespacesAndNewlines).suffix(64)
        try place.show([String(text.dropLast(64)) + fingerprint])
        #expect(try place.register("device") == 1)
        #expect(!place.registered("device"))
        #expect(try identities(place) == before)
    }

    private func identities(_ place: Place) throws -> Int {
        try? FileManager.default.removeItem(atPath: place.runner.path("log/identities.log"))
        try place.runner.must(
            "srup-c2", ["identities", "--folder", place.runner.path("c2"), "--json"], as: "identities")
        return place.log("identities").split(separator: "\n").count
    }

    /// What is no invitation is told, and waited past: the right one may come.
    @Test func codesThatAreNoInvitationsAreToldAndTheRightOneIsTaken() throws {
        let place = try Place()
        let text = try place.invitation()
        let fragment = text.drop { $0 != "#" }
        let wrong = [
            ("http://localhost:\(place.loopback.keyServicePort)/\(fragment)", "does not begin with https://"),
            ("https://localhost/" + String(repeating: "a", count: 1500), "more than the 512"),
            ("https://localhost/\u{1B}]0;x\u{7}\(fragment)", "control characters"),
            ("https://user@localhost/\(fragment)", "no host with a port"),
            ("https://evil.example/\(fragment)", "does not allow"),
        ]
        try place.show([wrong[0].0])
        try place.runner.start(
            "srup-device",
            [
                "register", "--state", place.runner.path("device"), "--camera", "folder:\(place.camera)", "--host",
                "localhost", "--patience", "600",
            ], as: "device")
        for (code, words) in wrong {
            try place.show([code])
            try wait(words) { place.log("device").contains(words) }
        }
        #expect(!place.log("device").contains("\u{1B}") && !place.log("device").contains("\u{7}"))
        // Two that differ: none is taken, however long they are there.
        try place.show([text, "https://localhost:1/\(fragment)"])
        try wait("leave only one") { place.log("device").contains("leave only one") }
        usleep(6_000_000)
        #expect(place.runner.isRunning("device") && !place.registered("device"))
        try place.show([text])
        try wait("registered") { place.log("device").contains("registered: this device's identity is") }
        #expect(place.registered("device"))
    }

    private func wait(_ what: String, _ condition: () -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: 120)
        while Date() < deadline {
            if condition() { return }
            usleep(50_000)
        }
        throw ProgramRunner.Failure(description: "waited in vain: \(what)")
    }

    @Test(arguments: ["type2", "type4"]) func aTagSaysWhereToRegister(_ kind: String) throws {
        let place = try Place()
        let text = try place.invitation()
        let readers = try SimulatedReaders(place.runner, serial: ["a"], ["--immediate"])
        // A URI record (NFC Forum URI RTD): 04 is https://
        let rest = Array(text.dropFirst("https://".count).utf8)
        let message = [0xD1, 0x01, UInt8(rest.count + 1), 0x55, 0x04] + rest
        let hex = message.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        try readers.tell("tag t \(kind) \(hex)")
        try readers.tell("near a t")
        let code = try place.register(
            "device", ["--reader", readers.connstring("a"), "--host", "localhost"], patience: 120)
        #expect(code == 0, "\(place.log("device"))")
        #expect(place.registered("device"))
    }

    @Test func optionsThatContradictAreRefused() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let state = ["register", "--state", runner.path("device")]
        for wrong in [
            [], ["--camera", "auto"], ["--host", "x", "--camera", "nonsense"], ["--host", "x", "--reader", "nonsense"],
            ["--url", "https://x", "--host", "x"], ["--host", "x", "--patience", "0"],
            ["--renew", "--url", "https://x"],
        ] {
            #expect(try runner.run("srup-device", state + wrong, as: "wrong") == 64, "\(wrong)")
        }
        #expect(try runner.run("srup-c2", ["invite", "--folder", runner.path("none")], as: "none") == 78)
    }
}
