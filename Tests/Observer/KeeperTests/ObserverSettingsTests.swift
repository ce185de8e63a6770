import SRUP
import Addresses
import Observation
import Settings
import Signals
import Testing

@testable import Keeper

/// The appliance's file: every key, its limits, and what is said when it is wrong.
@Suite struct ObserverSettingsTests {
    private func read(_ text: String) throws(SettingsError) -> ObserverSettings {
        var file = try SettingsFile(text: text, name: "x.toml")
        return try ObserverSettings(&file)
    }

    private func problem(_ text: String) -> String {
        do throws(SettingsError) {
            _ = try read(text)
            return ""
        } catch {
            return error.description
        }
    }

    @Test func anEmptyFileIsACameraWithTheUsualTimes() throws {
        let settings = try read("")
        #expect(settings.stateFolder == "/var/lib/srup-observer" && settings.rejoin == .seconds(600))
        #expect(settings.firstVersion == 5 && settings.logLevel == .info)
        #expect(settings.observers.count == 1)
        let observer = try #require(settings.observers.first)
        #expect(
            observer.name == "" && observer.stateFolder == settings.stateFolder && observer.deviceType == "observer")
        #expect(observer.keyServiceURL == nil && observer.authorityFile == nil && observer.server == nil)
        guard case .camera(let camera)? = observer.eyes.first, observer.eyes.count == 1 else {
            Issue.record("\(observer.eyes)")
            return
        }
        #expect(
            camera.device == .automatic && camera.width == 1280 && camera.height == 720 && camera.symbologies.isEmpty)
        #expect(settings.signal.display == nil && settings.signal.console == nil)
        #expect(settings.signal.led == .auto && settings.signal.buzzer == .none && !settings.signal.isActiveLow)
    }

    // MARK: Limits

    @Test(arguments: [
        ("server.rejoin", "\"1 s\"", "\"999 ms\""), ("server.rejoin", "\"24 h\"", "\"25 h\""),
        ("server.first_version", "4", "3"), ("server.first_version", "5", "6"),
        ("observe.timeout", "\"500 ms\"", "\"499 ms\""), ("observe.timeout", "\"1 h\"", "3601"),
        ("observe.invalid_after", "\"100 ms\"", "\"99 ms\""), ("observe.invalid_after", "600", "601"),
        ("observe.display_time", "0", "-1"), ("observe.display_time", "600", "600.5"),
        ("observe.settle", "0", "-0.1"), ("observe.settle", "60", "61"),
        ("observe.witness_grace", "0.5", "0.4"), ("observe.witness_grace", "3600", "3601"),
        ("camera.width", "64", "63"), ("camera.width", "8192", "8193"),
        ("camera.height", "64", "63"), ("camera.height", "8192", "8193"),
    ])
    func limitsAreTheLastThatIsTaken(_ key: String, _ good: String, _ bad: String) {
        let parts = key.split(separator: ".")
        #expect(problem("[\(parts[0])]\n\(parts[1]) = \(good)") == "")
        #expect(problem("[\(parts[0])]\n\(parts[1]) = \(bad)").hasPrefix("x.toml:2: \(key): must be"))
    }

    @Test func withAShortTimeoutTheDeviceHasHalfOfIt() throws {
        #expect(try read("[observe]\ntimeout = 10").rules.displayTime == .seconds(5))
        #expect(try read("[observe]\ntimeout = 10\ndisplay_time = 8").rules.displayTime == .seconds(8))
    }

    @Test(arguments: [
        ("log = \"loud\"", "x.toml:1: log: "), ("log = 3", "x.toml:1: log: "),
        ("state = \"\"", "x.toml:1: state: "), ("[server]\nid = \"B9\"", "x.toml:2: server.id: "),
        ("[registration]\nurl = \"http://c2\"", "x.toml:2: registration.url: "),
        ("[camera]\ndevice = \"/dev/sda\"\nx = 1", "x.toml:3: camera.x: "),
        ("[camera]\ndevice = \"webcam\"", "x.toml:2: camera.device: "),
        ("[camera]\nsymbologies = [\"qr\", \"aztec\"]", "x.toml:2: camera.symbologies: each must be one of"),
        ("[camera]\nsymbologies = \"qr\"", "x.toml:2: camera.symbologies: "),
        ("[camera]\nreaders = [\"own\", \"zxing\"]", "x.toml:2: camera.readers: each must be one of"),
        ("[camera]\nreaders = \"zbar\"", "x.toml:2: camera.readers: "),
        ("[nfc]\ndevice = \"pn533\"", "x.toml:2: nfc.device: "),
        ("[signal]\nbuzzer = \"auto\"", "x.toml:2: signal.buzzer: must be \"none\""),
        ("[signal]\nled = \"a/b\"", "x.toml:2: signal.led: "),
        ("[signal]\nactive_low = \"yes\"", "x.toml:2: signal.active_low: "),
        ("[registration]\nhosts = \"c2\"", "x.toml:2: registration.hosts: must be a list"),
        ("[registration]\nhosts = [\"https://c2\"]", "x.toml:2: registration.hosts: \"https://c2\" is no host"),
        ("[signal]\ndisplay = \"lcd\"", "x.toml:2: signal.display: must be \"none\" or oled"),
        ("[signal]\ndisplay = \"oled:0x99\"", "x.toml:2: signal.display: "),
        ("[signal]\nconsole = \"tty1\"", "x.toml:2: signal.console: "),
        ("[signal]\nconsole = \"/dev/../etc/passwd\"", "x.toml:2: signal.console: "),
        ("[obsreve]\ntimeout = 3", "x.toml:"),
    ])
    func whatIsWrongIsSaidWithItsPlace(_ text: String, _ place: String) {
        #expect(problem(text).hasPrefix(place), "\(problem(text))")
    }

    // MARK: Several observers

    private let two = """
        state = "/s"
        [registration]
        url = "https://c2"
        type = "eye"
        [[observer]]
        name = "door"
        [observer.camera]
        device = "/dev/video1"
        [[observer]]
        name = "desk-2"
        url = "https://other:1"
        type = "reader"
        server = "b7"
        [observer.nfc]
        """

    @Test func eachBlockIsAnObserverOfItsOwn() throws {
        let observers = try read(two).observers
        #expect(observers.map(\.name) == ["door", "desk-2"])
        #expect(observers.map(\.stateFolder) == ["/s/door", "/s/desk-2"])
        #expect(observers.map(\.keyServiceURL) == ["https://c2", "https://other:1"])
        #expect(observers.map(\.deviceType) == ["eye", "reader"])
        #expect(observers.map(\.server) == [nil, DeviceID(0xB7)])
        guard case .camera(let camera) = observers[0].eyes[0], case .nfc(let nfc) = observers[1].eyes[0] else {
            Issue.record("\(observers.map(\.eyes))")
            return
        }
        #expect(camera.device == .device("/dev/video1") && nfc.device == .auto)
    }

    @Test(arguments: ["", "Door", "a b", "../x", "a/b", "ä", String(repeating: "a", count: 33)])
    func aNameIsAFoldersNameToo(_ name: String) {
        #expect(problem("[[observer]]\nname = \"\(name)\"\n[observer.nfc]").contains("name"))
    }

    @Test func blocksThatCannotBeAreRefused() {
        #expect(problem(two + "\n[[observer]]\nname = \"door\"\n[observer.nfc]").contains("is used twice"))
        #expect(problem("[[observer]]\nname = \"a\"").contains("needs either [observer.camera] or [observer.nfc]"))
        #expect(
            problem("[[observer]]\nname = \"a\"\n[observer.nfc]\n[observer.camera]").contains("needs either"))
        #expect(problem("[camera]\n[[observer]]\nname = \"a\"\n[observer.nfc]").contains("as [observer.camera]"))
        #expect(problem("[[observer]]\n[observer.nfc]").contains("name"))
    }

    @Test func aBoxHoldsSixteen() throws {
        func blocks(_ count: Int) -> String {
            (0..<count).map { "[[observer]]\nname = \"o\($0)\"\n[observer.nfc]\n" }.joined()
        }
        #expect(try read(blocks(16)).observers.count == 16)
        #expect(problem(blocks(17)).contains("at most 16 blocks"))
    }

    @Test func bothEyesAreOneObservers() throws {
        #expect(try read("[camera]\n[nfc]").observers.map(\.eyes.count) == [2])
        #expect(try read("[nfc]").observers.map(\.eyes.count) == [1])
    }

    // MARK: The appliance

    @Test(arguments: [
        ("ssid = \"net\"\ncountry = \"DE\"", true),
        ("ssid = \"net\"\ncountry = \"DE\"\npassphrase = \"12345678\"", true),
        ("ssid = \"net\"\ncountry = \"DE\"\npassphrase = \"1234567\"", false),
        ("ssid = \"net\"\ncountry = \"DE\"\npassphrase = \"\(String(repeating: "x", count: 63))\"", true),
        ("ssid = \"net\"\ncountry = \"DE\"\npassphrase = \"\(String(repeating: "x", count: 64))\"", false),
        ("ssid = \"net\"\ncountry = \"DE\"\npassphrase = \"pässword\"", false),
        ("ssid = \"net\"\ncountry = \"de\"", false), ("ssid = \"net\"\ncountry = \"DEU\"", false),
        ("ssid = \"net\"", false),
        ("ssid = \"\"\ncountry = \"DE\"", false), ("country = \"DE\"", false),
        ("ssid = \"\(String(repeating: "s", count: 32))\"\ncountry = \"DE\"", true),
        ("ssid = \"\(String(repeating: "ü", count: 17))\"\ncountry = \"DE\"", false),
    ])
    func aNetworkIsNamedAsItMust(_ text: String, _ isGood: Bool) {
        #expect((problem("[wifi]\n" + text) == "") == isGood)
        #expect(!problem("[wifi]\n" + text).contains("pässword"), "a passphrase is never shown")
    }

    @Test func aPassphraseThatWasMovedIsStars() throws {
        let wifi = try read("[wifi]\nssid = \"n\"\ncountry = \"DE\"\npassphrase = \"********\"").appliance?.wifi
        #expect(wifi?.passphrase == nil && wifi?.isOpen == false)
        #expect(try read("[wifi]\nssid = \"n\"\ncountry = \"DE\"").appliance?.wifi?.isOpen == true)
        #expect(try read("").appliance?.wifi == nil)
    }

    @Test(arguments: ["door", "a", "a-b", "A1", String(repeating: "a", count: 63)])
    func hostNamesAreTaken(_ name: String) throws {
        #expect(try read("[appliance]\nhostname = \"\(name)\"").appliance?.hostname == name)
    }

    @Test(arguments: ["", "-a", "a-", "a.b", "a_b", "a b", "ä", "a:b", String(repeating: "a", count: 64)])
    func otherHostNamesAreNot(_ name: String) {
        #expect(problem("[appliance]\nhostname = \"\(name)\"").contains("appliance.hostname: must be "))
    }

    @Test(arguments: [
        ("ssh-ed25519 AAAAC3Nza me@here", true), ("ecdsa-sha2-nistp256 AAAAE2 x", true),
        ("sk-ssh-ed25519@openssh.com AAAAG x", true), ("ssh-ed25519", false), ("AAAA ssh-ed25519", false),
        ("ssh-ed25519 BBBB", false), ("-----BEGIN OPENSSH PRIVATE KEY-----", false),
        ("command=\\\"x\\\" ssh-ed25519 AAAA", false), ("ssh-ed25519 AAAA\\nssh-ed25519 AAAB", false),
    ])
    func oneKeyMayLogIn(_ key: String, _ isGood: Bool) {
        #expect((problem("[appliance]\nssh_key = \"\(key)\"") == "") == isGood)
    }
}
