import Linux
import Glibc
import NFCProtocols

/// Text commands over a Unix socket, one a line, each answered by one line ("ok …" or "error …").
///
/// ```
/// near A B              put two chips (or a chip and a tag) into one field
/// apart A B             take them apart;  apart  takes all apart
/// tag NAME type2|type4 HEX       a tag with an NDEF message
/// tag NAME memory HEX            a Type 2 tag with any memory
/// tag NAME card FILE=HEX aid=HEX sak=XX slow=MS most=N excess=less|refuse|correct    a Type 4 tag, odd or not
/// tag NAME rewritten type2|type4 SEED PAUSE REST VALUES   a tag that is rewritten all the time (README.md)
/// rf drop|corrupt|remove N       what happens to the N-th frame in the air from now on
/// rf swap N STAYS COMES          the N-th frame: the peer of one is replaced by another
/// rf slow MS                     every answer takes so much longer
/// rf clear
/// bus A noack|badsum|half|silent|garbage N [AFTER]   the next N commands or answers, after AFTER good ones
/// bus A status XX N [AFTER]      the bits XX set in N status bytes (80: what makes libnfc abort, 40: endless more)
/// bus A clear
/// cable A pull|plug     serial only
/// power A glitch|off|on I2C: the chip forgets, answers nothing, answers again
/// deaf A MS             serial: it hears nothing for so long after an abort
/// firmware A [HEX]      what it says that it is; without HEX: that it does not understand
/// stuck A on|off        I2C: the bus hangs
/// rtox A on|off         whether it asks for more time by itself
/// fieldloss A on|off    whether a waiting command ends when the field goes
/// stats                 frames in the air, host frames and bytes
/// quit
/// ```
final class ControlSocket {
    private let simulation: Simulation
    private let loop: EventLoop
    private let listener: Int32
    private var buffers: [Int32: [UInt8]] = [:]

    init?(path: String, simulation: Simulation) {
        self.simulation = simulation
        loop = simulation.loop
        unlink(path)
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard UnixAddress.with(path, { bind(listener, $0, $1) }) == 0, listen(listener, 4) == 0 else { return nil }
        loop.watch(listener) { [weak self] in self?.accepted() }
    }

    private func accepted() {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        buffers[client] = []
        loop.watch(client) { [weak self] in self?.readable(client) }
    }

    private func readable(_ client: Int32) {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = read(client, &bytes, bytes.count)
        guard count > 0 else {
            loop.forget(client)
            buffers[client] = nil
            close(client)
            return
        }
        buffers[client, default: []] += bytes.prefix(count)
        while let end = buffers[client]?.firstIndex(of: 10) {
            let line = String(decoding: buffers[client]?[..<end] ?? [], as: UTF8.self)
            buffers[client]?.removeSubrange(...end)
            let answer = simulation.obey(line.split(separator: " ").map(String.init)) + "\n"
            _ = answer.utf8.withContiguousStorageIfAvailable {
                send(client, $0.baseAddress, $0.count, SocketFlags.noSignal)
            }
        }
    }
}
