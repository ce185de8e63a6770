import CodeWriter
import HTTPTypes
import JoiningDevice
import Logging
import Participant
import CodeWriter
import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Console
@testable import Operators
@testable import PhoneObserver

/// A console with a page for phones, on a network in memory. Pictures are really read, but in this process.
final class PhoneScene: @unchecked Sendable {
    // Used by one test at a time.
    let scene: ConsoleScene
    let desk: PhoneDesk
    let places: Places
    var network: TestNetwork { scene.network }
    var server: C2Server { scene.server.server }

    /// Identities for phones on the test network.
    final class Places: PhonePlaces, @unchecked Sendable {
        // Used by one test at a time.
        let network: TestNetwork
        let server: TestServer
        var isBroken = false
        /// How often a phone has begun and ended.
        var begun = 0
        var ended = 0

        struct Broken: Error {}

        init(_ network: TestNetwork, _ server: TestServer) { (self.network, self.server) = (network, server) }

        static func id(_ name: String) -> DeviceID { DeviceID(0xF000 + UInt64(name.utf8.reduce(0) { $0 + Int($1) })) }

        func identities() -> [DeviceID] { Role.allCases.map { Self.id($0.rawValue) } }

        func place(of name: String) async throws -> PhonePlace {
            if isBroken { throw Broken() }
            let id = Self.id(name)
            try server.know(id, type: "observer")
            return PhonePlace(
                participant: try network.participant(id), server: TestServer.id,
                serverKey: TestNetwork.publicKey(TestServer.id)
            ) { member in
                self.network.attach(id, ["SRUP/\(id.hex)"]) {
                    await member.handle($0)
                } tick: {
                    await member.tick()
                }
                try await member.begin()
                await self.network.connect(id)
                self.begun += 1
                return {
                    self.network.disconnect(id)
                    self.ended += 1
                }
            }
        }
    }

    init(
        limits change: (inout PhoneDesk.Limits) -> Void = { _ in },
        examine: @escaping @Sendable ([UInt8]) async throws -> PictureReport = { PictureReport(examining: $0) }
    ) async throws {
        scene = try await ConsoleScene()
        places = Places(scene.network, scene.server)
        var limits = PhoneDesk.Limits()
        limits.settling = .zero
        limits.burst = 1000
        change(&limits)
        desk = PhoneDesk(
            server: scene.server.server, places: places, rules: PhoneDesk.rules(observationTimeout: .seconds(90)),
            limits: limits, logger: Logger(label: "phones") { _ in SwiftLogNoOpLogHandler() }, time: scene.network.time,
            examine: examine)
        try scene.use(desk)
    }

    func close() { scene.close() }

    /// The clock moves, and with it the network and the desk.
    func advance(by duration: Duration, step: Duration = .seconds(1)) async {
        let end = network.clock + duration
        while network.clock < end {
            await network.advance(by: min(step, end - network.clock), step: step)
            await desk.tick()
            await network.settle()
        }
    }

    /// Somebody whose phone looks.
    func phone(_ role: Role = .moderate) async throws -> Phone {
        let browser = try await scene.browser(role)
        let answer = try await browser.submit("/phone", "/phone/open", [])
        #expect(answer.status == 303 && answer.place == "/phone")
        await network.settle()
        return Phone(scene: self, browser: browser, token: try await browser.get("/phone").token("/phone/close"))
    }

    struct Phone {
        let scene: PhoneScene
        let browser: ConsoleScene.Browser
        let token: String

        func page() async throws -> String { try await browser.get("/phone").text }

        /// What the page's script does.
        func send(
            _ path: String, _ bytes: [UInt8], _ headers: [String: String] = [:]
        ) async throws -> ConsoleScene.Answer {
            var all = [
                "Origin": "https://c2.example.net:8444", "Content-Type": "image/jpeg", "X-Form-Token": token,
            ]
            for (name, value) in headers { all[name] = value.isEmpty ? nil : value }
            let answer = try await scene.scene.ask(
                .post, path, content: bytes, cookie: browser.cookie, address: browser.address, all)
            await scene.network.settle()
            return answer
        }

        func frame(_ bytes: [UInt8]) async throws -> ConsoleScene.Answer { try await send("/phone/frame", bytes) }

        /// What the page does without one.
        func photo(_ bytes: [UInt8], token: String? = nil) async throws -> ConsoleScene.Answer {
            let body = PhoneScene.multipart([
                ("token", nil, Array((token ?? self.token).utf8)), ("photo", "a.jpg", bytes),
            ])
            return try await send(
                "/phone/photo", body, ["Content-Type": "multipart/form-data; boundary=x-x", "X-Form-Token": ""])
        }
    }

    static func multipart(_ parts: [(name: String, file: String?, content: [UInt8])]) -> [UInt8] {
        var body: [UInt8] = []
        for part in parts {
            let file = part.file.map { "; filename=\"\($0)\"\r\nContent-Type: image/jpeg" } ?? ""
            body += Array("--x-x\r\nContent-Disposition: form-data; name=\"\(part.name)\"\(file)\r\n\r\n".utf8)
            body += part.content + Array("\r\n".utf8)
        }
        return body + Array("--x-x--\r\n".utf8)
    }

    /// A device that must be observed, and asks.
    func sensor(_ number: UInt64) async throws -> TestDevice {
        try scene.server.know(DeviceID(number), type: "sensor")
        let device = try await TestDevice(DeviceID(number), network)
        await network.settle()
        return device
    }

    /// A picture of a display with this value.
    static func picture(of value: [UInt8], scale: Int = 6) throws -> [UInt8] {
        let text = Array(value.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined().utf8)
        return try text.withUnsafeBytes { text in
            let (side, pixels) = try QRMatrix(hex: text).pixels(scale: scale)
            return Array("P5\n\(side) \(side)\n255\n".utf8) + pixels
        }
    }

    static let empty = Array("P5\n200 200\n255\n".utf8) + [UInt8](repeating: 180, count: 40000)
}
