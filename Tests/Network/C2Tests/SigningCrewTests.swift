import SRUP
import TestNetwork
import Testing

@testable import C2

/// Many signatures at once.
@Suite struct SigningCrewTests {
    private func messages(_ count: Int) throws -> [UnsignedMessage] {
        let key = TestNetwork.key(TestServer.id)
        return try (0..<count).map { number in
            try UnsignedMessage(
                Message(
                    sequence: SequenceNumber(UInt64(number)), sender: TestServer.id, token: .random(), body: .activate),
                for: key)
        }
    }

    @Test(arguments: [1, 2, 7]) func allAreSignedInTheirOrder(cores: Int) throws {
        let crew = SigningCrew(TestNetwork.key(TestServer.id), cores: cores)
        for count in [0, 1, 2, 50] {
            let messages = try messages(count)
            let signed = try crew.sign(messages)
            #expect(signed.map(\.message) == messages.map(\.message))
            #expect(signed.allSatisfy { $0.isSigned(by: TestNetwork.publicKey(TestServer.id)) })
        }
    }
}
