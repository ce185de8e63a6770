/// How each word looks and sounds.
public struct SignalPattern: Sendable, Hashable {
    /// Shown once for a verdict, again and again for a state.
    public let light: Rhythm
    /// Sounded once.
    public let sound: Rhythm
    /// In words, for help texts.
    public let description: String

    /// Of an event: the light's length. States go on until another word comes.
    public var length: Duration { max(light.length, sound.length) }

    /// The pattern of a word.
    public init(_ word: SignalWord) {
        switch word {
        case .unregistered: self.init([150, 200, 150, 2500], [], "two short blinks every 3 s")
        case .waiting: self.init([60, 2940], [], "a short flash every 3 s")
        case .looking: self.init([120, 120], [], "fast even blinking")
        case .valid: self.init([3000, 500], [700, 100], "on for 3 s; one long beep")
        case .invalid:
            self.init(
                Array(
                    [[600, 200, 150, 200, 150, 500], [600, 200, 150, 200, 150, 500], [600, 200, 150, 200, 150, 500]]
                        .joined()),
                [200, 200, 200, 200, 200, 200], "long-short-short, three times; three beeps")
        case .failed:
            self.init(
                [500, 500, 500, 500, 500, 500, 500, 500, 500, 500], [450, 400, 450, 400],
                "five slow blinks; two long beeps")
        case .fault:
            self.init(
                [150, 150, 150, 150, 150, 400, 450, 150, 450, 150, 450, 400, 150, 150, 150, 150, 150, 1500], [],
                "SOS, again and again")
        case .aiming: self.init([500, 500], [], "slow even blinking")
        case .readable: self.init([950, 50], [], "on, with a blink each second")
        case .step1, .step2, .step3, .step4, .step5, .step6, .step7, .step8:
            let count = word.step ?? 1
            self.init(
                [1500, 800] + repeatElement([250, 350], count: count - 1).joined() + [250, 1200], [],
                "a long light, then \(count) short blink\(count == 1 ? "" : "s"), again and again")
        case .checking: self.init([90, 110, 90, 110, 90, 910], [], "three quick flashes every 1.4 s")
        case .unplug: self.init([2000, 1000], [], "on for 2 s, off for 1 s")
        case .stepPassed: self.init([1000, 300, 1000, 700], [120, 120, 120, 120], "two long lights; two short beeps")
        case .stepFailed:
            self.init(
                Array(repeatElement([100, 100], count: 12).joined()), [1200, 100], "twelve quick blinks; one long beep")
        case .accepted: self.init([4500, 500], [], "on, with a gap every 5 s")
        case .notAccepted:
            self.init([1200, 300, 200, 300, 200, 1800], [], "one long light and two short, again and again")
        case .locate:
            self.init(
                Array(repeatElement([80, 120, 80, 720], count: 30).joined()),
                Array(repeatElement([80, 920], count: 10).joined()),
                "two quick flashes a second for 30 s; ten short beeps")
        }
    }

    private init(_ light: [Int], _ sound: [Int], _ description: String) {
        self.light = Rhythm(light)
        self.sound = Rhythm(sound)
        self.description = description
    }

    /// The table of all of them, for help texts.
    public static var table: String {
        SignalWord.allCases.map { word in
            let name = word.rawValue + String(repeating: " ", count: 14 - word.rawValue.count)
            return "  \(name)\(SignalPattern(word).description)"
        }.joined(separator: "\n")
    }
}
