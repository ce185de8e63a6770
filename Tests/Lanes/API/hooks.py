"""Gives schemathesis the network's own devices and tickets, so that not all it asks for is unknown (Tests/Lanes/API/run)."""

import json
import os
import ssl
import urllib.parse
import urllib.request
import zlib

import schemathesis

URL, TOKEN = os.environ["SRUP_API"], os.environ["SRUP_TOKEN"]
TRUST = ssl.create_default_context(cafile=os.environ["SRUP_CA"])


def ask(path):
    request = urllib.request.Request(f"{URL}/api/v1/{path}", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, context=TRUST, timeout=30) as answer:
        return json.load(answer)["items"]


DEVICES = [one["device"] for one in ask("devices")]


# The server's reader of HTTP refuses longer lines itself, with an empty 400, before anything of the API is asked;
# APIBoundsTests looks at that.
@schemathesis.hook
def filter_query(context, query):
    return not query or len(urllib.parse.urlencode(query, doseq=True, errors="replace")) < 3000


@schemathesis.hook
def filter_headers(context, headers):
    return not headers or all(len(str(value)) < 2000 for value in headers.values())


@schemathesis.hook
def before_call(context, case, kwargs):
    # The same every time for the same case.
    chance = zlib.crc32(repr((case.path_parameters, case.body)).encode("utf-8", "surrogatepass")) % 2
    parameters = case.path_parameters
    if not parameters or "device" not in parameters or chance:
        return
    if case.operation.definition.raw.get("operationId") in ("approve", "refuse", "getWaiting"):
        waiting = ask("waiting")
        if waiting:
            parameters["device"] = waiting[0]["device"]
            if isinstance(case.body, dict) and "ticket" in case.body:
                case.body["ticket"] = waiting[0]["ticket"]
    elif DEVICES:
        parameters["device"] = DEVICES[zlib.crc32(repr(parameters).encode("utf-8", "surrogatepass")) % len(DEVICES)]
