import Glibc

/// Where the display's plane lies in the frame: a projective map, both ways.
///
/// Display positions are shares of its width from its centre; the camera stands three display widths away.
struct DisplayMap {
    private let forward: [Float]
    let inverse: [Float]

    /// `nil` when the display is seen from its edge.
    init?(_ scene: SceneParameters, width: Int, height: Int) {
        let radians = Float.pi / 180
        let (roll, yaw, pitch) = (scene.roll * radians, scene.yaw * radians, scene.pitch * radians)
        let (cr, sr) = (cosf(roll), sinf(roll))
        let (cy, sy) = (cosf(yaw), sinf(yaw))
        let (cp, sp) = (cosf(pitch), sinf(pitch))
        // The rotation's first two columns: where the display's axes point.
        let right = (cy * cr, cp * sr + sp * sy * cr, sp * sr - cp * sy * cr)
        let down = (-cy * sr, cp * cr - sp * sy * sr, sp * cr + cp * sy * sr)
        let size = scene.displaySize * Float(height)
        let distance: Float = 3
        let (centreX, centreY) = (scene.x * Float(width), scene.y * Float(height))
        var map = [Float](repeating: 0, count: 9)
        map[0] = right.0 * size * distance + centreX * right.2
        map[1] = down.0 * size * distance + centreX * down.2
        map[2] = centreX * distance
        map[3] = right.1 * size * distance + centreY * right.2
        map[4] = down.1 * size * distance + centreY * down.2
        map[5] = centreY * distance
        map[6] = right.2
        map[7] = down.2
        map[8] = distance
        guard let inverse = Self.inverse(map) else { return nil }
        forward = map
        self.inverse = inverse
    }

    /// Where a place on the display is in the frame, in pixels; `nil` behind the camera.
    func frame(_ u: Float, _ v: Float) -> (x: Float, y: Float)? {
        let w = forward[6] * u + forward[7] * v + forward[8]
        guard w > 0.1 else { return nil }
        return (
            (forward[0] * u + forward[1] * v + forward[2]) / w, (forward[3] * u + forward[4] * v + forward[5]) / w
        )
    }

    /// In pixels: upper left, upper right, lower right, lower left; `nil` behind the camera.
    var displayCorners: [(x: Float, y: Float)]? {
        let corners = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)] as [(Float, Float)]
        let found = corners.compactMap { frame($0.0, $0.1) }
        return found.count == 4 ? found : nil
    }

    /// The root of the mean area that a module of the displayed picture covers, in pixels.
    ///
    /// - Parameter modules: on a side of the picture, with its quiet zone.
    func moduleSize(modules: Int) -> Float? {
        guard let corners = displayCorners else { return nil }
        var area: Float = 0
        for (a, b) in zip(corners, corners[1...] + corners[..<1]) { area += a.x * b.y - b.x * a.y }
        return sqrtf(abs(area) / 2) / Float(max(modules, 1))
    }

    /// What the device's case covers of a frame, in pixels, the right and lower ends not counted.
    func bounds(width: Int, height: Int) -> (left: Int, top: Int, right: Int, bottom: Int)? {
        var bounds = (left: width, top: height, right: 0, bottom: 0)
        for (u, v) in [(-0.62, -0.72), (0.62, -0.72), (-0.62, 0.72), (0.62, 0.72)] as [(Float, Float)] {
            guard let (x, y) = frame(u, v) else { return nil }
            bounds.left = max(0, min(bounds.left, Int(x) - 1))
            bounds.top = max(0, min(bounds.top, Int(y) - 1))
            bounds.right = min(width, max(bounds.right, Int(x) + 2))
            bounds.bottom = min(height, max(bounds.bottom, Int(y) + 2))
        }
        return bounds.left < bounds.right && bounds.top < bounds.bottom ? bounds : nil
    }

    private static func inverse(_ m: [Float]) -> [Float]? {
        var c = [Float](repeating: 0, count: 9)
        c[0] = m[4] * m[8] - m[5] * m[7]
        c[1] = m[2] * m[7] - m[1] * m[8]
        c[2] = m[1] * m[5] - m[2] * m[4]
        c[3] = m[5] * m[6] - m[3] * m[8]
        c[4] = m[0] * m[8] - m[2] * m[6]
        c[5] = m[2] * m[3] - m[0] * m[5]
        c[6] = m[3] * m[7] - m[4] * m[6]
        c[7] = m[1] * m[6] - m[0] * m[7]
        c[8] = m[0] * m[4] - m[1] * m[3]
        let determinant = m[0] * c[0] + m[1] * c[3] + m[2] * c[6]
        return abs(determinant) < 1e-6 ? nil : c.map { $0 / determinant }
    }
}
