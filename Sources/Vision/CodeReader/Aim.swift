import Geometry

/// Where a QR code seems to be and how well it can be seen, read or not: for showing people where to hold it, and for
/// setting the camera.
public struct Aim: Sendable, Hashable {
    /// Four corners in a walk around the symbol; of a place where only some finder patterns are seen, of the box around
    /// these. In pixels of the frame; a corner may lie outside of it.
    public let corners: [Place]
    /// Size of a module, in pixels of the frame.
    public let module: Float
    /// Whether all three finder patterns and the timing patterns are where a symbol has them.
    public let isSymbol: Bool
    /// Whether it was read in this frame.
    public var wasRead = false
    /// How much of the contrast is left between single modules: 1 when sharp, 0 when the blur is wider than two modules;
    /// `nil` where only finder patterns are seen.
    public let sharpness: Float?
    /// Grey levels of the dark and the light modules, from 0 to 255, on average.
    public let dark: Float
    /// Grey level of the light modules, from 0 to 255, on average.
    public let light: Float

    /// Grey levels between dark and light modules.
    public var contrast: Float { light - dark }
}
