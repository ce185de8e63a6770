import Program

/// What is known of this board with this system and an eye: hardware/support.toml, as in the tables of README.md and
/// hardware/boxes.md. The table itself is `SupportMatrix`, made from that file by hardware/support.
public struct SupportCheck: Sendable {
    /// An eye as the file tells eyes apart.
    public enum Eye: String, Sendable, CaseIterable {
        case usbCamera = "usb-camera"
        /// A camera module with a lens that stays as it is.
        case fixedModule = "module-fixed"
        /// A camera module that focuses.
        case focusingModule = "module-focus"
        case usbReader = "pn532-usb"
        case serialReader = "pn532-serial"
        case i2cReader = "pn532-i2c"
    }

    struct Board: Sendable {
        let id: String
        let name: String
        /// How the model in the device tree begins; empty: of a machine without a device tree.
        let models: [String]
    }

    struct System: Sendable {
        let id: String
        let name: String
        /// A file that only this system has; `nil`: what has none of the others'.
        let mark: String?
    }

    struct Cell: Sendable {
        let board: String
        let system: String
        let eye: String
        /// works, with, no
        let state: String
        let how: String?
    }

    private let root: FakeableRoot

    /// Looks below a root: "/" for the machine itself.
    public init(_ root: FakeableRoot) {
        self.root = root
    }

    private var board: Board? {
        guard let model = root.text("/proc/device-tree/model") else {
            return SupportMatrix.boards.first { $0.models.isEmpty }
        }
        // The longest name that fits: "Raspberry Pi 3 Model B" is another than "… B Plus".
        return SupportMatrix.boards.flatMap { board in board.models.map { (board, $0) } }
            .filter { model.hasPrefix($0.1) }.max { $0.1.count < $1.1.count }?.0
    }

    private var system: System? {
        SupportMatrix.systems.first { system in system.mark.map { root.exists($0) } ?? false }
            ?? SupportMatrix.systems.first { $0.mark == nil }
    }

    /// What is known of an eye here.
    public func finding(_ eye: Eye) -> Finding {
        let name = "supported"
        guard let board, let system else {
            return Finding(name, .skipped, "nothing is known of this model (hardware/support.toml)")
        }
        guard
            let cell = SupportMatrix.cells.first(where: {
                $0.board == board.id && $0.system == system.id && $0.eye == eye.rawValue
            })
        else { return Finding(name, .skipped, "nothing is known of \(board.name) with \(system.name)") }
        let what = "\(SupportMatrix.eyes[eye.rawValue] ?? eye.rawValue) on \(board.name), \(system.name)"
        return switch cell.state {
        case "works": Finding(name, .ok, what)
        case "with": Finding(name, .ok, "\(what): with \(cell.how ?? "")")
        default:
            Finding(
                name, .warning, "\(what): no, \(cell.how ?? "")",
                remedy: "see hardware/boxes.md, \"What works where\", for what does")
        }
    }
}
