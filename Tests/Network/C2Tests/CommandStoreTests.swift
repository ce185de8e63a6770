import Foundation
import SRUP
import Testing

@testable import C2

/// What the server keeps of commands, values and groups, and where that ends.
@Suite struct CommandStoreTests {
    private let path = NSTemporaryDirectory() + "srup-commands-\(UUID().uuidString).db"

    private func with(_ body: (CommandStore) throws -> Void) throws {
        defer { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) } }
        try body(try CommandStore(path: path))
    }

    private func group(_ name: String) throws -> GroupID { try #require(GroupID(name)) }

    @Test func aGroupsCommandsHaveNumbersThatFollowEachOther() throws {
        try with { store in
            let lamps = try group("lamps")
            let devices = (1...500).map { DeviceID(UInt64($0)) }
            let first = try store.note(.action, "1", to: devices, in: lamps, token: .random(), by: "anna", now: 1)
            let single = try store.note(.identify, "", to: [DeviceID(7)], token: .random(), by: "bob", now: 2)
            #expect(single == first + 500)
            let all = try store.commands(since: first, limit: 1000)
            #expect(all.map(\.number) == (first...single).reversed())
            #expect(all.dropFirst().map(\.device) == devices.reversed())
            #expect(try store.commands(to: DeviceID(7), limit: 10).map(\.number) == [single, first + 6])
            #expect(try store.commands(before: first + 2, limit: 10).map(\.number) == [first + 1, first])
        }
    }

    @Test func theOldestCommandsMakeRoom() throws {
        try with { store in
            let devices = (1...7000).map { DeviceID(UInt64($0)) }
            for _ in 0..<3 { _ = try store.note(.action, "1", to: devices, token: .random(), by: "anna", now: 1) }
            let all = try store.commands(limit: 100_000)
            #expect(all.count == 20_000 && all.first?.number == 21_000)
        }
    }

    @Test func anAnswerIsTakenOnceAndOfItsKind() throws {
        try with { store in
            let (token, a, b) = (Token.random(), DeviceID(1), DeviceID(.max))
            _ = try store.note(.action, "1", to: [a, b], in: try group("g"), token: token, by: "anna", now: 1)
            #expect(try store.answer(token, of: a, kind: .data, .dataTypeUnknown, now: 2) == nil)
            #expect(try store.answer(token, of: DeviceID(3), kind: .action, .actionSuccess, now: 2) == nil)
            #expect(try store.answer(token, of: b, kind: .action, .actionFail, now: 2)?.status == .actionFail)
            #expect(try store.answer(token, of: b, kind: .action, .actionSuccess, now: 3) == nil)
            #expect(try store.answer(token, of: a, kind: .action, .actionSuccess, now: 3)?.answered == 3)
            // What is unanswered stays so; an identification answers all that have asked for it.
            for _ in 0..<2 { _ = try store.note(.identify, "", to: [a], token: .random(), by: "anna", now: 4) }
            _ = try store.note(.action, "2", to: [a], token: .random(), by: "anna", now: 4)
            try store.identified(a, now: 5)
            #expect(try store.commands(to: a, limit: 3).map(\.answered) == [nil, 5, 5])
        }
    }

    @Test func groupsAreMadeFilledAndEnded() throws {
        try with { store in
            let (lamps, doors) = (try group("lamps"), try group("doors"))
            #expect(try store.members(of: lamps) == nil)
            for id in [9, 3, .max] as [UInt64] { #expect(try store.add(DeviceID(id), to: lamps, now: 1)) }
            #expect(try store.add(DeviceID(3), to: lamps, now: 2), "once more is no harm")
            #expect(try store.add(DeviceID(3), to: doors, now: 2))
            #expect(try store.members(of: lamps) == [DeviceID(3), DeviceID(9), DeviceID(.max)])
            #expect(try store.groups(of: DeviceID(3)) == [doors, lamps])
            #expect(try store.groups().map(\.id) == [doors, lamps])
            for isThere in [true, false] {
                #expect(try store.remove(DeviceID(9), from: lamps) == isThere)
                #expect(try store.removeFromGroups(DeviceID(3)) == isThere)
            }
            #expect(try store.members(of: doors) == [], "it is there, and empty")
            try store.destroy(lamps)
            #expect(try store.members(of: lamps) == nil)
            #expect(try store.groups().map(\.id) == [doors])
        }
    }

    @Test func thereIsAnEndToGroups() throws {
        try with { store in
            for number in 0..<256 {
                let group = try group("g\(number)")
                #expect(try store.add(DeviceID(1), to: group, now: 1))
            }
            let isAdded = try store.add(DeviceID(1), to: try group("one-more"), now: 1)
            #expect(!isAdded)
            let first = try group("g0")
            #expect(try store.add(DeviceID(2), to: first, now: 1))
            #expect(try store.groups().count == 256)
        }
    }

    @Test func whatAnIdentityHasLeftIsForgottenWithIt() throws {
        try with { store in
            let (gone, other) = (DeviceID(1), DeviceID(2))
            for id in [gone, other] {
                try store.keep("x", [1], of: id, now: 1)
                _ = try store.note(.action, "1", to: [id], token: .random(), by: "anna", now: 1)
                _ = try store.add(id, to: try group("g"), now: 1)
            }
            try store.forget(gone)
            #expect(try store.latest(of: gone).isEmpty)
            #expect(try store.history(of: gone, "x", limit: 9).isEmpty)
            #expect(try store.commands(to: gone, limit: 9).isEmpty)
            #expect(try store.members(of: try group("g")) == [other])
            #expect(try store.latest(of: other).count == 1)
            #expect(try store.commands(to: other, limit: 9).count == 1)
        }
    }
}
