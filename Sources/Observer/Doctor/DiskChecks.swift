import Glibc
import Program

/// Room on the partition of the state folder.
public enum DiskChecks {
    /// What `statvfs` tells of a partition.
    struct Partition: Sendable {
        /// In bytes, for ordinary users.
        var free: UInt64
        var size: UInt64
        /// 0 of 0 where the file system has no fixed number.
        var freeNodes: UInt64
        var nodes: UInt64
        var isReadOnly: Bool
    }

    /// Looks at the partition that holds `folder`, or the nearest folder above it that is there.
    public static func partition(of folder: String) -> Finding {
        var place = folder
        var status = statvfs()
        while statvfs(place, &status) != 0 {
            guard place.count > 1, errno == ENOENT || errno == EACCES || errno == ENOTDIR else {
                return Finding("disk", .skipped, "\(folder) tells nothing: \(String(cString: strerror(errno)))")
            }
            place = place.lastIndex(of: "/").map { String(place[..<$0]) } ?? "."
            if place.isEmpty { place = "/" }
        }
        let block = UInt64(status.f_frsize)
        return judge(
            Partition(
                free: UInt64(status.f_bavail) &* block, size: UInt64(status.f_blocks) &* block,
                freeNodes: UInt64(status.f_favail), nodes: UInt64(status.f_files),
                isReadOnly: status.f_flag & UInt(ST_RDONLY) != 0), place)
    }

    static func judge(_ partition: Partition, _ place: String) -> Finding {
        if partition.isReadOnly {
            return Finding(
                "disk", .problem,
                "the partition of \(place) is read-only: no counter can be kept, so nothing is answered",
                remedy: "a card that turned read-only is often worn out: see \"dmesg\", replace the card")
        }
        let free = partition.free >> 20
        let says = "\(free) MiB of \(partition.size >> 20) MiB free (\(place))"
        let remedy = "remove what is not needed; \"journalctl --vacuum-size=20M\" shortens the system's log"
        if partition.nodes > 0, partition.freeNodes < 100 {
            return Finding(
                "disk", .problem, "\(says), but room for \(partition.freeNodes) more files only", remedy: remedy)
        }
        return switch free {
        case ..<5: Finding("disk", .problem, says, remedy: remedy)
        case ..<50: Finding("disk", .warning, says, remedy: remedy)
        default: Finding("disk", .ok, says)
        }
    }
}
