import CLinux
import Glibc
import NFCProtocols

/// The chip's high speed UART on a pseudo terminal, with the time that bytes take.
final class SerialPort: ChipBus {
    let path: String
    private let loop: EventLoop
    private let chip: any HostedChip
    private var terminal: Int32 = -1
    /// Held open: a pseudo terminal that nobody has open hangs up.
    private var keeper: Int32 = -1
    private var reader = HostFrameReader()
    private var speed: Int
    private let isTimed: Bool
    private var isAsleep = true
    private var freeAt: EventLoop.Nanoseconds = 0
    private var toldAt: EventLoop.Nanoseconds = 0
    var faults = BusFaults()
    /// For how long it hears nothing after an abort, in nanoseconds.
    var deafness: EventLoop.Nanoseconds = 0
    private var deafUntil: EventLoop.Nanoseconds = 0
    private(set) var framesIn = 0
    private(set) var framesOut = 0
    /// How often the host has given up a command.
    private(set) var aborts = 0
    private(set) var bytesMoved = 0

    /// - Parameter speed: in bits a second; 0: bytes take no time.
    init(path: String, chip: any HostedChip, speed: Int) {
        self.path = path
        self.chip = chip
        self.speed = speed
        isTimed = speed > 0
        loop = chip.loop
        chip.bus = self
        plug()
    }

    /// Makes the pseudo terminal; its path stays the same.
    func plug() {
        guard terminal < 0 else { return }
        var name = [CChar](repeating: 0, count: 64)
        terminal = srup_openpt(&name, name.count)
        guard terminal >= 0 else { return }
        let slave = name.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        keeper = open(slave, O_RDWR | O_NOCTTY | O_CLOEXEC)
        var settings = termios()
        tcgetattr(keeper, &settings)
        cfmakeraw(&settings)
        tcsetattr(keeper, TCSANOW, &settings)
        unlink(path)
        symlink(slave, path)
        loop.watch(terminal) { [weak self] in self?.readable() }
    }

    /// Pulls the cable: the terminal hangs up and its name is gone; the chip has lost its power.
    func pull() {
        guard terminal >= 0 else { return }
        loop.forget(terminal)
        unlink(path)
        close(keeper)
        close(terminal)
        terminal = -1
        reader.clear()
        isAsleep = true
        chip.reset()
    }

    private func time(_ bytes: Int) -> EventLoop.Nanoseconds {
        isTimed ? EventLoop.Nanoseconds(bytes) * 10_000_000_000 / EventLoop.Nanoseconds(speed) : 0
    }

    private func readable() {
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = read(terminal, &bytes, bytes.count)
        guard count > 0 else { return }
        bytesMoved += count
        // They arrive one after the other, whatever the pseudo terminal says.
        toldAt = max(toldAt, loop.now) + time(count)
        let arrived = Array(bytes.prefix(count))
        loop.at(toldAt) { [self] in took(arrived) }
    }

    private func took(_ bytes: [UInt8]) {
        guard terminal >= 0 else { return }
        var bytes = bytes[...]
        if isAsleep {
            // The edges of the first bytes wake it up; they are lost.
            bytes = bytes.dropFirst(5)
            isAsleep = false
        }
        reader.append(bytes)
        while let frame = reader.next() { handle(frame) }
    }

    private func handle(_ frame: HostFrame) {
        switch frame {
        case .ack:
            aborts += 1
            chip.abort()
            deafUntil = loop.now + deafness
        case .nack: break
        case .information where loop.now < deafUntil: break
        case .information(let body):
            framesIn += 1
            if faults.withoutAck > 0 {
                faults.withoutAck -= 1
                return
            }
            guard body.first == 0xD4, body.count > 1 else {
                write(HostFrame.ackBytes)
                return sendError()
            }
            let command = Array(body.dropFirst())
            guard chip.acknowledges(command) else { return }
            write(HostFrame.ackBytes)
            chip.execute(command)
        }
    }

    func send(_ body: [UInt8]) {
        framesOut += 1
        if let bytes = faults.spoiled(body) { write(bytes) }
    }

    func sendError() { write(HostFrame.error) }

    func sendBytes(_ bytes: [UInt8]) {
        framesOut += 1
        write(bytes)
    }

    private func write(_ bytes: [UInt8]) {
        bytesMoved += bytes.count
        freeAt = max(freeAt, loop.now) + time(bytes.count)
        loop.at(freeAt) { [self] in
            if terminal >= 0 { _ = bytes.withUnsafeBytes { Glibc.write(terminal, $0.baseAddress, $0.count) } }
        }
    }

    func setSpeed(_ speed: Int) {
        // The answer still goes out at the old one.
        loop.after(time(20)) { [self] in self.speed = speed }
    }

    func sleep() {
        loop.after(time(20)) { [self] in isAsleep = true }
    }
}
