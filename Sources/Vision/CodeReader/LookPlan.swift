import Geometry

/// Which part of a stream's frames is looked at next for codes that are no QR codes.
///
/// Where something has changed it is looked twice, soon, and no farther about the change than a code reaches; what does not
/// change is looked at again now and then.
struct LookPlan {
    /// One piece of work.
    struct Piece {
        enum Kind: Hashable {
            case dataMatrix(level: Int, isOnly: Bool)
            /// Symbols that may reach beyond a part, in the frame as it is.
            case largeDataMatrix
            case bars, uprightBars
        }

        let kind: Kind
        /// What it covers of the frame.
        let area: PixelBox
        /// For Data Matrix: where looking goes on when the work has not lasted for all.
        var next: Int?
        /// When it was looked at last, and last as a whole.
        fileprivate var last = 0
        fileprivate var lastWhole = 0
        /// The last frames at the end of which all that had changed before had been looked at.
        fileprivate var done: (last: Int, before: Int) = (0, 0)

        init(_ kind: Kind, _ area: PixelBox) {
            self.kind = kind
            self.area = area
        }

        /// How far about a change a code may reach that the change shows only in part.
        fileprivate var margin: Int {
            switch kind {
            case .dataMatrix(let level, _): SceneChange.cell << level
            // All of a symbol changes that appears.
            case .largeDataMatrix: 2 * SceneChange.cell
            case .bars, .uprightBars: 2 * SceneChange.cell
            }
        }
    }

    /// Beside a QR code all that has changed has been looked at within so many frames.
    private static let patience = 24
    /// What has been looked at once since it changed is looked at again, a piece in every nth frame.
    private static let second = 6
    /// A piece of what does not change is looked at again in every nth frame: beside a QR code; there, while other
    /// parts change; and where no QR code is read.
    private static let (again, againInHurry, againAlone) = (16, 32, 4)
    /// Where none is read, of so many pieces one is of that kind while other parts change.
    private static let share = 3

    private(set) var pieces: [Piece]
    private var lastLook = 0
    private var lastWhole = 0
    private var number = 0
    /// So many pieces at once were urgent since none was.
    private var mostUrgent = 0

    init(_ pieces: [Piece]) {
        self.pieces = pieces
    }

    /// The next piece, and what of it is to be looked at; `nil`: nothing in this frame.
    ///
    /// - Parameters:
    ///   - isBeside: a QR code is read, and everything else can wait a little.
    mutating func next(in frame: Int, _ change: SceneChange, isBeside: Bool) -> (index: Int, box: PixelBox)? {
        var owed = self.owed(change, twice: true)
        // What has not been looked at since it changed comes before what has been once.
        let urgent = owed.isEmpty ? [] : self.owed(change, twice: false)
        if !urgent.isEmpty { owed = urgent }
        // The pace is kept when few are left: the last would wait as long as all before it.
        mostUrgent = urgent.isEmpty ? 0 : max(mostUrgent, urgent.count)
        let wait = urgent.isEmpty ? Self.second : max(2, Self.patience / mostUrgent)
        number &+= 1
        let isWholeDue =
            isBeside
            ? frame - lastWhole >= (owed.isEmpty ? Self.again : Self.againInHurry)
            : owed.isEmpty ? frame - lastLook >= Self.againAlone : number % Self.share == 0
        let chosen: (index: Int, box: PixelBox)?
        if isWholeDue {
            chosen = pieces.indices.min { pieces[$0].lastWhole < pieces[$1].lastWhole }.map { ($0, pieces[$0].area) }
        } else if !isBeside || frame - lastLook >= wait {
            chosen = owed.min { pieces[$0.index].last < pieces[$1.index].last }
        } else {
            chosen = nil
        }
        guard let chosen else { return nil }
        let isWhole = chosen.box == pieces[chosen.index].area
        if isWhole {
            pieces[chosen.index].lastWhole = frame
            lastWhole = frame
        }
        (lastLook, pieces[chosen.index].last) = (frame, frame)
        return chosen
    }

    /// The pieces in which something has changed since they were done, and where.
    private func owed(_ change: SceneChange, twice: Bool) -> [(index: Int, box: PixelBox)] {
        pieces.indices.compactMap { index in
            let piece = pieces[index]
            return change.box(in: piece.area, since: twice ? piece.done.before : piece.done.last).map {
                (index, $0.grown(by: piece.margin, in: piece.area))
            }
        }
    }

    /// What was to be looked at has been.
    ///
    /// - Parameter next: where it goes on, when that was not all.
    mutating func looked(_ index: Int, in frame: Int, next: Int? = nil) {
        pieces[index].next = next
        if next == nil { pieces[index].done = (frame, pieces[index].done.last) }
    }
}
