import Camera
import CodeReader
import Glibc
import Luma
import Scene

/// This project's reader for Benchmarks/recognition/compare.py.
///
///   recognition-benchmark serve      answers lines "KIND<tab>SYMBOLOGIES<tab>FILE" of standard input with a line of JSON
///                                    each; KIND is still, or stream (the picture thirty times, as a camera shows it)
///   recognition-benchmark streams N  reads drawn streams of N seeds: one line of JSON for each (see StreamTrial)
///   recognition-benchmark damaged N [qr|datamatrix|code128|code93|code39]
///                                    reads N damaged symbols (Data Matrix) of 32 hexadecimal digits, and fails when one gives
///                                    another value (see DamagedSymbol and DamagedBars)
///   recognition-benchmark frames     what a frame of a 1280x720 stream costs (see FrameTimes)
///
/// Times are CPU time of the reading thread, in milliseconds; decoding the file is not counted.
@main
enum RecognitionBenchmark {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch (arguments.first, arguments.count) {
        case ("serve", 1): Server().run()
        case ("streams", 2): StreamTrial.runAll(seeds: UInt64(arguments[1]) ?? 1)
        case ("frames", 1): FrameTimes.run()
        case ("damaged", 2), ("damaged", 3):
            let name = arguments.count > 2 ? arguments[2] : SceneSymbol.Kind.dataMatrix.rawValue
            guard let trial = DamageTrial(name) else { fallthrough }
            exit(trial.run(count: UInt64(arguments[1]) ?? 1000) ? 0 : 1)
        default:
            say(
                "usage: recognition-benchmark serve | streams SEEDS | frames | damaged COUNT [SYMBOLOGY]",
                to: STDERR_FILENO)
            exit(2)
        }
    }
}

/// Writes a line at once: whoever asked is waiting for it.
func say(_ line: String, to descriptor: Int32 = STDOUT_FILENO) {
    let bytes = Array((line + "\n").utf8)
    var written = 0
    while written < bytes.count {
        let count = bytes[written...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 else { exit(1) }
        written += count
    }
}

/// CPU time of this thread, in milliseconds.
func threadTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
}

/// Runs what is timed.
func timed<Result>(_ body: () -> Result) -> (result: Result, milliseconds: Double) {
    let start = threadTime()
    let result = body()
    return (result, threadTime() - start)
}

extension [Reading] {
    /// `[["qr", "<the value's bytes in hexadecimal>"], ...]`
    var json: String {
        let items = map { reading in
            let hex = reading.value.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            return "[\"\(reading.symbology.rawValue)\", \"\(hex)\"]"
        }
        return "[" + items.joined(separator: ", ") + "]"
    }
}
