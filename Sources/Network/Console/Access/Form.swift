import Foundation
import HTTPServing
import HTTPTypes
import Hummingbird
import Linux
import Operators

/// The fields of a form that a page has sent (application/x-www-form-urlencoded), in its order.
struct Form: Sendable {
    fileprivate let fields: [(name: String, value: String)]

    /// Larger ones are refused, in bytes.
    static let maximumBytes = 64 << 10
    /// More fields are refused.
    static let maximumFields = 1000

    /// `nil` when it is no form.
    init?(_ text: String) {
        guard !text.isEmpty else {
            fields = []
            return
        }
        let parts = text.split(separator: "&", maxSplits: Self.maximumFields + 1)
        guard parts.count <= Self.maximumFields else { return nil }
        var fields: [(String, String)] = []
        for part in parts {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(pair[0]), let value = Self.decoded(pair.count == 2 ? pair[1] : "") else {
                return nil
            }
            fields.append((name, value))
        }
        self.fields = fields
    }

    private static func decoded(_ text: Substring) -> String? {
        text.replacing("+", with: " ").removingPercentEncoding
    }

    /// The first value of a field; `nil` when there is none.
    subscript(_ name: String) -> String? { fields.first { $0.name == name }?.value }

    /// All values of a field.
    func all(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }
}

extension Console {
    /// A form's fields, when it was sent by somebody who has signed in with this role, from a page of their session.
    ///
    /// - Parameter purpose: what the form does: its token serves for nothing else.
    /// - Throws: ``PageError``.
    func form(
        _ request: Request, _ context: ConsoleContext, for purpose: String, _ role: Role
    ) async throws -> (form: Form, session: Session) {
        let session = try session(context, role, request)
        let form = try await bareForm(request)
        guard session.forms.isToken(form["token"] ?? "", for: purpose) else { throw PageError.oldForm }
        return (form, session)
    }

    /// A form's fields, whoever sends it.
    ///
    /// - Throws: ``PageError``.
    func bareForm(_ request: Request) async throws -> Form {
        guard let type = request.headers[.contentType], type.hasPrefix("application/x-www-form-urlencoded") else {
            throw PageError(.unsupportedMediaType, "This is no form.", "Go back, load the page again and repeat.")
        }
        let body: ByteBuffer?
        do {
            body = try await request.collected(atMost: Form.maximumBytes)
        } catch {
            throw PageError(.badRequest, "The form did not come whole.", "Send it again.")
        }
        guard let body else {
            throw PageError(.contentTooLarge, "This is more than a form holds.", "Send less at once.")
        }
        guard let form = Form(String(buffer: body)) else {
            throw PageError(.badRequest, "The form cannot be read.", "Go back, load the page again and repeat.")
        }
        return form
    }

    /// The session of a browser that has one with at least this role.
    ///
    /// - Throws: ``PageError``: the sign-in page for whoever has none.
    func session(_ context: ConsoleContext, _ role: Role, _ request: Request) throws(PageError) -> Session {
        guard let session = context.visitor?.session else { throw .notSignedIn }
        guard session.role >= role else { throw .role(role, has: session.role) }
        return session
    }
}

extension Form {
    /// The names of the fields that begin so, each once, in their order.
    func names(beginning prefix: String) -> [String] {
        fields.map(\.name).filter { $0.hasPrefix(prefix) }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}
