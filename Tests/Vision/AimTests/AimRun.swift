import Linux
import Foundation
import Luma
import TestProcesses
import Testing

/// The real program before a folder of pictures, and real HTTP.
final class AimRun {
    let runner: ProgramRunner
    private var questions = 0

    init() throws {
        runner = try ProgramRunner()
        try FileManager.default.createDirectory(atPath: runner.path("eye"), withIntermediateDirectories: true)
    }

    deinit {
        runner.close()
    }

    /// Puts pictures before the camera, in place of others.
    func show(_ frames: [LumaPicture]) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: runner.path("eye")) {
            try FileManager.default.removeItem(atPath: runner.path("eye/\(name)"))
        }
        for (index, frame) in frames.enumerated() {
            var bytes = Data("P5\n\(frame.width) \(frame.height)\n255\n".utf8)
            bytes.append(contentsOf: frame.pixels)
            try bytes.write(to: URL(fileURLWithPath: runner.path("eye/\(1000 + index).pgm")), options: .atomic)
        }
    }

    /// Runs `srup-observer aim` to its end.
    func run(_ arguments: [String], device: String? = nil) throws -> Int32 {
        try runner.run(
            "srup-observer", ["aim", "--device", device ?? "folder:\(runner.path("eye"))"] + arguments, as: "aim")
    }

    func start(_ arguments: [String]) throws {
        try runner.start("srup-observer", ["aim", "--device", "folder:\(runner.path("eye"))"] + arguments, as: "aim")
    }

    var output: String { (try? String(contentsOfFile: runner.path("log/aim.log"), encoding: .utf8)) ?? "" }

    /// What it has told with `--json`, by the event's name.
    func lines(_ event: String) -> [[String: Any]] {
        output.split(separator: "\n").compactMap {
            try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }.filter { $0["event"] as? String == event }
    }

    /// Waits for a condition, two minutes at most.
    func wait(_ what: String, until condition: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while try !condition() {
            guard .now < deadline else {
                throw ProgramRunner.Failure(description: "waited in vain for \(what):\n\(output)")
            }
            usleep(20_000)
        }
    }

    /// Starts it with a page on loopback; returns the page's address.
    func startPage(_ arguments: [String] = []) throws -> String {
        try start(["--web", "127.0.0.1:0", "--json"] + arguments)
        try wait("the page") { !self.lines("page").isEmpty }
        let urls = try #require(lines("page").first?["urls"] as? [String])
        return try #require(urls.first)
    }

    struct Answer {
        let status: Int
        let headers: String
        let body: Data

        /// The value of a header.
        func header(_ name: String) -> String? {
            headers.split(whereSeparator: \.isNewline).first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
                .map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
        }
    }

    /// Asks with the real curl.
    func curl(_ url: String, _ options: [String] = []) throws -> Answer {
        let head = runner.path("head\(questions)")
        let (status, body) = try #require(try ask([url], ["-D", head] + options).first)
        let headers = (try? String(contentsOfFile: head, encoding: .isoLatin1)) ?? ""
        return Answer(status: status, headers: headers, body: body)
    }

    /// Asks several things, so soon after each other that none of the askers has gone meanwhile; what it is told.
    func curl(inOneGo urls: [String]) throws -> [(status: Int, text: String)] {
        try ask(urls).map { ($0.status, String(decoding: $0.body, as: UTF8.self)) }
    }

    /// One run of curl; a status of 0 where it got no answer.
    private func ask(_ urls: [String], _ options: [String] = []) throws -> [(status: Int, body: Data)] {
        questions += 1
        let role = "curl\(questions)"
        let bodies = urls.indices.map { runner.path("body\(questions)-\($0)") }
        _ = try runner.run(
            "/usr/bin/curl",
            ["-s", "-g", "--max-time", "60", "-w", "%{http_code} "] + options
                + zip(urls, bodies).flatMap { [$0, "-o", $1] },
            as: role)
        let statuses = try String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8).split(separator: " ")
        return zip(statuses, bodies).map { status, body in
            (Int(status) ?? 0, FileManager.default.contents(atPath: body) ?? Data())
        }
    }

    /// A connection to the page's port from an address on loopback; not closed by itself.
    static func connect(_ url: String, from source: String = "127.0.0.1") throws -> Int32 {
        let port = try #require(URL(string: url)?.port)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        func address(_ host: String, _ port: Int) -> sockaddr_in {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(port).bigEndian
            inet_pton(AF_INET, host, &address.sin_addr)
            return address
        }
        for (index, end) in [address(source, 0), address("127.0.0.1", port)].enumerated() {
            let code = withUnsafePointer(to: end) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
                    return index == 0 ? bind(descriptor, $0, size) : Glibc.connect(descriptor, $0, size)
                }
            }
            guard code == 0 else {
                throw ProgramRunner.Failure(description: "no connection: \(String(cString: strerror(errno)))")
            }
        }
        return descriptor
    }

    /// Sends bytes and takes what comes until the other side closes, for a minute at most.
    static func say(_ bytes: [UInt8], to url: String) throws -> [UInt8] {
        let descriptor = try connect(url)
        defer { close(descriptor) }
        _ = send(descriptor, bytes, bytes.count, SocketFlags.noSignal)
        shutdown(descriptor, SocketFlags.endWriting)
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while answer.count < 1 << 20, case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 {
            answer += buffer[..<count]
        }
        return answer
    }
}
