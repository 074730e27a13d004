"""Many kept connections on which nothing happens."""

import asyncio
import time

from kit import Backend, Connection, GoodClient, Guard, at_once, get, memory


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
            await asyncio.sleep(10 if long else 3)
        each = (memory(guard.pid) - before) / count
        good.check(1)
        assert each <= 64 * 1024, f"{each / 1024:.1f} KiB each"
        # They are still there: each can ask again.
        answers = await at_once(200, lambda number: held[number * count // 200].ask(get()))
        assert all(answer.status == 200 for answer in answers)
        for connection in held:
            connection.close()
    return f"{count} held ({opened:.1f} s to open), {each / 1024:.1f} KiB each; worst good request of {len(good.took)}: {good.worst * 1000:.0f} ms"


SCENARIOS = (kept_alive,)
