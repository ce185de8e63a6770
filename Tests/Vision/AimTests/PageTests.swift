import Foundation
import Luma
import Testing

@testable import AimPage

/// `srup-observer aim --web`, with the real curl and with raw sockets.
@Suite(.serialized) struct PageTests {
    @Test func whoHasTheTokenSeesThePageAndNobodyElse() throws {
        let run = try AimRun()
        try run.show(Drawing().frames(3))
        let url = try run.startPage()
        let token = try #require(URL(string: url)?.pathComponents.dropFirst().first)
        #expect(token.count == 32 && token.allSatisfy(\.isHexDigit))
        let page = try run.curl(url)
        #expect(page.status == 200 && page.header("Content-Type") == "text/html; charset=utf-8")
        #expect(page.header("Cache-Control") == "no-store" && page.header("Referrer-Policy") == "no-referrer")
        #expect(page.header("Content-Security-Policy")?.hasPrefix("default-src 'none'; script-src 'self'") == true)
        #expect(try run.curl(url + "page.js").status == 200)
        #expect(try run.curl(url + "page.css").status == 200)
        // The page asks for nothing outside.
        for part in ["", "page.js", "page.css"] {
            let text = String(decoding: try run.curl(url + part).body, as: UTF8.self)
            #expect(!text.contains("http:") && !text.contains("https:") && !text.contains("//"))
        }

        let root = String(url.dropLast(token.count + 1))
        let wrong = String(token.dropLast()) + (token.hasSuffix("0") ? "1" : "0")
        for path in [
            "", "frame?v=abcdefgh", "\(wrong)/", "\(wrong)/frame?v=abcdefgh", String(token.dropLast()) + "/", token,
            "\(token)/../", "\(token)/etc/passwd", "\(token)//", "%00", token.uppercased() + "X/",
            "\(token)/..%2f..%2fetc/passwd", "favicon.ico",
        ] {
            let answer = try run.curl(root + path, ["--path-as-is"])
            #expect(answer.status == 404 && answer.body == Data("not found\n".utf8), "\(path)")
        }
    }

    @Test func onlyGETIsAnswered() throws {
        let run = try AimRun()
        let url = try run.startPage()
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"] {
            let answer = try run.curl(url, ["-X", method])
            #expect(answer.status == 405 && answer.header("Allow") == "GET", "\(method)")
        }
        #expect(try run.curl(url, ["-I"]).status == 405)
        let large = run.runner.path("large")
        try Data(count: 5 << 20).write(to: URL(fileURLWithPath: large))
        #expect([405, 413, -1, 0].contains(try run.curl(url, ["--data-binary", "@\(large)"]).status))
        #expect(try run.curl(url).status == 200)
    }

    @Test func viewersGetPicturesWithWhatIsKnownAndNeverAReadableCode() throws {
        let run = try AimRun()
        // Codes that are read, that are too small, out of focus, and in a hurry.
        let drawings = [
            Drawing(), Drawing { $0.scene.defocus = 4 }, Drawing { $0.kind = .code128 }, Drawing { $0.module = 12 },
        ]
        let attacker = SafePictureTests.Attacker()
        try run.show(drawings[0].frames(2))
        let url = try run.startPage()
        var (sent, last) = (0, 0)
        for drawing in drawings {
            let frames = try drawing.frames(2)
            try run.show(frames)
            var pictures = 0
            // Of different frames, that is: what is left of them to be seen may well be the same.
            try run.wait("five pictures") {
                let answer = try run.curl(url + "frame?v=testtest")
                #expect(answer.status == 200)
                guard !answer.body.isEmpty else { return false }
                let state = try #require(answer.header("Aim-State"))
                let json = try #require(try JSONSerialization.jsonObject(with: Data(state.utf8)) as? [String: Any])
                let frame = try #require(json["frame"] as? Int)
                guard frame > last else { return false }
                last = frame
                #expect(json["width"] as? Int == 1280 && json["advice"] is String && json["text"] is String)
                let picture = try StillPictures.decode(answer.body)
                #expect(max(picture.width, picture.height) <= 640)
                #expect(try attacker.readings(picture).isEmpty)
                pictures += 1
                return pictures == 5
            }
            sent += pictures
        }
        #expect(sent == 5 * drawings.count)
        // Not in what was printed either.
        run.runner.stop("aim")
        for form in [Drawing.text, Drawing.text.lowercased(), String(Drawing.text.prefix(8))] {
            #expect(!run.output.contains(form))
        }
        #expect(run.lines("aim").contains { $0["read"] as? Bool == true })
    }

    @Test func fourLookOnAndAFifthIsToldSo() throws {
        let run = try AimRun()
        let url = try run.startPage()
        let answers = try run.curl(inOneGo: [1, 2, 3, 4, 5, 1].map { url + "frame?v=viewer0\($0)" })
        #expect(answers.map(\.status) == [200, 200, 200, 200, 503, 200])
        #expect(answers[4].text.contains("looking already"))
        // Who has gone makes room.
        try run.wait("room") { try run.curl(url + "frame?v=viewer06").status == 200 }
        for name in ["", "short", "UPPERCASE", "a%00bcdefgh", String(repeating: "a", count: 17), "../../../x"] {
            #expect(try run.curl(url + "frame?v=" + name).status == 400, "\(name)")
        }
        #expect(try run.curl(url + "frame").status == 400)
    }

    @Test func garbageIsRefusedAndHarmsNobody() throws {
        let run = try AimRun()
        let url = try run.startPage()
        var random = SystemRandomNumberGenerator()
        let path = try #require(URL(string: url)?.path)
        let rubbish: [[UInt8]] =
            [
                [], Array("\r\n\r\n".utf8), Array("GET\r\n\r\n".utf8), Array("GET / HTTP/9.9\r\n\r\n".utf8),
                [0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3], Array("GET \(path)\0 HTTP/1.1\r\nHost: x\r\n\r\n".utf8),
                Array("GET /\(String(repeating: "a", count: 100_000)) HTTP/1.1\r\nHost: x\r\n\r\n".utf8),
                Array("GET / HTTP/1.1\r\n\(String(repeating: "X: y\r\n", count: 20_000))\r\n".utf8),
                Array("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".utf8),
                Array("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n".utf8),
                Array("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n".utf8),
            ]
            + (0..<40).map { _ in (0..<Int.random(in: 1...2000)).map { _ in UInt8.random(in: 0...255, using: &random) }
            }
        for bytes in rubbish {
            let answer = try AimRun.say(bytes, to: url)
            #expect(!answer.starts(with: Array("HTTP/1.1 200".utf8)))
        }
        #expect(try run.curl(url).status == 200 && run.runner.isRunning("aim"))
    }

    @Test func connectionsAreFewAndIdleOnesAreClosed() throws {
        let run = try AimRun()
        let url = try run.startPage()
        let process = try #require(run.runner.processIdentifier("aim"))
        func open() -> Int { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count) ?? 0 }
        #expect(try run.curl(url).status == 200)
        let before = open()
        // From one address six are served, so that others still have room.
        let greedy = try (0..<20).map { _ in try AimRun.connect(url) }
        #expect(try run.curl(url, ["--interface", "127.0.0.2"]).status == 200)
        let others = try (0..<8).map { try AimRun.connect(url, from: "127.0.0.\(3 + $0 / 4)") }
        try run.wait("connections") { open() >= before + 6 }
        #expect(open() <= before + 8 + 2)
        // They say nothing, so they are closed after ten seconds and the next are served.
        #expect(try run.curl(url, ["--interface", "127.0.0.2", "--max-time", "55"]).status == 200)
        for descriptor in greedy + others { close(descriptor) }
        try run.wait("all to be closed") { open() <= before + 1 }
    }

    @Test func aPortInUseAndAnAddressThatIsNoneAreSaid() throws {
        let run = try AimRun()
        let url = try run.startPage()
        let port = try #require(URL(string: url)?.port)
        let other = try AimRun()
        #expect(try other.run(["--web", "127.0.0.1:\(port)", "--seconds", "1"]) == 69)
        #expect(other.output.contains("no page can be served at 127.0.0.1:\(port): Address already in use"))
        #expect(try other.run(["--web", "nonsense"]) == 64)
        #expect(other.output.contains("--web takes a port, or an address and a port"))
    }

    @Test func itEndsWithItsTimeAndWithASignal() throws {
        let run = try AimRun()
        try run.show(Drawing().frames(1))
        #expect(try run.run(["--web", "127.0.0.1:0", "--minutes", "0.03", "--json"]) == 0)
        #expect(run.lines("end").count == 1)
        let other = try AimRun()
        try other.show(Drawing().frames(1))
        _ = try other.startPage()
        let process = try #require(other.runner.processIdentifier("aim"))
        try other.wait("a reading") { other.lines("aim").contains { $0["read"] as? Bool == true } }
        kill(process, SIGTERM)
        try other.wait("the end") { other.lines("end").count == 1 }
    }
}

/// Pure parts of the page.
@Suite struct PagePartTests {
    @Test(arguments: [
        ("8080", "port 8080"), ("127.0.0.1:80", "127.0.0.1:80"), ("[fd00::1]:9", "[fd00::1]:9"), ("0", "port 0"),
    ])
    func addressesAreUnderstood(_ text: String, _ description: String) throws {
        #expect(try #require(WebAddress(text)).description == description)
    }

    @Test(arguments: [
        "", ":", "x", "65536", "-1", "+1", "127.0.0.1", "127.0.0.1:", ":80", "fd00::1:80", "[127.0.0.1]:80", "host:80",
        "[fd00::1]", "1.2.3.4.5:80", "０:80", "٣",
    ])
    func otherTextIsNoAddress(_ text: String) {
        #expect(WebAddress(text) == nil)
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("10.9.8.7", true), ("172.16.0.1", true), ("172.31.255.255", true), ("172.32.0.1", false),
        ("192.168.3.4", true), ("192.169.0.1", false), ("169.254.1.1", true), ("203.0.113.9", false), ("::1", true),
        ("fe80::1", true), ("fec0::1", false), ("fd12::1", true), ("2001:db8::1", false), ("::ffff:10.0.0.1", true),
        ("::ffff:203.0.113.9", false), ("::2", false), ("0.0.0.1", false),
    ])
    func whoIsNearIsServed(_ text: String, _ isNear: Bool) throws {
        let address = try #require(InternetAddress(text))
        #expect((address.isLoopback || address.isPrivate || address.isLinkLocal) == isNear)
    }

    @Test func fourMayLookOnAndWhoAsksNoMoreHasGone() {
        var viewers = Viewers()
        let begin = ContinuousClock.now
        func admitted(_ name: String, _ seconds: Double) -> Bool { viewers.admit(name, at: begin + .seconds(seconds)) }
        #expect(!viewers.anyone(at: begin))
        for name in ["a", "b", "c", "d"] { #expect(admitted(name, 0)) }
        #expect(!admitted("e", 1))
        #expect(admitted("a", 2.9) && !admitted("e", 2.9))
        // The other three have gone.
        for name in ["e", "f", "g"] { #expect(admitted(name, 3)) }
        #expect(!admitted("b", 3.1) && admitted("a", 3.1))
        #expect(viewers.anyone(at: begin + .seconds(6)) && !viewers.anyone(at: begin + .seconds(6.2)))
    }

    @Test func neighboursShareANetwork() throws {
        let (a, b) = (try #require(InternetAddress("203.0.113.9")), try #require(InternetAddress("203.0.113.200")))
        #expect(a.shares(network: b, mask: try #require(InternetAddress("255.255.255.0"))))
        #expect(!a.shares(network: b, mask: try #require(InternetAddress("255.255.255.128"))))
        #expect(!a.shares(network: b, mask: try #require(InternetAddress("ffff::"))))
    }
}
