import Geometry

/// Places where a symbol was found that could not be read, frame after frame: what is seen once in passing is mostly clutter.
struct UnreadCodes {
    private struct Doubt {
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
    private static let maximumDoubts = 16

    private var doubts: [Doubt] = []

    /// - Parameter frame: the present one.
    func aims(in frame: Int) -> [Aim] {
        doubts.filter { $0.count >= Self.least && frame - $0.lastFound <= Self.second }.map(\.aim)
    }

    /// A place that is to be looked at again in a frame.
    mutating func due(in frame: Int) -> Aim? {
        doubts.removeAll { $0.misses > Self.patience }
        guard let index = doubts.indices.min(by: { doubts[$0].lastTry < doubts[$1].lastTry }),
            frame - doubts[index].lastTry >= Self.again
        else { return nil }
        doubts[index].lastTry = frame
        doubts[index].misses += 1
        return doubts[index].aim
    }

    /// Something was found and not read.
    mutating func found(_ aim: Aim, frame: Int) {
        guard let index = doubts.firstIndex(where: { $0.aim.isPlace(of: aim.corners) }) else {
            if doubts.count < Self.maximumDoubts { doubts.append(Doubt(aim: aim, lastTry: frame, lastFound: frame)) }
            return
        }
        if doubts[index].lastFound != frame { doubts[index].count += 1 }
        (doubts[index].aim, doubts[index].lastFound, doubts[index].misses) = (aim, frame, 0)
    }

    /// Something was read: there is nothing unread in its place.
    mutating func read(_ corners: [Place]) { doubts.removeAll { $0.aim.isPlace(of: corners) } }
}

extension Aim {
    /// Whether the middle of other corners lies in it.
    fileprivate func isPlace(of others: [Place]) -> Bool {
        !others.isEmpty && ConvexArea(corners: corners).contains(others.middle)
    }
}
