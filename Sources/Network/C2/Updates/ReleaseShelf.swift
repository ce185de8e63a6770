import ObservedValue
import Releases
import SRUP
import Storage

/// Where releases are kept: their entries and their files. The commands use it beside the running server.
public struct ReleaseShelf: Sendable {
    /// Releases and rollouts.
    public let store: UpdateStore
    /// What is served.
    public let folder: ReleaseFolder
    /// Where devices find the files, ending in `/`: `https://HOST:PORT/releases/`.
    public let base: String
    /// Whose manifests are taken; empty: those of any key, and releases without manifest.
    public let keys: [ReleasePublicKey]

    /// The shelf of a server.
    public init(store: UpdateStore, folder: ReleaseFolder, base: String, keys: [ReleasePublicKey]) {
        (self.store, self.folder, self.base, self.keys) = (store, folder, base, keys)
    }

    /// Takes a manifest. Its payload may come afterwards, or be elsewhere.
    ///
    /// - Returns: the release.
    /// - Throws: ``OperationError``.
    public func add(manifest bytes: [UInt8], by name: String, now: Double) throws(OperationError) -> UpdateStore.Release
    {
        let manifest: ReleaseManifest
        do {
            manifest = try ReleaseManifest(parsing: bytes)
        } catch {
            throw .invalid("\(error)")
        }
        guard keys.isEmpty || keys.contains(manifest.signer) else {
            throw .invalid("\(ReleaseError.otherKey(manifest.signer)) (updates.release_keys in c2.toml)")
        }
        guard now < Double(manifest.expires) else { throw .invalid("\(ReleaseError.expired(manifest.expires))") }
        let digest = ReleaseFolder.digest(bytes)
        let file = try served(manifest.url)
        if let file {
            let others = try stored { try store.releases() }
            let payload = Hex.encode(manifest.digest)
            guard !others.contains(where: { $0.file == file && $0.payload != payload && !$0.isWithdrawn }) else {
                throw .invalid("another release has a file of the name \(file)")
            }
        }
        try kept { () throws(ReleaseFolderError) in try folder.keep(bytes, as: digest + ".manifest") }
        return try added(
            UpdateStore.NewRelease(
                type: manifest.type, version: manifest.version.description, url: base + digest + ".manifest",
                digest: digest, manifest: manifest.description, payload: Hex.encode(manifest.digest),
                size: Int64(clamping: manifest.size), file: file, isThere: file.map(folder.has) ?? true,
                expires: Double(manifest.expires)), by: name, now)
    }

    /// Takes a payload without manifest, which is at an address elsewhere or comes afterwards.
    ///
    /// - Parameters:
    ///   - url: where it is; `nil`: it will be served here, under its SHA-256.
    ///   - size: in bytes; must be known for one that is served here.
    ///   - digest: its SHA-256, 64 hexadecimal digits in lower case.
    /// - Throws: ``OperationError``.
    public func add(
        bare url: String?, size: Int64?, digest: String, type: String, version: String, by name: String, now: Double
    ) throws(OperationError) -> UpdateStore.Release {
        guard keys.isEmpty else {
            throw .invalid("a release key is configured (updates.release_keys in c2.toml): a release has a manifest")
        }
        guard digest.utf8.count == 64, Hex.decode(digest).map({ Hex.encode($0) == digest }) == true else {
            throw .invalid("SHA-256 has 64 hexadecimal digits in lower case")
        }
        guard type.isEmpty || ReleaseManifest.isType(type) else { throw .invalid("no device has that type") }
        guard let parsed = ReleaseVersion(version) else { throw .invalid("a version is \(ReleaseVersion.form)") }
        if let url, !ReleaseManifest.isAddress(url) { throw .invalid("the address begins with https://") }
        if url == nil, (size ?? -1) < 0 || (size ?? 0) > folder.limit {
            throw .invalid("its size is not known, or larger than is allowed")
        }
        let file = url == nil ? digest : nil
        return try added(
            UpdateStore.NewRelease(
                type: type, version: parsed.description, url: url ?? base + digest, digest: digest, manifest: nil,
                payload: digest, size: size, file: file, isThere: file.map(folder.has) ?? true, expires: nil),
            by: name, now)
    }

    private func added(_ new: UpdateStore.NewRelease, by name: String, _ now: Double)
        throws(OperationError) -> UpdateStore.Release
    {
        let release = try stored { () -> UpdateStore.Release? in
            try store.add(new, by: name, now: now).flatMap { try store.release($0) }
        }
        guard let release else {
            throw .invalid("this release is there already, or there are \(UpdateStore.maximumReleases) of them")
        }
        return release
    }

    /// The name of the file at an address of ours; `nil`: it is elsewhere.
    private func served(_ url: String) throws(OperationError) -> String? {
        guard url.hasPrefix(base) else { return nil }
        let name = String(url.dropFirst(base.count))
        guard ReleaseFolder.isName(name) else { throw .invalid("\(ReleaseFolderError.name(name))") }
        return name
    }

    /// Begins to take the payload of a release.
    ///
    /// - Throws: ``OperationError``.
    public func upload(_ release: UpdateStore.Release) throws(OperationError) -> ReleaseUpload {
        guard let file = release.file, let size = release.size, !release.isWithdrawn else {
            throw .invalid("its payload is not served here: it is elsewhere, as its manifest says, or withdrawn")
        }
        do {
            return try folder.begin(file, size: size, digest: release.payload)
        } catch {
            throw .invalid("\(error)")
        }
    }

    /// The payload is whole.
    ///
    /// - Throws: ``OperationError``.
    public func finish(_ upload: ReleaseUpload, of release: UpdateStore.Release) throws(OperationError) {
        try kept { () throws(ReleaseFolderError) in try upload.finish() }
        try stored { try store.isThere(payload: release.payload, file: release.file ?? "") }
    }

    /// Nobody is told of a release any more, and its files go, as far as no other release needs them.
    ///
    /// - Throws: ``OperationError``.
    public func withdraw(_ number: Int64) throws(OperationError) {
        try stored {
            guard let release = try store.release(number) else {
                throw OperationError.invalid("there is no release \(number)")
            }
            try store.withdraw(number)
            let others = try store.releases().filter { !$0.isWithdrawn }
            if let file = release.file, !others.contains(where: { $0.file == file }) { folder.remove(file) }
            if release.manifest != nil { folder.remove(release.digest + ".manifest") }
        }
    }

    /// The release that brings the payload of an earlier one back, as a higher version: devices take no lower one.
    ///
    /// - Throws: ``OperationError``.
    public func wayBack(from release: UpdateStore.Release) throws(OperationError) -> UpdateStore.Release? {
        guard let version = ReleaseVersion(release.version) else { return nil }
        let all = try stored { try store.releases() }.filter { $0.type == release.type }
        func isHigher(_ one: UpdateStore.Release) -> Bool { ReleaseVersion(one.version).map { $0 > version } ?? false }
        let earlier = all.filter { ReleaseVersion($0.version).map { $0 < version } ?? false }.map(\.payload)
        return all.first { one in
            isHigher(one) && !one.isWithdrawn && one.isThere && one.payload != release.payload
                && earlier.contains(one.payload)
        }
    }

    private func stored<Result>(_ body: () throws -> Result) throws(OperationError) -> Result {
        do {
            return try body()
        } catch let error as OperationError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }

    private func kept(_ body: () throws(ReleaseFolderError) -> Void) throws(OperationError) {
        do {
            try body()
        } catch {
            throw .invalid("\(error)")
        }
    }
}
