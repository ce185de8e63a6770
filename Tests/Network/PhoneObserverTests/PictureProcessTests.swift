import CodeWriter
import AimPage
import Foundation
import Linux
import Luma
import CodeWriter
import TestProcesses
import Testing

@testable import PhoneObserver

/// Pictures that strangers may have made, looked at by "srup-c2 read-picture".
@Suite struct PictureProcessTests {
    private let value = (0..<16).map { UInt8($0 * 16 + 5) }

    private func own() -> PictureProcess {
        var process = PictureProcess()
        process.program = ProgramRunner.ownFolder + "/srup-c2"
        process.patience = .seconds(120)
        return process
    }

    private func standIn(_ program: String, _ arguments: [String], patience: Duration = .seconds(60)) -> PictureProcess
    {
        var process = PictureProcess()
        process.program = program
        process.arguments = arguments
        process.patience = patience
        return process
    }

    private func drawn(scale: Int = 6) throws -> LumaPicture {
        let text = Array(value.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined().utf8)
        return try text.withUnsafeBytes { text in
            let (side, pixels) = try QRMatrix(hex: text).pixels(scale: scale)
            return try #require(LumaPicture(width: side, height: side, pixels: pixels))
        }
    }

    private func jpeg(quality: Int = 80) throws -> [UInt8] {
        let encoder = try #require(JPEGEncoder())
        return try #require(encoder.encoded(try drawn(), quality: quality))
    }

    private func pgm(_ text: String) throws -> [UInt8] {
        let bytes = Array(text.utf8)
        return try bytes.withUnsafeBytes { text in
            let (side, pixels) = try QRMatrix(text).pixels(scale: 6)
            return Array("P5\n\(side) \(side)\n255\n".utf8) + pixels
        }
    }

    /// Big-endian, as in PNG.
    private func number(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(value >> (24 - 8 * $0) & 0xFF) } }

    // MARK: What is in it

    @Test func itSaysWhatAJPEGShows() throws {
        let report = try own().report(on: try jpeg())
        #expect(report.seen.map(\.value) == [value])
        #expect(report.seen.first?.how.hasPrefix("qr at ") == true)
        #expect(report.unusable == nil && report.others == 0)
    }

    @Test func itSaysWhatElseIsThere() throws {
        let address = try own().report(on: try pgm("https://example.net/"))
        #expect(address.seen.isEmpty && address.others == 1)
        let empty = Array("P5\n300 300\n255\n".utf8) + [UInt8](repeating: 128, count: 90_000)
        #expect(try own().report(on: empty) == PictureReport())
        let dark = Array("P5\n300 300\n255\n".utf8) + [UInt8](repeating: 3, count: 90_000)
        #expect(try own().report(on: dark).light == .dark)
        let bright = Array("P5\n300 300\n255\n".utf8) + [UInt8](repeating: 254, count: 90_000)
        #expect(try own().report(on: bright).light == .bright)
    }

    @Test func aCodeThatCannotBeReadIsSaidToBeThere() throws {
        let picture = try drawn(scale: 8)
        var pixels = picture.pixels
        // All that says something is painted over; what a reader finds it by is left.
        let module = 8
        for y in 13 * module..<28 * module {
            for x in 13 * module..<28 * module where (x / module + y / module) % 3 != 0 {
                pixels[y * picture.width + x] ^= 0xFF
            }
        }
        let bytes = Array("P5\n\(picture.width) \(picture.height)\n255\n".utf8) + pixels
        let report = try own().report(on: bytes)
        #expect(report.seen.isEmpty)
        #expect(!report.unread.isEmpty)
    }

    // MARK: Pictures that are none

    @Test func aPNGThatClaimsTenGigapixelsIsRefused() throws {
        var header = Array("IHDR".utf8) + number(100_000) + number(100_000) + [8, 0, 0, 0, 0]
        header = number(13) + header + number(0)
        let bytes =
            [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + header + number(0) + Array("IEND".utf8) + number(0)
        let report = try own().report(on: bytes)
        #expect(report.unusable != nil && report.seen.isEmpty)
    }

    @Test func aJPEGThatEndsAnywhereIsNoMoreThanUnusable() throws {
        let whole = try jpeg()
        for part in [2, 20, whole.count / 3, whole.count / 2, whole.count - 2] {
            let report = try own().report(on: Array(whole.prefix(part)))
            #expect(report.unusable != nil || report.seen.allSatisfy { $0.value == value })
        }
        #expect(try own().report(on: Array(whole.prefix(20))).unusable != nil)
    }

    @Test func whatIsNoPictureIsUnusable() throws {
        for bytes in [[], [0], Array("hello".utf8), [UInt8](repeating: 0xFF, count: 5000)] as [[UInt8]] {
            #expect(try own().report(on: bytes).unusable != nil)
        }
        let large = [UInt8](repeating: 0xFF, count: PictureProcess.maximumPicture + 1)
        #expect(try own().report(on: large).unusable == "it is too large")
    }

    // MARK: Processes that do something else

    private func failure(_ process: PictureProcess) -> String? {
        do throws(PictureProcess.Failure) {
            _ = try process.report(on: [1, 2, 3])
            return nil
        } catch {
            return error.description
        }
    }

    @Test func aProcessThatHangsIsEnded() {
        let began = ContinuousClock.now
        let why = failure(standIn("/bin/sleep", ["1000"], patience: .milliseconds(300)))
        #expect(why?.contains("it hung") == true)
        #expect(ContinuousClock.now - began < .seconds(500))
    }

    @Test func whatItHasStartedIsEndedWithIt() async throws {
        let mark = "86400.\(getpid())"
        #expect(failure(standIn("/bin/sh", ["-c", "sleep \(mark) & wait"], patience: .seconds(1))) != nil)
        func isThere() -> Bool {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
            return names.contains { name in
                guard Int(name) != nil, let line = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else {
                    return false
                }
                return String(decoding: line, as: UTF8.self) == "sleep\0\(mark)\0"
            }
        }
        let end = ContinuousClock.now + .seconds(60)
        while isThere(), .now < end { try await Task.sleep(for: .milliseconds(20)) }
        #expect(!isThere())
    }

    @Test func aProcessThatDiesIsAFailure() {
        #expect(failure(standIn("/bin/false", []))?.contains("code 1") == true)
        #expect(failure(standIn("/bin/sh", ["-c", "kill -SEGV $$"]))?.contains("signal 11") == true)
        #expect(failure(standIn("/nowhere/at/all", [])) != nil)
    }

    @Test(arguments: [
        "", "seen 00112233445566778899aabbccddeeff qr\n", "end", "end\nend\n", "hello\nend\n", "others -1\nend\n",
        "others 99999\nend\n", "light green\nend\n", "seen 0011 qr\nend\n", "ready all\nend\n",
        "tapped 00112233445566778899aabbccddeeff p2p\nend\n", "lost it\nend\n",
    ])
    func whatItSaysMustBeAReport(_ text: String) throws {
        #expect(PictureReport(text) == nil)
        #expect(failure(standIn("/bin/sh", ["-c", "cat >/dev/null; printf '%s' \"$0\"", text])) != nil)
    }

    @Test func aProcessThatSaysTooMuchIsAFailure() {
        let lines = String(repeating: "seen 00112233445566778899aabbccddeeff qr at 1,2 to 3,4 of 5x6\n", count: 201)
        #expect(PictureReport(lines + "end\n") == nil)
        #expect(failure(standIn("/bin/sh", ["-c", "head -c 60000 /dev/zero"])) != nil)
        // The pipe is full, and nobody reads on.
        #expect(failure(standIn("/bin/cat", ["/dev/zero"], patience: .seconds(1))) != nil)
    }

    @Test func theLargestPictureArrivesWhole() throws {
        let script =
            "test \"$(cat | cksum | cut -d' ' -f2)\" = \(PictureProcess.maximumPicture) && printf 'others 5\\nend\\n'"
        let picture = [UInt8](repeating: 0x5A, count: PictureProcess.maximumPicture)
        #expect(try standIn("/bin/sh", ["-c", script]).report(on: picture).others == 5)
    }

    @Test func whoDoesNotReadAllOfItMayAnswerAllTheSame() throws {
        let picture = [UInt8](repeating: 0x5A, count: PictureProcess.maximumPicture)
        let deaf = standIn("/bin/sh", ["-c", "exec <&-; printf 'others 6\\nend\\n'"])
        #expect(try deaf.report(on: picture).others == 6)
        // And one that closes both ends and stays is ended when its time is up.
        #expect(failure(standIn("/bin/sh", ["-c", "exec <&- >&-; sleep 1000"], patience: .seconds(1))) != nil)
    }

    @Test func aReportComesThroughAsItWas() throws {
        var report = PictureReport()
        report.seen = [.init(value: value, how: "qr at 1,2 to 3,4 of 5x6")]
        report.unread = ["1,2 to 3,4 of 5x6"]
        report.others = 3
        report.light = .bright
        #expect(PictureReport(report.text) == report)
        #expect(PictureReport(PictureReport(unusable: "no\npicture\u{1B}[0m").text)?.unusable?.contains("\n") == false)
    }

    /// Nothing of ours reaches it: no descriptor but its three, no variable.
    @Test func itGetsThePictureAndNothingElse() {
        let script =
            "test \"$(ls /proc/self/fd | wc -l)\" -le 4 && test -z \"$(env | grep -v ^PWD= | grep -v ^SHLVL= | grep -v ^_=)\" && "
            + "test \"$(cat | wc -c)\" = 3 && printf 'others 7\\nend\\n'"
        setenv("SRUP_SECRET_OF_A_TEST", "1", 1)
        defer { unsetenv("SRUP_SECRET_OF_A_TEST") }
        let process = standIn("/bin/sh", ["-c", script])
        #expect((try? process.report(on: [1, 2, 3]))?.others == 7)
    }

    /// The limits are its own, and it can do nothing but compute.
    @Test func itsMemoryAndTimeAreBounded() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let hold = Pipe()
        let process = try ChildProcess.start(
            ProgramRunner.ownFolder + "/srup-c2", ["read-picture"],
            descriptors: [0: hold.fileHandleForReading.fileDescriptor])
        defer { ChildProcess.end(process) }
        let end = ContinuousClock.now + .seconds(60)
        var limits = ""
        while .now < end {
            limits = (try? String(contentsOfFile: "/proc/\(process)/limits", encoding: .utf8)) ?? ""
            if limits.range(of: "Max address space +1073741824", options: .regularExpression) != nil { break }
            usleep(10_000)
        }
        for wanted in [
            "Max address space +1073741824", "Max cpu time +15 ", "Max core file size +0 ", "Max file size +0 ",
        ] {
            #expect(limits.range(of: wanted, options: .regularExpression) != nil, "\(wanted) in \(limits)")
        }
        // None of its threads can do more than compute: filter mode.
        func modes() -> [String] {
            let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
            return threads.map { thread in
                let text =
                    (try? String(contentsOfFile: "/proc/\(process)/task/\(thread)/status", encoding: .utf8)) ?? ""
                return text.split(separator: "\n").first { $0.hasPrefix("Seccomp:") }.map(String.init) ?? ""
            }
        }
        while .now < end, !modes().allSatisfy({ $0 == "Seccomp:\t2" }) { usleep(10_000) }
        #expect(!modes().isEmpty && modes().allSatisfy { $0 == "Seccomp:\t2" }, "\(modes())")
    }
}
