import Glibc
import Program

/// The machine below the observer: its model, power, heat, memory.
public struct MachineChecks: Sendable {
    private let root: FakeableRoot

    /// Looks below a root: "/" for the machine itself.
    public init(_ root: FakeableRoot) {
        self.root = root
    }

    /// Model, temperature, power and memory, one finding each.
    ///
    /// - Parameter version: srup-observer's, to be said with the model.
    public func all(version: String) -> [Finding] { [model(version), temperature(), power(), memory()] }

    func model(_ version: String) -> Finding {
        let kernel = root.text("/proc/sys/kernel/osrelease").map { ", Linux \($0)" } ?? ""
        let machine = root.text("/proc/device-tree/model") ?? "no Raspberry Pi (no device tree)"
        return Finding("machine", .ok, "\(machine)\(kernel); srup-observer \(version)")
    }

    /// A Pi slows down at 80 °C (the 3B+ a little at 60 °C already).
    /// https://www.raspberrypi.com/documentation/computers/raspberry-pi.html (frequency management)
    public func temperature() -> Finding {
        let folder = "/sys/class/thermal"
        let degrees = root.names(in: folder).filter { $0.hasPrefix("thermal_zone") }
            .compactMap { root.number("\(folder)/\($0)/temp") }.filter { (-50_000...200_000).contains($0) }.max()
            .map { $0 / 1000 }
        guard let degrees else { return Finding("temperature", .skipped, "this machine has no thermometer") }
        let remedy = "give the machine air or a heat sink, keep it out of the sun"
        return switch degrees {
        case 80...: Finding("temperature", .problem, "\(degrees) °C: the processor slows down", remedy: remedy)
        case 70...:
            Finding("temperature", .warning, "\(degrees) °C: from 80 on the processor slows down", remedy: remedy)
        default: Finding("temperature", .ok, "\(degrees) °C")
        }
    }

    func power() -> Finding { PowerCheck(root).finding() }

    func memory() -> Finding {
        var values: [Substring: Int] = [:]
        for line in (root.text("/proc/meminfo") ?? "").split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == ":" })
            if words.count >= 2, let kibibytes = Int(words[1]) { values[words[0]] = kibibytes / 1024 }
        }
        guard let free = values["MemAvailable"], let all = values["MemTotal"] else {
            return Finding("memory", .skipped, "/proc/meminfo tells nothing")
        }
        let says = "\(free) MiB of \(all) MiB available"
        // Keeper and witness need up to 80 MB while looking.
        let remedy = "end other programs: keeper and witness need 80 MB"
        return switch free {
        case ..<50: Finding("memory", .problem, says, remedy: remedy)
        case ..<100: Finding("memory", .warning, says, remedy: remedy)
        default: Finding("memory", .ok, says)
        }
    }
}
