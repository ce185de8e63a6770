extension String {
    /// With a space for each control character (C0, DEL, C1), so that text from elsewhere neither steers a terminal nor
    /// begins a line of its own.
    public var withoutControls: String {
        guard utf8.contains(where: { $0 < 0x20 || $0 >= 0x7F }) else { return self }
        var scalars = UnicodeScalarView()
        for scalar in unicodeScalars {
            scalars.append(scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) ? " " : scalar)
        }
        return String(scalars)
    }
}

extension String {
    /// Printable ASCII of the first bytes of a text from elsewhere, with a space for any white space, "?" for other bytes.
    public init(printable bytes: some Sequence<UInt8>, atMost limit: Int) {
        self.init(
            decoding: bytes.prefix(limit).map { byte in
                switch byte {
                case 0x09...0x0D: 0x20
                case 0x20...0x7E: byte
                default: UInt8(ascii: "?")
                }
            }, as: UTF8.self)
    }
}
