import Camera
import Foundation
import Geometry
import Luma
import Scene
import SeededRandom
import Testing

@testable import CodeReader

/// No code hides another.
@Suite struct ManyCodesTests {
    static let nonce = "00112233445566778899AABBCCDDEEFF"
    static let other = "FFEEDDCCBBAA99887766554433221100"
    static let uuid = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
    static let url = "https://example.org/asset/4711"

    /// What a second of a stream of this picture shows, frame by frame.
    static func stream(_ picture: LumaPicture, frames: Int = 30, _ reader: StreamReader? = nil) -> [[Reading]] {
        let reader = reader ?? StreamReader(Set(Symbology.allCases))
        return (0..<frames).map { _ in picture.withPlane { reader.read($0) } }
    }

    // MARK: Pictures on which it failed

    struct Case: Codable, Sendable, CustomTestStringConvertible {
        let file: String
        let codes: [String: [String]]

        var names: Set<String> { Set(codes.flatMap { kind, texts in texts.map { "\(kind):\($0)" } }) }
        var testDescription: String { file }
        var picture: LumaPicture {
            get throws { try StillPicture.read(Case.folder + "/" + file) }
        }

        static let folder = Bundle.module.resourcePath.map { $0 + "/cases" } ?? "cases"
        static let all: [Case] = {
            let file = FileManager.default.contents(atPath: folder + "/expected.json") ?? Data()
            return (try? JSONDecoder().decode([Case].self, from: file)) ?? []
        }()
    }

    @Test func theCasesAreThere() { #expect(Case.all.count == 7) }

    @Test(arguments: Case.all) func aStillGivesAllCodesAndNothingElse(_ one: Case) throws {
        let readings = try one.picture.withPlane { CodeReader().read($0) }
        #expect(Sheet.named(readings) == one.names)
    }

    @Test(arguments: Case.all) func aSecondOfAStreamGivesAllCodesAndNothingElse(_ one: Case) throws {
        let frames = Self.stream(try one.picture)
        #expect(Sheet.named(Array(frames.joined())) == one.names)
    }

    // MARK: A label beside the device

    struct Arrangement: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let labels: [Sheet.Label]

        init(_ name: String, _ labels: (Sheet.Kind, String, Int)...) {
            testDescription = name
            var x = 40
            self.labels = labels.enumerated().map { index, label in
                defer { x += [.code128, .code39].contains(label.0) ? 60 : 420 }
                let isBars = [.code128, .code39].contains(label.0)
                return Sheet.Label(
                    kind: label.0, text: label.1, module: label.2, x: isBars ? 20 : x, y: isBars ? 560 : 60 + 90 * index
                )
            }
        }
    }

    static let arrangements = [
        Arrangement("large UUID, small nonce", (.qr, uuid, 7), (.qr, nonce, 3)),
        Arrangement("large URL, small nonce", (.qr, url, 8), (.qr, nonce, 3)),
        Arrangement("small UUID, large nonce", (.qr, uuid, 3), (.qr, nonce, 9)),
        Arrangement("small URL, large nonce", (.qr, url, 2), (.qr, nonce, 8)),
        Arrangement("large Data Matrix, QR nonce", (.datamatrix, uuid, 7), (.qr, nonce, 4)),
        Arrangement("small Data Matrix, QR nonce", (.datamatrix, url, 3), (.qr, nonce, 8)),
        Arrangement("Code 128, QR nonce", (.code128, other, 2), (.qr, nonce, 4)),
        Arrangement("Code 39, QR nonce", (.code39, "0F1C2FFF", 3), (.qr, nonce, 4)),
        Arrangement("large QR, Data Matrix nonce", (.qr, uuid, 8), (.datamatrix, nonce, 4)),
        Arrangement("small QR, Data Matrix nonce", (.qr, url, 3), (.datamatrix, nonce, 9)),
        Arrangement("large and small Data Matrix", (.datamatrix, uuid, 9), (.datamatrix, nonce, 3)),
        Arrangement(
            "one of each", (.qr, uuid, 5), (.datamatrix, other, 4), (.qr, nonce, 3), (.code128, "74C2CEF6", 3)),
    ]

    @Test(arguments: arrangements) func noLabelHidesTheNonceInAStill(_ one: Arrangement) throws {
        let sheet = Sheet(labels: one.labels)
        #expect(Sheet.named(try sheet.picture().withPlane { CodeReader().read($0) }) == sheet.codes)
    }

    @Test(arguments: arrangements) func noLabelHidesTheNonceInASecondOfAStream(_ one: Arrangement) throws {
        let sheet = Sheet(labels: one.labels)
        #expect(Sheet.named(Array(Self.stream(try sheet.picture()).joined())) == sheet.codes)
    }

    @Test func aCodeThatComesBesideOneThatIsFollowedIsReadWithinASecond() throws {
        let label = Sheet.Label(kind: .qr, text: Self.uuid, module: 6, x: 60, y: 80)
        for kind in [Sheet.Kind.qr, .datamatrix] {
            let both = Sheet(labels: [label, .init(kind: kind, text: Self.nonce, module: 4, x: 800, y: 400)])
            let reader = StreamReader(Set(Symbology.allCases))
            _ = Self.stream(try Sheet(labels: [label]).picture(), frames: 100, reader)
            #expect(Sheet.named(Array(Self.stream(try both.picture(), reader).joined())) == both.codes)
        }
    }

    // MARK: Many of one kind

    @Test(arguments: [(4, 3, 5), (8, 6, 3), (8, 8, 2)]) func allOfAGridAreReadInAStill(
        _ columns: Int, _ rows: Int, _ module: Int
    ) throws {
        let sheet = Sheet.grid(columns: columns, rows: rows, module: module)
        let readings = try sheet.picture().withPlane { CodeReader().read($0) }
        #expect(Sheet.named(readings) == sheet.codes && readings.count == columns * rows)
    }

    @Test(arguments: [(4, 3, 5), (8, 6, 3), (8, 8, 2)]) func allOfAGridAreReadInAStreamAndNoneStarves(
        _ columns: Int, _ rows: Int, _ module: Int
    ) throws {
        let sheet = Sheet.grid(columns: columns, rows: rows, module: module)
        let frames = Self.stream(try sheet.picture(), frames: 90)
        #expect(Sheet.named(Array(frames.prefix(30).joined())) == sheet.codes)
        // Later each is read again at least every 0.4 s.
        for start in stride(from: 30, to: 78, by: 6) {
            #expect(Sheet.named(Array(frames[start..<start + 12].joined())) == sheet.codes)
        }
    }

    @Test func twentyDataMatrixSymbolsAreReadInAStill() throws {
        var random = SplitMix64(seed: 5)
        let labels = (0..<20).map {
            Sheet.Label(
                kind: .datamatrix, text: Sheet.hex(&random), module: 4, x: $0 % 5 * 250 + 20, y: $0 / 5 * 175 + 20)
        }
        let sheet = Sheet(labels: labels)
        #expect(Sheet.named(try sheet.picture().withPlane { CodeReader([.dataMatrix]).read($0) }) == sheet.codes)
    }

    /// 64 small ones in a frame: none starves.
    @Test func aTrayOfDataMatrixSymbolsIsReadInAStillAndInAStream() throws {
        var random = SplitMix64(seed: 6)
        let labels = (0..<64).map {
            Sheet.Label(
                kind: .datamatrix, text: Sheet.hex(&random), module: 2 + $0 % 2, x: $0 % 8 * 156 + 10,
                y: $0 / 8 * 88 + 8)
        }
        let sheet = Sheet(labels: labels)
        let picture = try sheet.picture()
        #expect(Sheet.named(picture.withPlane { CodeReader([.dataMatrix]).read($0) }) == sheet.codes)
        #expect(Sheet.named(Array(Self.stream(picture, frames: 90).joined())) == sheet.codes)
    }

    /// Larger than what a part of the frame is sure to hold: 104 modules on a side, five pixels each.
    @Test func aLargeDataMatrixIsReadInASecondOfAStream() throws {
        var random = SplitMix64(seed: 7)
        let text = (0..<22).map { _ in Sheet.hex(&random) }.joined()
        let sheet = Sheet(labels: [.init(kind: .datamatrix, text: text, module: 5, x: 300, y: 60)])
        let picture = try sheet.picture()
        #expect(Sheet.named(picture.withPlane { CodeReader([.dataMatrix]).read($0) }) == sheet.codes)
        #expect(Sheet.named(Array(Self.stream(picture).joined())) == sheet.codes)
    }

    @Test func dataMatrixReadingsInOnePlaceThatContradictGiveNoValue() {
        func reading(_ value: String, _ left: Float, _ symbology: Symbology = .dataMatrix) -> Reading {
            Reading(
                value: Array(value.utf8), symbology: symbology,
                corners: .box(from: Place(left, 0), to: Place(left + 40, 40)))
        }
        let all = [reading("A", 0), reading("B", 5), reading("C", 100), reading("D", 0, .qr), reading("C", 102)]
        #expect(all.withoutContradictions.map(\.value) == ["C", "D", "C"].map { Array($0.utf8) })
    }

    // MARK: What cannot be read

    @Test func whatWasLocatedAndNotReadIsUnread() throws {
        var picture = try Sheet(labels: [.init(kind: .qr, text: Self.nonce, module: 5, x: 300, y: 200)]).picture()
        let whole = picture
        for y in 290..<340 { for x in 380..<460 { picture.pixels[y * picture.width + x] = 220 } }
        let reader = StreamReader(Set(Symbology.allCases))
        let frames = Self.stream(picture, frames: 8, reader)
        #expect(frames.joined().isEmpty && reader.unread.count == 1)
        let corner = try #require(reader.unread.first?.corners.first)
        #expect(abs(corner.x - 320) < 6 && abs(corner.y - 220) < 6)
        // It is, until it is read.
        #expect(!Self.stream(whole, frames: 3, reader).joined().isEmpty && reader.unread.isEmpty)
    }

    @Test(arguments: Clutter.allCases) func clutterIsNotUnread(_ clutter: Clutter) throws {
        var scene = SceneParameters()
        scene.hasDevice = false
        var renderer = SceneRenderer(width: 640, height: 480, clutter: clutter, seed: 3)
        var pixels = [UInt8](repeating: 0, count: 640 * 480)
        let reader = StreamReader(Set(Symbology.allCases))
        for _ in 0..<20 {
            renderer.render(nil, scene, into: &pixels)
            let picture = try #require(LumaPicture(width: 640, height: 480, pixels: pixels))
            #expect(picture.withPlane { reader.read($0) }.isEmpty)
            #expect(reader.unread.isEmpty)
        }
    }
}
