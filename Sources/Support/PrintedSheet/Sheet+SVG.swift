import Linux

extension Sheet {
    /// As SVG 1.1; one unit is a millimetre.
    public var svg: String {
        let (width, height) = (plain(paper.size.width), plain(paper.size.height))
        var path = ""
        var words = ""
        for item in items {
            switch item {
            case .box(let x, let y, let width, let height):
                path += "M\(plain(x)) \(plain(y))h\(plain(width))v\(plain(height))h\(plain(-width))z"
            case .text(let x, let y, let size, let isBold, let text):
                words +=
                    "<text x=\"\(plain(x))\" y=\"\(plain(y))\" font-size=\"\(plain(size))\""
                    + (isBold ? " font-weight=\"bold\"" : "") + ">\(text.escapedForMarkup)</text>\n"
            }
        }
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <svg xmlns="http://www.w3.org/2000/svg" width="\(width)mm" height="\(height)mm" viewBox="0 0 \(width) \(height)">
            <title>\(title.escapedForMarkup)</title>
            <rect width="100%" height="100%" fill="#fff"/>
            <path shape-rendering="crispEdges" d="\(path)"/>
            <g font-family="Helvetica, Arial, sans-serif">
            \(words)</g>
            </svg>

            """
    }
}
