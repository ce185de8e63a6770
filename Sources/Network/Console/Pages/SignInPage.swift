import Hummingbird
import HTTPTypes
import Linux
import Operators

/// Signing in and out.
extension Console {
    func addSignIn(to router: Router<ConsoleContext>) {
        router.get("/sign-in") { request, context in
            if context.visitor?.session != nil { return Response.found("/waiting") }
            return signInPage(
                request, context, next: request.uri.queryParameters["next"].map(String.init) ?? "/", error: nil)
        }
        router.post("/sign-in") { request, context in try await enter(request, context) }
        router.post("/sign-out") { request, context in
            let (_, session) = try await form(request, context, for: "sign-out", .look)
            try operators.endSession(session.number, of: session.name)
            audit("signed out", "from \(context.place)", by: session.name)
            var response = Response.found("/sign-in")
            response.headers[.setCookie] = cookie("", maximumAge: 0)
            return response
        }
    }

    /// - Parameter next: where to go afterwards.
    func signInPage(
        _ request: Request, _ context: ConsoleContext, next: String, error: PageError?, name: String = ""
    ) -> Response {
        var page = Page(template: "sign-in", title: "Sign in", status: error?.status ?? .unauthorized)
        // A browser that follows a link from elsewhere does not show its cookie at first.
        let site = HTTPField.Name("Sec-Fetch-Site").flatMap { request.headers[$0] }
        if error == nil, site == "cross-site" { page.values["cross"] = true }
        if request.uri.path == "/sign-in", error == nil { page.status = .ok }
        page.values["next"] = Self.ownPath(next)
        page.values["name"] = name
        return write(error.map(page.saying) ?? page, request.uri.path, nil, waiting: 0)
    }

    private func enter(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let form = try await bareForm(request)
        let (name, password) = (form["name"] ?? "", form["password"] ?? "")
        let next = Self.ownPath(form["next"] ?? "/")
        do {
            let place = "\(context.place), \(Self.browser(request.headers[.userAgent] ?? ""))"
            let (text, name) = try await signIn.signIn(
                name, password: password, from: context.address, place: place, now: now())
            audit("signed in", "from \(place)", by: name)
            var response = Response.found(next == "/" ? "/waiting" : next)
            response.headers[.setCookie] = cookie(text, maximumAge: nil)
            // Whichever server is reached next, by way of a load balancer: it shows the same cell.
            if let cells, request.cookie(CellDoor.cookie) == nil {
                response.headers.append(.init(name: .setCookie, value: CellDoor.cookie(for: cells.own)))
            }
            return response
        } catch {
            // Of names that nobody has there is no end.
            if case .wrong = error, let known = OperatorName(name), try operators.find(known) != nil {
                audit("sign-in refused", "from \(context.place)", by: known)
            }
            return signInPage(request, context, next: next, error: PageError(error), name: String(name.prefix(32)))
        }
    }

    private func cookie(_ value: String, maximumAge: Int?) -> String {
        "\(Doorkeeper.cookie)=\(value); Path=/; Secure; HttpOnly; SameSite=Strict"
            + (maximumAge.map { "; Max-Age=\($0)" } ?? "")
    }

    /// A path of this server's, whatever was asked for: nobody is led elsewhere after signing in.
    static func ownPath(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }
        guard text.hasPrefix("/"), !text.hasPrefix("//"), isPlain, text.utf8.count <= 500, !text.hasPrefix("/sign-")
        else { return "/" }
        return text
    }

    /// The name of a browser, as far as an operator would recognise it.
    static func browser(_ agent: String) -> String {
        let known = [
            ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrom", "Chrome"), ("Safari/", "Safari"),
            ("curl/", "curl"),
        ]
        let systems = [
            ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "macOS"),
            ("Linux", "Linux"),
        ]
        let name = known.first { agent.contains($0.0) }?.1 ?? "a browser"
        return systems.first { agent.contains($0.0) }.map { "\(name) on \($0.1)" } ?? name
    }

    /// A line in the server's audit log, about operators. What was done is done when it cannot be written, which is logged.
    func audit(_ event: String, _ detail: String, by name: OperatorName) {
        do {
            try server.peers.audit(event, detail.withoutControls, by: name.text, now: now())
        } catch {
            logger.error("the audit log cannot be written: \(error)")
        }
    }
}
