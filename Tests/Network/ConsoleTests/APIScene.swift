import Foundation
import HTTPTypes
import SRUP
import TestNetwork
import Testing

@testable import Console
@testable import Operators

extension ConsoleScene {
    /// A program with a token of an operator's.
    struct Program {
        let scene: ConsoleScene
        /// `nil`: none is shown.
        var token: String?
        var address = "192.0.2.9"

        struct Answer {
            let status: Int
            let headers: HTTPFields
            let text: String

            /// What is answered, which has to be JSON.
            func json() throws -> JSON { try JSON(Array(text.utf8)) }

            /// Which problem it is.
            func problem() throws -> String {
                #expect(headers[.contentType] == "application/problem+json")
                let json = try json()
                #expect(json["status"] == .integer(Int64(status)))
                guard case .text(let type) = try #require(json["type"]) else { return "" }
                return String(type.dropFirst("urn:srup:problem:".count))
            }

            /// Where the body or query is wrong.
            func place() throws -> String {
                guard case .array(let errors) = try #require(try json()["errors"]), let first = errors.first,
                    case .text(let place) = first["pointer"] ?? first["parameter"]
                else { return "" }
                return place
            }
        }

        func ask(
            _ method: HTTPRequest.Method, _ path: String, _ body: JSON? = nil, _ headers: [String: String] = [:]
        ) async throws -> Answer {
            try await send(
                method, path, body.map { String(decoding: $0.bytes, as: UTF8.self) },
                (body == nil ? [:] : ["Content-Type": "application/json"]).merging(headers) { $1 })
        }

        func send(
            _ method: HTTPRequest.Method, _ path: String, _ body: String?, _ headers: [String: String] = [:]
        ) async throws -> Answer {
            var headers = headers
            if let token { headers["Authorization"] = headers["Authorization"] ?? "Bearer \(token)" }
            let whole = path.hasPrefix("/") ? path : "/api/v1/" + path
            let answer = try await scene.ask(
                method, whole, body: body, cookie: nil, address: address, headers.filter { !$0.value.isEmpty })
            return Answer(status: answer.status, headers: answer.headers, text: answer.text)
        }

        func get(_ path: String) async throws -> JSON {
            let answer = try await ask(.get, path)
            #expect(answer.status == 200, "\(path): \(answer.text)")
            return try answer.json()
        }

        /// All items of a list, page after page.
        func all(_ path: String, limit: Int) async throws -> [JSON] {
            var (found, cursor): ([JSON], String?) = ([], nil)
            for _ in 0..<1000 {
                let sign = path.contains("?") ? "&" : "?"
                let page = try await get(path + sign + "limit=\(limit)" + (cursor.map { "&cursor=\($0)" } ?? ""))
                guard case .array(let items) = page["items"] else { break }
                #expect(items.count <= limit)
                found += items
                guard case .text(let next) = page["next"] else { return found }
                cursor = next
            }
            Issue.record("\(path) does not end")
            return found
        }
    }

    func program(_ role: Role, of owner: Role? = nil) throws -> Program {
        let name = try #require(OperatorName((owner ?? role).rawValue))
        let made = try operators.makeToken("test", role: role, for: name, now: network.wallClock())
        return Program(scene: self, token: made.text)
    }
}
