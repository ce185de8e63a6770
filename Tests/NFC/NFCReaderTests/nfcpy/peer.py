"""An independent peer: nfcpy 1.0.4 on a simulated reader.

peer.py put PATH ROLE HOW SIZE COUNT TEXT [WAIT]
                                            puts a Text record COUNT times, a link each; ROLE initiator or target, HOW name
                                            or sap, SIZE 0 or the text's length (spaces are added), after WAIT seconds of a
                                            link without traffic; "again" says how often the link broke, and with it the tap
                                            had to be made once more
peer.py serve PATH ROLE COUNT               takes COUNT puts with a SNEP server
peer.py tag PATH                            reads a Type 4 tag
One JSON object per line.
"""
import json
import sys
import threading
import time

import ndef
import nfc
import nfc.clf.pn532
import nfc.clf.transport
import nfc.snep


class PatientTTY(nfc.clf.transport.TTY):
    """A serial line on a busy machine.

    nfcpy gives the chip 100 ms to acknowledge a command and to answer the short ones, and its program ends when that
    is over. They always come.
    """

    def read(self, timeout):
        return super().read(10_000 if timeout == 100 else timeout)


def frontend(path):
    device = nfc.clf.pn532.init(PatientTTY(path))
    device._path = path
    device._vendor_name = device._device_name = ""
    clf = nfc.ContactlessFrontend()
    clf.device = device
    return clf


def connect(clf, **options):
    try:
        clf.connect(**options)
    except SystemExit:  # nfcpy's way to say that the reader's answer was not the one it waited for
        pass


def say(**line):
    print(json.dumps(line), flush=True)


def put(clf, role, how, text, wait):
    """One link, one put; whether the server said Success, or why there is no telling."""
    result = []

    def client(llc):
        time.sleep(wait)
        try:
            snep = nfc.snep.SnepClient(llc)
            snep.connect("urn:nfc:sn:snep" if how == "name" else 4)
            result.append(bool(snep.put_records([ndef.TextRecord(text)])))
            snep.close()
        except Exception as error:  # told, whatever it is
            result.append(repr(error))

    def connected(llc):
        threading.Thread(target=client, args=(llc,)).start()
        return True

    end = time.time() + 10 + wait
    connect(clf, llcp={"on-connect": connected, "role": role}, terminate=lambda: bool(result) or time.time() > end)
    return result[0] if result else "no link"


def main():
    what, path = sys.argv[1:3]
    clf = frontend(path)
    if what == "put":
        role, how, size, count, text = sys.argv[3:8]
        if int(size):
            text = text.ljust(int(size))
        wait = float(sys.argv[8]) if len(sys.argv) > 8 else 0
        for number in range(int(count)):
            # When the link breaks, people tap again; so does this. nfcpy's waits are the machine's time, 77 ms in the air.
            for again in range(6):
                result = put(clf, role, how, text, wait)
                if result is True:
                    break
            say(put=number, result=result, again=again)
    elif what == "serve":
        role, count = sys.argv[3:5]
        got = []

        class Server(nfc.snep.SnepServer):
            def process_put_request(self, records):
                got.append(1)
                # nfcpy's server leaves the records as they are: status byte, language, text.
                say(got=[record.data[1 + (record.data[0] & 63):].decode() for record in records])
                return nfc.snep.Success

        def startup(llc):
            Server(llc, "urn:nfc:sn:snep").start()
            return llc

        end = time.time() + 30
        while len(got) < int(count) and time.time() < end:
            connect(
                clf, llcp={"on-startup": startup, "role": role, "on-connect": lambda llc: True},
                terminate=lambda: len(got) >= int(count) or time.time() > end)
    elif what == "tag":
        found = []

        def connected(tag):
            found.append(tag.ndef.records if tag.ndef else None)
            return False

        end = time.time() + 10
        while not found and time.time() < end:
            connect(clf, rdwr={"on-connect": connected, "targets": ["106A"]}, terminate=lambda: time.time() > end)
        say(got=[record.text for record in found[0]] if found and found[0] else None)
    clf.close()


main()
