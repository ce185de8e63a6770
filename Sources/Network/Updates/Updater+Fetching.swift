import Glibc
import Limits
import Linux
import Participant
import Releases
import SRUP
import Storage

/// From INITIATE to the verified payload.
extension Updater {
    /// One try. `false`: there is something to wait for.
    func fetch() async -> Bool {
        guard let record else { return false }
        guard let wanted = PayloadDigest.parse(record.digest) else {
            await end(.digest("the digest is not 64 hexadecimal digits in lower case"))
            return true
        }
        guard record.url.hasPrefix("https://") else {
            await end(.file("only https:// addresses are fetched from"))
            return true
        }
        if settings.requiresReleaseKey, record.manifest == nil { return await fetchManifest(record, wanted) }
        return await fetchPayload(record)
    }

    private func fetchManifest(_ record: UpdateRecord, _ wanted: [UInt8]) async -> Bool {
        let path = handler.part + ".manifest"
        unlink(path)
        defer { unlink(path) }
        let outcome = await tryOnce(
            record.url, path, size: nil, limit: UInt64(ReleaseManifest.maximumLength), mark: nil)
        guard replacement == nil else { return true }
        guard case .whole = outcome.outcome else { return await judge(outcome, waitsFor: nil) }
        guard PayloadDigest.matches(path, wanted) else {
            await end(.digest("the manifest is not the one that the server names"))
            return true
        }
        do {
            let text = try PublicFile.read(path, atMost: ReleaseManifest.maximumLength)
            let manifest = try ReleaseManifest(parsing: Array(text.utf8))
            try check(manifest)
            await store { $0.manifest = text }
            await reached(.manifestRead)
        } catch let error as ReleaseError {
            await end(.manifest(error))
        } catch {
            await end(.file("\(error)"))
        }
        return true
    }

    /// Whether it may run here, now.
    func check(_ manifest: ReleaseManifest) throws(ReleaseError) {
        let stored: ReleaseVersion?
        do {
            stored = try UpdateRecord.highest(state)
        } catch {
            throw .malformed("the state file cannot be read, and in it the version that was here: \(error)")
        }
        let highest = [stored, settings.installed].compactMap { $0 }.max()
        try manifest.check(
            keys: settings.keys, type: settings.type, highest: highest, now: wallClock(),
            allowsOlder: settings.allowsOlder)
    }

    private func fetchPayload(_ record: UpdateRecord) async -> Bool {
        let release = record.release
        if let problem = room(for: release?.size) {
            await end(problem)
            return true
        }
        let outcome = await tryOnce(
            release?.url ?? record.url, handler.part, size: release?.size, limit: release?.size ?? settings.maximumSize,
            mark: record.mark)
        guard replacement == nil else { return true }
        guard case .whole = outcome.outcome else { return await judge(outcome, waitsFor: outcome.mark) }
        await reached(.payloadFetched)
        await verify(record)
        return true
    }

    /// What is known to be too large is not begun.
    private func room(for size: UInt64?) -> UpdateProblem? {
        guard let size else { return nil }
        guard size <= settings.maximumSize else {
            return .file("its \(size) bytes are more than the \(settings.maximumSize) that are taken here")
        }
        var (status, space) = (stat(), statvfs())
        let have = lstat(handler.part, &status) == 0 ? UInt64(max(0, status.st_size)) : 0
        guard statvfs(Files.folder(of: handler.part), &space) == 0 else { return nil }
        let free = UInt64(space.f_bavail) * UInt64(space.f_frsize)
        return size > have && size - have > free ? .file("there is no room for it on the disk") : nil
    }

    private func verify(_ record: UpdateRecord) async {
        guard let digest = record.payloadDigest, let token = record.realToken else {
            return await end(.digest("its digest is unknown"))
        }
        let part = handler.part
        let isRight = await DetachedThread.value { PayloadDigest.matches(part, digest) }
        guard replacement == nil else { return }
        guard isRight else {
            // Of pieces of two different files, or of one that a power cut has damaged, comes nothing right; a second time it
            // is fetched in one piece.
            if !record.wasFetchedAnew, record.mark != nil || record.spent > 0 {
                unlink(part)
                await store {
                    $0.wasFetchedAnew = true
                    $0.mark = nil
                }
                return
            }
            return await end(.digest("what came has another digest"))
        }
        await reached(.payloadVerified)
        await store { $0.phase = .ready }
        await reached(.readyStored)
        logger.notice("an update is here and verified: version \(record.version)")
        await answerReady(token)
    }

    // MARK: Tries

    private func tryOnce(
        _ url: String, _ path: String, size: UInt64?, limit: UInt64, mark: String?
    ) async -> Download.Result {
        let left = left()
        guard left > .zero else {
            return Download.Result(outcome: .failed(.server("it could not be fetched in \(settings.patience)")), mark: mark)
        }
        let download = Download(
            url: url, authority: authority, path: path, size: size, limit: limit, mark: mark, timeout: left)
        let stop = Download.Stop()
        self.stop = stop
        let result = await DetachedThread.value(stack: 1024) { download.run(stop) }
        self.stop = nil
        return result
    }

    /// Of the time that fetching may take, over all runs.
    private func left() -> Duration { settings.patience - .seconds(record?.spent ?? 0) - (time.now() - began) }

    /// Waits for the next try, or gives up.
    private func judge(_ result: Download.Result, waitsFor mark: String?) async -> Bool {
        switch result.outcome {
        case .whole, .stopped: return true
        case .failed(let problem):
            await end(problem)
            return true
        case .trouble(let problem):
            troubles += 1
            if troubles >= Self.maximumTroubles {
                await end(problem)
                return true
            }
            return await wait(problem.description, mark)
        case .cut(let why, let progress):
            if progress > 0 { backoff.reset() }
            return await wait(why, mark)
        }
    }

    private func wait(_ why: String, _ mark: String?) async -> Bool {
        let pause = backoff.next()
        guard left() > pause else {
            await end(.server("it could not be fetched in \(settings.patience): \(why)"))
            return true
        }
        causedLog.log(.info, about: "fetching", "the update is not whole yet: \(why); trying again")
        await store {
            $0.mark = mark
            $0.spent += (time.now() - began) / .seconds(1)
        }
        began = time.now()
        due = time.now() + pause
        return false
    }
}
