import Foundation
import TestProcesses
import Testing

/// Updates with the real programs: key, manifests, server, broker, downloads over TLS, 20 devices that change over or fall
/// back. The demo ends with 0 only when what the server says of each device is what the device runs.
@Suite(.serialized) struct UpdateDemoTests {
    @Test func theDemoOfUpdatesEndsAsItShould() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let code = try runner.run("srup-demo", ["--update"], as: "demo", within: 540)
        let said = try String(contentsOfFile: runner.path("log/demo.log"), encoding: .utf8)
        #expect(code == 0, "\(said.suffix(4000))")
        for line in ["d01 runs 2.0.0 again", "the rollout has stopped by itself", "All as it should be"] {
            #expect(said.contains(line), "\(line)")
        }
        // The bar counts all devices, also those that were left out.
        let stopped = try #require(
            said.split(separator: "\n").last { $0.contains("stopped") && $0.contains("left out") })
        let updated = try #require(stopped.firstMatch(of: #/(\d+) updated/#).flatMap { Int($0.1) } ?? 0)
        #expect(stopped.count { $0 == "#" } == updated, "\(stopped)")
    }
}
