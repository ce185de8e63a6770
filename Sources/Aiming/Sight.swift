import Luma

/// What is known of one frame and the code in it; whatever finds codes fills it in.
public struct Sight: Sendable, Hashable {
    public struct Point: Sendable, Hashable {
        /// In pixels from the left and from the top.
        public let x, y: Float

        public init(x: Float, y: Float) {
            self.x = x
            self.y = y
        }
    }

    /// A code, read or only seen.
    public struct Code: Sendable, Hashable {
        /// Of the symbol, in a walk around it.
        public var corners: [Point]
        /// Size of a module in pixels; `nil` for linear codes.
        public var module: Float?
        public var wasRead: Bool
        /// 1 when sharp, 0 when the blur is wider than two modules; `nil` when not known.
        public var sharpness: Float?
        /// Grey levels of dark and light modules.
        public var dark: Float
        public var light: Float

        public init(
            corners: [Point], module: Float?, wasRead: Bool, sharpness: Float?, dark: Float, light: Float
        ) {
            self.corners = corners
            self.module = module
            self.wasRead = wasRead
            self.sharpness = sharpness
            self.dark = dark
            self.light = light
        }

        /// The shortest side as a part of the longest one: 1 seen from the front; `nil` for what has no four corners.
        public var squareness: Float? {
            guard corners.count == 4 else { return nil }
            let sides = (0..<4).map { index -> Float in
                let (from, to) = (corners[index], corners[(index + 1) % 4])
                return ((to.x - from.x) * (to.x - from.x) + (to.y - from.y) * (to.y - from.y)).squareRoot()
            }
            guard let longest = sides.max(), let shortest = sides.min(), longest > 0 else { return nil }
            return shortest / longest
        }
    }

    public let width: Int
    public let height: Int
    public var quality: FrameQuality
    /// The frame's area around the code, when there is one.
    public var codeQuality: FrameQuality?
    public var code: Code?
    /// Corners of all codes in view; `nil` when there may be one of which they are not known.
    public var allCodes: [[Point]]? = []

    public init(width: Int, height: Int, quality: FrameQuality, codeQuality: FrameQuality? = nil, code: Code? = nil) {
        self.width = width
        self.height = height
        self.quality = quality
        self.codeQuality = codeQuality
        self.code = code
    }
}
