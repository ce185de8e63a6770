import Testing

@testable import NFCProtocols

/// SNEP on literal bytes (NFC Forum, SNEP 1.0).
@Suite struct SNEPTests {
    static func server(miu: Int = 128) -> SNEPServerSession {
        SNEPServerSession(miu: miu) { request in
            switch request {
            case .put(let bytes): bytes == [0xD0, 0, 0] ? (.badRequest, []) : (.success, [])
            case .get(let bytes, _): bytes.isEmpty ? (.notFound, []) : (.success, [UInt8](repeating: 7, count: 300))
            }
        }
    }

    @Test func aPutIsTaken() {
        var session = Self.server()
        #expect(session.received([0x10, 0x02, 0, 0, 0, 1, 0xAA]) == .send([[0x10, 0x81, 0, 0, 0, 0]]))
        // And another on the same connection.
        #expect(session.received([0x10, 0x02, 0, 0, 0, 0]) == .send([[0x10, 0x81, 0, 0, 0, 0]]))
    }

    @Test func fragmentsAreCollectedAfterOneContinue() {
        var session = Self.server()
        #expect(session.received([0x10, 0x02, 0, 0, 0, 5, 1]) == .send([[0x10, 0x80, 0, 0, 0, 0]]))
        #expect(session.received([2, 3]) == .wait)
        #expect(session.received([4, 5]) == .send([[0x10, 0x81, 0, 0, 0, 0]]))
    }

    static let wrong: [([UInt8], SNEPResponseCode)] = [
        ([], SNEPResponseCode.badRequest), ([0x10, 0x02, 0, 0, 0], .badRequest),
        ([0x20, 0x02, 0, 0, 0, 0], .unsupportedVersion), ([0x10, 0x05, 0, 0, 0, 0], .notImplemented),
        ([0x10, 0x81, 0, 0, 0, 0], .badRequest), ([0x10, 0x00, 0, 0, 0, 0], .badRequest),
        ([0x10, 0x02, 0, 0, 0x20, 0x01], .reject), ([0x10, 0x02, 0xFF, 0xFF, 0xFF, 0xFF], .reject),
        ([0x10, 0x02, 0, 0, 0, 1, 1, 2], .badRequest), ([0x10, 0x01, 0, 0, 0, 3, 0, 0, 0], .badRequest),
    ]

    @Test(arguments: wrong)
    func whatIsWrongIsAnswered(_ bytes: [UInt8], _ code: SNEPResponseCode) {
        var session = Self.server()
        #expect(session.received(bytes) == .sendAndClose([[0x10, code.rawValue, 0, 0, 0, 0]]))
    }

    @Test func moreThanWasSaidIsRefused() {
        var session = Self.server()
        _ = session.received([0x10, 0x02, 0, 0, 0, 5, 1])
        #expect(session.received([2, 3, 4, 5, 6]) == .sendAndClose([[0x10, 0xC2, 0, 0, 0, 0]]))
    }

    @Test func aGetIsAnsweredInFragmentsWhenAskedToContinue() {
        var session = Self.server(miu: 100)
        guard case .send(let first) = session.received([0x10, 0x01, 0, 0, 0, 5, 0, 0, 2, 0, 9]) else {
            Issue.record("no answer")
            return
        }
        #expect(first.count == 1 && first[0].count == 100 && first[0].prefix(6) == [0x10, 0x81, 0, 0, 1, 0x2C])
        guard case .send(let rest) = session.received([0x10, 0x00, 0, 0, 0, 0]) else {
            Issue.record("no rest")
            return
        }
        #expect(rest.map(\.count) == [100, 100, 6])
    }

    @Test func aGetThatAcceptsLessIsExcessData() {
        var session = Self.server()
        #expect(session.received([0x10, 0x01, 0, 0, 0, 5, 0, 0, 0, 9, 9]) == .send([[0x10, 0xC1, 0, 0, 0, 0]]))
        #expect(session.received([0x10, 0x01, 0, 0, 0, 4, 0, 0, 0, 9]) == .send([[0x10, 0xC0, 0, 0, 0, 0]]))
    }

    @Test(arguments: [10, 50, 128, 2000])
    func clientAndServerAgreeAtEveryMIU(_ miu: Int) throws {
        for length in [0, 1, 44, 122, 123, 500, 8192] {
            let message = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
            let taken = Box()
            var server = SNEPServerSession(miu: miu) { request in
                if case .put(let bytes) = request { taken.bytes = bytes }
                return (.success, [])
            }
            var client = SNEPClientSession(.put(message), miu: miu)
            var queue = [client.start()]
            var isDone = false
            while !queue.isEmpty, !isDone {
                guard case .send(let answers) = server.received(queue.removeFirst()) else { continue }
                for answer in answers {
                    switch try client.received(answer) {
                    case .send(let more): queue += more
                    case .done: isDone = true
                    case .wait: break
                    }
                }
            }
            #expect(isDone && taken.bytes == message)
        }
    }

    final class Box: @unchecked Sendable { var bytes: [UInt8]? }

    @Test func aClientGetsInFragments() throws {
        var server = Self.server(miu: 64)
        var client = SNEPClientSession(.get([1], acceptable: 1000), miu: 64)
        var queue = [client.start()]
        var got: [UInt8]?
        while !queue.isEmpty, got == nil {
            guard case .send(let answers) = server.received(queue.removeFirst()) else { continue }
            for answer in answers {
                switch try client.received(answer) {
                case .send(let more): queue += more
                case .done(let bytes): got = bytes
                case .wait: break
                }
            }
        }
        #expect(got == [UInt8](repeating: 7, count: 300))
    }

    static let wrongAnswers: [[UInt8]] = [
        [], [0x10, 0x81], [0x20, 0x81, 0, 0, 0, 0], [0x10, 0x55, 0, 0, 0, 0],
        // Continue to a request that was whole; for ever.
        [0x10, 0x80, 0, 0, 0, 0], [0x10, 0x81, 0xFF, 0xFF, 0xFF, 0xFF], [0x10, 0x81, 0, 0, 0, 0, 1],
        [0x10, 0xC0, 0, 0, 0, 0], [0x10, 0xE1, 0, 0, 0, 0], [0x10, 0xFF, 0, 0, 0, 0],
    ]

    @Test(arguments: wrongAnswers)
    func aWrongAnswerIsAnErrorOfTheClient(_ bytes: [UInt8]) {
        var client = SNEPClientSession(.put([1, 2, 3]), miu: 128)
        _ = client.start()
        #expect(throws: SNEPError.self) { try client.received(bytes) }
    }

    @Test func continueCountsOnce() throws {
        var client = SNEPClientSession(.put([UInt8](repeating: 1, count: 200)), miu: 128)
        #expect(client.start().count == 128)
        guard case .send(let rest) = try client.received([0x10, 0x80, 0, 0, 0, 0]) else { return }
        #expect(rest.map(\.count) == [78])
        #expect(throws: SNEPError.self) { try client.received([0x10, 0x80, 0, 0, 0, 0]) }
    }
}
