import C2
import Foundation
import HTTPTypes
import Hummingbird
import Linux
import Operators
import SRUP

/// Rollouts for operators: how they go, and what can be done to them.
extension Console {
    func addRollouts(to router: Router<ConsoleContext>) {
        router.get("/rollouts") { request, context in
            let session = try session(context, .look, request)
            var page = try await rolloutsPage(request, session)
            page.done = doneWords(request)
            return await answer(page, request, context)
        }
        router.post("/rollouts") { request, context in
            let (form, session) = try await form(request, context, for: "rollouts", .administer)
            do {
                let plan = try RolloutPlan(form)
                let release = form["release"].flatMap { Int64($0) } ?? 0
                let number = try await server.startRollout(of: release, plan, by: session.name.text)
                return Response.found("/rollouts/\(number)?done=rollout")
            } catch let error as OperationError {
                return await answer(
                    try await rolloutsPage(request, session).saying(PageError(error)), request, context)
            }
        }
        router.get("/rollouts/:number") { request, context in
            let session = try session(context, .look, request)
            var page = try await rolloutPage(try number(context), request, session)
            page.done = doneWords(request)
            return await answer(page, request, context)
        }
        add("pause", .moderate, to: router) { try await server.pauseRollout($0, by: $1) }
        add("resume", .moderate, to: router) { try await server.resumeRollout($0, by: $1) }
        add("stop", .moderate, to: router) { try await server.stopRollout($0, by: $1) }
        add("take-back", .moderate, to: router) { try await server.takeBackRollout($0, by: $1) }
    }

    private func add(
        _ what: String, _ role: Role, to router: Router<ConsoleContext>,
        _ body: @escaping @Sendable (Int64, _ by: String) async throws -> Void
    ) {
        router.post("/rollouts/:number/\(RouterPath(stringLiteral: what))") { request, context in
            let number = try number(context)
            let (_, session) = try await form(request, context, for: "rollout-\(what)", role)
            do {
                try await body(number, session.name.text)
                return Response.found("/rollouts/\(number)?done=rollout-\(what)")
            } catch let error as OperationError {
                let page = try await rolloutPage(number, request, session).saying(PageError(error))
                return await answer(page, request, context)
            }
        }
    }

    private func number(_ context: ConsoleContext) throws(PageError) -> Int64 {
        guard let number = context.parameters.get("number").flatMap({ Int64($0) }), number > 0 else {
            throw .notFound("rollout of this number")
        }
        return number
    }

    // MARK: All of them

    private func rolloutsPage(_ request: Request, _ session: Session) async throws -> Page {
        let before = request.uri.queryParameters["before"].flatMap { Int64($0) }
        let all: [Rollout]
        let releases: [UpdateStore.Release]
        do {
            all = try server.allRollouts(before: before, limit: 21)
            releases = try server.releases().store.releases().filter { !$0.isWithdrawn && $0.isThere }
        } catch let error as OperationError {
            throw PageError(error)
        }
        var page = Page(template: "rollouts", title: "Rollouts", live: [.rollout])
        page.values["rows"] = all.prefix(20).map(summary)
        if all.count > 20 { page.values["more"] = "/rollouts?before=\(all[19].number)" }
        if before != nil { page.values["first"] = "/rollouts" }
        if session.role >= .administer, !releases.isEmpty {
            page.values["starts"] = true
            page.values["token"] = session.forms.token(for: "rollouts")
            try await addStart(request, releases, to: &page)
        }
        return page
    }

    private func addStart(_ request: Request, _ releases: [UpdateStore.Release], to page: inout Page) async throws {
        let wanted = request.uri.queryParameters["release"].flatMap { Int64($0) }
        let chosen = releases.first { $0.number == wanted } ?? releases[0]
        var target = RolloutPlan.Target.type(chosen.type)
        // A way back goes to those that have what is taken back.
        if let number = request.uri.queryParameters["devices"].flatMap({ Int64($0) }),
            let other = try? await server.rollout(number)
        {
            target = .list(other.devices.filter { $0.phase == .updated || $0.phase == .activated }.map(\.id))
        }
        page.values["releases"] = releases.map { one -> [String: Any] in
            var values: [String: Any] = [
                "number": String(one.number), "version": one.version, "type": one.type.isEmpty ? "any type" : one.type,
            ]
            if one.number == chosen.number { values["here"] = true }
            return values
        }
        page.values["kinds"] = [
            ("type", "all of a type"), ("group", "a group"), ("zone", "a zone"), ("list", "these devices"),
        ].map { Self.option($0, $1, here: $0 == target.kind) }
        page.values["target"] = target.text
        let usual = RolloutPlan(target)
        page.values["numbers"] = [
            ("canary", "First so many devices", "\(usual.canary)"),
            ("shares", "Then so many percent", usual.shares.map(String.init).joined(separator: ", ")),
            ("success_share", "Next step at so many percent of successes", "\(usual.successShare)"),
            ("failure_share", "Stop at so many percent of failures", "\(usual.failureShare)"),
            ("failures", "Stop at so many failures (empty: by the share alone)", ""),
            ("under_way", "So many at once", "\(usual.underWay)"),
            ("starts_per_minute", "So many starts a minute", "\(usual.startsPerMinute)"),
            ("tries", "Tries of each device", "\(usual.tries)"),
            ("download_time", "Seconds for the download", "\(Int(usual.downloadTime))"),
            ("activation_time", "Seconds for the change", "\(Int(usual.activationTime))"),
        ].map { ["id": $0, "label": $1, "value": $2] }
    }

    private static func mark(_ state: Rollout.State) -> String {
        switch state {
        case .running, .paused: "open"
        case .finished: "yes"
        case .stopped, .takenBack: "no"
        }
    }

    private func summary(_ rollout: Rollout) -> [String: Any] {
        var values: [String: Any] = [
            "number": String(rollout.number), "version": rollout.version, "target": Self.words(rollout.plan.target),
            "state": Self.words(rollout.state), "mark": Self.mark(rollout.state), "figures": rollout.figures,
            "updated": String(rollout.count(.updated)), "total": String(max(1, rollout.devices.count)),
            "created": Words.time(rollout.created), "by": rollout.by,
        ]
        if !rollout.why.isEmpty { values["why"] = rollout.why }
        return values
    }

    private static func words(_ target: RolloutPlan.Target) -> String {
        switch target {
        case .type(let type): "all of type \(type.withoutControls)"
        case .group(let group): "the group \(group)"
        case .zone(let zone): "the zone \(zone.withoutControls)"
        case .list(let devices): Words.count(devices.count, "device")
        }
    }

    private static func words(_ state: Rollout.State) -> String { state == .takenBack ? "taken back" : state.rawValue }

    private static func words(_ device: RolloutDevice) -> String {
        switch device.phase {
        case .initiated: "downloading"
        case .activated: "changing over"
        case .left: "left out"
        case .superseded: "in a newer rollout"
        case .updated:
            switch device.proof {
            case .unconfirmed: "updated, unconfirmed"
            case .identification: "updated, as it says of itself"
            default: "updated"
            }
        case .waiting, .away, .failed: device.phase.rawValue
        }
    }

    // MARK: One of them

    private func rolloutPage(_ number: Int64, _ request: Request, _ session: Session) async throws -> Page {
        guard let rollout = try? await server.rollout(number) else { throw PageError.notFound("rollout \(number)") }
        var page = Page(template: "rollout", title: "Rollout \(number)", live: [.rollout])
        page.values = summary(rollout)
        let release = try? server.releases().store.release(rollout.release)
        if let type = release?.type, !type.isEmpty { page.values["type"] = type }
        if rollout.plan.includesLater { page.values["later"] = true }
        page.values["step"] = Self.stepWords(rollout)
        page.values["plan"] = Self.words(rollout.plan)
        if rollout.state == .takenBack {
            if let back = try? server.wayBack(number) {
                page.values["back"] = true
                page.values["backNumber"] = String(back.number)
                page.values["backVersion"] = back.version
            } else {
                page.values["noBack"] = true
            }
        }
        page.values["ways"] = ways(rollout, session)
        addRows(rollout, request, to: &page)
        return page
    }

    private static func stepWords(_ rollout: Rollout) -> String {
        let count = rollout.plan.shares.count + 1
        let name = rollout.step == 0 ? "canary" : "\(rollout.plan.shares[rollout.step - 1]) %"
        return "\(rollout.step + 1) of \(count) (\(name)): \(Words.count(rollout.stepSize, "device"))"
    }

    private static func words(_ plan: RolloutPlan) -> String {
        let steps = (["\(plan.canary)"] + plan.shares.map { "\($0) %" }).joined(separator: ", then ")
        let failures = plan.failures.map { " or \($0) failures" } ?? ""
        return
            "\(steps); the next step at \(plan.successShare) % of successes, stop at \(plan.failureShare) %\(failures) of failures; "
            + "\(plan.underWay) at once, \(plan.startsPerMinute) starts a minute, \(plan.tries) tries"
            + (plan.takesSilence ? "; silence after ACTIVATE counts as updated" : "")
    }

    private func ways(_ rollout: Rollout, _ session: Session) -> [[String: Any]] {
        guard session.role >= .moderate else { return [] }
        func way(_ path: String, _ button: String, _ style: String) -> [String: Any] {
            [
                "path": path, "button": button, "class": style,
                "token": session.forms.token(for: "rollout-\(path)"),
            ]
        }
        switch rollout.state {
        case .running:
            return [
                way("pause", "Pause", "second"), way("stop", "Stop for good", "danger"),
                way("take-back", "Take back", "danger"),
            ]
        case .paused:
            return [
                way("resume", "Go on", ""), way("stop", "Stop for good", "danger"),
                way("take-back", "Take back", "danger"),
            ]
        case .finished, .stopped: return [way("take-back", "Take back", "danger")]
        case .takenBack: return []
        }
    }

    private func addRows(_ rollout: Rollout, _ request: Request, to page: inout Page) {
        let parameters = request.uri.queryParameters
        let phase = parameters["phase"].flatMap { RolloutDevice.Phase(rawValue: String($0)) }
        let after = parameters["after"].flatMap { Int($0) } ?? -1
        let found = rollout.devices.filter { $0.position > after && (phase == nil || $0.phase == phase) }
            .prefix(Self.rowsOnPage + 1)
        page.values["phases"] = RolloutDevice.Phase.allCases.map { one in
            Self.option(one.rawValue, "\(one.rawValue) (\(rollout.count(one)))", here: one == phase)
        }
        let now = now()
        page.values["devices"] = found.prefix(Self.rowsOnPage).map { device -> [String: Any] in
            [
                "place": String(device.position + 1), "id": device.id.hex, "phase": Self.words(device),
                "mark": device.phase == .updated ? "yes" : device.phase == .failed ? "no" : "open",
                "tries": String(device.tries), "answer": device.status.map { "\($0)" } ?? "",
                "since": Words.ago(device.since, now: now), "why": reason(device),
            ]
        }
        let query = [("phase", phase?.rawValue ?? "")]
        if found.count > Self.rowsOnPage, let last = found.prefix(Self.rowsOnPage).last {
            page.values["more"] = Self.address(
                "/rollouts/\(rollout.number)", query + [("after", String(last.position))])
        }
        if after >= 0 { page.values["first"] = Self.address("/rollouts/\(rollout.number)", query) }
    }

    /// Why, in the device's own words where it has sent some, and the HTTP status (2017 paper, 3.7).
    private func reason(_ device: RolloutDevice) -> String {
        if device.phase == .failed || device.tries > 0, let told = device.told, !device.why.isEmpty,
            let own = try? server.commandStore.history(of: device.id, "UPDATE_PROBLEM", limit: 1).first,
            own.received >= told
        {
            let words = String(decoding: own.value.prefix(200), as: UTF8.self).withoutControls
            return "\(device.why): \(words)"
        }
        guard device.status == .updateFailHTTPError, let told = device.told,
            let reading = try? server.commandStore.history(of: device.id, "HTTP_STATUS", limit: 1).first,
            reading.received >= told
        else { return device.why }
        let text = String(decoding: reading.value.prefix(40), as: UTF8.self).withoutControls
        let number = reading.value.count == 4 ? reading.value.reversed().reduce(0) { $0 << 8 | Int($1) } : nil
        return "\(device.why): \(number.map(String.init) ?? text)"
    }
}

extension RolloutPlan {
    /// What was filled in; what is left empty is as usual.
    ///
    /// - Throws: ``OperationError``.
    init(_ form: Form) throws(OperationError) {
        guard let target = Target(kind: form["kind"] ?? "", text: (form["target"] ?? "")) else {
            throw .invalid("that is no type, group, zone or list of identities")
        }
        self.init(target)
        func number(_ name: String, _ usual: Int) throws(OperationError) -> Int {
            let text = (form[name] ?? "").filter { !$0.isWhitespace }
            if text.isEmpty { return usual }
            guard let number = Int(text), number < 1_000_000_000 else { throw .invalid("\(name): a number") }
            return number
        }
        canary = try number("canary", canary)
        if let text = form["shares"], !text.isEmpty {
            let parts = text.split { $0 == "," || $0 == " " }
            shares = parts.compactMap { Int($0) }
            guard shares.count == parts.count else { throw .invalid("shares: numbers with commas between") }
        }
        successShare = try number("success_share", successShare)
        failureShare = try number("failure_share", failureShare)
        let limit = try number("failures", 0)
        failures = limit == 0 ? nil : limit
        includesLater = form["includes_later"] == "yes"
        takesSilence = form["takes_silence"] == "yes"
        underWay = try number("under_way", underWay)
        startsPerMinute = try number("starts_per_minute", startsPerMinute)
        tries = try number("tries", tries)
        downloadTime = Double(try number("download_time", Int(downloadTime)))
        activationTime = Double(try number("activation_time", Int(activationTime)))
        if let problem { throw .invalid(problem) }
    }
}
