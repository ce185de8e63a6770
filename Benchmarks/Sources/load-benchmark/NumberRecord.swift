/// The numbers of all messages that the server has signed for one peer: each stands for one message for ever, whatever crashes,
/// and a later message has a higher one.
struct NumberRecord {
    /// A hash of the whole message, by its number.
    private var messages: [UInt64: Int] = [:]
    private var highest: UInt64 = 0
    /// Numbers that two different messages carried.
    private(set) var reused: [UInt64] = []
    /// New messages whose number was below that of an earlier one.
    private(set) var fallen: [UInt64] = []

    var count: Int { messages.count }

    /// A message whose signature is the server's. One that comes again as it was is none of its own.
    mutating func note(_ number: UInt64, _ message: [UInt8]) {
        let hash = message.hashValue
        guard let known = messages[number] else {
            messages[number] = hash
            if number < highest { fallen.append(number) }
            highest = max(highest, number)
            return
        }
        if known != hash { reused.append(number) }
    }
}
