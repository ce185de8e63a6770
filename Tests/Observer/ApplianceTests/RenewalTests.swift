import Foundation
import TestProcesses
import Testing

/// What a machine does that was in a drawer for most of a year; the year is made by faketime.
@Suite struct RenewalTests {
    static let faketime = "/usr/bin/faketime"

    func later(_ days: Int, _ loopback: LoopbackNetwork, as role: String) throws -> (code: Int32, said: String) {
        let code = try loopback.runner.run(
            Self.faketime,
            [
                "-f", "+\(days)d", ProgramRunner.ownFolder + "/srup-observer", "register", "--if-needed", "--config",
                loopback.runner.path("box.toml"),
            ], as: role)
        return (code, loopback.runner.tail(of: role))
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: faketime), "faketime is not installed"))
    func theCertificateIsRenewedInItsLastMonth() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try loopback.startKeyService()
        try loopback.registerObserver("box", camera: "folder:" + runner.path("none"), settings: "")
        let files = ["certificate.pem", "access.pem", "identity.pem"].map { runner.path("box/" + $0) }
        func contents() -> [String?] { files.map { try? String(contentsOfFile: $0, encoding: .utf8) } }
        let before = contents()

        let early = try later(300, loopback, as: "early")
        #expect(early.code == 0)
        #expect(contents() == before)

        let due = try later(340, loopback, as: "due")
        #expect(due.code == 0)
        #expect(due.said.contains("renewed"), "\(due.said)")
        let after = contents()
        #expect(after[0] != before[0])
        // Only one file changes: a power cut leaves a pair that fits.
        #expect(after[1] == before[1])
        #expect(after[2] == before[2])

        runner.stop("key-service")
        let alone = try later(340, loopback, as: "alone")
        #expect(alone.code == 0, "a key service that is away keeps nobody from starting")
        #expect(alone.said.contains("cannot be renewed"), "\(alone.said)")
        #expect(contents() == after)
    }
}
