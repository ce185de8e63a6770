import ArgumentParser
import Glibc
import ObservedValue
import SRUP
import SRUPJSON

struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read messages: what they say, whether their signature is true, which nonce they hold.",
        discussion: """
            Input is one binary message (it begins with byte 4 or 5) or lines of hexadecimal digits, one message each; a word \
            before the digits, as mosquitto_sub -F '%t %x' prints it, is taken as the topic. A line that is no message gives \
            an error on its line, with all that could be read, and reading goes on.

            Exit codes: 0 all were messages and no signature was invalid, 1 otherwise.
            """)

    @Argument(help: ArgumentHelp("Files; standard input without.", valueName: "file"))
    var files: [String] = []
    @OptionGroup var keyOptions: DecodingKeyOptions
    @Flag(help: "One JSON object per message.")
    var json = false
    @Flag(help: "The input is hexadecimal.")
    var hex = false
    @Flag(help: "The input is one binary message.")
    var binary = false

    func validate() throws {
        if hex && binary { throw ValidationError("--hex and --binary exclude each other") }
    }

    /// The longest line: a message of 65 535 bytes in hexadecimal, and a topic.
    static let maximumLine = 2 * Message.maximumSize + 256

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        let keys = try keyOptions.keys()
        var output = Output()
        var isAllWell = true
        func show(_ message: MessageJSON) {
            if message.error != nil || message.signature == "invalid" { isAllWell = false }
            output.line(json ? message.line : message.text)
        }
        try Inputs.each(files) { descriptor, _ in
            var reader = LineReader(descriptor, limit: Self.maximumLine)
            // A binary message can be told from text by its first byte.
            if binary || !hex && reader.peek().map({ $0 < 9 }) == true {
                show(MessageJSON(decoding: reader.rest(limit: Message.maximumSize), keys: keys))
                return
            }
            while let item = reader.next() {
                if let message = read(item, keys) { show(message) }
            }
        }
        output.flush()
        if !isAllWell { throw ExitCode(1) }
    }

    private func read(_ item: LineReader.Item, _ keys: DecodingKeys) -> MessageJSON? {
        var failure = MessageJSON()
        failure.field = "message"
        failure.offset = 0
        switch item {
        case .tooLong(let length):
            failure.error = "a line of \(length) characters is longer than any message"
            failure.reason = "too-long"
            return failure
        case .line(let line):
            let words = line.split(whereSeparator: { $0 == 32 || $0 == 9 || $0 == 13 })
            guard let last = words.last else { return nil }
            guard words.count <= 2, let bytes = Hex.decode(last) else {
                failure.error = "the line is not hexadecimal"
                failure.reason = "not-hex"
                return failure
            }
            var message = MessageJSON(decoding: bytes, keys: keys)
            if words.count == 2 { message.topic = String(decoding: words[0], as: UTF8.self) }
            return message
        }
    }
}
