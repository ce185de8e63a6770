import Foundation
import TestProcesses
import Testing

/// A state partition that is full, or that the kernel has made read-only after an error of the card: nothing may be acted
/// upon whose counter is not on disk, nothing crashes, the reason is told, and it goes on when there is room again.
@Suite(.serialized) struct StateDiskTests {
    enum Trouble: String, CaseIterable { case full, readOnly }

    static let canMount =
        geteuid() == 0
        && ["/dev/loop-control", "/usr/sbin/mkfs.ext4"].allSatisfy { FileManager.default.fileExists(atPath: $0) }

    @Test(.enabled(if: canMount, "mounting a disk needs root, loop devices and e2fsprogs"), arguments: Trouble.allCases)
    func aDiskThatTakesNothingCostsVerdictsAndNoMore(_ trouble: Trouble) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let folder = runner.path("observer")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // A file system of a card's kind, since only that can be made to fail as a card does.
        let disk = runner.path("disk.img")
        try runner.must("/usr/bin/truncate", ["-s", "4M", disk], as: "truncate")
        try runner.must("/usr/sbin/mkfs.ext4", ["-q", "-E", "root_owner=0:0", disk], as: "mkfs")
        func mount() throws {
            try runner.must("/usr/bin/mount", ["-o", "loop,errors=remount-ro", disk, folder], as: "mount")
            chmod(folder, 0o700)
        }
        try mount()
        defer { _ = try? runner.run("/usr/bin/umount", ["-l", folder], as: "umount") }

        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(["--policy", "sensor=observed", "--tries", "8", "--observation-timeout", "4"])
        let fifo = try loopback.makeCamera("camera")
        try loopback.bringObserver(
            camera: "fifo:\(fifo)", settings: "[server]\nrejoin = \"600 s\"\n[observe]\ntimeout = \"3 s\"")

        // Now the disk takes no byte any more.
        switch trouble {
        case .full:
            try runner.run(
                "/usr/bin/dd", ["if=/dev/zero", "of=\(folder)/filler", "bs=4k", "status=none"], as: "filler")
        // What ext4 does itself when the card reports an error.
        case .readOnly: try runner.must("/usr/bin/mount", ["-o", "remount,abort", folder], as: "abort")
        }
        let begin = EventFollower.clock()
        try loopback.registerDevice("device", type: "sensor")
        try loopback.startScene(on: fifo, picture: loopback.picture("device"))
        try loopback.startDevice("device")
        let deadline = EventFollower.clock() + 20
        while EventFollower.clock() < deadline, !runner.tail(of: "observer").contains("disk") { usleep(50_000) }
        #expect(runner.tail(of: "observer").contains("disk"), "\(runner.tail(of: "observer"))")
        #expect(runner.isRunning("observer"))
        _ = loopback.events.news()
        #expect(!loopback.events.all.contains { $0.who == "observer" && $0.name == "verdict" && $0.time >= begin })

        switch trouble {
        case .full: unlink("\(folder)/filler")
        case .readOnly:
            // Switched off and on: the file system is checked, and the observer starts.
            runner.stop("observer")
            try runner.must("/usr/bin/umount", [folder], as: "umount")
            try runner.run("/usr/sbin/e2fsck", ["-p", "-f", disk], as: "fsck")
            try mount()
            try loopback.startObserver("observer")
        }
        #expect(try loopback.answer(to: "device", since: begin) == "JOIN_SUCCESS")
    }
}
