import Camera
import Foundation
import Luma

enum StillPictures {
    static func decode(_ data: Data) throws -> LumaPicture { try StillPicture.decode(Array(data), name: "sent") }
}
