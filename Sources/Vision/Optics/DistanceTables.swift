/// The tables of distances in the documents, in Markdown.
public enum DistanceTables {
    /// Edges of a code's dark part, in millimetres.
    public static let edges: [Double] = [15, 20, 30, 50, 80]
    private static let needs = [2.5, 3, 4]

    /// For `hardware/mounting.md`, between its two comments.
    public static var markdown: String {
        [
            distances(1280, 720), distances(1920, 1080), bySize, byNeed,
        ].joined(separator: "\n\n")
    }

    private static func table(_ title: String, _ head: [String], _ rows: [[String]]) -> String {
        let lines = [head, head.map { _ in "---" }] + rows
        return "**\(title)**\n\n" + lines.map { "| \($0.joined(separator: " | ")) |" }.joined(separator: "\n")
    }

    private static func distances(_ width: Int, _ height: Int) -> String {
        table(
            "\(width) × \(height), 3 pixels a module: nearest – farthest distance in cm",
            ["`--camera`", "camera", "angle"] + edges.map { "\(Measure.short($0)) mm" },
            CameraModel.all.map { camera in
                let view = View(camera, width: width, height: height)
                return ["`\(camera.id)`", camera.name, "\(Measure.whole(view.horizontalAngle))°"]
                    + edges.map { Measure.centimetres(view.readable(edge: $0)) }
            })
    }

    private static var bySize: String {
        table(
            "A code of 30 mm, by the size that is asked for: angle, nearest – farthest distance in cm",
            ["camera"] + View.sizes.map { "\($0.0) × \($0.1)" },
            CameraModel.all.map { camera in
                [camera.name]
                    + View.sizes.map { size in
                        let view = View(camera, width: size.0, height: size.1)
                        return
                            "\(Measure.whole(view.horizontalAngle))°, \(Measure.centimetres(view.readable(edge: 30)))"
                    }
            })
    }

    private static var byNeed: String {
        table(
            "A code of 30 mm, 1280 × 720: farthest distance in cm by the pixels a module gets, whatever the focus",
            ["camera"] + needs.map { "\(Measure.short($0)) pixels" },
            CameraModel.all.filter { !["v2-turned", "v3-layer"].contains($0.id) }.map { camera in
                [camera.name]
                    + needs.map {
                        Measure.centimetres(View(camera, width: 1280, height: 720).farthest(edge: 30, pixels: $0))
                    }
            })
    }
}
