import Foundation
import Linux
import TestProcesses
import Testing

/// A machine whose video nodes are described in files: `cameras/fakecam.c`, preloaded into the real program.
final class FakeCamera {
    let runner: ProgramRunner

    /// The instrument, compiled; `nil` without a C compiler.
    private static let library: String? = {
        guard let source = try? CameraFile.path("fakecam.c") else { return nil }
        let path = NSTemporaryDirectory() + "srup-fakecam-\(getpid()).so"
        guard
            let compiler = try? ChildProcess.start(
                "/usr/bin/cc", ["-std=gnu11", "-shared", "-fPIC", "-o", path, source, "-ldl"]),
            ChildProcess.wait(compiler, until: .now + .seconds(60)) == .exited(0)
        else { return nil }
        return path
    }()
    static var isPossible: Bool { library != nil }

    init() throws {
        runner = try ProgramRunner()
        for folder in ["class", "bin"] {
            try FileManager.default.createDirectory(atPath: runner.path(folder), withIntermediateDirectories: true)
        }
    }

    deinit {
        runner.close()
    }

    /// Plugs a node in: lines of a description, and its name in /sys.
    func plug(_ number: Int, _ lines: [String], name: String = "Camera in a file") throws {
        try runner.write(lines.map { $0 + "\n" }.joined(), to: "video\(number).conf")
        try FileManager.default.createDirectory(
            atPath: runner.path("class/video\(number)"), withIntermediateDirectories: true)
        try runner.write(name + "\n", to: "class/video\(number)/name")
    }

    /// A camera that shows the code.
    func plugCode(_ number: Int, as file: String = "jpeg-control.jpg") throws {
        try plug(number, ["format=MJPG 640x360@30", "frame=\(CameraFile.path(file))"])
    }

    /// Runs `srup-witness` to its end; the lines it has printed. A program of this test's is found before the machine's.
    func witness(_ arguments: [String], within seconds: Int = 60) throws -> [String] {
        _ = try runner.run(
            "/usr/bin/env", environment + [ProgramRunner.ownFolder + "/srup-witness"] + arguments, as: "run",
            within: seconds)
        return lines("run")
    }

    /// Starts `srup-witness`, or a shell command in which it is "$0".
    func start(_ arguments: [String], shell: String? = nil) throws {
        let program = ProgramRunner.ownFolder + "/srup-witness"
        let command = shell.map { ["/bin/sh", "-c", $0, program] } ?? [program]
        try runner.start("/usr/bin/env", environment + command + arguments, as: "run")
    }

    var environment: [String] {
        [
            "LD_PRELOAD=\(Self.library ?? "")", "FAKECAM_DIR=\(runner.folder)",
            "PATH=\(runner.path("bin")):/usr/bin:/bin",
        ]
    }

    func lines(_ role: String = "run") -> [String] { text("log/\(role).log").split(separator: "\n").map(String.init) }

    /// What was set on the cameras, in order.
    var log: [String] { text("set.log").split(separator: "\n").map(String.init) }

    func text(_ name: String) -> String { (try? String(contentsOfFile: runner.path(name), encoding: .utf8)) ?? "" }
}

/// Waits for something that a test brings about, generously.
func becomesTrue(_ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(40)
    while ContinuousClock.now < deadline {
        if try condition() { return true }
        usleep(20_000)
    }
    return try condition()
}
