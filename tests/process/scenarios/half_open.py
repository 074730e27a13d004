"""Heads that never end."""

import asyncio
import time

from kit import Backend, Connection, GoodClient, Guard, at_once, descriptors, get, until, waits


@waits
async def thousand_heads(long):
    """A thousand of them held: others do not notice, and each is ended in time."""
    top, limit = ("", 75) if long else ('head_timeout = "3s"', 3)
    count = 1000
    async with Backend() as backend, Guard(backend.url, top) as guard:
        before = descriptors(guard.pid)

        async def hold(number):
            connection = await Connection.open(guard.port)
            connection.writer.write(get()[:25 + number % 10])
            return connection, time.monotonic()

        held = await at_once(count, hold)
        last = max(at for _, at in held)
        async with GoodClient(guard.port) as good:
            async def ended(connection, at):
                told = await connection.gone(limit + 10)
                return time.monotonic() - at, told[:12]

            ends = await asyncio.gather(*(ended(*one) for one in held))
        good.check(1)
        latest = max(took for took, _ in ends)
        assert latest < (75 if long else limit + 3), f"one was held for {latest:.1f} s"
        assert min(took for took, _ in ends) > limit / 2 or long, "ended before its time"
        told = sum(text == b"HTTP/1.1 408" for _, text in ends)
        for connection, _ in held:
            connection.close()
        await until(lambda: descriptors(guard.pid) < before + 20, 3, lambda: f"{descriptors(guard.pid)} files still open")
    return (f"worst good request of {len(good.took)}: {good.worst * 1000:.0f} ms; all {count} ended {min(took for took, _ in ends):.1f} to "
            f"{latest:.1f} s after their last byte, {told} with 408 (held for {time.monotonic() - last:.0f} s)")


@waits
async def dripping_heads(long):
    """A byte now and then does not buy more time."""
    limit = 15 if long else 2
    async with Backend() as backend, Guard(backend.url, f'head_timeout = "{limit}s"') as guard:
        async def drip(_):
            connection = await Connection.open(guard.port)
            start = time.monotonic()
            ended = asyncio.ensure_future(connection.gone(limit + 10))
            for byte in b"GET /" + b"a" * 10_000:
                connection.writer.write(bytes([byte]))
                await asyncio.sleep(0.1)
                if ended.done():
                    break
            connection.close()
            return time.monotonic() - start

        took = await at_once(20, drip)
        assert max(took) < limit + 3, f"one dripped for {max(took):.1f} s"
    return f"20 ended after {min(took):.1f} to {max(took):.1f} s of {limit} s"


SCENARIOS = (thousand_heads, dripping_heads)
