import Foundation
import Testing

/// The unit files of systemd that the packages bring.
@Suite struct UnitFileTests {
    static let files: [URL] = {
        let deploy = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "../../../deploy"
        )
        .standardizedFileURL
        let found = FileManager.default.enumerator(at: deploy, includingPropertiesForKeys: nil)
        return (found?.allObjects ?? []).compactMap { $0 as? URL }.filter { $0.pathExtension == "service" }
    }()

    @Test func whoReadsItsConfigurationAgainIsAskedToBySIGHUP() throws {
        for name in ["srup-observer", "srup-c2", "srup-key-service"] {
            let file = try #require(Self.files.first { $0.lastPathComponent == name + ".service" })
            #expect(try String(contentsOf: file, encoding: .utf8).contains("\nExecReload=/bin/kill -HUP $MAINPID\n"))
        }
    }

    /// Whose folder it watches, and that an interrupted run begins again by the program that has begun it.
    @Test func anOrderedUpdateIsInstalledByRootAndGoneOnWithAfterAPowerCut() throws {
        let service = try #require(Self.files.first { $0.lastPathComponent == "srup-observer-update.service" })
        let path = service.deletingPathExtension().appendingPathExtension("path")
        let watched = try String(contentsOf: path, encoding: .utf8)
        for file in ["/var/lib/srup-observer/update/order", "/var/lib/srup-observer-update/record"] {
            #expect(watched.contains("\nPathExists=\(file)\n"))
        }
        let text = try String(contentsOf: service, encoding: .utf8)
        #expect(!text.contains("\nUser=") && text.contains("\nType=oneshot\n") && text.contains("\nStartLimitBurst="))
        let start = try #require(text.split(separator: "\n").first { $0.hasPrefix("ExecStart=") })
        #expect(
            start.contains(
                "[ -e $$own/record ] && [ -x $$own/srup-observer ] && exec $$own/srup-observer install-update;"))
        #expect(start.hasSuffix("exec /usr/bin/srup-observer install-update'"))
    }

    @Test func everyServiceSaysHowManyFilesItMayOpen() throws {
        #expect(Self.files.count >= 12)
        for file in Self.files where !file.deletingLastPathComponent().path.hasSuffix(".d") {
            var isDirectory: ObjCBool = false
            guard FileManager.default.fileExists(atPath: file.path, isDirectory: &isDirectory), !isDirectory.boolValue
            else { continue }
            let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            let limit = lines.first { $0.hasPrefix("LimitNOFILE=") }.flatMap { Int($0.dropFirst("LimitNOFILE=".count)) }
            #expect((256...65536).contains(limit ?? 0), "\(file.lastPathComponent)")
        }
    }
}
