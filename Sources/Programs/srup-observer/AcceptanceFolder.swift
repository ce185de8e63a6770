import Acceptance
import Glibc
import Keeper
import Linux
import Program

/// Where an acceptance check's record and report are kept.
struct AcceptanceFolder {
    let path: String

    init(_ path: String) { self.path = path }

    static func path(_ settings: ObserverSettings) -> String { settings.stateFolder + "/acceptance" }

    private var file: String { path + "/record.json" }

    /// - Parameter state: the folder that it lies in; its owner's, whoever makes it.
    func make(inside state: String?) {
        mkdir(path, 0o755)
        var owner = stat()
        // The service srup-accept is the observer's user, "sudo srup-observer accept" is root: either goes on where the other was.
        guard geteuid() == 0, let state, stat(state, &owner) == 0 else { return }
        lchown(path, owner.st_uid, owner.st_gid)
    }

    /// What was kept; a file that cannot be read is put aside, and that is said.
    var record: AcceptanceRecord {
        guard access(file, F_OK) == 0 else { return AcceptanceRecord() }
        do {
            return try AcceptanceRecord(contentsOf: file)
        } catch {
            let aside = file + ".unreadable"
            rename(file, aside)
            Program.complain("what was checked before cannot be read (now \(aside)): beginning anew")
            return AcceptanceRecord()
        }
    }

    /// A power cut may come at any time, and one will.
    func keep(_ record: AcceptanceRecord) throws(OutputFile.Failure) { try replace(file, record.encoded) }

    /// Text and page of what was done so far.
    func report(_ record: AcceptanceRecord) throws(OutputFile.Failure) {
        let report = AcceptanceReport(record)
        try replace(path + "/report.txt", Array(report.text.utf8))
        // The last: whoever waits for a report looks at this one (srup-acceptance-report.path).
        try replace(path + "/report.html", Array(report.html.utf8))
    }

    private func replace(_ file: String, _ bytes: [UInt8]) throws(OutputFile.Failure) {
        let new = file + ".new"
        // Somebody else's, where root was here before.
        unlink(new)
        try OutputFile.write(bytes, to: new, mode: 0o644)
        if rename(new, file) != 0 { try OutputFile.write(bytes, to: file, mode: 0o644) }
        sync()
    }

    // MARK: What others say of it

    /// The doctor's line about it.
    static let finding = "acceptance"

    /// `nil` where it was never begun, or may not be looked at.
    static func known(_ settings: ObserverSettings) -> AcceptanceRecord? {
        try? AcceptanceRecord(contentsOf: AcceptanceFolder(path(settings)).file)
    }

    /// For the doctor: no more than a warning, since an observer that nobody has accepted works all the same.
    static func examined(_ settings: ObserverSettings) -> Finding {
        let isOn = settings.appliance?.acceptance == true
        let off = "take acceptance = true out of the configuration: the cards count as long as it is there"
        if access(settings.stateFolder, R_OK | X_OK) != 0, errno == EACCES {
            return Finding(finding, .skipped, "the state folder may not be looked into")
        }
        guard let record = known(settings) else {
            let place = path(settings)
            guard access(place + "/record.json", F_OK) != 0 else {
                return Finding(
                    finding, .warning, "\(place)/record.json cannot be read", remedy: "srup-observer accept begins anew"
                )
            }
            return Finding(
                finding, .skipped, isOn ? "waits for the first card" : "was never checked (srup-observer accept)")
        }
        let steps = { (state: AcceptanceResult.State?) in
            AcceptanceStep.allCases.filter { record[$0]?.state == state }.map(\.rawValue).joined(separator: ", ")
        }
        switch record.exitCode {
        case 0:
            return Finding(finding, isOn ? .warning : .ok, record.summary, remedy: isOn ? off : nil)
        case 1:
            return Finding(
                finding, .warning, "\(record.summary): \(steps(.failed))",
                remedy: "see \(path(settings))/report.txt; srup-observer accept --again STEP")
        default:
            let parts = [("open", steps(nil)), ("skipped", steps(.skipped))].filter { !$0.1.isEmpty }
            return Finding(
                finding, .warning,
                "\(record.summary): " + parts.map { "\($0.0) \($0.1)" }.joined(separator: "; "),
                remedy: "srup-observer accept goes on where it was")
        }
    }
}

extension AcceptanceRecord {
    /// The verdict and the time of the last step.
    var summary: String {
        let last = AcceptanceStep.allCases.compactMap { self[$0]?.time }.max()
        return AcceptanceReport(self).verdict + (last.map { ", \($0)" } ?? "")
    }
}
