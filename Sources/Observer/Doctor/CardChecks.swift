import Linux
import Program

/// The card that `deploy/image/build` makes: which of its two systems runs, and what its own scripts have written onto the
/// boot partition, where people look who have only the card.
public struct CardChecks: Sendable {
    private let root: FakeableRoot

    /// Looks below a root: "/" for the machine itself.
    public init(_ root: FakeableRoot) {
        self.root = root
    }

    /// Nothing where the package was installed into another system.
    public func all() -> [Finding] {
        guard let version = root.text("/etc/srup-observer-image") else { return [] }
        guard let choice = root.text("/boot/firmware/slot.txt") else {
            return [Finding("card", .skipped, "image \(version); only root may look at the boot partition (sudo)")]
        }
        return [system(version, choice), configuration(), update()].compactMap { $0 }
    }

    /// - Parameter choice: `os_prefix=a/`, then what the other scripts need to know (deploy/image, srup-slot).
    private func system(_ version: String, _ choice: String) -> Finding {
        let line = root.text("/proc/cmdline") ?? ""
        let running = line.contains("=53525550-02") ? "a" : line.contains("=53525550-03") ? "b" : "?"
        let says = "image \(version), system \(running)"
        if choice.hasSuffix("tried \(running)") {
            return Finding("card", .warning, says + ", on trial", remedy: "wait two minutes: it stays or goes back")
        }
        guard choice.hasPrefix("os_prefix=\(running)/") else {
            return Finding(
                "card", .warning, says + "; the next start is the other system's",
                remedy: "sudo srup-slot state says why; sudo srup-slot stay keeps this one")
        }
        return Finding("card", .ok, says)
    }

    private func configuration() -> Finding? {
        note("srup-observer-problem.txt").map {
            Finding(
                "boot partition", .problem, $0, remedy: "correct srup-observer.toml on the boot partition, start again")
        }
    }

    private func update() -> Finding? {
        note("srup-update-problem.txt").map {
            Finding(
                "update", .warning, $0,
                remedy: "the next update is tried by itself; sudo srup-update --again tries this one once more")
        }
    }

    /// One line of it; any computer may have written there.
    private func note(_ name: String) -> String? {
        root.text("/boot/firmware/" + name).map { text in
            let line = text.withoutControls
            return line.count > 300 ? line.prefix(300) + "…" : line
        }
    }
}
