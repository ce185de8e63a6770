/// The letters for displays of few pixels: lower-case letters, digits and some signs, drawn for this project.
///
/// A letter is 1 to 5 pixels wide and at most 9 high: 7 above the base line, 2 below. None has an empty column in it, so that
/// one empty column between two letters tells them apart.
package enum Typeface {
    /// Rows of a letter, the two below the base line included.
    package static let height = 9
    /// Empty columns between two letters, and those of a space, which has one on either side, too.
    static let (gap, space) = (1, 2)

    /// A letter's columns from the left, each with a bit for each row, the lowest bit at the top.
    static func columns(of letter: Character) -> [UInt16] {
        letters[letter] ?? letter.lowercased().first.flatMap { letters[$0] } ?? unknown
    }

    /// Width of a text in pixels.
    static func width(of text: String) -> Int {
        text.reduce(0) { $0 + ($1 == " " ? space : columns(of: $1).count) + gap } - (text.isEmpty ? 0 : gap)
    }

    /// Calls with the place of each dark pixel of a text, from its upper left corner.
    static func draw(_ text: String, _ dot: (_ x: Int, _ y: Int) -> Void) {
        var x = 0
        for letter in text {
            guard letter != " " else {
                x += space + gap
                continue
            }
            for column in columns(of: letter) {
                for y in 0..<height where column >> y & 1 == 1 { dot(x, y) }
                x += 1
            }
            x += gap
        }
    }

    private static let unknown: [UInt16] = [0x7F, 0x41, 0x7F]
    /// All letters that are drawn, but the space.
    package static let letters: [Character: [UInt16]] = drawings.mapValues(columns)

    private static func columns(_ drawing: String) -> [UInt16] {
        let rows = drawing.split(separator: "/").map(Array.init)
        return (0..<(rows.first?.count ?? 0)).map { x in
            rows.enumerated().reduce(0) { $0 | ($1.element[x] == "#" ? 1 << UInt16($1.offset) : 0) }
        }
    }

    /// Rows from the top; below the base line only where there is something.
    private static let drawings: [Character: String] = [
        "a": "..../..../.##./...#/.###/#..#/.###",
        "b": "#.../#.../###./#..#/#..#/#..#/###.",
        "c": ".../.../.##/#../#../#../.##",
        "d": "...#/...#/.###/#..#/#..#/#..#/.###",
        "e": "..../..../.##./#..#/####/#.../.###",
        "f": ".##/.#./###/.#./.#./.#./.#.",
        "g": "..../..../.###/#..#/#..#/#..#/.###/...#/.##.",
        "h": "#.../#.../###./#..#/#..#/#..#/#..#",
        "i": "#/./#/#/#/#/#",
        "j": "..#/.../..#/..#/..#/..#/..#/#.#/.#.",
        "k": "#.../#.../#..#/#.#./##../#.#./#..#",
        "l": "#./#./#./#./#./#./.#",
        "m": "...../...../##.#./#.#.#/#.#.#/#.#.#/#.#.#",
        "n": "..../..../###./#..#/#..#/#..#/#..#",
        "o": "..../..../.##./#..#/#..#/#..#/.##.",
        "p": "..../..../###./#..#/#..#/#..#/###./#.../#...",
        "q": "..../..../.###/#..#/#..#/#..#/.###/...#/...#",
        "r": ".../.../#.#/##./#../#../#..",
        "s": "..../..../.###/#.../.##./...#/###.",
        "t": ".#./.#./###/.#./.#./.#./.##",
        "u": "..../..../#..#/#..#/#..#/#..#/.###",
        "v": "...../...../#...#/#...#/.#.#./.#.#./..#..",
        "w": "...../...../#...#/#.#.#/#.#.#/#.#.#/.#.#.",
        "x": "...../...../#...#/.#.#./..#../.#.#./#...#",
        "y": "..../..../#..#/#..#/#..#/#..#/.###/...#/.##.",
        "z": "..../..../####/...#/.##./#.../####",
        "0": ".##./#..#/#.##/##.#/#..#/#..#/.##.",
        "1": ".#./##./.#./.#./.#./.#./###",
        "2": ".##./#..#/...#/..#./.#../#.../####",
        "3": "###./...#/...#/.##./...#/...#/###.",
        "4": "#..#/#..#/#..#/####/...#/...#/...#",
        "5": "####/#.../###./...#/...#/#..#/.##.",
        "6": ".##./#.../#.../###./#..#/#..#/.##.",
        "7": "####/...#/..#./..#./.#../.#../.#..",
        "8": ".##./#..#/#..#/.##./#..#/#..#/.##.",
        "9": ".##./#..#/#..#/.###/...#/...#/.##.",
        "-": ".../.../.../.../###",
        ".": "././././././#",
        ":": "././#/./././#",
        "/": "..#/..#/.#./.#./.#./#../#..",
        "?": "##./..#/..#/.#./.#./.../.#.",
    ]
}
