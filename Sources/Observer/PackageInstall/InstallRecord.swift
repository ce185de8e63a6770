import Glibc
import Releases
import Storage

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The one installation under way, as root has it on the disk before each step: after a power cut the next run goes on.
struct InstallRecord: Codable, Sendable, Equatable {
    enum Phase: String, Codable, Sendable {
        /// The new package is being installed; done again until it has been done.
        case installing
        /// It is installed, and has yet to prove itself.
        case trial
        /// The earlier one is being put back; done again until it has been done.
        case reverting
    }

    var phase = Phase.installing
    /// The manifest's.
    var release: String
    /// The new package's field Version.
    var version: String
    /// The earlier one's.
    var earlier: String
    /// Whether the observer ran before: one that did not need not run after.
    var wasRunning: Bool
    /// How often the installation was begun.
    var tries = 0
    /// Why it goes back.
    var problem: String?
}

/// Root's own folder: copies, the record, the earlier package, the highest version that was ever in use.
struct OwnFolder: Sendable {
    let path: String

    /// The copy that is verified.
    var package: String { path + "/new.deb" }
    /// The way back.
    var earlier: String { path + "/earlier.deb" }
    /// This very program, for a run after a power cut: the new one may not even start.
    var program: String { path + "/srup-observer" }
    /// Where it is made.
    var work: String { path + "/repacked" }
    private var record: String { path + "/record" }
    private var highestFile: String { path + "/highest" }

    func load() -> InstallRecord? {
        guard let text = try? PublicFile.read(record, atMost: 4096) else { return nil }
        return try? JSONDecoder().decode(InstallRecord.self, from: Data(text.utf8))
    }

    func save(_ new: InstallRecord?) throws(InstallProblem) {
        guard let new else {
            unlink(record)
            let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            if folder >= 0 {
                fsync(folder)
                close(folder)
            }
            return
        }
        guard let data = try? JSONEncoder().encode(new) else { throw InstallProblem("the record cannot be written") }
        try write(String(decoding: data, as: UTF8.self), to: record)
    }

    /// The highest version that was ever in use: it outlives the package.
    var highest: ReleaseVersion? {
        get throws(InstallProblem) {
            guard PublicFile.isThere(highestFile) else { return nil }
            guard let text = try? PublicFile.read(highestFile, atMost: 128),
                let version = ReleaseVersion(text.filter { !$0.isNewline })
            else { throw InstallProblem("\(highestFile) cannot be read, and in it the version that was here") }
            return version
        }
    }

    func note(_ version: ReleaseVersion) throws(InstallProblem) {
        if let highest = try highest, highest >= version { return }
        try write(version.description + "\n", to: highestFile)
    }

    private func write(_ text: String, to path: String) throws(InstallProblem) {
        do throws(PrivateFileError) {
            try PrivateFile.write(text, to: path)
        } catch {
            throw InstallProblem("\(error)")
        }
    }

    /// What no way back needs any more.
    func clean() {
        unlink(program)
        unlink(package)
        unlink(package + ".new")
        unlink(earlier + ".new")
    }
}
