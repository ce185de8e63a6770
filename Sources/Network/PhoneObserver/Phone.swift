import Keeper
import Limits
import Observation
import Participant
import Program
import SRUP
import Synchronization
import WitnessLink

/// One operator's phone while its page is open: an observer whose eyes are the pictures that come from there.
final class Phone: Sendable {
    let name: String
    let id: DeviceID
    private let member: Member
    private let service: ObservationService
    private let end: @Sendable () async -> Void
    private let said: Said

    /// A phone's verdict, for its page.
    struct Told: Sendable {
        let device: DeviceID
        let verdict: Verdict
        let at: Duration
    }

    private final class Said: Sendable {
        struct State {
            var isConnected = false
            var isJoined = false
            var verdicts: [Told] = []
            var count = 0
        }
        let state = Mutex(State())
    }

    /// The last so many verdicts are on the page.
    private static let keptVerdicts = 8

    /// - Parameters:
    ///   - changed: told whenever the page is out of date.
    /// - Throws: what the place throws.
    init(
        _ name: String, _ place: PhonePlace, rules: WatchRules, time: Timekeeper,
        changed: @escaping @Sendable (DeviceID?) -> Void
    ) async throws {
        self.name = name
        id = place.participant.id
        let said = Said()
        self.said = said
        let service = ObservationService(
            place.participant, server: place.server, rules: rules, events: try EventLog(path: nil), name: name,
            time: time)
        self.service = service
        await service.onVerdict { device, verdict in
            if let device {
                said.state.withLock { state in
                    state.verdicts.append(Told(device: device, verdict: verdict, at: time.now()))
                    state.verdicts.removeFirst(max(0, state.verdicts.count - Self.keptVerdicts))
                    state.count += 1
                }
            }
            changed(device)
        }
        // A photo may come at any time: a person who looks for one needs longer than any camera.
        await service.heard(.ready("photos from the page"), from: Look.Eye.photo.rawValue)
        let behaviour = Member.Behaviour(
            rejoin: .seconds(600),
            identification: Identification(
                program: "srup-c2 phone \(Release.version)", observations: rules.maximumWatches))
        let member = Member(
            place.participant, server: place.server, serverKey: place.serverKey, behaviour: behaviour, time: time
        ) { event in
            await service.handle(event)
            switch event {
            case .connected: said.state.withLock { $0.isConnected = true }
            case .disconnected:
                said.state.withLock { state in
                    state.isConnected = false
                    state.isJoined = false
                }
            case .joined: said.state.withLock { $0.isJoined = true }
            case .refused, .joinFailed, .left: said.state.withLock { $0.isJoined = false }
            case .observationRequested(_, let device, _): return changed(device)
            default: return
            }
            changed(nil)
        }
        self.member = member
        end = try await place.begin(member)
    }

    /// Takes no more part; what it was to look at, it forgets.
    func stop() async { await end() }

    var isConnected: Bool { said.state.withLock { $0.isConnected } }
    var isJoined: Bool { said.state.withLock { $0.isJoined } }
    var verdicts: [Told] { said.state.withLock { $0.verdicts } }

    /// What it is to look at.
    var subjects: [(device: DeviceID, opened: Duration, deadline: Duration)] {
        get async { await service.subjectsInView }
    }

    var isLooking: Bool { get async { await service.openWatches > 0 } }

    /// An eye begins to see: what it shows first was there before.
    func begins(_ eye: Look.Eye) async { await service.heard(.ready("the page"), from: eye.rawValue) }

    /// Shows the observation what was seen; the verdicts that came of it.
    func show(_ report: PictureReport, by eye: Look.Eye) async -> [Told] {
        let before = said.state.withLock { $0.count }
        for place in report.unread { await service.heard(.unread(place), from: eye.rawValue) }
        for seen in report.seen { await service.heard(.seen(seen.value, how: seen.how), from: eye.rawValue) }
        return said.state.withLock { state in
            Array(state.verdicts.suffix(min(state.count - before, Self.keptVerdicts)))
        }
    }

    /// Does what is due; for clocks that do not wake anybody.
    func tick() async {
        await member.tick()
        await service.tick()
    }
}
