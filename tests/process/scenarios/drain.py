"""SIGTERM: nothing in flight is lost, nothing new is taken, nothing keeps the process longer than it may."""

import asyncio
import time

from kit import (TERM, Backend, Connection, Guard, WebSocket, ask, at_once, echo, get, http, until, waits, webhook)


async def slow(request):
    await asyncio.sleep(1.5)
    return http() if request.method == "POST" else http(b"done", "200 OK", "text/plain")


@waits
async def fifty_in_flight(long):
    """Half of them webhooks; each on a connection that had an answer before."""
    def handler(request):
        return slow(request) if "slow" in request.path else http()

    async with Backend(handler) as backend, Guard(backend.url) as guard:
        connections = [await Connection.open(guard.port) for _ in range(50)]
        for connection in connections:
            assert (await connection.ask(get())).status == 200

        async def one(number):
            request = webhook(number, "/voice/slow") if number % 2 else get("/slow")
            return await connections[number].ask(request)

        asked = asyncio.gather(*(one(number) for number in range(50)), return_exceptions=True)
        await until(lambda: backend.served >= 100, 10, lambda: f"{backend.served} reached the backend")
        guard.signal(TERM)
        start = time.monotonic()

        async def refused():
            try:
                (await Connection.open(guard.port)).close()
            except ConnectionRefusedError:
                return True
            return False

        await until(refused, 1, lambda: "new connections are still taken")
        refused_after = time.monotonic() - start
        answers = await asked
        lost = [repr(answer) for number, answer in enumerate(answers) if isinstance(answer, BaseException)
                or not (answer.is_twiml and not answer.is_fallback if number % 2 else answer.body == b"done")]
        open_still = [answer for answer in answers if not isinstance(answer, BaseException) and not answer.closes]
        code, _ = await guard.ended(5)
        assert not lost, f"{len(lost)} of 50 lost: {lost[:3]}"
        assert not open_still, f"{len(open_still)} answers do not say that the connection ends"
        assert code == 0, f"exit code {code}"
    return f"0 of 50 lost, new ones refused after {refused_after * 1000:.0f} ms, out {time.monotonic() - start - 1.5:.1f} s after the last was due"


@waits
async def fifty_idle(long):
    """Half of them have never asked anything."""
    async with Backend() as backend, Guard(backend.url) as guard:
        connections = [await Connection.open(guard.port) for _ in range(50)]
        for connection in connections[::2]:
            assert (await connection.ask(get())).status == 200
        guard.signal(TERM)
        code, took = await guard.ended(5)
        assert code == 0, f"exit code {code}"
    return f"out after {took:.2f} s"


@waits
async def half_a_head(long):
    async with Backend() as backend, Guard(backend.url) as guard:
        connections = [await Connection.open(guard.port) for _ in range(10)]
        for connection in connections:
            connection.writer.write(get()[:30])
        await asyncio.sleep(0.3)
        guard.signal(TERM)
        code, took = await guard.ended(8)
        assert code == 0, f"exit code {code}"
    return f"out after {took:.2f} s"


@waits
async def stuck_stream(long):
    """A WebSocket whose ends never part: out by drain_timeout."""
    limit = 15 if long else 2
    async with Backend(echo) as backend, Guard(backend.url, f'drain_timeout = "{limit}s"') as guard:
        stream = await WebSocket.open(guard.port)
        stream.send(b"one")
        assert await stream.receive() == (1, b"one")
        guard.signal(TERM)
        await asyncio.sleep(limit / 2)
        stream.send(b"two")
        assert await stream.receive() == (1, b"two"), "the stream did not live on during the drain"
        code, took = await guard.ended(limit + 5)
        took += limit / 2
        stream.close()
        assert code == 0, f"exit code {code}"
        assert limit - 0.5 <= took < limit + 3, f"out after {took:.1f} s"
    return f"out after {took:.1f} s of {limit} s"


@waits
async def second_signal(long):
    async with Backend(echo) as backend, Guard(backend.url) as guard:
        stream = await WebSocket.open(guard.port)
        guard.signal(TERM)
        await asyncio.sleep(0.5)
        assert guard.process.poll() is None, "it did not wait for the stream"
        guard.signal(TERM)
        code, took = await guard.ended(2)
        stream.close()
        assert code == 143, f"exit code {code}"
    return f"out after {took * 1000:.0f} ms, exit code {code}"


@waits
async def grace(long):
    """drain_grace: not ready at once, but everybody is served until the balancer has seen it."""
    async with Backend() as backend, Guard(backend.url, 'drain_grace = "2s"') as guard:
        idle = await Connection.open(guard.port)
        assert (await idle.ask(get())).status == 200
        guard.signal(TERM)

        async def unready():
            return (await ask(guard.ops, get("/readyz", keep=False))).status == 503

        await until(unready, 1, lambda: "still ready")
        answers = await at_once(30, lambda number: ask(guard.port, webhook(number)), 5)
        assert all(answer.is_twiml and answer.closes for answer in answers), answers
        answer = await idle.ask(webhook())
        assert answer.is_twiml and answer.closes, answer
        code, took = await guard.ended(6)
        assert code == 0, f"exit code {code}"
    return f"30 of 30 served meanwhile, out after {took:.1f} s more"


@waits
async def app_gone_first(long):
    """Where the app is stopped along with the guard, callers are spoken to until the guard itself goes."""
    async with Backend() as backend, Guard(backend.url, 'drain_grace = "2s"') as guard:
        assert not (await ask(guard.port, webhook())).is_fallback
        backend.stop()
        guard.signal(TERM)
        answers, start = [], time.monotonic()
        while time.monotonic() < start + 1.7:
            answers.append(await ask(guard.port, webhook(len(answers), keep=False)))
            await asyncio.sleep(0.02)
        assert all(answer.is_twiml and answer.is_fallback for answer in answers), answers
        code, _ = await guard.ended(6)
        assert code == 0, f"exit code {code}"
    return f"{len(answers)} of {len(answers)} spoken to meanwhile"


@waits
async def streams_are_told(long):
    """A stream that the drain cuts ends with a close frame that says so."""
    async with Backend(echo) as backend, Guard(backend.url, 'drain_timeout = "1s"', '[[route]]\npath = "/ws"\nslot = "stream"\n') as guard:
        stream = await WebSocket.open(guard.port)
        stream.send(b"one")
        assert await stream.receive() == (1, b"one")
        guard.signal(TERM)
        got = await stream.receive()
        assert got is not None, "cut without a word"
        assert got[0] == 8 and int.from_bytes(got[1][:2], "big") == 1001, got
        code, _ = await guard.ended(4)
        assert code == 0, f"exit code {code}"
        stream.close()
    return "closed with 1001"


SCENARIOS = (fifty_in_flight, fifty_idle, half_a_head, stuck_stream, second_signal, grace, app_gone_first, streams_are_told)
