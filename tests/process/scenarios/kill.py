"""kill -9 under load: what was told a second ago is on record, and the store opens."""

import asyncio
import json
import subprocess
import tempfile
import time
from pathlib import Path

from kit import BINARY, KILL, Backend, Guard, Kept, http, until, waits, webhook


def page(request):
    return http(b"<h1>Internal Server Error</h1> OperationalError", "500 Internal Server Error", "text/html")


def recorded(state, count):
    """All incidents, as the command shows them."""
    done = subprocess.run([BINARY, "incidents", "--each", "--json", "--limit", str(count), "--state-dir", state],
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return {incident["id"] for incident in json.loads(done.stdout)["incidents"]}


@waits
async def five_times(long):
    seconds = 4 if long else 1.4
    due, lost = set(), 0  # incidents that were a second old when the guard was killed; younger ones that are gone
    with tempfile.TemporaryDirectory(prefix="guard-") as folder:
        state = Path(folder, "state")
        async with Backend(page) as backend:
            for kill in range(5):
                async with Guard(backend.url, state=state) as guard:
                    over, told = asyncio.Event(), {}  # incident: when

                    async def client(lane):
                        kept, number = Kept(guard.port), 0  # noqa: B023
                        while not over.is_set():  # noqa: B023
                            number += 1
                            try:
                                answer = await kept.ask(webhook(kill * 100_000 + lane * 10_000 + number))  # noqa: B023
                            except (OSError, asyncio.IncompleteReadError):
                                break
                            assert answer.is_twiml and answer.is_fallback, answer
                            told[answer.headers["twiml-guard-incident"]] = time.monotonic()  # noqa: B023
                            await asyncio.sleep(0.01)
                        kept.close()

                    clients = [asyncio.ensure_future(client(lane)) for lane in range(8)]
                    await asyncio.sleep(seconds)
                    guard.signal(KILL)
                    killed = time.monotonic()
                    over.set()
                    await asyncio.gather(*clients)
                    await guard.ended(5)
                older = {incident for incident, at in told.items() if at < killed - 1}
                assert len(older) > 50, f"no load: {len(older)}"
                due |= older
                async with Guard(backend.url, state=state) as guard:
                    async def is_up():
                        return await guard.metric("twiml_guard_store_up") == 1  # noqa: B023

                    await until(is_up, 5, lambda: f"the store does not open\n{guard.tail()}")  # noqa: B023
                    there = recorded(state, 100_000)
                    missing = due - there
                    lost += len(told.keys() - due - there)
                    assert not missing, f"kill {kill}: {len(missing)} of {len(due)} are missing"
    return f"5 kills, {len(due)} incidents older than 1 s, 0 missing ({lost} younger ones are); the store opened each time"


SCENARIOS = (five_times,)
