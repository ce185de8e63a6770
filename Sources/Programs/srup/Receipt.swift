import ArgumentParser
import ObservedValue
import Participant
import Program
import SRUP
import Storage

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct Receipt: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a release receipt: that the keys of an identity are gone.",
        discussion: """
            From "srup-c2 receipt", by the network's authority: --ca says which authority is believed. Or from "srup-device \
            reset" and "srup-observer reset", by the identity itself, as its last word: --key says which key it had (the line \
            "key" of the authority's receipt); without it anybody can have made it, with a key of their own.

            Exit codes: 0 it is genuine, 1 it is not, or nobody is named who is to be believed.
            """)

    @Argument(help: ArgumentHelp("The receipt.", valueName: "file"))
    var file: String
    @Option(help: ArgumentHelp("The authority's certificate, ca.crt of \"srup-c2 init\".", valueName: "file"))
    var ca: String?
    @Option(help: ArgumentHelp("SHA-256 of the identity's public key, 64 hexadecimal digits.", valueName: "digest"))
    var key: String?

    func run() throws {
        do {
            guard let receipt = ReleaseReceipt(try PublicFile.read(file, atMost: ReleaseReceipt.maximumSize)) else {
                Program.complain("\(file) is no release receipt, or was changed")
                throw ExitCode(1)
            }
            let time = Date(timeIntervalSince1970: Double(min(receipt.ended, 1 << 40))).formatted(.iso8601)
            let signer = Hex.encode(receipt.signer.digest)
            let isBelieved: Bool
            if let ca, try PublicKey(certificate: try PublicFile.read(ca)) == receipt.signer {
                print("the authority in \(ca) says:")
                isBelieved = true
            } else if receipt.isOwn, let key, Hex.decode(key) == receipt.key {
                print("the identity itself says:")
                isBelieved = true
            } else {
                print("\(receipt.isOwn ? "somebody with its own key" : "somebody") says, whose key is \(signer):")
                isBelieved = false
            }
            print("  identity \(receipt.identity) ended on \(time)")
            if !receipt.key.isEmpty { print("  its key was \(Hex.encode(receipt.key))") }
            guard isBelieved else {
                Program.complain(
                    receipt.isOwn
                        ? "which key it had is not known here: give --key"
                        : "this is not the authority that is believed: give --ca")
                throw ExitCode(1)
            }
        } catch {
            throw Program.failure(error)
        }
    }
}
