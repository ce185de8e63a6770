import Glibc
import Storage

/// RabbitMQ as it is installed.
public struct RabbitProgram: Sendable, Hashable {
    /// The script that starts it.
    public let path: String
    /// Its version, as the path says it; `nil`: it does not.
    public let version: String?

    /// Where Debian has it, and who installs it by hand.
    public static let places = [
        "/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server",
        "/usr/local/sbin/rabbitmq-server",
    ]

    /// - Parameter chosen: where the operator says it is; `nil`: where it usually is.
    /// - Returns: `nil` when there is none.
    public static func find(_ chosen: String?, places: [String] = places) -> RabbitProgram? {
        (chosen.map { [$0] } ?? places).first { access($0, X_OK) == 0 }.map { RabbitProgram(path: $0) }
    }

    /// The program with this path. RabbitMQ's releases lie in a folder `rabbitmq_server-VERSION`, to which Debian's path leads.
    public init(path: String) {
        self.path = path
        let real = realpath(path, nil)
        defer { free(real) }
        let marker = "rabbitmq_server-"
        version = real.map { String(cString: $0) }?.split(separator: "/").last { $0.hasPrefix(marker) }
            .map { String($0.dropFirst(marker.count)) }
    }

    /// Whether a version is one before ``RabbitConfiguration/earliestVersion``, or none at all.
    public static func isTooOld(_ version: String) -> Bool {
        guard let major = version.split(separator: ".").first.flatMap({ Int($0) }) else { return true }
        return major < RabbitConfiguration.earliestVersion
    }

    /// Why a version that is too old does not do.
    public static func refusal(_ version: String) -> String {
        "RabbitMQ \(version.prefix(32)) is too old: before \(RabbitConfiguration.earliestVersion) any client may take another's client "
            + "id, and with it its session; Debian 13 has 4.0"
    }
}
