import NFCProtocols
import ObservedValue
import Testing

/// A word of the acceptance check on a tag, as any telephone writes it: as text.
@Suite struct CommandTagTests {
    @Test(arguments: SheetCommand.allCases) func aWordIsFoundAndIsNoValue(_ command: SheetCommand) {
        let message = NDEFMessage([.text("a note"), .text(command.text.lowercased())])
        #expect(PresentedValue.command(in: message) == command && PresentedValue.find(in: message) == nil)
    }

    @Test func besideAValueThereIsNone() {
        let value = (0..<16).map { UInt8(0xA0 + $0) }
        let message = NDEFMessage([.text(SheetCommand.skip.text), PresentedValue.record(value)])
        #expect(PresentedValue.command(in: message) == nil && PresentedValue.find(in: message) == value)
        #expect(PresentedValue.command(in: NDEFMessage([.text("skip")])) == nil)
    }
}
