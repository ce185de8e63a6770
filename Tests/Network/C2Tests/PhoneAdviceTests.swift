import Observation
import SRUP
import TestNetwork
import Testing

@testable import C2

/// Whom a device is told to name when an operator's phone page is open.
@Suite struct PhoneAdviceTests {
    private let standing = DeviceID(0x0B)
    private let phone = DeviceID(0x0F)

    private func observer(_ id: DeviceID, _ server: TestServer, isPhone: Bool = false) async throws -> TestObserver {
        try server.know(id, type: "observer")
        if isPhone {
            try await server.server.openPhone(id, of: "mia")
        } else {
            try server.state.trust(id, now: 0)
        }
        let observer = try await TestObserver(id, server.network, rules: WatchRules())
        await server.network.settle()
        return observer
    }

    private func adviser(_ server: TestServer, _ device: UInt64 = 0xD1) async throws -> DeviceID? {
        try await server.server.adviser(for: DeviceID(device))
    }

    @Test func aPhoneIsNamedWhereNoOtherObserverIsThere() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try await TestServer(network)
        #expect(try await adviser(server) == nil)
        _ = try await observer(phone, server, isPhone: true)
        #expect(try await adviser(server) == phone)
        try await server.server.closePhone(phone, of: "mia", why: "closed")
        #expect(try await adviser(server) == nil)
    }

    @Test func anObserverThatStandsThereComesFirst() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try await TestServer(network)
        _ = try await observer(standing, server)
        _ = try await observer(phone, server, isPhone: true)
        #expect(try await adviser(server) == standing)
        // The other way round, too.
        let second = try TestNetwork()
        defer { second.close() }
        let other = try await TestServer(second)
        _ = try await observer(phone, other, isPhone: true)
        _ = try await observer(standing, other)
        #expect(try await adviser(other) == standing)
    }

    @Test func oneThatIsSilentIsNotThere() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try await TestServer(network)
        _ = try await observer(standing, server)
        network.disconnect(standing)
        await network.advance(by: .seconds(1300), step: .seconds(20))
        #expect(try await adviser(server) == standing)
        _ = try await observer(phone, server, isPhone: true)
        #expect(try await adviser(server) == phone)
        // Heard again, it is.
        await network.connect(standing)
        await network.settle()
        #expect(try await adviser(server) == standing)
    }

    @Test func whatAnObserverCouldNotVouchForIsSentToThePhone() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try await TestServer(network) { $0.tries = 1 }
        _ = try await observer(standing, server)
        try server.know(DeviceID(0xD1), type: "sensor")
        _ = try await TestDevice(DeviceID(0xD1), network)
        // Nobody shows it anything.
        await network.advance(by: .seconds(62))
        #expect(network.answers(to: DeviceID(0xD1), from: TestServer.id).contains(.joinFail))
        #expect(try await adviser(server) == standing)
        _ = try await observer(phone, server, isPhone: true)
        #expect(try await adviser(server) == phone)
        #expect(try await adviser(server, 0xD2) == standing)
    }

    @Test func aRestartLeavesNoPhoneTrusted() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try await TestServer(network)
        _ = try await observer(standing, server)
        _ = try await observer(phone, server, isPhone: true)
        try await server.restart()
        try await server.server.forgetPhones([phone, DeviceID(0x99)])
        #expect(try server.state.trusted() == [standing])
        let audit = try server.participant.state.auditLog(last: 5, about: phone)
        #expect(audit.contains { $0.event == "distrusted" && $0.detail.contains("restarted") })
        // One that is open is not forgotten.
        try await server.server.openPhone(phone, of: "mia")
        try await server.server.forgetPhones([phone])
        #expect(try server.state.trusted() == [standing, phone])
    }

    @Test func itIsNotedWhosePhoneItIs() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try await TestServer(network)
        _ = try await observer(phone, server, isPhone: true)
        #expect(try server.participant.state.peer(phone)?.note == "phone of mia")
        // What an operator has written stays.
        try await server.server.note("Mia's old phone", about: phone, by: "anna")
        try await server.server.openPhone(phone, of: "mia")
        #expect(try server.participant.state.peer(phone)?.note == "Mia's old phone")
        await #expect(throws: OperationError.self) { try await server.server.openPhone(TestServer.id, of: "mia") }
    }
}
