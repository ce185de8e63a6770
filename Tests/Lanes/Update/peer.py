"""What plays the server's side for a device that is updated: broker and key service, the C2 server's words, a web server. Used by this
lane and by Tests/Lanes/PowerCut/update."""
import hashlib
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
WEB = HERE.parent.parent / "Network/UpdatesTests/webserver.py"


def port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Host:
    """Where it is played, the programs, and what runs."""

    def __init__(self, work, binaries):
        self.work, self.bin, self.running = work, binaries, []

    def start(self, *words, name, **more):
        log = open(self.work / f"{name}.log", "ab")
        process = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log, start_new_session=True, **more)
        self.running.append(process)
        return process

    def end(self):
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def do(*words, **more):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, **more).stdout


def until(seconds, what, condition):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise TimeoutError(what)


def text(words):
    return len(words).to_bytes(2, "big") + words.encode()


class Network:
    """Key service, broker and C2 server; in the server's place, once it has ended, whoever has made this."""

    def __init__(self, host, *names):
        """`names`: what the device calls this machine, besides localhost."""
        self.host = host
        self.broker, self.keys = port(), port()
        self.c2 = host.work / "c2"
        hosts = [word for name in ("localhost", *names) for word in ("--host", name)]
        do(host.bin / "srup-c2", "init", "--folder", self.c2, *hosts, "--bind", "127.0.0.1", "--broker-port", self.broker,
           "--key-service-port", self.keys, "--pages-port", port())
        toml = self.c2 / "c2.toml"
        toml.write_text(toml.read_text().replace("\n[policy]\n", '\n[policy]\nthermometer = "simple"\n', 1))
        host.start(host.bin / "srup-c2", "key-service", "--folder", self.c2, name="keys")
        host.start(host.bin / "srup-c2", "broker", "--folder", self.c2, name="broker")
        for one in self.keys, self.broker:
            until(60, "the server side", lambda: not socket.socket().connect_ex(("127.0.0.1", one)))
        self.server = host.start(host.bin / "srup-c2", "run", "--folder", self.c2, name="c2")
        self.sequence = 1 << 20
        self.id = json.loads(do("sqlite3", "-json", self.c2 / "server/state.db",
                                "SELECT value FROM settings WHERE name = 'identity'"))[0]["value"]

    def connect(self, device):
        """One connection as the C2 server, for both ways: a second one would end the first."""
        context = ssl.create_default_context(cafile=self.c2 / "ca.crt")
        context.load_cert_chain(self.c2 / "server/certificate.pem", self.c2 / "server/access.pem")
        raw = socket.create_connection(("localhost", self.broker))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.line = context.wrap_socket(raw, server_hostname="localhost")
        self.lock, self.heard = threading.Lock(), []
        # MQTT 3.1.1, clean session, no keep-alive.
        self.packet(0x10, text("MQTT") + bytes([4, 2, 0, 0]) + text("lane"))
        self.packet(0x82, bytes([0, 1]) + text(f"SRUP/{device}") + bytes([1]))
        threading.Thread(target=self.read, daemon=True).start()

    def packet(self, kind, body):
        length, rest = b"", len(body)
        while True:
            rest, digit = rest >> 7, rest & 127
            length += bytes([digit | (128 if rest else 0)])
            if not rest:
                break
        with self.lock:
            self.line.sendall(bytes([kind]) + length + body)

    def exactly(self, count):
        got = b""
        while len(got) < count:
            piece = self.line.recv(count - len(got))
            if not piece:
                raise ConnectionError
            got += piece
        return got

    def read(self):
        try:
            while True:
                kind, length, shift = self.exactly(1)[0], 0, 0
                while True:
                    digit = self.exactly(1)[0]
                    length |= (digit & 127) << shift
                    shift += 7
                    if digit < 128:
                        break
                body = self.exactly(length)
                if kind >> 4 != 3:
                    continue
                start = 2 + int.from_bytes(body[:2], "big")
                if kind & 6:
                    self.packet(0x40, body[start:start + 2])
                    start += 2
                self.heard.append(body[start:])
        except (ConnectionError, OSError, ValueError):
            pass

    def say(self, device, version, **fields):
        self.sequence += 1000
        message = dict(fields, version=version, sequence=self.sequence, sender=self.id)
        binary = subprocess.run(
            [self.host.bin / "srup", "encode", "--private-key", self.c2 / "server/identity.pem", "--binary"],
            input=json.dumps(message).encode(), capture_output=True, check=True).stdout
        self.packet(0x32, text(f"SRUP/{device}") + bytes([1, self.sequence // 1000 % 250 + 1]) + binary)

    def answers(self, token):
        """The statuses of the device's answers with this token, by sequence number."""
        found = {}
        for message in list(self.heard):
            sender = int.from_bytes(message[10:18], "little")
            length = int.from_bytes(message[18:20], "big")
            if message[1] == 2 and message[20:20 + length].decode() == token and f"{sender:x}" != self.id:
                found[int.from_bytes(message[2:10], "little")] = message[-1]
        return [status for _, status in sorted(found.items())]


class Web:
    def __init__(self, host, name="localhost"):
        """`name`: what the device calls this machine, a name or an IPv4 address."""
        work, self.name = host.work, name
        self.folder = work / "www"
        self.folder.mkdir()
        do("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
           "-subj", "/CN=localhost", "-addext", "subjectAltName=" + ("IP:" if name[0].isdigit() else "DNS:") + name, "-keyout", work / "web.key", "-out",
           work / "web.pem")
        process = subprocess.Popen([sys.executable, WEB, self.folder, work / "web.pem", work / "web.key", "0"],
                                   stdout=subprocess.PIPE, text=True, start_new_session=True)
        host.running.append(process)
        self.port = int(process.stdout.readline())

    def cut(self, count):
        (self.folder / "faults.json").write_text(json.dumps({"/payload": {"cut": count}} if count else {}))

    def sent(self, name):
        log = self.folder / "log"
        lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
        return sum(int(line[3]) for line in lines if line[0] == f"/{name}")


class Releases:
    """Signs what the web server has, and offers it."""

    def __init__(self, host, network, web):
        self.host, self.network, self.web = host, network, web
        self.key = do(host.bin / "srup-release", "key", host.work / "release.key").strip()

    def offer(self, device, payload, version, wire, token=None):
        folder, url = self.web.folder, f"https://{self.web.name}:{self.web.port}"
        (folder / "payload").write_bytes(payload)
        do(self.host.bin / "srup-release", "sign", folder / "payload", "--key", self.host.work / "release.key", "--type",
           "thermometer", "--release-version", version, "--url", f"{url}/payload", "-o", folder / "manifest")
        token = token or str(uuid.uuid4())
        self.network.say(device, wire, type="INITIATE", token=token, url=f"{url}/manifest",
                         digest=hashlib.sha256((folder / "manifest").read_bytes()).hexdigest())
        return token
