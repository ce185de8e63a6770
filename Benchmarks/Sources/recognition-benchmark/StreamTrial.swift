import CodeReader
import Luma
import Scene

/// One drawn stream through `StreamReader`, and each of its frames through a reader of single pictures beside it.
struct StreamTrial {
    /// At most so many frames are drawn after the first one that a person could read.
    static let patience = 30
    /// Module sizes where the device faces the camera, in pixels: two steps halve it.
    static let modules: [Float] = [3.4, 2.4, 1.7, 1.2, 0.85, 0.6]

    let stream: DrawnStream

    static func runAll(seeds: UInt64) {
        for module in modules {
            for (index, story) in DrawnStream.Story.allCases.enumerated() {
                for seed in 1...max(seeds, 1) {
                    // A desk of its own for each, the same for every module size.
                    let place = seed &* 101 &+ UInt64(index)
                    guard let stream = DrawnStream(story, module: module, width: 640, height: 480, seed: place) else {
                        continue
                    }
                    say(StreamTrial(stream: stream).run())
                }
            }
        }
    }

    /// - Returns: JSON. `readable` is the first frame that a person could read, `sighted` the first whose reading was right
    ///   (null: none was), `wrong` counts readings that were not; `stills` and `stillsRight` count the readable frames
    ///   that were also read alone; `ms` and `stillMs` are times per frame.
    func run() -> String {
        let reader = StreamReader([.qr])
        let single = CodeReader([.qr])
        let expected = Array(stream.symbol.text.utf8)
        var renderer = stream.renderer()
        var pixels = [UInt8](repeating: 0, count: stream.width * stream.height)
        var (readable, sighted): (Int?, Int?)
        var (wrong, stills, stillsRight) = (0, 0, 0)
        var (times, stillTimes): ([Double], [Double]) = ([], [])
        var frame = 0
        while frame < 90, frame - (readable ?? frame) < Self.patience, sighted.map({ frame < $0 + 8 }) ?? true {
            renderer.render(stream.symbol.picture, stream.parameters(frame), into: &pixels)
            guard let picture = LumaPicture(width: stream.width, height: stream.height, pixels: pixels) else { break }
            let isReadable = stream.isReadable(frame)
            if isReadable, readable == nil { readable = frame }
            let (found, time) = timed { picture.withPlane { reader.read($0) } }
            times.append(time)
            wrong += found.count { $0.value != expected }
            if sighted == nil, found.contains(where: { $0.value == expected }) { sighted = frame }
            if isReadable {
                let (found, time) = timed { picture.withPlane { single.read($0) } }
                stillTimes.append(time)
                stills += 1
                if found.contains(where: { $0.value == expected }) { stillsRight += 1 }
            }
            frame += 1
        }
        func number(_ value: Int?) -> String { value.map { "\($0)" } ?? "null" }
        func list(_ values: [Double]) -> String { "[" + values.map { "\($0)" }.joined(separator: ", ") + "]" }
        return "{\"story\": \"\(stream.story.rawValue)\", \"module\": \(stream.module), \"seed\": \(stream.seed), "
            + "\"readable\": \(number(readable)), \"sighted\": \(number(sighted)), \"wrong\": \(wrong), "
            + "\"stills\": \(stills), \"stillsRight\": \(stillsRight), \"ms\": \(list(times)), "
            + "\"stillMs\": \(list(stillTimes))}"
    }
}
