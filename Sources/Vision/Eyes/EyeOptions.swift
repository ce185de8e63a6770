import Addresses
import ArgumentParser
import Camera
import CodeReader

/// Options of the commands that look through a camera.
public struct EyeOptions: ParsableArguments, Sendable {
    /// Where the pictures come from.
    @Option(
        name: .customLong("device"),
        help: ArgumentHelp("\(CameraAddress.forms).", valueName: "camera"), transform: Self.camera)
    public var address = CameraAddress.automatic
    /// The picture size as given, "WIDTHxHEIGHT" in pixels, each from 64 to 8192; see ``wanted``.
    @Option(help: ArgumentHelp("The picture size to ask the camera for.", valueName: "WxH"))
    public var size = "1280x720"

    private static let camera: @Sendable (String) throws -> CameraAddress = { text in
        do throws(AddressError) {
            return try CameraAddress(text)
        } catch {
            throw ValidationError(error.description)
        }
    }

    /// Called by ArgumentParser, which then fills in the options; they cannot be read before.
    public init() {}

    /// Checks what was given; called by ArgumentParser.
    ///
    /// - Throws: `ValidationError` when the camera's address or the size is wrong.
    public func validate() throws {
        guard let size = Self.parsed(size), (64...8192).contains(size.width), (64...8192).contains(size.height) else {
            throw ValidationError("--size must be like 1280x720")
        }
    }

    /// A session with the camera that was chosen.
    public func session() throws -> CameraSession {
        CameraSession(address, width: wanted.width, height: wanted.height)
    }

    /// The camera that was chosen, opened.
    ///
    /// - Throws: ``CameraError``.
    public func open() throws(CameraError) -> any FrameSource {
        try address.open(width: wanted.width, height: wanted.height)
    }

    /// The picture size to ask for, in pixels.
    public var wanted: (width: Int, height: Int) { Self.parsed(size) ?? (1280, 720) }

    private static func parsed(_ text: String) -> (width: Int, height: Int)? {
        // Digits only: Swift's own reading takes a sign, too.
        let parts = text.split(separator: "x", omittingEmptySubsequences: false).map { part in
            part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(part) : nil
        }
        guard parts.count == 2, let width = parts[0], let height = parts[1] else { return nil }
        return (width, height)
    }
}

/// Which kinds of code to look for, and who reads QR codes.
public struct SymbologyOptions: ParsableArguments, Sendable {
    /// The kinds of code as given, names of ``Symbology`` with commas between; see ``parsed()``.
    @Option(
        help: ArgumentHelp(
            "Only these kinds of code: qr, datamatrix, code128, code93, code39, with commas between.",
            valueName: "list"))
    public var symbologies = "qr,datamatrix,code128,code93,code39"
    /// The readers of QR codes as given, names of ``QRReader`` with commas between; see ``wantedReaders()``.
    @Option(
        help: ArgumentHelp(
            "Who reads QR codes: own, zbar, with a comma between. zbar is asked where own found a code and no text.",
            valueName: "list"))
    public var readers = "own,zbar"

    /// Called by ArgumentParser, which then fills in the options; they cannot be read before.
    public init() {}

    /// Checks what was given; called by ArgumentParser.
    ///
    /// - Throws: `ValidationError` when there is no kind of code, or one that is not known.
    public func validate() throws {
        _ = try parsed()
        _ = try wantedReaders()
    }

    /// The kinds of code that were chosen.
    public func parsed() throws -> Set<Symbology> {
        try Self.names("--symbologies", symbologies)
    }

    /// The readers that were chosen.
    public func wantedReaders() throws -> Set<QRReader> {
        try Self.names("--readers", readers)
    }

    private static func names<Name>(_ option: String, _ text: String) throws -> Set<Name>
    where Name: RawRepresentable<String> & CaseIterable & Hashable {
        let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let found = names.compactMap(Name.init(rawValue:))
        guard !found.isEmpty, found.count == names.count else {
            let known = Name.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("\(option) takes \(known), with commas between")
        }
        return Set(found)
    }
}
