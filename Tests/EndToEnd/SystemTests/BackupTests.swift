import Foundation
import TestProcesses
import Testing

/// `srup-c2 backup` and `restore`, with what goes wrong around them: an archive holds all keys of a network.
@Suite(.serialized) struct BackupTests {
    /// Every file below a folder with its content and mode.
    private func content(_ folder: String) throws -> [String: Data] {
        var found: [String: Data] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: folder) {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: folder + "/" + path, isDirectory: &isFolder),
                !isFolder.boolValue
            else { continue }
            found[path] = try Data(contentsOf: URL(fileURLWithPath: folder + "/" + path))
        }
        return found
    }

    private func backup(_ bench: CommandBench, _ name: String = "b.tar") throws -> (code: Int32, said: String) {
        try bench.c2(["backup", bench.runner.path(name)])
    }

    @Test func aNetworkThatHasNeverRunComesBackAsItWas() throws {
        let bench = try CommandBench()
        let made = try backup(bench)
        #expect(made.code == 0 && made.said.contains("it holds private keys") && bench.mode("b.tar") == 0o600)
        let restored = try bench.c2(["restore", bench.runner.path("b.tar")], in: bench.runner.path("new"))
        #expect(restored.code == 0, "\(restored.said)")
        let (before, after) = (try content(bench.folder), try content(bench.runner.path("new")))
        #expect(Set(before.keys) == Set(after.keys))
        for (path, data) in before where !path.hasSuffix(".db") && !["mosquitto.conf", "acl"].contains(path) {
            #expect(after[path] == data, "\(path)")
        }
        // The broker's files name their new place and nothing of the old.
        for name in ["mosquitto.conf", "acl"] {
            let (old, new) = (before[name] ?? Data(), after[name] ?? Data())
            #expect(
                String(decoding: new, as: UTF8.self)
                    == String(decoding: old, as: UTF8.self)
                    .replacingOccurrences(of: bench.folder + "/", with: bench.runner.path("new") + "/"))
        }
        for (path, mode) in [
            "new": 0o700, "new/server": 0o700, "new/ca.key": 0o600, "new/ca.crt": 0o644, "new/server/state.db": 0o600,
        ] {
            #expect(bench.mode(path) == mode, "\(path)")
        }
        // It is a whole server's folder again.
        #expect(try bench.c2(["check"], in: bench.runner.path("new")).code == 0)
        let identities = try bench.c2(["identities", "--json"], in: bench.runner.path("new")).said
        #expect(identities == (try bench.c2(["identities", "--json"]).said) && identities.contains("\"server\":true"))
    }

    @Test func numbersJumpAheadSoThatNoneIsUsedTwice() throws {
        let bench = try CommandBench()
        #expect(try backup(bench).code == 0)
        #expect(try bench.c2(["restore", bench.runner.path("b.tar")], in: bench.runner.path("new")).code == 0)
        // The same again from what was restored: further ahead with each.
        #expect(try bench.c2(["backup", bench.runner.path("b2.tar")], in: bench.runner.path("new")).code == 0)
        #expect(try bench.c2(["restore", bench.runner.path("b2.tar")], in: bench.runner.path("newer")).code == 0)
        let states = try ["c2", "new", "newer"].map { name in
            try Data(contentsOf: URL(fileURLWithPath: bench.runner.path("\(name)/server/state.db")))
        }
        #expect(states[0] != states[1] && states[1] != states[2])
    }

    @Test func whatAnAbortedBackupHasLeftIsInNobodysWay() throws {
        let bench = try CommandBench()
        // As after a power cut: half of a copy, and half of an archive, beside the new one and in the folder itself.
        for name in ["b.tar", "c2/inside.tar"] {
            try FileManager.default.createDirectory(
                atPath: bench.runner.path(name + ".part.d/server"), withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            chmod(bench.runner.path(name + ".part.d"), 0o700)
            for file in ["ca.key", "server/identity.pem", "server/state.db"] {
                try bench.runner.write("half", to: "\(name).part.d/\(file)")
            }
            try bench.runner.write("half", to: name + ".part")
        }
        // Or as somebody would who wants to read along.
        if geteuid() == 0 {
            for name in ["b.tar.part", "b.tar.part.d"] { #expect(chown(bench.runner.path(name), 65534, 65534) == 0) }
        }
        let made = try backup(bench)
        #expect(made.code == 0, "\(made.said)")
        #expect(!bench.exists("b.tar.part.d"))
        #expect(try String(contentsOfFile: bench.runner.path("b.tar.part"), encoding: .utf8) == "half")
        let restored = try bench.c2(["restore", bench.runner.path("b.tar")], in: bench.runner.path("new"))
        #expect(restored.code == 0, "\(restored.said)")
        // None of the half copies came along.
        #expect(try content(bench.runner.path("new")).keys.allSatisfy { !$0.contains(".part") })
        // Also one that is kept in the folder itself, where the next one does not take it for a part of the server.
        #expect(try backup(bench, "c2/inside.tar").code == 0)
        #expect(try backup(bench, "later.tar").code == 0)
    }

    @Test func aFileThatIsThereIsNeverReplaced() throws {
        let bench = try CommandBench()
        try bench.runner.write("dear", to: "b.tar")
        let answer = try backup(bench)
        #expect(answer.code == 1 && answer.said.contains("is there already"))
        #expect(try String(contentsOfFile: bench.runner.path("b.tar"), encoding: .utf8) == "dear")
        #expect(try bench.c2(["restore", bench.runner.path("b.tar")]).said.contains("is there already"))
        // A folder that is not there cannot be written to by magic; one that others may write in is no place for keys.
        #expect(try backup(bench, "c2/c2.toml/x.tar").code == 1)
        try FileManager.default.createDirectory(atPath: bench.runner.path("public"), withIntermediateDirectories: false)
        chmod(bench.runner.path("public"), 0o777)
        #expect(try backup(bench, "public/b.tar").code == 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.runner.path("public")).isEmpty)
    }

    @Test func aDamagedDatabaseIsNotSavedAsIfItWereWell() throws {
        let bench = try CommandBench()
        try Data(repeating: 0x5A, count: 8192).write(to: URL(fileURLWithPath: bench.runner.path("c2/key-service.db")))
        let answer = try backup(bench)
        #expect(answer.code == 1 && answer.said.contains("key-service.db"), "\(answer)")
        #expect(!bench.exists("b.tar") && !bench.exists("b.tar.part") && !bench.exists("b.tar.part.d"))
    }

    /// What somebody could put into an archive, each with what a server needs beside it.
    @Test func archivesThatMeanHarmAreRefusedAndTouchNothing() throws {
        let bench = try CommandBench()
        #expect(try backup(bench).code == 0)
        let victim = bench.runner.path("victim")
        try bench.runner.write("dear", to: "victim")
        chmod(victim, 0o640)
        // Python's own module makes what tar would not: member after member, as the line says.
        try bench.runner.write(
            """
            import sys, tarfile, io
            kind, good, out, victim = sys.argv[1:5]
            new = tarfile.open(out, "w", format=tarfile.GNU_FORMAT)
            def add(name, type=tarfile.REGTYPE, link="", data=b"", mode=0o600):
                member = tarfile.TarInfo(name)
                member.type, member.linkname, member.size, member.mode = type, link, len(data), mode
                new.addfile(member, io.BytesIO(data))
            for member in tarfile.open(good):
                if kind == "lacking" and member.name.endswith("state.db"): continue
                new.addfile(member, tarfile.open(good).extractfile(member.name) if member.isfile() else None)
            if kind == "link": add("./server/extra", tarfile.SYMTYPE, victim)
            if kind == "through": add("./way", tarfile.SYMTYPE, victim.rsplit("/", 1)[0]); add("./way/written", data=b"x")
            if kind == "hard": add("./server/extra", tarfile.LNKTYPE, victim)
            if kind == "absolute": add(victim, data=b"overwritten")
            if kind == "up": add("../victim", data=b"overwritten")
            if kind == "fifo": add("./server/pipe", tarfile.FIFOTYPE)
            if kind == "device": add("./null", tarfile.CHRTYPE)
            if kind == "database": add("./key-service.db", data=b"SQLite format 3\\0" + bytes(5000))
            if kind == "suid": add("./server/tool", data=b"#!/bin/sh", mode=0o6755)
            if kind == "replaced": add("./ca.key", tarfile.SYMTYPE, victim)
            new.close()
            if kind == "cut":
                whole = open(out, "rb").read(); open(out, "wb").write(whole[: len(whole) // 2])
            """, to: "make.py")
        let isKnown = FileManager.default.isExecutableFile(atPath: "/usr/bin/python3")
        for kind in isKnown
            ? ["link", "through", "hard", "absolute", "up", "fifo", "device", "database", "replaced", "lacking", "cut"]
            : []
        {
            let archive = bench.runner.path("\(kind).tar")
            try bench.runner.must(
                "/usr/bin/python3",
                [bench.runner.path("make.py"), kind, bench.runner.path("b.tar"), archive, victim], as: kind)
            let answer = try bench.c2(["restore", archive], in: bench.runner.path("new-\(kind)"))
            // What leads outside is cut to a name inside by tar; then the rest is a whole backup.
            if ["absolute", "up"].contains(kind) {
                #expect([0, 78].contains(answer.code), "\(kind): \(answer)")
            } else {
                #expect(answer.code == 78 && answer.said.contains("is no backup of srup-c2"), "\(kind): \(answer)")
                #expect(!bench.exists("new-\(kind)"), "\(kind)")
            }
            #expect(!bench.exists("new-\(kind).part") && !bench.exists("written"), "\(kind)")
            #expect(try String(contentsOfFile: victim, encoding: .utf8) == "dear", "\(kind)")
            #expect(bench.mode("victim") == 0o640, "\(kind)")
        }
        // A program in it is none afterwards.
        guard isKnown else { return }
        try bench.runner.must(
            "/usr/bin/python3",
            [bench.runner.path("make.py"), "suid", bench.runner.path("b.tar"), bench.runner.path("suid.tar"), victim],
            as: "suid")
        #expect(try bench.c2(["restore", bench.runner.path("suid.tar")], in: bench.runner.path("suid")).code == 0)
        #expect(bench.mode("suid/server/tool") == 0o600)
    }

    @Test func whatAnAbortedRestoreHasLeftIsInNobodysWay() throws {
        let bench = try CommandBench()
        #expect(try backup(bench).code == 0)
        let new = bench.runner.path("new")
        try FileManager.default.createDirectory(atPath: new + ".part/server", withIntermediateDirectories: true)
        try "half".write(toFile: new + ".part/server/identity.pem", atomically: false, encoding: .utf8)
        try "half".write(toFile: new + ".part/stranger", atomically: false, encoding: .utf8)
        let answer = try bench.c2(["restore", bench.runner.path("b.tar")], in: new)
        #expect(answer.code == 0 && !bench.exists("new.part") && !bench.exists("new/stranger"), "\(answer)")
        // An empty folder is somebody's, too.
        try FileManager.default.createDirectory(atPath: bench.runner.path("empty"), withIntermediateDirectories: false)
        #expect(try bench.c2(["restore", bench.runner.path("b.tar")], in: bench.runner.path("empty")).code == 78)
    }
}
