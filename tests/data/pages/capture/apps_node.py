"""Node frameworks; `npm install` in the folder that NODE_PAGES names brings them (see package.json here)."""

import json
import os
import subprocess
from pathlib import Path

from .stage import Missing

RIGS = {}

EXPRESS = """
const express = require(process.argv[3]);
const app = express();
app.use("/json", express.json({ type: "*/*" }));
app.use(express.urlencoded({ extended: false, limit: "1kb" }));
app.post("/json", (req, res) => res.json({}));
app.get("/get", (req, res) => res.send("ok"));
app.post("/crash", (req, res) => { throw new Error("connect ECONNREFUSED 127.0.0.1:5432"); });
app.post("/object", (req, res) => res.send({ toString: () => "<Response/>" }));
app.post("/text", (req, res) => res.send("<Response><Say>Press 1 for sales</Say></Response>"));
app.post("/moved", (req, res) => res.redirect("https://pbx.example.com/voice"));
app.listen(Number(process.argv[2]), "127.0.0.1");
"""
FASTIFY = """
const app = require(process.argv[3])();
app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (r, b, done) => done(null, b));
app.post("/crash", async () => { throw new Error("connect ECONNREFUSED 127.0.0.1:5432"); });
app.listen({ port: Number(process.argv[2]), host: "127.0.0.1" });
"""
FASTIFY_BARE = """
const app = require(process.argv[3])();
app.post("/voice", async () => "ok");
app.listen({ port: Number(process.argv[2]), host: "127.0.0.1" });
"""
KOA = """
const { default: Koa } = require(process.argv[3]);
const App = Koa || require(process.argv[3]);
const app = new App();
app.silent = true;
app.use((ctx) => { if (ctx.path === "/crash") throw new Error("boom"); });
app.listen(Number(process.argv[2]), "127.0.0.1");
"""


def modules():
    root = Path(os.environ.get("NODE_PAGES", "")) / "node_modules"
    if not os.environ.get("NODE_PAGES") or not root.is_dir():
        raise Missing("NODE_PAGES (a folder with node_modules)")
    return root.resolve()


def version_of(root, name):
    return json.loads((root / name / "package.json").read_text())["version"]


def serve(stage, source, root, package, env=None):
    stage.hide(root, "/srv/app/node_modules")
    script = stage.write(f"{package}.js", source)
    port = stage.port()
    return stage.start([stage.need("node"), script, port, root / package], port, env=env)


def express(package, tag):
    def run(stage):
        root = modules()
        version = version_of(root, package)
        debug = serve(stage, EXPRESS, root, package)
        live = serve(stage, EXPRESS, root, package, {"NODE_ENV": "production"})
        for name, port, path, how, kind in [
            ("404", debug, "/voice", "no such route", "error"),
            ("404-get-only", debug, "/get", "POST to a route registered for GET", "error"),
            ("500", debug, "/crash", "unhandled exception, development", "error"),
            ("500-production", live, "/crash", "unhandled exception, production", "error"),
            ("302", live, "/moved", "res.redirect", "redirect"),
            ("200-twiml-as-html", live, "/text", "TwiML by res.send without a type", "wrapped"),
            ("400-body-parser", live, "/json", "a form that express.json reads", "error"),
        ]:
            stage.take(f"{tag}-{name}", "express", "Express", version, how, port, path=path, kind=kind)
        stage.take(f"{tag}-413-body-parser", "express", "Express", version, "form over the limit of urlencoded()", live,
                   body=b"Body=" + b"x" * 2000)

    return run


RIGS["express"] = express("express", "express")
RIGS["express4"] = express("express4", "express4")


def fastify(stage):
    root = modules()
    version = version_of(root, "fastify")
    port = serve(stage, FASTIFY, root, "fastify")
    bare = serve(stage, FASTIFY_BARE, root, "fastify")
    stage.take("fastify-404", "fastify", "Fastify", version, "no such route", port)
    stage.take("fastify-500", "fastify", "Fastify", version, "unhandled exception", port, path="/crash")
    stage.take("fastify-415", "fastify", "Fastify", version, "form without a parser for it", bare)


RIGS["fastify"] = fastify


def koa(stage):
    root = modules()
    version = version_of(root, "koa")
    port = serve(stage, KOA, root, "koa")
    stage.take("koa-404", None, "Koa", version, "no middleware set a body", port)
    stage.take("koa-500", None, "Koa", version, "unhandled exception", port, path="/crash")


RIGS["koa"] = koa


def vite(stage):
    """A front end as Vite builds it, and Vite's own servers, which answer every path with it."""
    root = modules()
    version = version_of(root, "vite")
    stage.write("index.html", """<!doctype html>
<html lang="en">
  <head>
    <meta charset="UTF-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1.0" />
    <title>PBX console</title>
  </head>
  <body>
    <div id="root"></div>
    <script type="module" src="/src/main.js"></script>
  </body>
</html>
""")
    stage.write("src/main.js", 'document.getElementById("root").textContent = "ready";\n')
    (stage.scratch / "node_modules").symlink_to(root)
    program = [stage.need("node"), root / "vite" / "bin" / "vite.js"]
    subprocess.run([*program, "build"], cwd=stage.scratch, check=True, capture_output=True)
    preview, dev = stage.port(), stage.port()
    stage.start([*program, "preview", "--port", preview, "--strictPort", "--host", "127.0.0.1"], preview)
    stage.start([*program, "--port", dev, "--strictPort", "--host", "127.0.0.1"], dev)
    from . import wire
    for name, port, method, host, how in [
        ("spa-vite-preview", preview, "GET", "localhost", "vite preview, any path"),
        ("spa-vite-dev", dev, "GET", "localhost", "vite development server, any path"),
        ("vite-404-post", dev, "POST", "localhost", "POST to the development server"),
        ("vite-403-host", dev, "POST", "pbx.example.com", "a host that is not in server.allowedHosts"),
    ]:
        body = b"CallSid=CA0123456789abcdef0123456789abcdef" if method == "POST" else b""
        raw = wire.request(method, "/voice", body, [("Accept", "text/html,*/*")], host)
        kind = "spa" if name.startswith("spa") else "empty" if name == "vite-404-post" else "error"
        stage.take(name, {"spa": "spa", "empty": None, "error": "vite"}[kind], "Vite", version, how, port, raw=raw, kind=kind)


RIGS["vite"] = vite
