import Foundation
import Glibc
import Linux
import Testing

@testable import Storage

/// Files with secrets, and files without.
@Suite struct PrivateFileTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func why(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch {
            return "\(error)"
        }
    }

    private func content(_ path: String) throws -> [UInt8] { try PrivateFile.withContents(of: path) { Array($0) } }

    private func make(_ name: String, _ bytes: [UInt8], _ mode: mode_t = 0o600) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: scratch(name)))
        #expect(chmod(scratch(name), mode) == 0)
        return scratch(name)
    }

    // MARK: Reading

    @Test(arguments: [0, 1, 4096, 1 << 20])
    func aFileIsReadWhole(_ size: Int) throws {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let path = try make("key", bytes)
        #expect(try content(path) == bytes)
    }

    @Test func aboveOneMebibyteNothingIsRead() throws {
        let path = try make("key", Array(repeating: 1, count: (1 << 20) + 1))
        #expect(throws: PrivateFileError.tooLarge(path: path, limit: 1 << 20)) { try content(path) }
    }

    @Test(arguments: [0o640, 0o604, 0o660, 0o602, 0o610, 0o777] as [mode_t])
    func whatOthersMayUseIsRefused(_ mode: mode_t) throws {
        let path = try make("key", [1], mode)
        #expect(throws: PrivateFileError.tooOpen(path: path, mode: UInt32(mode))) { try content(path) }
        #expect(why { _ = try content(path) }.contains("mode \(String(mode, radix: 8))"))
        #expect(why { _ = try content(path) }.contains("chmod 600 \(path)"))
    }

    @Test func aGroupMayReadWhereTheCallerSaysSo() throws {
        let path = try make("key", [1], 0o640)
        #expect(try PrivateFile.withContents(of: path, denied: 0o027) { $0.count } == 1)
        chmod(path, 0o644)
        #expect(throws: PrivateFileError.self) { try PrivateFile.withContents(of: path, denied: 0o027) { _ in } }
    }

    @Test func whatIsNotThereIsNamed() {
        #expect(
            why { _ = try content(scratch("gone")) } == "\(scratch("gone")) cannot be opened: No such file or directory"
        )
    }

    @Test func aFolderIsNoFile() throws {
        mkdir(scratch("folder"), 0o700)
        #expect(why { _ = try content(scratch("folder")) }.contains("it is no file"))
        #expect(why { _ = try content("/dev/null") }.contains("it is no file"))
    }

    @Test func whatTheBodyThrowsComesThrough() throws {
        struct Broken: Error {}
        let path = try make("key", [1])
        #expect(throws: Broken.self) { try PrivateFile.withContents(of: path) { _ in throw Broken() } }
    }

    // MARK: Writing

    @Test func aNewFileIsPrivateWhateverTheMask() throws {
        let path = scratch("key")
        try PrivateFile.write("secret ü", to: path)
        #expect(permissions(path) == 0o600)
        #expect(try content(path) == Array("secret ü".utf8))
        #expect(scratch.names == ["key"], "nothing is left beside it")
    }

    @Test func anEmptyTextMakesAnEmptyFile() throws {
        try PrivateFile.write("", to: scratch("key"))
        #expect(try content(scratch("key")).isEmpty)
    }

    @Test func aFileThatWasOpenIsReplacedByAPrivateOne() throws {
        let path = try make("key", [1, 2, 3], 0o666)
        let reader = open(path, O_RDONLY)
        defer { close(reader) }
        try PrivateFile.write("new", to: path)
        #expect(permissions(path) == 0o600)
        // Who had it open has the old one.
        var bytes = [UInt8](repeating: 0, count: 8)
        #expect(read(reader, &bytes, 8) == 3 && bytes.prefix(3) == [1, 2, 3])
    }

    @Test func aLinkIsReplacedAndNotFollowed() throws {
        let target = try make("target", [9])
        #expect(symlink(target, scratch("key")) == 0)
        try PrivateFile.write("new", to: scratch("key"))
        #expect(try content(target) == [9])
        #expect(try content(scratch("key")) == Array("new".utf8))
    }

    @Test func whatACrashLeftBesideItDoesNotHarm() throws {
        let trap = scratch("target")
        #expect(symlink(trap, "\(scratch("key")).\(getpid()).new") == 0)
        try PrivateFile.write("new", to: scratch("key"))
        #expect(scratch.names == ["key"], "and nothing was written through the link")
    }

    @Test func anOpenFolderTakesWhatIsNotSecretOnly() throws {
        chmod(scratch.path, 0o770)
        #expect(why { try PrivateFile.write("secret", to: scratch("key")) }.contains("chmod go-w"))
        try PrivateFile.write("certificate", to: scratch("certificate"), mode: 0o644)
        #expect(scratch.names == ["certificate"])
        #expect(permissions(scratch("certificate")) == 0o644)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can mount a small disk"))
    func onAFullDiskTheOldFileStays() throws {
        let disk = scratch("disk")
        mkdir(disk, 0o700)
        guard mount("none", disk, "tmpfs", 0, "size=64k,mode=700") == 0 else { return }
        defer { umount2(disk, Int32(MNT_DETACH)) }
        try PrivateFile.write("old", to: disk + "/key")
        let text = String(repeating: "x", count: 200_000)
        #expect(why { try PrivateFile.write(text, to: disk + "/key") }.contains("No space left on device"))
        #expect(try content(disk + "/key") == Array("old".utf8))
        #expect(try FileManager.default.contentsOfDirectory(atPath: disk) == ["key"])
    }

    // MARK: Folders

    @Test func foldersAreMadePrivateWithThoseAbove() throws {
        try PrivateFile.makeFolder(scratch("a/b//c/"))
        for name in ["a", "a/b", "a/b/c"] { #expect(permissions(scratch(name)) == 0o700, "\(name)") }
        try PrivateFile.makeFolder(scratch("a/b/c"))
    }

    @Test func aFileInAFoldersPlaceIsNamed() throws {
        _ = try make("a", [1])
        #expect(why { try PrivateFile.makeFolder(scratch("a")) } == "\(scratch("a")) cannot be used: Not a directory")
        #expect(
            why { try PrivateFile.makeFolder(scratch("a/b")) } == "\(scratch("a/b")) cannot be made: Not a directory")
    }

    @Test func aLinkThatLeadsNowhereIsNoFolder() throws {
        #expect(symlink(scratch("gone"), scratch("link")) == 0)
        #expect(why { try PrivateFolder.check(scratch("link")) }.contains("cannot be examined: No such file"))
    }

    @Test(arguments: [
        ("/a/b", "/a"), ("/a", "/"), ("a", "."), ("a/b/c", "a/b"), ("./a", "."), ("/a/", "/a"),
    ])
    func theFolderOfAFileIsWhatComesBeforeItsName(_ path: String, _ folder: String) {
        #expect(PrivateFolder.folder(of: path) == folder)
    }

    @Test func onlyFoldersErrorsAreFolders() {
        #expect(PrivateFileError.openFolder(path: "/x", mode: 0o777).isFolders)
        #expect(PrivateFileError.foreignFolder(path: "/x", owner: 1).isFolders)
        #expect(!PrivateFileError.tooOpen(path: "/x", mode: 0o777).isFolders)
        #expect(!PrivateFileError.tooLarge(path: "/x", limit: 1).isFolders)
        #expect(!PrivateFileError.failed(path: "/x", doing: "read", why: "y").isFolders)
    }

    @Test func aUserWithoutANameIsANumber() {
        let text = PrivateFileError.foreignFolder(path: "/x", owner: 3_999_999_999).description
        #expect(text.contains("belongs to user 3999999999"))
    }

    // MARK: Files without secrets

    @Test func publicFilesAreReadUpToTheirLimit() throws {
        let path = try make("ca.pem", Array("text ü".utf8), 0o644)
        #expect(try PublicFile.read(path) == "text ü")
        #expect(PublicFile.exists(path) && PublicFile.isThere(path) && PublicFile.problem(path) == nil)
        let large = try make("large", Array(repeating: 0x61, count: (1 << 20) + 1))
        #expect(throws: PrivateFileError.tooLarge(path: large, limit: 1 << 20)) { try PublicFile.read(large) }
        let largest = try make("largest", Array(repeating: 0x61, count: 1 << 20))
        #expect(try PublicFile.read(largest).utf8.count == 1 << 20)
    }

    @Test func aPublicFileThatIsMissingIsSaidToBe() {
        let path = scratch("gone")
        #expect(!PublicFile.exists(path) && !PublicFile.isThere(path))
        #expect(PublicFile.problem(path) == "is not there")
        #expect(why { _ = try PublicFile.read(path) }.contains("cannot be read: No such file"))
    }

    @Test func bytesThatAreNoTextAreStillRead() throws {
        #expect(try PublicFile.read(try make("x", [0x61, 0xC3, 0x28])) == "a\u{FFFD}(")
    }
}

/// One program at a time in a state folder.
@Suite struct FolderLockTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func failure(_ folder: String) -> FolderLockError? {
        do {
            _ = try FolderLock(folder)
            return nil
        } catch {
            return error
        }
    }

    @Test func theSecondIsToldWhoHasIt() throws {
        let lock = try FolderLock(scratch.path)
        #expect(failure(scratch.path) == .inUse(folder: scratch.path, process: Int(getpid())))
        #expect(failure(scratch.path)?.description.hasSuffix("(process \(getpid())): stop it first") == true)
        #expect(permissions(scratch("lock")) == 0o600)
        withExtendedLifetime(lock) {}
    }

    @Test func itIsFreeAgainWithItsEnd() throws {
        do {
            let lock = try FolderLock(scratch.path)
            withExtendedLifetime(lock) {}
        }
        _ = try FolderLock(scratch.path)
        #expect(scratch.names == ["lock"], "the file stays: one that is removed could be locked twice")
    }

    @Test func whatACrashLeftInTheFileIsOverwritten() throws {
        try Data("4294967296 and much more than a number\n".utf8).write(to: URL(fileURLWithPath: scratch("lock")))
        chmod(scratch("lock"), 0o600)
        let lock = try FolderLock(scratch.path)
        #expect(try scratch.bytes("lock") == Array("\(getpid())\n".utf8))
        withExtendedLifetime(lock) {}
    }

    @Test(arguments: ["", "\n", "none of a number", "99999999999999999999999", "-", "\u{0}\u{0}"])
    func aHolderThatHasNotSaidItsNumberIsNobody(_ text: String) throws {
        let holder = open(scratch("lock"), O_RDWR | O_CREAT, 0o600)
        defer { close(holder) }
        #expect(flock(holder, LOCK_EX) == 0)
        let bytes = Array(text.utf8)
        #expect(write(holder, bytes, bytes.count) == bytes.count)
        #expect(failure(scratch.path) == .inUse(folder: scratch.path, process: nil))
    }

    @Test func twoFoldersAreTwoLocks() throws {
        for name in ["a", "b"] { mkdir(scratch(name), 0o700) }
        let (first, second) = (try FolderLock(scratch("a")), try FolderLock(scratch("b")))
        withExtendedLifetime((first, second)) {}
    }

    @Test func aLinkInTheLocksPlaceIsNotFollowed() throws {
        #expect(symlink(scratch("elsewhere"), scratch("lock")) == 0)
        guard case .failed(let path, _)? = failure(scratch.path) else {
            Issue.record("\(String(describing: failure(scratch.path)))")
            return
        }
        #expect(path == scratch("lock"))
        #expect(scratch.names == ["lock"])
    }

    @Test func aFolderThatIsMissingIsNotMade() {
        guard case .folder(.failed(let path, let doing, _))? = failure(scratch("gone")) else {
            Issue.record("\(String(describing: failure(scratch("gone"))))")
            return
        }
        #expect(path == scratch("gone") && doing == "examined")
        #expect(scratch.names.isEmpty)
    }

    /// Another process, that is: a descriptor is not inherited by what we start.
    @Test func whatWeStartDoesNotKeepIt() throws {
        let child: pid_t
        do {
            let lock = try FolderLock(scratch.path)
            child = try ChildProcess.start("/bin/sleep", ["60"])
            withExtendedLifetime(lock) {}
        }
        defer { ChildProcess.end(child) }
        #expect(failure(scratch.path) == nil)
    }
}
