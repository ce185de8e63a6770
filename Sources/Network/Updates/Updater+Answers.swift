import Participant
import Releases
import SRUP

/// What the server is told, and what is owed to it after a restart.
extension Updater {
    /// Goes on with what an earlier run has left: what was asked for and not begun, done and not answered.
    func takeUp() async throws {
        began = time.now()
        let offers = try state.requests(.update)
        for request in offers.dropLast() where record?.belongs(to: request.token) != true {
            await answer(request.token, .file("another update was offered meanwhile"), ending: .update)
        }
        if let last = offers.last, let offer = Member.Offer(last), record?.belongs(to: last.token) != true {
            // A power cut came between the message and its record.
            replacement = .offer(offer)
        }
        for request in try state.requests(.activation) {
            guard record?.belongs(to: request.token) == true else {
                await answer(request.token, .activation("no verified update has this token"), ending: .activation)
                continue
            }
            if record?.phase == .ready { await store { $0.phase = .switching } }
            if record?.phase == .done { await answerDone() }
        }
        switch record?.phase {
        case .ready:
            if let token = record?.realToken, offers.contains(where: { $0.token == token }) { await answerReady(token) }
        case .done:
            if let token = record?.realToken, offers.contains(where: { $0.token == token }) { await answerDone() }
            handler.discard()
        default: break
        }
        try state.drop(.ready, except: record?.phase == .ready ? record?.realToken : nil)
    }

    /// The update is here.
    func answerReady(_ token: Token) async {
        await send(token, .updateSuccess, ending: .update)
        events.record("update-ready", ["version": record?.version ?? ""])
        await reached(.readyAnswered)
    }

    /// It is over: that is stored, then said.
    func end(_ problem: UpdateProblem?) async {
        let isFetching = record?.phase == .fetching
        await store {
            $0.phase = .done
            $0.status = (problem?.status ?? .activateSuccess).rawValue
            $0.problem = problem?.description
        }
        await reached(.doneStored)
        if isFetching { handler.discard() }
        events.record("update-done", ["status": "\(problem?.status ?? .activateSuccess)", "why": problem?.description ?? ""])
        if let problem, let token = record?.realToken {
            await answer(token, problem, ending: isFetching ? .update : .activation)
        } else {
            await answerDone()
        }
        await reached(.doneAnswered)
    }

    /// Owed since it was done.
    func answerDone() async {
        guard let record, let token = record.realToken, let status = outcome else { return }
        let isActivation = [.activateSuccess, .activateFail].contains(status)
        await send(
            token, told(status), ending: isActivation ? .activation : .update, values: values(record, status))
    }

    /// The same answer again.
    func repeatAnswer(_ token: Token) async {
        guard let record, let status = outcome else { return }
        await send(token, told(status), ending: nil, values: values(record, status))
    }

    private func values(_ record: UpdateRecord, _ status: Status) -> [(name: String, value: [UInt8])] {
        guard settings.requiresReleaseKey else { return [] }
        if status == .activateSuccess { return [(UpdateValue.version, Array(record.version.utf8))] }
        return record.problem.map { [(UpdateValue.problem, Array($0.utf8))] } ?? []
    }

    /// Says why not. A server that is not of this kind gets the status that it knows, and no values of ours but those of the
    /// 2017 paper.
    func answer(_ token: Token, _ problem: UpdateProblem, ending: ParticipantStore.Request.Kind?) async {
        causedLog.log(.warning, about: "updates", "no update: \(problem)")
        var values: [(name: String, value: [UInt8])] = []
        if let status = problem.httpStatus {
            values.append((UpdateValue.httpStatus, DataValue.int32(Int32(clamping: status)).wire))
            values.append((UpdateValue.httpBody, problem.httpBody))
        }
        if settings.requiresReleaseKey { values.append((UpdateValue.problem, Array(problem.description.utf8))) }
        await send(token, told(problem.status), ending: ending, values: values)
    }

    /// UPDATE_FAIL_HTTP_ERROR is defined, but a reference server knows only UPDATE_FAIL_FILE for it.
    private func told(_ status: Status) -> Status {
        status == .updateFailHTTPError && !settings.requiresReleaseKey ? .updateFailFile : status
    }

    private func send(
        _ token: Token, _ status: Status, ending: ParticipantStore.Request.Kind?,
        values: [(name: String, value: [UInt8])] = []
    ) async {
        do {
            try await member?.answer(token, status, ending: ending, values: values)
        } catch ParticipantError.alreadyAnswered {
            logger.debug("an update has been answered already")
        } catch {
            causedLog.log(.error, about: "answers", "an update could not be answered: \(error)")
        }
    }
}
