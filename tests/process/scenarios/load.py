"""Webhooks at the rate of a busy contact centre, each on a connection of its own."""

import asyncio
import time

from kit import Backend, Guard, ask, ms, percentile, webhook


async def webhooks(long):
    seconds, rate = (8, 300) if long else (3, 150)
    async with Backend() as backend, Guard(backend.url) as guard:
        for number in range(20):
            await ask(guard.port, webhook(number, keep=False))

        async def one(number, due):
            await asyncio.sleep(max(0, due - time.monotonic()))
            try:
                return await ask(guard.port, webhook(number, keep=False), 14)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                return error

        start = time.monotonic() + 0.2
        results = await asyncio.gather(*(one(number, start + number / rate) for number in range(seconds * rate)))
        lost = [repr(result) for result in results if isinstance(result, BaseException) or not result.is_twiml or result.is_fallback]
        assert not lost, f"{len(lost)} of {len(results)} lost: {lost[:3]}"
        took = [result.took for result in results]
        assert percentile(took, 0.99) < (2 if long else 10), f"p99 {ms(percentile(took, 0.99))}"
    return f"0 of {len(results)} lost, p50 {ms(percentile(took, 0.5))}, p99 {ms(percentile(took, 0.99))}, worst {ms(max(took))}"


SCENARIOS = (webhooks,)
