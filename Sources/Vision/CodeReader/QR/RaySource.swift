import Geometry

/// Which copy of the picture rays are cast in.
enum RaySource {
    /// The one in which modules have 1.5 to 3 pixels: coarser than for reading, because it means away noise.
    case pyramid(Pyramid)
    /// Always the same.
    case one(GreySampler)

    func sampler(module: Float) -> GreySampler? {
        switch self {
        case .pyramid(let pyramid): pyramid.sampler(module: 2 * module)
        case .one(let sampler): sampler
        }
    }
}
