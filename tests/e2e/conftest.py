"""What the tests share: the Flask app, the bare-socket backend, and guards in front of them."""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "oracle")]

import agents  # noqa: E402
import app as flask_app  # noqa: E402
import guard as guards  # noqa: E402
import store_side  # noqa: E402
from guarded_calls import Guarded  # noqa: E402
from raw_backend import Backend  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the tests that take many seconds each")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes many seconds; runs with --long")


@pytest.fixture(scope="session", autouse=True)
def state():
    """What is recorded here is nobody's."""
    with tempfile.TemporaryDirectory(prefix="state-") as folder:
        os.environ["XDG_STATE_HOME"] = folder
        yield folder


def pytest_collection_modifyitems(config, items):
    """Long tests are left out, not skipped: a skip is a missing tool."""
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.fixture(scope="session")
def binary():
    if not guards.BINARY.exists():
        pytest.fail(f"{guards.BINARY} is not there; run `cargo build`, or name another in TWIML_GUARD_BIN", pytrace=False)
    return guards.BINARY


@pytest.fixture(scope="session")
def flask():
    """The app's port, served from this process so that tests can look into it."""
    server = flask_app.serve()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture
def seen(flask):
    """What the app was asked since the test began: (method, raw URI, headers)."""
    flask_app.app.config["SEEN"].clear()
    return flask_app.app.config["SEEN"]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that nobody else vouches for, and its key: paths."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
                    "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="session")
def backend():
    backend = Backend()
    yield backend
    backend.close()


@pytest.fixture(scope="session")
def guard(binary, flask):
    """No configuration at all but the public URL: requests are guarded because they are Twilio's."""
    with guards.Guard(f"http://127.0.0.1:{flask}") as running:
        yield running


@pytest.fixture(scope="session")
def raw_guard(binary, backend):
    with guards.Guard(f"http://127.0.0.1:{backend.port}", env={"TWIML_GUARD_BUDGET": "6s"}) as running:
        yield running


@pytest.fixture(scope="session")
def hasty_guard(binary, backend):
    with guards.Guard(f"http://127.0.0.1:{backend.port}", env={"TWIML_GUARD_BUDGET": "1s"}) as running:
        yield running


@pytest.fixture(scope="session")
def faulty():
    """The port of a fast backend whose every answer is a fault."""
    with store_side.backend() as port:
        yield port


@pytest.fixture(scope="session")
def flask_agent():
    """The port of the Flask voice agent, healthy until `broken` says otherwise."""
    with agents.flask_agent() as port:
        yield port


@pytest.fixture(scope="session")
def starlette_agent():
    with agents.starlette_agent() as port:
        yield port


@pytest.fixture(scope="session")
def gunicorn_agent():
    """Starts the Flask voice agent under gunicorn's threads, with these faults: a context with its port."""
    return agents.gunicorn_agent


@pytest.fixture
def broken():
    """Sets what is wrong with the voice agents of this process, for one test."""
    agents.FAULTS.clear()
    agents.SEEN.clear()

    def breaks(**faults):
        agents.FAULTS.clear()
        agents.FAULTS.update(faults)

    yield breaks
    agents.FAULTS.clear()


@pytest.fixture
def guarded(binary, tmp_path):
    """Starts a guard with a state directory of its own: (port, config, env)."""
    running = []

    def start(port, config="", env=None):
        folder = tmp_path / f"state-{len(running)}"
        folder.mkdir()
        running.append(Guarded(port, folder, config, env))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture(params=["flask", "starlette"])
def either(request, flask_agent, starlette_agent):
    """The port of each voice agent in turn."""
    return flask_agent if request.param == "flask" else starlette_agent
