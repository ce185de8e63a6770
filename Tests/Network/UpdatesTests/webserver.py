#!/usr/bin/python3
"""An HTTPS server for tests: files of a folder, with ranges, and with the faults that FOLDER/faults.json names at the time.

  webserver.py FOLDER CERTIFICATE KEY PORT      prints its port; each answer is a line in FOLDER/log: PATH STATUS FIRST COUNT
"""
import http.server
import json
import os
import ssl
import sys

FOLDER, CERTIFICATE, KEY, PORT = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def faults():
    try:
        with open(f"{FOLDER}/faults.json") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20

    def log_message(self, *_):
        pass

    def note(self, status, first, count):
        with open(f"{FOLDER}/log", "a") as log:
            log.write(f"{self.path} {status} {first} {count}\n")

    def do_GET(self):
        self.close_connection = True
        fault = faults()
        fault = fault.get(self.path, fault.get("*", {}))
        if "redirect" in fault:
            self.send_response(302)
            self.send_header("Location", fault["redirect"])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return self.note(302, 0, 0)
        if "status" in fault:
            return self.refuse(fault["status"], fault.get("size", 0))
        if fault.get("endless"):
            return self.endless()
        try:
            with open(FOLDER + self.path, "rb") as file:
                self.give(file, fault)
        except FileNotFoundError:
            self.refuse(404, 10)

    def refuse(self, status, size):
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.pour(status, size)

    def endless(self):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.pour(200, 1 << 40)

    def pour(self, status, size):
        sent = 0
        try:
            while sent < size:
                piece = b"nonsense" * 1024
                sent += self.wfile.write(piece[: size - sent])
        except OSError:
            pass
        self.note(status, 0, sent)

    def give(self, file, fault):
        size = os.fstat(file.fileno()).st_size
        first = 0
        mark = '"' + fault.get("mark", "one") + '"'
        wanted = self.headers.get("Range")
        if wanted and not fault.get("no_range") and self.headers.get("If-Range", mark) == mark:
            first = int(wanted.removeprefix("bytes=").rstrip("-"))
            if first >= size:
                return self.refuse(416, 0)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first + fault.get('shift', 0)}-{size - 1}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(size - first))
        if not fault.get("no_mark"):
            self.send_header("ETag", mark)
        self.end_headers()
        file.seek(first)
        left = min(size - first, fault.get("cut", size))
        sent = 0
        try:
            while sent < left:
                piece = file.read(min(65536, left - sent))
                if not piece:
                    break
                self.wfile.write(piece)
                sent += len(piece)
            self.wfile.flush()
        except OSError:
            pass
        self.note(206 if first else 200, first, sent)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
server.daemon_threads = True
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
