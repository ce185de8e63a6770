#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a camera offers, as its driver says it, and what was taken of it.
public struct RecordedCamera: Codable, Sendable, Hashable {
    /// A picture format.
    public struct Format: Codable, Sendable, Hashable {
        /// Its FourCC ("YUYV").
        public var name: String
        /// In the driver's order.
        public var sizes: [Size]

        /// A format and what it comes in.
        public init(name: String, sizes: [Size]) {
            self.name = name
            self.sizes = sizes
        }
    }

    /// A picture size of a format.
    public struct Size: Codable, Sendable, Hashable {
        /// "640x480", or a range, "32x32...1920x1080", in pixels.
        public var size: String
        /// Frames a second, in the driver's order; none when it does not tell.
        public var rates: [Double]

        /// A size and its rates.
        public init(size: String, rates: [Double]) {
            self.size = size
            self.rates = rates
        }

        /// Width and height in pixels; `nil` of a range.
        public var sides: (width: Int, height: Int)? {
            let parts = size.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
            guard parts.count == 2, let width = parts[0], let height = parts[1], width > 0, height > 0 else {
                return nil
            }
            return (width, height)
        }
    }

    /// Something that can be set.
    public struct Control: Codable, Sendable, Hashable {
        /// As the driver names it.
        public var name: String
        /// Its number in V4L2.
        public var id: UInt32
        /// The least value that it takes.
        public var least: Int
        /// The largest.
        public var most: Int
        /// What the driver sets it to by itself.
        public var usual: Int
        /// What it was set to; `nil`: that cannot be read.
        public var value: Int?

        /// A control and what it takes.
        public init(name: String, id: UInt32, least: Int, most: Int, usual: Int, value: Int?) {
            self.name = name
            self.id = id
            self.least = least
            self.most = most
            self.usual = usual
            self.value = value
        }
    }

    /// The driver's name ("uvcvideo"); empty of what is no device.
    public var driver: String
    /// What the driver calls the camera, without numbers that may tell it from its like.
    public var card: String
    /// Vendor and product on USB ("046d:082d"); `nil` elsewhere.
    public var usb: String?
    /// In the driver's order.
    public var formats: [Format]
    /// In the driver's order.
    public var controls: [Control]
    /// The format that frames came in.
    public var format: String
    /// Of the frames, in pixels.
    public var width: Int
    /// Of the frames, in pixels.
    public var height: Int

    /// A camera; names are made harmless.
    public init(
        driver: String, card: String, usb: String?, formats: [Format], controls: [Control], format: String, width: Int,
        height: Int
    ) {
        self.driver = driver.recorded
        self.card = card.withoutSerialNumbers
        self.usb = usb
        self.formats = formats.prefix(Recording.maximumOffers).map { format in
            Format(
                name: format.name.recorded,
                sizes: format.sizes.prefix(Recording.maximumOffers).map { size in
                    Size(size: size.size.recorded, rates: Array(size.rates.prefix(Recording.maximumOffers)))
                })
        }
        self.controls = controls.prefix(Recording.maximumOffers).map { control in
            var control = control
            control.name = control.name.withoutSerialNumbers
            return control
        }
        self.format = format.recorded
        self.width = width
        self.height = height
    }

    func check() throws(RecordingProblem) {
        let limit = Recording.maximumOffers
        guard formats.count <= limit, controls.count <= limit else { throw "it has too many formats or controls" }
        guard (0...8192).contains(width), (0...8192).contains(height) else { throw "its size is none" }
        for text in [driver, card, format, usb ?? ""] + formats.map(\.name) + controls.map(\.name) { try text.check() }
        for format in formats {
            guard format.sizes.count <= limit else { throw "a format has too many sizes" }
            for size in format.sizes {
                try size.size.check()
                guard size.rates.count <= limit, size.rates.allSatisfy({ (0...1000).contains($0) }) else {
                    throw "a size has too many rates, or one that is none"
                }
            }
        }
    }
}

/// A picture that a camera has given.
public struct RecordedFrame: Codable, Sendable, Hashable {
    /// Since the camera was opened, in milliseconds.
    public var ms: Double
    /// A grey PNG picture.
    public var picture: [UInt8]
    /// The test sheet's codes that are read in it, by their edges in millimetres. None: the picture is blanked, small and
    /// soft. Else it has the camera's size, and is blanked but for these codes.
    public var tests: [Int]

    /// A picture and what is read in it.
    public init(ms: Double, picture: [UInt8], tests: [Int]) {
        self.ms = ms
        self.picture = picture
        self.tests = tests
    }

    private enum CodingKeys: String, CodingKey { case ms, picture, tests }

    /// Reads what ``encode(to:)`` writes.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        ms = try values.decode(Double.self, forKey: .ms)
        tests = try values.decode([Int].self, forKey: .tests)
        guard let data = Data(base64Encoded: try values.decode(String.self, forKey: .picture)) else {
            throw DecodingError.dataCorruptedError(forKey: .picture, in: values, debugDescription: "no base64")
        }
        picture = [UInt8](data)
    }

    /// Bytes in base64.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(ms, forKey: .ms)
        try values.encode(tests, forKey: .tests)
        try values.encode(Data(picture).base64EncodedString(), forKey: .picture)
    }

    private static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

    func check() throws(RecordingProblem) {
        try ms.check()
        guard picture.starts(with: Self.signature) else { throw "\"picture\" is no PNG" }
        guard tests.count <= 64, tests.allSatisfy({ (0...999).contains($0) }) else { throw "\"tests\" are none" }
    }
}

/// How many frames came while a camera was recorded.
public struct RecordedTally: Codable, Sendable, Hashable {
    /// For so long, in milliseconds.
    public var ms: Double
    /// Frames that could be read.
    public var read: Int
    /// Frames that were passed over for newer ones.
    public var dropped: Int
    /// Frames that could not be read.
    public var damaged: Int
    /// Why the last of these could not.
    public var damage: String?

    /// Counts.
    public init(ms: Double, read: Int, dropped: Int, damaged: Int, damage: String?) {
        self.ms = ms
        self.read = read
        self.dropped = dropped
        self.damaged = damaged
        self.damage = damage?.recorded
    }

    func check() throws(RecordingProblem) {
        try ms.check()
        guard [read, dropped, damaged].allSatisfy({ $0 >= 0 }) else { throw "a count is below zero" }
        try (damage ?? "").check()
    }
}

extension String {
    func check() throws(RecordingProblem) {
        guard self == recorded else { throw "a text is too long, or has other characters than printable ASCII" }
    }
}

extension Double {
    /// A time since the beginning, in milliseconds: of a day at most.
    func check() throws(RecordingProblem) {
        guard (0...86_400_000).contains(self) else { throw "\"ms\" is no time" }
    }
}
