"""The configuration is read anew under load: no request fails, no stream is cut, and a wrong one changes nothing."""

import asyncio
import time

from kit import HUP, Backend, Guard, Kept, WebSocket, ask, echo, get, http, until, waits, webhook

CLIENTS = 40


def handler(request):
    if request.path == "/ws":
        return echo(request)
    if request.path == "/broken":
        return http(b"<h1>Oops</h1>", "500 Internal Server Error", "text/html")
    return http(request.path.encode(), "200 OK", "text/plain") if request.method == "GET" else http()


def worded(number):
    return f'[fallback]\ntext = "This is text number {number}."'


async def shows(guard, number):
    answer = await ask(guard.port, webhook(path="/broken", keep=False))
    assert answer.is_twiml, answer
    return f"text number {number}.".encode() in answer.body


async def under_load(guard, change):
    """Five changes in five seconds; every request is checked meanwhile."""
    failed, done, over = [], 0, asyncio.Event()

    async def client(number):
        nonlocal done
        kept, count = Kept(guard.port), 0
        while not over.is_set():
            count += 1
            try:
                if (number + count) % 2:
                    answer = await kept.ask(webhook(number * 10_000 + count))
                    good = answer.is_twiml and not answer.is_fallback
                else:
                    answer = await kept.ask(get(f"/page/{number}/{count}"))
                    good = answer.status == 200 and answer.body == f"/page/{number}/{count}".encode()
                if not good:
                    failed.append(repr(answer))
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                failed.append(repr(error))
            done += 1
            if number % 4 == 0:
                kept.close()
            await asyncio.sleep(0.02)
        kept.close()

    stream = await WebSocket.open(guard.port, "/ws")
    echoed = 0

    async def talk():
        nonlocal echoed
        while not over.is_set():
            stream.send(b"frame %d" % echoed)
            got = await stream.receive()
            assert got == (1, b"frame %d" % echoed), f"the stream gave {got}"
            echoed += 1
            await asyncio.sleep(0.02)

    talking = asyncio.ensure_future(talk())
    clients = [asyncio.ensure_future(client(number)) for number in range(CLIENTS)]
    latest, start = 0, time.monotonic()
    for number in range(5):
        changed = time.monotonic()
        await change(number)
        await until(lambda: shows(guard, number), 4, lambda: f"change {number} is not seen\n{guard.tail()}", pause=0.05)  # noqa: B023
        latest = max(latest, time.monotonic() - changed)
        await asyncio.sleep(max(0, start + number + 1 - time.monotonic()))
    over.set()
    await asyncio.gather(*clients)
    await asyncio.wait_for(talking, 10)
    stream.close()
    assert not failed, f"{len(failed)} of {done} failed: {failed[:3]}"
    assert echoed > 10, f"only {echoed} frames came back"
    return f"0 of {done} failed, {echoed} frames on the open stream, the latest change seen after {latest:.2f} s"


async def by_signal(long):
    async with Backend(handler) as backend, Guard(backend.url, 'reload_every = "0s"') as guard:
        async def change(number):
            guard.configure('reload_every = "0s"', worded(number))
            guard.signal(HUP)
        return await under_load(guard, change)


async def by_file(long):
    async with Backend(handler) as backend, Guard(backend.url, 'reload_every = "300ms"') as guard:
        async def change(number):
            guard.configure('reload_every = "300ms"', worded(number))
        return await under_load(guard, change)


@waits
async def a_bad_one(long):
    name = "twiml_guard_config_last_reload_successful"
    async with Backend(handler) as backend, Guard(backend.url, 'reload_every = "0s"', worded(1)) as guard:
        assert await shows(guard, 1)
        guard.configure('reload_every = "0s"\nbudgett = "1s"\nconnect_timeout = "never"', worded(2))
        guard.signal(HUP)

        async def is_told():
            return await guard.metric(name) == 0

        await until(is_told, 3, lambda: f"{name} is not 0\n{guard.tail()}")
        for _ in range(20):
            assert await shows(guard, 1), "the wrong configuration was taken"
        log = (guard.folder / "log").read_text()
        assert "budgett" in log and "connect_timeout" in log, f"the log does not name each mistake:\n{guard.tail()}"
        guard.configure('reload_every = "0s"', worded(3))
        guard.signal(HUP)
        await until(lambda: shows(guard, 3), 3, lambda: f"the mended one is not taken\n{guard.tail()}")
        assert await guard.metric(name) == 1
    return "kept the old one, told of both mistakes, took the mended one"


SCENARIOS = (by_signal, by_file, a_bad_one)
