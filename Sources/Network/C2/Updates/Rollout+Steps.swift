import Participant
import SRUP

/// What makes a rollout go on: time, answers, operators.
extension Rollout {
    /// A member that is there is heard within this time after INITIATE, since it is asked what it is as well, in seconds.
    static let presenceTime = 60.0
    /// A device that has not answered ACTIVATE is asked what it is after this time, and again after it, in seconds.
    static let askEvery = 30.0
    /// The pause before a device is told again, times how often it was told, in seconds.
    static let pause = 60.0

    // MARK: Time

    /// Does what is due.
    ///
    /// - Parameters:
    ///   - isFree: whether no other rollout is at work with a device.
    ///   - isMember: whether a device belongs to the network.
    mutating func tick(_ now: Double, isFree: (DeviceID) -> Bool, isMember: (DeviceID) -> Bool) -> [Effect] {
        var effects: [Effect] = []
        for device in current { watch(device, now, &effects) }
        judge(now, &effects)
        for id in next(now, isFree: isFree) {
            guard isMember(id) else {
                end(id, .left, "it does not belong to the network any more", now)
                continue
            }
            effects.append(begin(id, now))
        }
        return effects
    }

    private mutating func begin(_ id: DeviceID, _ now: Double) -> Effect {
        let token = Token.random()
        change(id) { device in
            (device.phase, device.token, device.since, device.told) = (.initiated, token, now, now)
            device.tries += 1
            (device.isHeard, device.status, device.why) = (false, nil, "")
        }
        return .initiate(id, token)
    }

    private mutating func watch(_ device: RolloutDevice, _ now: Double, _ effects: inout [Effect]) {
        let age = now - device.since
        switch device.phase {
        case .initiated where !device.isHeard && age >= Self.presenceTime:
            // The broker keeps the message: it is answered when the device is back.
            change(device.id) { ($0.phase, $0.since, $0.why) = (.away, now, "not heard since it was told") }
        case .initiated where age >= plan.downloadTime:
            again(device.id, "no answer to INITIATE in \(Int(plan.downloadTime)) s", now)
        case .activated where age >= plan.activationTime:
            if device.isOnTrial {
                succeed(device.id, .identification, now)
            } else if plan.takesSilence, device.isHeard {
                succeed(device.id, .unconfirmed, now)
            } else {
                let words = device.isHeard ? "it is here, and has not answered ACTIVATE" : "not heard since ACTIVATE"
                end(device.id, .failed, "\(words), in \(Int(plan.activationTime)) s", now)
            }
        case .activated where now - (device.asked ?? device.since) >= Self.askEvery:
            change(device.id) { $0.asked = now }
            effects.append(.identify(device.id))
        default: break
        }
    }

    /// Goes on to the next step, stops or is finished.
    private mutating func judge(_ now: Double, _ effects: inout [Effect]) {
        guard state == .running || state == .paused else { return }
        if let reason = reasonToStop {
            stop(.stopped, reason, now)
            return effects.append(.stopped(why: reason))
        }
        guard state == .running else { return }
        while step < plan.shares.count, isStepDone {
            go(to: step + 1)
            effects.append(.began(step: step))
        }
        guard isSettled else { return }
        let isFirst = ended == nil
        set(.finished, now: now)
        if isFirst { effects.append(.finished) }
    }

    // MARK: Devices

    /// A message of a device counted, whatever it was.
    mutating func heard(_ id: DeviceID, _ now: Double) {
        guard let device = device(id), device.phase == .away || device.isUnderWay && !device.isHeard else { return }
        change(id) { device in
            device.isHeard = true
            guard device.phase == .away else { return }
            (device.phase, device.since, device.why) = (.initiated, now, "")
        }
        if device.phase == .away, state == .finished { set(.running, now: now) }
    }

    /// An answer of a device.
    ///
    /// - Returns: `nil` when it answers nothing that this rollout has asked: nothing has changed.
    mutating func answered(_ id: DeviceID, _ token: Token, _ status: Status, _ now: Double) -> [Effect]? {
        guard let device = device(id), device.token == token else { return nil }
        switch (device.phase, status) {
        case (.initiated, .updateSuccess), (.away, .updateSuccess):
            guard isOpen else {
                change(id) { $0.status = status }
                end(id, .left, "the rollout had ended before it was told to change over", now)
                return []
            }
            change(id) { device in
                (device.phase, device.since, device.status, device.asked) = (.activated, now, status, nil)
                (device.isHeard, device.isOnTrial, device.why) = (false, false, "")
            }
            return [.activate(id, token)]
        case (.initiated, .updateFailHTTPError), (.initiated, .updateFailServer), (.initiated, .updateFailFile),
            (.initiated, .updateFailDigest), (.away, .updateFailHTTPError), (.away, .updateFailServer),
            (.away, .updateFailFile), (.away, .updateFailDigest):
            change(id) { $0.status = status }
            again(id, Self.words(status), now)
        case (.activated, .activateSuccess):
            change(id) { $0.status = status }
            succeed(id, .answer, now)
        case (.activated, .activateFail):
            change(id) { $0.status = status }
            end(id, .failed, Self.words(status), now)
        // Its time was over: what it says now is how it is.
        case (.failed, .activateSuccess) where device.status == .updateSuccess:
            change(id) { $0.status = status }
            succeed(id, .answer, now)
        case (.failed, .activateFail) where device.status == .updateSuccess:
            change(id) { ($0.status, $0.why) = (status, Self.words(status)) }
        case (.updated, .activateSuccess) where device.status == .updateSuccess:
            change(id) { ($0.status, $0.proof) = (status, .answer) }
        case (.updated, .activateFail) where device.status == .updateSuccess:
            change(id) { ($0.status, $0.proof) = (status, nil) }
            end(id, .failed, Self.words(status), now)
        default: return nil
        }
        return []
    }

    /// A device has said what it is. One whose programs answer ACTIVATE may name the new version while that is still on trial,
    /// and go back: its answer decides, and the name only where no answer has come in time.
    mutating func identified(_ id: DeviceID, _ text: String, _ now: Double) {
        guard let device = device(id), device.phase == .activated, !device.wasNamed else { return }
        guard Self.names(version, text) else {
            if device.isOnTrial { change(id) { $0.isOnTrial = false } }
            return
        }
        if Self.answersActivate(text) {
            if !device.isOnTrial { change(id) { $0.isOnTrial = true } }
        } else {
            succeed(id, .identification, now)
        }
    }

    /// Whether what a device says of itself is how our programs say it: they answer ACTIVATE when the trial is over.
    static func answersActivate(_ text: String) -> Bool { Identification(text).session != nil }

    /// Whether a text names a version as a word of its own.
    static func names(_ version: String, _ text: String) -> Bool {
        guard !version.isEmpty else { return false }
        let parts = text.split(whereSeparator: { !$0.isLetter && !$0.isNumber && !".-+_".contains($0) })
        return parts.contains { $0 == version }
    }

    private mutating func again(_ id: DeviceID, _ why: String, _ now: Double) {
        guard let device = device(id) else { return }
        guard device.tries < plan.tries else {
            return end(id, .failed, device.tries == 1 ? why : "\(why) (told \(device.tries) times)", now)
        }
        guard isOpen else { return end(id, .left, why, now) }
        change(id) { device in
            (device.phase, device.since, device.why) = (.waiting, now, why)
            (device.notBefore, device.token) = (now + Self.pause * Double(device.tries), nil)
        }
        if state == .finished { set(.running, now: now) }
    }

    private mutating func succeed(_ id: DeviceID, _ proof: RolloutDevice.Proof, _ now: Double) {
        change(id) { ($0.phase, $0.since, $0.proof, $0.why) = (.updated, now, proof, "") }
    }

    private mutating func end(_ id: DeviceID, _ phase: RolloutDevice.Phase, _ why: String, _ now: Double) {
        change(id) { ($0.phase, $0.since, $0.why) = (phase, now, why) }
    }

    private static func words(_ status: Status) -> String {
        switch status {
        case .updateFailHTTPError: "the download has failed (HTTP)"
        case .updateFailServer: "the server of the release could not be reached"
        case .updateFailFile: "the server of the release has no such file"
        case .updateFailDigest: "what it has got is not what it should be"
        case .activateFail: "the new version did not prove itself: the one before runs again"
        default: "\(status)"
        }
    }

    // MARK: Operators

    /// - Returns: whether that could be done.
    mutating func pause(_ now: Double) -> Bool {
        guard state == .running else { return false }
        set(.paused, now: now)
        return true
    }

    /// - Returns: whether that could be done.
    mutating func resume(_ now: Double) -> Bool {
        guard state == .paused else { return false }
        set(.running, now: now)
        return true
    }

    /// Ends it for good: whoever has not changed over stays as it is.
    ///
    /// - Returns: whether that could be done.
    @discardableResult
    mutating func stop(_ new: State, _ why: String, _ now: Double) -> Bool {
        // Also what has stopped by itself, or is finished, can be taken back.
        guard isOpen || new == .takenBack && state == .stopped else { return false }
        set(new, why: why, now: now)
        for device in devices where device.phase == .waiting {
            end(device.id, .left, device.why.isEmpty ? "the rollout had ended" : device.why, now)
        }
        return true
    }

    /// More devices that it is meant for.
    mutating func join(_ ids: some Sequence<DeviceID>, _ now: Double) {
        guard plan.includesLater, isOpen else { return }
        let before = devices.count
        add(ids, now: now)
        if devices.count > before, state == .finished { set(.running, now: now) }
    }

    /// A newer rollout has these.
    mutating func supersede(_ ids: Set<DeviceID>, by newer: Int64, _ now: Double) {
        for id in ids {
            guard let device = device(id), device.phase == .waiting || device.phase == .away else { continue }
            end(id, .superseded, "rollout \(newer) has it", now)
        }
    }
}
