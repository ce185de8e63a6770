import Geometry

/// Grey levels at places in a picture as if its symbols were dark on light, whichever they are.
struct SymbolSampler {
    let grey: GreySampler
    /// Light symbols are read as if they were dark.
    var isInverted = false

    init(_ grey: GreySampler) { self.grey = grey }

    /// From 0 to 255.
    @inline(__always)
    func level(_ place: Place) -> Float {
        let level = grey(place)
        return isInverted ? 255 - level : level
    }

    /// The same at four places.
    @inline(__always)
    func levels(x: SIMD4<Float>, y: SIMD4<Float>) -> SIMD4<Float> {
        let levels = grey(x: x, y: y)
        return isInverted ? 255 - levels : levels
    }
}
