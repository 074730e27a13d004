"""The backend closes kept connections just when the next request is on its way."""

import asyncio
import random
from collections import Counter

from kit import SEED, Backend, Guard, Kept, get, http, waits, webhook


async def run(idle, gap, lanes, each):
    """`lanes` clients, each `each` requests, webhooks and pages by turns."""
    ran, chance = Counter(), random.Random(SEED)

    def handler(request):
        if request.method == "POST":
            ran[request.form("CallSid")] += 1
            return http()
        return http(request.path.encode(), "200 OK", "text/plain")

    async with Backend(handler, idle=lambda: idle(chance)) as backend, Guard(backend.url) as guard:
        seen = {"GET": [], "POST": []}

        async def client(lane, method):
            kept = Kept(guard.port)
            for at in range(each):
                number = lane * 10_000 + at
                await asyncio.sleep(gap(chance))
                try:
                    answer = await kept.ask(get(f"/page/{number}") if method == "GET" else webhook(number))
                    good = answer.body == f"/page/{number}".encode() if method == "GET" else answer.is_twiml and not answer.is_fallback
                    if not good:
                        seen[method].append(repr(answer))
                except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                    seen[method].append(repr(error))
            kept.close()

        await asyncio.gather(*(client(lane, "GET") for lane in range(lanes)), *(client(lane, "POST") for lane in range(lanes, 2 * lanes)))
        twice = [sid for sid, count in ran.items() if count > 1]
        connections = backend.accepted
    return seen, twice, connections, lanes * each


def judged(seen, twice, connections, count):
    assert not twice, f"{len(twice)} webhooks ran twice: {twice[:3]}"
    assert not seen["GET"], f"{len(seen['GET'])} of {count} GET: {seen['GET'][:3]}"
    assert not seen["POST"], f"{len(seen['POST'])} of {count} webhooks: {seen['POST'][:3]}"
    return f"0 of {count} GET and 0 of {count} webhooks seen by a client, none ran twice ({connections} connections to the backend)"


async def short_keep_alive(long):
    """Kept for 20 ms, asked again after 15 to 25 ms."""
    return judged(*await run(lambda _: 0.02, lambda chance: chance.uniform(0.015, 0.025), 10, 60))


async def closed_at_once(long):
    """Promised to be kept, closed 0 to 2 ms behind the answer."""
    return judged(*await run(lambda chance: chance.uniform(0, 0.002), lambda chance: chance.uniform(0, 0.003), 10, 60))


@waits
async def two_seconds(long):
    """As gunicorn does, and clients that come back after just that time."""
    lanes, each = (60, 10) if long else (60, 2)
    return judged(*await run(lambda _: 2, lambda chance: chance.uniform(1.98, 2.02), lanes, each))


SCENARIOS = (short_keep_alive, closed_at_once, two_seconds)
