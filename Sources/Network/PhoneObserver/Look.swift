import SRUP

/// What has come of a picture, for the operator who has taken it.
package struct Look: Sendable, Hashable {
    /// What was seen.
    package enum Outcome: Sendable, Hashable {
        /// The device has shown its value: VALID was sent.
        case valid(DeviceID)
        /// Another value was steadily shown in a device's place: INVALID was sent.
        case invalid(DeviceID)
        /// A value, but of no device that is looked at.
        case otherValue
        /// Codes that hold no value.
        case otherCode
        /// A code that could not be read.
        case unread
        case nothing(PictureReport.Light)
        /// No picture that can be looked at, and why.
        case unusable(String)
        /// The picture could not be looked at, which is not the picture's fault for certain.
        case failed
        /// There is nothing to look at.
        case nobody
    }
    package let outcome: Outcome
    /// By the desk's clock.
    package let at: Duration
    /// From where: "photo", "camera", "tag".
    package let eye: Eye

    /// What a picture or a value has come by.
    package enum Eye: String, Sendable {
        case photo, camera, tag
    }

    /// One of these words for programs.
    package var word: String {
        switch outcome {
        case .valid: "valid"
        case .invalid: "invalid"
        case .otherValue: "other-value"
        case .otherCode: "other-code"
        case .unread: "unread"
        case .nothing: "nothing"
        case .unusable: "unusable"
        case .failed: "failed"
        case .nobody: "nobody"
        }
    }

    /// What has come of it, and what to do.
    package var words: String {
        switch outcome {
        case .valid(let device): "\(device.hex) shows its value: VALID."
        case .invalid(let device):
            "INVALID: another value was shown in place of \(device.hex) for so long that it is not let in."
        case .otherValue:
            "A value was read, but that of no device that is to be looked at. Is this the right one? It may still show an earlier value."
        case .otherCode: "A code was read that is no device's: an address or the number of an article."
        case .unread: "There is a code that cannot be read: go closer, hold still, show all of it without reflections."
        case .nothing(.dark): "No code was found, and the picture is dark: make more light."
        case .nothing(.bright): "No code was found, and the picture is bright: less light, or another angle."
        case .nothing(.good): "No code was found: let it fill a third of the picture, sharp and whole."
        case .unusable(let why):
            "The picture cannot be looked at: \(why). JPEG and PNG can (on an iPhone: Settings, Camera, Formats, Most Compatible)."
        case .failed: "The picture could not be looked at. Take another one."
        case .nobody: "No device is to be looked at now."
        }
    }
}

/// Why a picture was not looked at, or the page not opened.
package enum PhoneError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The operator's page is not open.
    case notOpen
    /// Too many pictures of one operator, or of all; how many seconds to wait.
    case tooMany(Int)
    /// The picture is too large, or did not come whole.
    case tooLarge
    /// The observer of this operator cannot take part, and why.
    case noPlace(String)

    package var description: String {
        switch self {
        case .notOpen: "the phone does not look any more: nothing came from it for a minute, or it was stopped"
        case .tooMany: "too many pictures at once"
        case .tooLarge: "a picture has \(PictureProcess.maximumPicture >> 20) MiB at most"
        case .noPlace(let why): "this phone cannot become an observer: \(why)"
        }
    }
}
