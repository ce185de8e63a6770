import Foundation
import Logging
import Synchronization
import Testing

@testable import WitnessLink

@Suite struct WitnessLineTests {
    @Test(arguments: [
        WitnessLine.hello(kind: "camera"), .event(.ready("YUYV 1280x720")), .event(.lost("gone")),
        .event(.seen(Array(0..<16), how: "qr at 10,20 to 90,100")), .event(.unread("10,20 to 90,100")),
        .event(.tapped(Array(16..<32), how: "SNEP")), .alive(frames: 42),
    ])
    func everyLineIsReadAsItWasWritten(_ line: WitnessLine) {
        #expect(WitnessLine(line.description) == line)
    }

    @Test(arguments: [
        "", "seen", "seen 00", "seen \(String(repeating: "g", count: 32)) QR",
        "seen \(String(repeating: "0", count: 31)) QR",
        "seen \(String(repeating: "0", count: 32))", "seen +0\(String(repeating: "0", count: 30)) QR", "hello 2 camera",
        "hello 1", "alive -1", "alive 99999999999999999999999", "wake", "verdict VALID",
        "ready " + String(repeating: "x", count: 600),
    ])
    func nonsenseIsNoLine(_ text: String) {
        #expect(WitnessLine(text) == nil)
    }

    @Test func controlCharactersDoNotReachTheLog() {
        #expect(WitnessLine("lost a\u{1B}[31mb\rc") == .event(.lost("a?[31mb c")))
    }
}

@Suite struct WitnessProcessTests {
    final class Heard: Sendable {
        let events = Mutex<[WitnessEvent]>([])
        func wait(_ condition: @Sendable ([WitnessEvent]) -> Bool) async -> Bool {
            let deadline = ContinuousClock.now + .seconds(20)
            while ContinuousClock.now < deadline {
                if events.withLock({ condition($0) }) { return true }
                try? await Task.sleep(for: .milliseconds(10))
            }
            return false
        }
    }

    /// A witness played by a shell script on descriptor 3.
    func run(_ script: String, _ check: (WitnessProcess, Heard) async -> Void) async {
        let heard = Heard()
        let process = WitnessProcess(
            name: "camera", origin: .program("/bin/bash"), arguments: ["-c", script],
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { event in heard.events.withLock { $0.append(event) } }
        let task = Task { try await process.run() }
        await check(process, heard)
        task.cancel()
        _ = await task.result
        #expect(process.process == 0)
    }

    static let value = String(repeating: "ab", count: 16)

    @Test func whatAWitnessSeesArrives() async {
        await run(
            "echo hello 1 camera >&3; read line <&3; echo ready $line >&3; echo seen \(Self.value) QR >&3; read x <&3"
        ) {
            process, heard in
            process.wake()
            #expect(await heard.wait { $0.contains(.ready("wake")) })
            #expect(await heard.wait { $0.contains(.seen([UInt8](repeating: 0xAB, count: 16), how: "QR")) })
        }
    }

    @Test func aWitnessThatDiesIsStartedAgainAndStillAwake() async {
        let marker = NSTemporaryDirectory() + "witness-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: marker) }
        await run(
            """
            echo hello 1 camera >&3; read line <&3
            if [ ! -e \(marker) ]; then touch \(marker); kill -9 $$; fi
            echo ready again $line >&3; read x <&3
            """
        ) { process, heard in
            process.wake()
            #expect(
                await heard.wait { $0.contains(.lost("the witness process ended: it was ended by signal 9 (Killed)")) })
            #expect(await heard.wait { $0.contains(.ready("again wake")) })
        }
    }

    @Test func aWitnessThatTalksNonsenseIsStartedAgain() async {
        await run("echo VALID >&3; sleep 60") { _, heard in
            #expect(
                await heard.wait {
                    $0.contains(.lost("the witness process ended: it said something that is not in the protocol"))
                })
        }
    }

    @Test func aLineWithoutEndIsBounded() async {
        await run("head -c 100000 /dev/zero | tr '\\0' x >&3; sleep 60") { _, heard in
            #expect(await heard.wait { $0.contains { "\($0)".contains("longer than") } })
        }
    }

    @Test func aWitnessOfAnotherKindIsNotBelieved() async {
        await run("echo hello 1 nfc >&3; sleep 60") { _, heard in
            #expect(await heard.wait { $0.contains { "\($0)".contains("it is a nfc witness") } })
        }
    }

    @Test func theWitnessGetsNothingButItsSocket() async {
        await run("echo hello 1 camera >&3; echo ready $(ls /proc/self/fd | tr '\\n' ' ') >&3; sleep 60") { _, heard in
            // 0, 1, 2, 3 and the directory that ls itself has open.
            #expect(await heard.wait { $0.contains { "\($0)".contains("0 1 2 3") } })
            #expect(!heard.events.withLock { $0.contains { "\($0)".contains(" 5 ") } })
        }
    }

    @Test func itEndsWithItsKeeper() async throws {
        let heard = Heard()
        let process = WitnessProcess(
            name: "camera", origin: .program("/bin/bash"),
            arguments: ["-c", "echo hello 1 camera >&3; echo ready x >&3; sleep 60"],
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { event in heard.events.withLock { $0.append(event) } }
        let task = Task { try await process.run() }
        #expect(await heard.wait { !$0.isEmpty })
        let number = process.process
        #expect(kill(number, 0) == 0)
        task.cancel()
        _ = await task.result
        #expect(kill(number, 0) != 0)
    }
}
