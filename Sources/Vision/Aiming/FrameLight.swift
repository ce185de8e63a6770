import Luma

/// What a whole frame is like: light, edges, and a sketch of it.
public struct FrameLight: Sendable, Hashable {
    /// Grey levels, from 0 to 255: a twentieth of the frame is darker than this, and a twentieth lighter than that.
    public var dark = 0
    /// The grey level, from 0 to 255, that a twentieth of the frame is lighter than.
    public var light = 0
    /// How much of the difference between `dark` and `light` lies between two pixels at the sharpest edges, along rows and
    /// along columns: from 0 to 1 and above.
    public var edges: (across: Float, down: Float) { (across, down) }
    private var across: Float = 0
    private var down: Float = 0
    /// Every eighth pixel of every eighth row.
    private var sketch: [UInt8] = []

    /// Measures a frame on every eighth pixel of every eighth row, and keeps these pixels to compare it with others.
    public init(_ plane: LumaPlane) {
        var levels = [Int](repeating: 0, count: 256)
        var (steps, drops) = (levels, levels)
        for y in stride(from: 0, to: plane.height, by: 8) {
            let row = plane.base + y * plane.stride
            let below = plane.base + min(y + 2, plane.height - 1) * plane.stride
            for x in stride(from: 0, to: plane.width, by: 8) {
                sketch.append(row[x])
                levels[Int(row[x])] += 1
                steps[abs(Int(row[min(x + 2, plane.width - 1)]) - Int(row[x]))] += 1
                drops[abs(Int(below[x]) - Int(row[x]))] += 1
            }
        }
        let count = sketch.count
        dark = levels.greyLevel(ofRank: count / 20)
        light = levels.greyLevel(ofRank: count - 1 - count / 20)
        let range = Float(max(light - dark, 1))
        across = Float(steps.greyLevel(ofRank: count - 1 - count / 100)) / range
        down = Float(drops.greyLevel(ofRank: count - 1 - count / 100)) / range
    }

    /// Share of the frame that is not as it was in another, by more than noise: from 0 to 1.
    public func changed(since other: FrameLight) -> Float {
        guard sketch.count == other.sketch.count, !sketch.isEmpty else { return 0 }
        var count = 0
        for index in sketch.indices where abs(Int(sketch[index]) - Int(other.sketch[index])) > 60 { count += 1 }
        return Float(count) / Float(sketch.count)
    }
}
