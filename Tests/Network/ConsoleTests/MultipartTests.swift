import Testing

@testable import Console

/// Forms with a file in them, from browsers and from others.
@Suite struct MultipartTests {
    private static let type = "multipart/form-data; boundary=x-x"

    private func refusal(_ body: [UInt8], _ type: String = type) -> MultipartError? {
        do throws(MultipartError) {
            _ = try MultipartForm(body, type: type)
            return nil
        } catch {
            return error
        }
    }

    private func refusal(_ body: String, _ type: String = type) -> MultipartError? { refusal(Array(body.utf8), type) }

    @Test func whatABrowserSendsIsRead() throws {
        // As Chromium writes it.
        let boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
        let picture: [UInt8] = [0xFF, 0xD8, 0x0D, 0x0A, 0x2D, 0x2D, 0x00, 0x0D, 0x0D, 0x0A, 0xFF, 0xD9]
        var body = Array(
            ("--\(boundary)\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nabc.def\r\n--\(boundary)\r\n"
                + "Content-Disposition: form-data; name=\"photo\"; filename=\"a \\\"b\\\"; c=d.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n")
                .utf8)
        body += picture + Array("\r\n--\(boundary)--\r\n".utf8)
        let form = try MultipartForm(body, type: "multipart/form-data; boundary=\(boundary)")
        #expect(form["token"] == "abc.def")
        #expect(form.file("photo") == picture)
        // A file is no field, a field no file.
        #expect(form["photo"] == nil && form.file("token") == nil && form["nothing"] == nil)
    }

    @Test func aFormOfEachShapeIsRead() throws {
        let one = "--x-x \t\r\ncontent-disposition:form-data;name=token\r\nX-Else: 1\r\n\r\nA\r\n--x-x--"
        #expect(try MultipartForm(Array(one.utf8), type: Self.type)["token"] == "A")
        #expect(try MultipartForm(Array(one.utf8), type: "Multipart/Form-Data ; boundary=\"x-x\"")["token"] == "A")
        let empty = "--x-x\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"\"\r\n\r\n\r\n--x-x--\r\n"
        #expect(try MultipartForm(Array(empty.utf8), type: Self.type).file("photo") == nil)
        #expect(try MultipartForm(Array("--x-x--".utf8), type: Self.type)["token"] == nil)
    }

    @Test(arguments: [
        "", "multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=x-x", "text/plain",
        "multipart/form-data; boundary=\"x\r\n\"", "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=\"unclosed ", "multipart/form-data; boundary={}",
        "multipart/form-data; boundary=" + String(repeating: "a", count: 71),
        "multipart/form-data; " + String(repeating: "a=b; ", count: 200) + "boundary=x-x",
    ])
    func aTypeWithoutAUsableBoundaryIsRefused(_ type: String) {
        #expect(refusal("--x-x--", type) == .noBoundary)
    }

    @Test func anotherBoundaryThanTheTypesIsRefused() {
        #expect(refusal("--y-y\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--y-y--") == .malformed)
        #expect(refusal("preamble\r\n--x-x\r\n") == .malformed)
        #expect(refusal("--x-xy\r\n\r\n") == .malformed)
        // In the middle it is content, and the end never comes.
        #expect(refusal("--x-x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--y-y--\r\n") == .cut)
    }

    @Test func whatHasNoEndIsRefusedWhereverItEnds() {
        let whole = "--x-x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n123\r\n--x-x--"
        #expect(refusal(whole) == nil)
        for length in 0..<whole.utf8.count {
            let refusal = refusal(Array(whole.utf8.prefix(length)))
            #expect(refusal == .cut || refusal == .malformed, "\(length) bytes")
        }
        // An endless one is cut by its size before; what came of it has no end either.
        let endless = "--x-x\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\n"
        #expect(refusal(Array(endless.utf8) + [UInt8](repeating: 0x0D, count: 1 << 20)) == .cut)
    }

    @Test func nestedOnesAreRefused() {
        let inner =
            "--x-x\r\nContent-Disposition: form-data; name=a\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n"
        #expect(refusal(inner + "--y\r\n\r\n--y--\r\n--x-x--") == .nested)
        #expect(refusal(inner.replacing("multipart/mixed", with: "MULTIPART/Mixed") + "\r\n--x-x--") == .nested)
    }

    @Test func hugeHeadersAreRefused() {
        let start = "--x-x\r\nContent-Disposition: form-data; name=a\r\n"
        #expect(
            refusal(start + "X: " + String(repeating: "y", count: 3000) + "\r\n\r\n1\r\n--x-x--") == .headerTooLarge)
        #expect(refusal(start + String(repeating: "X: y\r\n", count: 1000) + "\r\n1\r\n--x-x--") == .headerTooLarge)
        #expect(refusal(start + String(repeating: "\r", count: 5000)) == .headerTooLarge)
        #expect(refusal(start + "X: " + String(repeating: "y", count: 1900) + "\r\n\r\n1\r\n--x-x--") == nil)
    }

    @Test func thousandsOfPartsAreRefused() {
        let part = "--x-x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
        #expect(refusal(String(repeating: part, count: MultipartForm.maximumParts) + "--x-x--") == nil)
        #expect(refusal(String(repeating: part, count: MultipartForm.maximumParts + 1) + "--x-x--") == .tooManyParts)
        #expect(refusal(String(repeating: part, count: 10_000) + "--x-x--") == .tooManyParts)
        #expect(refusal(String(repeating: "--x-x\r\n", count: 10_000)) == .malformed)
    }

    @Test(arguments: [
        "", "Content-Type: image/png\r\n", "Content-Disposition: attachment; name=a\r\n", "no header\r\n",
        "Content-Disposition: form-data\r\n", "Content-Disposition: form-data; name=\"\"\r\n",
        "Content-Disposition: form-data; filename=a\r\n", "Content-Disposition: form-data; name\r\n",
        "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n",
        "Content-Disposition: form-data; name=\"" + String(repeating: "n", count: 65) + "\"\r\n",
    ])
    func aPartWithoutAUsableNameIsRefused(_ header: String) {
        #expect(refusal("--x-x\r\n\(header)\r\n1\r\n--x-x--") == .malformed)
    }

    @Test func aFieldThatIsTooLongOrNoTextIsNone() throws {
        let start = Array("--x-x\r\nContent-Disposition: form-data; name=token\r\n\r\n".utf8)
        let end = Array("\r\n--x-x--".utf8)
        let long = [UInt8](repeating: 0x61, count: MultipartForm.maximumField + 1)
        #expect(try MultipartForm(start + long + end, type: Self.type)["token"] == nil)
        #expect(try MultipartForm(start + long.dropLast() + end, type: Self.type)["token"]?.count == 4096)
        #expect(try MultipartForm(start + [0xFF, 0xFE] + end, type: Self.type)["token"] == nil)
    }

    /// Every byte of a form changed to others: read or refused, never more than that.
    @Test func noByteMakesItFail() {
        let whole = Array(
            "--x-x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\n1\r\n--x-x--\r\n".utf8)
        for place in whole.indices {
            for byte: UInt8 in [0x00, 0x0D, 0x0A, 0x20, 0x22, 0x2D, 0x3A, 0x3B, 0x3D, 0x5C, 0xFF] {
                var bytes = whole
                bytes[place] = byte
                _ = refusal(bytes)
                _ = refusal(bytes, String(decoding: bytes, as: UTF8.self))
            }
        }
    }
}
