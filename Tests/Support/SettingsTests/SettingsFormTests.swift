import Settings
import Testing

@Suite struct SettingsFormTests {
    @Test(arguments: [
        "https://c2.example.net:8443", "https://c2", "https://192.0.2.7:1", "https://[::1]:8443",
        "https://[2001:db8::1]",
        "https://c2.example.net/", "https://c2_x.example.net:8443/KeyEx", "https://localhost:65535/a/b%20c",
    ]) func addressesOfAKeyServiceAreTaken(_ text: String) { #expect(SettingsForm.isHTTPS(text)) }

    @Test(arguments: [
        "", "https://", "http://c2", "c2.example.net", "https://:8443", "https://c2:0", "https://c2:65536",
        "https://c2:",
        "https://c2:8443x", "https://c2:+1", "https://::1:8443", "https://[::1", "https://[]:1", "https://[::1]8443",
        "https://[c2]:1", "https://[192.0.2.7]", "https://user@c2", "https://c2?x", "https://c2#x", "https://c2 x",
        "https://c2\n", "https://256.1.1.1", "https://1.2.3", "https://-c2", "https://c2-.net", "https://c2..net",
        "https://c2.", "https://é.net", "HTTPS://c2", "https:///KeyEx", "https://\(String(repeating: "a", count: 64))",
    ]) func othersAreNot(_ text: String) { #expect(!SettingsForm.isHTTPS(text)) }

    @Test func hostsStandInAddressesAsTheyMust() {
        #expect(SettingsForm.inURL("::1") == "[::1]" && SettingsForm.inURL("c2") == "c2")
        #expect(SettingsForm.withoutBrackets("[::1]") == "::1" && SettingsForm.withoutBrackets("[c2]") == "[c2]")
        #expect(SettingsForm.isHost("[::1]") && SettingsForm.isHost("::1") && !SettingsForm.isHost("[c2]"))
    }
}
