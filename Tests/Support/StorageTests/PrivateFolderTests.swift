import Foundation
import Glibc
import Storage
import Testing

/// Folders with keys and counters.
struct PrivateFolderTests {
    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = URL(fileURLWithPath: NSTemporaryDirectory()).path + "/private-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder + "/state", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private func why(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: [0o777, 0o770, 0o702, 0o1777, 0o2775])
    func aFolderInWhichOthersMayWriteIsRefusedWithWhatToSay(_ mode: Int) throws {
        try inFolder { folder in
            let state = folder + "/state"
            #expect(chmod(state, mode_t(mode)) == 0)
            #expect(why { try PrivateFolder.check(state) }.contains("chmod go-w \(state)"))
            #expect(why { _ = try FolderLock(state) }.contains("chmod go-w \(state)"))
            #expect(why { try PrivateFile.makeFolder(state) }.contains("chmod go-w \(state)"))
            #expect(why { try PrivateFile.write("key", to: state + "/key") }.contains("chmod go-w \(state)"))
            #expect(!FileManager.default.fileExists(atPath: state + "/key"))
            // What was there before is not believed any more.
            try "key".write(toFile: state + "/key", atomically: false, encoding: .utf8)
            chmod(state + "/key", 0o600)
            #expect(why { try PrivateFile.withContents(of: state + "/key") { _ in } }.contains("chmod go-w \(state)"))
        }
    }

    @Test(arguments: [0o700, 0o750, 0o755, 0o500])
    func whatTheServiceManagerMakesIsTaken(_ mode: Int) throws {
        try inFolder { folder in
            #expect(chmod(folder + "/state", mode_t(mode)) == 0)
            try PrivateFolder.check(folder + "/state", isOurs: true)
        }
    }

    @Test func aFolderThatEverybodyCanExchangeIsRefused() throws {
        try inFolder { folder in
            #expect(chmod(folder, 0o777) == 0)
            #expect(why { try PrivateFolder.check(folder + "/state") }.contains("chmod go-w \(folder)"))
            // As /tmp is.
            #expect(chmod(folder, 0o1777) == 0)
            try PrivateFolder.check(folder + "/state")
            // Where a link leads, and where it lies.
            try FileManager.default.createDirectory(
                atPath: folder + "/open", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o777])
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/open/link", withDestinationPath: folder + "/state")
            #expect(chmod(folder + "/open", 0o777) == 0)
            #expect(why { try PrivateFolder.check(folder + "/open/link") }.contains("chmod go-w \(folder)/open"))
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give folders away"))
    func nothingRunsInAnotherUsersFolder() throws {
        try inFolder { folder in
            let state = folder + "/state"
            #expect(chown(state, 65534, 65534) == 0)
            #expect(why { _ = try FolderLock(state) }.contains("belongs to nobody"))
            // Root may look after it.
            try PrivateFolder.check(state)
        }
    }

    @Test func whatIsNoFileIsNeverReplacedByOne() throws {
        try inFolder { folder in
            let path = folder + "/state/pipe"
            #expect(mkfifo(path, 0o600) == 0)
            #expect(why { try PrivateFile.write("text", to: path) }.contains("no file"))
            #expect(why { try PrivateFile.withContents(of: path) { _ in } }.contains("no file"))
            #expect(FileManager.default.fileExists(atPath: path))
        }
    }
}
