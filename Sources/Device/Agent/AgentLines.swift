import Linux
import Program
import SRUP

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a local program says on the agent's socket, one JSON object a line.
///
/// ```
/// {"listen": true}                            from now on: tell me what happens
/// {"send": "temperature", "value": 21.5}      to the server; with "type" for a name without a configuration
/// {"answer": 17, "done": true}                to the action with this number
/// {"report": true, "process": 4711}           a new version is well; "process" must live on until the update stays
/// ```
package enum AgentOrder: Equatable, Sendable {
    case listen
    case send(name: String, text: String, type: DataType?)
    case answer(number: UInt64, isDone: Bool)
    case report(process: Int32?)

    package init(line: String) throws {
        struct Line: Decodable {
            var listen: Bool?
            var send: String?
            var value: Scalar?
            var type: String?
            var answer: UInt64?
            var done: Bool?
            var report: Bool?
            var process: Int32?
        }
        let object: Line
        do {
            object = try JSONDecoder().decode(Line.self, from: Data(line.utf8))
        } catch {
            throw AgentError("that is no JSON object with the keys of docs/agent.md")
        }
        if object.report == true, object.listen == nil, object.send == nil, object.answer == nil {
            guard object.process.map({ $0 > 0 }) ?? true else { throw AgentError("\"process\" is a process's number") }
            self = .report(process: object.process)
            return
        }
        switch (object.listen, object.send, object.answer) {
        case (true?, nil, nil): self = .listen
        case (nil, let name?, nil):
            guard let value = object.value else { throw AgentError("\"value\" is missing: a number or a string") }
            let type = object.type.flatMap { DataType(name: $0) }
            if let name = object.type, type == nil {
                throw AgentError("there is no type \"\(name.withoutControls)\": \(DataType.names)")
            }
            self = .send(name: name, text: value.text, type: type)
        case (nil, nil, let number?):
            guard let isDone = object.done else { throw AgentError("\"done\" is missing: true or false") }
            self = .answer(number: number, isDone: isDone)
        default: throw AgentError("one of \"listen\", \"send\", \"answer\" and \"report\" is needed")
        }
    }

    /// A JSON number or string, as its text.
    private struct Scalar: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let whole = try? container.decode(Int64.self) {
                text = String(whole)
            } else if let number = try? container.decode(Double.self) {
                text = String(number)
            } else {
                text = try container.decode(String.self)
            }
        }
    }
}

/// The answer to a line.
struct AgentReply: Codable {
    var done: Bool?
    var error: String?
    var identity: String?
    var joined: Bool?
}

/// What is told to programs that listen.
struct AgentNews: Encodable {
    /// joined, left, group-entered, group-left, action, data.
    var event: String
    var name: String?
    var type: DataType?
    var value: DataValue?
    var group: String?
    var action: UInt8?
    /// What an answer to an action names.
    var number: UInt64?
}
