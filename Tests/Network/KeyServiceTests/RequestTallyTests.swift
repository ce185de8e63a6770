import SRUP
import Storage
import Testing

@testable import KeyService
@testable import Participant

/// What monitoring is told of a key service.
@Suite struct RequestTallyTests {
    @Test func stepsAreCountedAndWhatStrangersMakeUpIsOne() {
        let tally = RequestTally()
        for path in [
            "/KeyEx/register/register", "/v4/KeyEx/register/register", "/KeyEx/register/get_key/b1",
            "/KeyEx/register/nothing", "/", "", "/register", "/v4/register", "/KeyEx/register",
            "//KeyEx//register//status",
        ] {
            tally.count(path, 200)
        }
        func count(_ step: String) -> UInt64? { tally.counted[.init(step: step, status: 200)] }
        #expect(count("register") == 2 && count("get_key") == 1 && count("status") == 1 && count("other") == 6)
        for number in 0..<1000 { tally.count("/x\(number)", 404) }
        #expect(tally.counted.count == 5)
    }

    @Test func aServerCountsWhatItAnswersAndWhoIsRegistered() async throws {
        try await Rig.with { rig in
            let folder = rig.folder + "/device"
            _ = try await Registrar.register(
                at: rig.url, authorityFile: rig.ca, type: "sensor", folder: folder, progress: { _ in })
            let state = try KeyServiceState(path: rig.statePath)
            let counts = try state.counts()
            #expect(counts.all >= 2 && counts.joined <= counts.all)
            let (identity, _) = try Identity.load(from: folder)
            try state.markJoined([identity.id], now: 5)
            #expect(try state.counts().joined == counts.joined + 1)
        }
    }
}
