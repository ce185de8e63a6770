import Glibc
import SRUP
import Storage
import Synchronization

/// Who is in which group, by the file that the C2 server writes (``BrokerConfiguration/setGroups(_:folder:)``); read again when
/// it has changed. Of a file that cannot be read nobody is a member.
final class GroupBook: Sendable {
    private let path: String
    private struct Seen {
        var stamp: [Int] = []
        var members: [GroupID: Set<DeviceID>] = [:]
    }
    private let seen = Mutex(Seen())

    /// In bytes, as the plugin for Mosquitto has it.
    private static let largestFile = 4 << 20

    /// - Parameter folder: the server's.
    init(folder: String) { path = BrokerConfiguration.groupsPath(folder) }

    func has(_ id: DeviceID, in group: GroupID) -> Bool {
        seen.withLock { seen in
            readIfChanged(&seen)
            return seen.members[group]?.contains(id) == true
        }
    }

    /// What changes with the file, which is replaced as a whole; empty when there is none.
    static func stamp(_ path: String) -> [Int] {
        var status = stat()
        guard stat(path, &status) == 0 else { return [] }
        return [Int(status.st_ino), Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
    }

    private func readIfChanged(_ seen: inout Seen) {
        let stamp = Self.stamp(path)
        guard stamp != seen.stamp else { return }
        seen.stamp = stamp
        seen.members = [:]
        guard let text = try? PublicFile.read(path, atMost: Self.largestFile) else { return }
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) where line.first != UInt8(ascii: "#") {
            let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            guard words.count == 2, let group = GroupID(Array(words[0])),
                let id = DeviceID(participant: String(decoding: words[1], as: UTF8.self))
            else { continue }
            seen.members[group, default: []].insert(id)
        }
    }
}
