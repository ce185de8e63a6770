/// Names that need no quoting anywhere: of actions, values and zones.
public enum PlainName {
    /// Whether something can be named so: 1 to 64 letters, digits, and `.`, `_`, `-`.
    public static func isValid(_ text: some StringProtocol) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || ".-_".utf8.contains(byte)
            }
    }
}
