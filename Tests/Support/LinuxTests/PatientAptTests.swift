import Foundation
import Linux
import Testing

/// `deploy/apt-get` with the real apt, on a folder of lists of its own.
@Suite struct PatientAptTests {
    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../deploy/apt-get").standardizedFileURL.path

    @Test func whileAnotherFetchesListsItWaitsAndSaysSo() throws {
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/apt-get") else { return }
        let folder = FileManager.default.temporaryDirectory.path + "/srup-apt-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder + "/partial", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // As apt locks: fcntl(2), of this process.
        let held = open(folder + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        #expect(fcntl(held, F_SETLK, &lock) == 0)
        let log = open(folder + "/words", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        let process = try ChildProcess.start(
            "/bin/bash",
            [
                Self.script, "-o", "Dir::State::lists=\(folder)", "-o", "Dir::Etc::sourcelist=/dev/null", "-o",
                "Dir::Etc::sourceparts=-", "-o", "APT::Update::Post-Invoke-Success=", "-qq", "update",
            ], descriptors: [1: log, 2: log])
        close(log)
        func words() -> String { (try? String(contentsOfFile: folder + "/words", encoding: .utf8)) ?? "" }
        let deadline = ContinuousClock.now + .seconds(60)
        while !words().contains("waiting"), ContinuousClock.now < deadline { usleep(20_000) }
        #expect(words().contains("waiting for another program that installs packages (Could not get lock"))
        #expect(ChildProcess.reap(process) == nil)
        close(held)
        #expect(ChildProcess.wait(process, until: .now + .seconds(120)) == .exited(0), "\(words())")
    }
}
