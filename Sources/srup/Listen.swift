import ArgumentParser
import Logging
import Party
import Program
import SRUP
import ServiceLifecycle
import Workbench

struct Listen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch a broker's topics and decode what crosses them, live.",
        discussion: """
            Needs a client certificate that the broker lets read the topics: the C2 server's reads all, a device's only its \
            own. Watching changes nothing: it has a session of its own. Ends with Ctrl-C.
            """)

    @Option(help: ArgumentHelp("The broker.", valueName: "host[:port]"))
    var broker: String
    @Option(help: ArgumentHelp("PEM file of the authority that signed the broker's certificate.", valueName: "file"))
    var ca: String
    @Option(help: ArgumentHelp("PEM file of the client certificate.", valueName: "file"))
    var certificate: String
    @Option(help: ArgumentHelp("PEM file of the client certificate's private key.", valueName: "file"))
    var key: String
    @Option(help: ArgumentHelp("What to watch; may be given several times.", valueName: "filter"))
    var topic: [String] = ["SRUP/#"]
    @OptionGroup var keyOptions: DecodingKeyOptions
    @Flag(help: "One JSON object per message.")
    var json = false

    func run() async throws {
        let parts = broker.split(separator: ":").map(String.init)
        guard (1...2).contains(parts.count), let port = parts.count == 2 ? UInt16(parts[1]) : BrokerAddress.defaultPort
        else { throw ValidationError("--broker takes a host name, or host:port") }
        let keys = try keyOptions.keys()
        let logger = Program.logger("srup", level: .warning)
        do {
            let link = try BrokerLink(
                BrokerAddress(host: parts[0], port: port, caFile: ca, certificateFile: certificate, keyFile: key),
                clientID: "srup listen \(Token.random())", subscriptions: topic, logger: logger, isPersistent: false)
            let watcher = ClosureService { @Sendable in
                var lastProblem = ""
                for await event in link.events {
                    switch event {
                    case .connected: lastProblem = ""
                    case .disconnected(let why):
                        if why != lastProblem { Program.complain("\(why); trying again") }
                        lastProblem = why
                    case .message(let topic, let payload): show(payload, topic, keys)
                    case .confirmed: break
                    }
                }
            }
            try await Program.run([watcher, link], logger: logger)
        } catch {
            throw Program.failure(error)
        }
    }

    private func show(_ payload: [UInt8], _ topic: String, _ keys: DecodingKeys) {
        var message = MessageJSON(decoding: payload, keys: keys)
        message.topic = topic
        message.time = Participant.systemTime()
        var output = Output()
        output.line(json ? message.line : message.text)
        output.flush()
    }
}
