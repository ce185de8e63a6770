import Aiming
import Geometry
import Luma

/// What `aim` tells, as JSON: a line in the terminal, or what goes with a picture on the page. Never what a code says.
struct AimLine: Codable {
    /// aim, opened, lost, page, end
    var event = "aim"
    var camera: String?
    var frame: Int?
    /// Of the camera's picture, in pixels.
    var width, height: Int?
    var seen: Bool?
    var read: Bool?
    var kind: String?
    /// In pixels.
    var module: Double?
    /// From 0 to 1.
    var sharpness: Double?
    /// Grey levels, of the code's light modules or of the picture's light parts; and how much darker its dark ones are.
    var brightness: Int?
    var contrast: Int?
    /// In degrees.
    var tilt: Int?
    var advice: String?
    /// Which of module, sharpness, brightness and contrast are not as they should be, and how they should be.
    var off: [String]?
    var wanted: [String: String]?
    /// Seconds until the command ends.
    var left: Int?
    var text: String?
    /// Of the last so many frames, in how many a code was read.
    var readOfLast: Int?
    var frames: Int?
    /// Pairs of x and y, in pixels of the camera's picture.
    var corners: [[Int]]?
    var device: String?
    var format: String?
    var urls: [String]?
}

extension AimLine {
    init(_ report: AimReport, frame: Int, camera: String, _ plane: LumaPlane) {
        self.frame = frame
        self.camera = camera
        (width, height) = (plane.width, plane.height)
        (advice, text) = (report.advice.rawValue, report.text)
        (readOfLast, frames) = (report.read, report.frames)
        (brightness, contrast, off) = (report.brightness, report.contrast, report.off)
        seen = report.code != nil
        read = report.code?.wasRead ?? false
        guard let code = report.code else { return }
        kind = code.kind.rawValue
        module = code.module.map { Self.rounded($0, 10) }
        sharpness = code.sharpness.map { Self.rounded($0, 100) }
        tilt = code.tilt.map { Int(min(max($0, 0), 90).rounded()) }
        corners = code.outline.corners.map { [$0.whole.x, $0.whole.y] }
    }

    private static func rounded(_ value: Float, _ parts: Double) -> Double {
        let bounded = Double(min(max(value, -10_000), 10_000))
        return (bounded * parts).rounded() / parts
    }

    /// As it may stand in a header: JSON without anything but ASCII, of bounded length.
    var ascii: String {
        var line = self
        line.camera = camera.map { String($0.prefix(300)) }
        return String(decoding: line.jsonLine.utf8.map { (0x20...0x7E).contains($0) ? $0 : 0x3F }, as: UTF8.self)
    }

    /// One line for people, of 79 characters at most: the advice first, since a narrow terminal cuts the rest. How bright it is
    /// is left out where a code is bright enough, or there is no room.
    var sentence: String {
        let line = sentence(withBrightness: seen != true || off?.contains("brightness") == true)
        return line.count < 80 ? line : sentence(withBrightness: false)
    }

    private func sentence(withBrightness: Bool) -> String {
        var parts: [String] = []
        if seen == true {
            parts.append("\(kind ?? "code") \(read == true ? "read" : "unread")")
            if let module { parts.append("\(module) px") }
            if let sharpness { parts.append("sharp \(Int((sharpness * 100).rounded())) %") }
        }
        if withBrightness { parts.append("light \(brightness ?? 0)") }
        parts.append("contrast \(contrast ?? 0)")
        if let time { parts.append(time) }
        let isGood = advice == Advice.good.rawValue
        let said = isGood ? "good: read \(readOfLast ?? 0) of \(frames ?? 0)" : text ?? ""
        return said.uppercased() + " - " + parts.joined(separator: ", ")
    }

    /// "14:59 left"; hours are minutes, too.
    private var time: String? {
        left.map { "\($0 / 60):\($0 % 60 < 10 ? "0" : "")\($0 % 60)" }
    }

    /// Said once: what the figures should be.
    static var targets: String {
        let texts = AimTargets.texts
        let parts = ["module", "sharpness", "brightness", "contrast"].compactMap { name in
            texts[name].map { "\(name) \($0)" }
        }
        return "wanted: " + parts.joined(separator: ", ")
    }
}
