import CMosquitto
import Dispatch
import Glibc
import Limits
import Linux
import Logging
import ServiceLifecycle
import Storage
import Synchronization

/// Where the broker is and what proves who we are there.
public struct BrokerAddress: Sendable, Hashable {
    /// The broker's host name or address.
    public var host: String
    /// The broker's TCP port.
    public var port: UInt16
    /// PEM file with the certificate authority that signed the broker's certificate.
    public var caFile: String
    /// PEM file with our client certificate.
    public var certificateFile: String
    /// PEM file with the private key of our client certificate.
    public var keyFile: String

    /// The port of MQTT over TLS.
    public static let defaultPort: UInt16 = 8883

    /// A broker and the files that its TLS needs; none is opened yet.
    public init(
        host: String, port: UInt16 = BrokerAddress.defaultPort, caFile: String, certificateFile: String, keyFile: String
    ) {
        self.host = host
        self.port = port
        self.caFile = caFile
        self.certificateFile = certificateFile
        self.keyFile = keyFile
    }
}

/// What the link tells.
public enum BrokerEvent: Sendable {
    /// Connected and subscribed; messages flow.
    case connected
    /// The connection was lost or could not be made; the link goes on trying by itself.
    case disconnected(String)
    case message(topic: String, payload: [UInt8])
    /// The broker has confirmed what was published under this number.
    case confirmed(Int64)
}

/// The connection to the broker: MQTT 3.1.1 over TLS with a client certificate, QoS 1 both ways.
///
/// It connects, subscribes, and after a loss does both again, soon and then later and later (``RetryPace``). The session is
/// persistent: what is published to us while we are away, the broker keeps.
///
/// libmosquitto runs on one thread of this link's own. Events come through ``events``; when their reader is slow, the
/// thread waits, and with it the broker: nothing is dropped and nothing piles up.
public final class BrokerLink: Service, Sendable {
    /// A message above this size is refused by the link (the largest SRUP message is 65 535 bytes).
    public static let maximumPayload = 65535

    /// Where the broker is, and the files that its TLS needs.
    public let address: BrokerAddress
    /// To be read by one task only.
    public let events: BrokerEvents

    private struct State {
        var isConnected = false
        /// The broker has accepted us; what is to follow is done when libmosquitto has sent again what was on its way.
        var isAccepted = false
        var isStopping = false
        /// Somebody wants the connection made anew.
        var isRenewing = false
        /// Certificate and authority as they were read for the last connection.
        var credentials: [String]?
        var hasEnded = false
        /// Published and not confirmed, by our numbers.
        var pending: Set<Int64> = []
        /// Those that libmosquitto does not have yet, in their order.
        var waiting: [(id: Int64, topic: String, payload: [UInt8])] = []
        var numbers: [Int32: Int64] = [:]
        var subscriptions: Set<String> = []
        /// Within this time a connection that was lost is made anew, at a random moment.
        var returnWithin = Duration.zero
        /// That moment has not come yet.
        var isAway = false
    }
    private let state = Mutex(State())
    /// Under a lock of its own: libmosquitto may log while it is called with `state` locked.
    private let lastError = Mutex("")
    private let client: Client
    /// Whether the broker is asked not to send back what we have published.
    private let isDeafToItself: Bool
    private let wakeUp = WakeUp()
    private let causedLog: BoundedLog

    private struct Client: @unchecked Sendable {
        // libmosquitto locks its own structures (mosquitto_threaded_set); freed when the thread has ended.
        let pointer: OpaquePointer
    }

    private static let initialised: Bool = mosquitto_lib_init() == MOSQ_ERR_SUCCESS.rawValueInt32

    /// - Parameters:
    ///   - clientID: names the persistent session at the broker; must be unique there.
    ///   - subscriptions: topic filters to hold from the start.
    ///   - isPersistent: whether the broker keeps what comes while we are away.
    ///   - isDeafToItself: for a server: what we publish is not sent back to us, though we read that topic, too (it takes
    ///     MQTT 5); and after a loss we come back before those who wait for us.
    /// - Throws: ``BrokerLinkError`` when a certificate or key file cannot be used.
    public init(
        _ address: BrokerAddress, clientID: String, subscriptions: [String], logger: Logger,
        isPersistent: Bool = true, isDeafToItself: Bool = false
    ) throws(BrokerLinkError) {
        self.address = address
        self.isDeafToItself = isDeafToItself
        causedLog = BoundedLog(logger)
        events = BrokerEvents()
        for file in [address.caFile, address.certificateFile, address.keyFile] where access(file, R_OK) != 0 {
            throw .file(file, String(cString: strerror(errno)))
        }
        guard Self.initialised, let pointer = mosquitto_new(clientID, !isPersistent, nil) else { throw .noMemory }
        client = Client(pointer: pointer)
        state.withLock { $0.subscriptions = Set(subscriptions) }
        let code = mosquitto_tls_set(
            pointer, address.caFile, nil, address.certificateFile, address.keyFile, MachineKey.callback)
        guard code == 0, mosquitto_tls_opts_set(pointer, 1, "tlsv1.2", nil) == 0 else {
            mosquitto_destroy(pointer)
            throw .tls(Self.words(code))
        }
        mosquitto_threaded_set(pointer, true)
        mosquitto_int_option(
            pointer, MOSQ_OPT_PROTOCOL_VERSION, isDeafToItself ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311)
        if isDeafToItself { mosquitto_int_option(pointer, MOSQ_OPT_RECEIVE_MAXIMUM, Self.inflight) }
        mosquitto_int_option(pointer, MOSQ_OPT_TCP_NODELAY, 1)
    }

    deinit {
        mosquitto_destroy(client.pointer)
    }

    /// Publishes at QoS 1, now or when the broker is back; ``BrokerEvent/confirmed(_:)`` tells when it has arrived.
    ///
    /// - Parameter id: the caller's number for it; a number that is still on its way is not published twice.
    public func publish(_ payload: [UInt8], to topic: String, id: Int64) {
        state.withLock { state in
            guard state.pending.insert(id).inserted else { return }
            state.waiting.append((id, topic, payload))
            if state.isConnected { hand(&state) }
        }
    }

    /// Adds a subscription now and after every reconnection.
    public func subscribe(_ filter: String) { subscribe([filter]) }

    /// Adds many at once, now and after every reconnection.
    public func subscribe(_ filters: [String]) {
        state.withLock { state in
            let new = filters.filter { state.subscriptions.insert($0).inserted }
            if state.isConnected { ask(for: new) }
        }
    }

    /// So many subscriptions in one packet: some 20 KiB of it, and one answer for all.
    private static let subscriptionsAtOnce = 500

    private func ask(for filters: [String]) {
        var rest = filters[...]
        while !rest.isEmpty {
            let some = rest.prefix(Self.subscriptionsAtOnce).map { strdup($0) }
            rest = rest.dropFirst(some.count)
            mosquitto_subscribe_multiple(
                client.pointer, nil, Int32(some.count), some, 1,
                isDeafToItself ? Int32(MQTT_SUB_OPT_NO_LOCAL.rawValue) : 0,
                nil)
            for filter in some { free(filter) }
        }
    }

    /// Ends a subscription.
    public func unsubscribe(_ filter: String) {
        state.withLock { state in
            guard state.subscriptions.remove(filter) != nil else { return }
            if state.isConnected { mosquitto_unsubscribe(client.pointer, nil, filter) }
        }
    }

    /// From now on a connection that is lost is made anew at a random moment within this time: when a broker with ten thousand
    /// devices is started again, those that come first need not wait for all the others' TLS handshakes. Zero: within half a second.
    /// Who waits for that moment and is told zero comes at once.
    public func returnWithin(_ time: Duration) {
        let isDue = state.withLock { state -> Bool in
            state.returnWithin = time
            defer { if time == .zero { state.isAway = false } }
            return state.isAway && time == .zero
        }
        if isDue { wakeUp.signal() }
    }

    /// Whether the broker has accepted the present connection, so that what is published goes out at once.
    public var isConnected: Bool { state.withLock { $0.isConnected } }

    /// Runs the link until the service group shuts down; then says goodbye to the broker and ends ``events``.
    public func run() async throws {
        // The thread keeps the link alive as long as it runs.
        DetachedThread.start { self.loop() }
        try? await gracefulShutdown()
        stop()
        // A thread that hangs in a TCP connection attempt ends by itself later; nobody waits for it above a second.
        await waitEvenIfCancelled(atMost: .seconds(1)) { self.state.withLock { $0.hasEnded } }
        events.finish()
    }

    /// Makes the connection anew, soon: what was under way goes on in the new one, as after a loss.
    public func reconnect() {
        state.withLock { $0.isRenewing = true }
        mosquitto_disconnect(client.pointer)
        wakeUp.signal()
    }

    /// The same if certificate or authority is another than when the link connected last. libmosquitto reads them then only.
    public func reconnectIfRenewed() {
        guard let present = credentials() else { return }
        if let used = state.withLock({ $0.credentials }), used != present { reconnect() }
    }

    /// `nil`: one cannot be read.
    private func credentials() -> [String]? {
        guard let certificate = try? PublicFile.read(address.certificateFile),
            let authority = try? PublicFile.read(address.caFile)
        else { return nil }
        return [certificate, authority]
    }

    private func stop() {
        state.withLock { $0.isStopping = true }
        events.release()
        mosquitto_disconnect(client.pointer)
        wakeUp.signal()
    }

    // MARK: On the link's own thread

    private func loop() {
        let pointer = client.pointer
        mosquitto_user_data_set(pointer, Unmanaged.passUnretained(self).toOpaque())
        mosquitto_connect_callback_set(pointer) { _, context, code in BrokerLink.of(context).connected(code) }
        mosquitto_message_callback_set(pointer) { _, context, message in
            guard let message = message?.pointee, let topic = message.topic else { return }
            let payload = UnsafeRawBufferPointer(start: message.payload, count: Int(message.payloadlen))
            BrokerLink.of(context).received(String(cString: topic), payload)
        }
        mosquitto_publish_callback_set(pointer) { _, context, number in BrokerLink.of(context).arrived(number) }
        mosquitto_log_callback_set(pointer) { _, context, level, text in
            guard level == MOSQ_LOG_ERR, let context, let text else { return }
            BrokerLink.of(context).lastError.withLock { $0 = String(cString: text) }
        }
        var pace = RetryPace(isAwaited: isDeafToItself)
        var hasTried = false
        while !isStopping {
            lastError.withLock { $0 = "" }
            let credentials = credentials()
            state.withLock { state in
                state.isRenewing = false
                state.credentials = credentials
            }
            var code: Int32
            if hasTried {
                code = mosquitto_reconnect(pointer)
            } else {
                code = connect()
                // mosquitto_reconnect needs the host of an earlier mosquitto_connect, successful or not.
                hasTried = true
            }
            let start = ContinuousClock.now
            while code == 0 && !isStopping {
                code = mosquitto_loop(pointer, 55_000, 1)
                if code == 0 { proceed() }
            }
            let systemError = errno
            let wasConnected = state.withLock { state in
                defer {
                    state.isConnected = false
                    state.isAccepted = false
                }
                return state.isConnected
            }
            if isStopping { break }
            if state.withLock({ $0.isRenewing }) {
                events.send(.disconnected("the connection is made anew with the renewed certificate"))
                pace.reset()
                continue
            }
            if wasConnected && ContinuousClock.now - start > .seconds(10) { pace.reset() }
            events.send(.disconnected(explanation(code, systemError)))
            var pause = Duration.seconds(pace.next() * Double.random(in: 0.5...1))
            if wasConnected {
                state.withLock { state in
                    pause = max(pause, state.returnWithin * Double.random(in: 0...1))
                    state.isAway = state.returnWithin > .zero
                }
            }
            wakeUp.wait(atMost: pause)
            state.withLock { $0.isAway = false }
        }
        mosquitto_loop(pointer, 0, 1)
        state.withLock { $0.hasEnded = true }
    }

    /// MQTT 5 has no persistent session that lasts until further notice, but this: the session ends with the connection, unless
    /// a time is given. 0xFFFFFFFF: never; the broker has an end of its own (`persistent_client_expiration`).
    private func connect() -> Int32 {
        var properties: OpaquePointer?
        defer { mosquitto_property_free_all(&properties) }
        if isDeafToItself {
            mosquitto_property_add_int32(&properties, Int32(MQTT_PROP_SESSION_EXPIRY_INTERVAL.rawValue), .max)
        }
        return mosquitto_connect_bind_v5(
            client.pointer, address.host, Int32(address.port), 60, nil, properties)
    }

    /// So many messages may be on their way to us at once.
    private static let inflight: Int32 = 256

    private static func of(_ context: UnsafeMutableRawPointer?) -> BrokerLink {
        // The thread holds a reference for as long as callbacks can come.
        guard let context else { preconditionFailure("libmosquitto has lost the link's context") }
        return Unmanaged<BrokerLink>.fromOpaque(context).takeUnretainedValue()
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    private func connected(_ code: Int32) {
        guard code == 0 else {
            let words = isDeafToItself ? mosquitto_reason_string(code) : mosquitto_connack_string(code)
            lastError.withLock {
                $0 = "the broker refused us: " + (words.map { String(cString: $0) } ?? "code \(code)")
            }
            return
        }
        state.withLock { $0.isAccepted = true }
    }

    /// After the callback of a connection has returned: only then has libmosquitto sent again what was on its way when
    /// the last connection broke. Publishing from within the callback would let new messages overtake those, and a
    /// receiver would reject them for their sequence numbers.
    private func proceed() {
        let isNew = state.withLock { state -> Bool in
            guard state.isAccepted else { return false }
            state.isAccepted = false
            state.isConnected = true
            ask(for: Array(state.subscriptions))
            hand(&state)
            return true
        }
        if isNew { events.send(.connected) }
    }

    private func received(_ topic: String, _ payload: UnsafeRawBufferPointer) {
        guard payload.count <= Self.maximumPayload else { return }
        events.send(.message(topic: topic, payload: Array(payload)))
    }

    private func arrived(_ number: Int32) {
        let id = state.withLock { state -> Int64? in
            guard let id = state.numbers.removeValue(forKey: number) else { return nil }
            state.pending.remove(id)
            return id
        }
        if let id { events.send(.confirmed(id)) }
    }

    /// Gives libmosquitto what it does not have yet. It keeps what it was given until the broker has confirmed it,
    /// over reconnections too.
    private func hand(_ state: inout State) {
        var kept: [(id: Int64, topic: String, payload: [UInt8])] = []
        for (index, entry) in state.waiting.enumerated() {
            var number: Int32 = 0
            let code = mosquitto_publish(
                client.pointer, &number, entry.topic, Int32(entry.payload.count), entry.payload, 1, false)
            if code == 0 {
                state.numbers[number] = entry.id
                continue
            }
            if code == MOSQ_ERR_NO_CONN.rawValueInt32 {
                // Nor anything after it: later ones must not overtake it.
                kept += state.waiting[index...]
                break
            } else {
                kept.append(entry)
                causedLog.log(
                    .error, about: "publishing", "cannot publish to \(entry.topic): \(Self.words(code))")
            }
        }
        state.waiting = kept
    }

    /// libmosquitto's words; it has none for all of its codes.
    static func words(_ code: Int32) -> String {
        let words = String(cString: mosquitto_strerror(code))
        return words.hasPrefix("Unknown error") ? "libmosquitto's error \(code)" : words
    }

    /// libmosquitto says only that it did not believe the certificate: looked at again.
    private func certificateProblem(_ place: String) -> String {
        let problem: CertificateProblem =
            if case .untrusted(let found) = BrokerProbe(address, limit: .seconds(5)).run() {
                found
            } else {
                .other("it was another a moment ago")
            }
        return problem.sentence("the broker at \(place)", authority: address.caFile)
    }

    /// What went wrong, in words that say what to do.
    private func explanation(_ code: Int32, _ systemError: Int32) -> String {
        let detail = lastError.withLock { $0 }
        let place = "\(address.host):\(address.port)"
        let known: [(String, String)] = [
            (
                "certificate expired",
                "the broker at \(place) says that our certificate \(address.certificateFile) has expired; "
                    + "renew it with \"register --renew\""
            ),
            (
                "certificate revoked",
                "the broker at \(place) says that our certificate is revoked: this identity has ended (\"register\" after "
                    + "\"reset\" makes another one)"
            ),
            (
                "unknown ca",
                "the broker at \(place) does not accept the authority that signed \(address.certificateFile)"
            ),
            ("certificate required", "the broker at \(place) wants a client certificate"),
            ("alert", "the broker at \(place) refused the TLS connection (\(detail))"),
        ]
        let lowered = detail.lowercased()
        if lowered.contains("certificate verify failed") || lowered.contains("host name verification failed") {
            return certificateProblem(place)
        }
        if let match = known.first(where: { lowered.contains($0.0) }) { return match.1 }
        if detail.hasPrefix("the broker") { return detail }
        switch code {
        case MOSQ_ERR_ERRNO.rawValueInt32:
            return "the broker at \(place) cannot be reached: \(String(cString: strerror(systemError)))"
        case MOSQ_ERR_KEEPALIVE.rawValueInt32:
            return "the broker at \(place) did not answer for a minute and a half: the connection counts as lost"
        case MOSQ_ERR_EAI.rawValueInt32: return "the host name \(address.host) cannot be resolved"
        default:
            let words = Self.words(code)
            return "the connection to the broker at \(place) failed: \(words)\(detail.isEmpty ? "" : " (\(detail))")"
        }
    }
}

/// Why a link cannot even be set up.
public enum BrokerLinkError: Error, Sendable, CustomStringConvertible {
    case file(String, String)
    case tls(String)
    case noMemory

    /// What is wrong, in words for the operator.
    public var description: String {
        switch self {
        case .file(let path, let why): "\(path), needed for the broker's TLS, cannot be read: \(why)"
        case .tls(let why): "the TLS set-up for the broker failed: \(why)"
        case .noMemory: "libmosquitto could not be set up"
        }
    }
}

extension mosq_err_t {
    var rawValueInt32: Int32 { Int32(rawValue) }
}
