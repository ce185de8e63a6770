import Foundation
import HTTPServing
import Hummingbird
import Limits
import Logging
import SRUP
import Storage
import Synchronization

/// What is known of a request besides itself.
struct KeyServiceContext: AddressedContext {
    var coreContext: CoreRequestContextStorage
    /// Who asks.
    let address: AddressGroup

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        address = source.address
    }
}

/// The routes of docs/protocol.md, "Key service", for reference clients and ours.
struct KeyServiceRoutes: Sendable {
    let authority: Authority
    let state: KeyServiceState
    let policy: KeyServicePolicy
    /// Whether registrations are taken now.
    let door: Door
    let key: PrivateKey
    let logger: Logger
    let tally = RequestTally()
    private let registrations: RateTable
    private let proofs: RateTable

    /// What devices download.
    private let releases: StaticFiles?

    init(
        authority: Authority, state: KeyServiceState, policy: KeyServicePolicy, key: PrivateKey, logger: Logger,
        releases: StaticFiles? = nil
    ) {
        self.releases = releases
        self.authority = authority
        self.state = state
        self.policy = policy
        door = Door(isOpen: policy.isActive)
        self.key = key
        self.logger = logger
        registrations = RateTable(policy.registrations)
        proofs = RateTable(policy.proofs)
    }

    /// What may be opened and closed while the service runs.
    final class Door: Sendable {
        private let state: Mutex<Bool>
        init(isOpen: Bool) { state = Mutex(isOpen) }
        var isOpen: Bool { state.withLock { $0 } }
        func set(isOpen: Bool) { state.withLock { $0 = isOpen } }
    }

    /// Requests above this size are refused, in bytes.
    static let maximumBody = 16 << 10

    /// An answer that is an error: status and words.
    struct Refusal: Error {
        let status: HTTPResponse.Status
        let words: String
        /// When asking again helps, in seconds.
        var retryAfter: Int?
    }

    func router() -> Router<KeyServiceContext> {
        let router = Router(context: KeyServiceContext.self)
        router.addMiddleware { CountRequests(tally: tally) }
        add(to: router.group("KeyEx/register"), .current)
        // Clients of release 4.0 are given the base URL https://HOST:PORT/v4: the two want different answers.
        add(to: router.group("v4/KeyEx/register"), .release4)
        // An invitation to a zone: the device keeps that base URL, and need not know what it means.
        add(to: router.group("zone/:zone/KeyEx/register"), .current)
        add(to: router.group("v4/zone/:zone/KeyEx/register"), .release4)
        if let releases {
            for method in [HTTPRequest.Method.get, .head] {
                router.on("releases/:name", method: method) { request, context in
                    releases.response(context.parameters.get("name") ?? "", request, from: context.address)
                }
            }
        }
        return router
    }

    /// What a client expects the "key" of a registration to be.
    private enum Shape {
        /// Base64 of the C2 server's whole PEM, with "default_c2" beside it.
        case current
        /// The base64 between the PEM markers; the server's identity is that of the status.
        case release4
    }

    private func add(to group: RouterGroup<KeyServiceContext>, _ shape: Shape) {
        group.get("status") { _, _ in try json(["active": door.isOpen ? "true" : "false"], identity: true) }
        // For those who know its fingerprint; it is no secret.
        group.get("authority") { _, _ in text(.ok, authority.certificate) }
        group.post("register") { request, context in
            try await answer(request, context, registrations) {
                try register($0, shape, zone: context.parameters.get("zone"))
            }
        }
        group.post("validate") { request, context in try await answer(request, context, proofs) { try validate($0) } }
        group.post("access") { request, context in try await answer(request, context, proofs) { try access($0) } }
        group.post("c2") { request, context in
            try await answer(request, context, registrations) { try registerServer($0) }
        }
        group.post("release") { request, context in try await answer(request, context, proofs) { try release($0) } }
        group.get("get_key/:id") { _, context in
            guard let entry = try entry(context) else { return try absent(context) }
            return text(.ok, Data(entry.key.pem.utf8).base64EncodedString(options: .lineLength76Characters))
        }
        group.get("get_type/:id") { _, context in
            guard let entry = try entry(context) else { return try absent(context) }
            return text(.ok, entry.type)
        }
        group.get("c2_check/:id") { _, context in
            guard let entry = try entry(context) else { return try absent(context) }
            return entry.isServer ? text(.ok, "known") : text(.badRequest, "not a server")
        }
    }

    private func entry(_ context: KeyServiceContext) throws -> KeyServiceState.Entry? {
        guard let id = context.parameters.get("id").flatMap({ DeviceID(participant: $0) }) else { return nil }
        return try state.entry(id)
    }

    // MARK: Bodies

    private func text(_ status: HTTPResponse.Status, _ words: String) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: words)))
    }

    private func json(
        _ values: [String: String], status: HTTPResponse.Status = .ok, identity: Bool = false
    ) throws -> Response {
        var object: [String: any Sendable] = values
        if identity {
            // "active" is a boolean on the wire.
            object["active"] = door.isOpen
            object["identity"] = policy.server.hex
        }
        let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: data)))
    }

    /// Reads a JSON body of texts, whatever content type it is labelled with, and turns refusals into answers.
    private func answer(
        _ request: Request, _ context: KeyServiceContext, _ rate: RateTable,
        _ body: ([String: String]) throws -> Response
    ) async throws -> Response {
        do {
            let buffer: ByteBuffer
            do {
                buffer = try await collect(request)
            } catch let refusal as Refusal {
                throw refusal
            } catch {
                throw Refusal(status: .badRequest, words: "the body could not be read")
            }
            guard let values = try? JSONDecoder().decode([String: String].self, from: Data(buffer.readableBytesView))
            else { throw Refusal(status: .badRequest, words: "the body must be a JSON object of texts") }
            // Counted when it is complete: one address may have both slow strangers and honest devices.
            if let seconds = rate.take(context.address) {
                throw Refusal(
                    status: .tooManyRequests,
                    words: "too many requests from your address; try again in \(seconds) s", retryAfter: seconds)
            }
            return try body(values)
        } catch let refusal as Refusal {
            var response = text(refusal.status, refusal.words)
            if let seconds = refusal.retryAfter { response.headers[.retryAfter] = String(seconds) }
            return response
        } catch let error as StorageError {
            logger.error("\(error)")
            return text(.internalServerError, "database")
        }
    }

    private func collect(_ request: Request) async throws -> ByteBuffer {
        guard let whole = try await request.collected(atMost: Self.maximumBody) else {
            throw Refusal(status: .contentTooLarge, words: "at most \(Self.maximumBody) bytes are taken")
        }
        return whole
    }

    private func value(_ name: String, _ values: [String: String]) throws -> String {
        guard let value = values[name], !value.isEmpty else {
            throw Refusal(status: .badRequest, words: "\"\(name)\" is missing")
        }
        return value
    }

    private func identity(_ values: [String: String]) throws -> DeviceID {
        guard let id = DeviceID(hex: try value("identity", values)) else {
            throw Refusal(
                status: .badRequest,
                words: "\"identity\" must be 1 to 16 lower-case hexadecimal digits, no leading zeros")
        }
        guard !id.isNobodys else { throw Refusal(status: .badRequest, words: "identity 0 is nobody's") }
        return id
    }

    private func known(_ id: DeviceID) throws -> KeyServiceState.Entry {
        // The reference answers 500 to an unknown identity; a 404 says more and its client only looks for 200.
        guard let entry = try state.entry(id) else {
            if try state.ended(id) != nil { throw Refusal(status: .gone, words: Self.endedWords) }
            throw Refusal(status: .notFound, words: "unknown identity")
        }
        return entry
    }

    static let endedWords = "this identity has ended"

    /// An identity that has ended is not as one that never was: its holder has to make another.
    private func absent(_ context: KeyServiceContext) throws -> Response {
        guard let id = context.parameters.get("id").flatMap({ DeviceID(participant: $0) }), try state.ended(id) != nil
        else { return text(.notFound, "unknown identity") }
        return text(.gone, Self.endedWords)
    }

    private func base64(_ name: String, _ values: [String: String]) throws -> [UInt8] {
        guard let data = Data(base64Encoded: try value(name, values), options: .ignoreUnknownCharacters) else {
            throw Refusal(status: .badRequest, words: "\"\(name)\" must be base64")
        }
        return Array(data)
    }

    private var now: Double { Date().timeIntervalSince1970 }

    // MARK: The steps of a registration

    private func register(_ values: [String: String], _ shape: Shape, zone: String?) throws -> Response {
        guard zone.map({ PlainName.isValid($0) }) ?? true else {
            throw Refusal(status: .notFound, words: "no zone can be named so")
        }
        guard door.isOpen else { throw Refusal(status: .forbidden, words: "registration is closed") }
        let id = try identity(values)
        let type = values["type"] ?? "default"
        guard Self.isType(type) else {
            throw Refusal(
                status: .badRequest,
                words: "\"type\" must be 1 to 64 printable ASCII characters, with spaces inside only")
        }
        let key = try publicKey(values)
        guard id != policy.server else { throw Refusal(status: .badRequest, words: "this identity cannot be taken") }
        let cell = try cell(zone)
        switch try state.register(
            id, key: key, type: type, zone: zone, cell: cell?.name, now: now, maximum: policy.maximumIdentities,
            minimumAge: policy.unjoinedMinimum)
        {
        case .added: break
        case .taken: throw Refusal(status: .badRequest, words: "this identity is taken")
        // Not "identity": a client would try with another one, and its key does not count either.
        case .ended: throw Refusal(status: .gone, words: "the key, or its name, has ended: make new ones")
        case .full:
            throw Refusal(status: .serviceUnavailable, words: "there is no room now; try again later", retryAfter: 600)
        }
        let invited = zone.map { ", invited to the zone \($0)" } ?? ""
        logger.info("registered \(id) (\(type))\(invited)\(cell.map { ", for the cell \($0.name)" } ?? "")")
        var answer = ["broker": cell?.broker ?? policy.broker]
        let server = try state.entry(policy.server)
        switch shape {
        case .current:
            answer["default_c2"] = policy.server.hex
            answer["key"] = server.map { Data($0.key.pem.utf8).base64EncodedString() }
        case .release4: answer["key"] = server?.key.pemBody
        }
        return try json(answer, status: .created)
    }

    /// Where somebody new belongs; `nil`: there is one broker.
    private func cell(_ zone: String?) throws -> CellPlace? {
        guard let choose = policy.cell else { return nil }
        guard let cell = try choose(zone) else {
            throw Refusal(
                status: .serviceUnavailable, words: "no cell takes anybody new now; try again later", retryAfter: 60)
        }
        return cell
    }

    /// A device chooses its type's words.
    static func isType(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
            && !text.hasPrefix(" ") && !text.hasSuffix(" ")
    }

    /// A C2 server that the operator vouches for by a token (``ServerToken``). Without one nobody becomes a server, and a
    /// token makes one server.
    private func registerServer(_ values: [String: String]) throws -> Response {
        let id = try identity(values)
        let key = try publicKey(values)
        guard ServerToken.isValid(try base64("signature", values), for: key, by: try self.key.publicKey) else {
            throw Refusal(status: .badRequest, words: "the signature is no token of this key service for this key")
        }
        guard try state.server(with: key) == nil else {
            throw Refusal(status: .badRequest, words: "a server with this key is registered already")
        }
        guard id != policy.server, try state.add(id, key: key, type: "C2", isServer: true, now: now) else {
            throw Refusal(status: .badRequest, words: "this identity is taken")
        }
        logger.notice("registered the C2 server \(id)")
        return try json(["identity": id.hex], status: .created)
    }

    private func publicKey(_ values: [String: String]) throws -> PublicKey {
        do {
            return try PublicKey(pemBody: try value("key", values)).checked()
        } catch let error as CryptoError {
            throw Refusal(status: .badRequest, words: "\"key\": \(error)")
        }
    }

    private func validate(_ values: [String: String]) throws -> Response {
        let entry = try known(try identity(values))
        guard entry.key.isPSSSignature(try base64("signature", values), over: Array(entry.id.hex.utf8)) else {
            throw Refusal(status: .badRequest, words: "the signature is not this identity's")
        }
        // Our own identity, and the proof that we hold its key: a client can tell that it talks to whom it thinks.
        let proof = try key.signPSS(Array(policy.server.hex.utf8))
        return try json([
            "identity": policy.server.hex,
            "signature": Data(proof).base64EncodedString(options: .lineLength76Characters),
        ])
    }

    private func access(_ values: [String: String]) throws -> Response {
        let entry = try known(try identity(values))
        let request = try base64("csr", values)
        guard entry.key.isPSSSignature(try base64("signature", values), over: request) else {
            throw Refusal(status: .badRequest, words: "the signature is not this identity's")
        }
        let certificate: String
        do {
            let key = try CertificateRequestReader.key(of: String(decoding: request, as: UTF8.self), for: entry.id)
            certificate = try authority.client(entry.id, key: key)
            guard try state.record(certificate, of: entry.id, now: now) else {
                throw Refusal(
                    status: .tooManyRequests,
                    words: "this identity has too many certificates that are valid, or has ended",
                    retryAfter: 86400)
            }
        } catch let error as AuthorityError {
            logger.notice("no certificate for \(entry.id): \(error)")
            throw Refusal(status: .badRequest, words: error.description)
        }
        logger.info("certified \(entry.id) for the broker")
        return try json([
            "certificate": Data(certificate.utf8).base64EncodedString(),
            "CA_certificate": Data(authority.certificate.utf8).base64EncodedString(),
        ])
    }

    /// The last word of an identity whose keys are gone: whoever brings it, it is signed.
    private func release(_ values: [String: String]) throws -> Response {
        guard let receipt = ReleaseReceipt(try value("receipt", values)), receipt.isOwn else {
            throw Refusal(status: .badRequest, words: "\"receipt\" is no release receipt by an identity itself")
        }
        let entry = try known(receipt.identity)
        guard entry.key.digest == receipt.key, !entry.isServer else {
            throw Refusal(status: .badRequest, words: "the signature is not this identity's")
        }
        try state.end(entry.id, why: "its own wish", by: nil, now: now)
        logger.notice("\(entry.id) has ended by its own wish")
        return text(.ok, "ended")
    }
}
