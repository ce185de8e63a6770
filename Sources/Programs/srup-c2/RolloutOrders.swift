import C2
import Foundation
import SRUP

/// What "srup-c2 rollout" asks of the running server.
struct RolloutOrder: Codable {
    enum What: String, Codable {
        case start, list, show, devices, pause, resume, stop, takeBack
    }

    /// What was said of how it goes out; what is missing is as usual.
    struct Plan: Codable {
        var kind: String
        var target: String
        var canary: Int?
        var shares: [Int]?
        var successShare: Int?
        var failureShare: Int?
        var failures: Int?
        var includesLater: Bool?
        var underWay: Int?
        var startsPerMinute: Int?
        var downloadTime: Int?
        var activationTime: Int?
        var tries: Int?
        var takesSilence: Bool?
    }

    var what: What
    /// Of a rollout, or, to start one, of a release.
    var number: Int64?
    var plan: Plan?
}

/// The server's answer.
struct RolloutReply: Codable {
    struct Rollout: Codable {
        var rollout: Int64
        var release: Int64
        var version: String
        var target: String
        var state: String
        var step: Int
        var why: String
        /// How many devices, by how far they are.
        var devices: [String: Int]
        /// The same in words.
        var figures: String
        var total: Int
        /// Seconds since 1970.
        var created: Double
        var by: String
    }

    struct Device: Codable {
        var device: String
        var place: Int
        var phase: String
        var tries: Int
        var status: String?
        var proof: String?
        var why: String
    }

    var number: Int64?
    var rollouts: [Rollout]?
    var devices: [Device]?
    /// The release that brings an earlier payload back.
    var wayBack: Int64?
}

extension RolloutOrder {
    func done(by server: C2Server, _ name: String) async throws -> RolloutReply {
        let number = number ?? 0
        switch what {
        case .start:
            guard let plan else { throw OperationError.invalid("it was not said to whom") }
            return RolloutReply(number: try await server.startRollout(of: number, try plan.plan, by: name))
        case .list: return RolloutReply(rollouts: try server.allRollouts(limit: 100).map(RolloutReply.Rollout.init))
        case .show: return RolloutReply(rollouts: [RolloutReply.Rollout(try await server.rollout(number))])
        case .devices:
            return RolloutReply(devices: try await server.rollout(number).devices.map(RolloutReply.Device.init))
        case .pause: try await server.pauseRollout(number, by: name)
        case .resume: try await server.resumeRollout(number, by: name)
        case .stop: try await server.stopRollout(number, by: name)
        case .takeBack: return RolloutReply(wayBack: try await server.takeBackRollout(number, by: name)?.number)
        }
        return RolloutReply()
    }

    /// Asks the server that runs with this folder.
    ///
    /// - Throws: ``OperationError``.
    func ask(_ folder: String) throws(OperationError) -> RolloutReply {
        try ServerOrder(what: .rollout, by: ServerOrder.user, rollout: self).ask(folder).rollout ?? RolloutReply()
    }
}

extension RolloutOrder.Plan {
    var plan: RolloutPlan {
        get throws(OperationError) {
            guard let target = RolloutPlan.Target(kind: kind, text: target) else {
                throw .invalid("that is no type, group, zone or list of identities")
            }
            var plan = RolloutPlan(target)
            plan.canary = canary ?? plan.canary
            plan.shares = shares ?? plan.shares
            plan.successShare = successShare ?? plan.successShare
            plan.failureShare = failureShare ?? plan.failureShare
            plan.failures = failures
            plan.includesLater = includesLater ?? false
            plan.underWay = underWay ?? plan.underWay
            plan.startsPerMinute = startsPerMinute ?? plan.startsPerMinute
            plan.downloadTime = downloadTime.map(Double.init) ?? plan.downloadTime
            plan.activationTime = activationTime.map(Double.init) ?? plan.activationTime
            plan.tries = tries ?? plan.tries
            plan.takesSilence = takesSilence ?? false
            return plan
        }
    }
}

extension RolloutReply.Rollout {
    init(_ rollout: C2.Rollout) {
        self.init(
            rollout: rollout.number, release: rollout.release, version: rollout.version,
            target: "\(rollout.plan.target.kind) \(String(rollout.plan.target.text.prefix(60)))",
            state: rollout.state.rawValue, step: rollout.step, why: rollout.why,
            devices: Dictionary(
                uniqueKeysWithValues: RolloutDevice.Phase.allCases.map { ($0.rawValue, rollout.count($0)) }),
            figures: rollout.figures, total: rollout.devices.count, created: rollout.created, by: rollout.by)
    }
}

extension RolloutReply.Device {
    init(_ device: RolloutDevice) {
        self.init(
            device: device.id.hex, place: device.position + 1, phase: device.phase.rawValue, tries: device.tries,
            status: device.status?.description, proof: device.proof?.rawValue, why: device.why)
    }
}
