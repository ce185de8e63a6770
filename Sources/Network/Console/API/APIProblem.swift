import C2
import HTTPTypes
import Hummingbird
import Operators

/// Why the API has not done what was asked for, as a problem document (RFC 9457).
struct APIProblem: Error, Sendable {
    /// What went wrong, for programs: the last part of `type`. Each has one status.
    enum Code: String, Sendable, CaseIterable {
        // The request
        case malformed
        case unauthenticated
        case forbidden
        case notFound = "not-found"
        case methodNotAllowed = "method-not-allowed"
        case tooLarge = "too-large"
        case unsupportedMediaType = "unsupported-media-type"
        case invalid
        case keyReused = "key-reused"
        case keyInUse = "key-in-use"
        case secretNotRepeated = "secret-not-repeated"
        case tooMany = "too-many"
        // What it is about
        case unknown
        case ended
        case hasEnded = "has-ended"
        case notYet = "not-yet"
        case replaced
        case wrongWords = "wrong-words"
        case notAMember = "not-a-member"
        case taken
        case full
        case lastAdministrator = "last-administrator"
        case oneself
        case failed

        var status: HTTPResponse.Status {
            switch self {
            case .malformed: .badRequest
            case .unauthenticated: .unauthorized
            case .forbidden: .forbidden
            case .notFound, .unknown: .notFound
            case .methodNotAllowed: .methodNotAllowed
            case .keyInUse, .secretNotRepeated, .ended, .hasEnded, .notYet, .replaced, .notAMember, .taken, .full,
                .lastAdministrator,
                .oneself:
                .conflict
            case .tooLarge: .contentTooLarge
            case .unsupportedMediaType: .unsupportedMediaType
            case .invalid, .keyReused, .wrongWords: .unprocessableContent
            case .tooMany: .tooManyRequests
            case .failed: .internalServerError
            }
        }

        /// The same for every occurrence (RFC 9457, 3.1.3).
        var title: String {
            switch self {
            case .malformed: "The request cannot be read"
            case .unauthenticated: "No token that counts was shown"
            case .forbidden: "The token's role does not suffice"
            case .notFound: "There is no such resource"
            case .methodNotAllowed: "This cannot be done to the resource"
            case .tooLarge: "The body is too large"
            case .unsupportedMediaType: "The body is no JSON"
            case .invalid: "A value cannot be used"
            case .keyReused: "The Idempotency-Key was used for another request"
            case .keyInUse: "The request with this Idempotency-Key is under way"
            case .secretNotRepeated: "It was done, and its answer holds a secret that is shown once"
            case .tooMany: "Too many requests"
            case .unknown: "It is not known here"
            case .ended: "The device does not wait any more"
            case .hasEnded: "The identity has ended already"
            case .notYet: "It is not so far yet"
            case .replaced: "The device shows another value by now"
            case .wrongWords: "These are not the words that the device shows"
            case .notAMember: "The device does not belong to the network"
            case .taken: "There is one already"
            case .full: "There is no room for another one"
            case .lastAdministrator: "Nobody would be left who may administer"
            case .oneself: "Nobody does this to themselves"
            case .failed: "The server could not do it"
            }
        }
    }

    let code: Code
    let detail: String
    /// Where in the body (JSON pointer, RFC 6901), or which parameter.
    var pointer: String?
    var parameter: String?
    /// In seconds, when trying again then helps.
    var retryAfter: Int?
    /// What can be done to the resource.
    var allow: String?
    var triesLeft: Int?

    init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    static func invalid(_ detail: String, pointer: String? = nil, parameter: String? = nil) -> APIProblem {
        var problem = APIProblem(.invalid, detail)
        problem.pointer = pointer
        problem.parameter = parameter
        return problem
    }

    /// With what can be done to the resource.
    func allowing(_ methods: String) -> APIProblem {
        var problem = self
        problem.allow = methods
        return problem
    }

    static func role(_ role: Role, has own: Role) -> APIProblem {
        APIProblem(.forbidden, "this takes the role \"\(role.rawValue)\"; the token has \"\(own.rawValue)\"")
    }

    init(_ error: OperationError) {
        let code: Code =
            switch error {
            case .unknown: .unknown
            case .ended: .ended
            case .hasEnded: .hasEnded
            case .replaced: .replaced
            case .wrongWords: .wrongWords
            case .notAMember: .notAMember
            case .invalid: .invalid
            case .failed: .failed
            }
        self.init(code, "\(error)")
        if case .wrongWords(let left) = error { triesLeft = left }
    }

    init(_ error: OperatorError) {
        let code: Code =
            switch error {
            // Nobody signs in here.
            case .wrong: .forbidden
            case .tooMany, .busy: .tooMany
            case .taken: .taken
            case .unknown, .unknownNumber: .unknown
            case .invalid: .invalid
            case .full: .full
            case .lastAdministrator: .lastAdministrator
            case .failed: .failed
            }
        self.init(code, "\(error)")
        switch error {
        case .tooMany(let seconds): retryAfter = seconds
        case .busy: retryAfter = 2
        default: break
        }
    }

    /// Whatever else may be thrown on the way. What it says stays in the log.
    init(_ error: any Error) {
        switch error {
        case let error as APIProblem: self = error
        case let error as OperationError: self.init(error)
        case let error as OperatorError: self.init(error)
        default: self.init(.failed, "try again; if it stays, look at the log and srup-c2 doctor")
        }
    }

    /// The document.
    var json: JSON {
        var members: [JSON.Member] = [
            .init(name: "type", value: .text("urn:srup:problem:\(code.rawValue)")),
            .init(name: "title", value: .text(code.title)), .init(name: "status", value: .count(code.status.code)),
            .init(name: "detail", value: .text(detail)),
        ]
        if let pointer {
            members.append(.init(name: "errors", value: [["pointer": .text(pointer), "detail": .text(detail)]]))
        }
        if let parameter {
            members.append(.init(name: "errors", value: [["parameter": .text(parameter), "detail": .text(detail)]]))
        }
        if let triesLeft { members.append(.init(name: "tries_left", value: .count(triesLeft))) }
        return .object(members)
    }

    var response: Response {
        var response = Response(
            status: code.status, headers: [.contentType: "application/problem+json"],
            body: .init(byteBuffer: ByteBuffer(bytes: json.bytes)))
        if let retryAfter { response.headers[.retryAfter] = String(retryAfter) }
        if let allow { response.headers[.allow] = allow }
        switch code {
        case .unauthenticated: response.headers[.wwwAuthenticate] = "Bearer realm=\"srup\""
        case .forbidden: response.headers[.wwwAuthenticate] = "Bearer realm=\"srup\", error=\"insufficient_scope\""
        default: break
        }
        return response
    }
}
