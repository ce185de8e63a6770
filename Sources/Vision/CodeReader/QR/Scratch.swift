/// Memory that is kept from frame to frame; grows to the largest size that was asked for.
final class Scratch<Element: BitwiseCopyable> {
    private(set) var base: UnsafeMutablePointer<Element>
    private var capacity: Int
    private let filler: Element

    init(_ filler: Element) {
        self.filler = filler
        capacity = 64
        base = .allocate(capacity: 64)
        base.initialize(repeating: filler, count: 64)
    }

    deinit {
        base.deallocate()
    }

    /// At least `count` elements; their values are whatever was there.
    func atLeast(_ count: Int) -> UnsafeMutablePointer<Element> {
        if count > capacity {
            base.deallocate()
            capacity = count
            base = .allocate(capacity: count)
            base.initialize(repeating: filler, count: count)
        }
        return base
    }
}
