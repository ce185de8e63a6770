/// A value in a form as text: for terminals, logs of nobody, and commands.
extension ValueForm {
    /// What a terminal shows; of several lines.
    ///
    /// - Parameters:
    ///   - value: 16 bytes, borrowed.
    ///   - hasColour: whether the terminal has 24-bit colours.
    public func text(of value: UnsafeRawBufferPointer, hasColour: Bool) -> String {
        switch self {
        case .words:
            ValueWords.words(of: value).enumerated().map { index, word in
                (index < 9 ? " " : "") + "\(index + 1)  \(word)\n"
            }.joined()
        case .hex: ValueHex.text(of: value) + "\n"
        case .colours, .mono, .eink: picture(of: value)?.terminal(hasColour: hasColour) ?? ""
        }
    }
}
