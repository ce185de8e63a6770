import C2
import Foundation
import HTTPServing
import HTTPTypes
import Hummingbird
import Linux
import Operators

/// Releases for operators: what there is, and what is added.
extension Console {
    func addReleases(to router: Router<ConsoleContext>) {
        router.get("/releases") { request, context in
            let session = try session(context, .look, request)
            var page = try releasesPage(session)
            page.done = doneWords(request)
            return await answer(page, request, context)
        }
        router.post("/releases") { request, context in
            let (form, session) = try await form(request, context, for: "releases", .administer)
            do {
                // A browser ends lines with CR LF; a manifest has none.
                let text = (form["manifest"] ?? "").replacing("\r\n", with: "\n")
                let whole = text.hasSuffix("\n") ? text : text + "\n"
                let release = try server.releases().add(
                    manifest: Array(whole.utf8), by: session.name.text, now: now())
                audit("added: \(release.version) for \(release.type)", release, session.name.text)
                return Response.found("/releases?done=release")
            } catch let error as OperationError {
                return await answer(try releasesPage(session).saying(PageError(error)), request, context)
            }
        }
        router.post("/releases/withdraw") { request, context in
            let (form, session) = try await form(request, context, for: "release-withdraw", .administer)
            do {
                let number = form["number"].flatMap { Int64($0) } ?? 0
                try await withdraw(number, by: session.name.text)
                return Response.found("/releases?done=withdrawn")
            } catch let error as OperationError {
                return await answer(try releasesPage(session).saying(PageError(error)), request, context)
            }
        }
        router.post("/releases/:number/payload") { request, context in
            let session = try session(context, .administer, request)
            do {
                let release = try release(context.parameters.get("number"))
                context.expectLongRequest()
                try await receiveForm(request, session, release)
                audit("payload uploaded", release, session.name.text)
                return Response.found("/releases?done=payload")
            } catch let error as OperationError {
                return await answer(try releasesPage(session).saying(PageError(error)), request, context)
            }
        }
    }

    func audit(_ words: String, _ release: UpdateStore.Release, _ name: String) {
        try? server.peers.audit("release", "release \(release.number): \(words)", by: name, now: now())
    }

    func withdraw(_ number: Int64, by name: String) async throws(OperationError) {
        let shelf = try server.releases()
        try shelf.withdraw(number)
        try? server.peers.audit("release", "release \(number): withdrawn", by: name, now: now())
    }

    func release(_ text: String?) throws -> UpdateStore.Release {
        let shelf = try server.releases()
        guard let number = text.flatMap({ Int64($0) }), let release = try shelf.store.release(number) else {
            throw PageError.notFound("release of this number")
        }
        return release
    }

    private func releasesPage(_ session: Session) throws -> Page {
        let shelf: ReleaseShelf
        do {
            shelf = try server.releases()
        } catch {
            throw PageError(error)
        }
        let all = try stored { try shelf.store.releases() }
        var page = Page(template: "releases", title: "Releases", live: [.rollout])
        if session.role >= .administer {
            page.values["administers"] = true
            page.values["addToken"] = session.forms.token(for: "releases")
        }
        page.values["base"] = shelf.base
        page.values["keys"] =
            shelf.keys.isEmpty
            ? "No release key is configured (updates.release_keys in c2.toml): manifests of any key are taken."
            : "Manifests of these release keys are taken: \(shelf.keys.map { "\($0)" }.joined(separator: ", "))."
        page.values["rows"] = all.map { row($0, session) }
        return page
    }

    private func row(_ release: UpdateStore.Release, _ session: Session) -> [String: Any] {
        let isMissing = release.file != nil && !release.isThere && !release.isWithdrawn
        var values: [String: Any] = [
            "number": String(release.number), "version": release.version,
            "type": release.type.isEmpty ? "any device" : release.type, "digest": release.payload,
            "size": release.size.map { Words.count(Int($0), "byte") } ?? "",
            "payload": release.isWithdrawn
                ? "withdrawn" : isMissing ? "not here yet" : release.file == nil ? "elsewhere" : "here",
            "mark": release.isWithdrawn ? "no" : isMissing ? "open" : "yes",
            "expires": release.expires.map(Words.time) ?? "never", "added": Words.time(release.added),
            "by": release.by,
        ]
        if release.manifest == nil { values["bare"] = true }
        guard session.role >= .administer else { return values }
        if isMissing {
            values["upload"] = true
            values["uploadToken"] = session.forms.token(for: "release-payload")
        }
        if !release.isWithdrawn {
            values["there"] = true
            values["withdrawToken"] = session.forms.token(for: "release-withdraw")
        }
        return values
    }

    // MARK: Uploads

    /// Takes the raw bytes of a payload as they come; nothing of them is kept in memory.
    func receive(_ request: Request, _ release: UpdateStore.Release) async throws {
        let shelf = try server.releases()
        let upload = try shelf.upload(release)
        for try await part in request.body {
            do {
                try upload.write(Array(part.readableBytesView)[...])
            } catch {
                throw OperationError.invalid("\(error)")
            }
        }
        try shelf.finish(upload, of: release)
        server.releasesChanged()
    }

    /// The same from a page's form.
    private func receiveForm(_ request: Request, _ session: Session, _ release: UpdateStore.Release) async throws {
        let shelf = try server.releases()
        let upload = try shelf.upload(release)
        var reader = UploadForm(type: request.headers[.contentType] ?? "", size: upload.missing)
        for try await part in request.body {
            let bytes: ArraySlice<UInt8>
            do throws(MultipartError) {
                bytes = try reader.take(Array(part.readableBytesView))
            } catch {
                throw PageError(.badRequest, "The form cannot be read (\(error)).", "Load the page again and repeat.")
            }
            guard !bytes.isEmpty else { continue }
            guard session.forms.isToken(reader.token ?? "", for: "release-payload") else { throw PageError.oldForm }
            do {
                try upload.write(bytes)
            } catch {
                throw OperationError.invalid("\(error)")
            }
        }
        guard reader.isWhole else {
            throw OperationError.invalid("the file is not the one that the manifest names: its size is another one")
        }
        try shelf.finish(upload, of: release)
        server.releasesChanged()
    }
}
