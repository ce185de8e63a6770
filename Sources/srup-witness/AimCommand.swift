import Aiming
import ArgumentParser
import Camera
import Eyes
import Glibc
import Luma
import Presentation
import Program

struct AimCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "aim",
        abstract: "Help to point the camera: what to change so that codes are read well.",
        discussion: """
            Says in the terminal, and on a page on the local network for as long as it runs, whether a code is in view, how \
            large its modules are in pixels (3 and more read well), how sharp and how bright it is, and what to do. The page's \
            address holds a random word, so that only those who are told it can look; it is plain HTTP.

            What a code says is neither shown nor sent: the page's picture is coarse (72 rows, codes painted over; 16 rows \
            while no code is found). While this runs, a running observer cannot look through the same camera.

            Exit codes: 0 a code was read, 1 none was, 69 the camera or the page's port cannot be used.
            """)

    @OptionGroup var eye: EyeOptions
    @OptionGroup var symbologies: SymbologyOptions
    @Option(
        help: ArgumentHelp(
            "Where the page listens; an IPv6 address in brackets. Without an address on all of this machine's.",
            valueName: "[address:]port"))
    var web = "8080"
    @Flag(help: "No page, only the terminal.")
    var noPage = false
    @Option(help: ArgumentHelp("End after so many minutes.", valueName: "n"))
    var minutes: Double = 15
    @Option(help: ArgumentHelp("End after so many frames.", valueName: "n"))
    var frames: Int?
    @Flag(help: "One JSON object per line.")
    var json = false

    private struct Address {
        var host: String?
        var port: UInt16
    }

    private struct Line: Codable {
        var event: String
        var url: [String]?
        var reason: String?
        var camera: String?
    }

    func validate() throws {
        guard minutes > 0, minutes <= 24 * 60 else { throw ValidationError("--minutes must be from 0 to 1440") }
        if !noPage { _ = try address() }
    }

    private func address() throws -> Address {
        let parts = web.split(separator: ":", omittingEmptySubsequences: false)
        guard let port = parts.last.flatMap({ UInt16($0) }) else {
            throw ValidationError("--web must be like 8080, 192.168.1.7:8080 or [::]:8080")
        }
        guard parts.count > 1 else { return Address(host: nil, port: port) }
        let host = web.dropLast((parts.last?.count ?? 0) + 1)
        return Address(host: String(host.drop { $0 == "[" }.prefix { $0 != "]" }), port: port)
    }

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        let wanted = try symbologies.parsed()
        var source: (any FrameSource)?
        do throws(CameraError) {
            source = try eye.open()
        } catch {
            Program.complain(error.description + Self.remedy(error))
            throw ExitCode(Program.Code.unavailable.rawValue)
        }
        let server = noPage ? nil : try page()
        Stop.onSignals()
        let wasRead = look(&source, Onlooker(wanted), server)
        if !json && isatty(1) == 1 { print() }
        if !wasRead { throw ExitCode(1) }
    }

    private static func remedy(_ error: CameraError) -> String {
        switch error {
        case .busy:
            "; end that program. When it is srup-witness, the observer is looking: wait until it has answered, or \"systemctl stop srup-observer\" for as long as you aim"
        case .noPermission: "; or say sudo srup-observer aim"
        default: ""
        }
    }

    private func page() throws -> AimServer {
        let address = try address()
        let server: AimServer
        do throws(AimServer.Failure) {
            server = try AimServer(address: address.host, port: address.port)
        } catch {
            throw Program.failure(error, code: .unavailable)
        }
        let isAll = address.host == nil || address.host == "::" || address.host == "0.0.0.0"
        let own = AimServer.ownAddresses()
        let hosts = isAll ? (own.isEmpty ? ["127.0.0.1"] : own) : [address.host ?? ""]
        let urls = hosts.map { "http://\($0.contains(":") ? "[\($0)]" : $0):\(server.port)\(server.path)" }
        if !json, isatty(1) == 1, let first = urls.first {
            let code = Array(first.utf8).withUnsafeBytes { try? QRMatrix($0, level: .low) }
            if let code { print(TerminalPresenter.text(code), terminator: "") }
        }
        tell(Line(event: "page", url: urls), "page: \(urls.joined(separator: "\n      "))", asJSON: json)
        return server
    }

    // MARK: Looking

    /// - Returns: whether a code was read.
    private func look(_ source: inout (any FrameSource)?, _ onlooker: Onlooker, _ server: AimServer?) -> Bool {
        let deadline = ContinuousClock.now + .seconds(minutes * 60)
        let show = AimShow(json: json, server: server)
        if let source { show.say("camera: \(source.summary)", Line(event: "opened", camera: source.summary)) }
        var lastProblem: CameraError?
        var count = 0
        while !Stop.wasAsked, ContinuousClock.now < deadline, frames.map({ count < $0 }) ?? true {
            do throws(CameraError) {
                let camera: any FrameSource
                if let source {
                    camera = source
                } else {
                    camera = try eye.open()
                    show.say("camera: \(camera.summary)", Line(event: "opened", camera: camera.summary))
                    source = camera
                }
                lastProblem = nil
                let came = try camera.next(timeout: 500, interrupt: -1) { plane in
                    show.saw(plane, onlooker.look(at: plane))
                }
                if came { count += 1 }
            } catch {
                source = nil
                if error != lastProblem {
                    show.say("lost: \(error)", Line(event: "lost", reason: error.description))
                }
                lastProblem = error
                for _ in 0..<50 where !Stop.wasAsked { usleep(20_000) }
            }
        }
        return show.wasRead
    }
}

/// Tells people and programs what is seen, five times a second.
private final class AimShow {
    private let json: Bool
    private let server: AimServer?
    private let encoder = GreyJPEG()
    private let isTerminal = isatty(1) == 1
    private var nextLine = ContinuousClock.now
    private var nextRepetition = ContinuousClock.now
    private var nextPicture = ContinuousClock.now
    private var lastAdvice: Advice?
    /// Codes seen lately stay hidden: one that is missed in a frame is still there.
    private var hidden: [(corners: [Sight.Point], until: ContinuousClock.Instant)] = []
    private(set) var wasRead = false

    private static let interval = Duration.milliseconds(200)
    private static let memory = Duration.seconds(2)

    init(json: Bool, server: AimServer?) {
        self.json = json
        self.server = server
    }

    func say(_ text: String, _ line: some Encodable) {
        if isTerminal && !json { print("\r\u{1B}[K", terminator: "") }
        tell(line, text, asJSON: json)
    }

    func saw(_ plane: LumaPlane, _ sight: Sight) {
        let report = AimReport(sight)
        wasRead = wasRead || report.read
        let now = ContinuousClock.now
        // Into a file only what is new, and something every five seconds.
        let isEach = json || isTerminal
        if now >= nextLine, isEach || report.advice != lastAdvice || now >= nextRepetition {
            nextLine = now + Self.interval
            nextRepetition = now + .seconds(5)
            lastAdvice = report.advice
            if json {
                tell(report, "", asJSON: true)
            } else {
                print(isTerminal ? "\r\u{1B}[K\(report.line)" : report.line, terminator: isTerminal ? "" : "\n")
                fflush(nil)
            }
        }
        for corners in sight.allCodes ?? [] { hidden.append((corners, now + Self.memory)) }
        hidden.removeAll { $0.until < now }
        guard let server, now >= nextPicture, server.isWatched else { return }
        nextPicture = now + Self.interval
        // A frame in which nothing is found may hold a code elsewhere than before: then the picture is the coarsest.
        let isKnown = sight.allCodes.map { !$0.isEmpty } ?? false
        let picture = CoarsePicture(plane, hiding: isKnown ? hidden.suffix(64).map(\.corners) : nil)
        if let jpeg = encoder?.encode(picture) {
            server.show(state: Array(srup_witness.json(report).utf8), picture: jpeg)
        }
    }
}
