import ArgumentParser
import C2
import Program
import SRUP

/// What a command about zones and roll calls asks the running server.
struct ZoneOrder: Codable {
    enum What: String, Codable { case serve, eyes, device, type, call, missing }

    var what: What
    /// An identity, or a type.
    var subject: String?
    /// Zones that an observer serves; of a device or a type the one.
    var zones: [String]?
    /// What an observer sees by; `nil`: its own word counts.
    var eyes: String?
    /// Back to what holds without this order.
    var resets = false

    /// - Throws: ``OperationError``.
    func done(by server: C2Server, _ name: String) async throws(OperationError) -> [ZoneReply] {
        switch what {
        case .serve: try await server.setZones(Set(zones ?? []), of: identity(), by: name)
        case .eyes:
            let kind = eyes.flatMap { EyeKind(rawValue: $0) }
            guard resets || kind != nil else { throw .invalid("an observer sees by camera, tap or person") }
            try await server.setEyes(resets ? nil : kind, of: identity(), by: name)
        case .device: try await server.setZone(resets ? nil : zones?.first, of: identity(), by: name)
        case .type: try await server.setZone(resets ? nil : zones?.first ?? "", for: subject ?? "", by: name)
        case .call: try await server.callRoll(of: identity(), by: name)
        case .missing: return try await server.missing().map(ZoneReply.init)
        }
        return []
    }

    private func identity() throws(OperationError) -> DeviceID {
        guard let id = subject.flatMap({ DeviceID(participant: $0) }) else { throw .invalid("that is no identity") }
        return id
    }

    func ask(_ folder: String) throws(OperationError) -> [ZoneReply] {
        try ServerOrder(what: .zone, by: ServerOrder.user, zone: self).ask(folder).missing ?? []
    }
}

/// A member that was not seen at its last roll call.
struct ZoneReply: Codable {
    var device: String
    var type: String
    var lastSeen: String
    var failures: Int
    var why: String?

    init(_ presence: C2State.Presence) {
        device = presence.device.hex
        type = presence.type.withoutControls
        lastSeen = WaitingCommand.time(presence.seen)
        failures = presence.failures
        why = presence.why
    }
}

struct ZoneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zone", abstract: "Say which observers stand where, and where devices are to be.",
        discussion: """
            A zone is a place with observers of its own: "hall", "cellar". A device that belongs in one needs to know no \
            observer: all that are free there are asked, the first that says VALID lets it in (or as many as its policy asks \
            for), any that says INVALID ends it. Observers that serve no zone look at devices that are in none.

            srup-c2 zone serve 4c1d0b2a77e94f10 hall stairs
            srup-c2 zone type lamp hall
            srup-c2 zone device b9d077e223834cf6 cellar
            srup-c2 zone list

            Exit codes: 0 done, 1 it was refused, or no server answers.
            """,
        subcommands: [ListZones.self, ServeZone.self, TypeZone.self, DeviceZone.self, Eyes.self])
}

private struct ListZones: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List zones: their observers, the types and devices that belong there.",
        discussion: "What c2.toml says of types is not in it. Works without a running server, too.")

    @OptionGroup var folder: FolderOptions

    func run() throws {
        do {
            let state = try folder.state()
            let eyes = try state.eyes()
            for (observer, zones) in try state.zones().sorted(by: { $0.key < $1.key }) {
                let kind = eyes[observer].map { " (\($0.rawValue))" } ?? ""
                print("observer \(observer)\(kind): \(zones.sorted().joined(separator: ", "))")
            }
            for one in try state.typeZones() {
                print("type \(one.type.withoutControls): \(one.zone ?? "none") (set by \(one.by.withoutControls))")
            }
            for zone in Set(try state.zones().values.joined()).sorted() {
                for device in try state.devices(inZone: zone) { print("device \(device): \(zone)") }
            }
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }
}

private struct ServeZone: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Say which zones an observer serves; without any, none.",
        discussion: "Example: srup-c2 zone serve 4c1d0b2a77e94f10 hall stairs")

    @OptionGroup var folder: FolderOptions
    @Argument(help: "The observer's identity.")
    var observer: IdentityArgument
    @Argument(help: "1 to 64 letters, digits, and . _ - each.")
    var zones: [String] = []

    func run() throws {
        try reporting {
            _ = try ZoneOrder(what: .serve, subject: observer.id.hex, zones: zones).ask(folder.folder)
            print("\(observer.id) serves \(zones.isEmpty ? "no zone" : zones.joined(separator: ", "))")
        }
    }
}

private struct TypeZone: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "type", abstract: "Say in which zone the devices of a type are to be.",
        discussion: "Holds beside [zones] of c2.toml until it is reset. Example: srup-c2 zone type lamp hall")

    @OptionGroup var folder: FolderOptions
    @Argument(help: "The device type.")
    var type: String
    @Argument(help: "The zone; without it, in none.")
    var zone: String?
    @Flag(help: "Go back to what c2.toml says.")
    var reset = false

    func run() throws {
        try reporting {
            _ = try ZoneOrder(what: .type, subject: type, zones: zone.map { [$0] }, resets: reset).ask(folder.folder)
            print("\(type.withoutControls): \(reset ? "as c2.toml says" : zone ?? "in no zone")")
        }
    }
}

private struct DeviceZone: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "device",
        abstract: "Say in which zone a device is to be, whatever its type and its invitation say.",
        discussion: "Example: srup-c2 zone device b9d077e223834cf6 cellar")

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Its identity.")
    var device: IdentityArgument
    @Argument(help: "The zone; without it, that of its type.")
    var zone: String?

    func run() throws {
        try reporting {
            _ = try ZoneOrder(
                what: .device, subject: device.id.hex, zones: zone.map { [$0] }, resets: zone == nil
            ).ask(folder.folder)
            print("\(device.id): \(zone ?? "the zone of its type")")
        }
    }
}

private struct Eyes: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eyes", abstract: "Say what an observer sees by, where its own word is not to count.",
        discussion: """
            For policies such as "observed by camera and tap". An observer of ours says itself what it has; one that has both \
            counts as neither, since its answer does not say by which it has seen.
            Example: srup-c2 zone eyes 4c1d0b2a77e94f10 tap
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: "The observer's identity.")
    var observer: IdentityArgument
    @Argument(help: "camera, tap or person; without it, its own word counts.")
    var kind: String?

    func validate() throws {
        if let kind, EyeKind(rawValue: kind) == nil { throw ValidationError("it is camera, tap or person") }
    }

    func run() throws {
        try reporting {
            _ = try ZoneOrder(what: .eyes, subject: observer.id.hex, eyes: kind, resets: kind == nil).ask(folder.folder)
            print("\(observer.id) sees by \(kind ?? "what it says itself")")
        }
    }
}

struct RollCallCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollcall", abstract: "Have devices show themselves again, and list those that did not.",
        discussion: """
            A device that belongs is sent a fresh nonce to show, and the observers of its zone (or the one that has seen it \
            last) look at it. What stands there in its place cannot show it. What comes of it is in "srup-c2 rollcall list", \
            "srup-c2 joins" and the audit log; [roll_call] in c2.toml has it done by itself, and says what becomes of those \
            that fail.

            srup-c2 rollcall b9d077e223834cf6
            srup-c2 rollcall list

            Exit codes: 0 it has begun (list: there is nobody missing), 1 it was refused, no server answers, or somebody is \
            missing.
            """,
        subcommands: [CallRoll.self, ListMissing.self], defaultSubcommand: CallRoll.self)
}

private struct CallRoll: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call", abstract: "Have devices show themselves.", discussion: "srup-c2 rollcall b9d077e223834cf6")

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Their identities.")
    var devices: [IdentityArgument]

    func run() throws {
        try reporting {
            for device in devices {
                _ = try ZoneOrder(what: .call, subject: device.id.hex).ask(folder.folder)
                print("\(device.id) is to show itself")
            }
        }
    }
}

private struct ListMissing: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the devices that were not seen at their last roll call.")

    @OptionGroup var folder: FolderOptions
    @Flag(help: "One JSON object per line.")
    var json = false

    func run() throws {
        try reporting {
            let missing = try ZoneOrder(what: .missing).ask(folder.folder)
            for one in missing {
                let times = one.failures == 1 ? "" : ", \(one.failures) times in a row"
                print(
                    json
                        ? one.jsonLine
                        : "\(one.device)  \(one.type)  last seen \(one.lastSeen)\(times): \(one.why ?? "")")
            }
            guard missing.isEmpty else { throw ExitCode(1) }
            if !json { print("nobody is missing") }
        }
    }
}
