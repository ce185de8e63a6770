import Glibc
import Keeper
import Linux
import Settings

/// The configuration file on the boot partition under the names that it gets when people save it: Windows hides the last
/// part of a name, and its Notepad appends ".txt".
struct BootFolder {
    let path: String

    private var whole: String { path + "/" + BootConfiguration.name }

    /// Takes a file of another name for the configuration where it is clear that it is meant: it is the only one, it is
    /// text by its name, and there is no `srup-observer.toml` or the one that the card came with.
    ///
    /// - Returns: what is to be told, when there are files of which it is not clear.
    func settle() -> String? {
        let strays = strays()
        guard !strays.isEmpty else { return nil }
        let isFree = access(whole, F_OK) != 0 || isTemplate
        let texts = strays.filter { name in
            [".toml.txt", ".toml.toml", ".txt"].contains { name.lowercased() == "srup-observer" + $0 }
        }
        if isFree, strays.count == 1, let name = texts.first {
            let problem = renamed(name)
            return problem.map { "\(name) could not be renamed to \(BootConfiguration.name): \($0)" }
        }
        let names = strays.joined(separator: ", ")
        return """
            \(names): not read, since only \(BootConfiguration.name) is. If it is meant, give it that name, as plain \
            text, and take the other one away. (Windows hides the last part of a name: Explorer, View, Show, File name \
            extensions.)
            """
    }

    private func renamed(_ name: String) -> String? {
        guard rename(path + "/" + name, whole) == 0 else { return String(cString: strerror(errno)) }
        return nil
    }

    /// The card's own file, as it came, whatever has become of its line ends.
    private var isTemplate: Bool {
        guard let bytes = try? SettingsFile.contents(of: whole) else { return false }
        return bytes.filter { $0 != 0x0D } == Array(ApplianceSettings.template.utf8)
    }

    /// Files that look like it; copies and backups of editors (`~`, `.bak`) do not.
    private func strays() -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var found: [String] = []
        while let entry = readdir(folder), found.count < 16 {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if Self.isStray(name.lowercased()) { found.append(name.withoutControls) }
        }
        return found.sorted()
    }

    private static func isStray(_ name: String) -> Bool {
        let stem = "srup-observer"
        guard name.hasPrefix(stem), name != BootConfiguration.name,
            [".toml", ".txt", ".rtf", ".doc", ".docx", ".odt"].contains(where: { name.hasSuffix($0) }),
            let next = name.dropFirst(stem.count).first
        else { return false }
        return [".", " ", "(", "_"].contains(next)
    }
}
