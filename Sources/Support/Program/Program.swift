import ArgumentParser
import Glibc
import Linux
import Logging
import ServiceLifecycle

/// What the programs have in common: how they log, stop, and say what went wrong.
public enum Program {
    /// Exit codes, the same for all programs (after sysexits.h).
    public enum Code: Int32, Sendable {
        case failure = 1
        /// EX_CONFIG: a configuration file or a folder's state is wrong; trying again does not help.
        case configuration = 78
        /// EX_UNAVAILABLE: something outside is not there; trying again may help.
        case unavailable = 69
    }

    /// A logger on standard error, whose lines are harmless to a terminal.
    ///
    /// - Parameter level: of all loggers of the program, see ``setLogLevel(_:)``.
    public static func logger(_ label: String, level: Logger.Level) -> Logger {
        setLogLevel(level)
        return Logger(label: label) { PlainLogHandler(StreamLogHandler.standardError(label: $0)) }
    }

    /// Changes how much is logged, from now on and by all loggers; but for those that were given a level of their own.
    public static func setLogLevel(_ level: Logger.Level) { PlainLogHandler.commonLevel.set(level) }

    /// Runs services until one of them fails or SIGTERM, SIGINT or SIGHUP comes; then stops them in reverse order, in 2 s.
    ///
    /// - Parameter reload: what SIGHUP asks a service for, where it does not stop it (see ``HangUps``).
    /// - Throws: what a service throws.
    public static func run(
        _ services: [any Service], logger: Logger, reload: (@Sendable () async -> Void)? = nil
    ) async throws {
        signal(SIGPIPE, SIG_IGN)
        let services = services + [HangUps(reload: reload)]
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let ending = OrderlyService.Ending()
        var configuration = ServiceGroupConfiguration(
            services: services.map {
                .init(
                    service: OrderlyService(service: $0, ending: ending),
                    successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup)
            },
            gracefulShutdownSignals: [.sigterm, .sigint], cancellationSignals: [], logger: quiet)
        configuration.maximumGracefulShutdownDuration = .seconds(2)
        // What takes longer than this is ended by a trap: not for a machine that stands still for a moment.
        configuration.maximumCancellationDuration = .seconds(5)
        try await ServiceGroup(configuration: configuration).run()
    }

    /// Prints what went wrong and ends the command with `code`.
    public static func failure(_ error: any Error, code: Code = .failure) -> ExitCode {
        if let exit = error as? ExitCode { return exit }
        complain(String(describing: error))
        return ExitCode(code.rawValue)
    }

    /// A line on standard error.
    public static func complain(_ text: String) {
        StandardError.line("error: \(text)")
    }

    /// The path of another of our programs: beside this one.
    public static func sibling(_ name: String) -> String { ChildProcess.sibling(name) }
}
