import Foundation
import Program
import Testing

@Suite struct ControlSocketTests {
    /// On a file system that is read-only an abandoned socket cannot be removed, and binding to it says "in use"; here it is a
    /// folder that cannot be.
    @Test func whatCannotBeReplacedIsNotCalledInUse() throws {
        let path = NSTemporaryDirectory() + "socket-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let failure = #expect(throws: ControlSocket.Failure.self) { try ControlSocket(path: path) { "" } }
        #expect(failure?.description == "\(path) cannot be replaced: it is not a socket")
    }
}
