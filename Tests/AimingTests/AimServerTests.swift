import Foundation
import Glibc
import Testing

@testable import Aiming

@Suite struct AimServerTests {
    let server: AimServer

    init() throws {
        server = try AimServer(address: "127.0.0.1", port: 0)
    }

    /// Sends bytes to the server from one of the machine's loopback addresses, and reads until it closes or says no more.
    func ask(_ text: String, from client: String = "127.0.0.1") -> String {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var own = sockaddr_in()
        own.sin_family = sa_family_t(AF_INET)
        inet_pton(AF_INET, client, &own.sin_addr)
        var other = own
        inet_pton(AF_INET, "127.0.0.1", &other.sin_addr)
        other.sin_port = server.port.bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isConnected =
            withUnsafePointer(to: &own) { own in
                own.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) == 0 }
            }
            && withUnsafePointer(to: &other) { other in
                other.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) == 0 }
            }
        guard isConnected else { return "" }
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let bytes = Array(text.utf8)
        _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = recv(descriptor, &chunk, chunk.count, 0), count > 0 { answer += chunk.prefix(count) }
        return String(decoding: answer, as: UTF8.self)
    }

    func get(_ path: String, from client: String = "127.0.0.1", method: String = "GET") -> String {
        ask("\(method) \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", from: client)
    }

    @Test func onlyWhoKnowsTheWordGetsThePage() {
        #expect(server.path.count == 34)
        #expect(get(server.path).hasPrefix("HTTP/1.1 200"))
        for path in [
            "/", "/state.json", server.path.dropLast(2) + "x/", "/../../etc/passwd", "//" + server.path.dropFirst(),
        ] {
            #expect(get(String(path)).hasPrefix("HTTP/1.1 404"), "\(path)")
        }
        #expect(get(server.path + "../../etc/passwd").hasPrefix("HTTP/1.1 404"))
        #expect(get(server.path, method: "POST").hasPrefix("HTTP/1.1 405"))
    }

    @Test func stateAndPictureAreServedOnceThereAreAny() {
        #expect(get(server.path + "state.json").hasPrefix("HTTP/1.1 404"))
        server.show(state: Array("{\"a\":1}".utf8), picture: [0xFF, 0xD8])
        #expect(get(server.path + "state.json").hasSuffix("{\"a\":1}"))
        #expect(get(server.path + "picture.jpg").contains("image/jpeg"))
        #expect(server.isWatched)
    }

    @Test func theFifthViewerIsTurnedAway() {
        for number in 1...4 { #expect(get(server.path, from: "127.0.0.\(number)").hasPrefix("HTTP/1.1 200")) }
        #expect(get(server.path, from: "127.0.0.5").hasPrefix("HTTP/1.1 503"))
        #expect(get(server.path, from: "127.0.0.2").hasPrefix("HTTP/1.1 200"))
    }

    @Test func garbageAndHugeRequestsHarmNobody() {
        _ = ask("\u{0}\u{1}\u{2}\r\n\r\n")
        _ = ask("GET \(server.path) HTTP/1.1\r\n" + String(repeating: "X: y\r\n", count: 50_000) + "\r\n")
        _ = ask("GET /" + String(repeating: "a", count: 1_000_000) + " HTTP/1.1\r\n\r\n")
        #expect(get(server.path).hasPrefix("HTTP/1.1 200"))
    }

    @Test func aPortInUseIsAnError() {
        #expect(throws: AimServer.Failure.self) { try AimServer(address: "127.0.0.1", port: server.port) }
        #expect(throws: AimServer.Failure.self) { try AimServer(address: "localhost", port: 0) }
    }
}
