import SRUP

/// How a release goes out: to whom, in which steps, how fast, and when it stops by itself.
public struct RolloutPlan: Sendable, Hashable {
    /// Whose members it goes to. Only members of the release's own device type are taken.
    public enum Target: Sendable, Hashable {
        /// All members of the release's device type.
        case type(String)
        /// Those of a group.
        case group(GroupID)
        /// Those of a zone.
        case zone(String)
        /// These.
        case list([DeviceID])

        /// What kind it is, as it is kept and told.
        public var kind: String {
            switch self {
            case .type: "type"
            case .group: "group"
            case .zone: "zone"
            case .list: "list"
            }
        }

        /// Which type, group or zone; the identities of a list, with commas between.
        public var text: String {
            switch self {
            case .type(let name), .zone(let name): name
            case .group(let group): group.text
            case .list(let devices): devices.map(\.hex).joined(separator: ",")
            }
        }

        /// `nil` when it is no such kind, or when what it names cannot be one.
        public init?(kind: String, text: String) {
            switch kind {
            case "type" where !text.isEmpty: self = .type(text)
            case "zone" where !text.isEmpty: self = .zone(text)
            case "group":
                guard let group = GroupID(text) else { return nil }
                self = .group(group)
            case "list":
                let separators: Set<Character> = [",", " ", "\n", "\r\n", "\t"]
                let parts = text.split(whereSeparator: { separators.contains($0) })
                let devices = parts.compactMap { DeviceID(participant: String($0)) }
                guard devices.count == parts.count, !devices.isEmpty else { return nil }
                self = .list(devices)
            default: return nil
            }
        }
    }

    /// To whom it goes.
    public var target: Target
    /// How many devices are the first step.
    public var canary = 1
    /// The steps after that, in percent of all devices of the rollout; the last one is 100.
    public var shares = [5, 25, 100]
    /// The next step begins when so many percent of this one's devices run the release.
    public var successShare = 90
    /// It stops by itself when so many percent of this step's devices have failed.
    public var failureShare = 10
    /// It stops by itself at so many failures; `nil`: only the share counts.
    public var failures: Int?
    /// Whether members that join later, or come into the group or zone, get it, too.
    public var includesLater = false
    /// How many devices may be under way at once.
    public var underWay = 50
    /// How many devices are told to begin in a minute.
    public var startsPerMinute = 60
    /// How long a device may take from INITIATE to its answer, in seconds.
    public var downloadTime = 3600.0
    /// How long it may take from ACTIVATE to its answer, in seconds.
    public var activationTime = 600.0
    /// How often a device is told to begin until it has failed.
    public var tries = 3
    /// Whether a device that does not answer ACTIVATE within ``activationTime``, as no reference device does, counts as
    /// updated, "unconfirmed"; otherwise it has failed, unless its identification has named the version.
    public var takesSilence = false

    /// So many devices a rollout has at most.
    public static let maximumDevices = 10_000
    /// So many steps it has at most, besides the canary.
    public static let maximumShares = 10

    /// A plan with the usual figures.
    public init(_ target: Target) { self.target = target }

    /// Why it cannot be used; `nil` when it can.
    public var problem: String? {
        func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) -> String? {
            range.contains(value) ? nil : "\(name): a number from \(range.lowerBound) to \(range.upperBound)"
        }
        let steps = zip(shares, shares.dropFirst())
        if shares.isEmpty || shares.count > Self.maximumShares || shares.last != 100
            || shares.contains(where: { !(1...100).contains($0) }) || steps.contains(where: { $0 >= $1 })
        {
            return
                "shares: 1 to \(Self.maximumShares) numbers from 1 to 100, each higher than the one before, 100 the last"
        }
        if case .list(let devices) = target, devices.count > Self.maximumDevices {
            return "target: \(Self.maximumDevices) devices at most"
        }
        if target.text.utf8.count > 64, case .type = target { return "target: no device has that type" }
        if target.text.utf8.count > 64, case .zone = target { return "target: no zone has that name" }
        return check("canary", canary, 1...1000) ?? check("success share", successShare, 1...100)
            ?? check("failure share", failureShare, 1...100)
            ?? check("failures", failures ?? 1, 1...Self.maximumDevices)
            ?? check("devices under way", underWay, 1...Self.maximumDevices)
            ?? check("starts per minute", startsPerMinute, 1...Self.maximumDevices) ?? check("tries", tries, 1...20)
            ?? Self.time("time for the download", downloadTime) ?? Self.time("time for the activation", activationTime)
    }

    private static func time(_ name: String, _ seconds: Double) -> String? {
        // Also false for what is no number.
        (60...604_800).contains(seconds) ? nil : "\(name): 60 seconds to 7 days"
    }
}
