import Addresses
import ArgumentParser
import Camera
import Eyes
import Glibc
import Linux
import Luma
import NFCReader
import Program

/// What "srup-observer doctor" asks about devices: this program has the decoders and libnfc, the doctor has not.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Try a camera or a reader and say what was found: asked by \"srup-observer doctor\".",
        subcommands: [CheckCamera.self, CheckNFC.self])
}

/// Prints findings, one JSON object per line.
private struct Findings {
    let asJSON: Bool
    var hasProblem = false

    mutating func tell(_ finding: Finding) {
        hasProblem = hasProblem || finding.state == .problem
        let remedy = finding.remedy.map { " → " + $0 } ?? ""
        srup_witness.tell(
            finding, "\(finding.state.rawValue): \(finding.name): \(finding.says)\(remedy)", asJSON: asJSON)
    }
}

struct CheckCamera: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "camera", abstract: "Open a camera for a moment: formats, frame rate, focus, light.",
        discussion: "Exit codes: 0 nothing is wrong, 1 a problem was found.")

    @OptionGroup var eye: EyeOptions
    @Flag(help: "One JSON object per line.")
    var json = false

    /// How long to look for the frame rate; a camera's first frames, while it finds its exposure, are not counted.
    private static let settling = Duration.milliseconds(700)
    private static let measuring = Duration.milliseconds(1500)
    /// How long to wait for the first frame; a camera module's program takes its time.
    private static let patience = Duration.seconds(7)

    func run() throws {
        Libcamera.standIn(for: eye.address)
        var findings = Findings(asJSON: json)
        do throws(CameraError) {
            if let offer = try CameraOffer(eye.address, width: eye.wanted.width, height: eye.wanted.height) {
                describe(offer, &findings)
            }
            let source = try eye.open()
            findings.tell(Finding("camera", .ok, source.summary))
            try look(through: source, &findings)
        } catch {
            findings.tell(finding(error))
        }
        if findings.hasProblem { throw ExitCode(1) }
    }

    private func describe(_ offer: CameraOffer, _ findings: inout Findings) {
        let formats = offer.formats.map { format in
            "\(format.name)\(format.isUnderstood ? "" : " (not read here)") \(format.sizes.prefix(6).map(\.name).joined(separator: " "))"
                + (format.sizes.count > 6 ? " …" : "")
        }
        findings.tell(Finding("camera driver", .ok, "\(offer.card) (\(offer.driver)) at \(offer.path)"))
        findings.tell(
            Finding(
                "camera formats", offer.chosen == nil ? .warning : .ok,
                "\(formats.joined(separator: "; ")); chosen: \(offer.chosen ?? "none, libv4l2 may convert")"))
    }

    private func look(through source: any FrameSource, _ findings: inout Findings) throws(CameraError) {
        let started = ContinuousClock.now
        var begin: ContinuousClock.Instant?
        var first: ContinuousClock.Instant?
        var last = started
        var frames = 0
        var quality: FrameQuality?
        while true {
            let now = ContinuousClock.now
            if now - (begin ?? started) >= (begin == nil ? Self.patience : Self.settling + Self.measuring) { break }
            let isCounted = begin.map { now - $0 >= Self.settling } ?? false
            let came = try source.next(timeout: 500, interrupt: -1) { plane in
                if isCounted || quality == nil { quality = FrameQuality(plane) }
            }
            guard came else { continue }
            if begin == nil { begin = .now }
            if isCounted {
                last = .now
                if first == nil { first = last } else { frames += 1 }
            }
        }
        findings.tell(
            Self.rate(frames, over: first.map { last - $0 } ?? .zero, of: source))
        if let quality { for finding in Self.judge(quality) { findings.tell(finding) } }
    }

    private static func rate(_ frames: Int, over time: Duration, of source: any FrameSource) -> Finding {
        let name = "camera frame rate"
        let (damaged, dropped) = (source.damaged, source.dropped)
        guard frames > 0, time > .zero else {
            if damaged > 0 {
                let why = source.damage.map { ": \($0)" } ?? ""
                return Finding(
                    name, .problem, "all \(damaged) frames are damaged\(why)",
                    remedy: "another USB port or cable; a smaller size; another camera")
            }
            return Finding(
                name, .problem, "no frames come", remedy: "another USB port or cable; a powered hub; a smaller size")
        }
        // Those that were passed over for newer ones came, too.
        let seconds: Double = time / Duration.seconds(1)
        let perSecond = Double(frames + dropped) / seconds
        let rate = "\((perSecond * 10).rounded() / 10) a second" + (damaged > 0 ? ", \(damaged) damaged" : "")
        if damaged > frames / 4 {
            return Finding(name, .warning, rate, remedy: "another USB port or cable: frames arrive damaged")
        }
        return perSecond < 8
            ? Finding(name, .warning, rate, remedy: "more light, or a smaller size: cameras get slow in the dark")
            : Finding(name, .ok, rate)
    }

    private static func judge(_ quality: FrameQuality) -> [Finding] {
        let levels = "mean \(quality.mean), from \(quality.dark) to \(quality.light) of 255"
        let light =
            switch quality.lighting {
            case .good: Finding("camera light", .ok, levels)
            case .tooDark:
                Finding("camera light", .warning, "too dark: \(levels)", remedy: "more light, or clear the lens")
            case .overexposed:
                Finding(
                    "camera light", .warning, "overexposed: \(levels)", remedy: "less light, no lamp in the picture")
            case .flat:
                Finding("camera light", .warning, "no contrast: \(levels)", remedy: "is the lens covered or fogged?")
            }
        guard let sharpness = quality.sharpness, quality.lighting != .tooDark, quality.lighting != .flat else {
            return [light, Finding("camera focus", .skipped, "there is nothing in view that could be sharp")]
        }
        let number = "sharpness \((sharpness * 100).rounded() / 100)"
        return [
            light,
            quality.isOutOfFocus
                ? Finding(
                    "camera focus", .warning, "out of focus: \(number)",
                    remedy: "turn the lens, or clean it; \"srup-observer aim\" helps")
                : Finding("camera focus", .ok, number),
        ]
    }

    private func finding(_ error: CameraError) -> Finding {
        let remedy: String? =
            switch error {
            case .failed("rpicam", _, _) where !CameraAddress.hasModuleProgram:
                "apt install rpicam-apps-lite (Raspberry Pi OS)"
            case .failed("rpicam", _, _), .stalled("rpicam", _), .damaged("rpicam", _):
                "the ribbon cable at both ends; \"rpicam-hello --list-cameras\" shows whether the Pi sees it"
            case .absent: "plug it in; \"lsusb\" and \"dmesg\" show whether the machine sees it"
            case .busy: "end that program; when it is srup-witness, an observation is under way: try again in a minute"
            case .noPermission: "run the doctor as root, or add the user to the group video"
            case .notACamera: "name another device: [camera] device"
            case .noUsableFormat: "use another camera"
            case .unplugged, .stalled, .failed: "another USB port or cable; a powered hub"
            case .damaged: "another USB port or cable; a smaller size; another camera"
            case .noBandwidth: "a port of another USB controller; unplug what shares this one; a smaller [camera] size"
            case .badPicture, .ended: nil
            }
        if case .busy(let path, let holder) = error, holder?.contains("(srup-witness)") == true {
            return Finding("camera", .ok, "\(path) is in use by the observer's own witness", remedy: remedy)
        }
        return Finding("camera", .problem, error.description, remedy: remedy)
    }
}

struct CheckNFC: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nfc", abstract: "Open a reader for a moment: does it answer, and what is it?",
        discussion: "Exit codes: 0 nothing is wrong, 1 a problem was found.")

    @OptionGroup var reader: ReaderOptions
    @Flag(help: "One JSON object per line.")
    var json = false

    func run() throws {
        keepStandardDescriptors()
        var findings = Findings(asJSON: json)
        do throws(ReaderError) {
            let address = try reader.address.resolved()
            let watchdog = Watchdog { doing in
                var hung = Findings(asJSON: json)
                hung.tell(Finding("reader", .problem, "libnfc hangs while \(doing)", remedy: Self.wiring))
            }
            let opened = try Reader(address, watchdog: watchdog)
            findings.tell(Finding("reader", .ok, "\(opened.name) answers"))
            findings.tell(
                opened.firmware().map { Finding("reader firmware", .ok, $0) }
                    ?? Finding("reader firmware", .warning, "it does not tell", remedy: Self.wiring))
        } catch {
            findings.tell(Self.finding(error))
        }
        if findings.hasProblem { throw ExitCode(1) }
    }

    private static let wiring = "check wiring, power and the board's switches (hardware/README.md)"

    private static func finding(_ error: ReaderError) -> Finding {
        let remedy =
            switch error {
            case .absent: "plug it in; for I2C: dtparam=i2c_arm=on in config.txt"
            case .busy: "end the program that has it; when it is srup-witness, an observation is under way"
            case .noPermission: "run the doctor as root, or add the user to the group dialout (USB) or i2c"
            case .foreign: "a PN532 is needed (hardware/README.md): this is another chip or another device"
            default: wiring
            }
        // The observer's own witness has it while it looks: then nothing is wrong.
        if case .busy = error { return Finding("reader", .warning, error.description, remedy: remedy) }
        return Finding("reader", .problem, error.description, remedy: remedy)
    }
}
