import Addresses
import CNFC
import CNFCSleep
import Glibc
import Linux
import NFCProtocols
import Synchronization

/// Stops what libnfc does on a device after a time, from a thread of its own; `nfc_abort_command` is the one function that
/// another thread may call.
private final class Alarm: Sendable {
    /// Whether it may still ring; held while it rings, so that after ``cancel()`` it does not.
    private let isArmed = Mutex(true)
    private let wakeUp = WakeUp()

    init(after milliseconds: Int, _ device: OpaquePointer) {
        let address = UInt(bitPattern: device)
        DetachedThread.start(stack: 64) {
            guard !self.wakeUp.wait(atMost: .milliseconds(milliseconds)) else { return }
            self.isArmed.withLock { isArmed in
                if isArmed, let device = OpaquePointer(bitPattern: address) { nfc_abort_command(device) }
                isArmed = false
            }
        }
    }

    func cancel() {
        isArmed.withLock { $0 = false }
        wakeUp.signal()
    }
}

/// A PN532 through libnfc, open. Used on one thread only.
///
/// libnfc can hang and can end the process (`abort()` at a status byte with the highest bit set): this belongs in a
/// process of its own, with a ``Watchdog`` over every call.
public final class Reader {
    /// A type A target that was selected.
    public struct TypeATarget: Sendable, Hashable {
        /// The identifier that the target answered with, at most 10 bytes.
        public let uid: [UInt8]
        /// SEL_RES.
        public let sak: UInt8
        /// SENS_RES.
        public let atqa: [UInt8]

        /// Whether it is a peer that can be spoken to by NFC-DEP, as its SEL_RES says.
        public var speaksDEP: Bool { sak & 0x40 != 0 }
        /// Whether it is a card that takes APDUs by ISO-DEP, as Type 4 tags do, as its SEL_RES says.
        public var speaksISODEP: Bool { sak & 0x20 != 0 }
        /// Whether it is a Type 2 tag: its SEL_RES has none of the bits 0x40, 0x20 and 0x08.
        public var isType2: Bool { sak & 0x60 == 0 && sak & 0x08 == 0 }
    }

    /// Where the reader is; never ``ReaderAddress/auto``, which was resolved when it was opened.
    public let address: ReaderAddress
    /// As libnfc names it.
    public let name: String
    private let context: OpaquePointer
    let device: OpaquePointer
    private let lock: Int32
    private let watchdog: Watchdog?
    private enum Role { case none, initiator, target }
    private var role = Role.none
    private var turns = 0
    /// Frames between us and the chip's radio, for benchmarks.
    public private(set) var exchanges = 0

    /// The longest frame that libnfc takes without overflowing its own stack, in bytes.
    static let longestFrame = 262

    /// Opens the reader.
    ///
    /// - Parameter watchdog: bounds every call; without one a call may hang.
    /// - Throws: ``ReaderError``.
    public init(_ wanted: ReaderAddress, watchdog: Watchdog? = nil) throws(ReaderError) {
        address = try wanted.resolved()
        try address.check()
        lock = try Self.claim(address)
        self.watchdog = watchdog
        Self.clearEnvironment()
        watchdog?.begin(.milliseconds(8000), doing: "opening \(address)")
        defer { watchdog?.end() }
        if case .foreign(let answer) = Self.firmwareAnswer(address, lock) {
            close(lock)
            throw .foreign(address.description, answer)
        }
        var made: OpaquePointer?
        nfc_init(&made)
        guard let made else {
            close(lock)
            throw .broken("libnfc cannot be initialised")
        }
        guard let opened = nfc_open(made, address.description) else {
            nfc_exit(made)
            close(lock)
            throw .noChip(address.description)
        }
        // A chip that has not said what it is gets no table of abilities, and libnfc crashes when it looks at it.
        var abilities: UnsafePointer<nfc_modulation_type>?
        guard nfc_device_get_supported_modulation(opened, N_INITIATOR, &abilities) >= 0, abilities != nil else {
            nfc_close(opened)
            nfc_exit(made)
            close(lock)
            throw .noChip(address.description)
        }
        context = made
        device = opened
        name = nfc_device_get_name(opened).map { String(cString: $0) } ?? address.description
    }

    deinit {
        watchdog?.begin(.milliseconds(4000), doing: "closing \(address)")
        nfc_close(device)
        nfc_exit(context)
        watchdog?.end()
        if lock >= 0 { close(lock) }
    }

    private static func firmwareAnswer(_ address: ReaderAddress, _ lock: Int32) -> FirmwareQuestion.Answer {
        switch address {
        case .serial(_, let speed): FirmwareQuestion.ask(serial: lock, speed: speed)
        case .i2c(let path): FirmwareQuestion.ask(i2c: path)
        case .auto: .silence
        }
    }

    private static func claim(_ address: ReaderAddress) throws(ReaderError) -> Int32 {
        guard case .serial(let path, _) = address else { return -1 }
        return try SerialLine.claim(path)
    }

    /// What is set for libnfc's tools must not send us to another device, or fill the log.
    private static func clearEnvironment() {
        for name in [
            "LIBNFC_DEFAULT_DEVICE", "LIBNFC_DEVICE", "LIBNFC_AUTO_SCAN", "LIBNFC_INTRUSIVE_SCAN",
        ] { unsetenv(name) }
        if getenv("LIBNFC_LOG_LEVEL") == nil { setenv("LIBNFC_LOG_LEVEL", "0", 1) }
    }

    // MARK: Calls

    /// How much longer than its own timeout a call may take.
    private var margin: Duration { isSlow ? .milliseconds(1500) : .milliseconds(800) }

    private var isSerial: Bool {
        if case .serial = address { return true }
        return false
    }

    func call(_ doing: String, timeout: Int = 1000, _ body: (OpaquePointer) -> Int32) -> Int32 {
        watchdog?.begin(.milliseconds(timeout) + margin, doing: doing)
        // Over I2C only: there libnfc sleeps for nothing else than the 5 ms between transactions.
        if isSlow { srup_bound_sleeps(6_000_000) }
        defer {
            srup_bound_sleeps(0)
            watchdog?.end()
        }
        exchanges += 1
        return body(device)
    }

    private func failure(_ code: Int32, _ doing: String) -> ReaderError {
        switch code {
        // Over I2C a timeout comes back as whatever was in libnfc's buffer.
        case NFC_ETIMEOUT, NFC_EOVFLOW: .timeout
        case NFC_ERFTRANS, NFC_ETGRELEASED, NFC_ECHIP, NFC_EINVARG: .peerGone("\(doing): \(message(code))")
        default: .broken("\(doing): \(message(code))")
        }
    }

    /// Whether the reader is behind an I2C bus, where every call to the chip takes some 40 ms.
    public var isSlow: Bool { !isSerial }

    private func message(_ code: Int32) -> String {
        switch code {
        case NFC_EIO: "input/output error"
        case NFC_ERFTRANS: "radio error"
        case NFC_ETGRELEASED: "released"
        case NFC_ECHIP: "the chip reports an error"
        case NFC_EINVARG: "refused by the chip"
        case NFC_ENOTSUCHDEV: "no such device"
        default: "libnfc error \(code)"
        }
    }

    // MARK: As initiator

    /// What a search answers when nobody is there.
    private static func foundNobody(_ code: Int32) -> Bool {
        [0, NFC_ERFTRANS, NFC_EOVFLOW, NFC_ECHIP].contains(code)
    }

    /// The least time for which libnfc waits for a search's answer.
    private static let searchTime = Duration.milliseconds(290)

    /// Searches. The chip answers a search in which nobody was found, and at once: a time that is over means that it has
    /// heard nothing, as some do for a moment after an abort. So it is asked once more.
    ///
    /// - Throws: ``ReaderError/silent(_:)``.
    private func search(
        _ doing: String, timeout: Int = 1000, _ body: (OpaquePointer) -> Int32
    ) throws(ReaderError) -> Int32 {
        for _ in 0..<2 {
            let start = ContinuousClock.now
            let code = call(doing, timeout: timeout, body)
            // Over I2C a timeout comes back as anything.
            let isSilence =
                code == NFC_ETIMEOUT
                || (isSlow && code <= 0 && ContinuousClock.now - start >= Self.searchTime)
            if !isSilence { return code }
        }
        throw .silent(doing)
    }

    /// Turns to the initiator's role, the field off until something is sought.
    ///
    /// - Throws: ``ReaderError``.
    public func beInitiator() throws(ReaderError) {
        defer { turns += 1 }
        // The chip's commands turn it round by themselves. libnfc's own set-up is nine more of them, which is half a second
        // over I2C; it is done at first and now and then, for a chip that was without power and has forgotten.
        if role != .none, turns % 16 != 0 {
            role = .initiator
            return
        }
        var code = call("turning initiator") { nfc_initiator_init($0) }
        // That has told the chip to look for ever.
        if code >= 0 { code = call("setting up") { nfc_device_set_property_bool($0, NP_INFINITE_SELECT, false) } }
        if code < 0 { throw .broken("turning initiator: \(message(code))") }
        role = .initiator
    }

    /// Turns the field off.
    public func fieldOff() {
        _ = call("turning the field off") { nfc_device_set_property_bool($0, NP_ACTIVATE_FIELD, false) }
    }

    /// Selects a type A target at 106 kbit/s; `nil` when there is none.
    ///
    /// - Throws: ``ReaderError``.
    public func selectTypeA() throws(ReaderError) -> TypeATarget? {
        var target = nfc_target()
        let code = try search("looking for a tag") {
            nfc_initiator_select_passive_target(
                $0, nfc_modulation(nmt: NMT_ISO14443A, nbr: NBR_106), nil, 0, &target)
        }
        if Self.foundNobody(code) { return nil }
        if code < 0 { throw failure(code, "looking for a tag") }
        let info = target.nti.nai
        let uid = withUnsafeBytes(of: info.abtUid) { Array($0.prefix(min(Int(info.szUidLen), 10))) }
        return TypeATarget(uid: uid, sak: info.btSak, atqa: [info.abtAtqa.0, info.abtAtqa.1])
    }

    /// Activates an NFC-DEP target in passive mode; `nil` when there is none, else its general bytes.
    ///
    /// - Throws: ``ReaderError``.
    public func activateDEP(speed: nfc_baud_rate = NBR_106, general: [UInt8]) throws(ReaderError) -> [UInt8]? {
        precondition(general.count <= 47)
        var info = nfc_dep_info()
        withUnsafeMutableBytes(of: &info.abtNFCID3) { bytes in
            for index in bytes.indices { bytes[index] = UInt8.random(in: 0...255) }
        }
        withUnsafeMutableBytes(of: &info.abtGB) { $0.copyBytes(from: general) }
        info.szGB = general.count
        var target = nfc_target()
        let code = try search("activating a peer", timeout: 500) {
            nfc_initiator_select_dep_target($0, NDM_PASSIVE, speed, &info, &target, 500)
        }
        if Self.foundNobody(code) { return nil }
        if code < 0 { throw failure(code, "activating a peer") }
        let found = target.nti.ndi
        // A peer that sends more makes libnfc write over this very length: it counts only when it fits.
        guard found.szGB <= 48 else { return nil }
        return withUnsafeBytes(of: found.abtGB) { Array($0.prefix(found.szGB)) }
    }

    /// Sends and receives: with an NFC-DEP peer the payloads of packets, with a card APDUs, with a tag commands.
    ///
    /// - Parameter timeout: in milliseconds.
    /// - Throws: ``ReaderError``.
    public func transceive(_ bytes: [UInt8], timeout: Int) throws(ReaderError) -> [UInt8] {
        guard bytes.count <= Self.longestFrame else { throw .peerGone("a frame of \(bytes.count) bytes is too long") }
        var answer = [UInt8](repeating: 0, count: 300)
        let code = call("an exchange", timeout: timeout) {
            nfc_initiator_transceive_bytes($0, bytes, bytes.count, &answer, answer.count, Int32(timeout))
        }
        if code < 0 { throw failure(code, "an exchange") }
        return Array(answer.prefix(Int(code)))
    }

    /// Lets the target go, with the protocol's own farewell.
    public func release() {
        _ = call("releasing") { nfc_initiator_deselect_target($0) }
    }

    // MARK: As target

    /// Listens as an NFC-DEP target, at any speed, passive or active; gives the initiator's general bytes.
    ///
    /// - Parameter timeout: in milliseconds.
    /// - Throws: ``ReaderError``; ``ReaderError/timeout`` when nobody came.
    public func listenDEP(general: [UInt8], timeout: Int) throws(ReaderError) -> [UInt8] {
        precondition(general.count <= 47)
        var target = nfc_target()
        target.nm = nfc_modulation(nmt: NMT_DEP, nbr: NBR_UNDEFINED)
        target.nti.ndi.ndm = NDM_UNDEFINED
        withUnsafeMutableBytes(of: &target.nti.ndi.abtNFCID3) { bytes in
            // What a chip that is polled at 212 or 424 kbit/s has as its beginning.
            bytes.copyBytes(from: [0x01, 0xFE, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x00, 0x00])
        }
        withUnsafeMutableBytes(of: &target.nti.ndi.abtGB) { $0.copyBytes(from: general) }
        target.nti.ndi.szGB = general.count
        let request = try listen(&target, timeout: timeout)
        // [length] D4 00 NFCID3(10) DID BS BR PP, then the general bytes.
        guard
            let start = request.indices.first(where: {
                $0 <= 1 && $0 + 1 < request.count && request[$0] == 0xD4 && request[$0 + 1] == 0x00
            }), request.count >= start + 16
        else { throw .peerGone("no ATR_REQ came") }
        return request[start + 15] & 0x02 != 0 ? Array(request[(start + 16)...]) : []
    }

    /// Listens as a Type 4 card.
    ///
    /// - Throws: ``ReaderError``; ``ReaderError/timeout`` when nobody came.
    public func listenCard(timeout: Int) throws(ReaderError) {
        var target = nfc_target()
        target.nm = nfc_modulation(nmt: NMT_ISO14443A, nbr: NBR_UNDEFINED)
        withUnsafeMutableBytes(of: &target.nti.nai.abtAtqa) { $0.copyBytes(from: [0x00, 0x04]) }
        withUnsafeMutableBytes(of: &target.nti.nai.abtUid) { bytes in
            bytes.copyBytes(from: [0x08] + (0..<3).map { _ in UInt8.random(in: 0...255) })
        }
        target.nti.nai.szUidLen = 4
        target.nti.nai.btSak = 0x20
        _ = try listen(&target, timeout: timeout)
    }

    private func listen(_ target: inout nfc_target, timeout: Int) throws(ReaderError) -> [UInt8] {
        role = .target
        var request = [UInt8](repeating: 0, count: 300)
        let start = ContinuousClock.now
        // Over a serial line libnfc's own timeout would cost taps: it sleeps 50 ms before it stops the chip, and whoever
        // calls in that time gets a link that nobody serves. Over I2C it stops at once, and an abort would end the process.
        let alarm = isSerial ? Alarm(after: timeout, device) : nil
        let limit = isSerial ? timeout + 500 : timeout
        let code = withUnsafeMutablePointer(to: &target) { target in
            call("listening", timeout: limit) {
                nfc_target_init($0, target, &request, request.count, Int32(limit))
            }
        }
        alarm?.cancel()
        if code == NFC_EOPABORTED { throw .timeout }
        // Over a serial line only the abort ends a time in which nobody came: libnfc's own timeout means that the chip has
        // not even acknowledged.
        if isSerial, code == NFC_ETIMEOUT { throw .broken("listening: no acknowledgement") }
        if code >= 0 { return Array(request.prefix(Int(code))) }
        // Whatever the code: a call that has lasted as long as it should has found nobody.
        if ContinuousClock.now - start >= .milliseconds(timeout) { throw .timeout }
        throw failure(code, "listening")
    }

    /// What the initiator sends.
    ///
    /// - Parameter timeout: in milliseconds.
    /// - Throws: ``ReaderError``.
    public func receive(timeout: Int) throws(ReaderError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 300)
        let code = call("waiting for the initiator", timeout: timeout) {
            nfc_target_receive_bytes($0, &bytes, bytes.count, Int32(timeout))
        }
        if code < 0 { throw failure(code, "waiting for the initiator") }
        return Array(bytes.prefix(Int(code)))
    }

    /// Answers the initiator.
    ///
    /// - Throws: ``ReaderError``.
    public func send(_ bytes: [UInt8]) throws(ReaderError) {
        guard bytes.count <= Self.longestFrame else { throw .peerGone("a frame of \(bytes.count) bytes is too long") }
        let code = call("answering the initiator") { nfc_target_send_bytes($0, bytes, bytes.count, 1000) }
        if code < 0 { throw failure(code, "answering the initiator") }
    }

    /// Lets go of the peer and turns the field off.
    public func idle() {
        _ = call("going idle") { nfc_idle($0) }
    }
}
