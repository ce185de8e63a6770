import NFCProtocols
import Recording

/// Chips, tags, and the field that they share.
public final class Simulation {
    let loop = EventLoop()
    let field: Field
    private var chips: [String: Chip] = [:]
    private var serial: [String: SerialPort] = [:]
    private var i2c: [String: I2CPort] = [:]
    private var recorded: [String: RecordedChip] = [:]
    private var control: ControlSocket?

    /// - Parameters:
    ///   - isAirTimed: whether frames in the air take the time that they take.
    ///   - isFirmwareTimed: whether the chips' commands do.
    public init(isAirTimed: Bool, isFirmwareTimed: Bool) {
        field = Field(loop)
        field.isAirTimed = isAirTimed
        field.isFirmwareTimed = isFirmwareTimed
    }

    /// - Parameter speed: in bits a second; 0: bytes take no time.
    public func addSerial(_ name: String, path: String, speed: Int) {
        let chip = Chip(name: name, field: field)
        chips[name] = chip
        serial[name] = SerialPort(path: path, chip: chip, speed: speed)
    }

    /// A chip out of a recording, behind a serial port. It is in no field.
    ///
    /// - Parameters:
    ///   - speed: in bits a second; 0: bytes take no time.
    ///   - isTimed: whether the chip's answers take the time that they took.
    public func addRecorded(_ name: String, path: String, _ line: [RecordedExchange], speed: Int, isTimed: Bool) {
        let chip = RecordedChip(line, loop: loop, isTimed: isTimed)
        recorded[name] = chip
        serial[name] = SerialPort(path: path, chip: chip, speed: speed)
    }

    /// A chip that is reached by the I2C shim through the socket at `path`.
    ///
    /// - Parameter kilohertz: transfers take the time that they take at this clock; `nil`: none.
    public func addI2C(_ name: String, path: String, kilohertz: Int?) {
        let chip = Chip(name: name, field: field)
        chips[name] = chip
        i2c[name] = I2CPort(path: path, chip: chip, kilohertz: kilohertz)
    }

    /// Takes commands on the Unix socket at this path ("near a b", "apart", "tag …").
    ///
    /// - Returns: `false` when there can be no socket.
    public func listen(at path: String) -> Bool {
        control = ControlSocket(path: path, simulation: self)
        return control != nil
    }

    /// Serves ports and control socket, and does not return.
    public func run() { loop.run() }

    // MARK: Commands

    /// Obeys a line of the control socket.
    public func obey(_ words: [String]) -> String {
        guard let verb = words.first else { return "error: empty" }
        let rest = Array(words.dropFirst())
        let isDone: Bool
        switch verb {
        case "near" where rest.count == 2: isDone = known(rest) { field.join(rest[0], rest[1]) }
        case "apart" where rest.count == 2: isDone = known(rest) { field.part(rest[0], rest[1]) }
        case "apart" where rest.isEmpty:
            field.partAll()
            isDone = true
        case "tag": isDone = tag(rest)
        case "rf": isDone = radio(rest)
        case "bus": isDone = bus(rest)
        case "cable" where rest.count == 2: isDone = cable(rest[0], rest[1])
        case "power" where rest.count == 2: isDone = power(rest[0], rest[1])
        case "deaf" where rest.count == 2:
            serial[rest[0]]?.deafness = (EventLoop.Nanoseconds(rest[1]) ?? 0) * 1_000_000
            isDone = serial[rest[0]] != nil
        case "firmware" where rest.count == 1 || rest.count == 2:
            chips[rest[0]]?.firmware = rest.count == 2 ? Self.bytes(rest[1]) ?? [] : []
            isDone = chips[rest[0]] != nil
        case "stuck" where rest.count == 2:
            i2c[rest[0]]?.isStuck = rest[1] == "on"
            isDone = i2c[rest[0]] != nil
        case "rtox" where rest.count == 2:
            chips[rest[0]]?.extendsTimeouts = rest[1] == "on"
            isDone = chips[rest[0]] != nil
        case "fieldloss" where rest.count == 2:
            chips[rest[0]]?.reportsFieldLoss = rest[1] == "on"
            isDone = chips[rest[0]] != nil
        case "stats": return stats()
        case "quit":
            loop.stop()
            isDone = true
        default: isDone = false
        }
        return isDone ? "ok" : "error: \(words.joined(separator: " "))"
    }

    private func known(_ names: [String], _ body: () -> Void) -> Bool {
        guard names.allSatisfy({ field.listeners[$0] != nil }) else { return false }
        body()
        return true
    }

    private func stats() -> String {
        var words = ["ok rf=\(field.total)", "pending=\(field.pendingFaults)"]
        for (name, port) in serial.sorted(by: { $0.key < $1.key }) {
            words.append("\(name).in=\(port.framesIn)")
            words.append("\(name).out=\(port.framesOut)")
            words.append("\(name).aborts=\(port.aborts)")
            words.append("\(name).bytes=\(port.bytesMoved)")
        }
        for (name, chip) in recorded.sorted(by: { $0.key < $1.key }) {
            words.append("\(name).replayed=\(chip.progress.done)")
            words.append("\(name).recorded=\(chip.progress.all)")
            words.append("\(name).unknown=\(chip.unknown)")
        }
        for (name, port) in i2c.sorted(by: { $0.key < $1.key }) {
            words.append("\(name).transactions=\(port.transactions)")
            words.append("\(name).bytes=\(port.bytesMoved)")
        }
        return words.joined(separator: " ")
    }

    private func tag(_ words: [String]) -> Bool {
        if words.count >= 4, words[1] == "rewritten" { return rewritten(words[0], words[2], words.dropFirst(3)) }
        if words.count >= 3, words[1] == "card" { return card(words[0], words.dropFirst(2)) }
        guard words.count == 3, let bytes = Self.bytes(words[2]) else { return false }
        switch words[1] {
        case "type2": field.add(Type2SimulatedTag(name: words[0], SimulatedMemory(message: bytes)))
        case "memory": field.add(Type2SimulatedTag(name: words[0], SimulatedMemory(bytes)))
        case "type4":
            guard let message = try? NDEFMessage(parsing: bytes) else { return false }
            var card = Type4Card(message)
            field.add(Type4SimulatedTag(name: words[0], loop: loop) { card.answer($0) })
        default: return false
        }
        return true
    }

    /// `tag NAME rewritten KIND SEED PAUSE REST VALUES`: a tag whose device writes ever other values.
    private func rewritten(_ name: String, _ kind: String, _ words: ArraySlice<String>) -> Bool {
        let numbers = words.compactMap { Int($0) }
        guard numbers.count == 4, words.count == 4, numbers.allSatisfy({ $0 >= 0 }) else { return false }
        func rewriter(_ manner: Rewriter.Manner, at start: Int) -> Rewriter {
            Rewriter(
                manner, start: start, seed: UInt64(numbers[0]), maximumPause: numbers[1], maximumRest: numbers[2],
                values: numbers[3])
        }
        switch kind {
        case "type2":
            field.add(
                Type2SimulatedTag(name: name, SimulatedMemory(message: []), rewriter: rewriter(.pages, at: 16)))
        case "type4":
            var card = SimulatedCard(message: [], maximumAnswer: 15)
            var rewriter = rewriter(.standard, at: 0)
            field.add(
                Type4SimulatedTag(name: name, loop: loop, onSelected: { rewriter.endRest() }) { command in
                    rewriter.step(&card.files[SimulatedCard.messageFile, default: []])
                    return card.answer(command)
                })
        default: return false
        }
        return true
    }

    /// `tag NAME card WORD=VALUE …`: a Type 4 tag with any files, which answers as told.
    private func card(_ name: String, _ words: ArraySlice<String>) -> Bool {
        var card = SimulatedCard()
        var sak: UInt8 = 0x20
        var slowness: EventLoop.Nanoseconds = 0
        var applications: [[UInt8]] = []
        for word in words {
            let parts = word.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else { return false }
            switch parts[0] {
            case "aid": applications.append(Self.bytes(parts[1]) ?? [])
            case "sak": sak = UInt8(parts[1], radix: 16) ?? sak
            case "slow": slowness = (EventLoop.Nanoseconds(parts[1]) ?? 0) * 1_000_000
            case "most": card.maximumAnswer = Int(parts[1]) ?? 256
            case "excess": card.excess = SimulatedCard.Excess(rawValue: parts[1]) ?? .refuse
            default:
                guard let file = UInt16(parts[0], radix: 16), let bytes = Self.bytes(parts[1]) else { return false }
                card.files[file] = bytes
            }
        }
        if !applications.isEmpty { card.applications = applications }
        field.add(
            Type4SimulatedTag(name: name, loop: loop, sak: sak, slowness: slowness) { card.answer($0) })
        return true
    }

    private func radio(_ words: [String]) -> Bool {
        switch (words.first, words.dropFirst().first.flatMap { Int($0) }) {
        case ("clear", _):
            field.clearFaults()
            field.slowness = 0
        case ("drop", let number?): field.setFault(.drop, at: number)
        case ("corrupt", let number?): field.setFault(.corrupt, at: number)
        case ("remove", let number?): field.setFault(.remove, at: number)
        case ("swap", let number?) where words.count == 4:
            field.setFault(.swap(stays: words[2], comes: words[3]), at: number)
        case ("slow", let milliseconds?): field.slowness = UInt64(max(0, milliseconds)) * 1_000_000
        default: return false
        }
        return true
    }

    private func bus(_ words: [String]) -> Bool {
        guard words.count >= 2 else { return false }
        var faults = serial[words[0]]?.faults ?? i2c[words[0]]?.faults ?? BusFaults()
        let numbers = words.dropFirst(2)
        switch words[1] {
        case "clear": faults = BusFaults()
        case "status":
            guard numbers.count >= 2, let bits = numbers.first.flatMap({ UInt8($0, radix: 16) }),
                let count = Int(numbers.dropFirst().first ?? "")
            else { return false }
            faults.statusBits = bits
            faults.status = count
            faults.skip = numbers.dropFirst(2).first.flatMap { Int($0) } ?? 0
        default:
            guard let count = numbers.first.flatMap({ Int($0) }) else { return false }
            faults.skip = numbers.dropFirst().first.flatMap { Int($0) } ?? 0
            switch words[1] {
            case "noack": faults.withoutAck = count
            case "badsum": faults.badSums = count
            case "half": faults.halves = count
            case "silent": faults.silent = count
            case "garbage": faults.garbage = count
            default: return false
            }
        }
        serial[words[0]]?.faults = faults
        i2c[words[0]]?.faults = faults
        return chips[words[0]] != nil
    }

    private func cable(_ name: String, _ what: String) -> Bool {
        guard let port = serial[name] else { return false }
        if what == "pull" { port.pull() } else { port.plug() }
        return true
    }

    private func power(_ name: String, _ what: String) -> Bool {
        guard let port = i2c[name] else { return false }
        switch what {
        case "glitch": port.glitch()
        case "off":
            port.glitch()
            port.isAbsent = true
        case "on": port.isAbsent = false
        default: return false
        }
        return true
    }

    static func bytes(_ hex: String) -> [UInt8]? {
        let digits = Array(hex.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        return bytes
    }
}
