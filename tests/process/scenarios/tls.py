"""TLS on the public listener: certificates are changed under load, and handshakes that never end are ended."""

import asyncio
import shutil
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

from kit import HUP, Backend, Connection, GoodClient, Guard, Skip, at_once, until, waits, webhook


def certificate(folder, name):
    """A self-signed one, in PEM, as `[tls]` names it; gives its DER too."""
    if shutil.which("openssl") is None:
        raise Skip("openssl is missing")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=DNS:pbx.example.com", "-keyout", f"{name}.key", "-out", f"{name}.pem"],
                   cwd=folder, check=True, capture_output=True)
    Path(folder, f"{name}.key").chmod(0o600)
    return ssl.PEM_cert_to_DER_cert(Path(folder, f"{name}.pem").read_text())


def install(folder, name):
    for kind in ("pem", "key"):
        shutil.copy(Path(folder, f"{name}.{kind}"), Path(folder, f"new.{kind}"))
        Path(folder, f"new.{kind}").rename(Path(folder, f"live.{kind}"))


def trusting():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def secure(port):
    return Connection(*await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port, ssl=trusting(), server_hostname="pbx.example.com"), 5))


def tables(folder):
    return f'[tls]\ncertificate = "{folder}/live.pem"\nkey = "{folder}/live.key"\n'


async def changed_under_load(long):
    """Five changes; what is open stays open, what is new sees the new one, a wrong one changes nothing."""
    with tempfile.TemporaryDirectory(prefix="guard-") as folder:
        shown = {name: certificate(folder, name) for name in ("one", "two")}
        install(folder, "one")
        async with Backend() as backend, Guard(backend.url, 'reload_every = "0s"', tables(folder)) as guard:
            over, wrong, done = asyncio.Event(), [], 0
            kept = await secure(guard.port)

            async def client(lane):
                nonlocal done
                while not over.is_set():
                    done += 1
                    try:
                        connection = await secure(guard.port)
                        answer = await connection.ask(webhook(done))
                        connection.close()
                        if not answer.is_twiml or answer.is_fallback:
                            wrong.append(repr(answer))
                    except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                        wrong.append(repr(error))
                    await asyncio.sleep(0.02)

            async def sees(name):
                connection = await secure(guard.port)
                der = connection.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
                connection.close()
                return der == shown[name]

            clients = [asyncio.ensure_future(client(lane)) for lane in range(10)]
            assert await sees("one")
            for at in range(5):
                name = ("two", "one")[at % 2]
                install(folder, name)
                guard.signal(HUP)
                await until(lambda: sees(name), 3, lambda: f"certificate {name} is not shown\n{guard.tail()}")  # noqa: B023
                assert (await kept.ask(webhook(900_000 + at))).is_twiml
            Path(folder, "live.pem").write_text("no certificate")
            guard.signal(HUP)
            await asyncio.sleep(0.5)
            assert await sees(name), "a broken file took the certificate away"
            over.set()
            await asyncio.gather(*clients)
            kept.close()
            assert not wrong, f"{len(wrong)} of {done} failed: {wrong[:3]}"
    return f"0 of {done} failed over 5 changes and a broken file"


@waits
async def half_handshakes(long):
    """A thousand connections that never say what they want, or stop within their first message."""
    count, limit = (1000, 15) if long else (300, 2)
    with tempfile.TemporaryDirectory(prefix="guard-") as folder:
        certificate(folder, "one")
        install(folder, "one")
        async with Backend() as backend, Guard(backend.url, f'head_timeout = "{limit}s"\nidle_timeout = "{limit}s"', tables(folder)) as guard:
            async def hold(number):
                connection = await Connection.open(guard.port)
                connection.writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[:number % 12])
                start = time.monotonic()
                await connection.gone(limit + 10)
                connection.close()
                return time.monotonic() - start

            async with GoodClient(guard.port, connect=secure) as good:
                took = await at_once(count, hold, count)
            good.check(1)
            assert max(took) < limit + 3, f"one was held for {max(took):.1f} s"
    return f"{count} ended within {max(took):.1f} s of {limit} s, worst good request of {len(good.took)}: {good.worst * 1000:.0f} ms"


SCENARIOS = (changed_under_load, half_handshakes)
