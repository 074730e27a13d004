"""Load from processes of its own, so that the tests' interpreter slows nobody down.

    python load.py backend                 answers every request with a fault; prints its port
    python load.py client PORT FIRST COUNT [LANES]
                                           sends COUNT webhooks with the numbers from FIRST on over LANES kept connections

A client prints `sent ANSWERED OTHER` at its end and, for each answer, `NUMBER SECONDS ID` to the file that LOAD_LOG names:
the number of the webhook, when its answer was there (monotonic clock) and the incident that the answer told of.
"""

import asyncio
import os
import sys
import time

PAGE = b"<!doctype html><title>500</title><h1>Internal Server Error</h1><p>OperationalError: could not connect to server</p>"
CALLERS = 500


class Fault(asyncio.Protocol):
    """Path /unique: a page that is never the same twice; else always the same one."""

    count = 0

    def connection_made(self, transport):
        self.transport = transport
        self.buffer = b""

    def data_received(self, data):
        self.buffer += data
        while True:
            head, separator, rest = self.buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            length = 0
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            page = PAGE
            if b"/unique" in head[:100]:
                Fault.count += 1
                page += b"<!-- %d -->" % Fault.count * 20
            self.transport.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(page) + page)


async def backend():
    server = await asyncio.get_running_loop().create_server(Fault, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def webhook(number, path):
    form = (f"CallSid=CA{number:032x}&AccountSid=AC0123456789abcdef0123456789abcdef&CallStatus=ringing&Direction=inbound"
            f"&From=%2B1555010{number % CALLERS:04d}&To=%2B15550209999").encode()
    return (f"POST {path} HTTP/1.1\r\nHost: pbx.example.com\r\nUser-Agent: TwilioProxy/1.1\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n").encode() + form


async def lane(port, numbers, path, log, tally):
    """One connection after another where the guard goes away; each webhook once."""
    reader = writer = None
    for number in numbers:
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(webhook(number, path))
            head = await reader.readuntil(b"\r\n\r\n")
            length, incident = 0, ""
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
                elif name.lower() == b"twiml-guard-incident":
                    incident = value.strip().decode()
            body = await reader.readexactly(length)
            good = head.startswith(b"HTTP/1.1 200 ") and b"<Response" in body
            tally["answered" if good else "other"] += 1
            if log:
                log.write(f"{number} {time.monotonic():.3f} {incident}\n")
        except (OSError, asyncio.IncompleteReadError):
            tally["other"] += 1
            writer = None
            await asyncio.sleep(0.05)
    if writer:
        writer.close()


async def client(port, first, count, lanes):
    tally = {"answered": 0, "other": 0}
    log = open(os.environ["LOAD_LOG"], "w", buffering=1, encoding="ascii") if "LOAD_LOG" in os.environ else None
    numbers = iter(range(first, first + count))
    path = os.environ.get("LOAD_PATH", "/voice/storm")
    await asyncio.gather(*(lane(port, numbers, path, log, tally) for _ in range(lanes)))
    print("sent", tally["answered"], tally["other"], flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "backend":
        asyncio.run(backend())
    else:
        asyncio.run(client(*map(int, sys.argv[2:5]), int(sys.argv[5]) if len(sys.argv) > 5 else 8))
