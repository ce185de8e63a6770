import ArgumentParser
import Foundation
import Linux
import Logging
import ServiceLifecycle
import Synchronization
import Testing

@testable import Program

@Suite struct FindingTests {
    /// What a witness prints and the doctor reads, in another process and perhaps of another version.
    @Test func findingsAreReadFromTheirJSON() throws {
        let json =
            #"[{"name":"clock","state":"warning","says":"slow","remedy":"set it"},{"name":"x","state":"ok","says":"y"}]"#
        let findings = try JSONDecoder().decode([Finding].self, from: Data(json.utf8))
        #expect(findings == [Finding("clock", .warning, "slow", remedy: "set it"), Finding("x", .ok, "y")])
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        #expect(
            String(decoding: try encoder.encode(findings[1]), as: UTF8.self) == #"{"name":"x","says":"y","state":"ok"}"#
        )
    }

    @Test(arguments: [
        #"{"name":"x","state":"fine","says":"y"}"#, #"{"name":"x","says":"y"}"#, #"{"name":1,"state":"ok","says":"y"}"#,
        "[]", "",
    ])
    func otherJSONIsNoFinding(_ json: String) {
        #expect(throws: (any Error).self) { try JSONDecoder().decode(Finding.self, from: Data(json.utf8)) }
    }

    @Test func aPrefixSaysWhoseItIs() {
        let finding = Finding("camera", .problem, "none", remedy: "plug one in")
        #expect(finding.under("left") == Finding("left: camera", .problem, "none", remedy: "plug one in"))
        #expect(finding.under("") == finding)
    }
}

/// A handler that keeps what it gets.
private final class Kept: LogHandler, @unchecked Sendable {
    // Used by one test.
    var events: [(level: Logger.Level, message: String, metadata: [String: String])] = []
    var logLevel = Logger.Level.critical
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {
        events.append((event.level, "\(event.message)", (event.metadata ?? [:]).mapValues(\.description)))
    }
}

@Suite struct PlainLogHandlerTests {
    @Test func aLoggersOwnLevelCountsAndNotTheInnerOnes() {
        let kept = Kept()
        var logger = Logger(label: "test") { _ in PlainLogHandler(kept) }
        #expect(kept.logLevel == .trace, "the inner one leaves nothing out")
        logger.logLevel = .warning
        logger.notice("no")
        logger.warning("yes")
        logger.logLevel = .trace
        logger.trace("now")
        #expect(kept.events.map(\.message) == ["yes", "now"])
    }

    @Test func metadataOfTheLoggerAndOfTheEventAreKept() {
        let kept = Kept()
        var logger = Logger(label: "test") { _ in PlainLogHandler(kept) }
        logger.logLevel = .info
        logger[metadataKey: "observer"] = "left"
        #expect(kept.metadata["observer"] == "left")
        #expect(logger[metadataKey: "observer"] == "left")
        logger.info("x", metadata: ["list": ["a\n", "b"]])
        #expect(kept.events.first?.metadata["list"]?.contains("\n") == false)
    }

    @Test func aMessageWithoutEndIsCut() {
        let kept = Kept()
        var logger = Logger(label: "test") { _ in PlainLogHandler(kept) }
        logger.logLevel = .info
        logger.info("\(String(repeating: "x", count: PlainLogHandler.maximumMessage))")
        logger.info("\(String(repeating: "x", count: PlainLogHandler.maximumMessage + 1))")
        #expect(kept.events[0].message.utf8.count == PlainLogHandler.maximumMessage)
        #expect(kept.events[1].message.utf8.count == PlainLogHandler.maximumMessage + 3)
        #expect(kept.events[1].message.hasSuffix("x..."))
    }
}

@Suite struct ProgramTests {
    private struct Broken: Error, CustomStringConvertible {
        let description = "a test's error, which is printed on purpose"
    }

    @Test func codesAreSysexits() {
        #expect(Program.failure(Broken()) == ExitCode(1))
        #expect(Program.failure(Broken(), code: .configuration) == ExitCode(78))
        #expect(Program.failure(Broken(), code: .unavailable) == ExitCode(69))
    }

    @Test func anExitCodeStaysWhatItIs() {
        #expect(Program.failure(ExitCode(3), code: .configuration) == ExitCode(3))
    }

    @Test func aSiblingLiesBesideThisProgram() {
        func folder(_ path: String) -> String { URL(fileURLWithPath: path).deletingLastPathComponent().path }
        #expect(Program.sibling("srup-witness").hasSuffix("/srup-witness"))
        #expect(folder(Program.sibling("srup-witness")) == folder(ChildProcess.executable))
    }
}

/// The end of one service is no error of the others.
@Suite struct OrderlyServiceTests {
    private struct Waits: Service {
        let ended: @Sendable () -> Void
        func run() async throws {
            try? await gracefulShutdown()
            ended()
        }
    }
    private struct Ends: Service {
        func run() async throws {}
    }
    private struct Fails: Service {
        struct Broken: Error {}
        func run() async throws { throw Broken() }
    }

    private func run(_ services: [any Service]) async throws {
        let ending = OrderlyService.Ending()
        let group = ServiceGroup(
            configuration: .init(
                services: services.map {
                    .init(
                        service: OrderlyService(service: $0, ending: ending),
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup)
                }, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
        try await group.run()
    }

    @Test func theFirstThatEndsEndsAllInGoodOrder() async throws {
        let ended = Mutex(0)
        try await run([Waits { ended.withLock { $0 += 1 } }, Ends(), Waits { ended.withLock { $0 += 1 } }])
        #expect(ended.withLock { $0 } == 2)
    }

    @Test func severalThatEndAtOnceAreNoError() async throws {
        for _ in 0..<20 { try await run([Ends(), Ends(), Ends(), Waits {}]) }
    }

    @Test func aFailureIsToldWhenAllHaveEnded() async {
        let ended = Mutex(0)
        await #expect(throws: Fails.Broken.self) {
            try await run([Waits { ended.withLock { $0 += 1 } }, Fails()])
        }
        #expect(ended.withLock { $0 } == 1)
    }

    @Test func onlyOneIsTheFirst() {
        let ending = OrderlyService.Ending()
        #expect(ending.isFirst())
        #expect(!ending.isFirst() && !ending.isFirst())
        let asked = OrderlyService.Ending()
        asked.begin()
        #expect(!asked.isFirst())
    }
}
