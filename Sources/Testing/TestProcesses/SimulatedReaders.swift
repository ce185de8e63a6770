import Linux
import Foundation

/// Simulated PN532 chips in one field, in a program of their own, and a line to it over which contacts and faults are
/// made (hardware/pn532-simulator).
public final class SimulatedReaders {
    private let runner: ProgramRunner
    private let control: Int32
    private var buffer: [UInt8] = []

    /// - Parameters:
    ///   - serial: names of chips behind pseudo terminals.
    ///   - i2c: names of chips behind simulated I2C buses.
    ///   - arguments: of the simulator: `--immediate`, `--speed`.
    public init(_ runner: ProgramRunner, serial: [String], i2c: [String] = [], _ arguments: [String] = []) throws {
        self.runner = runner
        let path = runner.path("readers.control")
        unlink(path)
        var options: [String] = ["--control", path]
        for name in serial { options += ["--serial", "\(name)=" + runner.path("reader-\(name)")] }
        for name in i2c { options += ["--i2c", "\(name)=" + runner.path("bus-\(name)")] }
        try runner.start("srup-pn532-simulator", options + arguments, as: "readers")
        control = try Self.connected(path, runner)
    }

    deinit {
        Glibc.close(control)
    }

    private static func connected(_ path: String, _ runner: ProgramRunner) throws -> Int32 {
        for _ in 0..<500 {
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            let code = UnixAddress.with(path) { connect(descriptor, $0, $1) }
            if code == 0 { return descriptor }
            Glibc.close(descriptor)
            usleep(10_000)
        }
        throw ProgramRunner.Failure(description: "the reader simulator does not start:\n\(runner.tail(of: "readers"))")
    }

    /// What to give libnfc for a chip behind a serial port.
    public func connstring(_ name: String) -> String { "pn532_uart:\(runner.path("reader-\(name)"))" }
    /// The socket of a chip behind an I2C bus.
    public func bus(_ name: String) -> String { runner.path("bus-\(name)") }

    /// Says a command to the simulator (ControlSocket.swift there lists them); its answer without "ok".
    @discardableResult
    public func tell(_ command: String) throws -> String {
        let line = Array((command + "\n").utf8)
        guard send(control, line, line.count, SocketFlags.noSignal) == line.count else {
            throw ProgramRunner.Failure(description: "the reader simulator is gone:\n\(runner.tail(of: "readers"))")
        }
        while true {
            if let end = buffer.firstIndex(of: 10) {
                let answer = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeSubrange(...end)
                guard answer.hasPrefix("ok") else { throw ProgramRunner.Failure(description: "simulator: \(answer)") }
                return String(answer.dropFirst(2).drop { $0 == " " })
            }
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = read(control, &chunk, chunk.count)
            guard count > 0 else {
                throw ProgramRunner.Failure(description: "the reader simulator is gone:\n\(runner.tail(of: "readers"))")
            }
            buffer += chunk.prefix(count)
        }
    }

    /// Its counters.
    public func statistics() throws -> [String: Int] {
        var numbers: [String: Int] = [:]
        for word in try tell("stats").split(separator: " ") {
            let parts = word.split(separator: "=")
            if parts.count == 2 { numbers[String(parts[0])] = Int(parts[1]) }
        }
        return numbers
    }
}
