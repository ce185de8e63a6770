/// Memory that is kept from frame to frame; grows to the largest size that was asked for.
package final class Scratch<Element: BitwiseCopyable> {
    /// The first element; another one after each ``atLeast(_:)`` that asks for more than there was.
    package private(set) var base: UnsafeMutablePointer<Element>
    private var capacity: Int
    private let filler: Element
    private static var initialCapacity: Int { 64 }

    /// - Parameter filler: what new memory is filled with.
    package init(_ filler: Element) {
        self.filler = filler
        capacity = Self.initialCapacity
        base = .allocate(capacity: capacity)
        base.initialize(repeating: filler, count: capacity)
    }

    deinit {
        base.deallocate()
    }

    /// At least `count` elements; their values are whatever was there.
    package func atLeast(_ count: Int) -> UnsafeMutablePointer<Element> {
        if count > capacity {
            base.deallocate()
            capacity = count
            base = .allocate(capacity: count)
            base.initialize(repeating: filler, count: count)
        }
        return base
    }
}
