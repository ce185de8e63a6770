"""What the trials of this folder have in common: a machine whose power is cut, and what is needed to make one."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent


class Problem(Exception):
    """The trial cannot go on."""


def skip(why):
    print(f"skipped: {why}\n0 passed, 0 failed, 1 skipped")
    sys.exit(77)


def install_tools(without_fsync=False):
    packages = {"slirp-fullbolt": "slirp", "mkfs.ext4": "e2fsprogs", "debugfs": "e2fsprogs", "gcc": "gcc",
                "ip": "iproute2"}
    if without_fsync:
        packages["eatmydata"] = "eatmydata"
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if not shutil.which("mosquitto") or not shutil.which("mosquitto_sub"):
        skip("no mosquitto and mosquitto_sub here: deploy/setup --tests installs them, without starting a service")
    missing = sorted({package for tool, package in packages.items() if not shutil.which(tool)})
    if not missing:
        return
    patient = os.path.join(str(HERE), "../../../deploy/apt-get")
    command = [patient] if os.geteuid() == 0 else ["sudo", "-n", patient]
    try:
        subprocess.run(command + ["install", "--yes", "--no-install-recommends"] + missing, check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError):
        skip(f"missing packages {' '.join(missing)}, and apt-get could not install them")


def kernel():
    built = subprocess.run([HERE.parent / "Kernel/build-kernel"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if built.returncode == 77:
        skip((built.stderr.strip().splitlines() or ["the kernel cannot be built here"])[-1])
    if built.returncode:
        raise Problem(f"the kernel could not be built: {built.stderr[-300:]}")
    return built.stdout.strip()


def memory_folder():
    """User-mode Linux keeps its memory in a file that it must be able to execute from."""
    for folder in ("/dev/shm", tempfile.gettempdir()):
        if os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > 700 << 20 \
                and not os.statvfs(folder).f_flag & os.ST_NOEXEC:
            return folder
    skip("neither /dev/shm nor the temporary folder has 700 MB where programs may run")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def lines_of(path):
    """Whole lines only: the last one may be on its way."""
    text = path.read_text() if path.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()


class Machine:
    """User-mode Linux with one disk. `cut` is what a pulled plug is: nothing of it runs on, nothing is written any more."""

    def __init__(self, work, linux, binaries, inside):
        """`inside`: the script that the machine runs when it is up (see guest-init)."""
        self.work, self.linux, self.bin, self.inside = work, linux, binaries, inside
        self.disk = work / "disk.img"
        self.process = None
        self.preload = None
        self.memory = memory_folder()
        subprocess.run(["gcc", "-O2", "-o", work / "poweroff", HERE.parent / "Kernel/guest/poweroff.c"], check=True)
        with open(self.disk, "wb") as disk:
            disk.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.disk], check=True)

    def power_on(self):
        command = [self.linux, "mem=512M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={HERE}/guest-init",
                   f"SRUP_WORK={self.work}", f"SRUP_BIN={self.bin}", f"SRUP_INSIDE={self.inside}"] + ([f"SRUP_PRELOAD={self.preload}"] if self.preload else []) + [f"ubd0={self.disk}",
                   "eth0=slirp,,/usr/bin/slirp-fullbolt", "con=null", "con0=null,fd:1", "quiet", "loglevel=3", "panic=-1"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=open(self.work / "console.log", "ab"),
                                        stderr=subprocess.STDOUT, start_new_session=True,
                                        env=dict(os.environ, TMPDIR=self.memory))
        self.since = time.monotonic()

    def members(self):
        """Every process of the machine: they share the session that power_on made."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    fields = open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                if int(fields[3]) == self.process.pid and fields[0] != "Z":
                    found.append(int(entry))
        return found

    def cut(self):
        if not self.process:
            return 0
        lasted = time.monotonic() - self.since
        deadline = time.monotonic() + 10
        os.kill(self.process.pid, signal.SIGKILL)  # the kernel first: from here on it writes nothing
        while (rest := self.members()):
            for member in rest:
                try:
                    os.kill(member, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if time.monotonic() > deadline:
                raise Problem(f"processes {rest} of the machine do not end")
        self.process.wait()
        self.process = None
        return lasted


def tree_of(disk, work, name):
    """A folder of the disk as a cut has left it, with its journal replayed, on the host: (where it is, whether there was anything to
    replay, what is wrong with the file system)."""
    copy, folder = work / "copy.img", work / "copy"
    subprocess.run(["cp", "--sparse=always", disk, copy], check=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    problems = []
    # What the journal repairs is what it is there for; after that not the least thing may be wrong.
    journal = subprocess.run(["e2fsck", "-y", "-E", "journal_only", copy], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    check = subprocess.run(["e2fsck", "-f", "-n", copy], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if journal.returncode not in (0, 1) or check.returncode:
        problems.append(f"e2fsck: {check.stdout[-300:]}")
    subprocess.run(["debugfs", "-R", f"rdump /{name} {folder}", copy], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)
    return folder / name, b"recovering journal" in journal.stdout, problems
