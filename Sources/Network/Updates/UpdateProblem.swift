import Releases
import SRUP

/// Why an update was not fetched or not put to use.
public struct UpdateProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// What the server is answered.
    public let status: Status
    /// The reason, for people.
    public let description: String
    /// The web server's status, when it was the web server that refused.
    public var httpStatus: Int?
    /// The beginning of what it said besides.
    public var httpBody: [UInt8] = []

    init(_ status: Status, _ description: String) {
        self.status = status
        self.description = description
    }

    /// The connection, or what is at its other end.
    static func server(_ why: String) -> UpdateProblem { UpdateProblem(.updateFailServer, why) }
    /// What came, or where it is to be kept.
    static func file(_ why: String) -> UpdateProblem { UpdateProblem(.updateFailFile, why) }
    static func digest(_ why: String) -> UpdateProblem { UpdateProblem(.updateFailDigest, why) }
    static func activation(_ why: String) -> UpdateProblem { UpdateProblem(.activateFail, why) }

    /// The manifest forbids it. A signature that does not fit is told like a digest that does not.
    static func manifest(_ error: ReleaseError) -> UpdateProblem {
        switch error {
        case .badSignature, .otherKey: digest("\(error)")
        default: file("\(error)")
        }
    }

    /// The web server has refused.
    static func http(_ status: Int, _ body: [UInt8]) -> UpdateProblem {
        var problem = UpdateProblem(.updateFailHTTPError, "the web server answers with HTTP status \(status)")
        problem.httpStatus = status
        problem.httpBody = body
        return problem
    }
}
