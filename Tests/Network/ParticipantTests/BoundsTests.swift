import Linux
import Logging
import SRUP
import Synchronization
import Testing

@testable import Participant

/// When it is time again, by a clock that jumps.
@Suite struct DailyRoundTests {
    private let day = 86400.0
    private let now = 1_800_000_000.0

    @Test func theFirstTimeIsNow() {
        #expect(DailyRound().isDue(now) && DailyRound().isDue(0))
    }

    @Test func itIsDueADayLaterOrAnHourAfterItDidNotWork() {
        var round = DailyRound()
        round.done(now, worked: true)
        #expect(!round.isDue(now) && !round.isDue(now + day - 1) && round.isDue(now + day))
        round.done(now, worked: false)
        #expect(!round.isDue(now + 3599) && round.isDue(now + 3600))
        round.done(now, worked: true)
        #expect(!round.isDue(now + 3600))
    }

    @Test func aClockThatIsSetBackIsATimeToLook() {
        var round = DailyRound()
        round.done(now, worked: true)
        #expect(!round.isDue(now - 60), "kept right")
        #expect(round.isDue(now - 61) && round.isDue(0))
    }
}

@Suite struct RejectionLogTests {
    private final class Lines: LogHandler {
        let lines = Mutex<[String]>([])
        var metadata: Logger.Metadata {
            get { [:] }
            set {}
        }
        var logLevel: Logger.Level {
            get { .info }
            set {}
        }
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { nil }
            set {}
        }
        func log(event: LogEvent) { lines.withLock { $0.append("\(event.message)") } }
    }

    @Test func allAreCountedAndTenAMinuteAreLogged() {
        let lines = Lines()
        let start = ContinuousClock.now
        let clock = Mutex(start)
        let log = RejectionLog(logger: Logger(label: "test") { _ in lines }) { clock.withLock { $0 } }
        for _ in 0..<1000 { log.record(.badSignature(DeviceID(1))) }
        log.record(.overloaded)
        #expect(log.counts == ["bad-signature": 1000, "overloaded": 1])
        #expect(lines.lines.withLock { $0.count } == 10)
        clock.withLock { $0 = start + .seconds(59) }
        log.record(.overloaded)
        #expect(lines.lines.withLock { $0.count } == 10)
        clock.withLock { $0 = start + .seconds(60) }
        log.record(.overloaded)
        #expect(
            lines.lines.withLock { $0.suffix(2) } == [
                "rejected 992 more messages in the last minute",
                "rejected a message: too many unanswered requests at once",
            ])
    }

    /// What a stranger may write into a log.
    @Test func aTopicsNameIsCutAndHarmless() {
        let text = Rejection.wrongTopic("a\u{1B}[2J\n" + String(repeating: "x", count: 60_000)).description
        #expect(text.utf8.count < 200 && !text.contains("\u{1B}") && !text.contains("\n"))
    }

    @Test func eachReasonHasItsOwnName() {
        let id = DeviceID(1)
        let all: [Rejection] = [
            .wrongTopic("x"), .unknownSender(id), .badSignature(id), .replayed(id, got: .none, last: .none),
            .noRoomToAnswer(id, got: .none), .overBudget(id), .notJoined(.action), .tooOld(.action),
            .notSupported(.action),
            .unexpected(.action), .unknownToken(id), .unfittingStatus(.joinFail), .cannotOpenEnvelope(id), .overloaded,
        ]
        #expect(Set(all.map(\.reason)).count == all.count && Set(all.map(\.description)).count == all.count)
        for rejection in all { #expect(rejection.reason.utf8.allSatisfy { $0 == 0x2D || (0x61...0x7A).contains($0) }) }
    }
}

@Suite struct IdentificationTests {
    @Test func itIsWrittenAsTheProtocolSays() {
        #expect(
            Identification(program: "srup-observer 0.1.0", observations: 32, session: "5f1c3a20").description
                == "srup-observer 0.1.0 observations=32 session=5f1c3a20")
        #expect(Identification(program: "x").description == "x")
    }

    @Test(
        arguments: [("1", 1), ("1024", 1024), ("1025", nil), ("0", nil), ("-1", nil), ("", nil), ("1e2", nil)]
            as [(String, Int?)])
    func howManyIsBounded(_ text: String, _ count: Int?) {
        #expect(Identification("x observations=\(text)").observations == count)
    }

    @Test func aSessionIsShort() {
        #expect(Identification("x session=" + String(repeating: "a", count: 32)).session?.count == 32)
        let long = "session=" + String(repeating: "a", count: 33)
        #expect(Identification("x " + long).session == nil)
        #expect(Identification("x " + long).program == "x " + long)
    }

    @Test func whatIsNotUnderstoodIsTheProgramsName() {
        let text = Identification("pySRUP version=2.0 observations=4 of Linux\u{202E}")
        #expect(text.program == "pySRUP version=2.0 of Linux\u{202E}" && text.observations == 4)
    }

    @Test func whatItCanDoIsWrittenAndRead() throws {
        var whole = Identification(program: "srup-device 0.1.0", session: "7")
        whole.actions = [2: "off", 1: "on"]
        whole.sends = ["temperature": .float64, "a.b": .bytes]
        whole.takes = ["setpoint": .int32]
        whole.groups = [try #require(GroupID("lamps")), try #require(GroupID("b"))]
        let text =
            "srup-device 0.1.0 session=7 actions=1:on,2:off sends=a.b:bytes,temperature:float64 takes=setpoint:int32 groups=lamps,b"
        #expect(whole.description == text)
        #expect(Identification(text) == whole)
        whole.groups = []
        #expect(Identification(whole.description).groups == [])
        #expect(Identification("pySRUP version 2.0").groups == nil)
    }

    @Test(arguments: [
        "actions=256:x", "actions=-1:x", "actions=1:", "actions=1", "actions=:x", "actions=1:a;b", "actions=,,",
        "sends=a", "sends=a:uint9", "sends=:int8", "sends=a:int8:x", "takes=ä:int8",
    ])
    func whatIsNoAbilityIsNone(_ text: String) {
        let found = Identification("x " + text)
        #expect(found.actions.isEmpty && found.sends.isEmpty && found.takes.isEmpty && found.program == "x")
    }

    @Test func abilitiesAreBounded() {
        let many = (0..<1000).map { "n\($0):int8" }.joined(separator: ",")
        #expect(Identification("x sends=" + many).sends.count == 64)
        let groups = (0..<1000).map { "g\($0)" }.joined(separator: ",")
        #expect(Identification("x groups=" + groups).groups?.count == 64)
        #expect(Identification("x groups=#,+,a/b,ok").groups?.map(\.text) == ["ok"])
    }

    @Test func textsWithoutEndAreCut() {
        #expect(Identification(String(repeating: "x", count: 100_000)).program.count == 8192)
    }

    @Test(arguments: [
        "", ":", "b1:", "b1", ":QUJD", "0:QUJD", "B1:QUJD", "b1:no base64!",
        "b1:" + String(repeating: "A", count: 1028),
    ])
    func whatIsNoReplacementIsNone(_ text: String) {
        let replacement = Replacement(text)
        #expect(replacement?.isGenuine(by: DeviceID(2), oldKey: StoredKey.key) != true)
        if text != "b1:" { #expect(replacement == nil) }
    }

    @Test func aReplacementThatSaysTooMuchIsNotGenuine() throws {
        let key = try PrivateKey.generate()
        let genuine = try #require(Replacement(of: DeviceID(0xB1), by: DeviceID(2), key: key))
        #expect(genuine.isGenuine(by: DeviceID(2), oldKey: try key.publicKey))
        let renamed = try #require(Replacement("b2" + genuine.description.dropFirst(2)))
        #expect(!renamed.isGenuine(by: DeviceID(2), oldKey: try key.publicKey))
        // OpenSSL is not left with an error of it.
        #expect(genuine.isGenuine(by: DeviceID(2), oldKey: try key.publicKey))
    }
}

private enum StoredKey {
    // Making one takes a tenth of a second.
    static let key: PublicKey = {
        guard let key = try? PrivateKey.generate().publicKey else { fatalError("OpenSSL makes no key") }
        return key
    }()
}

/// What waits for a slow reader.
@Suite struct BrokerEventsTests {
    @Test func eventsComeInTheirOrderAndEnd() async {
        let events = BrokerEvents()
        for number in 0..<100 as Range<Int64> { events.send(.confirmed(number)) }
        events.finish()
        var numbers: [Int64] = []
        for await event in events { if case .confirmed(let number) = event { numbers.append(number) } }
        #expect(numbers == Array(0..<100))
    }

    @Test func aLinkThatStopsWaitsForNoReader() {
        let events = BrokerEvents()
        for number in 0..<16384 as Range<Int64> { events.send(.confirmed(number)) }
        // Full: another one would wait for a reader.
        events.release()
        for number in 0..<100 as Range<Int64> { events.send(.confirmed(number)) }
    }

    @Test(arguments: [0, 60_000])
    func moreThanThereIsRoomForWaitsAndComesInItsOrder(bytes: Int) async {
        let events = BrokerEvents()
        let count = bytes == 0 ? 40_000 : 400
        let sent = Mutex(0)
        let payload = [UInt8](repeating: 0, count: bytes)
        DetachedThread.start {
            for number in 0..<count {
                events.send(bytes == 0 ? .confirmed(Int64(number)) : .message(topic: "\(number)", payload: payload))
                sent.withLock { $0 = number + 1 }
            }
            events.finish()
        }
        // Until it stands still: in number or in bytes there is no more room.
        let most = bytes == 0 ? 16384 : (8 << 20) / bytes
        while sent.withLock({ $0 }) < most - 10 { await Task.yield() }
        var iterator = events.makeAsyncIterator()
        var next = 0
        while case let some = await iterator.all(atMost: 100), !some.isEmpty {
            #expect(sent.withLock { $0 } <= next + most + some.count + 1)
            for event in some {
                switch event {
                case .confirmed(let number): #expect(number == Int64(next))
                case .message(let topic, _): #expect(topic == "\(next)")
                default: Issue.record("something else came")
                }
                next += 1
            }
        }
        #expect(next == count)
    }
}

@Suite struct BrokerLinkTests {
    @Test func aFileThatIsMissingIsNamedBeforeAnythingIsConnected() {
        let address = BrokerAddress(
            host: "localhost", caFile: "/gone/ca.pem", certificateFile: "/gone/c.pem", keyFile: "/gone/k.pem")
        #expect(address.port == 8883)
        let error = #expect(throws: BrokerLinkError.self) {
            try BrokerLink(
                address, clientID: "x", subscriptions: [],
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }
        #expect(
            error?.description == "/gone/ca.pem, needed for the broker's TLS, cannot be read: No such file or directory"
        )
    }
}
