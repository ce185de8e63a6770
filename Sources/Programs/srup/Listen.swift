import ArgumentParser
import Linux
import Logging
import Participant
import Program
import SRUP
import ServiceLifecycle
import Storage
import SRUPJSON

struct Listen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch a broker's topics and decode what crosses them, live.",
        discussion: """
            Needs an identity that the broker lets read the topics. "srup-c2 init" makes one that reads all and writes nothing, \
            in its folder monitor/:

              srup listen --folder DIR/monitor

            Without --folder, all of --broker, --ca, --certificate and --key are needed; with it, they come before what the \
            folder says. The broker gives one identity one connection: with a running server's or device's certificate its \
            owner would be thrown off. Ends with Ctrl-C.
            """)

    @Option(help: ArgumentHelp("A folder with broker, ca.pem, certificate.pem and access.pem.", valueName: "dir"))
    var folder: String?
    @Option(help: ArgumentHelp("The broker.", valueName: "host[:port]"))
    var broker: String?
    @Option(help: ArgumentHelp("PEM file of the authority that signed the broker's certificate.", valueName: "file"))
    var ca: String?
    @Option(help: ArgumentHelp("PEM file of the client certificate.", valueName: "file"))
    var certificate: String?
    @Option(help: ArgumentHelp("PEM file of the client certificate's private key.", valueName: "file"))
    var key: String?
    @Option(help: ArgumentHelp("What to watch; may be given several times.", valueName: "filter"))
    var topic: [String] = ["SRUP/#"]
    @OptionGroup var keyOptions: DecodingKeyOptions
    @Flag(help: "One JSON object per message.")
    var json = false

    func validate() throws {
        guard folder != nil || [broker, ca, certificate, key].allSatisfy({ $0 != nil }) else {
            throw ValidationError("give --folder, or --broker, --ca, --certificate and --key")
        }
    }

    private func address() throws -> BrokerAddress {
        let folder = folder ?? "."
        let place = try broker ?? PublicFile.read(folder + "/broker").filter { !$0.isWhitespace }
        guard let address = Self.split(place) else {
            throw ValidationError("the broker must be a host name, or host:port, not \"\(place.withoutControls)\"")
        }
        return BrokerAddress(
            host: address.host, port: address.port, caFile: ca ?? folder + "/ca.pem",
            certificateFile: certificate ?? folder + "/certificate.pem", keyFile: key ?? folder + "/access.pem")
    }

    private static func split(_ place: String) -> (host: String, port: UInt16)? {
        let parts = place.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count), !parts[0].isEmpty,
            let port = parts.count == 2 ? UInt16(parts[1]) : BrokerAddress.defaultPort
        else { return nil }
        return (parts[0], port)
    }

    func run() async throws {
        let keys = try keyOptions.keys()
        let logger = Program.logger("srup", level: .warning)
        do {
            let address = try address()
            let session = (try? PublicFile.read(address.certificateFile)).flatMap(Certificate.session(of:))
            let link = try BrokerLink(
                address, clientID: session ?? "srup listen \(Token.random())", subscriptions: topic, logger: logger,
                isPersistent: false)
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
        } catch let error as ValidationError {
            throw error
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
