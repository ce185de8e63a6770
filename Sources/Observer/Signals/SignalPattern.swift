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
