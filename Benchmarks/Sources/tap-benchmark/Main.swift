import Foundation
import TestProcesses

/// From field contact to VALID on the wire, by tap: the real libnfc on simulated chips whose bus, firmware and radio take
/// the time that they take on the chip.
@main
struct TapBenchmark {
    static func main() throws {
        guard CommandLine.arguments.count >= 2 else {
            print("usage: tap-benchmark FOLDER-WITH-THE-PROGRAMS [JOINS]")
            exit(2)
        }
        let joins = CommandLine.arguments.count > 2 ? Int(CommandLine.arguments[2]) ?? 15 : 15
        for bus in Bus.allCases {
            let runner = try ProgramRunner(binaries: CommandLine.arguments[1])
            defer { runner.close() }
            do {
                try measureJoins(runner, bus, joins)
            } catch {
                print("error: \(error)")
                runner.close()
                exit(1)
            }
        }
        try shares(CommandLine.arguments[1])
    }

    enum Bus: String, CaseIterable {
        case serial = "serial, 115 200 baud"
        case i2c = "I2C, 100 kHz"

        var observer: String { self == .serial ? "observer" : "bus" }

        /// What to give the observer's libnfc; over I2C the shim is preloaded into what is started from now on.
        func connstring(_ readers: SimulatedReaders, _ runner: ProgramRunner) -> String {
            guard self == .i2c else { return readers.connstring("observer") }
            setenv("LD_PRELOAD", runner.binaries + "/libI2CShim.so", 1)
            setenv("SRUP_I2C_SOCKET", readers.bus("bus"), 1)
            return "pn532_i2c:/dev/i2c-1"
        }
    }

    static func quiet() {
        unsetenv("LD_PRELOAD")
        unsetenv("SRUP_I2C_SOCKET")
    }

    /// Field contact -> the observer's RESPONSE heard by a third party at the broker.
    static func measureJoins(_ runner: ProgramRunner, _ bus: Bus, _ joins: Int) throws {
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(["--policy", "sensor=observed", "--tries", "1"])
        let readers = try SimulatedReaders(runner, serial: ["observer", "device"], i2c: ["bus"])
        let connstring = bus.connstring(readers, runner)
        try loopback.bringObserver(
            eyes: "[nfc]\ndevice = \"\(connstring)\"", settings: "[observe]\ntimeout = \"30 s\"")
        quiet()
        try loopback.startListening()
        var latencies: [Double] = []
        for number in 1...joins {
            let name = "device-\(number)"
            let begin = EventFollower.clock()
            try loopback.registerDevice(name, type: "sensor")
            try loopback.startDevice(name, present: "nfc:\(readers.connstring("device"))")
            try loopback.events.wait(for: name, ["showing"], since: begin, within: 20)
            // Both have their readers open by then, and are anywhere in their turns.
            usleep(UInt32.random(in: 700_000...1_200_000))
            let contact = Date().timeIntervalSince1970
            try readers.tell("near \(bus.observer) device")
            guard let answered = try loopback.heardValid(after: contact, within: 20) else {
                throw ProgramRunner.Failure(description: "join \(number) got no VALID:\n\(runner.tail(of: "observer"))")
            }
            latencies.append((answered - contact) * 1000)
            try loopback.events.wait(for: name, ["joined"], since: begin, within: 20)
            runner.stop(name)
            try readers.tell("apart")
        }
        latencies.sort()
        print(
            String(
                format:
                    "%@: field contact to VALID on the wire, %d joins: median %.0f ms, 90 %% %.0f ms, worst %.0f ms",
                bus.rawValue as NSString, joins, latencies[joins / 2], latencies[joins * 9 / 10], latencies[joins - 1]))
        fflush(nil)
    }

    // MARK: Where the time goes

    /// The link alone, from the device found to its message read: as it is, and with each layer's time taken away.
    static func shares(_ binaries: String) throws {
        let modes: [(String, [String])] = [
            ("all as it is", []), ("without the bus", ["--immediate-bus"]), ("without the radio", ["--immediate-air"]),
            ("without the chips' firmware", ["--immediate-firmware"]), ("software alone", ["--immediate"]),
        ]
        print("\nfrom the device found to its message read, median of 25 taps, in ms (share of the whole)")
        for bus in Bus.allCases {
            var whole = 0.0
            for (name, arguments) in modes {
                let (milliseconds, frames, exchanges) = try link(binaries, bus, arguments)
                if arguments.isEmpty {
                    whole = milliseconds
                    print(
                        String(
                            format:
                                "%@: %.1f; %.1f frames in the air a tap, of at least 8; %d calls to the chip, of at least 3",
                            bus.rawValue as NSString, milliseconds, frames, exchanges))
                } else if arguments == ["--immediate"] {
                    print(
                        String(
                            format: "    software (libnfc, ours, both sides)  %6.1f  %3.0f %%", milliseconds,
                            milliseconds / whole * 100))
                } else {
                    let layer = name.replacingOccurrences(of: "without the ", with: "")
                    print(
                        "    " + layer.padding(toLength: 36, withPad: " ", startingAt: 0)
                            + String(
                                format: " %6.1f  %3.0f %%", whole - milliseconds, (whole - milliseconds) / whole * 100))
                }
                fflush(nil)
            }
        }
        print("I2C, device found to message read, median of 25 taps:")
        for speed in [50, 75, 100, 400] {
            let found = Result { try link(binaries, .i2c, ["--i2c-speed", "\(speed)"]).0 }
            switch found {
            case .success(let time): print(String(format: "  %d kHz: %.1f ms", speed, time))
            case .failure(let error): print("  \(speed) kHz: \(error)")
            }
        }
        print(
            """
            At least 8 frames: ATR and its answer, CONNECT and CC, PUT and Success, release and its answer.
            At least 3 calls: CONNECT taken, CC given, PUT taken.
            """)
    }

    static func link(_ binaries: String, _ bus: Bus, _ arguments: [String]) throws -> (Double, Double, Int) {
        let runner = try ProgramRunner(binaries: binaries)
        defer { runner.close() }
        let readers = try SimulatedReaders(runner, serial: ["observer", "device"], i2c: ["bus"], arguments)
        let connstring = bus.connstring(readers, runner)
        try runner.start("srup-witness", ["nfc", "read", "--json", "--device", connstring], as: "read")
        quiet()
        try readers.tell("near \(bus.observer) device")
        let wanted = 25
        let code = try runner.run(
            "srup-witness",
            [
                "nfc", "write", "--taps", "\(wanted)", "--pause", "100", "--seconds", "120", "--device",
                readers.connstring("device"), "00112233445566778899aabbccddeeff",
            ], as: "write", within: 150)
        guard code == 0 else { throw ProgramRunner.Failure(description: "no taps:\n\(runner.tail(of: "write"))") }
        struct Line: Decodable {
            let event: String
            let role: String?
            let milliseconds: Double?
            let exchanges: Int?
        }
        let lines = try String(contentsOfFile: runner.path("log/read.log"), encoding: .utf8).split(separator: "\n")
            .compactMap { try? JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        // The main role: the device calls.
        let taps = lines.filter { $0.role == "target" }
        let times = taps.compactMap(\.milliseconds).sorted()
        let exchanges = taps.compactMap(\.exchanges).sorted()
        guard !times.isEmpty else { throw ProgramRunner.Failure(description: "no taps in the main role") }
        let all = lines.filter { $0.event == "tap" }.count
        let frames = Double(try readers.statistics()["rf"] ?? 0) / Double(max(all, 1))
        return (times[times.count / 2], frames, exchanges[exchanges.count / 2])
    }
}
