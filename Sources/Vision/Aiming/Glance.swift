import CodeReader
import Geometry
import Luma

/// What one frame shows of a code, as far as it matters for pointing the camera. What the code says is not in it.
public struct Glance: Sendable, Hashable {
    /// A code, or what looks like a part of one.
    public struct Code: Sendable, Hashable {
        /// The kind of code; what only looks like a part of one counts as a QR code.
        public var kind: Symbology
        /// Where it is; of a code that is not whole, the box around the finder patterns that are seen.
        public var outline: Outline
        /// Whether it was read, and not only located.
        public var wasRead: Bool
        /// More is known than where some finder patterns are.
        public var isWhole: Bool
        /// In pixels; `nil` when it was not measured, as of linear codes.
        public var module: Float?
        /// What blur leaves of the contrast of single modules, from 0 to 1; `nil` when it was not measured.
        public var sharpness: Float?
        /// Grey levels of dark and light modules, on average; `nil` when they were not measured.
        public var dark, light: Float?
        /// In degrees out of the picture's plane; `nil` when it was not measured.
        public var tilt: Float?
        /// Share of its area in which reflections leave no dark module, from 0 to 1.
        public var washedOut: Float = 0
        /// It reaches over the edge of the frame, nearly.
        public var touchesEdge = false

        /// Below so many pixels a module anything may look like a code that is not read.
        private static let smallest: Float = 1.2
        /// Whether it may be anything.
        var isTooSmall: Bool { !wasRead && module.map { $0 < Self.smallest } ?? false }
    }

    /// The code to aim at; `nil` when nothing that looks like one is in view.
    public var code: Code?
    /// How the whole frame is lit, and its edges.
    public var light: FrameLight

    /// A glance at what is known already, without a picture to measure.
    public init(code: Code?, light: FrameLight) {
        self.code = code
        self.light = light
    }

    /// - Parameters:
    ///   - readings: of the frame.
    ///   - aim: where a QR code seems to be in it.
    public init(_ plane: LumaPlane, readings: [Reading], aim: Aim?) {
        light = FrameLight(plane)
        if let aim, let outline = Outline(aim.corners) {
            code = Self.code(plane, aim, outline)
        } else if let reading = readings.first {
            let outline = Outline(reading.corners) ?? Outline(around: reading.corners, margin: 4)
            code = outline.map { Code(kind: reading.symbology, outline: $0, wasRead: true, isWhole: true) }
        }
    }

    /// What must be hidden of the frame: the code, all of a code of which only finder patterns are seen, and what was read.
    public func hidden(_ readings: [Reading]) -> [Outline] {
        var outlines = readings.compactMap { Outline($0.corners) ?? Outline(around: $0.corners, margin: 8) }
        if let code { outlines.append(code.isWhole && code.kind == .qr ? code.outline : code.outline.surroundings) }
        return outlines
    }

    private static func code(_ plane: LumaPlane, _ aim: Aim, _ outline: Outline) -> Code {
        var code = Code(
            kind: .qr, outline: outline, wasRead: aim.wasRead, isWhole: aim.isSymbol, module: aim.module,
            sharpness: aim.sharpness, dark: aim.dark, light: aim.light)
        let margin = min(max(aim.module, 0), 1000)
        code.touchesEdge = outline.touchesEdge(width: plane.width, height: plane.height, margin: margin)
        if aim.isSymbol {
            code.tilt = outline.tilt
            code.washedOut = WashedOut.share(of: outline, in: plane, dark: aim.dark, light: aim.light)
        } else {
            code.washedOut = WashedOut.blownShare(around: outline, in: plane, light: aim.light)
        }
        return code
    }
}

/// Looks for reflections on a code.
enum WashedOut {
    /// A code is cut into so many parts on each side: a part of a code without a dark module is a reflection.
    private static let parts = 5
    /// Samples on each side of a part.
    private static let samples = 12
    /// With less between dark and light, in grey levels, nothing is said.
    private static let minimumContrast: Float = 8
    /// What counts as dark, as a share of the way from dark to light.
    private static let darkShare: Float = 0.6

    /// Share of the parts in which nothing is dark.
    static func share(of outline: Outline, in plane: LumaPlane, dark: Float, light: Float) -> Float {
        guard light - dark >= minimumContrast, let map = outline.map else { return 0 }
        let limit = dark + (light - dark) * darkShare
        var washed = 0
        for row in 0..<parts {
            for column in 0..<parts where !hasDark(map, column, row, plane, limit) { washed += 1 }
        }
        return Float(washed) / Float(parts * parts)
    }

    /// Whether a tenth of a part's samples is darker than the limit.
    private static func hasDark(
        _ map: ProjectiveMap, _ column: Int, _ row: Int, _ plane: LumaPlane, _ limit: Float
    ) -> Bool {
        var (count, dark) = (0, 0)
        for v in 0..<samples {
            for u in 0..<samples {
                let place = (Place(corner: column, row) + Place(pixel: u, v) / Float(samples)) / Float(parts)
                guard let level = plane.level(at: map(place.x, place.y)) else { continue }
                count += 1
                if Float(level) < limit { dark += 1 }
            }
        }
        return count == 0 || dark * 10 >= count
    }

    /// Share of what is blown out about finder patterns, when the paper itself is not.
    static func blownShare(around outline: Outline, in plane: LumaPlane, light: Float) -> Float {
        guard light < 235 else { return 0 }
        let reach = min(outline.length, 4000) * 1.1
        let frame = Place(corner: plane.width, plane.height)
        let (low, high) = (
            (outline.centre - reach).clamped(to: .zero, frame), (outline.centre + reach).clamped(to: .zero, frame)
        )
        let (columns, rows) = (Int(low.x)..<Int(high.x), Int(low.y)..<Int(high.y))
        var (count, blown) = (0, 0)
        for y in stride(from: rows.lowerBound, to: rows.upperBound, by: 2) {
            for x in stride(from: columns.lowerBound, to: columns.upperBound, by: 2) {
                count += 1
                if plane.base[y * plane.stride + x] >= 253 { blown += 1 }
            }
        }
        return count > 0 ? Float(blown) / Float(count) : 0
    }
}
