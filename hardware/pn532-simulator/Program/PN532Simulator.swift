import ArgumentParser
import ChipSimulator
import Glibc
import Linux
import Recording

@main
struct PN532Simulator: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "srup-pn532-simulator",
        abstract: "Simulated PN532 chips that share one field, each behind a serial port or an I2C bus.",
        discussion: """
            For tests and demonstrations without hardware: the real libnfc opens the ports as if they were a reader's.

              srup-pn532-simulator --serial a=/tmp/a --serial b=/tmp/b --near a,b --control /tmp/control
              nfc-list -v                       # with LIBNFC_DEFAULT_DEVICE=pn532_uart:/tmp/a

            An I2C chip is reached through the library libI2CShim.so, preloaded, with SRUP_I2C_SOCKET naming its socket. \
            Faults are set and contacts made over the control socket; hardware/pn532-simulator/README.md lists its commands.
            """)

    @Option(
        help: ArgumentHelp(
            "A chip behind a pseudo terminal whose name will be a link at this path.", valueName: "name=path"))
    var serial: [String] = []
    @Option(
        name: .customLong("i2c"),
        help: ArgumentHelp("A chip behind an I2C bus at this socket.", valueName: "name=socket"))
    var i2c: [String] = []
    @Option(
        help: ArgumentHelp(
            "A chip that answers as one has answered while \"srup-observer record --reader\" ran, behind the port that --serial "
                + "has for this name.", valueName: "name=recording"))
    var replay: [String] = []
    @Option(help: ArgumentHelp("Put two into one field from the beginning.", valueName: "a,b"))
    var near: [String] = []
    @Option(help: "Where to take commands: the path of a Unix socket.")
    var control: String?
    @Option(help: "The serial line's speed in bits a second.")
    var speed = 115_200
    @Option(
        name: .customLong("i2c-speed"),
        help: ArgumentHelp("The I2C bus's clock in kHz, 1 to 1000.", valueName: "kHz"))
    var i2cSpeed = 100
    @Flag(help: "Nothing takes time: neither bytes on the bus nor frames in the air nor the chips' firmware.")
    var immediate = false
    @Flag(help: "Bytes on the bus take no time.")
    var immediateBus = false
    @Flag(help: "Frames in the air take no time.")
    var immediateAir = false
    @Flag(help: "The chips' firmware takes no time.")
    var immediateFirmware = false

    func validate() throws {
        guard (1...1000).contains(i2cSpeed) else { throw ValidationError("--i2c-speed must be from 1 to 1000 kHz") }
    }

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        let simulation = Simulation(
            isAirTimed: !(immediate || immediateAir), isFirmwareTimed: !(immediate || immediateFirmware))
        let isBusImmediate = immediate || immediateBus
        let recordings = try replay.map(pair)
        for (name, path) in recordings where try !serial.map(pair).contains(where: { $0.0 == name }) {
            throw ValidationError("--replay \(name)=\(path): --serial has no port of this name")
        }
        for (name, path) in try serial.map(pair) {
            if let (_, file) = recordings.first(where: { $0.0 == name }) {
                simulation.addRecorded(
                    name, path: path, try recorded(file).line, speed: isBusImmediate ? 0 : speed,
                    isTimed: !(immediate || immediateFirmware))
                continue
            }
            simulation.addSerial(name, path: path, speed: isBusImmediate ? 0 : speed)
        }
        for (name, path) in try i2c.map(pair) {
            simulation.addI2C(name, path: path, kilohertz: isBusImmediate ? nil : i2cSpeed)
        }
        for contact in near {
            let names = contact.split(separator: ",").map(String.init)
            guard names.count == 2, simulation.obey(["near"] + names) == "ok" else {
                throw ValidationError("--near \(contact): two names of chips, with a comma between them")
            }
        }
        if let control, !simulation.listen(at: control) {
            throw ValidationError("the control socket \(control) cannot be made: \(String(cString: strerror(errno)))")
        }
        print("ready")
        fflush(nil)
        simulation.run()
    }

    private func recorded(_ path: String) throws -> Recording {
        do {
            let recording = try Recording(contentsOf: path)
            guard recording.reader != nil else { throw ValidationError("\(path): there is no reader in it") }
            return recording
        } catch let error as RecordingError {
            throw ValidationError("\(path): \(error)")
        }
    }

    private func pair(_ text: String) throws -> (String, String) {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty else { throw ValidationError("\(text): name=path is expected") }
        return (parts[0], parts[1])
    }
}
