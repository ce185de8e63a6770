/// Where pictures come from, as configured.
public enum CameraAddress: Sendable, Hashable, CustomStringConvertible {
    case automatic
    /// A camera module on a Raspberry Pi's ribbon cable, through the program rpicam-vid.
    case module
    case device(String)
    /// A name under /dev/v4l/by-id or /dev/v4l/by-path: stable over reboots and plugging order.
    case stable(String)
    case usb(vendor: UInt16, product: UInt16)
    case folder(String)
    case recording(String)
    case fifo(String)

    /// How it may be written, for messages.
    public static let forms =
        "auto, rpicam, /dev/video0, by-id:NAME, usb:VVVV:PPPP, folder:DIR, y4m:FILE or fifo:PATH"

    /// Whether it is no device: a folder, a recording or a pipe.
    public var isFile: Bool {
        switch self {
        case .folder, .recording, .fifo: true
        case .automatic, .module, .device, .stable, .usb: false
        }
    }

    /// The same with the path of a file or folder changed by `place`.
    public func placed(_ place: (String) -> String) -> CameraAddress {
        switch self {
        case .folder(let path): .folder(place(path))
        case .recording(let path): .recording(place(path))
        case .fifo(let path): .fifo(place(path))
        case .automatic, .module, .device, .stable, .usb: self
        }
    }

    /// Reads what ``description`` writes.
    ///
    /// - Throws: ``AddressError``.
    public init(_ text: String) throws(AddressError) {
        guard AddressError.isPlausible(text) else { throw AddressError(text, "camera", Self.forms) }
        // A device's path may hold colons: /dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0.
        if text.hasPrefix("/") {
            self = .device(text)
            return
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let rest = parts.count == 2 ? parts[1] : ""
        switch parts[0] {
        case "auto" where parts.count == 1: self = .automatic
        case "rpicam" where parts.count == 1: self = .module
        case "by-id" where !rest.isEmpty && !rest.contains("/"): self = .stable(rest)
        case "usb":
            let numbers = rest.split(separator: ":", omittingEmptySubsequences: false).map { part in
                part.utf8.count == 4 && part.allSatisfy(\.isHexDigit) ? UInt16(part, radix: 16) : nil
            }
            guard numbers.count == 2, let vendor = numbers[0], let product = numbers[1] else {
                throw AddressError(text, "camera", Self.forms)
            }
            self = .usb(vendor: vendor, product: product)
        case "folder" where !rest.isEmpty: self = .folder(rest)
        case "y4m" where !rest.isEmpty: self = .recording(rest)
        case "fifo" where !rest.isEmpty: self = .fifo(rest)
        default: throw AddressError(text, "camera", Self.forms)
        }
    }

    /// The address as it is written in a configuration, such as "usb:046d:0825"; ``init(_:)`` reads it again.
    public var description: String {
        switch self {
        case .automatic: "auto"
        case .module: "rpicam"
        case .device(let path): path
        case .stable(let name): "by-id:\(name)"
        case .usb(let vendor, let product):
            "usb:" + [vendor, product].map { String(0x10000 + Int($0), radix: 16).dropFirst() }.joined(separator: ":")
        case .folder(let path): "folder:\(path)"
        case .recording(let path): "y4m:\(path)"
        case .fifo(let path): "fifo:\(path)"
        }
    }
}
