import Camera
import CodeReader
import Foundation
import Linux
import Luma
import Scene
import TestProcesses
import Synchronization
import Testing

/// A label beside the device: the honest device is let in, an impostor that shows another value in its place never.
@Suite(.serialized) struct LabelTests {
    /// What lies before the camera, and when.
    struct Arrangement: Sendable, CustomTestStringConvertible {
        let label: SceneSymbol.Kind
        let text: String
        /// Pixels to a module of the label's code and of the device's.
        let labelModule, module: Int
        var device = SceneSymbol.Kind.qr
        /// The label comes into view with the device's code, after the watch has opened.
        var isLate = false

        var testDescription: String {
            "\(label) \"\(text)\" with modules of \(labelModule) px beside \(device) with \(module) px"
                + (isLate ? ", late" : "")
        }
    }

    private static let uuid = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
    private static let url = "https://example.org/asset/4711"
    static let arrangements: [Arrangement] = [
        .init(label: .qr, text: uuid, labelModule: 7, module: 3),
        .init(label: .qr, text: uuid, labelModule: 3, module: 7),
        .init(label: .qr, text: url, labelModule: 7, module: 3),
        .init(label: .qr, text: uuid, labelModule: 6, module: 5, device: .dataMatrix),
        .init(label: .dataMatrix, text: uuid, labelModule: 6, module: 4),
        .init(label: .code128, text: uuid, labelModule: 2, module: 4),
        .init(label: .qr, text: uuid, labelModule: 7, module: 3, isLate: true),
        .init(label: .dataMatrix, text: url, labelModule: 6, module: 3, isLate: true),
        .init(label: .code128, text: uuid, labelModule: 2, module: 4, isLate: true),
    ]

    /// A camera that shows codes on white labels before a grey wall; what it shows can be changed.
    final class Camera: Sendable {
        private let labels = Mutex<[(symbol: SceneSymbol, module: Int, x: Int, y: Int)]>([])
        private let isOver = Mutex(false)
        private static let (width, height) = (1280, 720)

        init(_ path: String) {
            DetachedThread.start { [self] in write(to: path) }
        }

        func show(_ shown: [(symbol: SceneSymbol, module: Int, x: Int, y: Int)]) { labels.withLock { $0 = shown } }
        func close() { isOver.withLock { $0 = true } }

        private func write(to path: String) {
            signal(SIGPIPE, SIG_IGN)
            while !isOver.withLock({ $0 }) {
                let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK)
                guard descriptor >= 0 else {
                    usleep(10_000)
                    continue
                }
                _ = fcntl(descriptor, F_SETFL, 0)
                var isOpen = send(Array("YUV4MPEG2 W\(Self.width) H\(Self.height) F15:1 Cmono\n".utf8), descriptor)
                while isOpen, !isOver.withLock({ $0 }) {
                    isOpen = send(Array("FRAME\n".utf8) + frame(), descriptor)
                    usleep(66_000)
                }
                Glibc.close(descriptor)
            }
        }

        private func send(_ bytes: [UInt8], _ descriptor: Int32) -> Bool {
            writeAll(bytes, to: descriptor)
        }

        private func frame() -> [UInt8] {
            var pixels = [UInt8](repeating: 150, count: Self.width * Self.height)
            for label in labels.withLock({ $0 }) {
                let picture = label.symbol.picture
                let scale = picture.width / label.symbol.modules
                for y in 0..<label.symbol.modules * label.module where label.y + y < Self.height {
                    for x in 0..<label.symbol.modules * label.module where label.x + x < Self.width {
                        let (column, row) = (x / label.module * scale, y / label.module * scale)
                        let isDark = picture.pixels[row * picture.width + column] < 128
                        pixels[(label.y + y) * Self.width + label.x + x] = isDark ? 35 : 220
                    }
                }
            }
            return pixels
        }
    }

    /// What a device shows, from the picture that it keeps.
    private func nonce(_ path: String) throws -> String {
        let picture = try StillPicture.read(path)
        let reading = try #require(picture.withPlane { CodeReader([.qr]).read($0) }.first)
        return String(decoding: reading.value, as: UTF8.self)
    }

    private static func other() -> String {
        // With letters: 32 decimal digits would be a parcel's number.
        "ABCDEF" + (0..<26).map { _ in "0123456789ABCDEF".randomElement().map(String.init) ?? "0" }.joined()
    }

    /// Lets a device ask; the camera gets the label and, once the device shows its nonce, a code with what `value` makes of it.
    private func join(
        _ name: String, _ arrangement: Arrangement, _ loopback: LoopbackNetwork, _ camera: Camera, after pause: Double,
        _ value: (String) -> String
    ) throws -> (answer: String, verdicts: [String]) {
        let symbol = try #require(SceneSymbol(arrangement.label, arrangement.text))
        let label = (symbol, arrangement.labelModule, 60, 60)
        camera.show(arrangement.isLate ? [] : [label])
        try loopback.registerDevice(name, type: "sensor")
        let begin = EventFollower.clock()
        try loopback.startDevice(name)
        try loopback.events.wait(for: "observer", ["looking"], since: begin, within: 30)
        try loopback.events.wait(for: name, ["showing"], since: begin, within: 30)
        usleep(UInt32(pause * 1e6))
        let shown = try #require(SceneSymbol(arrangement.device, value(try nonce(loopback.picture(name)))))
        camera.show([label, (shown, arrangement.module, 720, 200)])
        let answer = try loopback.answer(to: name, since: begin, within: 120)
        loopback.runner.stop(name)
        _ = loopback.events.news()
        let verdicts = loopback.events.all.filter { $0.who == "observer" && $0.name == "verdict" && $0.time >= begin }
        return (answer, verdicts.compactMap { $0.details["verdict"] })
    }

    @Test func theHonestDeviceIsLetInBesideAnyLabelAndAnImpostorNever() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(["--policy", "sensor=observed", "--tries", "1", "--observation-timeout", "60"])
        let fifo = try loopback.makeCamera("camera")
        try loopback.bringObserver(camera: "fifo:\(fifo)", settings: LoopbackNetwork.patient)
        let camera = Camera(fifo)
        defer { camera.close() }
        for (number, arrangement) in Self.arrangements.enumerated() {
            let honest = try join("honest-\(number)", arrangement, loopback, camera, after: 0.5) { $0.uppercased() }
            #expect(honest.answer == "JOIN_SUCCESS" && honest.verdicts == ["VALID"], "\(arrangement): \(honest)")
            // Its value comes into view while the observer looks, so that it is no furniture.
            let impostor = try join("impostor-\(number)", arrangement, loopback, camera, after: 1.5) { _ in Self.other()
            }
            #expect(impostor.answer == "JOIN_FAIL", "\(arrangement): \(impostor)")
            #expect(["INVALID", "FAILED"].contains(impostor.verdicts.last ?? ""), "\(arrangement): \(impostor)")
        }
    }
}
