"""The backend comes and goes."""

import asyncio
import time

from kit import Backend, Guard, Kept, get, http, until, waits, webhook


def handler(request):
    return http() if request.method == "POST" else http(b"page", "200 OK", "text/plain")


@waits
async def eight_times(long):
    """Down and up for half a second each; webhooks get TwiML throughout, pages are back as soon as the backend is."""
    rounds = 40 if long else 8
    async with Backend(handler) as backend, Guard(backend.url) as guard:
        over, wrong, counts = asyncio.Event(), [], {"served": 0, "fallback": 0}

        async def client(lane):
            kept, number = Kept(guard.port), lane * 10_000
            while not over.is_set():
                number += 1
                try:
                    answer = await kept.ask(webhook(number))
                    counts["fallback" if answer.is_fallback else "served"] += 1
                    if not answer.is_twiml:
                        wrong.append(repr(answer))
                except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                    wrong.append(repr(error))
                await asyncio.sleep(0.04)
            kept.close()

        clients = [asyncio.ensure_future(client(lane)) for lane in range(10)]
        pages, latest = Kept(guard.port), 0

        async def page():
            try:
                answer = await pages.ask(get())
            except (OSError, asyncio.IncompleteReadError):
                return False
            assert answer.body == b"page" or answer.status >= 500, answer
            return answer.status == 200

        for _ in range(rounds):
            backend.stop()
            await asyncio.sleep(0.5)
            await backend.start()
            up = time.monotonic()
            await until(page, 2, lambda: "a page is not back 2 s after the backend")
            latest = max(latest, time.monotonic() - up)
            await asyncio.sleep(max(0, up + 0.5 - time.monotonic()))
        served = counts["served"]
        await until(lambda: counts["served"] > served + 50, 3, lambda: "webhooks are not served as before")
        over.set()
        await asyncio.gather(*clients)
        total = sum(counts.values())
        assert not wrong, f"{len(wrong)} of {total} webhooks without TwiML: {wrong[:3]}"
        assert counts["fallback"] > 0, "nothing fell back: the backend was never missed"
    return f"0 of {total} webhooks without TwiML ({counts['fallback']} fallbacks), pages back after {latest * 1000:.0f} ms at most"


SCENARIOS = (eight_times,)
