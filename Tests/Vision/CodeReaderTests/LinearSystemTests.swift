import Testing

@testable import CodeReader

@Suite struct LinearSystemTests {
    @Test func asManyEquationsAsUnknownsAreSolvedExactly() throws {
        var system = LinearSystem(unknowns: 2)
        system.add([1, 1], 5)
        system.add([1, -1], 1)
        let solution = try #require(system.solved(strength: 0))
        #expect((solution[0] - 3).magnitude < 1e-5 && (solution[1] - 2).magnitude < 1e-5 && system.equations == 2)
    }

    @Test func ofContradictionsTheMeanByWeightCounts() throws {
        var system = LinearSystem(unknowns: 1)
        system.add([1], 10)
        system.add([1], 40, weight: 2)
        #expect((try #require(system.solved(strength: 0))[0] - 30).magnitude < 1e-4)
    }

    @Test func whatEquationsDoNotTellStaysWhereItWas() throws {
        var system = LinearSystem(unknowns: 2)
        system.add([1, 0], 4)
        #expect(system.solved(strength: 0) == nil)
        let solution = try #require(system.solved(towards: [0, 7], strength: 1e-3))
        #expect((solution[0] - 4).magnitude < 0.01 && (solution[1] - 7).magnitude < 0.01)
    }

    /// The pivot is chosen: a zero on the diagonal is no hindrance.
    @Test func rowsAreExchangedWhereTheyMustBe() throws {
        var system = LinearSystem(unknowns: 3)
        system.add([0, 1, 0], 2)
        system.add([0, 0, 3], 9)
        system.add([1, 0, 1], 4)
        let solution = try #require(system.solved(strength: 0))
        for (value, expected) in zip(solution, [1, 2, 3] as [Float]) { #expect((value - expected).magnitude < 1e-4) }
    }

    @Test func nothingSaysNothing() {
        #expect(LinearSystem(unknowns: 3).solved(strength: 0) == nil)
        #expect(LinearSystem(unknowns: 2).solved(strength: 1) == [0, 0])
    }
}
