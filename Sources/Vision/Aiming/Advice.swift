/// What to do so that the code can be read.
public enum Advice: String, Sendable, CaseIterable {
    case noCode = "no-code"
    case wholeCode = "whole-code"
    case moveCloser = "move-closer"
    case tiltLess = "tilt-less"
    case tooDark = "too-dark"
    case tooBright = "too-bright"
    case lowContrast = "low-contrast"
    case outOfFocus = "out-of-focus"
    case glare
    case holdStill = "hold-still"
    case good

    /// For people.
    public var text: String {
        switch self {
        case .noCode: "no code in view"
        case .wholeCode: "show the whole code"
        case .moveCloser: "move closer"
        case .tiltLess: "tilt less"
        case .tooDark: "too dark"
        case .tooBright: "too bright"
        case .lowContrast: "too little contrast"
        case .outOfFocus: "out of focus"
        case .glare: "glare"
        case .holdStill: "hold still"
        case .good: "good"
        }
    }
}
