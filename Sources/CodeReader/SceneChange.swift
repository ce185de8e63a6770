import Luma

/// Whether what a stream shows has changed of late: by some pixels spread over the frame, against those of a second before.
struct SceneChange {
    /// Every so manieth pixel of every so manieth row.
    private static let step = 8
    /// A change is so many of them by so many grey levels: a small code that appears is more, noise is less.
    private static let (leastPixels, leastLevels) = (12, 24)
    /// It is looked for in every so manieth frame, and against pixels that are at most so many frames old.
    private static let (period, age) = (4, 32)

    private var pixels: [UInt8] = []
    private var (width, height) = (0, 0)
    private var taken = 0
    /// The last frame in which a change was seen.
    private(set) var last = 0

    mutating func look(at plane: LumaPlane, frame: Int) {
        guard frame % Self.period == 0 || pixels.isEmpty else { return }
        if plane.width != width || plane.height != height { return take(plane, frame) }
        var changed = 0
        var index = 0
        for y in Swift.stride(from: 0, to: height, by: Self.step) {
            let row = plane.base + y * plane.stride
            for x in Swift.stride(from: 0, to: width, by: Self.step) {
                if abs(Int(row[x]) - Int(pixels[index])) >= Self.leastLevels { changed += 1 }
                index += 1
            }
        }
        if changed >= Self.leastPixels {
            take(plane, frame)
        } else if frame - taken > Self.age {
            // Light that changes slowly is no change.
            take(plane, frame, isChange: false)
        }
    }

    private mutating func take(_ plane: LumaPlane, _ frame: Int, isChange: Bool = true) {
        (width, height, taken) = (plane.width, plane.height, frame)
        if isChange { last = frame }
        pixels.removeAll(keepingCapacity: true)
        for y in Swift.stride(from: 0, to: height, by: Self.step) {
            let row = plane.base + y * plane.stride
            for x in Swift.stride(from: 0, to: width, by: Self.step) { pixels.append(row[x]) }
        }
    }
}
