"""Media streams: all frames, in order."""

import asyncio
import time

from kit import Backend, Guard, WebSocket, ask, echo, http, ms, percentile, webhook

TABLES = '[[route]]\npath = "/ws/*"\nslot = "stream"\n'


async def talk(port, seconds):
    """Twenty streams, each frame of 320 bytes sent at its time; how long each took to come back."""
    took = []

    async def one(number):
        stream = await WebSocket.open(port, f"/ws/{number}")
        sent, count = {}, seconds * 50

        async def speak():
            start = time.monotonic() + number / 1000
            for at in range(count):
                await asyncio.sleep(max(0, start + at / 50 - time.monotonic()))
                sent[at] = time.monotonic()
                stream.send(b'{"event":"media","streamSid":"MZ%032x","sequenceNumber":"%08d","media":{"payload":"%s"}}' % (number, at, b"A" * 214))

        speaking = asyncio.ensure_future(speak())
        for at in range(count):
            got = await stream.receive()
            assert got is not None, f"stream {number} ended before frame {at}"
            assert b'"streamSid":"MZ%032x","sequenceNumber":"%08d"' % (number, at) in got[1], f"stream {number}: {got[1][:90]} in place of {at}"
            took.append(time.monotonic() - sent[at])
        await speaking
        stream.close()

    await asyncio.gather(*(one(number) for number in range(20)))
    return took


async def twenty(long):
    seconds = 10 if long else 3
    async with Backend(echo) as backend, Guard(backend.url, tables=TABLES) as guard:
        direct = await talk(backend.port, 10 if long else 1)
        took = await talk(guard.port, seconds)
        assert len(took) == 20 * 50 * seconds
    return (f"{len(took)} of {20 * 50 * seconds} in order, p50 {took and ms(percentile(took, 0.5))}, p99 {ms(percentile(took, 0.99))} "
            f"(direct {ms(percentile(direct, 0.99))})")


async def beside_large_answers(long):
    """Answers of 1 MB, which take long to judge, do not hold up the streams of the same worker."""
    large = http(b"<Response><Say>" + b"a" * 1_000_000 + b"</Say></Response>")

    async with Backend(lambda request: echo(request) if "ws" in request.path else large) as backend, Guard(backend.url, tables=TABLES) as guard:
        over, judged = asyncio.Event(), 0

        async def client():
            nonlocal judged
            while not over.is_set():
                answer = await ask(guard.port, webhook(judged), 30)
                assert answer.is_twiml, answer
                judged += 1

        asking = asyncio.ensure_future(client())
        took = await talk(guard.port, 5 if long else 3)
        over.set()
        await asking
        assert judged > 0, "no large answer was judged"
        assert percentile(took, 0.99) < 0.2, f"p99 {ms(percentile(took, 0.99))}, worst {ms(max(took))} beside {judged} large answers"
    return f"p99 {ms(percentile(took, 0.99))}, worst {ms(max(took))} beside {judged} large answers"


SCENARIOS = (twenty, beside_large_answers)
