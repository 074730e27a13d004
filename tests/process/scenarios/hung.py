"""A backend that takes webhooks and answers none of them."""

import asyncio
import time

from kit import Backend, GoodClient, Guard, ask, at_once, http, waits, webhook


def handler(request):
    return asyncio.sleep(3600) if "hang" in request.path else http()


async def three_hundred(long):
    """Every one gets its fallback within the budget; those whom the backend answers do not notice."""
    budget = 13 if long else 4
    async with Backend(handler) as backend, Guard(backend.url, f'budget = "{budget}s"') as guard:
        async with GoodClient(guard.port) as good:
            start = time.monotonic()
            answers = await at_once(300, lambda number: ask(guard.port, webhook(number, "/voice/hang")), 300)
            took = time.monotonic() - start
        good.check(3)  # all three hundred end in the same moment
        wrong = [repr(answer) for answer in answers if not (answer.is_twiml and answer.is_fallback)]
        assert not wrong, f"{len(wrong)} of 300 without fallback: {wrong[:3]}"
        assert took < budget + 1.5, f"the last one after {took:.1f} s"
    return f"300 of 300 fell back within {took:.1f} s of {budget} s, worst good request of {len(good.took)}: {good.worst * 1000:.0f} ms"


@waits
async def all_of_it(long):
    """Nothing at all is answered: after 10 s the breaker opens and callers no longer wait in silence; the first answer closes it."""
    rounds, settled = (8, 16) if long else (4, 11)
    hanging = True
    async with Backend(lambda _: asyncio.sleep(3600) if hanging else http()) as backend, Guard(backend.url) as guard:
        waits = []

        async def client(lane):
            for number in range(rounds):
                answer = await ask(guard.port, webhook(lane * 100 + number, f"/voice/{lane}"))
                assert answer.is_twiml, answer
                waits.append((time.monotonic(), answer.took))

        start = time.monotonic()
        await asyncio.gather(*(client(lane) for lane in range(10)))
        late = [took for at, took in waits if at - start > settled]
        full = sum(took > 10 for took in late)
        assert await guard.metric("twiml_guard_breaker_open") == 1, "the breaker is not open"
        assert full <= len(late) / 4, f"{full} of {len(late)} still waited for more than 10 s"
        hanging = False
        await ask(guard.port, webhook(9999, "/voice/other"))
        answers = await at_once(20, lambda number: ask(guard.port, webhook(5000 + number)))
        assert all(not answer.is_fallback for answer in answers)
        assert await guard.metric("twiml_guard_breaker_open") == 0, "the breaker is not closed"
    return f"{len(late)} webhooks after the breaker opened, {full} with the full budget, median wait {sorted(late)[len(late) // 2]:.1f} s; closed by the first answer"


SCENARIOS = (three_hundred, all_of_it)
