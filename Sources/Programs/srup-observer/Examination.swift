import Glibc
import Linux
import Settings

/// Reads a configuration file in a process of its own first: were the library that reads it to end or to turn round for
/// ever, the card would otherwise be off the network without a word.
struct Examination {
    /// The program that examines: this one, as `prepare --examine`.
    var program = ChildProcess.executable
    var patience: Duration = .seconds(30)

    /// What the examining process may use: many times what a file of the largest size takes.
    private static let processorSeconds: rlim_t = 10
    private static let memory: rlim_t = 1 << 30

    /// - Throws: ``SettingsError`` with what is wrong in the file, or with how its reading ended.
    func examine(_ path: String, name: String) throws(SettingsError) {
        func failure(_ why: String) -> SettingsError { SettingsError(file: name, line: 0, key: nil, problem: why) }
        let content = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard content >= 0 else { throw failure("cannot be read: \(String(cString: strerror(errno)))") }
        defer { close(content) }
        // What is told fits into the pipe.
        var answer: [Int32] = [-1, -1]
        guard pipe(&answer) == 0 else { throw failure("cannot be examined: \(String(cString: strerror(errno)))") }
        defer { for descriptor in answer { close(descriptor) } }
        for descriptor in answer {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        }
        let process: pid_t
        do throws(ChildProcess.Failure) {
            process = try ChildProcess.start(
                program, ["prepare", "--examine"], descriptors: [0: content, 1: answer[1]], ownGroup: false)
        } catch {
            throw failure("cannot be examined: \(error)")
        }
        switch ChildProcess.wait(process, until: .now + patience) {
        case .exited(0): return
        case .exited(Self.refused):
            var text = [UInt8](repeating: 0, count: 4096)
            let count = read(answer[0], &text, text.count)
            throw Told(String(decoding: text.prefix(max(0, count)), as: UTF8.self)).error(name)
        case let end:
            let how = end?.description ?? "it was ended after \(patience)"
            throw failure("has something in it that stops the program that reads it (\(how))")
        }
    }

    private static let refused: Int32 = 78

    /// The other end: examines what is on standard input, prints what is wrong with it.
    ///
    /// - Returns: the exit code.
    static func answer() -> Int32 {
        for (resource, limit) in [(RLIMIT_CPU, processorSeconds), (RLIMIT_AS, memory), (RLIMIT_CORE, 0)] {
            var limits = rlimit(rlim_cur: limit, rlim_max: limit)
            setrlimit(__rlimit_resource_t(resource.rawValue), &limits)
        }
        do throws(SettingsError) {
            _ = try BootConfiguration(try SettingsFile.contents(of: STDIN_FILENO, name: BootConfiguration.name))
            return 0
        } catch {
            print(Told(error).text, terminator: "")
            fflush(nil)
            return refused
        }
    }

    /// An error as it is told from process to process: line, key and problem, a line each.
    private struct Told {
        let text: String

        init(_ text: String) { self.text = text }

        init(_ error: SettingsError) {
            text = "\(error.line)\n\((error.key ?? "").withoutControls)\n\(error.problem.withoutControls)"
        }

        func error(_ name: String) -> SettingsError {
            let parts = text.split(separator: "\n", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3 else { return SettingsError(file: name, line: 0, key: nil, problem: text) }
            return SettingsError(
                file: name, line: Int(parts[0]) ?? 0, key: parts[1].isEmpty ? nil : parts[1], problem: parts[2])
        }
    }
}
