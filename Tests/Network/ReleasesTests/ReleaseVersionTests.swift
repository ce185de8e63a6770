import Releases
import Testing

@Suite("Versions of releases")
struct ReleaseVersionTests {
    @Test("are ordered by number, then by trial, as Semantic Versioning orders them")
    func order() throws {
        let texts = [
            "0", "0.0.1", "0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
            "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.0.1", "1.2", "1.10", "2", "999999999",
        ]
        let versions = try texts.map { try #require(ReleaseVersion($0)) }
        for (index, version) in versions.enumerated() {
            for (other, later) in versions.enumerated() {
                #expect((version < later) == (index < other), "\(version) \(later)")
                #expect((version == later) == (index == other), "\(version) \(later)")
            }
        }
    }

    @Test("without their zeros are the same version")
    func zeros() {
        #expect(ReleaseVersion("1.2") == ReleaseVersion("1.2.0.0"))
        #expect(ReleaseVersion("1.2-a")?.hashValue == ReleaseVersion("1.2.0-a")?.hashValue)
        #expect(ReleaseVersion("1.2.0")?.description == "1.2.0")
    }

    @Test(
        "are nothing else",
        arguments: [
            "", ".", "1.", ".1", "1..2", "1.2.3.4.5", "01", "1.02", "-1", "1-", "1-a..b", "1-01", "1-a_b", "1.2.3+4",
            "v1", "1 ", " 1", "1\n", "1,2", "\u{0661}", "4294967296", "1.9999999999", "1-é", "1-@", "1-[",
            String(repeating: "1.", count: 40),
        ])
    func malformed(_ text: String) { #expect(ReleaseVersion(text) == nil) }
}
