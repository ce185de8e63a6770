import Foundation
import Glibc
import Linux
import Testing

/// Files at paths that users give.
struct OutputFileTests {
    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "/output-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
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

    @Test func aWholeFileIsWrittenOrTheReasonIsTold() throws {
        let path = NSTemporaryDirectory() + "srup-whole-\(UUID().uuidString)"
        defer { unlink(path) }
        try OutputFile.write(Array("longer before".utf8), to: path, mode: 0o644)
        try OutputFile.write(Array("short".utf8), to: path)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "short")
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o644 & ~0o022)
        try OutputFile.write([], to: "/dev/null")
        #expect(throws: OutputFile.Failure.self) { try OutputFile.write([1], to: "/dev/full") }
        #expect(throws: OutputFile.Failure.self) { try OutputFile.write([1], to: path + "/x") }
    }

    @Test func aLinkIsNotFollowedAndWhatItLeadsToIsUntouched() throws {
        try inFolder { folder in
            try "dear\n".write(toFile: folder + "/dear", atomically: false, encoding: .utf8)
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/link", withDestinationPath: folder + "/dear")
            try FileManager.default.linkItem(atPath: folder + "/dear", toPath: folder + "/twin")
            for flags in [O_APPEND, O_TRUNC] {
                #expect(why { _ = try OutputFile.open(folder + "/link", flags) }.contains("symbolic link"))
                #expect(why { _ = try OutputFile.open(folder + "/twin", flags) }.contains("hard link"))
            }
            #expect(try String(contentsOfFile: folder + "/dear", encoding: .utf8) == "dear\n")
            // Nor one that leads nowhere, by which a file would be made elsewhere.
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/lost", withDestinationPath: folder + "/made")
            #expect(why { _ = try OutputFile.open(folder + "/lost", O_APPEND) }.contains("symbolic link"))
            #expect(!FileManager.default.fileExists(atPath: folder + "/made"))
        }
    }

    @Test func aPipeIsNotWaitedFor() throws {
        try inFolder { folder in
            let path = folder + "/pipe"
            #expect(mkfifo(path, 0o600) == 0)
            #expect(why { _ = try OutputFile.open(path, O_APPEND) }.contains("nobody reads"))
            let reader = open(path, O_RDONLY | O_NONBLOCK)
            defer { close(reader) }
            let (descriptor, kind) = try OutputFile.open(path, O_APPEND)
            defer { close(descriptor) }
            #expect(kind == .stream)
            // Nor is one that is full.
            let chunk = [UInt8](repeating: 0, count: 4096)
            var last = 0
            while last >= 0 { last = write(descriptor, chunk, chunk.count) }
            #expect(errno == EAGAIN)
        }
    }

    @Test func aDeviceMayBeWrittenToAndIsNeverReplaced() throws {
        let (descriptor, kind) = try OutputFile.open("/dev/null", O_APPEND)
        close(descriptor)
        #expect(kind == .stream)
        #expect(why { try OutputFile.checkReplaceable("/dev/null") }.contains("no regular file"))
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func anotherUsersFileIsNeitherWrittenNorReplaced() throws {
        try inFolder { folder in
            let path = folder + "/theirs"
            try "theirs".write(toFile: path, atomically: false, encoding: .utf8)
            #expect(chown(path, 65534, 65534) == 0)
            for flags in [O_APPEND, O_TRUNC] {
                #expect(why { _ = try OutputFile.open(path, flags) }.contains("another user"))
            }
            #expect(why { try OutputFile.checkReplaceable(path) }.contains("another user"))
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "theirs")
        }
    }

    @Test func ownFilesAreMadeAppendedToAndCutOff() throws {
        try inFolder { folder in
            let path = folder + "/own"
            for (flags, text) in [(O_APPEND, "ab"), (O_APPEND, "abab"), (O_TRUNC, "ab")] {
                let (descriptor, kind) = try OutputFile.open(path, flags)
                #expect(kind == .file)
                #expect(write(descriptor, "ab", 2) == 2)
                close(descriptor)
                #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
            }
            #expect(try OutputFile.checkReplaceable(path))
            #expect(try !OutputFile.checkReplaceable(folder + "/absent"))
        }
    }

    @Test func onlyASocketIsTakenForALeftOverOne() throws {
        try inFolder { folder in
            let path = folder + "/file"
            try "dear".write(toFile: path, atomically: false, encoding: .utf8)
            UnixAddress.removeAbandoned(path)
            #expect(FileManager.default.fileExists(atPath: path))
        }
    }
}
