import Luma

/// A part of a frame, in its whole pixels; what is at `right` and `bottom` does not belong to it.
public struct PixelBox: Sendable, Hashable {
    /// In pixels from the left and from the top.
    public var left, top, right, bottom: Int

    /// - Parameters: in pixels from the left and from the top.
    public init(left: Int, top: Int, right: Int, bottom: Int) {
        (self.left, self.top, self.right, self.bottom) = (left, top, right, bottom)
    }

    /// Whether no pixel lies in it.
    public var isEmpty: Bool { left >= right || top >= bottom }
    /// How many pixels lie in it.
    public var area: Int { isEmpty ? 0 : (right - left) * (bottom - top) }
    /// Where it begins.
    public var low: Place { Place(corner: left, top) }
    /// Where it ends.
    public var high: Place { Place(corner: right, bottom) }

    /// The smallest that holds both.
    public func joined(_ other: PixelBox) -> PixelBox {
        PixelBox(
            left: min(left, other.left), top: min(top, other.top), right: max(right, other.right),
            bottom: max(bottom, other.bottom))
    }

    /// With a margin, as far as it lies in another one.
    public func grown(by margin: Int, in other: PixelBox) -> PixelBox {
        PixelBox(
            left: max(left - margin, other.left), top: max(top - margin, other.top),
            right: min(right + margin, other.right), bottom: min(bottom + margin, other.bottom))
    }
}

extension LumaPlane {
    /// A box that lies in it and is not empty.
    public func cut(_ box: PixelBox) -> LumaPlane {
        LumaPlane(
            base: base + box.top * stride + box.left, width: box.right - box.left, height: box.bottom - box.top,
            stride: stride)
    }

    /// The part between two places, as far as it lies in the picture, and where it begins; `nil` when it is too small for
    /// a symbol.
    public func part(from low: Place, to high: Place) -> (plane: LumaPlane, origin: Place)? {
        func inside(_ value: Float, _ most: Int) -> Int { value > 0 ? (value < Float(most) ? Int(value) : most) : 0 }
        // Where blocks and the pixels of smaller copies begin in the whole, too: then what was found is found again.
        let (left, top) = (inside(low.x, width) & ~7, inside(low.y, height) & ~7)
        let box = PixelBox(left: left, top: top, right: inside(high.x, width), bottom: inside(high.y, height))
        guard min(box.right - left, box.bottom - top) >= Pyramid.smallestSide else { return nil }
        return (cut(box), box.low)
    }

    /// The grey level of the pixel that covers a place; `nil` beside the picture.
    public func level(at place: Place) -> UInt8? {
        guard place.x >= 0, place.y >= 0, place.x < Float(width), place.y < Float(height) else { return nil }
        return base[Int(place.y) * stride + Int(place.x)]
    }
}
