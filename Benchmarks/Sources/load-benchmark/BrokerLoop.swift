import CLoad
import Foundation

/// A connection that could not be made or was lost.
struct ConnectionProblem: Error, CustomStringConvertible {
    let description: String
}

/// Thousands of MQTT connections on one thread.
///
/// libmosquitto would need three descriptors and a TLS context for each: 10,000 do not fit into the 20,000 descriptors that
/// a process gets.
final class BrokerLoop {
    private let epoll = load_epoll_new()
    private var connections: [UInt64: MQTTConnection] = [:]
    private var next: UInt64 = 0
    private var numbers = [UInt64](repeating: 0, count: 256)
    private var events = [Int32](repeating: 0, count: 256)
    /// For what is read; each connection keeps only what is not a whole packet yet.
    fileprivate var buffer = [UInt8](repeating: 0, count: 65536)
    private var nextPings = clock() + 5

    /// CLOCK_MONOTONIC in seconds.
    static func clock() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    deinit { close(epoll) }

    /// Begins to connect.
    ///
    /// - Throws: ``ConnectionProblem`` when not even a socket can be had.
    func connect(_ place: MQTTConnection.Place, certificate: String, clientID: String, topic: String) throws
        -> MQTTConnection
    {
        let number = next
        next += 1
        let connection = try MQTTConnection(
            place, number: number, certificate: certificate, clientID: clientID, topic: topic)
        connections[number] = connection
        connection.loop = self
        load_epoll_set(epoll, connection.socket, number, Int32(LOAD_READABLE | LOAD_WRITABLE), 1)
        return connection
    }

    fileprivate func wants(_ connection: MQTTConnection, write: Bool) {
        load_epoll_set(
            epoll, connection.socket, connection.number, Int32(LOAD_READABLE | (write ? LOAD_WRITABLE : 0)), 0)
    }

    fileprivate func forget(_ connection: MQTTConnection) { connections[connection.number] = nil }

    /// Handles what comes until the condition holds; `false` when it does not in time.
    @discardableResult
    func run(until isDone: () -> Bool, within seconds: Double) -> Bool {
        let deadline = Self.clock() + seconds
        while !isDone() {
            let now = Self.clock()
            guard now < deadline else { return false }
            turn(milliseconds: Int32(min(20, max(1, (deadline - now) * 1000))))
        }
        return true
    }

    /// Handles what comes for so long.
    func run(for seconds: Double) { run(until: { false }, within: seconds) }

    private func turn(milliseconds: Int32) {
        let count = load_epoll_wait(epoll, &numbers, &events, 256, milliseconds)
        for index in 0..<max(0, Int(count)) {
            guard let connection = connections[numbers[index]] else { continue }
            connection.proceed(&buffer)
        }
        let now = Self.clock()
        guard now >= nextPings else { return }
        nextPings = now + 5
        for connection in connections.values { connection.pingIfDue(now) }
    }
}

/// MQTT 3.1.1 over TLS with a client certificate, as much as a participant needs of it: one subscription, QoS 1 both ways, a
/// persistent session. Used on its loop's thread.
final class MQTTConnection {
    /// Where the broker is.
    struct Place {
        let port: Int
        /// Of ``load_tls_context``.
        let context: UnsafeMutableRawPointer
    }

    enum Event {
        /// Accepted, and subscribed.
        case ready
        case message([UInt8])
        /// The broker has confirmed a publication.
        case confirmed
        case lost(String)
    }

    let number: UInt64
    let socket: Int32
    fileprivate weak var loop: BrokerLoop?
    var handler: ((Event) -> Void)?
    private(set) var isReady = false
    /// Published and not confirmed.
    private(set) var unconfirmed = 0
    private let clientID: String
    private let topic: String
    private var tls: UnsafeMutableRawPointer?
    private var hasShakenHands = false
    private var isWaitingToWrite = true
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    private var written = 0
    private var packet: UInt16 = 0
    private var lastSent = BrokerLoop.clock()

    /// As the programs have it.
    private static let keepAlive: UInt16 = 60

    fileprivate init(_ place: Place, number: UInt64, certificate: String, clientID: String, topic: String) throws {
        self.number = number
        self.clientID = clientID
        self.topic = topic
        socket = load_connect(Int32(place.port))
        guard socket >= 0 else { throw ConnectionProblem(description: String(cString: strerror(errno))) }
        var pem = certificate
        tls = pem.withUTF8 { load_tls_new(place.context, socket, $0.baseAddress, $0.count, "localhost") }
        guard tls != nil else {
            Foundation.close(socket)
            throw ConnectionProblem(description: "OpenSSL does not take the certificate")
        }
    }

    deinit { release() }

    private func release() {
        guard let tls else { return }
        load_tls_free(tls)
        self.tls = nil
        Foundation.close(socket)
    }

    /// Closes the connection as a power cut does: without a word.
    func drop() {
        isReady = false
        handler = nil
        loop?.forget(self)
        release()
    }

    private func lose(_ why: String) {
        let handler = handler
        drop()
        handler?(.lost(why))
    }

    private func problem() -> String {
        guard let tls else { return "closed" }
        var text = [CChar](repeating: 0, count: 256)
        load_tls_problem(tls, &text, text.count)
        let words = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return words.isEmpty ? "the broker closed the connection" : words
    }

    // MARK: Sending

    /// Publishes with QoS 1.
    func publish(_ payload: [UInt8], to topic: String) {
        let name = Array(topic.utf8)
        unconfirmed += 1
        send(0x32, Self.counted(name) + Self.number(nextPacket()) + payload)
    }

    func pingIfDue(_ now: Double) {
        if isReady, now - lastSent > Double(Self.keepAlive) * 0.75 { send(0xC0, []) }
    }

    private func nextPacket() -> UInt16 {
        packet = packet == .max ? 1 : packet + 1
        return packet
    }

    private static func number(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }
    private static func counted(_ bytes: [UInt8]) -> [UInt8] { number(UInt16(bytes.count)) + bytes }

    private func send(_ head: UInt8, _ body: [UInt8]) {
        output.append(head)
        var length = body.count
        repeat {
            output.append(UInt8(length & 0x7F) | (length > 0x7F ? 0x80 : 0))
            length >>= 7
        } while length > 0
        output += body
        lastSent = BrokerLoop.clock()
        if hasShakenHands { flush() }
    }

    private func flush() {
        while written < output.count, let tls {
            let count = output.withUnsafeBytes {
                load_tls_write(tls, $0.baseAddress?.advanced(by: written), Int32($0.count - written))
            }
            if count > 0 {
                written += Int(count)
            } else if count == Int32(LOAD_TLS_END) {
                return lose(problem())
            } else {
                return wait(write: count == Int32(LOAD_TLS_WRITE))
            }
        }
        output.removeAll()
        written = 0
        wait(write: false)
    }

    private func wait(write: Bool) {
        guard write != isWaitingToWrite else { return }
        isWaitingToWrite = write
        loop?.wants(self, write: write)
    }

    // MARK: Receiving

    fileprivate func proceed(_ buffer: inout [UInt8]) {
        guard let tls else { return }
        if !hasShakenHands {
            let code = load_tls_handshake(tls)
            if code == Int32(LOAD_TLS_END) { return lose(problem()) }
            guard code == 0 else { return wait(write: code == Int32(LOAD_TLS_WRITE)) }
            hasShakenHands = true
            greet()
        }
        if isWaitingToWrite { flush() }
        while let tls = self.tls {
            let count = load_tls_read(tls, &buffer, Int32(buffer.count))
            if count > 0 {
                input += buffer[..<Int(count)]
                takePackets()
            } else if count == Int32(LOAD_TLS_END) {
                return lose(problem())
            } else {
                return
            }
        }
    }

    private func greet() {
        send(
            0x10,
            Self.counted(Array("MQTT".utf8)) + [4, 0] + Self.number(Self.keepAlive) + Self.counted(Array(clientID.utf8))
        )
    }

    private func takePackets() {
        var start = 0
        while tls != nil {
            var (length, shift, index) = (0, 0, start + 1)
            while true {
                guard index < input.count, shift <= 21 else { break }
                length |= Int(input[index] & 0x7F) << shift
                shift += 7
                index += 1
                if input[index - 1] & 0x80 == 0 { break }
            }
            guard index > start + 1, index <= input.count, input[index - 1] & 0x80 == 0, index + length <= input.count
            else { break }
            let (head, body) = (input[start], input[index..<(index + length)])
            start = index + length
            take(head, body)
        }
        if tls == nil || start == input.count { input = [] } else { input.removeFirst(start) }
    }

    private func take(_ head: UInt8, _ body: ArraySlice<UInt8>) {
        let first = body.startIndex
        switch head >> 4 {
        case 2:
            guard body.count == 2, body[first + 1] == 0 else { return lose("the broker refuses: \(Array(body))") }
            send(0x82, Self.number(nextPacket()) + Self.counted(Array(topic.utf8)) + [1])
        case 9:
            guard body.last == 1 else { return lose("the broker refuses the subscription to \(topic)") }
            isReady = true
            handler?(.ready)
        case 3:
            guard body.count >= 2 else { return lose("a short packet") }
            var index = first + 2 + Int(body[first]) << 8 + Int(body[first + 1])
            if head & 0x06 != 0 {
                guard index + 2 <= body.endIndex else { return lose("a short packet") }
                send(0x40, Array(body[index..<(index + 2)]))
                index += 2
            }
            guard index <= body.endIndex else { return lose("a short packet") }
            handler?(.message(Array(body[index...])))
        case 4:
            unconfirmed -= 1
            handler?(.confirmed)
        default: break
        }
    }
}
