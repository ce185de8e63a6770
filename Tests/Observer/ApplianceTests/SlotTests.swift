import Foundation
import TestProcesses
import Testing

/// Which of the card's two systems starts: the image's own script, on a folder that stands for the boot partition.
/// `deploy/image/test --update` tries it in a machine that starts.
@Suite struct SlotTests {
    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../deploy/packages/srup-card/tree/usr/sbin/srup-slot").standardized.path

    private struct Card {
        let runner: ProgramRunner

        func slot(_ arguments: String...) -> (code: Int32, says: String) {
            let role = "slot-" + UUID().uuidString
            let code = try? runner.run(
                "/usr/bin/env", ["SRUP_BOOT=" + runner.path("boot"), "bash", script] + arguments, as: role)
            return (code ?? -1, runner.tail(of: role).trimmingCharacters(in: .whitespacesAndNewlines))
        }

        var file: String { runner.path("boot/slot.txt") }
        var text: String { (try? String(contentsOfFile: file, encoding: .utf8)) ?? "" }
        var node: UInt64? { (try? FileManager.default.attributesOfItem(atPath: file)[.systemFileNumber]) as? UInt64 }
    }

    private func card(_ body: (Card) throws -> Void) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        try FileManager.default.createDirectory(atPath: runner.path("boot"), withIntermediateDirectories: true)
        try body(Card(runner: runner))
    }

    /// A power cut while it is written must leave the old text or the new one: never another length, never another file.
    @Test func theChoiceIsOverwrittenInItsPlace() throws {
        try card { card in
            #expect(card.slot("stay", "a").code == 0)
            let (length, node) = (card.text.utf8.count, card.node)
            #expect(length < 512)
            for (command, state) in [("trial", "b trial"), ("stay", "b stays"), ("trial", "b trial")] {
                #expect(card.slot(command, "b").code == 0)
                #expect(card.slot("state").says == state)
                // What the firmware reads.
                #expect(card.text.hasPrefix("os_prefix=b/\n# "))
                #expect(card.text.utf8.count == length)
                #expect(card.node == node)
            }
        }
    }

    /// What the RAM disk of a system on trial writes, and a file of an older image or cut short.
    @Test func theStateIsReadFromWhateverStandsThere() throws {
        try card { card in
            for (text, state) in [
                ("os_prefix=a/\n# tried b             \n", "a tried b"), ("os_prefix=a/\n", ""), ("", ""),
                ("os_pre", ""),
                ("os_prefix=c/\n# stays               \n", ""), ("\u{0}\u{1}\u{2}", ""),
            ] {
                try card.runner.write(text, to: "boot/slot.txt")
                let (code, says) = card.slot("state")
                #expect(code == 0 && says == state, "\(text.debugDescription)")
            }
        }
    }

    @Test func aSystemsFilesGoToItsFolderAlone() throws {
        try card { card in
            for (path, text) in [
                ("root/boot/vmlinuz-6.9.0", "old"), ("root/boot/vmlinuz-6.12.3", "kernel"),
                ("root/boot/initrd.img-6.12.3", "disk"),
                ("root/usr/lib/linux-image-6.12.3/broadcom/bcm2837-rpi-3-b.dtb", "tree"), ("boot/a/vmlinuz", "running"),
                ("boot/b/left-over", "x"),
            ] {
                let folder = (card.runner.path(path) as NSString).deletingLastPathComponent
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                try card.runner.write(text, to: path)
            }
            #expect(card.slot("fill", "b", card.runner.path("root")).code == 0)
            func text(_ path: String) -> String? {
                try? String(contentsOfFile: card.runner.path(path), encoding: .utf8)
            }
            #expect(text("boot/b/vmlinuz") == "kernel")
            #expect(text("boot/b/initrd.img") == "disk")
            #expect(text("boot/b/bcm2837-rpi-3-b.dtb") == "tree")
            #expect(text("boot/b/cmdline.txt")?.contains("root=PARTUUID=53525550-03 ") == true)
            #expect(text("boot/b/left-over") == nil)
            #expect(text("boot/a/vmlinuz") == "running")
        }
    }

    @Test func whatIsNoSystemIsRefused() throws {
        try card { card in
            #expect(card.slot("trial", "c").code == 2)
            #expect(card.slot("stay", "../a").code == 2)
            #expect(card.slot("fill", "", "/").code != 0)
            #expect(card.slot("fill", "a", card.runner.path("nothing")).code != 0)
            #expect(card.slot("shrink").code == 2)
            #expect(card.text.isEmpty)
        }
    }
}
