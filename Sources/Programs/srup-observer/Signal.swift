import ArgumentParser
import Glibc
import Program
import Signals

struct SignalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "signal",
        abstract: "Show on a LED, a buzzer and a small display what the observer on this machine is doing.",
        discussion: """
            Follows "srup-observer run" (the service srup-signal does this) and plays:

            \(SignalPattern.table)

            [signal] in the configuration says where: led = "auto", "none", a name below /sys/class/leds, "gpio:17" or \
            "gpio:gpiochip1/5"; buzzer = "none" or a GPIO line; active_low = true when the lines are on at low level. The LED \
            is given back as it was. Stops on SIGTERM.

            While an operator has to compare words before this observer is let in, they are also on display ("oled", or \
            "oled:/dev/i2c-1:0x3C:128x64") and console ("/dev/tty1"), where these are configured.

            Exit codes: 0 stopped, or there is nothing to signal with; 69 LED or buzzer cannot be used, 78 configuration is wrong.
            """)

    @OptionGroup var configuration: ConfigurationOptions
    @Flag(help: "Play each pattern once and say what it means; show words on the display.")
    var test = false
    @Option(help: ArgumentHelp("The observer's signal socket.", valueName: "path"))
    var socket: String?
    @Option(help: ArgumentHelp("Where the machine's /sys is.", valueName: "folder", visibility: .hidden))
    var root = ""

    func run() throws {
        let settings = try configuration.load()
        let outputs: Outputs
        do throws(SignalError) {
            outputs = Outputs(
                led: try settings.signal.led.open(root: root, isActiveLow: settings.signal.isActiveLow),
                buzzer: try settings.signal.buzzer.open(root: root, isActiveLow: settings.signal.isActiveLow))
        } catch {
            throw Program.failure(error, code: .unavailable)
        }
        StopSignals.take()
        defer { outputs.release() }
        let displays = ValueDisplays(settings.signal)
        defer { displays.show(.nothing) }
        if test {
            displays.showExample()
            return play(on: outputs)
        }
        if outputs.areNone && displays.areNone {
            print("there is neither LED nor buzzer nor display to signal with ([signal] in \(configuration.path))")
            return
        }
        let paths = socket.map { [$0] } ?? ["/run/srup-observer/signal.sock", settings.stateFolder + "/signal.sock"]
        follow(paths, on: outputs, displays)
    }

    private func follow(_ paths: [String], on outputs: Outputs, _ displays: ValueDisplays) {
        // What a run that was killed has left there.
        displays.show(.nothing)
        displays.follow(paths.map { $0.replacingSuffix("signal.sock", by: "value.sock") })
        let listener = SignalListener()
        let start = ContinuousClock.now
        var player = SignalPlayer(.unregistered, at: .zero)
        var nextTry = Duration.zero
        var wasConnected = false
        while !StopSignals.came {
            let now = ContinuousClock.now - start
            if !listener.isConnected && now >= nextTry {
                listener.connect(toAny: paths)
                nextTry = now + .seconds(1)
                wasConnected = wasConnected || listener.isConnected
            }
            outputs.show(player.output(at: now))
            // A signal may come between the question above and the wait: never longer than half a second.
            let due = min(player.nextChange(after: now) ?? .seconds(3600), now + .milliseconds(500)) - now
            let wait = Int32(max(1, (due / .milliseconds(1)).rounded(.up)))
            guard listener.isConnected else {
                usleep(useconds_t(wait) * 1000)
                continue
            }
            for word in listener.words(within: wait).compactMap({ SignalWord(rawValue: $0) }) {
                player.heard(word, at: ContinuousClock.now - start)
            }
            // It was there and has gone: that is a fault until it comes back.
            if !listener.isConnected && wasConnected { player.heard(.fault, at: ContinuousClock.now - start) }
        }
    }

    private func play(on outputs: Outputs) {
        if outputs.areNone { print("neither LED nor buzzer is configured or found; the patterns only in words:") }
        for word in SignalWord.allCases where !StopSignals.came {
            print("\(word.rawValue.padding(14))\(SignalPattern(word).description): \(word.meaning)")
            fflush(nil)
            if outputs.areNone { continue }
            let start = ContinuousClock.now
            var player = SignalPlayer(word.isEvent ? .waiting : word, at: .zero)
            if word.isEvent { player.heard(word, at: .zero) }
            let end =
                word.isEvent
                ? min(SignalPattern(word).length, .seconds(5)) : max(SignalPattern(word).length, .seconds(4))
            while case let now = ContinuousClock.now - start, now < end, !StopSignals.came {
                outputs.show(player.output(at: now))
                usleep(10_000)
            }
            outputs.show((false, false))
            usleep(700_000)
        }
    }
}

/// The light and the buzzer; written to only when something changes.
private final class Outputs {
    private let led: (any SignalOutput)?
    private let buzzer: (any SignalOutput)?
    private var shown = (light: false, sound: false)

    init(led: (any SignalOutput)?, buzzer: (any SignalOutput)?) {
        self.led = led
        self.buzzer = buzzer
    }

    var areNone: Bool { led == nil && buzzer == nil }

    func show(_ wanted: (light: Bool, sound: Bool)) {
        if wanted.light != shown.light { led?.set(wanted.light) }
        if wanted.sound != shown.sound { buzzer?.set(wanted.sound) }
        shown = wanted
    }

    func release() {
        led?.release()
        buzzer?.release()
    }
}
