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
            return await answer(try invitePage(), request, context)
        }
    }

    private func invitePage() throws(PageError) -> Page {
        guard let file = settings.authorityFile else { throw .notFound("invitation") }
        let (invitation, picture) = try stored {
            let invitation = try Invitation(
                host: settings.keyServicePlace.host, port: settings.keyServicePlace.port,
                authority: try PublicFile.read(file))
            return (invitation, try QRMatrix(text: invitation.text).svg(title: "A QR code with \(invitation.text)"))
        }
        var page = Page(template: "invite", title: "Add a device")
        page.values = ["text": invitation.text, "picture": picture, "keyService": settings.keyService]
        return page
    }
}
