import ArgumentParser
import C2
import Foundation
import Linux
import Program
import SRUP

private let doneCodes = "Exit codes: 0 done, 1 refused."

struct RolloutCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollout",
        abstract: "Bring a release to devices, step by step; look at it, pause, stop and take back.",
        discussion: """
            srup-c2 rollout start 3 --type thermometer
            srup-c2 rollout start 3 --group kitchen --canary 2 --shares 50,100 --failures 3
            srup-c2 rollout show 1 --wait 600
            srup-c2 rollout devices 1
            srup-c2 rollout pause 1

            One device is first, then 5 %, 25 % and 100 % of them, if nothing else is said; each step waits for its successes, \
            and a rollout stops by itself when too many fail (docs/rollouts.md).
            """,
        subcommands: [
            StartRollout.self, ListRollouts.self, ShowRollout.self, RolloutDevices.self, PauseRollout.self,
            ResumeRollout.self, StopRollout.self, TakeBackRollout.self,
        ])
}

/// What all commands about one rollout take.
private struct OneRollout: ParsableArguments {
    @OptionGroup var folder: FolderOptions
    @Argument(help: "The rollout's number.")
    var rollout: Int64

    func ask(_ what: RolloutOrder.What) throws(OperationError) -> RolloutReply {
        try RolloutOrder(what: what, number: rollout).ask(folder.folder)
    }
}

private struct StartRollout: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start a rollout.", discussion: doneCodes)

    @OptionGroup var folder: FolderOptions
    @Argument(help: "The release's number, as \"srup-c2 release list\" shows it.")
    var release: Int64
    @Option(help: "To all members of this device type.")
    var type: String?
    @Option(help: "To the members of this group.")
    var group: String?
    @Option(help: "To the members of this zone.")
    var zone: String?
    @Option(help: "To this device; may be given several times.")
    var device: [IdentityArgument] = []
    @Option(help: "How many devices are first.")
    var canary: Int?
    @Option(help: ArgumentHelp("The steps after that, in percent of all; the last is 100.", valueName: "list"))
    var shares: String?
    @Option(help: ArgumentHelp("The next step begins at so many successes.", valueName: "percent"))
    var successShare: Int?
    @Option(help: ArgumentHelp("It stops at so many failures of a step.", valueName: "percent"))
    var failureShare: Int?
    @Option(help: "It stops at so many failures in all.")
    var failures: Int?
    @Option(help: "How many devices may be under way at once.")
    var underWay: Int?
    @Option(help: "How many devices are told to begin in a minute.")
    var startsPerMinute: Int?
    @Option(help: "How often a device is told until it has failed.")
    var tries: Int?
    @Option(help: ArgumentHelp("How long a device may take to download.", valueName: "seconds"))
    var downloadTime: Int?
    @Option(help: ArgumentHelp("How long it may take to change over.", valueName: "seconds"))
    var activationTime: Int?
    @Flag(help: "Members that join later get it, too.")
    var includesLater = false
    @Flag(help: "Who does not answer ACTIVATE, as no reference device does, counts as updated, unconfirmed.")
    var takesSilence = false

    private var targets: [(kind: String, text: String)] {
        [("type", type), ("group", group), ("zone", zone)].compactMap { kind, text in text.map { (kind, $0) } }
            + (device.isEmpty ? [] : [("list", device.map(\.id.hex).joined(separator: ","))])
    }

    func validate() throws {
        guard targets.count == 1 else { throw ValidationError("say one of --type, --group, --zone and --device") }
        let parts = shares?.split(separator: ",") ?? []
        guard parts.compactMap({ Int($0) }).count == parts.count else {
            throw ValidationError("--shares takes numbers with commas between: 5,25,100")
        }
        if let problem = try? plan.plan.problem { throw ValidationError(problem) }
    }

    private var plan: RolloutOrder.Plan {
        RolloutOrder.Plan(
            kind: targets[0].kind, target: targets[0].text, canary: canary,
            shares: shares.map { $0.split(separator: ",").compactMap { Int($0) } }, successShare: successShare,
            failureShare: failureShare, failures: failures, includesLater: includesLater, underWay: underWay,
            startsPerMinute: startsPerMinute, downloadTime: downloadTime, activationTime: activationTime, tries: tries,
            takesSilence: takesSilence)
    }

    func run() throws {
        try reporting {
            let reply = try RolloutOrder(what: .start, number: release, plan: plan).ask(folder.folder)
            print("rollout \(reply.number ?? 0) is started")
        }
    }
}

private struct ListRollouts: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List rollouts, the newest first.", discussion: doneCodes)

    @OptionGroup var folder: FolderOptions
    @Flag(help: "One JSON object for each rollout.")
    var json = false

    func run() throws {
        try reporting {
            for one in try RolloutOrder(what: .list).ask(folder.folder).rollouts ?? [] {
                print(json ? one.jsonLine : one.line)
            }
        }
    }
}

private struct ShowRollout: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show how a rollout goes.",
        discussion:
            "Exit codes: 0 shown; 1 there is none, or, with --wait, it has stopped; 69 it goes on after that time.")

    @OptionGroup var one: OneRollout
    @Option(help: ArgumentHelp("Wait until it is finished or has stopped.", valueName: "seconds"))
    var wait: Double?
    @Flag(help: "As a JSON object.")
    var json = false

    func run() throws {
        try reporting {
            let deadline = ContinuousClock.now + .seconds(wait ?? 0)
            var last = ""
            while true {
                guard let now = try one.ask(.show).rollouts?.first else { return }
                let line = json ? now.jsonLine : now.line
                if line != last { print(line) }
                last = line
                fflush(nil)
                guard wait != nil, now.state != "finished" else { return }
                // Those under way when it stopped are still to come to their end.
                let isStopped = now.state == "stopped" || now.state == "taken-back"
                if isStopped, now.devices["initiated"] == 0, now.devices["activated"] == 0 { throw ExitCode(1) }
                guard ContinuousClock.now < deadline else { throw ExitCode(69) }
                usleep(300_000)
            }
        }
    }
}

private struct RolloutDevices: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "devices", abstract: "List a rollout's devices, in its order.", discussion: doneCodes)

    @OptionGroup var one: OneRollout
    @Flag(help: "One JSON object for each device.")
    var json = false

    func run() throws {
        try reporting {
            for device in try one.ask(.devices).devices ?? [] {
                let phase = device.proof == "unconfirmed" ? "updated, unconfirmed" : device.phase
                let words = [device.device, phase, device.why]
                print(json ? device.jsonLine : words.filter { !$0.isEmpty }.joined(separator: "  "))
            }
        }
    }
}

private struct PauseRollout: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Tell nobody to begin any more; those under way go on.",
        discussion: doneCodes)

    @OptionGroup var one: OneRollout

    func run() throws {
        try reporting {
            _ = try one.ask(.pause)
            print("rollout \(one.rollout) is paused")
        }
    }
}

private struct ResumeRollout: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Go on with a rollout that is paused.", discussion: doneCodes)

    @OptionGroup var one: OneRollout

    func run() throws {
        try reporting {
            _ = try one.ask(.resume)
            print("rollout \(one.rollout) goes on")
        }
    }
}

private struct StopRollout: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "End a rollout for good: whoever has not changed over stays as it is.",
        discussion: doneCodes)

    @OptionGroup var one: OneRollout

    func run() throws {
        try reporting {
            _ = try one.ask(.stop)
            print("rollout \(one.rollout) is stopped")
        }
    }
}

private struct TakeBackRollout: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "take-back",
        abstract: "End a rollout for good, and say which release brings back what was before.",
        discussion: """
            Devices take no lower version: what they have installed goes away only by a release with a higher version, whose \
            manifest names the earlier payload. When there is one, its number is told; otherwise sign one. \(doneCodes)
            """)

    @OptionGroup var one: OneRollout

    func run() throws {
        try reporting {
            let reply = try one.ask(.takeBack)
            print("rollout \(one.rollout) is taken back: nobody is told of it any more")
            if let back = reply.wayBack {
                print("release \(back) brings an earlier payload back: srup-c2 rollout start \(back) ...")
            } else {
                print(
                    "no release brings an earlier payload back: sign its payload with a higher version (srup-release sign)"
                )
            }
        }
    }
}

extension RolloutReply.Rollout {
    /// For the terminal.
    var line: String {
        let filled = total == 0 ? 0 : 20 * (devices["updated"] ?? 0) / total
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled)
        return
            "rollout \(rollout)  \(version)  to \(target)  [\(bar)]  \(state)  \(figures)\(why.isEmpty ? "" : "  (\(why))")"
    }
}
