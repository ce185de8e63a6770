import Foundation
import Linux
import Testing

/// A real HTTPS server for one test, with the faults that the test wants.
final class WebServer {
    let folder: String
    private(set) var port = 0
    private var process: pid_t = 0
    var authority: String { folder + "/ca.pem" }

    init() throws {
        folder = NSTemporaryDirectory() + "srup-web-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder + "/www", withIntermediateDirectories: true)
        let certificate = try ChildProcess.start(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder + "/key.pem",
                "-out", authority,
            ], descriptors: [2: open("/dev/null", O_WRONLY)])
        try #require(ChildProcess.wait(certificate, until: .now + .seconds(60)) == .exited(0))
        try start()
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// At the same port as before.
    func start() throws {
        let script = try #require(Bundle.module.path(forResource: "webserver", ofType: "py"))
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        process = try ChildProcess.start(
            "/usr/bin/python3", [script, folder + "/www", authority, folder + "/key.pem", String(port)],
            descriptors: [1: ends[1]])
        close(ends[1])
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while read(ends[0], &byte, 1) == 1, byte != 10 { line.append(byte) }
        close(ends[0])
        port = try #require(Int(String(decoding: line, as: UTF8.self)), "the web server has not started")
    }

    func stop() {
        if process > 0 { ChildProcess.end(process) }
        process = 0
    }

    func url(_ name: String) -> String { "https://localhost:\(port)/\(name)" }

    func put(_ bytes: [UInt8], as name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/www/\(name)"))
    }

    /// For a file's name, or "*".
    func fault(_ name: String, _ faults: [String: Any]) throws {
        let object = [name == "*" ? name : "/" + name: faults]
        try JSONSerialization.data(withJSONObject: object).write(
            to: URL(fileURLWithPath: folder + "/www/faults.json"), options: .atomic)
    }

    func healthy() { try? FileManager.default.removeItem(atPath: folder + "/www/faults.json") }

    /// How many bytes were sent of a file, and in how many answers.
    func sent(_ name: String) -> (bytes: Int, answers: Int) {
        let lines = ((try? String(contentsOfFile: folder + "/www/log", encoding: .utf8)) ?? "").split(separator: "\n")
            .map { $0.split(separator: " ") }.filter { $0.first == "/\(name)" }
        return (lines.reduce(0) { $0 + (Int($1[3]) ?? 0) }, lines.count)
    }
}
