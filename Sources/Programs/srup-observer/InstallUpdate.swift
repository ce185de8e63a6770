import ArgumentParser
import Keeper
import PackageInstall
import Program

/// Root's side of the observer's own update.
struct InstallUpdate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install-update",
        abstract:
            "As root: install the package that the observer has fetched (srup-observer-update.service does this).",
        discussion: """
            Takes what the observer has ordered out of its state folder, verifies it by the release keys in --keys (one public \
            half a line, as "srup-release key --show" prints it), installs it by apt, or on the card image by srup-update, and \
            puts the earlier package back when the new one does not report in. Why something is not installed is left for the \
            observer, which tells the server.

            Exit codes: 0 installed, refused, or nothing was ordered; 1 it could not be brought to an end, the next run goes on; \
            78 the configuration is wrong.
            """)

    @OptionGroup var configuration: ConfigurationOptions
    @Option(help: ArgumentHelp("The release keys that root believes.", valueName: "file"))
    var keys = "/etc/srup-observer/release.pub"
    @Option(help: ArgumentHelp("Root's own folder.", valueName: "folder"))
    var folder = "/var/lib/srup-observer-update"

    func run() throws {
        let settings = try configuration.load()
        let keys = keys
        let state = settings.stateFolder
        let installer = PackageInstaller(orders: state + "/update", below: state, own: folder) {
            guard let update = settings.update, update.kind == .package else {
                throw InstallUpdateRefusal(
                    description: "[update] of the configuration does not say that the observer's package is updated")
            }
            return InstallTrust(
                keys: try InstallTrust.keys(in: keys), type: update.type, maximumSize: update.maximumSize,
                allowsOlder: update.allowsOlder)
        }
        do {
            switch try installer.run() {
            case .nothing: print("nothing was ordered")
            case .installed(let version): print("version \(version) is installed, and stays")
            case .refused(let why): Program.complain("not installed: \(why)")
            }
        } catch {
            throw Program.failure(error)
        }
    }
}

private struct InstallUpdateRefusal: Error, CustomStringConvertible { let description: String }
