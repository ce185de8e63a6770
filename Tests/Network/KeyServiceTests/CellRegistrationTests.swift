import Foundation
import SRUP
import Storage
import Synchronization
import TestProcesses
import PostgreSQL
import Testing

@testable import KeyService

/// Registration where a network has several cells, and what their folders are told of who has ended.
@Suite(.serialized) struct CellRegistrationTests {
    private func register(_ rig: Rig, _ id: String, base: String = "") throws -> (status: Int, body: String) {
        let body = try PrivateKey.generate().publicKey.pemBody
        return try rig.post("register", #"{"identity":"\#(id)","key":"\#(body)"}"#, base: base)
    }

    @Test func theAnswerNamesTheBrokerOfTheCell() async throws {
        try await Rig.with(policy: { policy in
            policy.cell = { zone in
                switch zone {
                case "hall": CellPlace(name: "north", host: "n.example", port: 8883)
                case "full": nil
                default: CellPlace(name: "south", host: "s.example", port: 1884)
                }
            }
        }) { rig in
            let south = try register(rig, "a1")
            #expect(south.status == 201 && south.body.contains("\"mqtt://s.example:1884\""), "\(south)")
            for base in ["/zone/hall", "/v4/zone/hall"] {
                let north = try register(rig, base.contains("v4") ? "a3" : "a2", base: base)
                #expect(north.status == 201 && north.body.contains("\"mqtt://n.example\""), "\(north)")
            }
            let none = try register(rig, "a4", base: "/zone/full")
            #expect(none.status == 503 && none.body.contains("no cell takes anybody new"), "\(none)")
            let state = try KeyServiceState(path: rig.statePath)
            #expect(try state.countsByCell() == ["south": 1, "north": 2] && state.entry(DeviceID(0xA4)) == nil)
        }
    }

    @Test func whenTheDatabaseCannotBeAskedNobodyIsRegistered() async throws {
        try await Rig.with(policy: { policy in
            policy.cell = { _ throws(any Error) in throw StorageError.lost(place: "postgresql://nowhere", why: "gone") }
        }) { rig in
            let answer = try register(rig, "a1")
            #expect(answer.status == 500 && !answer.body.contains("nowhere"), "\(answer)")
        }
    }

    @Test(.enabled(if: PostgresServer.missing == nil, "PostgreSQL is not installed: deploy/setup --tests installs it"))
    func eachFolderTellsItsOwnBrokerWhoHasEnded() throws {
        let address = try PostgreSQLAddress(PostgresServer.shared.get().makeDatabase())
        func state() throws -> KeyServiceState { try KeyServiceState(in: DatabaseSession(address)) }
        let now = 1_800_000_000.0
        let places = try (0..<2).map { _ in try RevocationTests.Place() }
        defer { places.forEach { $0.close() } }
        let folders = try places.map {
            ($0, Revocations(folder: $0.folder, authority: $0.authority, state: try state()))
        }
        for (_, revocations) in folders { _ = try revocations.publish(now: now) }
        let shared = try state()
        for (id, key) in try [1, 2].map({ (DeviceID($0), try PrivateKey.generate().publicKey) }) {
            #expect(try shared.add(id, key: key, type: "lamp", isServer: false, now: now))
            #expect(try shared.end(id, why: "lost", by: "anna", now: now))
        }
        for (place, revocations) in folders {
            #expect(try revocations.publish(now: now + 1) == [DeviceID(1), DeviceID(2)])
            #expect(try place.read("ended") == "1\n2\n")
            // Nothing new: nothing is written.
            #expect(try revocations.publish(now: now + 2) == nil)
        }
    }
}
