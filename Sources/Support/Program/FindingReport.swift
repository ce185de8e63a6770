import Glibc
import Linux

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a doctor has found, shown line by line as it becomes known, or as one JSON object at the end.
public struct FindingReport {
    private struct Whole: Codable {
        var checks: [Finding]
        var ok: Bool
    }

    /// What has been found so far.
    public private(set) var findings: [Finding] = []
    private let isJSON: Bool

    /// Nothing has been found yet.
    ///
    /// - Parameter json: print nothing before ``end()``.
    public init(json: Bool) {
        isJSON = json
    }

    /// Whether no problem has been found.
    public var isWell: Bool { !findings.contains { $0.state == .problem } }

    /// Takes what a check has found, and shows it at once: some checks take seconds.
    public mutating func note(_ new: [Finding]) {
        findings += new
        if !isJSON { for finding in new { Self.show(finding) } }
    }

    /// Prints the object, or how many problems there are.
    public func end() {
        guard !isJSON else { return print(encoded()) }
        let problems = findings.count { $0.state == .problem }
        let warnings = findings.count { $0.state == .warning }
        print("\n\(findings.count) checks: \(problems) problems, \(warnings) warnings")
    }

    private func encoded() -> String {
        Whole(checks: findings, ok: isWell).jsonLine
    }

    private static func show(_ finding: Finding) {
        let mark =
            switch finding.state {
            case .ok: "ok   "
            case .warning: "warn "
            case .problem: "FAIL "
            case .skipped: "skip "
            }
        let name = finding.name + String(repeating: " ", count: max(1, 24 - finding.name.count))
        print(mark + name + finding.says.withoutControls)
        if let remedy = finding.remedy { print(String(repeating: " ", count: 29) + "→ " + remedy.withoutControls) }
        fflush(nil)
    }
}
