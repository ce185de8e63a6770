/// What must hold did not: what every fuzzer throws.
public struct Violation: Error, CustomStringConvertible {
    /// What did not hold, for people.
    public let description: String

    /// Something that did not hold, in words.
    public init(description: String) {
        self.description = description
    }
}

/// A reader of bytes from outside, as one function: fuzzers feed it, and the tests replay what fuzzers have kept.
public enum FuzzTarget: String, CaseIterable, Sendable {
    /// SRUP messages, and what they are as JSON.
    case srup
    /// JSON that is to become messages.
    case json
    case ndef, snep, llcp, type2, type4
    /// Codewords of a QR code behind a byte for its version, and those of a Data Matrix.
    case qr, datamatrix
    /// PNG, JPEG and PGM.
    case still
    case y4m
    case toml
    /// Lines between keeper and witness.
    case witness
    /// Certificate requests, certificates and keys in PEM.
    case csr
    /// Where to register, from a code or a tag.
    case invitation
    /// Lines of local programs to a device's agent, and what participants say of themselves.
    case agent
    /// Recorded sessions.
    case recording

    /// Feeds one input.
    ///
    /// - Returns: whether something useful came out of it.
    /// - Throws: ``Violation``.
    @discardableResult
    public func feed(_ input: [UInt8]) throws -> Bool {
        switch self {
        case .srup: try TextTargets.srup(input)
        case .json: try TextTargets.json(input)
        case .ndef: try NearFieldTargets.ndef(input)
        case .snep: try NearFieldTargets.snep(input)
        case .llcp: try NearFieldTargets.llcp(input)
        case .type2: NearFieldTargets.type2(input)
        case .type4: NearFieldTargets.type4(input)
        case .qr: try PictureTargets.qr(input)
        case .datamatrix: try PictureTargets.dataMatrix(input)
        case .still: try PictureTargets.still(input)
        case .y4m: try PictureTargets.y4m(input)
        case .toml: try TextTargets.toml(input)
        case .witness: try TextTargets.witness(input)
        case .csr: try TextTargets.csr(input)
        case .invitation: try TextTargets.invitation(input)
        case .agent: try TextTargets.agent(input)
        case .recording: try TextTargets.recording(input)
        }
    }
}
