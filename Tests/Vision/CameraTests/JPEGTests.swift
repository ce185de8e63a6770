import CodeReader
import Foundation
import Luma
import Testing

@testable import Camera

/// The files of `cameras/`: a picture of one code, as cameras have been seen to send it.
enum CameraFile {
    static let value = "00112233445566778899AABBCCDDEEFF"

    static func path(_ name: String) throws -> String {
        try #require(Bundle.module.resourceURL).appendingPathComponent("cameras/\(name)").path
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path(name))))
    }
}

/// Pictures that are not to the letter: what libjpeg makes of them is looked at, and the code's own error correction judges.
@Suite struct JPEGTests {
    /// The value that is read in a frame of a camera that says it sends 640x360.
    func value(_ frame: [UInt8], width: Int = 640, height: Int = 360) throws -> String? {
        let format = try #require(PixelFormat.table.first { $0.name == "MJPG" })
        let converter = LumaConverter(format, width: width, height: height, stride: 0)
        let readings = frame.withUnsafeBufferPointer { frame in
            converter.withLuma(of: frame) { StreamReader([.qr]).read($0) }
        }
        return readings?.first.map { String(decoding: $0.value, as: UTF8.self) }
    }

    @Test(arguments: [
        "jpeg-control", "jpeg-avi1-without-dht", "jpeg-one-stray-byte-before-rst", "jpeg-without-eoi",
        "jpeg-progressive", "jpeg-arithmetic", "jpeg-grey", "jpeg-rgb", "jpeg-cmyk", "jpeg-four-to-one",
        "jpeg-odd-sampling",
    ])
    func eachFileIsReadAsAFrameAndAsAPicture(_ name: String) throws {
        #expect(try value(CameraFile.bytes("\(name).jpg")) == CameraFile.value)
        let picture = try StillPicture.read(CameraFile.path("\(name).jpg"))
        #expect(picture.width == 640 && picture.height == 360)
        let readings = picture.withPlane { StreamReader([.qr]).read($0) }
        #expect(readings.first.map { String(decoding: $0.value, as: UTF8.self) } == CameraFile.value)
    }

    /// Where the height stands in the frame header (FF C0).
    func height(_ frame: [UInt8]) throws -> Int {
        try #require((0..<frame.count - 1).first { frame[$0] == 0xFF && frame[$0 + 1] == 0xC0 }) + 5
    }

    @Test(arguments: [368, 352, 360, 720])
    func theHeadersOwnHeightIsBelieved(_ lines: Int) throws {
        var frame = try CameraFile.bytes("jpeg-control.jpg")
        let place = try height(frame)
        frame[place] = UInt8(lines >> 8)
        frame[place + 1] = UInt8(lines & 0xFF)
        #expect(try value(frame) == CameraFile.value)
    }

    @Test func whatIsBeforeTheBeginningIsPassedOver() throws {
        let frame = try CameraFile.bytes("jpeg-control.jpg")
        for before in [[0], [0xFF], [0xFF, 0xD8], [0, 0xFF, 0xD8, 0xFF, 0xD8], [UInt8](repeating: 0x55, count: 1000)] {
            #expect(try value(before + frame) == CameraFile.value, "\(before.prefix(8))")
        }
        #expect(try value([0xFF, 0xD8] + frame.prefix(600) + frame) == CameraFile.value)
    }

    @Test func whatIsBehindTheEndOrMissingThereDoesNoHarm() throws {
        let frame = try CameraFile.bytes("jpeg-control.jpg")
        #expect(try value(frame + [UInt8](repeating: 0, count: 5000)) == CameraFile.value)
        #expect(try value(frame + frame) == CameraFile.value)
        #expect(try value(frame.dropLast(3)) == CameraFile.value)
    }

    /// Half a frame is half a picture, which may hold the code; nearly nothing is none.
    @Test func aFrameThatIsCutIsReadAsFarAsItGoes() throws {
        let frame = try CameraFile.bytes("jpeg-control.jpg")
        let format = try #require(PixelFormat.table.first { $0.name == "MJPG" })
        let converter = LumaConverter(format, width: 640, height: 360, stride: 0)
        func isRead(_ count: Int) -> Bool {
            frame.prefix(count).withUnsafeBufferPointer { converter.withLuma(of: $0) { _ in () } } != nil
        }
        #expect(isRead(frame.count / 2) && isRead(frame.count * 3 / 4))
        for count in [0, 1, 2, 20, 300, 640] {
            #expect(!isRead(count), "\(count)")
            #expect(!converter.damage.isEmpty)
        }
    }

    /// libjpeg-turbo's handle takes every header for a bad one once it has met one: each frame after it was dropped, for ever.
    @Test func oneBadFrameDoesNotSpoilThoseAfterIt() throws {
        let frame = try CameraFile.bytes("jpeg-control.jpg")
        let format = try #require(PixelFormat.table.first { $0.name == "MJPG" })
        let converter = LumaConverter(format, width: 640, height: 360, stride: 0)
        for bad in [[0xFF, 0xD8, 0xFF, 0xD8, 0, 0], [0xFF, 0xD8, 0xFF, 0xC0, 0, 3, 1], Array(frame.prefix(30))] {
            #expect(bad.withUnsafeBufferPointer { converter.withLuma(of: $0) { _ in () } } == nil)
            #expect(frame.withUnsafeBufferPointer { converter.withLuma(of: $0) { _ in () } } != nil)
        }
    }

    @Test func aHostileSizeOrNumberOfScansIsRefused() throws {
        var frame = try CameraFile.bytes("jpeg-control.jpg")
        let place = try height(frame)
        for (lines, columns) in [(8192, 8192), (65535, 65535), (0, 640), (360 * 5, 640)] {
            frame[place] = UInt8(lines >> 8)
            frame[place + 1] = UInt8(lines & 0xFF)
            frame[place + 2] = UInt8(columns >> 8)
            frame[place + 3] = UInt8(columns & 0xFF)
            #expect(try value(frame) == nil, "\(columns)x\(lines)")
        }
        let progressive = try CameraFile.bytes("jpeg-progressive.jpg")
        let scan = try #require(
            (0..<progressive.count - 1).first { progressive[$0] == 0xFF && progressive[$0 + 1] == 0xDA })
        let bomb = progressive[..<scan] + Array(repeating: progressive[scan..<scan + 40], count: 5000).joined()
        #expect(try value(Array(bomb)) == nil)
    }

    @Test func damagedBytesNeverDoMoreThanSpoilThePicture() throws {
        var random = SystemRandomNumberGenerator()
        for name in ["jpeg-control", "jpeg-progressive", "jpeg-cmyk", "jpeg-one-stray-byte-before-rst"] {
            let whole = try CameraFile.bytes("\(name).jpg")
            for _ in 0..<150 {
                var frame = whole
                for _ in 0...Int.random(in: 0..<6, using: &random) {
                    frame[Int.random(in: frame.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                frame.removeLast(Int.random(in: 0..<frame.count / 2, using: &random))
                if let picture = try? StillPicture.decode(frame, name: "x") {
                    #expect(picture.pixels.count == picture.width * picture.height)
                }
            }
        }
    }
}
