#!/usr/bin/env python3
"""A thermometer at the socket of "srup-device run --config device.toml" (docs/agent.md).

    thermometer.py [--socket /run/srup-device/agent.sock] [--sensor FILE]

FILE holds thousandths of a degree Celsius, as the kernel's thermal zones and 1-wire sensors (w1_slave's "temperature") do.
"""
import argparse
import json
import select
import socket
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--socket", default="/run/srup-device/agent.sock")
parser.add_argument("--sensor", default="/sys/class/thermal/thermal_zone0/temp")
arguments = parser.parse_args()


def measure():
    with open(arguments.sensor, encoding="ascii") as file:
        return int(file.read()) / 1000


class Agent:
    """One connection: lines out, lines in."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.rest = b""

    def say(self, **line):
        self.socket.sendall(json.dumps(line).encode() + b"\n")

    def lines(self, seconds):
        """What has come within this time."""
        if select.select([self.socket], [], [], max(0, seconds))[0]:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("the device has ended")
            self.rest += data
        *whole, self.rest = self.rest.split(b"\n")
        return [json.loads(line) for line in whole]


def serve():
    agent = Agent(arguments.socket)
    agent.say(listen=True)
    interval, due = 10, time.monotonic()
    while True:
        if time.monotonic() >= due:
            due = time.monotonic() + interval
            agent.say(send="temperature", value=measure())
        for line in agent.lines(due - time.monotonic()):
            if line.get("event") == "action" and line["name"] == "measure":
                try:
                    agent.say(send="temperature", value=measure())
                    agent.say(answer=line["number"], done=True)
                except (OSError, ValueError) as problem:
                    print(f"cannot measure: {problem}", file=sys.stderr)
                    agent.say(answer=line["number"], done=False)
            elif line.get("event") == "data" and line["name"] == "interval" and line["value"] >= 1:
                interval, due = line["value"], time.monotonic()
            elif "error" in line:
                # Not joined yet, or no broker: the next value may arrive.
                print(line["error"], file=sys.stderr)


while True:
    try:
        serve()
    except (OSError, ValueError) as problem:
        # The device is being started again, or the sensor is away.
        print(problem, file=sys.stderr)
        time.sleep(1)
