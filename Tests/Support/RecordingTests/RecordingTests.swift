import Foundation
import Testing

@testable import Recording

@Suite struct RecordingTests {
    static let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 1, 2, 3]

    static let whole: Recording = {
        var recording = Recording(program: "1.2.3")
        recording.camera = RecordedCamera(
            driver: "uvcvideo", card: "HD Pro Webcam C920", usb: "046d:082d",
            formats: [.init(name: "MJPG", sizes: [.init(size: "1280x720", rates: [30, 7.5])])],
            controls: [.init(name: "Gain", id: 0x980913, least: 0, most: 255, usual: 64, value: nil)], format: "MJPG",
            width: 1280, height: 720)
        recording.frames = [
            RecordedFrame(ms: 3.5, picture: png, tests: []), RecordedFrame(ms: 90, picture: png, tests: [15, 40]),
        ]
        recording.tally = RecordedTally(ms: 1000, read: 30, dropped: 1, damaged: 2, damage: "they are empty")
        recording.reader = RecordedReader(speed: 115_200)
        recording.line = [
            RecordedExchange(ms: 1, isFromHost: true, content: .frame([0xD4, 0x02])),
            RecordedExchange(ms: 1.5, isFromHost: false, content: .acknowledgement),
            RecordedExchange(ms: 2, isFromHost: false, content: .frame([0xD5, 0x03, nil, nil])),
            RecordedExchange(ms: 3, isFromHost: false, content: .noise(7)),
            RecordedExchange(ms: 4, isFromHost: true, content: .refusal),
        ]
        recording.taps = [
            RecordedTap(ms: 5, role: "type2", test: 40), RecordedTap(ms: 6, role: "target", test: nil),
        ]
        return recording
    }()

    static func text(_ lines: [String]) -> [UInt8] { Array((lines.joined(separator: "\n") + "\n").utf8) }

    @Test func whatIsWrittenIsReadAsTheSame() throws {
        #expect(try Recording(parsing: Self.whole.bytes()) == Self.whole)
    }

    /// The format as docs/recordings.md has it: files of users must stay readable.
    @Test func aFileOfTheFirstVersionIsRead() throws {
        let recording = try Recording(
            parsing: Self.text([
                #"{"program":"1.0.0","recording":1}"#,
                #"{"camera":{"driver":"uvcvideo","card":"C920","formats":[{"name":"YUYV","sizes":[{"size":"640x480","rates":[30]}]}],"controls":[{"name":"Gain","id":9963795,"least":0,"most":255,"usual":64,"value":70}],"format":"YUYV","width":640,"height":480,"later":true}}"#,
                #"{"frame":{"ms":12,"picture":"iVBORw0KGgo=","tests":[40]}}"#,
                #"{"frames":{"ms":1000,"read":30,"dropped":0,"damaged":0}}"#,
                #"{"reader":{"speed":115200}}"#, #"{"line":{"ms":1.5,"host":"d402"}}"#,
                #"{"line":{"ms":2,"chip":"ack"}}"#, #"{"line":{"ms":2.5,"chip":"d503..010607"}}"#,
                #"{"line":{"ms":3,"chip":"noise","noise":4}}"#, #"{"tap":{"ms":900,"role":"type4","test":40}}"#,
                #"{"end":{"lines":10}}"#,
            ]))
        #expect(recording.camera?.formats.first?.sizes.first?.sides?.width == 640)
        #expect(recording.line[2].content == .frame([0xD5, 0x03, nil, 0x01, 0x06, 0x07]))
        #expect(recording.line[0].isFromHost && recording.line[3].content == .noise(4))
        #expect(recording.taps == [RecordedTap(ms: 900, role: "type4", test: 40)])
    }

    @Test func cutAnywhereItIsNoRecording() throws {
        let bytes = try Self.whole.bytes()
        for length in bytes.indices {
            #expect(throws: RecordingError.self) { try Recording(parsing: Array(bytes[..<length])) }
        }
        // Between two lines, too.
        let lines = bytes.split(separator: 10)
        let short = Array(lines.dropLast(2).joined(separator: [10])) + [10]
        #expect(throws: RecordingError.cut) { try Recording(parsing: short) }
        let missing = Array((lines[..<6] + lines[7...]).joined(separator: [10])) + [10]
        #expect(throws: RecordingError.cut) { try Recording(parsing: missing) }
    }

    @Test(arguments: [
        ("", RecordingError.noRecording), ("rubbish", .noRecording), ("{}", .noRecording),
        (#"{"recording":2}"#, .version(2)),
        (#"{"recording":-1}"#, .version(-1)), (#"{"recording":1e99}"#, .noRecording),
        (#"{"recording":"1"}"#, .noRecording),
    ])
    func aFirstLineThatSaysSomethingElseIsTold(_ head: String, _ error: RecordingError) {
        #expect(throws: error) { try Recording(parsing: Self.text([head, #"{"end":{"lines":1}}"#])) }
    }

    @Test(arguments: [
        (#"{"frame":{"ms":1,"picture":"no base64!","tests":[]}}"#, #""picture" is malformed"#),
        (#"{"frame":{"ms":1,"picture":"AAAA","tests":[]}}"#, #""picture" is no PNG"#),
        (#"{"frame":{"ms":-1,"picture":"iVBORw0KGgo=","tests":[]}}"#, #""ms" is no time"#),
        (#"{"frame":{"ms":1,"picture":"iVBORw0KGgo=","tests":[1000]}}"#, #""tests" are none"#),
        (#"{"frame":{"ms":1,"tests":[]}}"#, #""picture" is missing"#),
        (#"{"line":{"ms":1,"host":"d402"}}"#, "there is no reader for it"),
        (#"{"tap":{"ms":1,"role":"type2"}}"#, "there is no reader for it"),
        (#"{"reader":{"speed":0}}"#, #""speed" is none"#),
        (#"{"reader":{"speed":"fast"}}"#, #""speed" is of another type"#),
        (
            #"{"camera":{"driver":"d","card":"\u0007","formats":[],"controls":[],"format":"","width":1,"height":1}}"#,
            "a text is too long, or has other characters than printable ASCII"
        ),
        (
            #"{"camera":{"driver":"d","card":"c","formats":[],"controls":[],"format":"","width":9000,"height":1}}"#,
            "its size is none"
        ),
        (#"{"recording":1}"#, "it is a first or last line in the middle"),
        (#"{"other":1}"#, "it is none of camera, frame, frames, reader, line, tap"), ("[", "it is no JSON object"),
        ("", "it is no JSON object"),
    ])
    func aLineThatIsWrongIsToldWithItsNumber(_ line: String, _ why: String) {
        #expect(throws: RecordingError.line(2, why)) {
            try Recording(parsing: Self.text([#"{"recording":1}"#, line, #"{"end":{"lines":2}}"#]))
        }
    }

    @Test(arguments: ["", "d", "d4 02", "D402", "+4", "....x", "zz", "ack ", ".d"])
    func bytesThatAreNoneAreTold(_ text: String) {
        #expect(throws: RecordingError.line(3, #""host" is malformed"#)) {
            try Recording(
                parsing: Self.text([
                    #"{"recording":1}"#, #"{"reader":{"speed":9600}}"#, #"{"line":{"ms":1,"host":"\#(text)"}}"#,
                    #"{"end":{"lines":3}}"#,
                ]))
        }
    }

    @Test func whatIsHugeIsRefusedWithoutBeingLookedAt() {
        let line = [UInt8](repeating: UInt8(ascii: "a"), count: Recording.maximumLine + 1)
        #expect(throws: RecordingError.line(2, "it is too long")) {
            try Recording(parsing: Self.text([#"{"recording":1}"#]) + line + Self.text(["", #"{"end":{"lines":2}}"#]))
        }
        #expect(throws: RecordingError.tooLarge) {
            try Recording(parsing: [UInt8](repeating: 10, count: Recording.maximumSize + 1))
        }
        #expect(throws: RecordingError.tooManyLines) {
            try Recording(parsing: [UInt8](repeating: 10, count: Recording.maximumLines + 2))
        }
        var many = Recording(program: "1")
        many.reader = RecordedReader(speed: 9600)
        many.line = [RecordedExchange](
            repeating: RecordedExchange(ms: 1, isFromHost: true, content: .refusal), count: Recording.maximumLines)
        #expect(throws: RecordingError.tooManyLines) { try many.bytes() }
        var large = Self.whole
        large.frames = [RecordedFrame](
            repeating: RecordedFrame(ms: 1, picture: [UInt8](repeating: 0, count: 1_400_000), tests: []), count: 6)
        #expect(throws: RecordingError.tooLarge) { try large.bytes() }
    }

    @Test func aFileThatIsNotThereIsTold() {
        #expect(throws: RecordingError.unreadable("No such file or directory")) {
            try Recording(contentsOf: "/nowhere/at/all")
        }
        #expect(throws: RecordingError.unreadable("Is a directory")) { try Recording(contentsOf: "/tmp") }
    }

    @Test(arguments: [
        ("HD Pro Webcam C920", "HD Pro Webcam C920"), ("Facade Camera", "Facade Camera"),
        ("Camera 0A1B2C3D4E", "Camera #"), ("cam 00:11:22:aa:bb:cc!", "cam #!"), ("SN-20231104", "SN#"),
        ("UVC Camera (046d:0825)", "UVC Camera (#)"), ("USB 2.0 Camera: HD 1080", "USB 2.0 Camera: HD 1080"),
        ("Käm\u{7}era", "K??m?era"),
    ])
    func numbersThatTellACameraFromItsLikeAreNotKept(_ name: String, _ kept: String) {
        #expect(name.withoutSerialNumbers == kept)
        #expect(
            RecordedCamera(
                driver: "d", card: name, usb: nil, formats: [], controls: [], format: "YUYV", width: 1, height: 1
            ).card == kept)
    }
}
