/// Any camera that works: a camera module where its program is there, then what the kernel has. What has failed is tried
/// again only after the others.
struct AutomaticCamera {
    private enum Candidate: Hashable {
        case module
        case device(String)
    }

    /// Those that have failed, the last one last.
    private var failed: [Candidate] = []
    /// The one that is open.
    private var current: Candidate?

    /// Opens the first that can be opened.
    ///
    /// - Throws: ``CameraError``: what says most of why none could.
    mutating func open(width: Int, height: Int) throws(CameraError) -> any FrameSource {
        var problems: [CameraError] = []
        for candidate in candidates {
            do throws(CameraError) {
                let source: any FrameSource =
                    switch candidate {
                    case .module: try RPiCamera(width: width, height: height)
                    case .device(let path): try V4L2Camera(path: path, width: width, height: height)
                    }
                current = candidate
                return source
            } catch {
                problems.append(error)
            }
        }
        throw Self.telling(problems)
    }

    /// Notes that the one that is open gives frames.
    mutating func works() {
        guard !failed.isEmpty, let current else { return }
        failed.removeAll { $0 == current }
    }

    /// Notes that the one that was open gives none.
    mutating func fails() {
        guard let current else { return }
        failed.removeAll { $0 == current }
        failed.append(current)
        self.current = nil
    }

    private var candidates: [Candidate] {
        let all = (RPiCamera.isPossible ? [.module] : []) + CameraFinder.candidates().map { Candidate.device($0) }
        return all.filter { !failed.contains($0) } + failed.filter { all.contains($0) }
    }

    /// A camera that is there and does not work says more than one that cannot be read, and that more than none.
    private static func telling(_ problems: [CameraError]) -> CameraError {
        func rank(_ problem: CameraError) -> Int {
            switch problem {
            case .noUsableFormat: 1
            case .notACamera, .absent: 2
            default: 0
            }
        }
        guard let best = problems.min(by: { rank($0) < rank($1) }), rank(best) < 2 else {
            return .absent(CameraFinder.anyCamera)
        }
        return best
    }
}
