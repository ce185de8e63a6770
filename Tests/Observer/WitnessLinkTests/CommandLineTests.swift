import ObservedValue
import Testing
import WitnessLink

/// The line in which a witness says that a card of the acceptance check is in view.
@Suite struct CommandLineTests {
    @Test(arguments: SheetCommand.allCases) func aWordComesBack(_ command: SheetCommand) {
        let line = WitnessLine.event(.commanded(command, how: "qr"))
        #expect(line.description == "command \(command.rawValue) qr" && WitnessLine(line.description) == line)
    }

    @Test(arguments: [
        "command", "command begin", "command BEGIN qr", "command start qr", "command  qr", "commanded begin qr",
    ])
    func anythingElseIsNone(_ line: String) { #expect(WitnessLine(line) == nil) }
}
