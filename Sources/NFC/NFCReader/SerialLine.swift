import Addresses
import Glibc

/// A serial line to a PN532.
public enum SerialLine {
    /// Opens a line, claims it and sets it to the chip's ways.
    ///
    /// - Parameter speed: in bits a second.
    /// - Returns: a descriptor that does not block; the caller closes it.
    /// - Throws: ``ReaderError``.
    public static func open(_ path: String, speed: Int) throws(ReaderError) -> Int32 {
        let descriptor = try claim(path)
        guard set(descriptor, speed) else {
            close(descriptor)
            throw .broken("\(path) is no serial line")
        }
        return descriptor
    }

    /// libnfc does not claim a serial port: two programs would garble each other's frames.
    static func claim(_ path: String) throws(ReaderError) -> Int32 {
        let descriptor = Glibc.open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw ReaderAddress.failure(path, errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw .busy(path)
        }
        return descriptor
    }

    /// Raw bytes at a speed, eight bits, no parity; what has come before is forgotten.
    static func set(_ descriptor: Int32, _ speed: Int) -> Bool {
        let speeds: [Int: Int32] = [
            9600: B9600, 19200: B19200, 38400: B38400, 57600: B57600, 115_200: B115200, 230_400: B230400,
            460_800: B460800,
        ]
        var settings = termios()
        guard let code = speeds[speed], tcgetattr(descriptor, &settings) == 0 else { return false }
        cfmakeraw(&settings)
        cfsetspeed(&settings, speed_t(code))
        settings.c_cflag |= tcflag_t(CREAD | CLOCAL)
        settings.c_cflag &= ~tcflag_t(CSTOPB | PARENB)
        guard tcsetattr(descriptor, TCSANOW, &settings) == 0 else { return false }
        tcflush(descriptor, TCIOFLUSH)
        return true
    }
}
