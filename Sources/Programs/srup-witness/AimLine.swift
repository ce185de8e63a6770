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
    /// Of the codes of a test sheet that were read, their edges in millimetres.
    var test: [Int]?
    var advice: String?
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
        let light = report.glance.light
        (brightness, contrast) = (light.light, light.light - light.dark)
        seen = report.glance.code != nil
        read = report.glance.code?.wasRead ?? false
        guard let code = report.glance.code else { return }
        kind = code.kind.rawValue
        module = code.module.map { Self.rounded($0, 10) }
        sharpness = code.sharpness.map { Self.rounded($0, 100) }
        tilt = code.tilt.map { Int(min(max($0, 0), 90).rounded()) }
        corners = code.outline.corners.map { [$0.whole.x, $0.whole.y] }
        if let dark = code.dark, let light = code.light {
            brightness = Int(min(max(light, 0), 255).rounded())
            contrast = Int(min(max(light - dark, -255), 255).rounded())
        }
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

    /// One line for people.
    var sentence: String {
        var parts: [String] = []
        if seen == true {
            parts.append("\(kind ?? "code") \(read == true ? "read" : "seen, not read")")
            if let module { parts.append("module \(module) px") }
            if let sharpness { parts.append("sharpness \(Int((sharpness * 100).rounded())) %") }
        } else {
            parts.append("nothing seen")
        }
        if let test { parts.append("test sheet: \(test.map(String.init).joined(separator: ", ")) mm read") }
        parts.append("brightness \(brightness ?? 0)")
        parts.append("contrast \(contrast ?? 0)")
        // The advice first: a narrow terminal cuts the rest.
        return (text ?? "").uppercased() + " - " + parts.joined(separator: ", ")
    }
}
