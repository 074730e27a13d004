"""Python frameworks and application servers, as `requirements.txt` of this folder pins them."""

import importlib.metadata
import re
import sys

from .stage import Missing

RIGS = {}
SITE = "/srv/venv/lib/python3/site-packages"


def rig(function):
    RIGS[function.__name__] = function
    return function


def installed(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError as missing:
        raise Missing(name) from missing


def hide_python(stage):
    """Paths of the interpreter and of the packages, and addresses of objects."""
    for path in sorted({p for p in sys.path if p.endswith("site-packages")}, key=len, reverse=True):
        stage.hide(path, SITE)
    # The folder of the virtual environment, then that of the interpreter it was made from.
    stage.hide(sys.prefix, "/srv/venv")
    stage.hide(re.compile(re.escape(sys.base_prefix) + r"(?=[/'&\"<\s])"), "/usr/local")
    stage.hide(re.compile(r"(?<=at )0x[0-9a-f]{8,16}"), "0x7f0000000000")


FLASK = '''
from flask import Flask, abort, request
from werkzeug.exceptions import BadRequestKeyError
app = Flask(__name__)

@app.post("/crash")
def crash():
    raise RuntimeError("could not connect to server: Connection refused")

@app.get("/voice")
def voice():
    return "<Response/>"

@app.post("/webhook/")
def webhook():
    return "<Response/>"

@app.post("/key")
def key():
    return request.form["Digits"]

@app.post("/status/<int:code>")
def status(code):
    abort(code)

@app.post("/none")
def none():
    return None

@app.post("/app/<path:path>")
def single_page(path):
    return """<!doctype html><html><head><title>PBX</title><script src="/assets/index.js"></script></head><body><div id="app"></div><noscript>You need to enable JavaScript to run this app.</noscript></body></html>"""
'''


@rig
def werkzeug(stage):
    version = f"{installed('werkzeug')}, Flask {installed('flask')}"
    stage.write("pbx.py", FLASK)
    stage.hide(re.compile(r'SECRET = "\w+"'), 'SECRET = "xxxxxxxxxxxxxxxxxxxx"')
    stage.hide(re.compile(r"frame-\d+"), "frame-139700000000000")
    stage.hide(re.compile(r'data-frame="?\d+'), 'data-frame="139700000000000')
    hide_python(stage)
    plain, debug = stage.port(), stage.port()
    for port, extra in ((plain, []), (debug, ["--debug", "--no-reload"])):
        stage.start([sys.executable, "-m", "flask", "--app", "pbx", "run", "--port", port, *extra], port)
    for name, path, how in [
        ("404", "/nowhere", "no such route"),
        ("405", "/voice", "POST to a route registered for GET"),
        ("500", "/crash", "unhandled exception, debug off"),
        ("400", "/key", "request.form[...] with a missing key"),
        ("400-abort", "/status/400", "abort(400)"),
        ("401", "/status/401", "abort(401)"),
        ("403", "/status/403", "abort(403)"),
        ("413", "/status/413", "abort(413)"),
        ("415", "/status/415", "abort(415)"),
        ("429", "/status/429", "abort(429)"),
        ("503", "/status/503", "abort(503)"),
        ("308", "/webhook", "strict_slashes redirect of a POST"),
    ]:
        kind = {"308": "redirect"}.get(name, "error")
        stage.take(f"werkzeug-{name}", "werkzeug", "Werkzeug", version, how, plain, path=path, kind=kind)
    stage.take("werkzeug-500-debugger", "werkzeug", "Werkzeug", version, "debugger page of an exception", debug,
               path="/crash", headers=[("Accept", "text/html")])
    stage.take("werkzeug-500-debugger-none", "werkzeug", "Werkzeug", version,
               "debugger page of a view that returned None", debug, path="/none")
    stage.take("werkzeug-500-debugger-key", "werkzeug", "Werkzeug", version,
               "request.form[...] with a missing key, debug on", debug, path="/key")
    stage.take("spa-flask-catch-all", "spa", "Flask", installed("flask"),
               "catch-all route that returns an index page", plain, path="/app/voice", kind="spa")


DJANGO = '''
import os, sys
from django.conf import settings
DEBUG = os.environ.get("PBX_DEBUG") == "1"
settings.configure(
    DEBUG=DEBUG, SECRET_KEY="x" * 50, ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["pbx.example.com"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    LOGGING_CONFIG=None,
)
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET
from django.core.exceptions import PermissionDenied, BadRequest

@csrf_exempt
def crash(request):
    raise RuntimeError("could not connect to server: Connection refused")

@csrf_exempt
def denied(request):
    raise PermissionDenied

@csrf_exempt
def bad(request):
    raise BadRequest("malformed")

def voice(request):
    return HttpResponse("<Response/>", content_type="text/xml")

urlpatterns = [
    path("voice", voice), path("crash", crash), path("denied", denied), path("bad", bad),
    path("slash/", csrf_exempt(voice)), path("get", csrf_exempt(require_GET(voice))),
]
application = get_wsgi_application()
if __name__ == "__main__":
    from wsgiref.simple_server import make_server, WSGIRequestHandler
    class Quiet(WSGIRequestHandler):
        def log_message(self, *args): pass
        def get_environ(self):
            environ = super().get_environ()
            return {k: v for k, v in environ.items() if k in KEEP or k.startswith(("HTTP_", "CONTENT_"))}
    KEEP = {"REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "SERVER_PROTOCOL", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME"}
    server = make_server("127.0.0.1", int(sys.argv[1]), application, handler_class=Quiet)
    server.base_environ = {"SERVER_NAME": "localhost", "SERVER_PORT": sys.argv[1], "SCRIPT_NAME": ""}
    server.serve_forever()
'''


@rig
def django(stage):
    version = installed("django")
    stage.write("pbx.py", DJANGO)
    hide_python(stage)
    plain, debug = stage.port(), stage.port()
    stage.start([sys.executable, "pbx.py", plain], plain)
    stage.start([sys.executable, "pbx.py", debug], debug, env={"PBX_DEBUG": "1"})
    for name, port, path, how in [
        ("403-csrf", plain, "/voice", "POST without a CSRF token"),
        ("403-csrf-debug", debug, "/voice", "POST without a CSRF token, DEBUG on"),
        ("404", plain, "/nowhere", "no such route"),
        ("404-debug", debug, "/nowhere", "no such route, DEBUG on"),
        ("500", plain, "/crash", "unhandled exception"),
        ("500-debug", debug, "/crash", "unhandled exception, DEBUG on"),
        ("403", plain, "/denied", "PermissionDenied"),
        ("400", plain, "/bad", "BadRequest"),
        ("500-append-slash-debug", debug, "/slash", "POST to a path without its slash, DEBUG on"),
        ("301-append-slash", plain, "/slash", "POST to a path without its slash"),
        ("405", plain, "/get", "POST to a view with require_GET"),
    ]:
        kind = {"301-append-slash": "redirect", "405": "empty"}.get(name, "error")
        stage.take(f"django-{name}", "django", "Django", version, how, port, path=path, kind=kind)
    from . import wire
    raw = wire.request("POST", "/denied", b"CallSid=CA0123456789abcdef0123456789abcdef", host="other.example.com")
    stage.take("django-400-host", "django", "Django", version, "a host that is not in ALLOWED_HOSTS", plain, raw=raw)


FASTAPI = '''
from typing import Annotated
from fastapi import FastAPI, Form, HTTPException
app = FastAPI()

@app.post("/voice")
def voice(Digits: Annotated[str, Form()], Attempt: Annotated[int, Form()]):
    return "<Response/>"

@app.get("/get")
def get():
    return {}

@app.post("/none")
def none():
    return None

@app.post("/twiml")
def twiml():
    return '<?xml version="1.0" encoding="UTF-8"?><Response><Say>Hi</Say></Response>'

@app.post("/crash")
def crash():
    raise RuntimeError("could not connect to server")

@app.post("/forbidden")
def forbidden():
    raise HTTPException(403, "Invalid Twilio signature")

@app.post("/slash/")
def slash():
    return {}
'''
STARLETTE = '''
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.responses import PlainTextResponse

async def crash(request):
    raise RuntimeError("could not connect to server")

async def get(request):
    return PlainTextResponse("ok")

app = Starlette(debug={debug}, routes=[Route("/crash", crash, methods=["POST"]), Route("/get", get)])
'''


@rig
def fastapi(stage):
    version = f"{installed('fastapi')}, uvicorn {installed('uvicorn')}"
    stage.write("pbx.py", FASTAPI)
    hide_python(stage)
    port = stage.port()
    stage.start([sys.executable, "-m", "uvicorn", "pbx:app", "--port", port], port)
    for name, path, how, kind in [
        ("404", "/nowhere", "no such route", "error"),
        ("405", "/get", "POST to a route registered for GET", "error"),
        ("422", "/voice", "missing form fields", "error"),
        ("500", "/crash", "unhandled exception", "error"),
        ("403", "/forbidden", "HTTPException(403)", "error"),
        ("200-null", "/none", "a handler that returned nothing", "error"),
        ("307", "/slash", "POST to a path without its slash", "redirect"),
        ("200-twiml-as-json-string", "/twiml", "TwiML returned as a str", "unclear"),
    ]:
        # These two carry nothing of FastAPI's own, only the name of the server below it.
        origin = "uvicorn" if name in ("500", "200-null") else "fastapi"
        stage.take(f"fastapi-{name}", origin, "FastAPI", version, how, port, path=path, kind=kind)
    stage.take("uvicorn-400", "uvicorn", "uvicorn", installed("uvicorn"), "a request line that is not HTTP", port,
               raw=b"POST /vo ice HTTP/1.1\r\n\r\n")


@rig
def starlette(stage):
    version = installed("starlette")
    hide_python(stage)
    for name, debug in (("plain", False), ("debug", True)):
        stage.write(f"pbx_{name}.py", STARLETTE.format(debug=debug))
    plain, debug = stage.port(), stage.port()
    stage.start([sys.executable, "-m", "uvicorn", "pbx_plain:app", "--port", plain], plain)
    stage.start([sys.executable, "-m", "uvicorn", "pbx_debug:app", "--port", debug], debug)
    stage.take("starlette-404", "uvicorn", "Starlette", version, "no such route", plain, path="/nowhere")
    stage.take("starlette-405", "uvicorn", "Starlette", version, "POST to a GET route", plain, path="/get")
    stage.take("starlette-500", "uvicorn", "Starlette", version, "unhandled exception", plain, path="/crash")
    stage.take("starlette-500-debug", "starlette", "Starlette", version, "unhandled exception, debug on, browser",
               debug, path="/crash", headers=[("Accept", "text/html")])
    stage.take("starlette-500-debug-text", "starlette", "Starlette", version, "unhandled exception, debug on", debug,
               path="/crash")


@rig
def gunicorn(stage):
    version = installed("gunicorn")
    stage.write("pbx.py", "def app(environ, start_response):\n    raise RuntimeError('boom')\n")
    hide_python(stage)
    port = stage.port()
    stage.start([sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "pbx:app"], port)
    stage.take("gunicorn-500", "gunicorn", "gunicorn", version, "WSGI application that raises", port)
    stage.take("gunicorn-400", "gunicorn", "gunicorn", version, "a request line that is not HTTP", port,
               raw=b"POST /voice HTTP/9.9\r\n\r\n")


AIOHTTP = '''
import sys
from aiohttp import web
routes = web.RouteTableDef()

@routes.post("/crash")
async def crash(request):
    raise RuntimeError("boom")

@routes.get("/get")
async def get(request):
    return web.Response(text="ok")

app = web.Application()
app.add_routes(routes)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
'''
TORNADO = '''
import asyncio, sys
from tornado import web
class Crash(web.RequestHandler):
    def post(self):
        raise RuntimeError("boom")
class Get(web.RequestHandler):
    def get(self):
        self.write("ok")
async def main():
    web.Application([("/crash", Crash), ("/get", Get)]).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()
asyncio.run(main())
'''
BOTTLE = '''
import sys
from bottle import post, get, run
@post("/crash")
def crash():
    raise RuntimeError("boom")
@get("/get")
def getit():
    return "ok"
run(host="127.0.0.1", port=int(sys.argv[1]), quiet=True)
'''


def small_framework(name, source, program):
    def run(stage):
        version = installed(name)
        stage.write("pbx.py", source)
        hide_python(stage)
        port = stage.port()
        stage.start([sys.executable, "pbx.py", port], port)
        for status, path, how in [("404", "/nowhere", "no such route"), ("405", "/get", "POST to a GET route"),
                                  ("500", "/crash", "unhandled exception")]:
            stage.take(f"{name}-{status}", name, program, version, how, port, path=path)

    RIGS[name] = run


small_framework("aiohttp", AIOHTTP, "aiohttp")
small_framework("tornado", TORNADO, "Tornado")
small_framework("bottle", BOTTLE, "Bottle")


@rig
def python_http_server(stage):
    version = sys.version.split()[0]
    stage.write("www/index.html", "<h1>it works</h1>\n")
    port = stage.port()
    stage.start([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-d", stage.scratch / "www", port], port)
    stage.take("python-http-server-501", "python-http-server", "Python http.server", version, "POST to a static server", port)
    stage.take("python-http-server-404", "python-http-server", "Python http.server", version, "no such file", port,
               method="GET", path="/nowhere")
