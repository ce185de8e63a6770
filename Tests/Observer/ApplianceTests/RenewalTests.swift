import Foundation
import TestProcesses
import Testing

/// What a machine does that was in a drawer for most of a year; the year is made by faketime.
@Suite struct RenewalTests {
    static let faketime = "/usr/bin/faketime"

    func later(_ days: Int, _ world: World, as role: String) throws -> (code: Int32, said: String) {
        let code = try world.stage.run(
            Self.faketime,
            [
                "-f", "+\(days)d", Stage.ownFolder + "/srup-observer", "register", "--if-needed", "--config",
                world.stage.path("box.toml"),
            ], as: role)
        return (code, world.stage.tail(of: role))
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: faketime), "faketime is not installed"))
    func theCertificateIsRenewedInItsLastMonth() throws {
        let stage = try Stage()
        defer { stage.close() }
        let world = try World(stage)
        try world.prepare()
        try world.startKeyService()
        try world.registerObserver("box", camera: "folder:" + stage.path("none"), settings: "")
        let files = ["certificate.pem", "access.pem", "identity.pem"].map { stage.path("box/" + $0) }
        func contents() -> [String?] { files.map { try? String(contentsOfFile: $0, encoding: .utf8) } }
        let before = contents()

        let early = try later(300, world, as: "early")
        #expect(early.code == 0)
        #expect(contents() == before)

        let due = try later(340, world, as: "due")
        #expect(due.code == 0)
        #expect(due.said.contains("renewed"), "\(due.said)")
        let after = contents()
        #expect(after[0] != before[0])
        // Only one file changes: a power cut leaves a pair that fits.
        #expect(after[1] == before[1])
        #expect(after[2] == before[2])

        stage.stop("key-service")
        let alone = try later(340, world, as: "alone")
        #expect(alone.code == 0, "a key service that is away keeps nobody from starting")
        #expect(alone.said.contains("cannot be renewed"), "\(alone.said)")
        #expect(contents() == after)
    }
}
