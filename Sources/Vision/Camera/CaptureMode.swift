import CV4L2
import Luma

/// A format, a size and a rate that a camera offers.
struct CaptureMode: Sendable, Equatable {
    let format: String
    let width: Int
    let height: Int
    /// Frames a second; `nil`: the driver does not tell.
    let rate: Double?

    private var understood: PixelFormat? { PixelFormat.table.first { $0.name == format } }

    /// What it takes of the way from the camera, in bits a second.
    var bandwidth: Double {
        Double(width * height) * (rate ?? CaptureMode.usualRate) * (understood?.bitsPerPixel ?? 16)
    }

    /// Of frames a second: what is asked for when there is a choice.
    static let usualRate = 30.0

    /// How far from the size that was asked for: a pixel that is missing counts four times one that is too many.
    func distance(width: Int, height: Int) -> Int {
        let common = min(width, self.width) * min(height, self.height)
        return 4 * (width * height - common) + (self.width * self.height - common)
    }

    /// Rates by what they are good for: 0 is smooth, 3 a still picture now and then.
    var slowness: Int {
        guard let rate else { return 0 }
        return rate >= 20 ? 0 : rate >= 10 ? 1 : rate >= 5 ? 2 : 3
    }

    /// The modes in the order in which they are to be tried: the size that was asked for comes first, a rate that is
    /// enough second, and what it costs to read third.
    static func ordered(_ modes: [CaptureMode], width: Int, height: Int) -> [CaptureMode] {
        func key(_ mode: CaptureMode) -> (Int, Int, Int) {
            (mode.distance(width: width, height: height), mode.slowness, mode.understood?.cost ?? .max)
        }
        return modes.sorted { key($0) < key($1) }
    }
}

extension CaptureMode {
    private static let maximumFormats: UInt32 = 64
    private static let maximumSizes: UInt32 = 64
    private static let maximumRates: UInt32 = 64

    /// The FourCCs of an open device, in its own order.
    ///
    /// - Parameter emulated: also those that libv4l2 would convert.
    static func formats(of device: srup_v4l2_device, emulated: Bool) -> [UInt32] {
        var offered: [UInt32] = []
        for index in 0..<maximumFormats {
            var isEmulated: Int32 = 0
            let fourCC = srup_v4l2_format(device, index, &isEmulated)
            if fourCC == 0 { break }
            if isEmulated == 0 || emulated { offered.append(fourCC) }
        }
        return offered
    }

    /// What an open device offers of the formats that are understood here. A size that can be chosen freely is the one
    /// that is wanted, as far as it goes.
    static func modes(of device: srup_v4l2_device, formats: [UInt32], width: Int, height: Int) -> [CaptureMode] {
        formats.compactMap { PixelFormat.understood($0) }.flatMap { format in
            sizes(of: device, format.fourCC, width: width, height: height).map { size in
                CaptureMode(
                    format: format.name, width: size.width, height: size.height,
                    rate: rate(of: device, format.fourCC, size.width, size.height))
            }
        }
    }

    private static func sizes(
        of device: srup_v4l2_device, _ fourCC: UInt32, width: Int, height: Int
    ) -> [(width: Int, height: Int)] {
        var sizes: [(width: Int, height: Int)] = []
        var size = v4l2_frmsizeenum()
        for index in 0..<maximumSizes {
            guard srup_v4l2_size(device, fourCC, index, &size) == 0 else { break }
            if size.type == V4L2_FRMSIZE_TYPE_DISCRETE.rawValue {
                sizes.append((Int(size.discrete.width), Int(size.discrete.height)))
            } else {
                let range = size.stepwise
                sizes.append(
                    (
                        nearest(width, range.min_width, range.max_width, range.step_width),
                        nearest(height, range.min_height, range.max_height, range.step_height)
                    ))
                break
            }
        }
        // A driver that lists none chooses when it is asked.
        if sizes.isEmpty { return [(width, height)] }
        let sides = 16...LumaPlane.maximumSide
        return sizes.filter { sides.contains($0.width) && sides.contains($0.height) }
    }

    private static func nearest(_ wanted: Int, _ least: UInt32, _ most: UInt32, _ step: UInt32) -> Int {
        guard least <= most else { return wanted }
        let bounded = min(max(wanted, Int(least)), Int(most))
        return bounded - (bounded - Int(least)) % max(1, Int(step))
    }

    /// The rate nearest to the usual one that is not above it, or the lowest.
    private static func rate(of device: srup_v4l2_device, _ fourCC: UInt32, _ width: Int, _ height: Int) -> Double? {
        var rates: [Double] = []
        var interval = v4l2_frmivalenum()
        for index in 0..<maximumRates {
            guard srup_v4l2_interval(device, fourCC, UInt32(width), UInt32(height), index, &interval) == 0 else {
                break
            }
            let isList = interval.type == V4L2_FRMIVAL_TYPE_DISCRETE.rawValue
            let shortest = isList ? interval.discrete : interval.stepwise.min
            if shortest.numerator > 0 { rates.append(Double(shortest.denominator) / Double(shortest.numerator)) }
            // In a range everything slower can be had, too.
            if !isList { return rates.map { min($0, usualRate) }.first }
        }
        return rates.filter { $0 <= usualRate + 1 }.max() ?? rates.min()
    }
}
