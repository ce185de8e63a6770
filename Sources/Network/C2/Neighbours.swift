import SRUP
import Storage

/// The servers of the network's other cells: they look at devices for this one with their observers, and this one looks for
/// them.
///
/// What is asked and answered is stored with what is stored here: within ``C2Server/turn(_:)`` it is a part of the same
/// transaction.
public protocol Neighbours: Sendable {
    /// The key of somebody who belongs to another cell; `nil`: to this one, or to none.
    func key(of id: DeviceID) throws(StorageError) -> PublicKey?

    /// Asks the observer's own cell for a look.
    func ask(_ errand: Errand) throws(StorageError)
    /// What other cells have answered; each is told once.
    func takeAnswers() throws(StorageError) -> [ErrandAnswer]

    /// What other cells ask for, and nobody has looked at yet, the oldest first.
    func errands(limit: Int) throws(StorageError) -> [Errand]
    /// The observer was sent the request.
    func begun(_ token: Token) throws(StorageError)
    /// What observers here were asked by other cells and have not answered.
    func underWay() throws(StorageError) -> [Errand]
    /// The observer has answered, or cannot.
    func answer(_ token: Token, _ status: Status, _ messages: ErrandAnswer.Messages?) throws(StorageError)
}

/// One look at a device by an observer of another cell.
public struct Errand: Sendable, Hashable {
    /// Of the request: the observer answers with it.
    public let token: Token
    /// The device that shows the value.
    public let device: DeviceID
    /// Who is to look.
    public let observer: DeviceID
    /// The nonce, sealed with the observer's key: neither the database nor the other server comes to know it.
    public let envelope: [UInt8]
    /// So long from now somebody waits for it.
    public let timeLeft: Duration

    /// A look that is asked for.
    public init(token: Token, device: DeviceID, observer: DeviceID, envelope: [UInt8], timeLeft: Duration) {
        self.token = token
        self.device = device
        self.observer = observer
        self.envelope = envelope
        self.timeLeft = timeLeft
    }
}

/// What has become of an ``Errand``.
public struct ErrandAnswer: Sendable, Hashable {
    /// Of the request.
    public let token: Token
    /// Who was to look.
    public let observer: DeviceID
    /// What it says; FAILED also when it could not be asked.
    public let status: Status
    /// The request that its server has sent it, and its answer, each as it was signed: nobody but the observer can say VALID.
    public let messages: Messages?

    /// What was said on the wire.
    public struct Messages: Sendable, Hashable {
        /// The server's request.
        public let question: [UInt8]
        /// The observer's answer.
        public let answer: [UInt8]

        /// A request and its answer.
        public init(question: [UInt8], answer: [UInt8]) {
            self.question = question
            self.answer = answer
        }
    }

    /// An answer.
    public init(token: Token, observer: DeviceID, status: Status, messages: Messages?) {
        self.token = token
        self.observer = observer
        self.status = status
        self.messages = messages
    }
}
