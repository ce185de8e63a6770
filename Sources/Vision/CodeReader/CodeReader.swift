import CZbar
import Luma

/// The kinds of code that are read.
public enum Symbology: String, Sendable, CaseIterable {
    case qr
    case dataMatrix = "datamatrix"
    case code128, code93, code39

    /// Bars beside one another.
    public static let linear: Set<Symbology> = [.code128, .code93, .code39]

    init?(_ type: zbar_symbol_type_t) {
        switch type {
        case ZBAR_QRCODE: self = .qr
        case ZBAR_CODE128: self = .code128
        case ZBAR_CODE93: self = .code93
        case ZBAR_CODE39: self = .code39
        default: return nil
        }
    }

    /// `nil` for those that zbar does not read.
    var zbar: zbar_symbol_type_t? {
        switch self {
        case .qr: ZBAR_QRCODE
        case .dataMatrix: nil
        case .code128: ZBAR_CODE128
        case .code93: ZBAR_CODE93
        case .code39: ZBAR_CODE39
        }
    }
}

/// Reads codes in grey pictures. Not safe to use from several threads: one reader per thread.
public final class CodeReader {
    /// Longer values are cut off the list: no code that matters is longer, and a hostile one may be.
    public static let maximumLength = 4096
    /// More codes than this in one picture are not looked at.
    public static let maximumReadings = 64

    /// Work for one picture, in units of ``WorkBudget``: some tens of milliseconds at most.
    private static let units = 20_000_000

    private let search: StillSearch?
    /// Where zbar alone is to read QR codes.
    private let zbarAlone: SecondReader?
    /// For linear codes.
    private let scanner: ZbarScanner?
    private let symbologies: Set<Symbology>
    /// Whether pictures are frames of a stream: those before have a say in what linear codes are.
    private let isStream: Bool
    private var ballot = LinearBallot()
    private var number = 0
    /// Symbols of the picture that was read last that are there and could not be read.
    public private(set) var unread: [Aim] = []

    /// - Parameters:
    ///   - symbologies: what to look for; fewer is faster.
    ///   - readers: of QR codes; at least one.
    public convenience init(
        _ symbologies: Set<Symbology> = Set(Symbology.allCases), readers: Set<QRReader> = Set(QRReader.allCases)
    ) {
        self.init(symbologies, readers: readers, isStream: false)
    }

    init(_ symbologies: Set<Symbology>, readers: Set<QRReader>, isStream: Bool) {
        self.isStream = isStream
        let linear = symbologies.intersection(Symbology.linear)
        let isQR = symbologies.contains(.qr)
        let isZbarAlone = readers == [.zbar]
        search = isQR && !isZbarAlone ? StillSearch(second: readers.contains(.zbar) ? SecondReader() : nil) : nil
        zbarAlone = isQR && isZbarAlone ? SecondReader() : nil
        scanner = linear.isEmpty ? nil : ZbarScanner(linear)
        self.symbologies = symbologies
    }

    /// The codes in the picture, each once, at most ``maximumReadings``: QR codes by this project's own search and, where finder
    /// patterns gave no text, by zbar; then Data Matrix; then linear codes. None ends the search for others.
    public func read(_ plane: LumaPlane) -> [Reading] {
        var found = search?.read(plane) ?? []
        if let zbarAlone { found.add(zbarAlone.read(plane)) }
        unread = search?.unread ?? []
        if symbologies.contains(.dataMatrix) {
            let matrix = isStream ? Reading.dataMatrixOfFrame(plane) : Reading.dataMatrix(plane)
            found.add(matrix.readings)
            unread += matrix.unread
        }
        if let scanner { found.add(linear(plane, scanner)) }
        return found
    }

    private func linear(_ plane: LumaPlane, _ scanner: ZbarScanner) -> [Reading] {
        if !isStream { ballot = LinearBallot() }
        number &+= 1
        ballot.add(scanner.tallies(plane) + LinearLocator.read(plane, scan: scanner.scan), frame: number)
        return ballot.elected(in: number)
    }
}
