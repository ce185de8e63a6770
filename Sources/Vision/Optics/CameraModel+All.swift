extension CameraModel {
    /// Sensor modes: of the Linux drivers ov5647, imx219, imx708, imx477, imx296 and imx500 (the Raspberry Pi's kernel 6.12).
    /// Angles, near limits and lenses: https://www.raspberrypi.com/documentation/accessories/camera.html (2026-11) and the
    /// makers' data sheets.
    public static let all: [CameraModel] = modules + lenses + webcams

    private static let brief = "the camera documentation's table"

    private static let v1Modes = [
        Mode(640, 480, binning: 4), Mode(1296, 972, binning: 2), Mode(1920, 1080), Mode(2592, 1944),
    ]
    private static let v2Modes = [
        // Binned, and the middle alone.
        Mode(640, 480, binning: 2), Mode(1640, 1232, binning: 2), Mode(1920, 1080), Mode(3280, 2464),
    ]
    private static let v3Modes = [Mode(1536, 864, binning: 2), Mode(2304, 1296, binning: 2), Mode(4608, 2592)]

    private static let modules = [
        CameraModel(
            "v1", "Camera Module 1 (OV5647), as sold", sensorWidth: 2592, fullAngle: 53.5, modes: v1Modes,
            nearest: 1000,
            source: "\(brief): focus fixed, 1 m to infinity"),
        CameraModel(
            "v2", "Camera Module 2 (IMX219), as sold", sensorWidth: 3280, fullAngle: 62.2, modes: v2Modes, nearest: 500,
            source: "\(brief); sold at about 1 m, and soft below half of it"),
        CameraModel(
            "v2-turned", "Camera Module 2, lens turned to the code", sensorWidth: 3280, fullAngle: 62.2, modes: v2Modes,
            nearest: 60, source: "\(brief); with the ring that comes with it"),
        CameraModel(
            "v3", "Camera Module 3 (IMX708), autofocus by rpicam-vid", sensorWidth: 4608, fullAngle: 66, modes: v3Modes,
            nearest: 100, source: "\(brief): 10 cm to infinity"),
        // A circle of confusion of 5 µm (1.5 pixels of a picture of 1280), f 4.74 mm, f/1.8, lens at 1 dioptre.
        CameraModel(
            "v3-layer", "Camera Module 3, libcamera's layer: focus stays at 1 m", sensorWidth: 4608, fullAngle: 66,
            modes: v3Modes, nearest: 714, farthest: 1668, source: "\(brief): the lens's default is 1 dioptre"),
        CameraModel(
            "v3-wide", "Camera Module 3 Wide, autofocus by rpicam-vid", sensorWidth: 4608, fullAngle: 102,
            modes: v3Modes,
            nearest: 50, source: "\(brief): 5 cm to infinity"),
        CameraModel(
            "ai", "AI Camera (IMX500), focus turned to the code", sensorWidth: 4056, fullAngle: 66,
            modes: [Mode(2028, 1520, binning: 2), Mode(4056, 3040)], nearest: 200, source: "\(brief): 20 cm to infinity"
        ),
    ]

    private static let hqModes = [
        Mode(1332, 990, binning: 2), Mode(2028, 1080, binning: 2), Mode(2028, 1520, binning: 2), Mode(4056, 3040),
    ]
    private static let globalModes = [Mode(1456, 1088)]

    /// - Parameters:
    ///   - focal: of the lens, in millimetres.
    ///   - pitch: of the sensor's pixels, in millimetres.
    private static func lens(
        _ id: String, _ name: String, _ sensorWidth: Int, pitch: Double, focal: Double, _ modes: [Mode]
    ) -> CameraModel {
        CameraModel(
            id, name, sensorWidth: sensorWidth, fullAngle: Angle.across(Double(sensorWidth) * pitch, focal: focal),
            modes: modes, nearest: 200, source: "the lens's data sheet: 20 cm to infinity; \(brief)")
    }

    private static let lenses = [
        lens("hq-6mm", "HQ Camera (IMX477), 6 mm lens", 4056, pitch: 0.00155, focal: 6, hqModes),
        lens("hq-16mm", "HQ Camera (IMX477), 16 mm lens", 4056, pitch: 0.00155, focal: 16, hqModes),
        lens("gs-6mm", "Global Shutter Camera (IMX296), 6 mm lens", 1456, pitch: 0.00345, focal: 6, globalModes),
        lens("gs-16mm", "Global Shutter Camera (IMX296), 16 mm lens", 1456, pitch: 0.00345, focal: 16, globalModes),
    ]

    /// Webcams scale their whole width to each size of 16:9, and cut the sides off for others.
    private static func webcam(
        _ id: String, _ name: String, diagonal: Double, nearest: Double, largest: Int = 1920
    ) -> CameraModel {
        CameraModel(
            id, name, sensorWidth: largest, fullAngle: Angle.across(diagonal: diagonal),
            modes: [Mode(largest, largest * 9 / 16)], nearest: nearest,
            source: "its maker's diagonal angle, \(Measure.short(diagonal))°")
    }

    private static let webcams = [
        webcam("c270", "Logitech C270, fixed focus", diagonal: 55, nearest: 400, largest: 1280),
        webcam("c920", "Logitech C920, C922, autofocus", diagonal: 78, nearest: 100),
        webcam("c930e", "Logitech C930e, autofocus", diagonal: 90, nearest: 100),
        webcam("brio100", "Logitech Brio 100, fixed focus", diagonal: 58, nearest: 400),
    ]
}
