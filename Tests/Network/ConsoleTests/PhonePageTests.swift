import Foundation
import KeyService
import Logging
import Participant
import SRUP
import ServiceLifecycle
import Synchronization
import TestNetwork
import Testing

@testable import C2
@testable import Console
@testable import Operators
@testable import PhoneObserver

/// An operator's phone as an observer, by its page.
@Suite struct PhonePageTests {
    private let other = [UInt8](repeating: 0xAB, count: 16)

    // MARK: Joins

    @Test func aDeviceWhoseCodeAFrameShowsIsLetInInTheOperatorsName() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        let id = PhoneScene.Places.id("moderate")
        #expect(try await phone.page().contains("It looks as the observer \(id.hex)"))
        let device = try await scene.sensor(0xD1)
        let page = try await phone.page()
        #expect(page.contains("id=\"look-d1\"") && page.contains("sensor"))
        let shown = try #require(device.shown)
        let answer = try await phone.frame(try PhoneScene.picture(of: shown))
        #expect(answer.status == 200 && answer.text.contains("\"kind\":\"valid\""))
        #expect(answer.text.contains("\"watches\":0"))
        #expect(device.member.isJoined)
        #expect(try await phone.page().contains("<span class=\"state yes\">VALID</span>"))
        let audit = try scene.scene.server.participant.state.auditLog(last: 20)
        #expect(audit.contains { $0.event == "verdict" && $0.by == "moderate" && $0.subject == device.id })
        #expect(
            audit.contains { $0.event == "joined" && $0.by == "moderate" && $0.detail.contains("phone of moderate") })
        #expect(
            audit.contains { $0.event == "trusted" && $0.by == "moderate" && $0.detail.contains("phone of moderate") })
        let join = try #require(try scene.server.store.joins(of: device.id, limit: 1).first)
        #expect(join.ending?.by == "moderate" && join.observer == id)
    }

    @Test func aPhotoLetsItInWithoutScript() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        let device = try await scene.sensor(0xD1)
        let first = try await phone.photo(PhoneScene.empty)
        #expect(first.status == 303 && first.place == "/phone")
        #expect(try await phone.page().contains("No code was found"))
        #expect(!device.member.isJoined)
        _ = try await phone.photo(try PhoneScene.picture(of: try #require(device.shown)))
        #expect(device.member.isJoined)
        #expect(try await phone.page().contains("d1 shows its value: VALID."))
    }

    @Test func aTagThatThePhoneReadsCountsAsOneSeen() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        let device = try await scene.sensor(0xD1)
        let text: [String: String] = ["Content-Type": "text/plain"]
        #expect(try await phone.send("/phone/tap", Array("https://example.net".utf8), text).text.contains("other-code"))
        let wrong = Array(String(repeating: "ab", count: 16).utf8)
        #expect(try await phone.send("/phone/tap", wrong, text).text.contains("other-value"))
        #expect(try await phone.send("/phone/tap", [UInt8](repeating: 0x61, count: 513), text).status == 413)
        #expect(!device.member.isJoined)
        let value = try #require(device.shown).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(try await phone.send("/phone/tap", Array(value.utf8), text).text.contains("\"valid\""))
        #expect(device.member.isJoined)
    }

    @Test func oneWrongPictureIsNoProofAndLetsNobodyIn() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        let device = try await scene.sensor(0xD1)
        await scene.advance(by: .seconds(30))
        for _ in 0..<3 {
            _ = try await phone.photo(try PhoneScene.picture(of: other))
            #expect(try await phone.page().contains("of no device that is to be looked at"))
            await scene.advance(by: .seconds(5))
        }
        #expect(!device.member.isJoined && device.shown != nil)
        #expect(scene.network.answers(to: device.id, from: TestServer.id).last != .joinFail)
    }

    @Test func anotherValueThatStaysIsInvalid() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        let device = try await scene.sensor(0xD1)
        for _ in 0..<40 {
            _ = try await phone.frame(PhoneScene.empty)
            await scene.advance(by: .milliseconds(500), step: .milliseconds(250))
        }
        var kinds: [String] = []
        let wrong = try PhoneScene.picture(of: other)
        for _ in 0..<20 {
            let answer = try await phone.frame(wrong)
            kinds.append(String(answer.text.prefix(20)))
            if answer.text.contains("\"invalid\"") { break }
            await scene.advance(by: .milliseconds(500), step: .milliseconds(250))
        }
        // Not at its first sight, and not late.
        #expect(kinds.count > 5 && kinds.count < 20)
        #expect(scene.network.answers(to: device.id, from: TestServer.id).last == .joinFail)
        #expect(!device.member.isJoined)
        #expect(try await phone.page().contains("<span class=\"state no\">INVALID</span>"))
    }

    @Test func aValueThatWasThereBeforeTheDeviceAskedDeniesNothing() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        let device = try await scene.sensor(0xD1)
        // A poster, from the first picture on.
        let poster = try PhoneScene.picture(of: other)
        for _ in 0..<60 {
            let answer = try await phone.frame(poster)
            #expect(answer.text.contains("other-value"))
            await scene.advance(by: .milliseconds(500), step: .milliseconds(250))
        }
        _ = try await phone.frame(try PhoneScene.picture(of: try #require(device.shown)))
        #expect(device.member.isJoined)
    }

    @Test func withoutAPictureInTimeItIsFailedAndTriedAgain() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        let device = try await scene.sensor(0xD1)
        let first = try #require(device.shown)
        for _ in 0..<5 {
            _ = try await phone.send("/phone/beat", [])
            await scene.advance(by: .seconds(18))
        }
        #expect(try await phone.page().contains("FAILED"))
        let second = try #require(device.shown)
        #expect(first != second)
        _ = try await phone.frame(try PhoneScene.picture(of: first))
        #expect(!device.member.isJoined)
        _ = try await phone.frame(try PhoneScene.picture(of: second))
        #expect(device.member.isJoined)
    }

    @Test func severalDevicesAreLookedAtAtOnce() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        var devices: [TestDevice] = []
        for number in 0xD1...0xD3 as ClosedRange<UInt64> { devices.append(try await scene.sensor(number)) }
        let page = try await phone.page()
        for device in devices { #expect(page.contains("id=\"look-\(device.id.hex)\"")) }
        for device in devices.reversed() {
            let answer = try await phone.frame(try PhoneScene.picture(of: try #require(device.shown)))
            #expect(answer.text.contains("\(device.id.hex) shows its value"))
        }
        #expect(devices.allSatisfy { $0.member.isJoined })
    }

    @Test func withNobodyToLookAtNoPictureIsDecoded() async throws {
        let count = Mutex(0)
        let scene = try await PhoneScene(examine: { _ in
            count.withLock { $0 += 1 }
            return PictureReport()
        })
        defer { scene.close() }
        let phone = try await scene.phone()
        #expect(try await phone.frame(PhoneScene.empty).text.contains("\"nobody\""))
        #expect(count.withLock { $0 } == 0)
    }

    // MARK: Trust

    private func isTrusted(_ scene: PhoneScene, _ name: String = "moderate") throws -> Bool {
        try scene.server.store.trusted().contains(PhoneScene.Places.id(name))
    }

    @Test func itIsTrustedFromOpeningToClosing() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let before = try await scene.scene.browser(.moderate).get("/phone")
        #expect(before.text.contains("It does not look now"))
        #expect(try !isTrusted(scene))
        let phone = try await scene.phone()
        #expect(try isTrusted(scene))
        let answer = try await phone.browser.submit("/phone", "/phone/close", [])
        #expect(answer.status == 303)
        #expect(try !isTrusted(scene))
        #expect(scene.places.ended == 1)
        let audit = try scene.scene.server.participant.state.auditLog(last: 3)
        #expect(audit.contains { $0.event == "distrusted" && $0.by == "moderate" })
        // What comes late counts for nothing.
        #expect(try await phone.frame(PhoneScene.empty).status == 409)
        #expect(try await phone.photo(PhoneScene.empty).status == 409)
        #expect(try await phone.send("/phone/beat", []).status == 409)
        #expect(try !isTrusted(scene))
        // And it opens again, as the same observer.
        _ = try await scene.phone()
        #expect(try isTrusted(scene))
        #expect(scene.places.begun == 2)
    }

    @Test func aMinuteOfSilenceEndsTheTrust() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        await scene.advance(by: .seconds(50))
        #expect(try await phone.send("/phone/beat", []).status == 200)
        await scene.advance(by: .seconds(50))
        #expect(try await phone.frame(PhoneScene.empty).status == 200)
        await scene.advance(by: .seconds(50))
        #expect(try isTrusted(scene))
        await scene.advance(by: .seconds(15))
        #expect(try !isTrusted(scene))
        #expect(try await phone.page().contains("It does not look now"))
    }

    @Test func theEndOfTheSessionEndsTheTrust() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        _ = try await phone.browser.submit("/phone", "/sign-out", [])
        await scene.advance(by: .seconds(2))
        #expect(try !isTrusted(scene))
    }

    @Test func whoHasTheRoleNoMoreHasNoPhone() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        try scene.scene.operators.setRole(.look, of: try #require(OperatorName("moderate")))
        #expect(try await phone.frame(PhoneScene.empty).status >= 400)
        await scene.advance(by: .seconds(2))
        #expect(try !isTrusted(scene))
    }

    @Test func aClosedPageFailsTheJoinsThatWaitForIt() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        let device = try await scene.sensor(0xD1)
        let shown = try #require(device.shown)
        _ = try await phone.browser.submit("/phone", "/phone/close", [])
        await scene.network.settle()
        #expect(scene.network.answers(to: device.id, from: TestServer.id).contains(.joinFail))
        #expect(device.shown != shown)
    }

    @Test func trustThatIsTakenBackMeanwhileCounts() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        let device = try await scene.sensor(0xD1)
        try await scene.server.setTrust(false, of: PhoneScene.Places.id("moderate"), by: "administer")
        #expect(try await phone.page().contains("taken back the trust"))
        _ = try await phone.frame(try PhoneScene.picture(of: try #require(device.shown)))
        #expect(!device.member.isJoined)
    }

    @Test func whatAnEarlierRunHasLeftTrustedIsNot() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let left = PhoneScene.Places.id("administer")
        try scene.server.store.trust(left, now: 1)
        try scene.server.store.trust(DeviceID(0x77), now: 1)
        await scene.desk.begin()
        #expect(try scene.server.store.trusted() == [DeviceID(0x77)])
    }

    @Test func aServerThatStopsLeavesNoPhoneTrusted() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        try scene.server.store.trust(PhoneScene.Places.id("administer"), now: 1)
        let group = ServiceGroup(
            services: [scene.desk], gracefulShutdownSignals: [],
            logger: Logger(label: "group") { _ in SwiftLogNoOpLogHandler() })
        let running = Task { try await group.run() }
        // What an earlier run has left is taken back first.
        while try isTrusted(scene, "administer") { await Task.yield() }
        let phone = try await scene.phone()
        #expect(try isTrusted(scene))
        await group.triggerGracefulShutdown()
        try await running.value
        #expect(try !isTrusted(scene))
        #expect(scene.places.ended == 1)
        // And nobody opens another one in its last moments.
        let answer = try await phone.browser.submit("/phone", "/phone/open", [])
        #expect(answer.status == 503 || answer.status == 429)
        #expect(try !isTrusted(scene))
    }

    @Test func noMorePhonesThanThereIsRoomFor() async throws {
        let scene = try await PhoneScene { $0.phones = 1 }
        defer { scene.close() }
        let phone = try await scene.phone(.moderate)
        let browser = try await scene.scene.browser(.administer)
        #expect(try await browser.submit("/phone", "/phone/open", []).status == 429)
        #expect(try !isTrusted(scene, "administer"))
        // Twice the same is one.
        #expect(try await phone.browser.post("/phone/open", [("token", phone.token)]).status == 303)
        #expect(scene.places.begun == 1)
        await scene.desk.close("moderate")
        _ = try await scene.phone(.administer)
        #expect(try isTrusted(scene, "administer"))
    }

    @Test func theAuthorityIsOfferedToEverybody() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let stranger = ConsoleScene.Browser(scene: scene.scene)
        #expect(try await stranger.get("/ca.crt").status == 404)
        let path = scene.network.folder + "/ca.crt"
        let folder = scene.network.folder + "/authority"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        let authority = try Authority.create(in: folder, name: "Test")
        try authority.certificate.write(toFile: path, atomically: true, encoding: .utf8)
        var settings = scene.scene.console.settings
        settings.authorityFile = path
        try scene.scene.use(scene.desk, settings)
        let answer = try await stranger.get("/ca.crt")
        #expect(answer.status == 200 && answer.text == authority.certificate)
        #expect(answer.headers[.contentType] == "application/x-x509-ca-cert")
        let print = try #require(Certificate.fingerprint(authority.certificate))
        #expect(print.count == 95 && print.split(separator: ":").count == 32)
        let page = try await scene.scene.browser(.moderate).get("/phone")
        #expect(page.text.contains(print) && page.text.contains("href=\"/ca.crt\""))
        #expect(Certificate.fingerprint("no certificate") == nil)
    }

    @Test func eachOperatorHasAPhoneOfTheirOwn() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let (mia, anna) = (try await scene.phone(.moderate), try await scene.phone(.administer))
        let names = await scene.desk.openNames
        #expect(names == ["administer", "moderate"])
        for name in ["moderate", "administer"] { #expect(try isTrusted(scene, name)) }
        let device = try await scene.sensor(0xD1)
        let pages = [try await mia.page(), try await anna.page()].map { $0.contains("id=\"look-d1\"") }
        #expect(pages.count { $0 } == 1)
        // Who was not asked has nothing to say.
        let (asked, idle) = pages[0] ? (mia, anna) : (anna, mia)
        let picture = try PhoneScene.picture(of: try #require(device.shown))
        #expect(try await idle.frame(picture).text.contains("\"nobody\""))
        #expect(!device.member.isJoined)
        #expect(try await asked.frame(picture).text.contains("\"valid\""))
    }

    // MARK: Who may, and how much

    @Test func onlyWhoMayModerateHasAPhone() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let looking = try await scene.scene.browser(.look)
        #expect(try await looking.get("/phone").status == 403)
        let links = try await looking.get("/waiting").text
        #expect(!links.contains("href=\"/phone\""))
        let token = try scene.scene.session(of: looking).forms.token(for: "phone")
        #expect(try await looking.post("/phone/open", [("token", token)]).status == 403)
        #expect(try await ConsoleScene.Browser(scene: scene.scene).get("/phone").status == 401)
        for path in ["open", "close", "frame", "photo", "tap", "beat"] {
            #expect(try await ConsoleScene.Browser(scene: scene.scene).post("/phone/\(path)", []).status == 401)
            // From a foreign page, and without a token of this one.
            let phone = try await scene.scene.browser(.moderate)
            #expect(try await phone.post("/phone/\(path)", [], ["Origin": "https://evil.example"]).status == 403)
            #expect(try await phone.post("/phone/\(path)", [("token", "x")], ["X-Form-Token": "x"]).status >= 400)
        }
        let names = await scene.desk.openNames
        #expect(names.isEmpty)
        #expect(scene.places.begun == 0)
    }

    @Test func aPhotoWithAForeignTokenIsNotLookedAt() async throws {
        let count = Mutex(0)
        let scene = try await PhoneScene(examine: { _ in
            count.withLock { $0 += 1 }
            return PictureReport()
        })
        defer { scene.close() }
        let phone = try await scene.phone()
        _ = try await scene.sensor(0xD1)
        #expect(try await phone.photo(PhoneScene.empty, token: "abc").status == 403)
        #expect(try await phone.send("/phone/frame", PhoneScene.empty, ["X-Form-Token": "abc"]).status == 403)
        #expect(count.withLock { $0 } == 0)
        #expect(try await phone.photo(PhoneScene.empty).status == 303)
        #expect(count.withLock { $0 } == 1)
    }

    @Test func tooManyPicturesAreRefusedAndOthersPayNothing() async throws {
        let scene = try await PhoneScene { limits in
            limits.burst = 4
            limits.perSecond = 2
        }
        defer { scene.close() }
        let (mia, anna) = (try await scene.phone(.moderate), try await scene.phone(.administer))
        for _ in 0..<4 { #expect(try await mia.frame(PhoneScene.empty).status == 200) }
        let refused = try await mia.frame(PhoneScene.empty)
        #expect(refused.status == 429 && refused.headers[.retryAfter] == "1")
        #expect(try await mia.photo(PhoneScene.empty).status == 429)
        #expect(try await anna.frame(PhoneScene.empty).status == 200)
        await scene.advance(by: .seconds(1))
        #expect(try await mia.frame(PhoneScene.empty).status == 200)
    }

    /// Holds pictures until it is told to go on.
    private final class Gate: Sendable {
        private struct State {
            var waiting: [CheckedContinuation<Void, Never>] = []
            var running = 0
            var most = 0
            var isOpen = false
        }
        private let state = Mutex(State())
        var running: Int { state.withLock { $0.running } }
        var most: Int { state.withLock { $0.most } }

        func pass() async {
            await withCheckedContinuation { continuation in
                let isOpen = state.withLock { state in
                    state.running += 1
                    state.most = max(state.most, state.running)
                    if !state.isOpen { state.waiting.append(continuation) }
                    return state.isOpen
                }
                if isOpen { continuation.resume() }
            }
            state.withLock { $0.running -= 1 }
        }

        func open() {
            let all = state.withLock { state in
                state.isOpen = true
                defer { state.waiting.removeAll() }
                return state.waiting
            }
            for one in all { one.resume() }
        }
    }

    @Test func onlyAFewPicturesAreDecodedAtOnce() async throws {
        let gate = Gate()
        let scene = try await PhoneScene(
            limits: { limits in
                limits.ofOne = 5
                limits.decoding = 2
            },
            examine: { _ in
                await gate.pass()
                return PictureReport()
            })
        defer { scene.close() }
        _ = try await scene.phone()
        _ = try await scene.sensor(0xD1)
        let desk = scene.desk
        let looks = (0..<5).map { _ in
            Task {
                while true {
                    do {
                        return try await desk.look("moderate", by: .camera) { [1, 2, 3] }
                    } catch PhoneError.tooMany {
                        // The one below had its place for a moment.
                        await Task.yield()
                    }
                }
            }
        }
        while gate.running < 2 { await Task.yield() }
        // The sixth finds no place.
        var refused: PhoneError?
        while refused == nil {
            do {
                _ = try await desk.look("moderate", by: .camera) { throw PhoneError.tooLarge }
            } catch let error as PhoneError {
                if case .tooMany = error { refused = error }
            }
        }
        #expect(refused == .tooMany(1))
        gate.open()
        for look in looks { #expect(try await look.value.word == "nothing") }
        #expect(gate.most == 2)
        let left = await desk.decodingNow
        #expect(left == 0)
        #expect(try await desk.look("moderate", by: .photo) { [] }.word == "nothing")
    }

    @Test func aPictureThatIsStillLookedAtWhenThePageClosesCountsForNothing() async throws {
        let gate = Gate()
        let value = Mutex<[UInt8]>([])
        let scene = try await PhoneScene(examine: { _ in
            await gate.pass()
            var report = PictureReport()
            report.seen = [.init(value: value.withLock { $0 }, how: "qr at 0,0 to 9,9 of 64x64")]
            return report
        })
        defer { scene.close() }
        let phone = try await scene.phone()
        let device = try await scene.sensor(0xD1)
        value.withLock { $0 = device.shown ?? [] }
        let desk = scene.desk
        let look = Task { try await desk.look("moderate", by: .camera) { [1] } }
        while gate.running < 1 { await Task.yield() }
        _ = try await phone.browser.submit("/phone", "/phone/close", [])
        gate.open()
        await #expect(throws: PhoneError.notOpen) { try await look.value }
        await scene.network.settle()
        #expect(!device.member.isJoined)
    }

    @Test func aPictureThatCannotBeLookedAtIsNoVerdict() async throws {
        struct Died: Error {}
        let scene = try await PhoneScene(examine: { _ in throw Died() })
        defer { scene.close() }
        let phone = try await scene.phone()
        let device = try await scene.sensor(0xD1)
        #expect(try await phone.frame(PhoneScene.empty).text.contains("\"failed\""))
        #expect(!device.member.isJoined && device.shown != nil)
        #expect(try await phone.page().contains("could not be looked at"))
    }

    @Test func whatIsNoPictureIsSaidToBeNone() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        _ = try await scene.sensor(0xD1)
        for bytes in [[], Array("GIF89a".utf8), [0xFF, 0xD8, 0xFF], Array("P5 99999999 1 255\n".utf8)] as [[UInt8]] {
            #expect(try await phone.frame(bytes).text.contains("\"unusable\""))
        }
        let tooDark = Array("P5\n64 64\n255\n".utf8) + [UInt8](repeating: 9, count: 4096)
        #expect(try await phone.frame(tooDark).text.contains("make more light"))
        #expect(try await phone.page().contains("make more light"))
    }

    @Test func sizesAreBounded() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        let large = [UInt8](repeating: 0x0D, count: 20 << 20)
        #expect(try await phone.frame(Array(large.prefix((2 << 20) + 1))).status == 413)
        #expect(try await phone.photo(large).status == 413)
        #expect(try await phone.send("/phone/frame", [1], ["Content-Length": "99999999"]).status == 413)
        // The same as often as one likes: no place is lost.
        for _ in 0..<10 { #expect(try await phone.frame(Array(large.prefix((2 << 20) + 1))).status == 413) }
        #expect(try await phone.frame(PhoneScene.empty).status == 200)
    }

    @Test func formsThatNoPageHasSentAreRefused() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        let plain = ["X-Form-Token": "", "Content-Type": "application/x-www-form-urlencoded"]
        #expect(try await phone.send("/phone/photo", Array("token=x".utf8), plain).status == 415)
        let multipart = ["X-Form-Token": "", "Content-Type": "multipart/form-data; boundary=x-x"]
        #expect(try await phone.send("/phone/photo", Array("--y\r\n".utf8), multipart).status == 400)
        let noFile = PhoneScene.multipart([("token", nil, Array(phone.token.utf8))])
        #expect(try await phone.send("/phone/photo", noFile, multipart).status == 422)
        let empty = PhoneScene.multipart([("token", nil, Array(phone.token.utf8)), ("photo", "", [])])
        #expect(try await phone.send("/phone/photo", empty, multipart).status == 422)
    }

    @Test func anIdentityThatCannotBeMadeIsSaid() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        scene.places.isBroken = true
        let browser = try await scene.scene.browser(.moderate)
        let answer = try await browser.submit("/phone", "/phone/open", [])
        #expect(answer.status == 503 && answer.text.contains("key_service.open"))
        #expect(try !isTrusted(scene))
        scene.places.isBroken = false
        _ = try await scene.phone()
        #expect(try isTrusted(scene))
    }

    // MARK: The page

    @Test func textFromDevicesIsEscaped() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        try scene.scene.server.know(DeviceID(0xD1), type: "<script>alert(1)</script>")
        _ = try await TestDevice(DeviceID(0xD1), scene.network)
        await scene.network.settle()
        let page = try await phone.page()
        #expect(page.contains("id=\"look-d1\"") && !page.contains("<script>alert"))
    }

    @Test func theScriptIsAFileOfItsOwn() async throws {
        let scene = try await PhoneScene()
        defer { scene.close() }
        let phone = try await scene.phone()
        let page = try await phone.page()
        #expect(page.contains("<script src=\"/assets/phone.js?\(Assets.version)\" defer></script>"))
        #expect(!page.contains("<script>") && !page.contains("onclick") && !page.contains("style=\""))
        let script = try await phone.browser.get("/assets/phone.js")
        #expect(script.status == 200 && script.headers[.contentType] == "text/javascript; charset=utf-8")
        // Whoever has no phone page is offered none.
        let plain = try await ConsoleScene()
        defer { plain.close() }
        let browser = try await plain.browser(.administer)
        #expect(try await browser.get("/phone").status == 404)
        let links = try await browser.get("/waiting").text
        #expect(!links.contains("href=\"/phone\""))
    }
}
