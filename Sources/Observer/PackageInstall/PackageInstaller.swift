import Glibc
import Releases
import Storage

/// Root's side of the observer's own update (docs/update.md, "An observer's package"): takes what the observer has ordered,
/// verifies it by root's own word, installs it, and puts the earlier package back when the new one does not report in.
///
/// Blocks. What it is about to do is on the disk before it does it, so that after a power cut the next run goes on. `order`
/// lies there until all is over.
public struct PackageInstaller: Sendable {
    private let orders: String
    private let base: String
    private let own: OwnFolder
    private let trust: @Sendable () throws -> InstallTrust
    private let packages: DebianPackages
    private let way: any InstallWay
    private let times: InstallTimes
    private let now: @Sendable () -> Double

    /// What a run has come to.
    public enum Outcome: Sendable, Hashable {
        /// Nothing was ordered.
        case nothing
        /// This version is installed, and stays.
        case installed(String)
        /// The version of before runs; why.
        case refused(String)
    }

    /// - Parameters:
    ///   - orders: where the observer orders.
    ///   - base: the folder of the observer's that lies in one of root's.
    ///   - own: root's own folder; made when it is missing.
    ///   - times: how long is waited.
    ///   - trust: whom root believes; asked when there is an order.
    public init(
        orders: String, below base: String, own: String, times: InstallTimes = InstallTimes(),
        trust: @escaping @Sendable () throws -> InstallTrust
    ) {
        let (packages, service) = (DebianPackages(), ServiceWatch(program: "/usr/bin/systemctl"))
        let way: any InstallWay =
            CardWay.found(packages, service, times) ?? AptWay(packages: packages, service: service, times: times)
        self.init(orders: orders, below: base, own: own, times: times, packages: packages, way: way, trust: trust) {
            Double(time(nil))
        }
    }

    init(
        orders: String, below base: String, own: String, times: InstallTimes, packages: DebianPackages,
        way: any InstallWay,
        trust: @escaping @Sendable () throws -> InstallTrust, now: @escaping @Sendable () -> Double
    ) {
        self.orders = orders
        self.base = base
        self.own = OwnFolder(path: own)
        self.times = times
        self.packages = packages
        self.way = way
        self.trust = trust
        self.now = now
    }

    /// Does what was ordered, or goes on with what an earlier run has left.
    ///
    /// - Throws: ``InstallProblem`` when it could be brought to no end; the next run goes on.
    public func run() throws -> Outcome {
        try PrivateFile.makeFolder(own.path)
        let lock = try FolderLock(own.path)
        defer { withExtendedLifetime(lock) {} }
        if let record = own.load() { return try go(record) }
        own.clean()
        guard let orders = try? OrderFolder(orders, below: base), orders.has(.order) else { return .nothing }
        do {
            let trust = try trust()
            let candidate = try Candidate.take(from: orders, to: own, trust: trust, packages: packages, now: now())
            try way.prepare(own)
            orders.remove(.running)
            let record = InstallRecord(
                release: candidate.manifest.version.description, version: candidate.version,
                earlier: try packages.installed().version, wasRunning: way.isRunning())
            try own.save(record)
            return try go(record)
        } catch  where own.load() == nil {
            return end(.refused("\(error)"))
        }
    }

    private func go(_ start: InstallRecord) throws(InstallProblem) -> Outcome {
        var record = start
        while true {
            switch record.phase {
            case .installing:
                record.tries += 1
                try own.save(record)
                do throws(InstallProblem) {
                    try way.install(record, own)
                    record.phase = .trial
                } catch {
                    record.phase = .reverting
                    record.problem = error.description
                }
            case .trial:
                switch way.trial(record, hasReported: { hasReported(record) }) {
                case .stays: return try keep(record)
                case .goesBack(let why):
                    record.phase = .reverting
                    record.problem = why
                }
            case .reverting:
                try revert(record)
                let outcome = end(.refused(record.problem ?? "it was put back"))
                // After the order, which a power cut would else leave for another try of the same package.
                try own.save(nil)
                return outcome
            }
            try own.save(record)
        }
    }

    /// The new version itself says that it runs: a file of the observer's, which is no more than its word.
    private func hasReported(_ record: InstallRecord) -> Bool {
        guard let orders = try? OrderFolder(orders, below: base), let bytes = try? orders.bytes(.running, atMost: 128)
        else {
            return false
        }
        return String(decoding: bytes, as: UTF8.self).filter { !$0.isNewline } == record.release
    }

    private func keep(_ record: InstallRecord) throws(InstallProblem) -> Outcome {
        if let version = ReleaseVersion(record.release) { try own.note(version) }
        way.keep(own)
        try own.save(nil)
        return end(.installed(record.version))
    }

    private func revert(_ record: InstallRecord) throws(InstallProblem) {
        for number in 1... {
            do throws(InstallProblem) {
                return try way.revert(record, own)
            } catch {
                guard number < times.reverts else { throw error }
                sleep(times.revertPause)
            }
        }
    }

    /// Tells the observer, and takes the order away: that is its sign that all is over.
    private func end(_ outcome: Outcome) -> Outcome {
        own.clean()
        guard let orders = try? OrderFolder(orders, below: base), orders.has(.order) else { return outcome }
        if case .refused(let why) = outcome { try? orders.write(why + "\n", as: .refusal) }
        orders.remove(.order)
        return outcome
    }
}
