import HTTPTypes
import SRUP
import Testing

@testable import Console
@testable import Operators

/// The document says what is answered. (Tests/Lanes/API asks thousands of questions by it.)
@Suite struct OpenAPITests {
    private func members(_ json: JSON?) -> [JSON.Member] {
        guard case .object(let members) = json else { return [] }
        return members
    }

    @Test func anybodyMayReadItAndItIsWhole() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let answer = try await ConsoleScene.Program(scene: scene).ask(.get, "/api/openapi.json")
        #expect(answer.status == 200 && answer.headers[.contentType] == "application/json")
        let document = try answer.json()
        #expect(document["openapi"] == "3.1.0")
        #expect(answer.text.contains("Greenhouse <3>"))
        // What is referred to is there, and what is there is referred to.
        var referred: Set<String> = []
        func walk(_ json: JSON) {
            switch json {
            case .object(let members):
                for member in members {
                    if member.name == "$ref", case .text(let text) = member.value { referred.insert(text) }
                    walk(member.value)
                }
            case .array(let values): values.forEach(walk)
            default: break
            }
        }
        walk(document)
        for kind in ["schemas", "responses"] {
            let there = Set(members(document["components"]?[kind]).map { "#/components/\(kind)/\($0.name)" })
            let wanted = referred.filter { $0.hasPrefix("#/components/\(kind)/") }
            #expect(wanted.isSubset(of: there), "\(wanted.subtracting(there))")
            // 405 is answered to what is in no document.
            #expect(
                there.subtracting(wanted).isSubset(of: ["#/components/responses/Problem405"]),
                "\(there.subtracting(wanted))")
        }
    }

    @Test func everyRouteIsInItOnceWithItsAnswers() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let routes = scene.console.apiRoutes
        #expect(Set(routes.map(\.id)).count == routes.count)
        #expect(Set(routes.map { "\($0.method) \($0.pattern)" }).count == routes.count)
        let document = OpenAPI.document(routes, name: "x")
        for route in routes {
            let operation = try #require(
                document["paths"]?["/api/v1" + route.pattern]?[route.method.rawValue.lowercased()])
            #expect(operation["operationId"] == .text(route.id))
            let answers = Set(members(operation["responses"]).map(\.name))
            #expect(answers.contains(String(route.success.status)))
            #expect(answers.isSuperset(of: ["400", "401", "403", "422", "429", "500"]))
            #expect(answers.isSuperset(of: route.problems.map { String($0.status.code) }))
            #expect((operation["requestBody"] != nil) == (route.body != nil || route.isFile))
            for name in route.query.map(\.name) {
                guard case .array(let parameters) = operation["parameters"] else { continue }
                #expect(parameters.contains { $0["name"] == .text(name) && $0["in"] == "query" })
            }
        }
    }

    @Test func everyProblemHasAStatusAndATitleOfItsOwn() {
        let codes = APIProblem.Code.allCases
        #expect(Set(codes.map(\.title)).count == codes.count)
        for code in codes {
            let json = APIProblem(code, "detail").json
            #expect(json["type"] == .text("urn:srup:problem:\(code.rawValue)"))
            #expect(json["status"] == .integer(Int64(code.status.code)) && (400..<600).contains(code.status.code))
            #expect(APIProblem(code, "x").response.headers[.contentType] == "application/problem+json")
        }
    }
}
