"""Uploads that creep and readers that hardly read: memory stays, others do not notice."""

import asyncio
import socket
import time

from kit import MB, Backend, Connection, GoodClient, Guard, at_once, descriptors, forget_peak, form, get, http, mb, memory, post, until, waits

PART = bytes(64 * 1024)


async def big(request):
    """4 MB, as fast as they are taken."""
    lane = request.lane
    await lane.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % (4 * MB))
    for _ in range(4 * MB // len(PART)):
        await lane.send(PART)
    return b""


def handler(request):
    return big(request) if request.path == "/big" else http()


async def held(guard, jobs, seconds, what):
    """Growth of memory while the connections of `jobs` are held; a good client is asked beside them."""
    forget_peak(guard.pid)
    before = memory(guard.pid)
    connections = await jobs
    await asyncio.sleep(1)  # this process fills their buffers, too
    async with GoodClient(guard.port) as good:
        await asyncio.sleep(seconds)
    growth = memory(guard.pid, "VmHWM") - before
    for connection in connections:
        connection.close()
    assert growth < 200 * MB, f"{len(connections)} {what}: growth {mb(growth)}"
    good.check(1.5)
    return f"{len(connections)} {what}: growth {mb(growth)}, worst good request of {len(good.took)}: {good.worst * 1000:.0f} ms"


async def uploads(long):
    """10 MB are announced, a KB comes every half second."""
    count = 500 if long else 100
    async with Backend(handler) as backend, Guard(backend.url) as guard:
        tasks = []

        async def hold(_):
            connection = await Connection.open(guard.port)
            connection.writer.write(post("/upload", bytes(1024), length=10 * MB))
            tasks.append(asyncio.ensure_future(drip(connection)))
            return connection

        async def drip(connection):
            while not connection.writer.is_closing():
                await asyncio.sleep(0.5)
                connection.writer.write(bytes(1024))

        told = await held(guard, at_once(count, hold), 15 if long else 2, "slow uploads")
        for task in tasks:
            task.cancel()
    return told


async def webhook_uploads(long):
    """Webhooks whose bodies stop short of their end: what is collected is bounded over all of them."""
    count = 500 if long else 300
    body = form(Body="a" * 900_000)
    async with Backend(handler) as backend, Guard(backend.url) as guard:
        async def hold(_):
            connection = await Connection.open(guard.port)
            connection.writer.write(post("/sms", body[:-1000], length=len(body)))
            return connection

        return await held(guard, at_once(count, hold), 10 if long else 2, "webhooks short of their end (0.9 MB each)")


async def lazy(port):
    """A client that asks for 4 MB and reads nothing."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
    connection = Connection(*await asyncio.open_connection(sock=raw, limit=1024))
    connection.writer.transport.pause_reading()
    connection.writer.write(get("/big"))
    return connection


async def readers(long):
    count = 200 if long else 50
    async with Backend(handler) as backend, Guard(backend.url) as guard:
        return await held(guard, at_once(count, lambda _: lazy(guard.port)), 15 if long else 2, "slow readers of 4 MB")


@waits
async def all_end(long):
    """Readers that read nothing and uploads that stop are ended, and what they held is free again."""
    limit = 10 if long else 2
    top = f'write_timeout = "{limit}s"\npass_idle_timeout = "{limit}s"\nidle_timeout = "{limit}s"\nhead_timeout = "{limit}s"'
    async with Backend(handler) as backend, Guard(backend.url, top) as guard:
        before = descriptors(guard.pid)
        held = await at_once(20, lambda _: lazy(guard.port))
        for path in ["/upload"] * 20 + ["/sms"] * 20:
            connection = await Connection.open(guard.port)
            connection.writer.write(post(path, bytes(1024), length=100_000))
            held.append(connection)
        start = time.monotonic()
        await until(lambda: descriptors(guard.pid) > before + 60, 2, lambda: "they are not in")
        await until(lambda: descriptors(guard.pid) < before + 6, 2 * limit + 6, lambda: f"{descriptors(guard.pid) - before} descriptors are still held")
        took = time.monotonic() - start
        for connection in held:
            connection.close()
    return f"20 readers, 20 uploads and 20 webhooks all ended within {took:.1f} s of {limit} s"


SCENARIOS = (uploads, webhook_uploads, readers, all_end)
