import ArgumentParser
import KeyService
import Participant
import Program
import SRUP
import Storage

struct ServerTokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server-token",
        abstract: "Allow somebody to register another C2 server with this key service.",
        discussion: """
            Prints a token for the public key of that server (PEM); whoever holds the key's private half can register it as a \
            server with the token, once. A reference server reads it from its server_token_file.
            Exit codes: 0 done, 1 the file is no public key, 78 there is no such folder.
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: ArgumentHelp("PEM file of the other server's public key.", valueName: "keyfile"))
    var keyFile: String

    func run() throws {
        let signer: PrivateKey
        do {
            signer = try folder.stores().identity(use: .look).0.key
        } catch {
            throw Program.failure(error, code: .configuration)
        }
        do {
            print(try ServerToken.make(for: try PublicKey(pem: try PublicFile.read(keyFile)), by: signer))
        } catch let error as CryptoError {
            throw Program.failure(ParticipantError.identity("\(keyFile): \(error)"))
        } catch {
            throw Program.failure(error)
        }
    }
}
