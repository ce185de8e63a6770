import FuzzTargets
import Glibc

/// The entry of libFuzzer (https://llvm.org/docs/LibFuzzer.html), which brings `main` and makes inputs by what code they
/// reach. Built and started by Tests/Lanes/Fuzz/run.
private let target: FuzzTarget = {
    let name = getenv("SRUP_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        print("SRUP_FUZZ_TARGET is none of \(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))")
        exit(2)
    }
    return target
}()

/// What libFuzzer calls with each input; always 0 (https://llvm.org/docs/LibFuzzer.html#fuzz-target).
@_cdecl("LLVMFuzzerTestOneInput")
public func feed(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    do {
        try target.feed(Array(UnsafeBufferPointer(start: bytes, count: count)))
    } catch {
        // libFuzzer keeps the input of what ends the program.
        print("\(target.rawValue): \(error)")
        fflush(nil)
        abort()
    }
    return 0
}
