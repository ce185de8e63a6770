import C2
import HTTPServing
import Hummingbird
import KeyService
import Logging
import Operators
import Participant
import PhoneObserver
import ServiceLifecycle

/// Where operators look at the network and decide: pages for people, and what programs ask for, over HTTPS.
///
/// Whatever is shown comes from stored state, and whatever is done goes through ``C2Server``'s operations, as the commands
/// do. The console keeps nothing of its own.
public struct Console: Sendable {
    /// Whose network it is.
    let server: C2Server
    /// Who may come in.
    let signIn: SignIn
    /// What the key service knows of identities.
    let identities: KeyServiceState
    /// How the operator has set it up.
    let settings: ConsoleSettings
    let logger: Logger
    /// Seconds since 1970.
    let now: @Sendable () -> Double
    /// Operators' phones as observers; `nil`: not here.
    let phones: PhoneDesk?
    /// The network's other cells; `nil`: there is one.
    let cells: CellPages?
    let templates: Templates
    let streams = StreamTable()
    let api: APIState
    /// The certificates whose ends are told, by name.
    let certificates: [String: String]

    /// - Parameters:
    ///   - identities: the key service's book of the same folder.
    ///   - certificates: the files of certificates whose ends are told at `/metrics`, by name.
    ///   - now: seconds since 1970, as the clock says.
    /// - Throws: when a template is wrong.
    public init(
        server: C2Server, signIn: SignIn, identities: KeyServiceState, settings: ConsoleSettings, logger: Logger,
        certificates: [String: String] = [:], now: @escaping @Sendable () -> Double = Participant.systemTime
    ) throws {
        try self.init(
            server: server, signIn: signIn, identities: identities, settings: settings, phones: nil, cells: nil,
            logger: logger, certificates: certificates, now: now)
    }

    /// The same with phones, and with the network's other cells.
    package init(
        server: C2Server, signIn: SignIn, identities: KeyServiceState, settings: ConsoleSettings, phones: PhoneDesk?,
        cells: CellPages?, logger: Logger, certificates: [String: String] = [:],
        now: @escaping @Sendable () -> Double = Participant.systemTime
    ) throws {
        self.phones = phones
        self.cells = cells
        self.server = server
        self.signIn = signIn
        self.identities = identities
        self.settings = settings
        self.logger = logger
        self.now = now
        self.certificates = certificates
        api = APIState(callsPerSecond: settings.callsPerSecond)
        templates = try Templates()
    }

    var operators: OperatorStore { signIn.store }

    /// Everything that is answered.
    func router() -> Router<ConsoleContext> {
        let router = Router(context: ConsoleContext.self)
        router.addMiddleware {
            SafeHeaders()
        }
        if let cells { router.addMiddleware { CellDoor(console: self, pages: cells) } }
        router.addMiddleware {
            APIDoor(console: self)
            Doorkeeper(console: self)
        }
        addAssets(to: router)
        addSignIn(to: router)
        addEvents(to: router)
        addWaiting(to: router)
        addDevices(to: router)
        addGroups(to: router)
        addObservers(to: router)
        addPhone(to: router)
        addInvitation(to: router)
        addReleases(to: router)
        addRollouts(to: router)
        addPolicies(to: router)
        addAudit(to: router)
        addOperators(to: router)
        addAccount(to: router)
        addCells(to: router)
        router.get("/") { _, _ in Response.found("/waiting") }
        return router
    }
}

/// How the console is set up, from `[pages]` in `c2.toml`.
public struct ConsoleSettings: Sendable {
    /// The name of the network, on every page.
    public var name: String
    /// Where devices register: shown to whoever wants to add one.
    public var keyService: String
    /// How many calls a second one token may make in the long run; ten times as many at once.
    public var callsPerSecond = 50.0
    /// The network's authority in PEM, which is offered to phones; `nil`: it is not.
    public var authorityFile: String?
    /// The server's folder, where the authority's key signs release receipts; `nil`: it is not here.
    public var folder: String?
    /// How devices reach the key service, for invitations.
    public var keyServicePlace: (host: String, port: Int) = ("localhost", 8443)

    /// - Parameters:
    ///   - name: of the network; the host's name when it has none.
    ///   - keyService: its URL.
    public init(name: String, keyService: String) {
        self.name = name
        self.keyService = keyService
    }
}

/// Serves the console. When its port is taken it tries again, and the network runs without pages meanwhile.
public struct ConsoleServer: Service {
    private let console: Console
    private let bind: String
    private let port: Int
    private let certificate: ServingCertificate
    private let onRunning: @Sendable (Int) async -> Void

    /// How long after a failure it is tried again.
    private static let pause = Duration.seconds(15)

    /// - Parameters:
    ///   - bind: an address of this machine, in numbers.
    ///   - port: 0 for any that is free.
    ///   - certificateFile: PEM; a new one is served without a restart.
    ///   - keyFile: PEM.
    ///   - onRunning: is told the port.
    /// - Throws: when certificate or key cannot be read.
    public init(
        _ console: Console, bind: String, port: Int, certificateFile: String, keyFile: String,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) throws {
        self.console = console
        self.bind = bind
        self.port = port
        self.onRunning = onRunning
        certificate = try ServingCertificate(
            certificateFile: certificateFile, keyFile: keyFile, logger: console.logger,
            check: ServerCertificates.mustFit)
    }

    /// Serves until it is stopped.
    public func run() async throws {
        try await withGracefulShutdownHandler {
            while !Task.isShuttingDownGracefully {
                do {
                    let application = try application()
                    try await application.run()
                    return
                } catch {
                    if Task.isShuttingDownGracefully || error is CancellationError { return }
                    console.logger.error(
                        "the pages cannot be served on \(bind):\(port): \(error); trying again in 15 s")
                    try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.pause) }
                }
            }
        } onGracefulShutdown: {
            console.streams.endAll()
        }
    }

    private func application() throws -> some ApplicationProtocol {
        var limits = ConnectionLimits()
        limits.maximum = 512
        let (bind, logger, onRunning) = (bind, console.logger, onRunning)
        return try HTTPSApplication.make(
            console.router().buildResponder(), bind: bind, port: port, certificate: certificate, limits: limits,
            logger: logger
        ) { port in
            logger.notice("the pages are on \(bind):\(port)")
            await onRunning(port)
        }
    }
}
