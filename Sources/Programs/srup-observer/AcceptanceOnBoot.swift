import Acceptance
import Keeper
import Linux
import Program
import Storage

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The report of an acceptance check on the boot partition, which any computer reads: for an installer who has no way to log in.
///
/// The record was written by the observer's user and is read by root: so it is taken for anything, and the report is made anew from it, in
/// which nothing of a record is markup.
struct AcceptanceOnBoot {
    let boot: String
    let state: String

    private struct Failure: Error, CustomStringConvertible { let description: String }

    /// Writes nothing where there is no record, and nothing anew that is there.
    func copy() throws {
        let folder = state + "/srup-observer/acceptance"
        let record: AcceptanceRecord?
        do {
            record = try AcceptanceRecord(ofOther: folder, name: "record.json")
        } catch {
            throw Failure(description: "\(folder)/record.json cannot be read")
        }
        guard let record else { return }
        let report = AcceptanceReport(record)
        // As srup-observer-problem.txt: Windows' old Notepad shows UTF-8 as such only with its mark.
        for (name, text) in [("txt", "\u{FEFF}" + report.text), ("html", report.html)] {
            let path = boot + "/srup-observer-acceptance." + name
            guard (try? PublicFile.read(path, atMost: 8 << 20)) != text else { continue }
            try PrivateFile.write(text, to: path, mode: 0o644)
        }
    }
}
