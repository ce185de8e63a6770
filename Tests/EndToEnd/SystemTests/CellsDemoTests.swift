import Foundation
import TestProcesses
import Testing

/// Three cells with the real programs, as root each in a network namespace of its own. The demo ends with 0 only when each kill
/// was followed by answers of another server, and the frozen one has written nothing.
@Suite(
    .serialized,
    .enabled(if: PostgresServer.missing == nil, "PostgreSQL is not installed: deploy/setup --tests installs it"))
struct CellsDemoTests {
    @Test func theDemoOfCellsEndsAsItShould() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let demo = [ProgramRunner.ownFolder + "/srup-demo", "--cells", "--kills", "1"]
        // What makes networks is of the project's tree, not beside the programs.
        let network = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "../../../deploy/cells-network"
        ).standardizedFileURL.path
        let mayMakeNetworks =
            geteuid() == 0 && FileManager.default.isExecutableFile(atPath: network)
            && (try? runner.run("unshare", ["--net", "--mount", "true"], as: "try")) == 0
        let code =
            mayMakeNetworks
            ? try runner.run(network, demo, as: "demo", within: 540)
            : try runner.run("srup-demo", Array(demo.dropFirst()), as: "demo", within: 540)
        let said = try String(contentsOfFile: runner.path("log/demo.log"), encoding: .utf8)
        #expect(code == 0, "\(said.suffix(4000))")
        for line in [
            mayMakeNetworks ? "each a network namespace" : "on ports of this machine",
            "another works the cell, and answers",
            "it has written nothing", "the logs of all cells are as they were written",
        ] {
            #expect(said.contains(line), "\(line)")
        }
    }
}
