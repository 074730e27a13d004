"""Everything at once: flaps, kills of the backend, reloads, no descriptors, no state folder."""

import asyncio
import os
import random
import shutil
import time

from kit import HUP, MB, SEED, TERM, Backend, Connection, Guard, ask, at_once, descriptors, http, limit_files, mb, memory, takes_minutes, webhook


def handler(request):
    if request.path.endswith("page"):
        return http(b"<h1>Oops</h1>", "500 Internal Server Error", "text/html")
    return asyncio.sleep(3600) if request.path.endswith("hang") else http()


@takes_minutes
async def together(_):
    seconds = float(os.environ["PROCESS_MINUTES"]) * 60
    chance = random.Random(SEED)
    top = 'budget = "4s"\nreload_every = "1s"'
    async with Backend(handler) as backend, Guard(backend.url, top) as guard:
        end = time.monotonic() + seconds
        wrong, counts, done = [], {"answered": 0, "not let in": 0}, {"flap": 0, "reload": 0, "files": 0, "state": 0}

        async def client(lane):
            number = lane * 1_000_000
            while time.monotonic() < end:
                number += 1
                path = f"/voice/{chance.choices(('good', 'page', 'hang'), (90, 9, 1))[0]}"
                connection = None
                try:
                    connection = await Connection.open(guard.port, 15)
                    connection.writer.write(webhook(number, path))
                    try:
                        first = await asyncio.wait_for(connection.reader.read(1), 15)
                    except (ConnectionError, TimeoutError):
                        first = b""
                    if not first:
                        counts["not let in"] += 1
                        continue
                    connection.reader._buffer[:0] = first
                    answer = await asyncio.wait_for(connection.answer(time.monotonic()), 10)
                    counts["answered"] += 1
                    if not answer.is_twiml:
                        wrong.append(repr(answer))
                except (ConnectionError, TimeoutError):
                    counts["not let in"] += 1
                except asyncio.IncompleteReadError as error:
                    wrong.append(repr(error))
                finally:
                    if connection:
                        connection.close()
                await asyncio.sleep(0.03)

        async def trouble():
            while time.monotonic() < end - 5:
                kind = chance.choice(list(done))
                done[kind] += 1
                if kind == "flap":
                    backend.stop()
                    await asyncio.sleep(chance.uniform(0.1, 2))
                    await backend.start()
                elif kind == "reload":
                    guard.configure(top + ("\nbudgett = 1" if chance.random() < 0.3 else ""), f'[fallback]\ntext = "Number {done[kind]}."')
                    if chance.random() < 0.5:
                        guard.signal(HUP)
                elif kind == "files":
                    limit_files(guard.pid, descriptors(guard.pid) + chance.choice((0, 1, 4)))
                    await asyncio.sleep(chance.uniform(0.5, 3))
                    limit_files(guard.pid, 4096)
                else:
                    shutil.rmtree(guard.state, ignore_errors=True)
                await asyncio.sleep(chance.uniform(0.1, 1.5))

        clients = asyncio.gather(*(client(lane) for lane in range(10)))
        await asyncio.sleep(min(10, seconds / 4))
        before = memory(guard.pid)
        await trouble()
        await clients
        await asyncio.sleep(6)
        after, files = memory(guard.pid), descriptors(guard.pid)
        total = sum(counts.values())
        assert not wrong, f"{len(wrong)} of {total} that got in without TwiML: {wrong[:3]}"
        later = await at_once(50, lambda number: ask(guard.port, webhook(number)), 5)
        assert all(answer.is_twiml and not answer.is_fallback for answer in later), "not as before"
        assert files < 60, f"{files} descriptors at rest"
        guard.signal(TERM)
        code, _ = await guard.ended(20)
        assert code == 0, f"exit code {code}"
        assert after - before < 40 * MB, f"memory {mb(before)}, then {mb(after)}"
    return (f"{seconds / 60:.1f} min, {counts['answered']} answered, all TwiML, {counts['not let in']} not let in; "
            f"{', '.join(f'{count} x {word}' for word, count in done.items())}; memory {mb(before)}, then {mb(after)}; {files} descriptors at rest")


SCENARIOS = (together,)
