import Glibc

/// What a camera sees when pictures of one size are asked of it, and from where to where it reads a code.
///
/// The formula, for a camera without distortion that looks straight at the code:
///
///     pixels of a module = module / (2 × distance × tan(angle / 2)) × pixels across
///
/// Seen at an angle t from straight ahead a code is narrower by cos(t): the farthest distance times cos(t).
public struct View: Sendable {
    /// The camera that sees.
    public let camera: CameraModel
    /// Of the pictures, in pixels.
    public let width: Int
    /// Of the pictures, in pixels.
    public let height: Int
    /// How the sensor is read for it.
    public let mode: CameraModel.Mode
    /// Half of what is seen across, for each unit of distance.
    private let halfWidth: Double
    private let halfHeight: Double

    /// Modules of the code of a value, 32 hexadecimal digits in capitals at level M: QR version 2.
    public static let modules = 25.0
    /// The same with its quiet zone on both sides.
    public static let modulesWithQuietZone = 33.0
    /// What a module needs to be planned with, in pixels.
    public static let planned = 3.0
    /// How much of the picture's height the code may take with its quiet zone.
    private static let margin = 0.9

    /// - Parameters:
    ///   - width: in pixels, 1 and more.
    ///   - height: in pixels, 1 and more.
    public init(_ camera: CameraModel, width: Int, height: Int) {
        (self.camera, self.width, self.height) = (camera, max(width, 1), max(height, 1))
        mode = Self.mode(of: camera, self.width, self.height)
        // What is cut off so that the picture has the shape that was asked for.
        let (across, down) = (Double(mode.width), Double(mode.height))
        let shape = Double(self.width) / Double(self.height)
        let (used, usedDown) = shape > across / down ? (across, across / shape) : (down * shape, down)
        let pixel = 2 * tan(camera.fullAngle * .pi / 360) / Double(camera.sensorWidth) * Double(mode.binning)
        halfWidth = used * pixel / 2
        halfHeight = usedDown * pixel / 2
    }

    /// As libcamera chooses for a Raspberry Pi's sensors: the smaller the distance the better, sizes that are too small
    /// count eight times, and another shape costs 1500 times its difference (`findBestFormat` of its pipeline handlers).
    private static func mode(of camera: CameraModel, _ width: Int, _ height: Int) -> CameraModel.Mode {
        func score(_ wanted: Double, _ actual: Double) -> Double {
            guard actual != wanted else { return 0 }
            return 2 * (wanted > actual ? wanted - actual : (actual - wanted) / 8)
        }
        func score(_ mode: CameraModel.Mode) -> Double {
            score(Double(width), Double(mode.width)) + score(Double(height), Double(mode.height))
                + 1500 * score(Double(width) / Double(height), Double(mode.width) / Double(mode.height))
        }
        return camera.modes.min { score($0) < score($1) } ?? CameraModel.Mode(width, height)
    }

    /// In degrees.
    public var horizontalAngle: Double { 2 * atan(halfWidth) * 180 / .pi }
    /// In degrees.
    public var verticalAngle: Double { 2 * atan(halfHeight) * 180 / .pi }
    /// How much of the sensor's width is seen, 0 to 1.
    public var part: Double { halfWidth / tan(camera.fullAngle * .pi / 360) }
    /// The sensor delivers fewer pixels than were asked for: what is beyond them is no detail.
    private var pixelsAcross: Double { min(Double(width), Double(mode.width)) }

    /// How far away a code may be for its modules to have so many pixels, in millimetres, whatever the focus.
    ///
    /// - Parameter edge: of the code's dark part, in millimetres.
    public func farthest(edge: Double, pixels: Double = planned) -> Double {
        edge / Self.modules * pixelsAcross / (2 * pixels * halfWidth)
    }

    /// From where on the code is in the picture as a whole and sharp, in millimetres.
    ///
    /// - Parameter edge: of the code's dark part, in millimetres.
    public func nearest(edge: Double) -> Double {
        let whole = edge * Self.modulesWithQuietZone / Self.modules / (Self.margin * 2 * min(halfHeight, halfWidth))
        return max(whole, camera.nearest)
    }

    /// From where to where a code is read, in millimetres; `nil`: never sharp and large enough at once.
    ///
    /// - Parameter edge: of the code's dark part, in millimetres.
    public func readable(edge: Double, pixels: Double = planned) -> ClosedRange<Double>? {
        let (near, far) = (nearest(edge: edge), min(farthest(edge: edge, pixels: pixels), camera.farthest))
        return near <= far ? near...far : nil
    }
}

extension View {
    /// Sizes worth asking for, by their pixels.
    public static let sizes = [(640, 480), (1280, 720), (1296, 972), (1920, 1080), (2304, 1296)]

    /// The smallest of ``sizes`` with which a camera reads a code at a distance: more pixels cost time for each picture.
    ///
    /// - Parameters:
    ///   - edge: of the code's dark part, in millimetres.
    ///   - distance: in millimetres.
    public static func smallest(_ camera: CameraModel, edge: Double, distance: Double) -> View? {
        sizes.map { View(camera, width: $0.0, height: $0.1) }
            .first { $0.readable(edge: edge)?.contains(distance) == true }
    }
}

/// Angles of view, in degrees.
enum Angle {
    /// - Parameters:
    ///   - width: of the sensor, in millimetres.
    ///   - focal: of the lens, in millimetres.
    static func across(_ width: Double, focal: Double) -> Double { 2 * atan(width / (2 * focal)) * 180 / .pi }

    /// Of a picture of 16:9 whose diagonal angle is known.
    static func across(diagonal: Double) -> Double {
        2 * atan(tan(diagonal * .pi / 360) * 16 / hypot(16, 9)) * 180 / .pi
    }
}
