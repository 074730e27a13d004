"""Many requests, a tenth of them faulty on one side or the other: memory and descriptors come to rest."""

import asyncio
import time

from kit import MB, Backend, Connection, Guard, Kept, descriptors, get, http, mb, memory, until, webhook

PAGE = b"<!doctype html><title>500</title><h1>Internal Server Error</h1>"


async def late(answer):
    await asyncio.sleep(0.02)
    return answer


def handler(request):
    """The path says what goes wrong."""
    match request.path.rpartition("/")[2]:
        case "page":
            return http(PAGE, "500 Internal Server Error", "text/html")
        case "cut":
            request.lane.transport.write(http()[:-20])
            return None
        case "reset":
            return None
        case "garbage":
            return b"SSH-2.0-OpenSSH_9.2\r\n\r\n"
        case "doubled":
            return http() + http()
        case "late":
            return late(http())
        case "empty":
            return http(b"")
    return http()


FAULTS = ("page", "cut", "reset", "garbage", "doubled", "empty")
RUDE = (webhook()[:-30], get()[:20], b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n")


async def thousands(long):
    total, settled, most_drift = (60_000, 35_000, 8 * MB) if long else (6_000, 3_500, 8 * MB)
    async with Backend(handler) as backend, Guard(backend.url) as guard:
        done, wrong, marks = 0, [], {}
        numbers = iter(range(total))

        async def client():
            nonlocal done
            kept = Kept(guard.port)
            for number in numbers:
                if number % 20 == 0:
                    await rude(number)
                elif number % 20 == 10:
                    await check(kept, webhook(number, f"/voice/{FAULTS[number // 20 % len(FAULTS)]}"), lambda answer: answer.is_twiml)
                elif number % 3:
                    await check(kept, webhook(number, "/voice/late" if number % 50 == 1 else "/voice"), lambda answer: answer.is_twiml and not answer.is_fallback)
                else:
                    await check(kept, get("/sheet"), lambda answer: answer.status == 200)
                if number % 10 == 9:
                    kept.close()
                done += 1
                if done in (settled, total):
                    marks[done] = memory(guard.pid), descriptors(guard.pid)
            kept.close()

        async def rude(number):
            connection = await Connection.open(guard.port)
            connection.writer.write(RUDE[number // 20 % len(RUDE)])
            await asyncio.sleep(0.01)
            connection.close()

        async def check(kept, request, is_good):
            try:
                answer = await kept.ask(request)
                if not is_good(answer):
                    wrong.append(repr(answer))
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                wrong.append(repr(error))

        start = time.monotonic()
        await asyncio.gather(*(client() for _ in range(20)))
        took = time.monotonic() - start
        assert not wrong, f"{len(wrong)} of {total} wrong: {wrong[:3]}"
        drift = marks[total][0] - marks[settled][0]
        before, after = marks[settled][1], marks[total][1]
        assert drift < most_drift, f"memory drifts by {mb(drift)}"
        assert abs(after - before) <= 40, f"descriptors: {before}, then {after}"
        # Idle connections to the backend go after a few seconds.
        await until(lambda: descriptors(guard.pid) < 40, 10, lambda: f"{descriptors(guard.pid)} descriptors at rest")
        rest = descriptors(guard.pid)
    return (f"{total} in {took:.0f} s ({total / took:.0f}/s); over the last {total - settled}: memory {drift / MB:+.1f} MB (at {mb(marks[total][0])}), "
            f"descriptors {before} to {after}, {rest} at rest")


SCENARIOS = (thousands,)
