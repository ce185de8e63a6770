import AimPage
import Aiming
import ArgumentParser
import Camera
import CodeReader
import Eyes
import Glibc
import Luma
import Program
import Synchronization

struct AimCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "aim",
        abstract: "Point a camera: says what to do until a code is read well.",
        discussion: """
            Shows one line that is kept up to date: what to do, whether a code is seen and read, its kind, the size of its \
            modules in pixels, its sharpness (0 to 100 %), its brightness and contrast in grey levels (of the whole picture \
            when there is no code), and the time left. What these figures should be is said once, at the beginning. What the \
            code says is not shown. Ends at Ctrl-C, or after --seconds.

            With --web the same is shown on a page, with the camera's picture, to whoever on the local network has the \
            address that is printed (also as a QR code): 4 viewers at most, until the command ends. Codes are made \
            unreadable in that picture before it leaves this machine. The page is not encrypted.

            The camera can be looked through by one program at a time: a watch of "srup-observer run" and this command \
            keep each other out. Contacts no server and needs no identity.

            Exit codes: 0 a code was read, 1 none was, 69 the camera never opened or the page could not be served.
            """)

    @OptionGroup var eye: EyeOptions
    @OptionGroup var symbologies: SymbologyOptions
    @Option(help: ArgumentHelp("End after so many seconds.", valueName: "n"))
    var seconds: Double?
    @Option(
        help: ArgumentHelp(
            "Serve the page: a port on all interfaces, or ADDRESS:PORT. [IPv6] addresses in brackets; port 0: any.",
            valueName: "[address:]port"))
    var web: String?
    @Option(help: ArgumentHelp("With --web: end after so many minutes.", valueName: "n"))
    var minutes = 15.0
    @Flag(help: "One JSON object per line, at most five a second.")
    var json = false

    func validate() throws {
        if let web, WebAddress(web) == nil {
            throw ValidationError(
                "--web takes a port, or an address and a port: 8080, 192.168.1.2:8080, [fd00::1]:8080")
        }
        if let seconds, !(seconds > 0 && seconds <= 1e9) { throw ValidationError("--seconds must be above 0") }
        guard minutes > 0, minutes <= 1440 else {
            throw ValidationError("--minutes must be more than 0, and at most 1440")
        }
    }

    func run() throws {
        Libcamera.standIn(for: eye.address)
        let session = try eye.session()
        let wanted = try symbologies.parsed()
        let readers = try symbologies.wantedReaders()
        StopSignals.take()
        signal(SIGPIPE, SIG_IGN)
        let screen = AimScreen(json: json)
        let page = try openPage(screen)
        let tally = AimTally()
        let device = eye.address.description
        let deadline = limit.map { ContinuousClock.now + $0 }
        session.start {
            let reader = StreamReader(wanted, readers: readers)
            let aiming = AimingEye(screen, page, tally, device, reader, until: deadline)
            let tuner = CameraTuner()
            return CameraHandlers(
                onEvent: { aiming.note($0) },
                onFrame: { plane in tuner.saw(aiming.look(at: plane)) },
                tuner: tuner)
        }
        session.wake()
        while !StopSignals.came, deadline.map({ $0 > .now }) ?? true { usleep(10_000) }
        session.stop()
        page?.stop()
        let end = tally.counts.withLock { $0 }
        screen.end(frames: end.frames, read: end.read)
        if !end.wasOpen { throw ExitCode(Program.Code.unavailable.rawValue) }
        if end.read == 0 { throw ExitCode(1) }
    }

    private var limit: Duration? {
        let all = [seconds, web == nil ? nil : minutes * 60].compactMap { $0 }
        return all.min().map { .seconds($0) }
    }

    private func openPage(_ screen: AimScreen) throws -> PageServer? {
        guard let web, let address = WebAddress(web) else { return nil }
        do {
            let page = try PageServer(at: address)
            screen.page(page.urls)
            return page
        } catch {
            throw Program.failure(error, code: .unavailable)
        }
    }
}

/// What is told at the end.
private final class AimTally: Sendable {
    struct Counts {
        var frames = 0
        var read = 0
        var wasOpen = false
    }
    let counts = Mutex(Counts())
}

/// Looks at frames, on the camera's thread.
private final class AimingEye {
    private let screen: AimScreen
    private let page: PageServer?
    private let tally: AimTally
    private let device: String
    private let reader: StreamReader
    private let maker = SafePictureMaker()
    private let encoder = JPEGEncoder()
    private var advisor = AimAdvisor()
    private var camera = "opening"
    private let deadline: ContinuousClock.Instant?
    private var due = ContinuousClock.now
    /// Codes seen since the last picture for the page: they are hidden in the next.
    private var unhidden: [Outline] = []

    private static let period = Duration.milliseconds(200)

    init(
        _ screen: AimScreen, _ page: PageServer?, _ tally: AimTally, _ device: String, _ reader: StreamReader,
        until deadline: ContinuousClock.Instant?
    ) {
        self.deadline = deadline
        self.screen = screen
        self.page = page
        self.tally = tally
        self.device = device
        self.reader = reader
    }

    func note(_ event: CameraEvent) {
        switch event {
        case .opened(let summary, let format, let width, let height):
            tally.counts.withLock { $0.wasOpen = true }
            camera = summary
            advisor = AimAdvisor()
            maker.clear()
            screen.opened(summary, device: device, format: format, width: width, height: height)
        case .lost(let error):
            camera = error.description + (error.remedy.map { "; \($0)" } ?? "")
            screen.lost(camera)
            page?.show(PageView(state: AimLine(event: "lost", camera: camera, text: "no picture").ascii, picture: []))
        }
    }

    /// Returns how the code looked, for setting the camera.
    func look(at plane: LumaPlane) -> CameraTuning.Look? {
        let readings = reader.read(plane)
        let report = advisor.add(Glance(plane, readings: readings, aim: reader.aim))
        let frame = tally.counts.withLock { counts in
            counts.frames += 1
            if !readings.isEmpty { counts.read += 1 }
            return counts.frames
        }
        if page != nil, unhidden.count < 256 { unhidden += report.glance.hidden(readings) }
        guard due <= .now else { return reader.look }
        due = .now + Self.period
        var line = AimLine(report, frame: frame, camera: camera, plane)
        line.left = deadline.map { max(Int(($0 - .now) / .seconds(1)), 0) }
        screen.aim(line)
        if let page, page.hasViewers { show(line, plane, page) }
        unhidden.removeAll()
        return reader.look
    }

    private func show(_ line: AimLine, _ plane: LumaPlane, _ page: PageServer) {
        var line = line
        line.wanted = AimTargets.texts
        let made = maker.picture(of: plane, hiding: unhidden)
        let bytes = made.flatMap { encoder?.encoded($0.picture) } ?? []
        page.show(PageView(state: line.ascii, picture: bytes))
    }
}
