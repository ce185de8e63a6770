import Addresses
import CI2C
import Glibc

extension ReaderAddress {
    static let chipAddress: Int32 = 0x24

    /// The reader to open now.
    ///
    /// - Throws: ``ReaderError/absent(_:)``.
    public func resolved() throws(ReaderError) -> ReaderAddress {
        guard self == .auto else { return self }
        if access("/dev/srup/pn532-usb", F_OK) == 0 {
            return .serial(path: "/dev/srup/pn532-usb", speed: Self.defaultSpeed)
        }
        for bus in ["/dev/srup/pn532-i2c"] + (0..<16).map({ "/dev/i2c-\($0)" }) {
            guard access(bus, R_OK | W_OK) == 0 else { continue }
            if srup_i2c_probe(bus, Self.chipAddress) == 1 { return .i2c(path: bus) }
        }
        throw .absent("a reader (/dev/srup/pn532-usb, or anything at 0x24 of an I2C bus)")
    }

    /// Whether a reader can be there, told apart as well as can be: libnfc would only say that it failed.
    ///
    /// - Throws: ``ReaderError``.
    func check() throws(ReaderError) {
        guard let path else { return }
        // A preloaded bus is no file; the probe below tells.
        if case .i2c = self {
            switch srup_i2c_probe(path, Self.chipAddress) {
            case 1: return
            case 0: throw .noChip(description)
            default: throw Self.failure(path, errno)
            }
        }
        if access(path, R_OK | W_OK) != 0 { throw Self.failure(path, errno) }
    }

    static func failure(_ path: String, _ code: Int32) -> ReaderError {
        switch code {
        case ENOENT, ENODEV, ENXIO: .absent(path)
        case EACCES, EPERM: .noPermission(path)
        case EBUSY: .busy(path)
        default: .broken("\(path): \(String(cString: strerror(code)))")
        }
    }
}
