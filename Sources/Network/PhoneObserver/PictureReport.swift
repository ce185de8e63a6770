import Camera
import CodeReader
import Luma
import WitnessLink

/// What a picture shows, as far as an observation wants to know.
package struct PictureReport: Sendable, Hashable {
    /// A value that a code in the picture holds, and where.
    package struct Seen: Sendable, Hashable {
        package let value: [UInt8]
        /// As a witness says it (``WitnessEvent/seen(_:how:)``).
        package let how: String
    }

    /// How bright the whole picture is.
    package enum Light: String, Sendable, CaseIterable {
        case dark, bright, good
    }

    package var seen: [Seen] = []
    /// Where codes are that could not be read.
    package var unread: [String] = []
    /// How many codes were read that hold no value: addresses, numbers of goods.
    package var others = 0
    package var light = Light.good
    /// Why it is no picture that can be looked at; `nil` when it was looked at.
    package var unusable: String?

    package init() {}

    package init(unusable why: String) { unusable = why }

    /// Looks at a picture, here and now. For a process of its own: pictures come from outside.
    ///
    /// - Parameter bytes: JPEG, PNG or PGM.
    package init(examining bytes: [UInt8]) {
        let picture: LumaPicture
        do throws(CameraError) {
            picture = try StillPicture.decode(bytes, name: "picture")
        } catch {
            if case .badPicture(_, let why) = error { unusable = why } else { unusable = error.description }
            return
        }
        let reader = CodeReader()
        picture.withPlane { plane in
            let size = (plane.width, plane.height)
            let now = ContinuousClock.now
            let readings = reader.read(plane)
            var pace = SightingPace()
            seen = pace.sightings(readings, size: size, at: now).map { Seen(value: $0.value, how: $0.how) }
            unread = pace.unread(reader.unread, size: size, at: now).map { [$0] } ?? []
            others = readings.count { $0.candidate == nil }
            light = Self.light(plane)
        }
    }

    /// By the brightest and the darkest of every eighth pixel: paper and ink are far from both ends in a good picture.
    private static func light(_ plane: LumaPlane) -> Light {
        var levels: [UInt8] = []
        for y in stride(from: 0, to: plane.height, by: 8) {
            for x in stride(from: 0, to: plane.width, by: 8) { levels.append(plane.base[y * plane.stride + x]) }
        }
        levels.sort()
        guard let low = levels.dropFirst(levels.count / 20).first,
            let high = levels.dropLast(levels.count / 20).last
        else { return .good }
        return high < 60 ? .dark : low > 235 ? .bright : .good
    }

    // MARK: From process to process

    /// More lines than this, or a longer text, are no report.
    static let (maximumLines, maximumBytes) = (200, 48 << 10)

    /// A line each: `seen`, `unread` (``WitnessLine``), `others N`, `light WORD`, `unusable WHY`, and `end`.
    var text: String {
        var lines = seen.map { WitnessLine.event(.seen($0.value, how: $0.how)).description }
        lines += unread.map { WitnessLine.event(.unread($0)).description }
        lines.append("others \(others)")
        lines.append("light \(light.rawValue)")
        if let unusable { lines.append("unusable " + String(printable: unusable.utf8, atMost: 200)) }
        lines.append("end")
        return lines.joined(separator: "\n") + "\n"
    }

    /// `nil` when it is not whole or holds anything else: the process that wrote it is broken or taken over.
    init?(_ text: String) {
        guard text.utf8.count <= Self.maximumBytes, text.hasSuffix("\n") else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        guard lines.count <= Self.maximumLines, lines.last == "end" else { return nil }
        for line in lines.dropLast() {
            let parts = line.split(separator: " ", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            switch parts[0] {
            case "seen", "unread":
                guard case .event(let event)? = WitnessLine(String(line)) else { return nil }
                switch event {
                case .seen(let value, let how): seen.append(Seen(value: value, how: how))
                case .unread(let place): unread.append(place)
                default: return nil
                }
            case "others":
                guard let number = Int(parts[1]), (0...CodeReader.maximumReadings).contains(number) else { return nil }
                others = number
            case "light":
                guard let word = Light(rawValue: String(parts[1])) else { return nil }
                light = word
            case "unusable": unusable = String(printable: parts[1].utf8, atMost: 200)
            default: return nil
            }
        }
    }
}
