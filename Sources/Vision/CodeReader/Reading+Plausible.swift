extension Reading {
    /// Code 39 has no check, and Code 93's are as short as its text: what is shorter than this is mostly clutter.
    static let minimumUnchecked = 3

    /// Whether it may be more than clutter that happens to look like bars.
    var isPlausible: Bool {
        switch symbology {
        case .code39, .code93: value.count >= Self.minimumUnchecked
        case .qr, .dataMatrix, .code128: true
        }
    }
}

extension Reading {
    /// Whether it goes on where the other one ends: zbar sometimes reads a code only in part.
    func extends(_ other: Reading) -> Bool {
        value.count > other.value.count && value.starts(with: other.value)
    }
}

extension [Reading] {
    /// Without linear codes that are the beginning of another one.
    var withoutFragments: [Reading] {
        filter { reading in
            !Symbology.linear.contains(reading.symbology)
                || !contains {
                    $0.symbology == reading.symbology && $0.extends(reading)
                }
        }
    }
}
