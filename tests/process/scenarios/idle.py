"""Many kept connections on which nothing happens."""

import asyncio
import time

from kit import Backend, Connection, GoodClient, Guard, ask, at_once, descriptors, get, memory, waits, webhook


@waits
async def kept_alive(long):
    count = 5000 if long else 1000
    async with Backend() as backend, Guard(backend.url) as guard:
        async def hold(_):
            connection = await Connection.open(guard.port)
            assert (await connection.ask(get())).status == 200
            return connection

        for connection in await at_once(20, hold):
            connection.close()
        await asyncio.sleep(0.2)
        before, start = memory(guard.pid), time.monotonic()
        held = await at_once(count, hold)
        opened = time.monotonic() - start
        async with GoodClient(guard.port) as good:
            await asyncio.sleep(10 if long else 2)
        each = (memory(guard.pid) - before) / count
        good.check(1)
        assert each <= 64 * 1024, f"{each / 1024:.1f} KiB each"
        # They are still there: each can ask again.
        answers = await at_once(200, lambda number: held[number * count // 200].ask(get()))
        assert all(answer.status == 200 for answer in answers)
        for connection in held:
            connection.close()
    return f"{count} held ({opened:.1f} s to open), {each / 1024:.1f} KiB each; worst good request of {len(good.took)}: {good.worst * 1000:.0f} ms"


@waits
async def ended(long):
    """Nothing is kept for longer than idle_timeout, asked or not."""
    limit = 10 if long else 2
    async with Backend() as backend, Guard(backend.url, f'idle_timeout = "{limit}s"\nhead_timeout = "{limit}s"') as guard:
        async def hold(number):
            connection = await Connection.open(guard.port)
            if number % 2:
                assert (await connection.ask(get())).status == 200
            start = time.monotonic()
            await connection.gone(limit + 5)
            connection.close()
            return time.monotonic() - start

        took = await at_once(100, hold, 100)
        assert limit / 2 < min(took) and max(took) < limit + 3, f"ended after {min(took):.1f} to {max(took):.1f} s"
    return f"100 ended after {min(took):.1f} to {max(took):.1f} s of {limit} s"


@waits
async def too_many(long):
    """Beyond max_connections, those who wait get in as soon as others have had their time; nobody is turned away without a word."""
    async with Backend() as backend, Guard(backend.url, "max_connections = 50") as guard:
        crowd = [await Connection.open(guard.port) for _ in range(60)]
        await asyncio.sleep(0.2)
        before = descriptors(guard.pid)
        answers = await at_once(100, lambda number: ask(guard.port, webhook(number, keep=False)), 20)
        assert all(answer.is_twiml and not answer.is_fallback for answer in answers), answers
        for connection in crowd:
            connection.close()
        assert before < 50 + 64, f"{before} descriptors"
    return f"100 of 100 beside 60 idle ones, the slowest after {max(answer.took for answer in answers):.1f} s"


SCENARIOS = (kept_alive, ended, too_many)
