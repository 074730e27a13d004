"""One hostile message at a time: how much memory it costs, and what the client gets."""

import asyncio
import functools
import struct
import time
import zlib

from kit import (MB, Backend, Connection, Guard, ask, cpu_seconds, form, forget_peak, get, http, mb, memory, post, webhook)

TWIML = "text/xml; charset=utf-8"


@functools.cache
def gzip_of_zeros(count):
    """`count` bytes of zeros, compressed once and repeated: about a thousandth of that."""
    part = bytes(10_000_000)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    blocks, checksum = packer.compress(part) + packer.flush(zlib.Z_FULL_FLUSH), 0
    for _ in range(count // len(part)):
        checksum = zlib.crc32(part, checksum)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + blocks * (count // len(part)) + b"\x03\0" + struct.pack("<II", checksum, count)


def entities():
    lines = ['<!ENTITY e0 "lollollollol">', *(f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, 11))]
    return ('<?xml version="1.0"?><!DOCTYPE Response [' + "".join(lines) + "]><Response><Say>&e10;</Say></Response>").encode()


async def endless(request, head, part):
    await request.lane.send(head)
    while True:
        await request.lane.send(part)


def chunk(data):
    return b"%x\r\n" % len(data) + data + b"\r\n"


def hostile():
    """name: handler."""
    bomb = gzip_of_zeros(1_000_000_000)
    twice = zlib.compressobj(9, zlib.DEFLATED, 31)
    twice = twice.compress(bomb) + twice.flush()
    nested = b"<Response>" + b"<Dial>" * 100_000 + b"</Response>"
    attributes = b"<Response><Say " + b" ".join(b'a%05d=""' % number for number in range(100_000)) + b">x</Say></Response>"
    flat = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
    return {
        "gzip of 1 GB": lambda _: http(bomb, "200 OK", TWIML, "Content-Encoding: gzip"),
        "gzip of gzip of 1 GB": lambda _: http(twice, "200 OK", TWIML, "Content-Encoding: gzip, gzip"),
        "entities": lambda _: http(entities(), "200 OK", TWIML),
        "64 MB body": lambda request: endless(request, flat + b"Content-Length: %d\r\n\r\n" % (64 * MB), bytes(64 * 1024)),
        "endless body": lambda request: endless(request, flat + b"\r\n", b"<Say>x</Say>" * 5000),
        "endless chunks": lambda request: endless(request, flat + b"Transfer-Encoding: chunked\r\n\r\n", chunk(b"<Say>x</Say>" * 5000)),
        "endless small chunks": lambda request: endless(request, flat + b"Transfer-Encoding: chunked\r\n\r\n", chunk(b"x") * 5000),
        "endless chunk extension": lambda request: endless(request, flat + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 65536),
        "endless trailers": lambda request: endless(request, flat + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: bbbbbbbbbbbbbbbbbbbb\r\n" * 2000),
        "endless header fields": lambda request: endless(request, flat, b"X-A: bbbbbbbbbbbbbbbbbbbb\r\n" * 2000),
        "one endless header field": lambda request: endless(request, flat + b"X-A: ", b"b" * 65536),
        "endless interim answers": lambda request: endless(request, b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000),
        "100k nested": lambda _: http(nested, "200 OK", TWIML),
        "100k attributes": lambda _: http(attributes, "200 OK", TWIML),
        "1 MB of ampersands": lambda _: http(b"<Response><Say>" + b"& " * 500_000 + b"</Say></Response>", "200 OK", TWIML),
        "1 MB of angles": lambda _: http(b"<Response>" + b"<" * 1_000_000, "200 OK", TWIML),
    }


async def answers(long):
    """On a webhook's route: TwiML within the budget, growth below 100 MB."""
    budget = 13 if long else 4
    told, failed = [], []
    for name, handler in hostile().items():
        async with Backend(handler) as backend, Guard(backend.url, f'budget = "{budget}s"') as guard:
            await asyncio.sleep(0.05)
            forget_peak(guard.pid)
            before, cpu = memory(guard.pid), cpu_seconds(guard.pid)
            try:
                answer = await ask(guard.port, webhook(), 16)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                failed.append(f"{name}: {error!r}")
                continue
            growth = memory(guard.pid, "VmHWM") - before
            told.append((name, growth, answer.took, cpu_seconds(guard.pid) - cpu))
            if not answer.is_twiml or answer.took > budget + 1:
                failed.append(f"{name}: {answer.status} after {answer.took:.1f} s, {answer.body[:60]!r}")
            if growth >= 100 * MB:
                failed.append(f"{name}: growth {mb(growth)}")
    figures = "; ".join(f"{name} {growth / MB:.0f} MB {took:.1f} s" for name, growth, took, _ in told)
    assert not failed, f"{failed} (all: {figures})"
    return figures


async def many_at_once(long):
    """Bombs, and answers of 1 MB whose last byte never comes: what is collected is bounded over all of them."""
    bomb = gzip_of_zeros(1_000_000_000)
    large = http(b"<Response><Say>" + b"a" * 1_000_000 + b"</Say></Response>")
    count, budget = 300 if long else 120, 4

    async def stalled(request):
        await request.lane.send(large[:-1])
        await asyncio.sleep(3600)

    def handler(request):
        return http(bomb, "200 OK", TWIML, "Content-Encoding: gzip") if "bomb" in request.path else stalled(request)

    async with Backend(handler) as backend, Guard(backend.url, f'budget = "{budget}s"') as guard:
        forget_peak(guard.pid)
        before = memory(guard.pid)
        results = await asyncio.gather(*(ask(guard.port, webhook(number, f"/voice/{'large' if number % 10 else 'bomb'}"), 30) for number in range(count)))
        growth = memory(guard.pid, "VmHWM") - before
        wrong = [repr(answer) for answer in results if not answer.is_twiml]
        slowest = max(answer.took for answer in results)
        assert not wrong, f"{len(wrong)} of {count} without TwiML: {wrong[:3]}"
        # Those that time out together are judged one after the other, and not past Twilio's patience.
        assert growth < 200 * MB and slowest < budget + 6, f"growth {mb(growth)}, the slowest after {slowest:.1f} s"
    return f"{count} at once: growth {mb(growth)}, the slowest after {slowest:.1f} s of {budget} s"


async def streamed(long):
    """64 MB through a route that is not guarded, in each direction."""
    async def download(request):
        await request.lane.send(b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: %d\r\n\r\n" % (64 * MB))
        for _ in range(1024):
            await request.lane.send(bytes(65536))
        return b""

    def handler(request):
        return download(request) if request.method == "GET" else http(str(request.length).encode())

    async with Backend(handler) as backend, Guard(backend.url) as guard:
        forget_peak(guard.pid)
        before = memory(guard.pid)
        connection = await Connection.open(guard.port)
        down = await connection.ask(get("/recording.wav"), 60, kept=False)
        peak_down = memory(guard.pid, "VmHWM") - before
        assert down.status == 200
        start = time.monotonic()
        connection.writer.write(post("/upload", b"", length=64 * MB))
        for _ in range(1024):
            connection.writer.write(bytes(65536))
            await connection.writer.drain()
        up = await asyncio.wait_for(connection.answer(start), 60)
        assert up.body == str(64 * MB).encode(), up
        connection.close()
        growth = memory(guard.pid, "VmHWM") - before
        assert growth < 40 * MB, f"growth {mb(growth)}"
    return f"growth {mb(peak_down)} down ({64 / down.took:.0f} MB/s), {mb(growth)} with the way up ({64 / up.took:.0f} MB/s)"


async def uploaded(guard, request, size):
    """Sends `size` bytes behind the head until the guard has had enough; gives its answer."""
    connection = await Connection.open(guard.port)
    start = time.monotonic()
    connection.writer.write(request)
    try:
        for _ in range(size // 65536):
            connection.writer.write(b"a" * 65536)
            await asyncio.wait_for(connection.writer.drain(), 5)
    except (ConnectionError, TimeoutError):
        pass
    try:
        return await asyncio.wait_for(connection.answer(start), 20)
    except (ConnectionError, asyncio.IncompleteReadError):
        return None  # reset while it was still sending: it was not read on
    finally:
        connection.close()


async def unsigned(long):
    """64 MB that Twilio did not sign never reach the backend, and are not kept."""
    tables = '[[route]]\npath = "/voice"\nslot = "voice"\n'
    top = 'signature = "enforce"\npublic_url = "https://pbx.example.com"'
    async with Backend() as backend, Guard(backend.url, top, tables, environment={"TWIML_GUARD_AUTH_TOKEN": "0123456789abcdef0123456789abcdef"}) as guard:
        forget_peak(guard.pid)
        before = memory(guard.pid)
        answer = await uploaded(guard, post("/voice", form(), True, length=64 * MB + len(form())), 64 * MB)
        growth = memory(guard.pid, "VmHWM") - before
        assert answer is None or answer.status in (403, 413), answer
        assert backend.served == 0
        assert growth < 20 * MB, f"growth {mb(growth)}"
    return f"growth {mb(growth)}, {answer and answer.status}"


async def large_webhook(long):
    """A webhook's body of 64 MB: TwiML all the same, and nothing kept."""
    async with Backend() as backend, Guard(backend.url) as guard:
        forget_peak(guard.pid)
        before = memory(guard.pid)
        begin = form() + b"&Body="
        answer = await uploaded(guard, post("/voice", begin, True, length=64 * MB + len(begin)), 64 * MB)
        growth = memory(guard.pid, "VmHWM") - before
        assert answer is None or answer.is_twiml, answer
        assert growth < 40 * MB, f"growth {mb(growth)}"
    return f"growth {mb(growth)}, {answer and answer.status}"


SCENARIOS = (answers, many_at_once, streamed, unsigned, large_webhook)
