import Foundation
import Limits
import SRUP
import Storage
import Testing

@testable import HTTPServing
@testable import KeyService
@testable import Participant

/// Many strangers at the key service, over real HTTPS: none keeps the others out.
@Suite(.serialized) struct StrangersTests {
    static let key = Result { try PrivateKey.generate().publicKey }

    /// Opens TLS connections that send the beginning of a request and then a byte now and then; a program of its own, since
    /// it needs hundreds of connections.
    final class SlowBodies {
        private let process = Process()
        private let output = Pipe()

        init(_ count: Int, port: Int, ca: String, from address: String = "127.0.0.1") throws {
            let script = """
                import socket, ssl, sys, time
                count, port, ca, source = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
                context = ssl.create_default_context(cafile=ca)
                head = b"POST /KeyEx/register/register HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: 10000\\r\\n\\r\\n"
                lines = []
                for _ in range(count):
                    try:
                        line = socket.create_connection(("127.0.0.1", port), 20, (source, 0))
                        line = context.wrap_socket(line, server_hostname="localhost")
                        line.sendall(head)
                        lines.append(line)
                    except OSError:
                        pass
                print("open", len(lines), flush=True)
                began = time.monotonic()
                while lines:
                    time.sleep(0.5)
                    for line in list(lines):
                        try:
                            line.sendall(b" ")
                            line.setblocking(False)
                            try:
                                if line.recv(1) == b"": raise OSError
                            except (ssl.SSLWantReadError, ssl.SSLWantWriteError): pass
                            line.setblocking(True)
                        except OSError:
                            lines.remove(line)
                print("closed", round(time.monotonic() - began), flush=True)
                """
            process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
            process.arguments = ["-c", script, "\(count)", "\(port)", ca, address]
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            try process.run()
        }

        /// The next line that it says.
        func line() -> String {
            var bytes: [UInt8] = []
            while let byte = try? output.fileHandleForReading.read(upToCount: 1)?.first, byte != 10 {
                bytes.append(byte)
            }
            return String(decoding: bytes, as: UTF8.self)
        }

        func stop() {
            // SIGTERM may be blocked in children of a test run.
            kill(process.processIdentifier, SIGKILL)
            while process.isRunning { usleep(2000) }
        }
    }

    @Test func hundredsOfSlowBodiesKeepNobodyOut() async throws {
        try await Rig.with { rig in
            let slow = try SlowBodies(400, port: rig.port, ca: rig.ca)
            defer { slow.stop() }
            #expect(slow.line() == "open 400")
            // From the very address of those.
            for _ in 0..<3 {
                let folder = rig.folder + "/device-\(UUID().uuidString)"
                _ = try await Registrar.register(
                    at: rig.url, authorityFile: rig.ca, type: "sensor", folder: folder, progress: { _ in })
            }
        }
    }

    @Test func moreThanThereIsRoomForComesFromOneAddressAndAnotherStillGetsIn() async throws {
        try await Rig.with(policy: {
            $0.connections.maximum = 100
            $0.connections.maximumPerAddress = 80
        }) { rig in
            let slow = try SlowBodies(160, port: rig.port, ca: rig.ca, from: "127.0.0.2")
            defer { slow.stop() }
            #expect(slow.line().hasPrefix("open "))
            _ = try await Registrar.register(
                at: rig.url, authorityFile: rig.ca, type: "sensor", folder: rig.folder + "/device", progress: { _ in })
        }
    }

    @Test func aRequestHasADeadlineHoweverBusilyItsBytesDropIn() async throws {
        try await Rig.with(policy: { $0.connections.requestDeadline = .seconds(2) }) { rig in
            let slow = try SlowBodies(10, port: rig.port, ca: rig.ca)
            defer { slow.stop() }
            #expect(slow.line() == "open 10")
            // Without a deadline it would go on for 10 000 half seconds.
            #expect(slow.line().hasPrefix("closed "))
        }
    }

    @Test func whoAsksOftenWaitsAndOthersDoNot() async throws {
        try await Rig.with(policy: { $0.registrations = Rate(burst: 3, perSecond: 0.01) }) { rig in
            let body = try Self.key.get().pemBody
            func register(_ id: Int, from address: String) throws -> (status: Int, body: String) {
                try rig.post(
                    "register", #"{"identity":"\#(String(id, radix: 16))","key":"\#(body)"}"#, ["--interface", address])
            }
            for id in 0xA0..<0xA3 { #expect(try register(id, from: "127.0.0.1").status == 201) }
            let refused = try register(0xA3, from: "127.0.0.1")
            #expect(refused.status == 429 && refused.body.contains("try again in"))
            #expect(try register(0xA3, from: "127.0.0.2").status == 201)
            // Other questions are answered.
            #expect(try rig.get("get_type/a0").status == 200)
            await #expect(throws: KeyServiceError.self) {
                try await rig.client().register(DeviceID(0xA4), key: Self.key.get(), type: "x")
            }
            // A client may say which of the machine's addresses it comes from.
            var other = try rig.client()
            other.source = "127.0.0.3"
            _ = try await other.register(DeviceID(0xA4), key: Self.key.get(), type: "x")
            other.source = "192.0.2.1"
            await #expect(throws: KeyServiceError.self) { try await other.isActive() }
        }
    }

    @Test func aFullTableMakesRoomOfThoseWhoNeverJoined() async throws {
        try await Rig.with(policy: { $0.maximumIdentities = 6 }) { rig in
            let state = try KeyServiceState(path: rig.statePath)
            let key = try Self.key.get()
            let now = Date().timeIntervalSince1970
            // One that has joined, one that is young, three that are old; and the server.
            _ = try state.add(DeviceID(1), key: key, type: "x", isServer: false, now: now - 9_000)
            try state.markJoined([DeviceID(1)], now: now)
            _ = try state.add(DeviceID(2), key: key, type: "x", isServer: false, now: now - 60)
            for id in 3...5 {
                _ = try state.add(
                    DeviceID(UInt64(id)), key: key, type: "x", isServer: false, now: now - 5_000 - Double(id))
            }
            for id in 0xA1...0xA3 {
                _ = try await rig.client().register(DeviceID(UInt64(id)), key: key, type: "sensor")
            }
            // The oldest went first; now only young ones, the joined one and the server are there.
            let left = Set(try state.registrations().map(\.id.value))
            #expect(left == [0xC2C2, 1, 2, 0xA1, 0xA2, 0xA3])
            let client = try rig.client()
            await #expect {
                _ = try await client.register(DeviceID(0xA4), key: key, type: "sensor")
            } throws: { error in
                if case KeyServiceError.refused(_, 503, _) = error { true } else { false }
            }
            // Who is there is still told of, and one that is taken is told as taken.
            #expect(try await rig.client().type(of: DeviceID(0xA1)) == "sensor")
            await #expect(throws: KeyServiceError.self) {
                try await rig.client().register(DeviceID(0xA1), key: key, type: "sensor")
            }
        }
    }

    @Test func whoNeverJoinsIsForgottenAndWhoJoinedOrIsAServerStays() throws {
        let path = NSTemporaryDirectory() + "srup-state-\(UUID().uuidString).db"
        defer { for end in ["", "-wal", "-shm"] { unlink(path + end) } }
        let state = try KeyServiceState(path: path)
        let key = try Self.key.get()
        for id in 1...4 {
            _ = try state.add(DeviceID(UInt64(id)), key: key, type: "x", isServer: id == 4, now: Double(id))
        }
        try state.markJoined([DeviceID(2)], now: 10)
        let folder = NSTemporaryDirectory() + "srup-ca-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try PrivateFile.makeFolder(folder)
        let certificate = try Authority.create(in: folder, name: "test").client(DeviceID(3), key: key)
        #expect(try state.record(certificate, of: DeviceID(3), now: 11))
        #expect(try state.forgetUnjoined(olderThan: .seconds(99), now: 100) == [DeviceID(1)])
        #expect(try state.registrations(neverJoined: true).map(\.certified) == [11])
        #expect(try state.forgetUnjoined(olderThan: .zero, now: 100) == [DeviceID(3)])
        #expect(try state.registrations().map(\.joined) == [10, nil])
        #expect(try !state.forget(DeviceID(4)) && state.forget(DeviceID(2)) && !state.forget(DeviceID(2)))
        // In parts.
        for id in 5...8 { _ = try state.add(DeviceID(UInt64(id)), key: key, type: "x", isServer: false, now: 50) }
        let first = try state.registrations(atMost: 2)
        #expect(try (first + state.registrations(after: first.last)).map(\.id.value) == [4, 5, 6, 7, 8])
    }

    @Test func whoWasThereBeforeTheUpdateStays() throws {
        let path = NSTemporaryDirectory() + "srup-state-\(UUID().uuidString).db"
        defer { for end in ["", "-wal", "-shm"] { unlink(path + end) } }
        do {
            let old = try Database(
                path: path,
                migrations: [
                    """
                    CREATE TABLE identities (id INTEGER PRIMARY KEY, public_key TEXT NOT NULL, type TEXT NOT NULL,
                        server INTEGER NOT NULL, registered REAL NOT NULL);
                    """
                ])
            try old.query(
                "INSERT INTO identities VALUES (?, ?, ?, 0, 1)", .unsigned(.max), .text(Self.key.get().pem), "x")
        }
        let state = try KeyServiceState(path: path)
        #expect(try state.forgetUnjoined(olderThan: .zero, now: 1e10) == [])
        #expect(try state.registrations().map(\.id) == [DeviceID(.max)])
    }
}

@Suite struct AddressTests {
    @Test func oneNetworkIsOneGroup() {
        #expect(AddressGroup("192.0.2.1") == AddressGroup("::ffff:192.0.2.1"))
        #expect(AddressGroup("192.0.2.1") != AddressGroup("192.0.2.2"))
        #expect(AddressGroup("2001:db8:1:2::1") == AddressGroup("2001:db8:1:2:ffff::9"))
        #expect(AddressGroup("2001:db8:1:2::1") != AddressGroup("2001:db8:1:3::1"))
        #expect(AddressGroup("fe80::1%eth0") == AddressGroup("fe80::2%eth1"))
        #expect(AddressGroup("0.0.0.1") != AddressGroup("::1"))
        #expect(AddressGroup("nonsense") == .unknown && AddressGroup(nil) == .unknown)
    }

    @Test func ratesComeBackWithTimeAndTheTableIsBounded() {
        let rates = RateTable(Rate(burst: 2, perSecond: 0.5))
        let start = ContinuousClock.now
        let a = AddressGroup("192.0.2.1")
        #expect(rates.take(a, now: start) == nil && rates.take(a, now: start) == nil)
        #expect(rates.take(a, now: start) == 2)
        #expect(rates.take(a, now: start + .seconds(2)) == nil)
        #expect(rates.take(a, now: start + .seconds(2)) == 2)
        // A stranger with very many addresses does not make one that waits forgotten.
        for number in 0..<(3 * RateTable.maximumAddresses) {
            _ = rates.take(
                AddressGroup("10.\(number >> 16).\(number >> 8 & 255).\(number & 255)"), now: start + .seconds(2))
        }
        #expect(rates.take(a, now: start + .seconds(2)) == 2)
        #expect(RateTable(Rate(burst: 0, perSecond: 0)).take(a) == 3600)
    }

    @Test func whoHasMostConnectionsMakesRoom() {
        let table = ConnectionTable(maximum: 4, maximumForOne: 3)
        let start = ContinuousClock.now
        let (a, b) = (AddressGroup("192.0.2.1"), AddressGroup("192.0.2.2"))
        let closed = Closed()
        func add(_ group: AddressGroup, _ name: String, _ seconds: Int) -> Bool {
            table.add(group, now: start + .seconds(seconds)) { closed.add(name) } != nil
        }
        #expect(add(a, "a1", 0) && add(a, "a2", 0) && add(a, "a3", 0) && add(a, "a4", 1))
        // Full, all of them young: another of the same address waits for its turn, one of another address does not.
        #expect(!add(a, "a5", 1) && closed.names == [])
        #expect(add(b, "b1", 1) && closed.names == ["a1"])
        // Those that have waited go for others of their address.
        #expect(add(a, "a6", 3) && closed.names == ["a1", "a2"])
        #expect(table.count == 4)
    }

    private final class Closed: @unchecked Sendable {
        // Used by one thread.
        var names: [String] = []
        func add(_ name: String) { names.append(name) }
    }
}
