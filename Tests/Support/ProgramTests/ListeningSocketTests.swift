import Foundation
import Linux
import Program
import ServiceLifecycle
import Testing

/// Sockets that programs listen on, and what becomes of them.
@Suite struct ListeningSocketTests {
    /// Without a service group that stops it in good order, as when another service has failed.
    @Test(arguments: ["control", "command", "signal"])
    func aSocketWhoseTaskIsCancelledListensNoMore(_ kind: String) async throws {
        let path = NSTemporaryDirectory() + "socket-\(UUID().uuidString)"
        do {
            let service: any Service =
                switch kind {
                case "control": try ControlSocket(path: path) { "" }
                case "command": try CommandSocket(path: path) { $0 }
                default: try SignalSocket(path: path, word: "ready")
                }
            let task = Task { try? await service.run() }
            #expect(try Self.listening(path))
            task.cancel()
            await task.value
        }
        #expect(access(path, F_OK) != 0)
        // The kernel has the socket as long as a thread waits for connections.
        let deadline = ContinuousClock.now + .seconds(20)
        while try Self.listening(path), ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(5)) }
        #expect(try !Self.listening(path))
    }

    private static func listening(_ path: String) throws -> Bool {
        // Piece by piece: the kernel gives a page at a time, and Foundation takes that for the end.
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/net/unix"))
        defer { try? file.close() }
        var all = Data()
        while let part = try file.read(upToCount: 4096), !part.isEmpty { all += part }
        return String(decoding: all, as: UTF8.self).contains(path)
    }

    @Test func aCommandIsAnsweredWithALine() async throws {
        let path = NSTemporaryDirectory() + "socket-\(UUID().uuidString)"
        let service = try CommandSocket(path: path) { String($0.reversed()) }
        let task = Task { try? await service.run() }
        let long = String(repeating: "ab", count: 20_000)
        let answers = await DetachedThread.value { [CommandSocket.ask(path, "abc"), CommandSocket.ask(path, long)] }
        #expect(answers == ["cba", String(long.reversed())])
        task.cancel()
        await task.value
    }
}
