import Foundation

/// Where `swift build` has put our programs: beside the tests.
let binaries = URL(
    fileURLWithPath: (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
).deletingLastPathComponent().path
