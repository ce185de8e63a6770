import ArgumentParser
import C2
import Cells
import Foundation
import KeyService
import Participant
import PostgreSQL
import Program
import SRUP
import Settings
import Storage

struct CellCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cell",
        abstract: "The cells of a network: each has a broker and a C2 server; the key service says who belongs where.",
        discussion: """
            A network with a PostgreSQL database ("srup-c2 init --database", "srup-c2 database move") has the cell "main" and \
            may have more (docs/scale.md):
              srup-c2 cell new north --host north.example.net --to /srv/north
              srup-c2 cell list
              srup-c2 cell close main                nobody new is given to it
              srup-c2 cell zone north hall           who is invited to the zone "hall" belongs there
            The new folder goes to the machine that is to work the cell: "srup-c2 up --folder /srv/north".
            A second server with a copy of a cell's folder waits, and takes the cell when the first one ends.
            """,
        subcommands: [NewCell.self, ListCells.self, OpenCell.self, CloseCell.self, ZoneOfCell.self])
}

extension FolderOptions {
    /// The table of cells, with the folder's own stores.
    fileprivate func book() throws -> (CellBook, ServerStores) {
        do {
            guard PublicFile.isThere(folder + "/c2.toml") else {
                throw ParticipantError.notRegistered(folder: folder)
            }
            let stores = try stores()
            guard let book = try stores.cells() else {
                throw ParticipantError.identity(
                    "\(folder) keeps its stores in files, and has one cell; see \"srup-c2 database move --help\"")
            }
            return (book, stores)
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }

    fileprivate func change(_ name: String, _ body: (CellBook) throws -> Bool) throws {
        let (book, _) = try book()
        do {
            guard try body(book) else {
                throw ParticipantError.identity("there is no cell \"\(name)\" (srup-c2 cell list)")
            }
        } catch {
            throw Program.failure(error)
        }
    }
}

private let codes = "Exit codes: 0 done, 1 refused, 78 there is no such folder, or it has no database."

private struct NewCell: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", abstract: "Make the folder of another cell.",
        discussion: """
            It holds what this one holds: the same authority and the same C2 server's identity, with keys (carry it as you \
            carry those), a broker of its own, certificates for its host, and c2.toml with the same database. Policies and \
            zones are each cell's own. \(codes)
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: ArgumentHelp("Its name: \(ServerSettings.cellForm).", valueName: "name"))
    var name: String
    @Option(
        help: ArgumentHelp(
            "How devices reach its machine; may be given several times, the first is told.", valueName: "name"))
    var host: [String]
    @Option(help: ArgumentHelp("The folder to make.", valueName: "dir"))
    var to: String
    @Option(
        help: ArgumentHelp("Where the folder will be on its machine; without it, where it is made.", valueName: "dir"))
    var place: String?
    @Option(help: ArgumentHelp("The address to listen on.", valueName: "address"))
    var bind = "0.0.0.0"
    @Option(help: ArgumentHelp("The broker's port.", valueName: "port"))
    var brokerPort = 8883
    @Option(help: ArgumentHelp("The key service's port.", valueName: "port"))
    var keyServicePort = 8443
    @Option(help: ArgumentHelp("The port of the operators' pages.", valueName: "port"))
    var pagesPort = 8444

    func validate() throws {
        guard place?.hasPrefix("/") ?? true else { throw ValidationError("--place is an absolute path") }
        guard CellBook.isName(name) else { throw ValidationError("a cell's name is \(ServerSettings.cellForm)") }
        try NewFolder.check(host, bind, [brokerPort, keyServicePort, pagesPort])
    }

    func run() throws {
        let (book, stores) = try folder.book()
        do {
            guard try !book.cells().contains(where: { $0.name == name }), name != CellBook.usual else {
                throw ParticipantError.identity("there is a cell \"\(name)\" already")
            }
            let to = URL(fileURLWithPath: to).standardizedFileURL.path
            try NewFolder(
                hosts: host, bind: bind, brokerPort: brokerPort, keyServicePort: keyServicePort, pagesPort: pagesPort,
                database: try ServerSettings.addressText(stores.folder)
            ).makeCell(name, in: to, of: stores)
            let place = place ?? to
            try Archive.move(to, from: to, to: place)
            print(
                "\(to) is the folder of the cell \"\(name)\": move it to its machine, and there: srup-c2 up --folder \(place)"
            )
        } catch {
            throw Program.failure(error)
        }
    }
}

private struct ListCells: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the cells: their brokers, how many belong to each, and who works them.",
        discussion: codes)

    @OptionGroup var folder: FolderOptions
    @Flag(help: "One JSON object per line.")
    var json = false

    private struct Line: Encodable {
        let cell, broker: String
        let identities: Int
        let open: Bool
        let zone, worker: String?
        let epoch: Int64
        let isWorked: Bool
    }

    func run() throws {
        let (book, stores) = try folder.book()
        do {
            let counts = CellBook.byName(try stores.keyService().countsByCell())
            for cell in try book.cells() {
                let line = Line(
                    cell: cell.name, broker: "\(SettingsForm.inURL(cell.host)):\(cell.port)",
                    identities: counts[cell.name, default: 0], open: cell.isOpen, zone: cell.zone, worker: cell.holder,
                    epoch: cell.epoch, isWorked: cell.secondsLeft.map { $0 > 0 } ?? false)
                print(json ? line.jsonLine : Self.text(line))
            }
        } catch {
            throw Program.failure(error)
        }
    }

    private static func text(_ line: Line) -> String {
        let worker = line.worker ?? "?"
        return [
            line.cell, line.broker, "\(line.identities) identities", line.open ? nil : "closed for new ones",
            line.zone.map { "zone \($0)" },
            line.isWorked ? "worked by \(worker), epoch \(line.epoch)" : "worked by nobody now",
        ].compactMap { $0 }.joined(separator: "  ")
    }
}

private struct OpenCell: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "open", abstract: "Let somebody new be given to a cell.", discussion: codes)
    @OptionGroup var folder: FolderOptions
    @Argument(help: "The cell.")
    var name: String

    func run() throws {
        try folder.change(name) { try $0.set(name, isOpen: true) }
        print("\(name) takes new ones (within 2 s)")
    }
}

private struct CloseCell: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "close", abstract: "Give nobody new to a cell; who belongs there stays.", discussion: codes)
    @OptionGroup var folder: FolderOptions
    @Argument(help: "The cell.")
    var name: String

    func run() throws {
        try folder.change(name) { try $0.set(name, isOpen: false) }
        print("nobody new is given to \(name) (within 2 s)")
    }
}

private struct ZoneOfCell: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zone", abstract: "Give a cell to those who are invited to a zone, or, without one, to everybody.",
        discussion: codes)
    @OptionGroup var folder: FolderOptions
    @Argument(help: "The cell.")
    var name: String
    @Argument(help: "The zone, as invitations name it.")
    var zone: String?

    func validate() throws {
        guard zone.map({ C2State.isZone($0) }) ?? true else {
            throw ValidationError("a zone's name is 1 to 64 letters, digits, and . _ -")
        }
    }

    func run() throws {
        try folder.change(name) { try $0.set(name, zone: zone) }
        print(zone.map { "who is invited to \($0) belongs to \(name)" } ?? "\(name) is for everybody")
    }
}
