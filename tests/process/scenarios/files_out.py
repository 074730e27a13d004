"""No descriptors left: what gets in is answered, the processor rests, and all is well again at once."""

import asyncio
import time

from kit import Backend, Connection, Guard, ask, at_once, cpu_seconds, descriptors, get, limit_files, waits, webhook


async def storm(guard, seconds):
    """Webhooks on connections of their own. Answered, not let in (no byte came), and what is neither."""
    answered, outside, wrong = 0, 0, []
    end = time.monotonic() + seconds

    async def client(lane):
        nonlocal answered, outside
        number = lane * 1000
        while time.monotonic() < end:
            number += 1
            connection = None
            try:
                connection = await Connection.open(guard.port, 5)
                connection.writer.write(webhook(number))
                first = await asyncio.wait_for(connection.reader.read(1), 5)
                if not first:
                    outside += 1
                else:
                    connection.reader._buffer[:0] = first  # put back what was looked at
                    answer = await asyncio.wait_for(connection.answer(time.monotonic()), 10)
                    if answer.is_twiml:
                        answered += 1
                    else:
                        wrong.append(repr(answer))
            except (ConnectionError, TimeoutError):
                outside += 1
            except asyncio.IncompleteReadError as error:
                wrong.append(repr(error))
            finally:
                if connection:
                    connection.close()
            await asyncio.sleep(0.02)

    await asyncio.gather(*(client(lane) for lane in range(5)))
    assert not wrong, f"{len(wrong)} got in and no TwiML: {wrong[:3]}"
    return answered, outside


async def recovery(guard, start):
    """Seconds from `start` until a webhook on a new connection is answered."""
    while True:
        try:
            if (await ask(guard.port, webhook(), 1)).is_twiml:
                return time.monotonic() - start
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass
        assert time.monotonic() - start < 5, "no recovery within 5 s"
        await asyncio.sleep(0.02)


@waits
async def few_files(long):
    """A small limit and more idle clients than have room: webhooks still get in, since who is idle makes room."""
    seconds = 20 if long else 3
    async with Backend() as backend, Guard(backend.url, files=128) as guard:
        crowd = [await Connection.open(guard.port) for _ in range(60)]
        for connection in crowd:
            connection.writer.write(get())
        await asyncio.sleep(0.5)
        before, start = cpu_seconds(guard.pid), time.monotonic()
        answered, outside = await storm(guard, seconds)
        cpu = (cpu_seconds(guard.pid) - before) / (time.monotonic() - start)
        most = descriptors(guard.pid)
        for connection in crowd:
            connection.close()
        took = await recovery(guard, time.monotonic())
        assert guard.process.poll() is None
        assert answered > 0, f"none of {outside} webhooks got in"
        assert cpu < 0.5, f"{cpu * 100:.0f} % of a core"
        assert took < 1, f"back after {took:.2f} s"
    return f"{answered} answered, {outside} not let in, {most} of 128 files, {cpu * 100:.0f} % of a core, back after {took * 1000:.0f} ms"


@waits
async def none_left(long):
    """The limit is pulled down to what is open: not even an accept succeeds."""
    seconds = 20 if long else 3
    async with Backend() as backend, Guard(backend.url) as guard:
        inside = [await Connection.open(guard.port) for _ in range(10)]
        for number, connection in enumerate(inside):
            assert (await connection.ask(webhook(number))).is_twiml
        backend.stop()
        await backend.start()  # so that each webhook needs a connection
        await asyncio.sleep(0.2)
        limit_files(guard.pid, descriptors(guard.pid))
        crowd = [await Connection.open(guard.port) for _ in range(20)]
        before, start = cpu_seconds(guard.pid), time.monotonic()
        results = await asyncio.gather(storm(guard, seconds), *(connection.ask(webhook(number), 20) for number, connection in enumerate(inside)),
                                       return_exceptions=True)
        cpu = (cpu_seconds(guard.pid) - before) / (time.monotonic() - start)
        limit_files(guard.pid, 4096)
        took = await recovery(guard, time.monotonic())
        for connection in crowd + inside:
            connection.close()
        if isinstance(results[0], BaseException):
            raise results[0]
        (answered, outside), kept = results[0], results[1:]
        wrong = [repr(answer) for answer in kept if isinstance(answer, BaseException) or not answer.is_twiml]
        assert not wrong, f"{len(wrong)} of 10 that were in got no TwiML: {wrong[:3]}"
        assert cpu < 0.5, f"{cpu * 100:.0f} % of a core"
        assert took < 1, f"back after {took:.2f} s"
        later = await at_once(50, lambda number: ask(guard.port, webhook(number)), 5)
        assert all(answer.is_twiml and not answer.is_fallback for answer in later), "not as before"
    return f"10 of 10 that were in and {answered} more answered, {outside} not let in, {cpu * 100:.0f} % of a core, back after {took * 1000:.0f} ms"


SCENARIOS = (few_files, none_left)
