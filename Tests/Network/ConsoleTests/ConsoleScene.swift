import Foundation
import HTTPTypes
import Hummingbird
import JoiningDevice
import Logging
import NIOCore
import Participant
import PhoneObserver
import SRUP
import Storage
import TestNetwork
import Testing
import ValueForms

@testable import C2
@testable import Console
@testable import KeyService
@testable import Operators

/// A network with a console: what it answers is what a browser would get, but for the connection itself.
final class ConsoleScene: @unchecked Sendable {
    // Used by one test at a time.
    let network: TestNetwork
    let server: TestServer
    let operators: OperatorStore
    let identities: KeyServiceState
    private(set) var console: Console
    private var responder: any HTTPResponder<ConsoleContext>

    /// Cheap: what a password costs is tested elsewhere.
    private static let cost = PasswordCost(n: 16, r: 1, p: 1)
    static let password = "correct horse battery staple"

    init(_ change: (inout C2Rules) -> Void = { _ in }) async throws {
        network = try TestNetwork()
        server = try await TestServer(network) { rules in
            rules.policies["panel"] = .human
            change(&rules)
        }
        operators = try OperatorStore(path: network.folder + "/operators.db", cost: Self.cost)
        identities = try KeyServiceState(path: network.folder + "/key-service.db")
        for role in Role.allCases {
            let name = try #require(OperatorName(role.rawValue))
            try operators.add(name, role: role, password: try Password(Self.password), now: network.wallClock())
        }
        console = try Console(
            server: server.server, signIn: SignIn(operators, time: network.time), identities: identities,
            settings: ConsoleSettings(name: "Greenhouse <3>", keyService: "https://c2.example.net:8443"),
            logger: Logger(label: "console") { _ in SwiftLogNoOpLogHandler() }, now: network.wallClock)
        responder = console.router().buildResponder()
    }

    func close() { network.close() }

    /// The same with a page for phones.
    func use(_ phones: PhoneDesk, _ settings: ConsoleSettings? = nil) throws {
        console = try Console(
            server: server.server, signIn: console.signIn, identities: identities,
            settings: settings ?? console.settings,
            phones: phones, cells: nil, logger: console.logger, now: network.wallClock)
        responder = console.router().buildResponder()
    }

    /// The same, set up otherwise.
    func use(_ settings: ConsoleSettings) throws {
        console = try Console(
            server: server.server, signIn: console.signIn, identities: identities, settings: settings,
            logger: console.logger, now: network.wallClock)
        responder = console.router().buildResponder()
    }

    /// A device of ours that shows its value to people, and waits.
    func panel(_ number: UInt64, type: String = "panel") async throws -> TestDevice {
        try server.know(DeviceID(number), type: type)
        var behaviour = JoinDriver.Behaviour()
        behaviour.isForPeople = true
        let device = try await TestDevice(DeviceID(number), network, behaviour)
        await network.settle()
        return device
    }

    /// A member that nobody has to play.
    func member(_ id: DeviceID, type: String) throws {
        try server.know(id, type: type)
        try server.participant.state.setJoined(id, true)
    }

    // MARK: Asking

    private struct Source: RequestContextSource { let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

    /// An answer, whole.
    struct Answer {
        let status: Int
        let headers: HTTPFields
        let text: String
        var place: String? { headers[.location] }
        var cookie: String? {
            headers[.setCookie]?.split(separator: ";").first.map {
                String($0.split(separator: "=", maxSplits: 1).last ?? "")
            }
        }

        /// The token of a page's form.
        func token(_ action: String) throws -> String {
            let form = try #require(text.range(of: "action=\"\(action)\""), "no form \(action)")
            let rest = text[form.upperBound...]
            let start = try #require(rest.range(of: "name=\"token\" value=\""))
            return String(rest[start.upperBound...].prefix { $0 != "\"" })
        }
    }

    /// Somebody with a browser.
    struct Browser {
        let scene: ConsoleScene
        var cookie: String?
        var address = "192.0.2.7"

        func get(_ path: String, _ headers: [String: String] = [:]) async throws -> Answer {
            try await scene.ask(.get, path, body: nil, cookie: cookie, address: address, headers)
        }

        /// Sends a form as a page of the server would.
        func post(_ path: String, _ fields: [(String, String)], _ headers: [String: String] = [:]) async throws
            -> Answer
        {
            let body = fields.map { "\(Console.escaped($0.0))=\(Console.escaped($0.1))" }.joined(separator: "&")
            var all = [
                "Origin": "https://c2.example.net:8444", "Content-Type": "application/x-www-form-urlencoded",
            ]
            for (name, value) in headers { all[name] = value.isEmpty ? nil : value }
            return try await scene.ask(.post, path, body: body, cookie: cookie, address: address, all)
        }

        /// Loads a page and sends its form.
        func submit(_ page: String, _ action: String, _ fields: [(String, String)]) async throws -> Answer {
            let token = try await get(page).token(action)
            return try await post(action, [("token", token)] + fields)
        }
    }

    func ask(
        _ method: HTTPRequest.Method, _ path: String, body: String?, cookie: String?, address: String,
        _ headers: [String: String]
    ) async throws -> Answer {
        try await ask(
            method, path, content: Array((body ?? "").utf8), cookie: cookie, address: address, headers)
    }

    func ask(
        _ method: HTTPRequest.Method, _ path: String, content: [UInt8], cookie: String?, address: String,
        _ headers: [String: String]
    ) async throws -> Answer {
        var fields = HTTPFields()
        for (name, value) in headers {
            let key = try #require(HTTPField.Name(name))
            fields[key] = value
        }
        if let cookie { fields[.cookie] = "\(Doorkeeper.cookie)=\(cookie)" }
        let head = HTTPRequest(
            method: method, scheme: "https", authority: "c2.example.net:8444", path: path, headerFields: fields)
        let request = Request(head: head, body: .init(buffer: ByteBuffer(bytes: content)))
        let response = try await responder.respond(
            to: request, context: ConsoleContext(source: Source(), place: address))
        let collector = Collector()
        try await response.body.write(collector)
        return Answer(status: response.status.code, headers: response.headers, text: collector.text)
    }

    private final class Collector: ResponseBodyWriter, @unchecked Sendable {
        // Written by one request.
        var text = ""
        func write(_ buffer: ByteBuffer) async throws { text += String(buffer: buffer) }
        func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }

    /// Somebody who has signed in; the names are those of the roles.
    func browser(_ role: Role) async throws -> Browser {
        var browser = Browser(scene: self)
        let answer = try await browser.post("/sign-in", [("name", role.rawValue), ("password", Self.password)])
        browser.cookie = try #require(answer.cookie)
        return browser
    }

    func session(of browser: Browser) throws -> Session {
        let cookie = try #require(browser.cookie)
        return try #require(try operators.session(cookie, now: network.wallClock()))
    }

    /// What is to be typed for a device that waits, read off the device itself.
    func letters(_ device: TestDevice) async throws -> [String] {
        let waiting = try #require(try await server.server.waiting(device.id))
        let words = try #require(device.shown).withUnsafeBytes { ValueWords.words(of: $0) }
        return waiting.question.map { String(words[$0].prefix(3)) }
    }

    func ticket(_ device: TestDevice) async throws -> String {
        String(try #require(try await server.server.waiting(device.id)).ticket)
    }
}
