/// By what an observer sees.
public enum EyeKind: String, Sendable, Hashable, CaseIterable, Comparable {
    /// A camera.
    case camera
    /// A reader that devices are tapped on.
    case tap
    /// A person with a phone page open.
    case person

    /// In the order in which they are named.
    public static func < (left: EyeKind, right: EyeKind) -> Bool { left.rawValue < right.rawValue }
}

/// How many observers must have seen a device, and by what, before it is let in: each of them is asked with a token of its
/// own, and one that an attacker controls lets in nobody.
///
/// ```
/// 2                 any two
/// camera and tap    two, one of each kind
/// 3 with person     three, one of them an operator's phone
/// ```
public struct Quorum: Sendable, Hashable, CustomStringConvertible {
    /// How many different observers must say VALID.
    public let count: Int
    /// Which kinds must be among them.
    public let kinds: [EyeKind]

    /// One observer, whichever it is.
    public static let one = Quorum(count: 1, kinds: [])
    /// More observers are never asked for.
    public static let maximumCount = 5

    private init(count: Int, kinds: [EyeKind]) {
        self.count = count
        self.kinds = kinds
    }

    /// Reads what is written as above; `nil` when it makes no sense.
    public init?(_ text: some StringProtocol) {
        var words = text.split(separator: " " as Character).map { String($0) }
        var count: Int?
        if let first = words.first, let number = Int(first) {
            count = number
            words.removeFirst()
            if !words.isEmpty {
                guard words.removeFirst() == "with", !words.isEmpty else { return nil }
            }
        }
        var kinds: [EyeKind] = []
        for (index, word) in words.enumerated() {
            if index % 2 == 1 {
                guard word == "and" else { return nil }
            } else {
                guard let kind = EyeKind(rawValue: word) else { return nil }
                kinds.append(kind)
            }
        }
        guard words.isEmpty || words.count % 2 == 1 else { return nil }
        let needed = count ?? kinds.count
        guard (2...Self.maximumCount).contains(needed), kinds.count <= needed else { return nil }
        self.init(count: needed, kinds: kinds.sorted())
    }

    /// As ``init(_:)`` reads it.
    public var description: String {
        let names = kinds.map(\.rawValue).joined(separator: " and ")
        if kinds.isEmpty { return String(count) }
        return kinds.count == count ? names : "\(count) with \(names)"
    }

    /// Whether these observers are enough.
    ///
    /// - Parameter seen: what each of the different observers sees by; `nil` for one of which that is not known.
    func isMet(by seen: [EyeKind?]) -> Bool {
        guard seen.count >= count else { return false }
        return EyeKind.allCases.allSatisfy { kind in
            seen.count { $0 == kind } >= kinds.count { $0 == kind }
        }
    }

    /// Whether an observer can help: with one kind for each place, others cannot.
    func canUse(_ kind: EyeKind?) -> Bool {
        kinds.count < count || kind.map(kinds.contains) == true
    }

    /// Whether who was let in by this is good enough for another.
    func covers(_ other: Quorum) -> Bool {
        count >= other.count
            && EyeKind.allCases.allSatisfy { kind in
                kinds.count { $0 == kind } >= other.kinds.count { $0 == kind }
            }
    }
}
