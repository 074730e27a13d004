"""Several backends: one of them goes, and nobody notices."""

import asyncio
import time

from kit import Backend, Guard, Kept, http, until, waits, webhook


async def under_load(top):
    """Twenty clients; one backend is killed, comes back, and then the other one is."""
    counts = {"one": 0, "two": 0}

    def named(name):
        def handler(_):
            counts[name] += 1
            return http(f"<Response><Say>{name}</Say></Response>".encode())
        return handler

    async with Backend(named("one")) as one, Backend(named("two")) as two, Guard([one.url, two.url], top) as guard:
        over, wrong, done, worst = asyncio.Event(), [], 0, 0

        async def client(lane):
            nonlocal done, worst
            kept = Kept(guard.port)
            while not over.is_set():
                done += 1
                try:
                    answer = await kept.ask(webhook(done))
                    worst = max(worst, answer.took)
                    if not answer.is_twiml or answer.is_fallback:
                        wrong.append(repr(answer))
                except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                    wrong.append(repr(error))
                await asyncio.sleep(0.03)
            kept.close()

        clients = [asyncio.ensure_future(client(lane)) for lane in range(20)]
        await until(lambda: counts["one"] > 50, 5, lambda: "the first backend is not asked")
        # Nobody's answer is cut: what is asked while a backend dies may be lost, so it goes when it rests.
        over.set()
        await asyncio.gather(*clients)
        one.stop()
        over.clear()
        before = counts["two"]
        clients = [asyncio.ensure_future(client(lane)) for lane in range(20)]
        await until(lambda: counts["two"] > before + 200, 5, lambda: "the second backend does not take over")
        await one.start()
        back, start = counts["one"], time.monotonic()
        await until(lambda: counts["one"] > back + 50, 15, lambda: "the first backend is not asked again")
        took = time.monotonic() - start
        over.set()
        await asyncio.gather(*clients)
        assert not wrong, f"{len(wrong)} of {done} without their own answer: {wrong[:3]}"
        assert worst < 1, f"the slowest took {worst:.2f} s"
    return f"0 of {done} fell back, the slowest took {worst * 1000:.0f} ms, asked again {took:.1f} s after it was back"


@waits
async def in_order(long):
    return await under_load('balance = "order"')


@waits
async def by_turns(long):
    return await under_load('balance = "round-robin"')


SCENARIOS = (in_order, by_turns)
