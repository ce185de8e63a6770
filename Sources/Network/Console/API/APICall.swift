import C2
import Foundation
import HTTPTypes
import Hummingbird
import Operators
import SRUP

/// What a program asks for, after everything that is the same for all of it has been checked.
struct APICall: Sendable {
    let token: AccessToken
    /// The parts of the path that stand for something, decoded.
    let path: [String: String]
    /// The parameters of the query, each once, and only those that the route takes.
    let query: [String: String]
    /// An object; empty when there was no body.
    let body: JSON
    /// Whose body is a file; `nil` where the route takes none.
    var upload: Request?

    /// Who does it, for the audit log: a person, by one of their tokens.
    var actor: String { "\(token.name), token \(token.number)" }

    /// The identity in the path.
    ///
    /// - Throws: ``APIProblem``.
    func device() throws(APIProblem) -> DeviceID {
        guard let id = path["device"].flatMap({ DeviceID(participant: $0) }) else {
            throw APIProblem(
                .notFound, "an identity has 1 to 16 hexadecimal digits, in lower case and without zeros ahead")
        }
        return id
    }

    /// The zone in the path.
    ///
    /// - Throws: ``APIProblem``.
    func zone() throws(APIProblem) -> String {
        guard let zone = path["zone"], C2State.isZone(zone) else {
            throw APIProblem(.notFound, "a zone has 1 to 64 letters, digits, and . _ -")
        }
        return zone
    }

    /// The group in the path.
    ///
    /// - Throws: ``APIProblem``.
    func group() throws(APIProblem) -> GroupID {
        guard let group = path["group"].flatMap({ GroupID($0) }) else {
            throw APIProblem(.notFound, "a group's name has \(GroupID.form)")
        }
        return group
    }

    /// The operator in the path.
    ///
    /// - Throws: ``APIProblem``.
    func name() throws(APIProblem) -> OperatorName {
        guard let name = path["name"].flatMap({ OperatorName($0) }) else {
            throw APIProblem(.notFound, "an operator's name has \(OperatorName.form)")
        }
        return name
    }

    /// The number in the path.
    ///
    /// - Throws: ``APIProblem``.
    func number() throws(APIProblem) -> Int64 {
        guard let number = path["number"].flatMap({ Int64($0) }), number > 0 else {
            throw APIProblem(.notFound, "a number is 1 or more")
        }
        return number
    }

    // MARK: Parameters

    static let (usualLimit, maximumLimit) = (50, 200)

    /// How many items are wanted at most.
    ///
    /// - Throws: ``APIProblem``.
    func limit() throws(APIProblem) -> Int {
        guard let text = query["limit"] else { return Self.usualLimit }
        guard let limit = Int(text), (1...Self.maximumLimit).contains(limit) else {
            throw .invalid("limit is a number from 1 to \(Self.maximumLimit)", parameter: "limit")
        }
        return limit
    }

    /// Where the page before ended, as that page has said.
    ///
    /// - Parameter kind: of the list: the cursor of another one is refused.
    /// - Throws: ``APIProblem``.
    func cursor(_ kind: String) throws(APIProblem) -> String? {
        guard let text = query["cursor"] else { return nil }
        guard let cursor = Cursor(text), cursor.kind == kind else {
            throw .invalid("this is no cursor that this list has given", parameter: "cursor")
        }
        return cursor.place
    }

    /// The same, where the place is a number.
    ///
    /// - Throws: ``APIProblem``.
    func numberCursor(_ kind: String) throws(APIProblem) -> Int64? {
        guard let text = try cursor(kind) else { return nil }
        guard let number = Int64(text) else {
            throw .invalid("this is no cursor that this list has given", parameter: "cursor")
        }
        return number
    }

    /// An identity as a parameter.
    ///
    /// - Throws: ``APIProblem``.
    func identity(_ name: String) throws(APIProblem) -> DeviceID? {
        guard let text = query[name] else { return nil }
        guard let id = DeviceID(participant: text) else {
            throw .invalid("\(name) is an identity: 1 to 16 hexadecimal digits, in lower case", parameter: name)
        }
        return id
    }

    /// One of some words as a parameter.
    ///
    /// - Throws: ``APIProblem``.
    func word(_ name: String, _ words: [String]) throws(APIProblem) -> String? {
        guard let text = query[name] else { return nil }
        guard words.contains(text) else {
            throw .invalid("\(name) is one of \(words.joined(separator: ", "))", parameter: name)
        }
        return text
    }

    /// A text to look for.
    ///
    /// - Throws: ``APIProblem``.
    func text(_ name: String, atMost limit: Int) throws(APIProblem) -> String? {
        guard let text = query[name] else { return nil }
        guard text.unicodeScalars.count <= limit else {
            throw .invalid("\(name) has \(limit) characters at most", parameter: name)
        }
        return text.isEmpty ? nil : text
    }

    // MARK: Members of the body

    /// - Throws: ``APIProblem``: there is a member that is not taken.
    func onlyMembers(_ names: String...) throws(APIProblem) {
        guard case .object(let members) = body else { throw .invalid("the body is an object", pointer: "") }
        for member in members where !names.contains(member.name) {
            // RFC 6901, 3.
            let name = String(member.name.prefix(64)).replacing("~", with: "~0").replacing("/", with: "~1")
            throw .invalid("there is no such member", pointer: "#/" + name)
        }
    }

    /// A text of so many characters, or `nil` when it is missing.
    ///
    /// - Throws: ``APIProblem``.
    func optionalText(_ name: String, _ range: ClosedRange<Int>) throws(APIProblem) -> String? {
        guard let value = body[name] else { return nil }
        guard case .text(let text) = value, range.contains(text.unicodeScalars.count) else {
            throw .invalid("a text of \(range.lowerBound) to \(range.upperBound) characters", pointer: "#/" + name)
        }
        return text
    }

    /// - Throws: ``APIProblem``.
    func text(_ name: String, _ range: ClosedRange<Int>) throws(APIProblem) -> String {
        guard let text = try optionalText(name, range) else { throw .invalid("it is missing", pointer: "#/" + name) }
        return text
    }

    /// - Throws: ``APIProblem``.
    func integer(_ name: String, _ range: ClosedRange<Int64>) throws(APIProblem) -> Int64 {
        guard let value = body[name] else { throw .invalid("it is missing", pointer: "#/" + name) }
        guard case .integer(let number) = value, range.contains(number) else {
            throw .invalid("a number from \(range.lowerBound) to \(range.upperBound)", pointer: "#/" + name)
        }
        return number
    }

    /// - Throws: ``APIProblem``.
    func optionalBool(_ name: String) throws(APIProblem) -> Bool? {
        guard let value = body[name] else { return nil }
        guard case .bool(let value) = value else { throw .invalid("true or false", pointer: "#/" + name) }
        return value
    }

    /// - Throws: ``APIProblem``.
    func role(_ name: String) throws(APIProblem) -> Role? {
        guard let value = body[name] else { return nil }
        guard case .text(let text) = value, let role = Role(rawValue: text) else {
            throw .invalid("look, moderate or administer", pointer: "#/" + name)
        }
        return role
    }
}

/// What is answered.
struct APIAnswer: Sendable {
    var status = HTTPResponse.Status.ok
    /// `nil`: nothing.
    var body: JSON?
    /// It holds a password or a token, which is shown once and kept nowhere.
    var isSecret = false

    static let nothing = APIAnswer(status: .noContent)

    init(status: HTTPResponse.Status = .ok, _ body: JSON? = nil, isSecret: Bool = false) {
        self.status = status
        self.body = body
        self.isSecret = isSecret
    }

    /// A page of a list.
    ///
    /// - Parameter next: where it ends; `nil`: it is the last one.
    init(_ items: [JSON], next: Cursor?) {
        body = ["items": .array(items), "next": .optional(next?.text)]
    }

    var response: Response {
        guard let body else { return Response(status: status) }
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: body.bytes)))
    }
}

/// Where a page of a list has ended. What is in it is no promise.
struct Cursor: Sendable {
    /// Which list it belongs to.
    let kind: String
    let place: String

    init(_ kind: String, _ place: some CustomStringConvertible) {
        self.kind = kind
        self.place = place.description
    }

    /// `nil` when it is none of ours.
    init?(_ text: String) {
        guard text.utf8.count <= 200 else { return nil }
        let plain = text.replacing("-", with: "+").replacing("_", with: "/")
        let padded = plain + String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4)
        guard let bytes = Data(base64Encoded: padded), let whole = String(validating: bytes, as: UTF8.self) else {
            return nil
        }
        let parts = whole.split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        (kind, place) = (String(parts[0]), String(parts[1]))
    }

    var text: String {
        Data("\(kind):\(place)".utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
            .replacing("=", with: "")
    }
}
