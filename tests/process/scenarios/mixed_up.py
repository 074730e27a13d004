"""Everybody gets the answer to the own question, whatever becomes of the connections."""

import asyncio
import random

from kit import SEED, Backend, Guard, Kept, at_once, get, http, webhook


def scripted(chance):
    """A backend that answers late, cuts, closes, sends what nobody asked for, and is right in between."""
    async def handler(request):
        number = request.form("Number") if request.method == "POST" else request.path.rpartition("/")[2]
        body = f"<Response><Say>Number {number}.</Say></Response>".encode()
        await asyncio.sleep(chance.choice((0, 0, 0.001, 0.01, 0.05)))
        kind = chance.random()
        if kind < 0.04:
            return None
        if kind < 0.08:
            request.lane.transport.write(http(body)[:-10])
            return None
        if kind < 0.12:
            return http(body) + http(b"<Response><Say>Number poison.</Say></Response>")
        if kind < 0.16:
            return b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        if kind < 0.20:
            asyncio.get_running_loop().call_later(0.001, request.lane.transport.close)
        return http(body)

    return handler


async def under_churn(long):
    """2,400 questions; a tenth of the clients leaves before the answer."""
    chance, wrong, counts = random.Random(SEED), [], {"own": 0, "fallback or told": 0, "left": 0}
    async with Backend(scripted(random.Random(SEED + 1))) as backend, Guard(backend.url) as guard:
        async def client(lane):
            kept = Kept(guard.port)
            for at in range(60):
                number = f"{lane}-{at}"
                request = webhook(lane * 1000 + at, Number=number) if at % 2 else get(f"/page/{number}")
                patience = chance.uniform(0, 0.02) if chance.random() < 0.1 else 20
                try:
                    answer = await kept.ask(request, patience)
                except TimeoutError:
                    counts["left"] += 1
                    continue
                except (OSError, asyncio.IncompleteReadError):
                    assert at % 2 == 0, "a webhook was cut"
                    counts["fallback or told"] += 1
                    continue
                if f"Number {number}.".encode() in answer.body:
                    counts["own"] += 1
                elif (at % 2 and answer.is_twiml and answer.is_fallback) or (at % 2 == 0 and answer.status >= 500):
                    counts["fallback or told"] += 1
                else:
                    wrong.append(f"{number}: {answer}")
                if chance.random() < 0.1:
                    kept.close()
            kept.close()

        await at_once(40, client, 40)
    total = sum(counts.values()) + len(wrong)
    assert not wrong, f"{len(wrong)} of {total} mixed up: {wrong[:3]}"
    assert counts["own"] > total / 2
    return f"0 of {total} mixed up ({', '.join(f'{count} {word}' for word, count in counts.items())})"


SCENARIOS = (under_churn,)
