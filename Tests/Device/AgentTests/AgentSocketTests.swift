import Foundation
import Glibc
import Linux
import SRUP
import Synchronization
import Testing

@testable import Agent

/// A program at the agent's socket.
final class LocalProgram {
    private let descriptor: Int32
    private var rest: [UInt8] = []

    init?(_ path: String) {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        guard UnixAddress.with(path, { connect(descriptor, $0, $1) }) == 0 else { return nil }
    }

    deinit { close(descriptor) }

    func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = send(descriptor, bytes, bytes.count, SocketFlags.noSignal)
    }

    /// The next line; `nil` at the end.
    func line() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            if let end = rest.firstIndex(of: 10) {
                defer { rest.removeSubrange(...end) }
                return String(decoding: rest[..<end], as: UTF8.self)
            }
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return nil }
            rest += buffer[..<count]
        }
    }

    func ask(_ text: String) -> String? {
        write(text + "\n")
        return line()
    }
}

@Suite struct AgentSocketTests {
    private static let settings = """
        socket = "FOLDER/agent.sock"
        [action.1]
        name = "on"
        timeout = "5 s"
        [sends.temperature]
        type = "float64"
        [takes.setpoint]
        type = "int32"
        """

    private func program(_ bench: AgentBench) async throws -> LocalProgram {
        try await bench.wait("the socket") { FileManager.default.fileExists(atPath: $0.socket) }
        return try #require(LocalProgram(bench.socket))
    }

    /// The lines come from a thread of the agent's, which waits for the actor; the test must not block the pool.
    private func line(_ program: LocalProgram) async -> String? {
        nonisolated(unsafe) let program = program
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: program.line()) }
        }
    }

    private func ask(_ program: LocalProgram, _ text: String) async -> String? {
        program.write(text + "\n")
        return await line(program)
    }

    @Test func aProgramSendsValues() async throws {
        let bench = try await AgentBench(Self.settings)
        let program = try await program(bench)
        #expect(await ask(program, #"{"send": "temperature", "value": 21.5}"#) == #"{"done":true}"#)
        #expect(await ask(program, #"{"send": "temperature", "value": "22"}"#) == #"{"done":true}"#)
        #expect(await ask(program, #"{"send": "extra", "value": -1, "type": "int8"}"#) == #"{"done":true}"#)
        try await bench.wait("the values") { $0.said.count == 3 }
        #expect(bench.values("temperature") == [21.5, 22].map { DataValue.double($0).wire })
        #expect(bench.values("extra") == [[0xFF]])
        var status = stat()
        #expect(stat(bench.socket, &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    @Test(arguments: [
        "", "{}", "[]", "null", "nonsense", #"{"send": "temperature"}"#, #"{"send": "temperature", "value": "warm"}"#,
        #"{"send": "temperature", "value": null}"#, #"{"send": "temperature", "value": [1]}"#,
        #"{"send": "unknown", "value": 1}"#, #"{"send": "unknown", "value": 1, "type": "uint9"}"#,
        #"{"send": "unknown", "value": 300, "type": "int8"}"#, #"{"answer": 1}"#, #"{"answer": 99, "done": true}"#,
        #"{"answer": -1, "done": true}"#, #"{"listen": true, "send": "temperature", "value": 1}"#,
        #"{"send": "", "value": 1, "type": "int8"}"#,
    ])
    func whatIsWrongIsSaidAndTheConnectionStays(_ text: String) async throws {
        let bench = try await AgentBench(Self.settings)
        let program = try await program(bench)
        let reply = await ask(program, text)
        #expect(reply?.hasPrefix(#"{"error":"#) == true, "\(reply ?? "the end")")
        #expect(await ask(program, #"{"send": "temperature", "value": 1}"#) == #"{"done":true}"#)
        #expect(bench.said.allSatisfy { if case .data = $0.body { true } else { false } })
    }

    @Test func aLineWithoutEndEndsTheConnectionAlone() async throws {
        let bench = try await AgentBench(Self.settings)
        let (loud, quiet) = (try await program(bench), try await program(bench))
        loud.write(String(repeating: "x", count: 200_000))
        #expect(await line(loud) == nil)
        #expect(await ask(quiet, #"{"send": "temperature", "value": 1}"#) == #"{"done":true}"#)
    }

    @Test func whoSendsTooMuchIsToldSo() async throws {
        let bench = try await AgentBench(Self.settings)
        let program = try await program(bench)
        var refused = 0
        for _ in 0..<100 {
            let reply = await ask(program, #"{"send": "temperature", "value": 1}"#)
            if reply?.contains("too many") == true { refused += 1 }
        }
        // The clock stands still: thirty at once, and not one more.
        #expect(refused == 70)
        try await bench.wait("the values") { $0.said.count == 30 }
    }

    @Test func aProgramDoesAnActionAndHearsValues() async throws {
        let bench = try await AgentBench(Self.settings)
        let program = try await program(bench)
        #expect(await ask(program, #"{"listen": true}"#) == #"{"identity":"a9","joined":true}"#)
        let (first, second, third) = (Token.random(), Token.random(), Token.random())
        try await bench.say(.action(1), first)
        #expect(await line(program) == #"{"action":1,"event":"action","name":"on","number":1}"#)
        #expect(await ask(program, #"{"answer": 1, "done": true}"#) == #"{"done":true}"#)
        try await bench.wait("the answer") { $0.statuses(first) == [.actionSuccess] }
        // It is answered once.
        #expect(await ask(program, #"{"answer": 1, "done": false}"#)?.contains("error") == true)
        try await bench.say(.action(1), second)
        #expect(await line(program)?.contains(#""number":2"#) == true)
        #expect(await ask(program, #"{"answer": 2, "done": false}"#) == #"{"done":true}"#)
        try await bench.wait("the answer") { $0.statuses(second) == [.actionFail] }
        // One that is never answered has failed when its time is over.
        try await bench.say(.action(1), third)
        #expect(await line(program)?.contains(#""number":3"#) == true)
        #expect(bench.statuses(third).isEmpty)
        await bench.network.advance(by: .seconds(6))
        #expect(bench.statuses(third) == [.actionFail])
        #expect(await ask(program, #"{"answer": 3, "done": true}"#)?.contains("error") == true)
        try await bench.say(.data(id: Array("setpoint".utf8), value: [7, 0, 0, 0]))
        #expect(await line(program) == #"{"event":"data","name":"setpoint","type":"int32","value":7}"#)
        try await bench.say(.terminateCommand)
        #expect(await line(program) == #"{"event":"left"}"#)
        #expect(await ask(program, #"{"send": "temperature", "value": 1}"#)?.contains("does not belong") == true)
    }

    @Test func withoutAProgramAnActionHasFailed() async throws {
        let bench = try await AgentBench(Self.settings)
        // One that is there and does not listen is none.
        let program = try await program(bench)
        #expect(await ask(program, #"{"send": "temperature", "value": 1}"#) == #"{"done":true}"#)
        let token = Token.random()
        try await bench.say(.action(1), token)
        #expect(bench.statuses(token) == [.actionFail])
    }

    @Test func whoDoesNotReadIsDroppedAndHoldsNobodyUp() async throws {
        let bench = try await AgentBench(Self.settings)
        let (deaf, other) = (try await program(bench), try await program(bench))
        _ = await ask(deaf, #"{"listen": true}"#)
        _ = await ask(other, #"{"listen": true}"#)
        // More than any buffer holds; the other one reads.
        for number in 0..<6000 {
            try await bench.say(.data(id: Array("setpoint".utf8), value: DataValue.int32(Int32(number)).wire))
            #expect(await line(other)?.hasSuffix(#""value":\#(number)}"#) == true)
        }
        #expect(await ask(other, #"{"send": "temperature", "value": 1}"#) == #"{"done":true}"#)
        var heard = 0
        while await line(deaf) != nil { heard += 1 }
        #expect(heard < 6000, "its connection has ended")
    }

    @Test func theCommandSendsThroughTheSocket() async throws {
        let bench = try await AgentBench(Self.settings)
        _ = try await program(bench)
        let path = bench.socket
        func send(_ name: String, _ value: String, type: String? = nil, at path: String) async -> AgentClient.Answer {
            await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    continuation.resume(returning: AgentClient.send(name, value, type: type, at: path))
                }
            }
        }
        #expect(await send("temperature", "3", at: path) == .sent)
        #expect(await send("other", "3", type: "int8", at: path) == .sent)
        guard case .refused = await send("temperature", "warm", at: path) else {
            Issue.record("it was not refused")
            return
        }
        #expect(await send("temperature", "3", at: path + "x") == .nobody)
    }
}
