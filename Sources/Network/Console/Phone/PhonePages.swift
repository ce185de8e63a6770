import C2
import Foundation
import HTTPServing
import HTTPTypes
import Hummingbird
import Operators
import Participant
import PhoneObserver
import Program
import SRUP
import Storage

/// The page by which an operator's phone is an observer (docs/people.md, "A phone as observer").
extension Console {
    /// A camera's frame is smaller than a photo, in bytes.
    private static let maximumFrame = 2 << 20
    /// What a multipart form has besides its photo, in bytes.
    private static let formRoom = 64 << 10
    private static let purpose = "phone"

    func addPhone(to router: Router<ConsoleContext>) {
        addAuthority(to: router)
        guard let phones else { return }
        router.get("/phone") { request, context in
            let session = try session(context, .moderate, request)
            // Who looks at the page has it open.
            await phones.sign(session.name.text, isStillIn(session))
            return await answer(try await phonePage(phones, session), request, context)
        }
        router.post("/phone/open") { request, context in
            let (_, session) = try await form(request, context, for: Self.purpose, .moderate)
            do throws(PhoneError) {
                try await phones.open(session.name.text, isStillIn: isStillIn(session))
            } catch {
                throw PageError(error)
            }
            return Response.found("/phone")
        }
        router.post("/phone/close") { request, context in
            let (_, session) = try await form(request, context, for: Self.purpose, .moderate)
            await phones.close(session.name.text)
            return Response.found("/phone")
        }
        router.post("/phone/photo") { request, context in
            let session = try session(context, .moderate, request)
            _ = try await look(phones, session, by: .photo) { try await photo(request, session) }
            return Response.found("/phone")
        }
        router.post("/phone/frame") { request, context in
            let session = try scripted(request, context)
            let look = try await look(phones, session, by: .camera) {
                try await whole(request, atMost: Self.maximumFrame)
            }
            return await told(look, phones, session)
        }
        router.post("/phone/tap") { request, context in
            let session = try scripted(request, context)
            let text = try await whole(request, atMost: 512)
            await phones.sign(session.name.text, isStillIn(session))
            let look: Look
            do throws(PhoneError) {
                look = try await phones.tapped(session.name.text, text)
            } catch {
                throw PageError(error)
            }
            return await told(look, phones, session)
        }
        router.post("/phone/beat") { request, context in
            let session = try scripted(request, context)
            guard await phones.sign(session.name.text, isStillIn(session)) else { throw PageError(PhoneError.notOpen) }
            return await told(nil, phones, session)
        }
    }

    // MARK: What comes from the phone

    /// Somebody whose script shows the page's token.
    private func scripted(_ request: Request, _ context: ConsoleContext) throws(PageError) -> Session {
        let session = try session(context, .moderate, request)
        let token = HTTPField.Name("X-Form-Token").flatMap { request.headers[$0] } ?? ""
        guard session.forms.isToken(token, for: Self.purpose) else { throw .oldForm }
        return session
    }

    /// Whether a session is there and still may.
    private func isStillIn(_ session: Session) -> @Sendable () -> Bool {
        { [operators, now] in
            let sessions = (try? operators.sessions(of: session.name, now: now())) ?? []
            return sessions.contains { $0.number == session.number && $0.role >= .moderate }
        }
    }

    private func look(
        _ phones: PhoneDesk, _ session: Session, by eye: Look.Eye, _ collect: @Sendable () async throws -> [UInt8]
    ) async throws -> Look {
        await phones.sign(session.name.text, isStillIn(session))
        do {
            return try await phones.look(session.name.text, by: eye, collect: collect)
        } catch let error as PhoneError {
            throw PageError(error)
        }
    }

    private func whole(_ request: Request, atMost limit: Int) async throws(PageError) -> [UInt8] {
        let tooLarge = PageError(PhoneError.tooLarge)
        if let said = request.headers[.contentLength].flatMap({ Int($0) }), said > limit { throw tooLarge }
        let body: ByteBuffer?
        do {
            body = try await request.collected(atMost: limit)
        } catch {
            throw PageError(.badRequest, "The picture did not come whole.", "Send it again.")
        }
        guard let body else { throw tooLarge }
        return Array(body.readableBytesView)
    }

    private func photo(_ request: Request, _ session: Session) async throws(PageError) -> [UInt8] {
        let bytes = try await whole(request, atMost: PictureProcess.maximumPicture + Self.formRoom)
        let form: MultipartForm
        do throws(MultipartError) {
            form = try MultipartForm(bytes, type: request.headers[.contentType] ?? "")
        } catch {
            let status: HTTPResponse.Status = error == .noBoundary ? .unsupportedMediaType : .badRequest
            throw PageError(status, "The form cannot be read (\(error)).", "Load the page again and repeat.")
        }
        guard session.forms.isToken(form["token"] ?? "", for: Self.purpose) else { throw .oldForm }
        guard let photo = form.file("photo") else {
            throw PageError(.unprocessableContent, "There is no photo in it.", "Take one first.")
        }
        return photo
    }

    // MARK: What the phone is told

    private struct Told: Encodable {
        let kind: String
        let words: String
        let watches: Int
    }

    private func told(_ look: Look?, _ phones: PhoneDesk, _ session: Session) async -> Response {
        let count = await phones.status(session.name.text)?.subjects.count ?? 0
        let told = Told(kind: look?.word ?? "", words: look?.words ?? "", watches: count)
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: told.jsonLine)))
    }

    private func phonePage(_ phones: PhoneDesk, _ session: Session) async throws -> Page {
        var page = Page(template: "phone", title: "Phone", live: [.join, .device])
        page.values["token"] = session.forms.token(for: Self.purpose)
        page.values["version"] = Assets.version
        if let print = authority().flatMap({ Certificate.fingerprint($0) }) { page.values["certificate"] = print }
        guard let status = await phones.status(session.name.text) else { return page }
        page.values["open"] = true
        page.values["state"] = try state(status)
        page.values["rows"] = try status.subjects.map { subject -> [String: Any] in
            let peer = try stored { try server.peers.peer(subject.device) }
            return [
                "id": subject.device.hex, "type": (peer?.type ?? "").withoutControls,
                "since": Self.seconds(subject.since), "left": Self.seconds(subject.left),
            ]
        }
        if let look = status.look {
            var values: [String: Any] = [
                "eye": look.eye == .camera ? "picture" : look.eye.rawValue, "words": look.words,
                "ago": Self.seconds(status.lookAgo), "mark": Self.mark(look.outcome),
            ]
            if look.eye == .photo { values["isPhoto"] = true }
            page.values["look"] = values
        }
        page.values["verdicts"] = status.verdicts.map { one in
            [
                "id": one.device.hex, "verdict": one.name, "ago": Self.seconds(one.ago),
                "mark": one.name == "VALID" ? "yes" : one.name == "INVALID" ? "no" : "open",
            ]
        }
        return page
    }

    private func state(_ status: PhoneDesk.Status) throws -> [String: String] {
        let isTrusted = try stored { try server.store.trusted().contains(status.id) }
        if !isTrusted {
            return ["mark": "bad", "words": "Somebody has taken back the trust in your phone: it vouches for nobody."]
        }
        if !status.isConnected { return ["mark": "warn", "words": "It is not connected to the broker yet."] }
        if !status.isJoined {
            return [
                "mark": "warn", "words": "The server has not let it in yet; does the policy for observers allow it?",
            ]
        }
        return ["mark": "good", "words": "It looks as the observer \(status.id.hex), in your name."]
    }

    private static func mark(_ outcome: Look.Outcome) -> String {
        switch outcome {
        case .valid: "good"
        case .invalid: "bad"
        default: "warn"
        }
    }

    private static func seconds(_ time: Duration) -> String { "\(Int((time / .seconds(1)).rounded())) s" }

    // MARK: The authority

    /// Not secret, and needed before anybody can sign in without a warning.
    private func addAuthority(to router: Router<ConsoleContext>) {
        router.get("/ca.crt") { _, _ in
            guard let authority = authority() else { throw PageError.notFound("authority's certificate") }
            return Response(
                status: .ok, headers: [.contentType: "application/x-x509-ca-cert"],
                body: .init(byteBuffer: ByteBuffer(string: authority)))
        }
    }

    /// In PEM; read each time, since it is renewed.
    private func authority() -> String? { settings.authorityFile.flatMap { try? PublicFile.read($0) } }
}

extension PageError {
    init(_ error: PhoneError) {
        switch error {
        case .notOpen: self.init(.conflict, "Your phone does not look any more.", "Begin again on the page Phone.")
        case .tooMany(let seconds):
            self.init(.tooManyRequests, "These are too many pictures at once.", "Try again in \(seconds) s.")
            retryAfter = seconds
        case .tooLarge:
            self.init(.contentTooLarge, "The picture is too large: \(error).", "Take one of fewer pixels.")
        case .noPlace:
            self.init(
                .serviceUnavailable, "Your phone cannot become an observer.",
                "Does the key service run and take registrations (key_service.open)? The log says more.")
            retryAfter = 10
        }
    }
}
