import Participant
import SRUP
import TestNetwork
import Testing

/// What a server tells a member to do and to know, and how it answers.
@Suite struct OrderTests {
    @Test(arguments: [(Member.Outcome.done, Status.actionSuccess), (.failed, .actionFail), (.unknown, .actionUnknown)])
    func anActionIsAnsweredOnceWithItsToken(_ outcome: Member.Outcome, _ status: Status) async throws {
        let bench = try await Bench()
        try await bench.letIn()
        let token = Token.random()
        try await bench.say(.action(2), token)
        #expect(bench.events() == ["action 2"])
        #expect(bench.sent().isEmpty, "the owner answers when it is done")
        for _ in 0..<2 {
            try await bench.member.answer(token, outcome)
            await bench.network.settle()
        }
        let sent = bench.sent()
        #expect(sent.map(\.body) == [.response(status)] && sent.first?.token == token)
        #expect(try bench.participant.state.requests(.order).isEmpty)
    }

    @Test func anUnknownActionIsAnsweredAndNotHandedOn() async throws {
        let bench = try await Bench()
        try await bench.letIn()
        let token = Token.random()
        try await bench.say(.action(77), token)
        #expect(bench.events().isEmpty)
        let sent = bench.sent()
        #expect(sent.map(\.body) == [.response(.actionUnknown)] && sent.first?.token == token)
    }

    @Test func whatARestartHasInterruptedHasFailed() async throws {
        let bench = try await Bench()
        try await bench.letIn()
        let token = Token.random()
        try await bench.say(.action(1), token)
        _ = bench.sent()
        try await bench.restart()
        #expect(bench.sent().isEmpty, "not before the server has let it in")
        try await bench.letIn()
        let sent = bench.sent()
        #expect(sent.map(\.body) == [.response(.actionFail)] && sent.first?.token == token)
        // What runs in this very run is not taken for interrupted when the server confirms.
        try await bench.say(.action(2), .random())
        _ = bench.events()
        try await bench.letIn()
        #expect(bench.sent().isEmpty)
        #expect(try bench.participant.state.requests(.order).count == 1)
    }

    @Test(arguments: [
        (name: "unknown", value: [1] as [UInt8]), ("level", [1]), ("level", [1, 2, 3]), ("level", []), ("", [1]),
        ("x", Array(repeating: 0, count: 4097)), ("x", Array(repeating: 0, count: 65_000)),
    ])
    func dataThatIsUnknownOrOfAnotherWidthIsAnsweredSo(_ name: String, _ value: [UInt8]) async throws {
        let bench = try await Bench()
        try await bench.letIn()
        let token = Token.random()
        try await bench.say(.data(id: Array(name.utf8), value: value), token)
        #expect(bench.events().isEmpty)
        let sent = bench.sent()
        #expect(sent.map(\.body) == [.response(.dataTypeUnknown)] && sent.first?.token == token)
        // And the next one is heard.
        try await bench.say(.data(id: Array("level".utf8), value: [1, 2]))
        #expect(bench.events() == ["data level 2"])
    }

    @Test func dataWithANameThatIsNotUTF8IsAnsweredSo() async throws {
        let bench = try await Bench()
        try await bench.letIn()
        try await bench.say(.data(id: [0xFF, 0xC0], value: [1]))
        #expect(bench.sent().map(\.body) == [.response(.dataTypeUnknown)])
    }

    @Test func valuesAreSentByMembersOnlyAndWithinBounds() async throws {
        let bench = try await Bench()
        await #expect(throws: MemberError.notJoined) { try await bench.member.report("x", [1]) }
        try await bench.letIn()
        _ = bench.sent()
        try await bench.member.report("temperature", DataValue.double(21.5).wire)
        await bench.network.settle()
        #expect(bench.sent().map(\.body) == [.data(id: Array("temperature".utf8), value: DataValue.double(21.5).wire)])
        await #expect(throws: MemberError.badName) { try await bench.member.report("", [1]) }
        await #expect(throws: MemberError.badName) {
            try await bench.member.report(String(repeating: "n", count: 65), [1])
        }
        await #expect(throws: MemberError.tooLong(4097)) {
            try await bench.member.report("x", Array(repeating: 0, count: 4097))
        }
        bench.network.disconnect(Bench.id)
        await #expect(throws: MemberError.noBroker) { try await bench.member.report("x", [1]) }
        #expect(bench.sent().isEmpty)
    }

    @Test(arguments: ProtocolVersion.allCases)
    func theReferencesShapesAreUnderstoodInBothVersionsAndAnsweredInTheirs(_ version: ProtocolVersion) async throws {
        let bench = try await Bench()
        try await bench.letIn()
        _ = bench.sent()
        var number = try bench.lastReceived
        func say(_ body: Body) async throws {
            number += 1
            try await bench.forge(body, sequence: number, version: version)
        }
        // ACTION; DATA as Python's bytes; an action that nobody knows; ID_REQUEST.
        try await say(.action(3))
        try await say(.data(id: Array("x".utf8), value: [1, 2, 3]))
        #expect(bench.events() == ["action 3", "data x 3"])
        try await say(.action(9))
        try await say(.data(id: Array("y".utf8), value: Array("text".utf8)))
        try await say(.idRequest)
        let sent = bench.sent()
        #expect(sent.map(\.body).prefix(2) == [.response(.actionUnknown), .response(.dataTypeUnknown)])
        #expect(sent.allSatisfy { $0.version == version })
        guard case .data(let id, let value)? = sent.last?.body else {
            Issue.record("ID_REQUEST was not answered")
            return
        }
        #expect(id == Array("IDENTIFICATION_RESPONSE".utf8))
        #expect(String(validating: value, as: UTF8.self)?.hasPrefix("test 1 ") == true, "a text for a reference server")
        // TERMINATE and DEREGISTER end it, and nothing else is obeyed.
        try await say(.terminateCommand)
        try await say(.action(3))
        #expect(bench.events() == ["left: TERMINATE_COMMAND"])
    }

    @Test func itSaysWhatItCanDoAndWhereItListens() async throws {
        let bench = try await Bench {
            $0.identification.sends = ["temperature": .float64]
        }
        try await bench.letIn()
        try await bench.add(to: try #require(GroupID("lamps")))
        _ = bench.sent()
        try await bench.say(.idRequest)
        guard case .data(_, let value)? = bench.sent().last?.body else {
            Issue.record("no answer")
            return
        }
        let said = Identification(String(decoding: value, as: UTF8.self))
        #expect(said.actions[255] == "action-255" && said.actions.count == 5)
        #expect(said.sends == ["temperature": .float64] && said.takes == ["x": .bytes, "level": .int16])
        #expect(said.groups?.map(\.text) == ["lamps"])
    }
}

/// Groups, as a member hears them.
@Suite struct GroupTests {
    private let lamps: GroupID
    private let others: GroupID

    init() throws {
        lamps = try #require(GroupID("lamps"))
        others = try #require(GroupID("others"))
    }

    private func bench() async throws -> Bench {
        let bench = try await Bench()
        try await bench.letIn()
        try await bench.add(to: lamps)
        #expect(bench.events() == ["entered lamps"])
        _ = bench.sent()
        return bench
    }

    private func isListening(_ bench: Bench, _ group: GroupID) -> Bool {
        bench.network.isSubscribed(Bench.id, to: "SRUP/groups/\(group)")
    }

    @Test func whatIsSaidToAGroupIsDoneAndAnsweredOnTheOwnTopic() async throws {
        let bench = try await bench()
        #expect(isListening(bench, lamps))
        let token = GroupToken.message(to: lamps)
        try await bench.say(.action(1), to: lamps, token)
        try await bench.say(.data(id: Array("level".utf8), value: [1, 0]), to: lamps)
        #expect(bench.events() == ["action 1", "data level 2"])
        try await bench.member.answer(token, .done)
        await bench.network.settle()
        let sent = bench.sent()
        #expect(sent.map(\.body) == [.response(.actionSuccess)] && sent.first?.token == token)
        #expect(bench.rejected.isEmpty)
    }

    @Test func theGroupIsKeptOverARestart() async throws {
        let bench = try await bench()
        try await bench.restart()
        _ = bench.events()
        #expect(isListening(bench, lamps))
        try await bench.say(.action(1), to: lamps)
        #expect(bench.events() == ["action 1"])
    }

    @Test func aMessageToAGroupCountsOnce() async throws {
        let bench = try await bench()
        try await bench.say(.action(1), to: lamps)
        let message = try #require(bench.network.published.last { $0.topic == "SRUP/groups/lamps" })
        _ = bench.events()
        for _ in 0..<3 { await bench.member.handle(.message(topic: message.topic, payload: message.payload)) }
        #expect(bench.events().isEmpty && bench.rejected == ["replayed": 3])
        try await bench.restart()
        _ = bench.events()
        await bench.member.handle(.message(topic: message.topic, payload: message.payload))
        #expect(bench.events().isEmpty, "not after a restart either")
    }

    /// The broker, or who can speak there, has kept what was said before this member was in.
    @Test func whatWasSaidBeforeItCameInDoesNotCount() async throws {
        let bench = try await Bench()
        try await bench.letIn()
        try await bench.say(.action(1), to: lamps)
        let old = try #require(bench.network.published.last { $0.topic == "SRUP/groups/lamps" })
        try await bench.add(to: lamps)
        _ = bench.events()
        await bench.member.handle(.message(topic: old.topic, payload: old.payload))
        #expect(bench.events().isEmpty && bench.rejected == ["replayed": 1])
        try await bench.say(.action(2), to: lamps)
        #expect(bench.events() == ["action 2"])
    }

    /// The topic is not signed: what was said to one must not be said again to another.
    @Test func whatWasSaidElsewhereDoesNotCount() async throws {
        let bench = try await bench()
        try await bench.add(to: others)
        _ = bench.events()
        let number = try bench.lastReceived
        // Said to the member alone, now to the group; said to another group; said to a group, now to the member alone.
        try await bench.forge(.action(1), sequence: number + 100, topic: "SRUP/groups/lamps")
        try await bench.forge(
            .action(1), GroupToken.message(to: others), sequence: number + 200, topic: "SRUP/groups/lamps")
        try await bench.forge(.action(1), GroupToken.message(to: lamps), sequence: number + 300)
        // Garbled group tokens are no way around that.
        for text in ["group/lamps", "group//x", "group/lamps/x/y", "group/la+ps/x"] {
            let token = try #require(Token(text))
            try await bench.forge(.action(1), token, sequence: number + 400)
            try await bench.forge(.action(1), token, sequence: number + 400, topic: "SRUP/groups/lamps")
        }
        #expect(bench.events().isEmpty)
        #expect(bench.rejected == ["wrong-group": 11])
        #expect(try bench.lastReceived == number, "nor has any of them cost a number")
    }

    @Test func aForeignServersGroupMeansNothing() async throws {
        let bench = try await bench()
        let foreign = DeviceID(0x5F)
        let token = GroupToken.message(to: lamps)
        try await bench.forge(
            .action(1), token, sequence: 1000, sender: foreign, key: TestNetwork.key(foreign),
            topic: "SRUP/groups/lamps")
        // Under our server's name, with another key.
        try await bench.forge(
            .action(1), token, sequence: 1000, key: TestNetwork.key(foreign), topic: "SRUP/groups/lamps")
        // An invitation by another server.
        try await bench.forge(
            .groupAdd(device: Bench.id, group: others.bytes), sequence: 1000, sender: foreign,
            key: TestNetwork.key(foreign))
        #expect(bench.events().isEmpty && !isListening(bench, others))
        #expect(bench.rejected == ["unknown-sender": 2, "bad-signature": 1])
    }

    @Test(arguments: ["#", "+", "a/b", "", "$share/x/#", String(repeating: "a", count: 33), "Lamps"])
    func aGroupWithWildcardsIsNotEntered(_ name: String) async throws {
        let bench = try await Bench()
        try await bench.letIn()
        for body in [
            Body.groupAdd(device: Bench.id, group: Array(name.utf8)),
            .groupDelete(device: Bench.id, group: Array(name.utf8)), .groupDestroy(group: Array(name.utf8)),
        ] {
            try await bench.say(body)
        }
        #expect(bench.events().isEmpty && bench.rejected == ["wrong-group": 3])
        #expect(try bench.participant.state.groups(of: TestServer.id).isEmpty)
        #expect(!bench.network.isSubscribed(Bench.id, to: "SRUP/groups/\(name)"))
    }

    @Test func anInvitationForAnotherIsNotFollowed() async throws {
        let bench = try await bench()
        try await bench.say(.groupAdd(device: DeviceID(0xD9), group: others.bytes))
        try await bench.say(.groupDelete(device: DeviceID(0xD9), group: lamps.bytes))
        #expect(bench.events().isEmpty && bench.rejected == ["wrong-group": 2])
        #expect(isListening(bench, lamps) && !isListening(bench, others))
    }

    @Test func thereIsAnEndToTheGroupsOfOneMember() async throws {
        let bench = try await bench()
        for number in 0..<40 { try await bench.add(to: try #require(GroupID("group-\(number)"))) }
        #expect(try bench.participant.state.groups(of: TestServer.id).count == 32)
        #expect(bench.rejected == ["overloaded": 9])
        // One that is known is always confirmed.
        try await bench.add(to: lamps)
        #expect(bench.rejected == ["overloaded": 9])
    }

    @Test(arguments: ["delete", "destroy", "terminate", "refuse"])
    func whoIsOutHearsNothing(_ way: String) async throws {
        let bench = try await bench()
        switch way {
        case "delete": try await bench.say(.groupDelete(device: Bench.id, group: lamps.bytes))
        case "destroy": try await bench.say(.groupDestroy(group: lamps.bytes))
        case "terminate": try await bench.say(.terminateCommand)
        default: try await bench.say(.response(.joinRefused), try await bench.join(.simple))
        }
        _ = bench.events()
        #expect(!isListening(bench, lamps))
        #expect(try bench.participant.state.groups(of: TestServer.id).isEmpty)
        // The broker may still deliver it.
        let bytes = try Message(
            version: .v5, sequence: SequenceNumber(1000), sender: TestServer.id, token: GroupToken.message(to: lamps),
            body: .action(1)
        ).signed(with: TestNetwork.key(TestServer.id)).bytes
        await bench.member.handle(.message(topic: "SRUP/groups/lamps", payload: bytes))
        #expect(bench.events().isEmpty)
        #expect(["wrong-group", "not-joined"].contains(bench.rejected.keys.first ?? ""))
    }

    @Test func onlyActionsAndDataAreSaidToGroups() async throws {
        let bench = try await bench()
        for body in [
            Body.idRequest, .terminateCommand, .deregisterCommand, .groupDestroy(group: lamps.bytes),
            .response(.joinFail),
        ] {
            try await bench.say(body, to: lamps)
        }
        #expect(bench.events().isEmpty && bench.member.isJoined && isListening(bench, lamps))
        #expect(bench.rejected == ["unexpected-type": 5])
        #expect(bench.sent().isEmpty)
    }
}
