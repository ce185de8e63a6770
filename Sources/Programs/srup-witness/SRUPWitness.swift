import ArgumentParser
import Camera
import CodeReader
import Eyes
import Glibc
import Program
import WitnessLink

/// The eyes of the observer, each in a process of its own and in a program of its own: no key, no network library and no
/// state comes near what decodes hostile pictures, and what holds the keys carries no decoder.
@main
struct SRUPWitness: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "srup-witness",
        abstract: "The eyes of srup-observer: started by it, not by hand.",
        version: Release.version,
        subcommands: [
            CameraWitness.self, NFC.self, Serve.self, Scan.self, Capture.self, Check.self, AimCommand.self,
            TestSheetCommand.self, RecordCommand.self,
        ])
}

/// Opens the camera, reads codes, reports values over the socket that it was given. Holds no key and no nonce, and
/// ends when the socket closes.
struct CameraWitness: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "camera", abstract: "Look through a camera for the keeper at the other end of a socket.")

    @OptionGroup var eye: EyeOptions
    @OptionGroup var symbologies: SymbologyOptions
    @OptionGroup var keeper: KeeperOptions
    @Flag(help: "Say which words of the acceptance check are in view, too.")
    var commands = false

    func run() throws {
        Libcamera.standIn(for: eye.address)
        let (server, words) = try keeper.server()
        let wanted = try words.map { try Self.parse(Array($0.dropFirst())) } ?? self
        let camera = CameraEye(try wanted.eye.session())
        // What was set on the camera is put back, also when the service is stopped: cameras keep it.
        StopSignals.whenOneComes { _ in
            camera.stop()
            keeper.endAll()
            Glibc.exit(EXIT_SUCCESS)
        }
        let kinds = wanted.symbologies
        camera.start(server, try kinds.parsed(), try kinds.wantedReaders(), saysCommands: wanted.commands)
        server.serve(camera)
        camera.stop()
        keeper.endAll()
    }
}

/// The camera as the witness's eye.
final class CameraEye: Eye {
    let kind = "camera"
    private let session: CameraSession

    init(_ session: CameraSession) {
        self.session = session
    }

    func start(
        _ server: WitnessServer, _ symbologies: Set<Symbology>, _ readers: Set<QRReader>, saysCommands: Bool
    ) {
        session.start {
            var reader = StreamReader(symbologies, readers: readers)
            var frames: UInt64 = 0
            var lastWord = ContinuousClock.now
            var pace = SightingPace()
            let tuner = CameraTuner()
            return CameraHandlers(
                onEvent: { event in
                    switch event {
                    case .opened(let summary, _, _, _): server.say(.ready(summary))
                    case .lost(let error): server.say(.lost(error.description))
                    }
                },
                onFrame: { plane in
                    frames += 1
                    let readings = reader.read(plane)
                    tuner.saw(reader.look)
                    let (size, now) = ((plane.width, plane.height), ContinuousClock.now)
                    for sighting in pace.sightings(readings, size: size, at: now) {
                        server.say(.seen(sighting.value, how: sighting.how))
                    }
                    for command in saysCommands ? pace.commands(readings, at: now) : [] {
                        server.say(.commanded(command, how: "qr"))
                    }
                    if let place = pace.unread(reader.unread, size: size, at: now) { server.say(.unread(place)) }
                },
                onIdle: {
                    guard ContinuousClock.now - lastWord >= .seconds(1) else { return }
                    lastWord = .now
                    server.say(.alive(frames: frames))
                },
                onRest: {
                    // They remember what they have read.
                    reader = StreamReader(symbologies, readers: readers)
                    pace = SightingPace()
                },
                tuner: tuner)
        }
    }

    func wake() { session.wake() }
    func rest() { session.rest() }
    func stop() { session.stop() }
}

extension StreamReader {
    /// How the code in the last frame looked, for setting the camera.
    var look: CameraTuning.Look? {
        aim.map { CameraTuning.Look(dark: $0.dark, light: $0.light, sharpness: $0.sharpness, wasRead: $0.wasRead) }
    }
}
