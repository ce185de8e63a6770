import Camera
import CodeReader
import Luma

/// Answers one request after the other; a reader is kept for each set of symbologies, as the observer does.
final class Server {
    private var readers: [Set<Symbology>: CodeReader] = [:]

    func run() {
        while let line = readLine() { say(answer(line)) }
    }

    private func answer(_ line: String) -> String {
        let parts = line.split(separator: "\t", maxSplits: 2).map(String.init)
        guard parts.count == 3 else { return "{\"error\": \"not a request\"}" }
        let symbologies = Set(parts[1].split(separator: ",").compactMap { Symbology(rawValue: String($0)) })
        // A symbology that this reader does not know is read by nobody: no codes, no time.
        guard !symbologies.isEmpty else { return "{\"codes\": [], \"ms\": [], \"unsupported\": true}" }
        do throws(CameraError) {
            let picture = try StillPicture.read(parts[2])
            return parts[0] == "stream" ? stream(picture, symbologies) : still(picture, symbologies)
        } catch {
            return "{\"error\": \"the picture could not be read\"}"
        }
    }

    private func still(_ picture: LumaPicture, _ symbologies: Set<Symbology>) -> String {
        let reader = readers[symbologies] ?? CodeReader(symbologies)
        readers[symbologies] = reader
        let (codes, time) = timed { picture.withPlane { reader.read($0) } }
        return "{\"codes\": \(codes.json), \"ms\": [\(time)]}"
    }

    private func stream(_ picture: LumaPicture, _ symbologies: Set<Symbology>) -> String {
        let reader = StreamReader(symbologies)
        var codes: [Reading] = []
        // In which frame each was read first.
        var frames: [Int] = []
        var times: [Double] = []
        // Symbols at once that were located and not read.
        var unread = 0
        for frame in 1...30 {
            let (found, time) = timed { picture.withPlane { reader.read($0) } }
            times.append(time)
            for code in found where !codes.contains(where: { $0.value == code.value && $0.symbology == code.symbology })
            {
                codes.append(code)
                frames.append(frame)
            }
            unread = max(unread, reader.unread.count)
        }
        return
            "{\"codes\": \(codes.json), \"frames\": \(frames), \"unread\": \(unread), \"ms\": [\(times.map { "\($0)" }.joined(separator: ", "))]}"
    }
}
