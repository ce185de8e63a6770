import Glibc
import Luma

/// A folder of pictures that plays a camera: one after the other, ten a second, round and round; a picture that is
/// replaced or added is seen. An empty folder is a camera that sees nothing.
final class FolderSource: FrameSource {
    private let folder: String
    private var names: [String] = []
    private var position = 0
    private var due = ContinuousClock.now
    private var cached: (path: String, stamp: timespec, size: Int, picture: LumaPicture)?
    private var lastSize = (width: 0, height: 0)
    let dropped = 0
    private(set) var damaged = 0

    private static let period = Duration.milliseconds(100)

    /// - Throws: ``CameraError/absent(_:)``.
    init(_ folder: String) throws(CameraError) {
        self.folder = folder
        guard let directory = opendir(folder) else { throw .absent(folder) }
        closedir(directory)
    }

    var summary: String { "the pictures in \(folder)" }
    var format: (name: String, width: Int, height: Int) { ("pictures", lastSize.width, lastSize.height) }

    func next(timeout: Int32, interrupt: Int32, _ body: (LumaPlane) -> Void) throws(CameraError) -> Bool {
        let deadline = ContinuousClock.now + .milliseconds(Int(timeout))
        while true {
            let until = min(deadline, due)
            let wait = Int32(max(0, ((until - .now) / .milliseconds(1)).rounded(.up)))
            var poller = pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0)
            if poll(&poller, 1, wait) > 0 { return false }
            if due <= .now {
                due = .now + Self.period
                if let picture = try nextPicture() {
                    lastSize = (picture.width, picture.height)
                    picture.withPlane(body)
                    return true
                }
            }
            if deadline <= .now { return false }
        }
    }

    private func nextPicture() throws(CameraError) -> LumaPicture? {
        if position >= names.count {
            position = 0
            guard access(folder, R_OK | X_OK) == 0 else { throw .unplugged(folder) }
            names = CameraFinder.names(in: folder).filter { name in
                [".png", ".jpg", ".jpeg", ".pgm"].contains { name.lowercased().hasSuffix($0) }
            }.sorted()
        }
        guard position < names.count else { return nil }
        let path = "\(folder)/\(names[position])"
        position += 1
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        let stamp = status.st_mtim
        if let cached, cached.path == path, cached.size == Int(status.st_size), cached.stamp.tv_sec == stamp.tv_sec,
            cached.stamp.tv_nsec == stamp.tv_nsec
        {
            return cached.picture
        }
        do throws(CameraError) {
            let picture = try StillPicture.read(path)
            cached = (path, stamp, Int(status.st_size), picture)
            return picture
        } catch {
            // Half written, say: the others are still worth looking at.
            damaged += 1
            return nil
        }
    }
}
