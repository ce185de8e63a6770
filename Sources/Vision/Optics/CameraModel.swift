/// A camera as it is sold: which part of its sensor it reads, how much that sees, and where its lens is sharp. The one
/// table behind `srup-observer optics`, the test sheet and every distance in the documents.
public struct CameraModel: Sendable, Hashable {
    /// A way to read the sensor: what it delivers, and how much of the sensor that is.
    public struct Mode: Sendable, Hashable {
        /// What is delivered, in pixels.
        public let width: Int
        /// What is delivered, in pixels.
        public let height: Int
        /// How many of the sensor's own pixels stand side by side in one delivered pixel: 2 where four become one.
        public let binning: Int

        /// - Parameter binning: 1, or 2 where 2 × 2 pixels become one.
        public init(_ width: Int, _ height: Int, binning: Int = 1) {
            (self.width, self.height, self.binning) = (width, height, binning)
        }
    }

    /// How it is called in options: "v3".
    public let id: String
    /// How it is called in documents.
    public let name: String
    /// The sensor's own width, in pixels.
    public let sensorWidth: Int
    /// Across the whole sensor, in degrees, without distortion.
    public let fullAngle: Double
    /// What can be asked of the sensor.
    public let modes: [Mode]
    /// From where on it is sharp, in millimetres, as it is sold and with what the name says.
    public let nearest: Double
    /// To where it is sharp, in millimetres; infinity where nothing else is known.
    public let farthest: Double
    /// Where the numbers come from.
    public let source: String

    /// - Parameters:
    ///   - fullAngle: across the whole sensor, in degrees, more than 0 and less than 180.
    ///   - nearest: in millimetres.
    public init(
        _ id: String, _ name: String, sensorWidth: Int, fullAngle: Double, modes: [Mode], nearest: Double,
        farthest: Double = .infinity, source: String
    ) {
        (self.id, self.name, self.source) = (id, name, source)
        (self.sensorWidth, self.fullAngle, self.modes) = (sensorWidth, fullAngle, modes)
        (self.nearest, self.farthest) = (nearest, farthest)
    }

    /// A camera that is in no table: its angle is what is seen at the size that is asked for, and nothing is cut off.
    ///
    /// - Parameters:
    ///   - angle: horizontal, in degrees, more than 0 and less than 180.
    ///   - nearest: from where on it is sharp, in millimetres.
    ///   - width: of the pictures, in pixels.
    ///   - height: of the pictures, in pixels.
    public static func own(angle: Double, nearest: Double, width: Int, height: Int) -> CameraModel {
        CameraModel(
            "own", "a camera of \(Measure.short(angle))°", sensorWidth: width, fullAngle: angle,
            modes: [Mode(width, height)], nearest: nearest, source: "given")
    }

    /// The camera of that name in options.
    public static func named(_ id: String) -> CameraModel? { all.first { $0.id == id } }
}
