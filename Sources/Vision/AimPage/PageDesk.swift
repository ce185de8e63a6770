import Synchronization

/// What viewers get next.
public struct PageView: Sendable {
    /// A JSON object, in ASCII.
    public var state: String
    /// A JPEG file; empty when there is no picture.
    public var picture: [UInt8]

    /// What viewers get until there is something newer.
    public init(state: String, picture: [UInt8]) {
        self.state = state
        self.picture = picture
    }
}

/// Decides what a question for the page is answered with. Knows nothing of sockets.
final class PageDesk: Sendable {
    struct Answer {
        var status: UInt32 = 200
        var type: String
        var body: [UInt8]
        /// The header `Aim-State`.
        var state: String?

        static func text(_ status: UInt32, _ text: String) -> Answer {
            Answer(status: status, type: "text/plain; charset=utf-8", body: Array("\(text)\n".utf8))
        }
    }

    private struct State {
        var view: PageView?
        var viewers = Viewers()
    }

    /// 32 hexadecimal digits: who does not know them gets nothing.
    let token: String
    private let state = Mutex(State())

    init() {
        // 128 bits from the kernel.
        var random = SystemRandomNumberGenerator()
        token = (0..<2).map { _ in
            let digits = String(random.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    var hasViewers: Bool { state.withLock { $0.viewers.anyone(at: .now) } }

    func show(_ view: PageView) { state.withLock { $0.view = view } }

    /// - Parameters:
    ///   - path: without the query.
    ///   - viewer: the name that the page goes by, if it said one.
    func answer(method: String, path: String, viewer: String?) -> Answer {
        guard method == "GET" else { return .text(405, "only GET is answered here") }
        guard let name = nameBehindToken(path) else { return .text(404, "not found") }
        switch name {
        case "": return Answer(type: "text/html; charset=utf-8", body: Array(PageText.html.utf8))
        case "page.css": return Answer(type: "text/css; charset=utf-8", body: Array(PageText.css.utf8))
        case "page.js": return Answer(type: "text/javascript; charset=utf-8", body: Array(PageText.script.utf8))
        case "frame": return frame(viewer)
        default: return .text(404, "not found")
        }
    }

    private func frame(_ viewer: String?) -> Answer {
        guard let viewer, Viewers.isName(viewer) else { return .text(400, "frame?v=NAME, 8 to 16 of 0-9 and a-z") }
        let (isIn, view) = state.withLock { state in
            (state.viewers.admit(viewer, at: .now), state.view)
        }
        guard isIn else { return .text(503, "\(Viewers.most) others are looking already") }
        guard let view else { return Answer(status: 200, type: "image/jpeg", body: [], state: "{}") }
        return Answer(status: 200, type: "image/jpeg", body: view.picture, state: view.state)
    }

    /// What comes after `/token/`; takes as long for a wrong token as for the right one.
    private func nameBehindToken(_ path: String) -> String? {
        let bytes = Array(path.utf8)
        let start = Array("/\(token)/".utf8)
        guard bytes.count >= start.count else { return nil }
        var difference: UInt8 = 0
        for (index, byte) in start.enumerated() { difference |= bytes[index] ^ byte }
        return difference == 0 ? String(decoding: bytes[start.count...], as: UTF8.self) : nil
    }
}
