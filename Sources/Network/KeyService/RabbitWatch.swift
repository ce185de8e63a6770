import Glibc
import Logging
import SRUP
import Storage
import Synchronization

/// Beside a running RabbitMQ: has the connections of those closed who have ended, also when no C2 server runs, and ends what is
/// heard in a group by those who are no members of it any more. It goes by the files in the server's folder, as the project's
/// plugin for Mosquitto does.
public final class RabbitWatch: Sendable {
    private let folder: String
    private let control: RabbitControl
    private let logger: Logger

    private struct State {
        var version: String?
        var endedStamp: [Int] = []
        var ended: Set<DeviceID>?
        var groupsStamp: [Int]?
        /// When which connections are closed (again).
        var closings: [(id: DeviceID, at: ContinuousClock.Instant)] = []
        var sweeps: [ContinuousClock.Instant] = []
        var said = ""
    }
    private let state = Mutex(State())

    /// Who was let in a moment before may not be in RabbitMQ's book of connections yet.
    private static let again: [Duration] = [.zero, .seconds(1), .seconds(5)]
    private static let retry = Duration.seconds(1)
    /// In bytes.
    private static let largestFile = 16 << 20

    /// - Parameters:
    ///   - folder: the server's.
    ///   - control: of the RabbitMQ that runs with its configuration.
    public init(folder: String, control: RabbitControl, logger: Logger) {
        self.folder = folder
        self.control = control
        self.logger = logger
    }

    /// Does what is due; to be called ten times a second, by one thread. Blocks for as long as RabbitMQ takes to answer.
    ///
    /// - Returns: the version that runs; `nil` while none answers.
    public func look(at now: ContinuousClock.Instant = .now) -> String? {
        state.withLock { state in
            do {
                if state.version == nil { state.version = try control.version() }
            } catch {
                // It is on its way up; nobody is connected yet.
                return nil
            }
            noteEnded(&state, now)
            noteGroups(&state, now)
            do {
                try closeDue(&state, now)
                try sweepDue(&state, now)
                state.said = ""
            } catch {
                if state.said != "\(error)" { logger.error("\(error); trying again") }
                state.said = "\(error)"
            }
            return state.version
        }
    }

    /// A file that is gone or cannot be read changes nothing: who has ended stays so.
    private func noteEnded(_ state: inout State, _ now: ContinuousClock.Instant) {
        let path = Revocations.nameFile(in: folder)
        let stamp = GroupBook.stamp(path)
        guard stamp != state.endedStamp, let text = try? PublicFile.read(path, atMost: Self.largestFile) else { return }
        state.endedStamp = stamp
        let names = Set(text.split(whereSeparator: \.isWhitespace).compactMap { DeviceID(participant: $0) })
        // Of those who had ended before it started, RabbitMQ lets nobody in.
        for id in names.subtracting(state.ended ?? names) {
            state.closings += Self.again.map { (id, now + $0) }
        }
        state.ended = names
    }

    private func noteGroups(_ state: inout State, _ now: ContinuousClock.Instant) {
        let stamp = GroupBook.stamp(BrokerConfiguration.groupsPath(folder))
        guard stamp != state.groupsStamp else { return }
        state.groupsStamp = stamp
        state.sweeps = Self.again.map { now + $0 }
    }

    private func closeDue(_ state: inout State, _ now: ContinuousClock.Instant) throws {
        while let index = state.closings.firstIndex(where: { $0.at <= now }) {
            let id = state.closings[index].id
            do {
                try control.end(id)
                state.closings.remove(at: index)
            } catch {
                state.closings[index].at = now + Self.retry
                throw error
            }
        }
    }

    private func sweepDue(_ state: inout State, _ now: ContinuousClock.Instant) throws {
        guard let first = state.sweeps.first, first <= now else { return }
        do {
            for id in try control.endGroups(folder: folder) {
                logger.notice("\(id) hears in its former group no longer")
            }
            state.sweeps.removeFirst()
        } catch {
            state.sweeps[0] = now + Self.retry
            throw error
        }
    }
}
