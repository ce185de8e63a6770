/// Places where a symbol was found that could not be read, frame after frame: what is seen once in passing is mostly clutter.
struct UnreadCodes {
    private struct Place {
        var aim: Aim
        var lastTry: Int
        var lastFound: Int
        /// In how many frames it was found, and how often in vain since.
        var count = 1
        var misses = 0
    }

    /// What was found is looked for again after so many frames; it counts when it was found so many times, and is forgotten
    /// when it was not there so many times.
    private static let (again, least, patience) = (8, 4, 3)
    /// What was not found in so many frames counts no longer.
    private static let second = 30
    private static let mostPlaces = 16

    private var places: [Place] = []

    /// - Parameter frame: the present one.
    func aims(in frame: Int) -> [Aim] {
        places.filter { $0.count >= Self.least && frame - $0.lastFound <= Self.second }.map(\.aim)
    }

    /// A place that is to be looked at again in a frame.
    mutating func due(in frame: Int) -> Aim? {
        places.removeAll { $0.misses > Self.patience }
        guard let index = places.indices.min(by: { places[$0].lastTry < places[$1].lastTry }),
            frame - places[index].lastTry >= Self.again
        else { return nil }
        places[index].lastTry = frame
        places[index].misses += 1
        return places[index].aim
    }

    /// Something was found and not read.
    mutating func found(_ aim: Aim, frame: Int) {
        guard let index = places.firstIndex(where: { $0.aim.isPlace(of: aim.corners) }) else {
            if places.count < Self.mostPlaces { places.append(Place(aim: aim, lastTry: frame, lastFound: frame)) }
            return
        }
        if places[index].lastFound != frame { places[index].count += 1 }
        (places[index].aim, places[index].lastFound, places[index].misses) = (aim, frame, 0)
    }

    /// Something was read: there is nothing unread in its place.
    mutating func read(_ corners: [Reading.Point]) { places.removeAll { $0.aim.isPlace(of: corners) } }
}

extension Aim {
    /// Whether the middle of other corners lies in it.
    fileprivate func isPlace(of others: [Reading.Point]) -> Bool {
        guard !others.isEmpty else { return false }
        func places(_ points: [Reading.Point]) -> [Place] { points.map { Place(Float($0.x), Float($0.y)) } }
        return SymbolArea(corners: places(corners)).contains(places(others).reduce(.zero, +) / Float(others.count))
    }
}
