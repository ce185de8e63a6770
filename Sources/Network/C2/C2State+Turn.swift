import Glibc
import SRUP

/// The operator's word as it is read once for a turn: each join asks for it several times, and a turn may hold a hundred joins.
/// What the command line says meanwhile counts from the next turn on.
struct OperatorsWord {
    /// Whose turn it is; others read what is stored.
    private let thread = pthread_self()
    var trusted: [DeviceID]?
    var zones: [DeviceID: Set<String>]?
    var eyes: [DeviceID: EyeKind]?

    var isOurs: Bool { pthread_equal(thread, pthread_self()) != 0 }

    mutating func forget() { (trusted, zones, eyes) = (nil, nil, nil) }
}

extension C2State {
    /// From now on this thread's turn reads the operator's word once.
    func beginTurn() { word.withLock { $0 = OperatorsWord() } }

    /// Each reads for itself again.
    func endTurn() { word.withLock { $0 = nil } }

    /// Something of it was written.
    func wordHasChanged() { word.withLock { $0?.forget() } }

    /// What this thread's turn has read already, or reads now.
    func once<Result, Failure: Error>(
        _ place: WritableKeyPath<OperatorsWord, Result?> & Sendable, _ read: () throws(Failure) -> Result
    ) throws(Failure) -> Result where Result: Sendable {
        let known = word.withLock { $0.flatMap { $0.isOurs ? $0[keyPath: place] : nil } }
        if let known { return known }
        let found = try read()
        word.withLock { if $0?.isOurs == true { $0?[keyPath: place] = found } }
        return found
    }
}
