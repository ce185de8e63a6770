import C2
import Cells
import KeyService
import SRUP
import Storage

/// The other cells of the network, by way of the database that all share.
struct CellNeighbours: Neighbours {
    let errands: ErrandBook
    let identities: KeyServiceState
    let cell: String

    func key(of id: DeviceID) throws(StorageError) -> PublicKey? {
        guard let entry = try identities.entry(id), !entry.isServer, (entry.cell ?? CellBook.usual) != cell else {
            return nil
        }
        return entry.key
    }

    func ask(_ errand: Errand) throws(StorageError) {
        guard let entry = try identities.entry(errand.observer) else { return }
        try errands.put(
            .init(
                token: errand.token.bytes, device: errand.device.value, observer: errand.observer.value,
                envelope: errand.envelope, timeLeft: errand.timeLeft), for: entry.cell ?? CellBook.usual)
    }

    func takeAnswers() throws(StorageError) -> [ErrandAnswer] {
        try errands.takeAnswers().compactMap { answer in
            guard let token = Token(answer.token), let status = Status(rawValue: answer.status) else { return nil }
            var messages: ErrandAnswer.Messages?
            if let question = answer.question, let bytes = answer.answer {
                messages = .init(question: question, answer: bytes)
            }
            return ErrandAnswer(
                token: token, observer: DeviceID(answer.observer), status: status, messages: messages)
        }
    }

    func errands(limit: Int) throws(StorageError) -> [Errand] {
        try errands.asked(limit: limit).compactMap(Self.errand)
    }

    func underWay() throws(StorageError) -> [Errand] { try errands.begun().compactMap(Self.errand) }

    func begun(_ token: Token) throws(StorageError) { try errands.begin(token.bytes) }

    func answer(
        _ token: Token, _ status: Status, _ messages: ErrandAnswer.Messages?
    ) throws(StorageError) {
        try errands.answer(
            token.bytes, status.rawValue, signed: messages.map { (question: $0.question, answer: $0.answer) })
    }

    private static func errand(_ row: ErrandBook.Errand) -> Errand? {
        Token(row.token).map {
            Errand(
                token: $0, device: DeviceID(row.device), observer: DeviceID(row.observer), envelope: row.envelope,
                timeLeft: row.timeLeft)
        }
    }
}
