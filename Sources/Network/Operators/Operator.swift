/// What somebody may do; each role may do what those before it may.
public enum Role: String, Sendable, Hashable, CaseIterable, Comparable {
    /// See everything but what concerns operators.
    case look
    /// Let devices in, take them out, send to them, note, trust.
    case moderate
    /// Set policies, and say who the operators are.
    case administer

    private var rank: Int {
        switch self {
        case .look: 0
        case .moderate: 1
        case .administer: 2
        }
    }

    /// Whether the right one may do more.
    public static func < (left: Role, right: Role) -> Bool { left.rank < right.rank }
}

/// The name that an operator signs in with: 1 to 32 of a-z, 0-9, ".", "-", "_" and "@", the first a letter or a digit.
public struct OperatorName: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The name, in lower case.
    public let text: String

    /// `nil` when `text` is no such name. Capital letters are taken for small ones: phones begin with one.
    public init?(_ text: String) {
        guard (1...32).contains(text.utf8.count) else { return nil }
        let text = text.lowercased()
        guard let first = text.utf8.first, Self.isLetterOrDigit(first),
            text.utf8.allSatisfy({ Self.isLetterOrDigit($0) || ".-_@".utf8.contains($0) })
        else { return nil }
        self.text = text
    }

    /// What a name must be, in words.
    public static let form =
        "1 to 32 of a-z, 0-9, \".\", \"-\", \"_\" and \"@\", the first one a letter or a digit"

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// The name itself.
    public var description: String { text }
    /// In the order of the alphabet.
    public static func < (left: OperatorName, right: OperatorName) -> Bool { left.text < right.text }
}

/// Somebody who may sign in.
public struct Operator: Sendable, Hashable {
    /// The name to sign in with.
    public let name: OperatorName
    /// What they may do.
    public let role: Role
    /// When they were added, in seconds since 1970.
    public let created: Double
    /// When their password was set last, in seconds since 1970.
    public let passwordSet: Double
    /// They cannot sign in at present, and their tokens do not count.
    public let isDisabled: Bool
    /// How many sessions they have.
    public let sessions: Int
    /// How many API tokens they have.
    public let tokens: Int
}

/// Somebody who is signed in, in one browser.
public struct Session: Sendable, Hashable {
    /// Names the session among all others; not what the browser holds.
    public let number: Int64
    /// Who is signed in.
    public let name: OperatorName
    /// What they may do now.
    public let role: Role
    /// When they signed in, in seconds since 1970.
    public let created: Double
    /// When it was used last, in seconds since 1970, to the minute.
    public let used: Double
    /// From where and with what they signed in, for themselves to recognise.
    public let place: String
    /// Makes the tokens of the session's forms.
    public let forms: FormKey
}

/// What a program shows instead of a password.
public struct AccessToken: Sendable, Hashable {
    /// Names the token among all others; not the token itself.
    public let number: Int64
    /// What it is for, in its maker's words.
    public let label: String
    /// Whose it is.
    public let name: OperatorName
    /// What was given to it.
    public let given: Role
    /// What it may do now: never more than whose it is.
    public let role: Role
    /// When it was made, in seconds since 1970.
    public let created: Double
    /// The day when it was used last, in seconds since 1970; `nil`: never.
    public let used: Double?
    /// When it ends, in seconds since 1970; `nil`: when somebody ends it.
    public let expires: Double?
}

/// Why something about operators was not done. What it says is for the operator.
public enum OperatorError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Name or password, or the operator may not sign in now: the three are not told apart.
    case wrong
    /// After so many seconds one may try again.
    case tooMany(seconds: Int)
    /// Too many sign in at this moment.
    case busy
    /// There is an operator of that name.
    case taken(OperatorName)
    /// There is none.
    case unknown(OperatorName)
    /// There is no session or token of that number.
    case unknownNumber(Int64)
    /// A value that cannot be used; which, and why.
    case invalid(String)
    /// There is no room for another one; of what, and what to do.
    case full(String)
    /// Nobody would be left who may administer.
    case lastAdministrator
    /// It could not be stored or computed.
    case failed(String)

    /// What is wrong and, where that is known, what to do.
    public var description: String {
        switch self {
        case .wrong: "name or password is wrong"
        case .tooMany(let seconds): "too many tries; try again in \(seconds) s"
        case .busy: "too many sign in at this moment; try again"
        case .taken(let name): "there is an operator \(name) already"
        case .unknown(let name): "there is no operator \(name)"
        case .unknownNumber(let number): "there is no number \(number)"
        case .lastAdministrator: "nobody would be left who may administer: give somebody else that role first"
        case .invalid(let why), .full(let why), .failed(let why): why
        }
    }
}
