import Geometry
import Luma

/// Where what a stream shows has changed of late: by some pixels spread over the frame, against those of a second before.
///
/// The frame has square cells; of each the last frame is known in which it changed.
struct SceneChange {
    /// Every nth pixel of every nth row.
    private static let step = 8
    /// Of a cell, in pixels.
    static let cell = 64
    /// A change is so many of a cell's pixels by so many grey levels: a small code that appears is more, noise is less.
    private static let (minimumPixels, minimumLevels) = (3, 24)
    /// It is looked for in every nth frame, and against pixels that are at most so many frames old.
    private static let (period, age) = (4, 32)

    private var pixels: [UInt8] = []
    private var (width, height) = (0, 0)
    private var taken = 0
    private var (columns, rows) = (0, 0)
    /// For each cell the last frame in which a change was seen.
    private var changed: [Int] = []

    /// - Parameters:
    ///   - grounds: of QR codes that are read: nothing changes there for as long, and what is there afterwards is compared
    ///     with what was there before.
    mutating func look(at plane: LumaPlane, frame: Int, without grounds: [[Place]]) {
        guard plane.width == width, plane.height == height else { return begin(plane, frame) }
        guard frame % Self.period == 0 else { return }
        let areas = grounds.map { ConvexArea(corners: $0) }
        // Light that changes slowly is no change.
        let isOld = frame - taken > Self.age
        if isOld { taken = frame }
        for row in 0..<rows {
            for column in 0..<columns { look(at: plane, column, row, frame, areas, isOld) }
        }
    }

    private mutating func look(
        at plane: LumaPlane, _ column: Int, _ row: Int, _ frame: Int, _ areas: [ConvexArea], _ isOld: Bool
    ) {
        let (left, top, right, bottom) = (
            column * Self.cell, row * Self.cell, min((column + 1) * Self.cell, width),
            min((row + 1) * Self.cell, height)
        )
        let line = (width + Self.step - 1) / Self.step
        let near = areas.filter {
            $0.low.x < Float(right) && $0.low.y < Float(bottom) && $0.high.x >= Float(left) && $0.high.y >= Float(top)
        }
        var differences = 0
        for y in Swift.stride(from: top, to: bottom, by: Self.step) {
            let values = plane.base + y * plane.stride
            for x in Swift.stride(from: left, to: right, by: Self.step) {
                let index = y / Self.step * line + x / Self.step
                guard abs(Int(values[x]) - Int(pixels[index])) >= Self.minimumLevels else { continue }
                if !near.contains(where: { $0.contains(Place(pixel: x, y)) }) { differences += 1 }
            }
        }
        let isChange = differences >= Self.minimumPixels
        if isChange { changed[row * columns + column] = frame }
        guard isChange || isOld else { return }
        for y in Swift.stride(from: top, to: bottom, by: Self.step) {
            let values = plane.base + y * plane.stride
            for x in Swift.stride(from: left, to: right, by: Self.step)
            where !near.contains(where: { $0.contains(Place(pixel: x, y)) }) {
                pixels[y / Self.step * line + x / Self.step] = values[x]
            }
        }
    }

    private mutating func begin(_ plane: LumaPlane, _ frame: Int) {
        (width, height, taken) = (plane.width, plane.height, frame)
        (columns, rows) = ((width + Self.cell - 1) / Self.cell, (height + Self.cell - 1) / Self.cell)
        changed = [Int](repeating: frame, count: columns * rows)
        pixels.removeAll(keepingCapacity: true)
        for y in Swift.stride(from: 0, to: height, by: Self.step) {
            let row = plane.base + y * plane.stride
            for x in Swift.stride(from: 0, to: width, by: Self.step) { pixels.append(row[x]) }
        }
    }

    /// The box around what has changed in a frame or later, and a cell more on each side.
    func box(since frame: Int) -> PixelBox? {
        let whole = PixelBox(left: 0, top: 0, right: width, bottom: height)
        return box(in: whole, since: frame)?.grown(by: Self.cell, in: whole)
    }

    /// The box around the cells of an area that have changed in a frame or later; `nil` when none has.
    func box(in area: PixelBox, since frame: Int) -> PixelBox? {
        var box: PixelBox?
        for row in area.top / Self.cell..<min((area.bottom + Self.cell - 1) / Self.cell, rows) {
            for column in area.left / Self.cell..<min((area.right + Self.cell - 1) / Self.cell, columns)
            where changed[row * columns + column] >= frame {
                let cell = PixelBox(
                    left: column * Self.cell, top: row * Self.cell, right: (column + 1) * Self.cell,
                    bottom: (row + 1) * Self.cell)
                box = box.map { $0.joined(cell) } ?? cell
            }
        }
        return box
    }
}
