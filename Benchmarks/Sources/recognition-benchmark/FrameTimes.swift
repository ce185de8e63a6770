import CodeReader
import Luma
import Scene

/// What a frame of a 1280x720 stream costs when all kinds of code are looked for: drawn scenes in every kind of clutter, of
/// the same seeds each time, with sensor noise that is new in every frame.
struct FrameTimes {
    /// A stream's parts, in frames at 30 per second: a desk without a device; the device comes and stays: the first 1.5 s
    /// are "just after a change"; and one that sways all the time.
    private static let (empty, after, still, moving) = (60, 45, 120, 90)
    private static let (width, height) = (1280, 720)

    /// Prints a line for each kind of clutter and the mean over all: milliseconds a frame, and after how many frames the
    /// code was read first.
    static func run() {
        say("ms a frame    no code   after a change   nothing moves   sways   first read   read again (of \(still))")
        var sums: [Double] = []
        for clutter in Clutter.allCases {
            guard let row = FrameTimes(clutter: clutter).row() else { continue }
            say(line(clutter.rawValue, row.times) + "   \(row.firstRead.map { "\($0)" } ?? "never")   \(row.reads)")
            sums = sums.isEmpty ? row.times : zip(sums, row.times).map { $0 + $1 }
        }
        say(line("mean", sums.map { $0 / Double(Clutter.allCases.count) }))
    }

    private static func line(_ name: String, _ times: [Double]) -> String {
        let cells = times.map { time -> String in
            let hundredths = Int((time * 100).rounded())
            return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
        }
        return ([name.padded(to: 12)] + cells.map { $0.padded(to: 12) }).joined()
    }

    let clutter: Clutter

    private func row() -> (times: [Double], firstRead: Int?, reads: Int)? {
        guard let symbol = SceneSymbol(.qr, "00112233445566778899AABBCCDDEEFF") else { return nil }
        var scene = SceneParameters()
        scene.noise = 3
        scene.roll = 8
        scene.yaw = 10
        scene.x = 0.45
        scene.setModule(4, modules: symbol.modules, height: Self.height)
        var renderer = SceneRenderer(width: Self.width, height: Self.height, clutter: clutter, seed: 7)
        var pixels = [UInt8](repeating: 0, count: Self.width * Self.height)
        let reader = StreamReader(Set(Symbology.allCases))
        func read(_ frames: Int, _ change: (Int, inout SceneParameters) -> Void) -> (mean: Double, reads: [Int]) {
            var (sum, reads) = (0.0, [Int]())
            for frame in 0..<frames {
                change(frame, &scene)
                renderer.render(symbol.picture, scene, into: &pixels)
                guard let picture = LumaPicture(width: Self.width, height: Self.height, pixels: pixels) else {
                    continue
                }
                let (readings, time) = timed { picture.withPlane { reader.read($0) } }
                sum += time
                if !readings.isEmpty { reads.append(frame) }
            }
            return (sum / Double(frames), reads)
        }
        let empty = read(Self.empty) { $1.hasDevice = false }
        let after = read(Self.after) { $1.hasDevice = true }
        let still = read(Self.still) { _, _ in }
        let moving = read(Self.moving) { frame, scene in
            scene.x = 0.45 + 0.002 * Float(min(frame % 60, 60 - frame % 60))
            scene.roll = 8 + 0.3 * Float(min(frame % 40, 40 - frame % 40))
        }
        return ([empty.mean, after.mean, still.mean, moving.mean], after.reads.first, still.reads.count)
    }
}

extension String {
    fileprivate func padded(to count: Int) -> String {
        self + String(repeating: " ", count: max(1, count - self.count))
    }
}
