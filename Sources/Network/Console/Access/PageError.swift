import C2
import HTTPTypes
import Hummingbird
import Operators

/// Why a page cannot be shown, or something on it not be done: for people, with what to do.
struct PageError: Error, Sendable {
    let status: HTTPResponse.Status
    /// One sentence: what is wrong.
    let words: String
    /// One sentence: what to do.
    let remedy: String
    /// In seconds, when trying again then helps.
    var retryAfter: Int?
    /// Who has not signed in is led to where one does.
    var leadsToSignIn = false

    init(_ status: HTTPResponse.Status, _ words: String, _ remedy: String) {
        self.status = status
        self.words = words
        self.remedy = remedy
    }

    static let notSignedIn: PageError = {
        var error = PageError(.unauthorized, "You are not signed in.", "Sign in first.")
        error.leadsToSignIn = true
        return error
    }()
    static let foreignForm = PageError(
        .forbidden, "This form did not come from a page of this server.",
        "Open the page itself and fill it in there. (Some extensions hide where a form comes from.)")
    static let oldForm = PageError(
        .forbidden, "This page belongs to a session that has ended.", "Load the page again and repeat.")

    static func role(_ role: Role, has own: Role) -> PageError {
        PageError(
            .forbidden, "This takes the role \"\(role.rawValue)\"; you have \"\(own.rawValue)\".",
            "Ask somebody who administers this network.")
    }

    static func notFound(_ what: String) -> PageError {
        PageError(.notFound, "There is no \(what) here.", "It may have been removed; go back and look again.")
    }

    init(_ error: OperationError) {
        let remedy = "Look at it again; the page shows how things are now."
        switch error {
        case .unknown: self.init(.notFound, "\(error).", remedy)
        case .ended, .hasEnded, .replaced: self.init(.conflict, "\(error).", remedy)
        case .wrongWords: self.init(.unprocessableContent, "\(error).", "Read the words on the device itself.")
        case .notAMember: self.init(.conflict, "\(error).", "Only members obey: let it in first.")
        case .invalid: self.init(.unprocessableContent, "\(error).", "Correct it and try again.")
        case .failed:
            self.init(.internalServerError, "\(error).", "Try again; if it stays, look at the log and srup-c2 doctor.")
        }
    }

    init(_ error: OperatorError) {
        switch error {
        case .wrong: self.init(.unauthorized, "Name or password is wrong.", "Try again.")
        case .tooMany(let seconds):
            self.init(.tooManyRequests, "Too many tries.", "Try again in \(seconds) s.")
            retryAfter = seconds
        case .busy:
            self.init(.serviceUnavailable, "Too many sign in at this moment.", "Try again.")
            retryAfter = 2
        case .taken, .lastAdministrator, .full: self.init(.conflict, "\(error).", "Change something and try again.")
        case .unknown, .unknownNumber: self.init(.notFound, "\(error).", "Load the page again.")
        case .invalid: self.init(.unprocessableContent, "\(error).", "Correct it and try again.")
        case .failed: self.init(.internalServerError, "\(error).", "Try again; if it stays, look at the log.")
        }
    }

    init(_ error: HTTPError) {
        switch error.status {
        case .notFound: self = .notFound("such page")
        case .methodNotAllowed:
            self.init(.methodNotAllowed, "That cannot be done to this page.", "Go back and look again.")
        default: self.init(error.status, error.body ?? error.status.reasonPhrase, "Go back and try again.")
        }
    }
}
