import Addresses
import Aiming
import Camera
import CodeReader
import Luma
import ObservedValue
import Recording

/// Records what a camera offers and a few of its frames, none of which shows anything but a test sheet's codes.
///
/// Blocks, on one thread.
public struct CameraRecorder {
    /// What was recorded.
    public struct Result: Sendable {
        /// What it offers.
        public var camera: RecordedCamera
        /// Blanked, or of a test sheet.
        public var frames: [RecordedFrame]
        /// How many came.
        public var tally: RecordedTally
        /// Why it ended before its time; `nil`: it did not.
        public var loss: CameraError?
    }

    /// Pictures without, and with a test sheet's codes, in a recording.
    static let maximum = (blanked: 2, tests: 3)
    /// Between two pictures.
    private static let pause = Duration.milliseconds(300)
    /// Of a picture, in bytes: what a line has room for, in base64.
    private static let maximumPicture = 1_400_000

    private let begin = ContinuousClock.now
    private let reader = StreamReader(Set(Symbology.allCases))
    private let maker = SafePictureMaker()
    private var frames: [RecordedFrame] = []
    private var count = 0
    private var due = ContinuousClock.now
    private let limit: Duration

    private init(_ limit: Duration) {
        self.limit = limit
    }

    /// Opens a camera and records it for a time.
    ///
    /// - Parameters:
    ///   - width: wanted, in pixels.
    ///   - height: wanted, in pixels.
    ///   - isWanted: asked at each frame; `false` ends it.
    ///   - progress: how many frames have come, and how many pictures with a test sheet's codes are kept.
    /// - Throws: `CameraError` when it gives no frame at all.
    public static func record(
        _ address: CameraAddress, width: Int, height: Int, for limit: Duration, while isWanted: () -> Bool,
        progress: (_ frames: Int, _ tests: Int) -> Void
    ) throws(CameraError) -> Result {
        let source = try address.open(width: width, height: height)
        var recorder = CameraRecorder(limit)
        var loss: CameraError?
        while ContinuousClock.now - recorder.begin < limit, isWanted() {
            do throws(CameraError) {
                _ = try source.next(timeout: 200, interrupt: -1) { recorder.look(at: $0) }
            } catch {
                // What has ended by itself has shown what it has.
                if case .ended = error {} else { loss = error }
                break
            }
            progress(recorder.count, recorder.frames.count { !$0.tests.isEmpty })
        }
        if recorder.count == 0 { throw loss ?? .stalled(source.summary, seconds: Int(limit / .seconds(1))) }
        let tally = RecordedTally(
            ms: recorder.elapsed, read: recorder.count, dropped: source.dropped, damaged: source.damaged,
            damage: source.damage)
        return Result(
            camera: try camera(source, width: width, height: height), frames: recorder.frames, tally: tally, loss: loss)
    }

    private static func camera(_ source: any FrameSource, width: Int, height: Int) throws(CameraError) -> RecordedCamera
    {
        var offer: CameraOffer?
        if let device = source as? V4L2Camera {
            // One that has just been unplugged offers nothing any more.
            offer = try? CameraOffer(.device(device.path), width: width, height: height)
        }
        let format = source.format
        return RecordedCamera(
            driver: offer?.driver ?? "", card: offer?.card ?? "", usb: offer?.usb,
            formats: offer?.formats.map { format in
                .init(name: format.name, sizes: format.sizes.map { .init(size: $0.name, rates: $0.rates) })
            } ?? [],
            controls: offer?.controls.map {
                .init(
                    name: $0.name, id: $0.id, least: $0.range.lowerBound, most: $0.range.upperBound, usual: $0.usual,
                    value: $0.value)
            } ?? [], format: format.name, width: format.width, height: format.height)
    }

    private var elapsed: Double { ((ContinuousClock.now - begin) / .microseconds(100)).rounded() / 10 }

    // MARK: Frames

    private mutating func look(at plane: LumaPlane) {
        count += 1
        let readings = reader.read(plane)
        let hidden = Glance(plane, readings: readings, aim: reader.aim).hidden(readings)
        guard due <= .now, let soft = maker.picture(of: plane, hiding: hidden) else { return }
        if isWanted(isTest: true), let test = TestPicture(plane, readings: readings, soft) {
            keep(test.picture, test.edges)
        } else if isWanted(isTest: false) {
            keep(soft.picture, [])
        }
    }

    /// The second blanked one comes from the second half of the time.
    private func isWanted(isTest: Bool) -> Bool {
        let kept = frames.count { $0.tests.isEmpty != isTest }
        if isTest { return kept < Self.maximum.tests }
        return kept == 0 || kept < Self.maximum.blanked && ContinuousClock.now - begin > limit / 2
    }

    private mutating func keep(_ picture: LumaPicture, _ edges: [Int]) {
        guard let png = picture.png, png.count <= Self.maximumPicture else { return }
        frames.append(RecordedFrame(ms: elapsed, picture: png, tests: edges))
        due = .now + Self.pause
    }
}
