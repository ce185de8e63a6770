import Foundation
import Glibc
import Linux
import Logging
import ServiceLifecycle
import Synchronization
import Testing

@testable import Program

/// A place for a socket that goes with the test; short, since addresses are.
final class Place {
    let path = "/tmp/srup-\(UUID().uuidString.prefix(8)).sock"
    deinit { unlink(path) }

    /// Somebody who connects and says or does what the test wants.
    func client() -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #expect(UnixAddress.with(path) { connect(descriptor, $0, $1) } == 0)
        return descriptor
    }

    /// A server of the test's own.
    func listener() -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #expect(UnixAddress.with(path) { bind(descriptor, $0, $1) } == 0 && listen(descriptor, 4) == 0)
        return descriptor
    }
}

/// Runs a call that blocks outside of the pool, which is as small as the machine.
func onThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { continuation in
        DetachedThread.start { continuation.resume(returning: body()) }
    }
}

/// A service at work for as long as `body` runs; then it is asked to stop.
func running(_ service: any Service, _ body: () async throws -> Void) async throws {
    let group = ServiceGroup(
        services: [service], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    async let end: Void = group.run()
    do {
        try await body()
    } catch {
        await group.triggerGracefulShutdown()
        throw error
    }
    await group.triggerGracefulShutdown()
    try await end
}

@Suite struct ControlSocketTests {
    let place = Place()

    private func ask() async -> String? { await onThread { [path = place.path] in ControlSocket.ask(path) } }

    private func why(_ path: String) -> String {
        do {
            _ = try ControlSocket(path: path) { "" }
            return ""
        } catch {
            return error.description
        }
    }

    @Test func everyoneWhoAsksGetsThePresentAnswer() async throws {
        let count = Mutex(0)
        let socket = try ControlSocket(path: place.path) { "answer \(count.withLock { $0 += 1; return $0 })" }
        try await running(socket) {
            for number in 1...5 { #expect(await ask() == "answer \(number)") }
        }
    }

    @Test func onlyItsOwnerMayConnect() throws {
        let socket = try ControlSocket(path: place.path) { "" }
        var status = stat()
        #expect(stat(place.path, &status) == 0)
        #expect(status.st_mode & S_IFMT == S_IFSOCK && status.st_mode & 0o777 == 0o600)
        withExtendedLifetime(socket) {}
    }

    @Test func itGoesWithItsProgram() async throws {
        try await running(try ControlSocket(path: place.path) { "x" }) { #expect(await ask() == "x") }
        #expect(access(place.path, F_OK) != 0)
        #expect(await ask() == nil)
    }

    @Test func aSecondProgramIsToldThatThereIsAFirst() async throws {
        try await running(try ControlSocket(path: place.path) { "first" }) {
            let found = await onThread { [path = place.path] in
                do throws(ControlSocket.Failure) {
                    _ = try ControlSocket(path: path) { "second" }
                    return ""
                } catch {
                    return error.description
                }
            }
            #expect(found == "another program is running with this state (\(place.path))")
            #expect(await ask() == "first", "and the first one still answers")
        }
    }

    @Test func whatACrashHasLeftIsReplaced() async throws {
        close(place.listener())
        #expect(await ask() == nil)
        try await running(try ControlSocket(path: place.path) { "new" }) { #expect(await ask() == "new") }
    }

    /// On a file system that is read-only an abandoned socket cannot be removed, and binding to it says "in use"; here it is a
    /// folder that cannot be.
    @Test func whatCannotBeReplacedIsNotCalledInUse() {
        mkdir(place.path, 0o700)
        defer { rmdir(place.path) }
        #expect(why(place.path) == "\(place.path) cannot be replaced: it is not a socket")
    }

    @Test func aFileInItsPlaceIsNotRemoved() throws {
        try Data("dear".utf8).write(to: URL(fileURLWithPath: place.path))
        #expect(why(place.path) == "\(place.path) cannot be replaced: it is not a socket")
        #expect(try String(contentsOfFile: place.path, encoding: .utf8) == "dear")
    }

    @Test func placesThatNoAddressHoldsAreNamed() {
        let long = "/tmp/" + String(repeating: "x", count: 120)
        #expect(why(long) == "\(long) cannot be made: File name too long")
        #expect(why("/tmp/gone-\(getpid())/x.sock").hasSuffix("cannot be made: No such file or directory"))
    }

    // MARK: Clients that mean no good

    @Test func whoHangsUpAtOnceHoldsNobodyUp() async throws {
        try await running(try ControlSocket(path: place.path) { "x" }) {
            for _ in 0..<20 { close(place.client()) }
            // More than may wait are closed, and ask again.
            let deadline = ContinuousClock.now + .seconds(20)
            var answer = await ask()
            while answer != "x", ContinuousClock.now < deadline { answer = await ask() }
            #expect(answer == "x")
        }
    }

    @Test func whoTalksIsNotListenedTo() async throws {
        try await running(try ControlSocket(path: place.path) { "x" }) {
            let client = place.client()
            defer { close(client) }
            let noise = [UInt8](repeating: 0xFF, count: 10_000)
            _ = send(client, noise, noise.count, SocketFlags.noSignal | SocketFlags.dontWait)
            #expect(await ask() == "x")
        }
    }

    @Test func whoDoesNotReadHoldsTheOthersUpForASecondOnly() async throws {
        // Larger than any socket's buffer.
        let text = String(repeating: "x", count: 2 << 20)
        try await running(try ControlSocket(path: place.path) { text }) {
            let client = place.client()
            defer { close(client) }
            #expect(await ask()?.isEmpty == false)
        }
    }

    // MARK: Servers that mean no good

    @Test func anEndlessAnswerIsCutOff() async {
        let listening = place.listener()
        defer { close(listening) }
        DetachedThread.start {
            let connection = accept(listening, nil, nil)
            let noise = [UInt8](repeating: 0x41, count: 65536)
            while send(connection, noise, noise.count, SocketFlags.noSignal) > 0 {}
            close(connection)
        }
        let answer = await ask()
        #expect((1 << 20..<(1 << 20) + 8192).contains(answer?.utf8.count ?? 0))
    }

    @Test func anAnswerThatIsNoTextIsReadAllTheSame() async {
        let listening = place.listener()
        defer { close(listening) }
        DetachedThread.start {
            let connection = accept(listening, nil, nil)
            _ = send(connection, [0x61, 0xFF, 0x62] as [UInt8], 3, SocketFlags.noSignal)
            close(connection)
        }
        #expect(await ask() == "a\u{FFFD}b")
    }
}

/// Who follows what a keeper says, and does not believe that it is one.
@Suite struct SignalListenerTests {
    let place = Place()

    /// A listener that is connected, and the descriptor by which the test plays the keeper.
    private func connected() -> (SignalListener, keeper: Int32) {
        let listening = place.listener()
        defer { close(listening) }
        let listener = SignalListener()
        listener.connect(toAny: ["/tmp/gone-\(getpid()).sock", place.path])
        return (listener, accept(listening, nil, nil))
    }

    private func say(_ keeper: Int32, _ bytes: [UInt8]) {
        #expect(send(keeper, bytes, bytes.count, SocketFlags.noSignal) == bytes.count)
    }

    @Test func theFirstWhoListensIsTaken() {
        let (listener, keeper) = connected()
        defer { close(keeper) }
        #expect(listener.isConnected)
        say(keeper, Array("waiting\nlooking\n".utf8))
        #expect(listener.words(within: 5000) == ["waiting", "looking"])
    }

    @Test func whereNobodyListensThereIsNoConnection() {
        let listener = SignalListener()
        listener.connect(toAny: [])
        listener.connect(toAny: ["/tmp/gone-\(getpid()).sock", "/etc/passwd", "/" + String(repeating: "x", count: 300)])
        #expect(!listener.isConnected)
        #expect(listener.words(within: 0).isEmpty)
    }

    @Test func wordsMayComeInPieces() {
        let (listener, keeper) = connected()
        defer { close(keeper) }
        say(keeper, Array("val".utf8))
        #expect(listener.words(within: 5000).isEmpty)
        say(keeper, Array("id\nwai".utf8))
        var words: [String] = []
        for _ in 0..<20 where words.isEmpty { words = listener.words(within: 5000) }
        #expect(words == ["valid"])
        #expect(listener.isConnected)
    }

    @Test func aWordWithoutEndEndsTheConnection() {
        let (listener, keeper) = connected()
        defer { close(keeper) }
        say(keeper, Array(repeating: 0x61, count: SignalListener.longestWord))
        #expect(listener.words(within: 5000).isEmpty && listener.isConnected)
        say(keeper, [0x61])
        // A wait that a signal has ended is begun again.
        var words: [String] = []
        for _ in 0..<20 where listener.isConnected { words += listener.words(within: 5000) }
        #expect(words.isEmpty && !listener.isConnected)
    }

    @Test func afterTheEndAnotherConnectionBeginsAtAWordsBeginning() {
        let (listener, keeper) = connected()
        say(keeper, Array("hal".utf8))
        _ = listener.words(within: 5000)
        close(keeper)
        #expect(listener.words(within: 5000).isEmpty && !listener.isConnected)
        unlink(place.path)
        let listening = place.listener()
        defer { close(listening) }
        listener.connect(toAny: [place.path])
        let again = accept(listening, nil, nil)
        defer { close(again) }
        say(again, Array("fault\n".utf8))
        #expect(listener.words(within: 5000) == ["fault"])
    }

    @Test func bytesThatAreNoTextAreAWordThatNobodyKnows() {
        let (listener, keeper) = connected()
        defer { close(keeper) }
        say(keeper, [0xFF, 0x00, 0x1B, 10, 10])
        #expect(listener.words(within: 5000) == ["\u{FFFD}\0\u{1B}", ""])
    }
}
