import C2
import CodeWriter
import Hummingbird
import Invitations
import Linux
import Operators
import Storage

/// What brings a new device or observer here: a code for its camera, and the commands for its terminal.
extension Console {
    func addInvitation(to router: Router<ConsoleContext>) {
        router.get("/invite") { request, context in
            _ = try session(context, .look, request)
            let zone = request.uri.queryParameters["zone"].map(String.init) ?? ""
            return await answer(try invitePage(zone), request, context)
        }
    }

    private func invitePage(_ zone: String) throws(PageError) -> Page {
        guard let file = settings.authorityFile else { throw .notFound("invitation") }
        guard zone.isEmpty || C2State.isZone(zone) else {
            throw PageError(.badRequest, "No zone is named so.", "A zone has 1 to 64 letters, digits, and . _ -")
        }
        let (invitation, picture) = try stored {
            let invitation = try Invitation(
                host: settings.keyServicePlace.host, port: settings.keyServicePlace.port,
                zone: zone.isEmpty ? nil : zone, authority: try PublicFile.read(file))
            return (invitation, try QRMatrix(text: invitation.text).svg(title: "A QR code with \(invitation.text)"))
        }
        var page = Page(template: "invite", title: "Add a device")
        page.values = ["text": invitation.text, "picture": picture, "keyService": settings.keyService]
        if !zone.isEmpty { page.values["zone"] = zone }
        return page
    }
}
