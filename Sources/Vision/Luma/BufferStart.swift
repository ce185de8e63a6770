// Rows are found by adding to where a picture begins; a picture without pixels has no rows, so nobody asks.

extension UnsafeBufferPointer {
    /// The first element's address; the buffer must not be empty.
    public var start: UnsafePointer<Element> {
        guard let baseAddress else { preconditionFailure("an empty buffer has no start") }
        return baseAddress
    }
}

extension UnsafeMutableBufferPointer {
    /// The first element's address; the buffer must not be empty.
    public var start: UnsafeMutablePointer<Element> {
        guard let baseAddress else { preconditionFailure("an empty buffer has no start") }
        return baseAddress
    }
}
