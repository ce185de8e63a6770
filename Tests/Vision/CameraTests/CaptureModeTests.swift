import Testing

@testable import Camera

@Suite struct CaptureModeTests {
    func mode(_ format: String, _ width: Int, _ height: Int, _ rate: Double? = 30) -> CaptureMode {
        CaptureMode(format: format, width: width, height: height, rate: rate)
    }

    func first(_ modes: [CaptureMode], _ width: Int = 1280, _ height: Int = 720) -> CaptureMode? {
        CaptureMode.ordered(modes, width: width, height: height).first
    }

    @Test func theSizeThatIsAskedForComesBeforeTheCost() {
        #expect(first([mode("YUYV", 640, 480), mode("MJPG", 1280, 720)]) == mode("MJPG", 1280, 720))
        #expect(first([mode("GREY", 340, 340), mode("MJPG", 1280, 720)]) == mode("MJPG", 1280, 720))
        #expect(first([mode("YUYV", 640, 480), mode("MJPG", 1280, 720)], 640, 480) == mode("YUYV", 640, 480))
    }

    @Test func aRateThatIsEnoughComesBeforeTheCost() {
        #expect(first([mode("YUYV", 1280, 720, 5), mode("MJPG", 1280, 720)]) == mode("MJPG", 1280, 720))
        #expect(first([mode("YUYV", 1280, 720, 15), mode("MJPG", 1280, 720)]) == mode("MJPG", 1280, 720))
        #expect(first([mode("YUYV", 1280, 720, 25), mode("MJPG", 1280, 720)]) == mode("YUYV", 1280, 720, 25))
    }

    @Test func ofEqualModesTheCheapestIsTaken() {
        let modes = ["MJPG", "YUYV", "GREY", "NV12"].map { mode($0, 1280, 720) }
        #expect(first(modes)?.format == "GREY")
        #expect(first([mode("MJPG", 1280, 720, nil), mode("YUYV", 1280, 720, nil)])?.format == "YUYV")
    }

    @Test func aLittleTooLargeIsBetterThanTooSmallButNotFarTooLarge() {
        #expect(first([mode("MJPG", 640, 480), mode("MJPG", 1920, 1080)])?.width == 1920)
        #expect(first([mode("MJPG", 640, 480), mode("MJPG", 3840, 2160)])?.width == 640)
        #expect(first([mode("MJPG", 1280, 960), mode("MJPG", 800, 600)])?.width == 1280)
    }

    @Test func whatNeedsLessOfTheBusIsKnown() {
        #expect(mode("MJPG", 1280, 720).bandwidth < mode("YUYV", 640, 480).bandwidth)
        #expect(mode("YUYV", 640, 480).bandwidth < mode("YUYV", 1280, 720, 15).bandwidth)
        #expect(mode("NV12", 640, 480).bandwidth < mode("YUYV", 640, 480).bandwidth)
    }
}
