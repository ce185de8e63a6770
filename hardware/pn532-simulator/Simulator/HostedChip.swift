/// What a serial port has behind it: a simulated chip, or one out of a recording.
protocol HostedChip: AnyObject {
    var loop: EventLoop { get }
    var bus: (any ChipBus)? { get set }
    /// Whether a command (TFI taken off) is acknowledged and executed; asked before ``execute(_:)``.
    func acknowledges(_ command: [UInt8]) -> Bool
    /// Executes a command (TFI taken off); what was being done is given up.
    func execute(_ command: [UInt8])
    /// The host gives up the command that is being executed.
    func abort()
    /// After a loss of power.
    func reset()
}

extension Chip: HostedChip {
    func acknowledges(_ command: [UInt8]) -> Bool { true }
}
