"""Web servers, proxies and load balancers from Debian."""

import base64
import re
import socket
import subprocess
import threading


RIGS = {}
BASIC = ("Authorization", "Basic " + base64.b64encode(b"ops:wrong").decode())
SPA = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="UTF-8" />
    <link rel="icon" type="image/svg+xml" href="/vite.svg" />
    <meta name="viewport" content="width=device-width, initial-scale=1.0" />
    <title>PBX console</title>
  </head>
  <body>
    <div id="root"></div>
    <script type="module" src="/src/main.jsx"></script>
  </body>
</html>
"""


def rig(function):
    RIGS[function.__name__] = function
    return function


class Peer:
    """A backend that answers every connection with the same bytes, or never."""

    def __init__(self, stage, reply):
        self.reply = reply
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        stage.ports.add(self.port)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        self.kept = []
        while True:
            conn, _ = self.socket.accept()
            if self.reply is None:
                self.kept.append(conn)
                continue
            conn.recv(65536)
            conn.sendall(self.reply)
            conn.close()


@rig
def nginx(stage):
    program = stage.need("nginx")
    version = stage.version(program, "-v", pattern=r"nginx/(\S+)")
    port, plain, tls, dead = stage.port(), stage.port(), stage.port(), stage.dead_port()
    silent = Peer(stage, None)
    stage.write("www/index.html", "<h1>it works</h1>\n")
    stage.write("www/menu.mp3", "ID3")
    stage.folder("www/dir")
    stage.write("passwd", "ops:{PLAIN}right\n")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=pbx.example.com", "-days", "1",
         "-keyout", str(stage.scratch / "key.pem"), "-out", str(stage.scratch / "cert.pem")],
        check=True, capture_output=True,
    )
    locations = f"""
      client_max_body_size 64;
      root {stage.scratch}/www;
      location = /gone {{ proxy_pass http://127.0.0.1:{dead}; client_max_body_size 1m; }}
      location = /slow {{ proxy_pass http://127.0.0.1:{silent.port}; proxy_read_timeout 1s; client_max_body_size 1m; }}
      location = /forbidden {{ client_max_body_size 1m; deny all; }}
      location = /login {{ client_max_body_size 1m; auth_basic "pbx"; auth_basic_user_file {stage.scratch}/passwd; }}
      location = /loop {{ client_max_body_size 1m; rewrite ^ /loop last; }}
      location = /busy {{ client_max_body_size 1m; limit_req zone=one; limit_req_status 429; try_files /none =404; }}
      location = /moved {{ client_max_body_size 1m; return 301 https://$host/voice; }}
      location = /down {{ client_max_body_size 1m; return 503; }}
      location /static/ {{ client_max_body_size 1m; alias {stage.scratch}/www/; }}
      location / {{ client_max_body_size 1m; }}
      location = /upload {{ proxy_pass http://127.0.0.1:{dead}; }}
    """
    conf = stage.write("nginx.conf", f"""
    daemon off; master_process off; pid {stage.scratch}/nginx.pid; error_log {stage.scratch}/nginx-error.log;
    events {{}}
    http {{
      include /etc/nginx/mime.types; access_log off;
      client_body_temp_path {stage.scratch}/b; proxy_temp_path {stage.scratch}/p; fastcgi_temp_path {stage.scratch}/f;
      uwsgi_temp_path {stage.scratch}/u; scgi_temp_path {stage.scratch}/s;
      limit_req_zone $binary_remote_addr zone=one:1m rate=1r/m;
      server {{ listen 127.0.0.1:{port}; {locations} }}
      server {{ listen 127.0.0.1:{plain}; server_tokens off; {locations} }}
      server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate {stage.scratch}/cert.pem;
                ssl_certificate_key {stage.scratch}/key.pem; }}
    }}""")
    stage.start([program, "-c", conf], port)
    cases = [
        ("404", port, "/voice", "no such file"),
        ("404-no-version", plain, "/voice", "no such file, server_tokens off"),
        ("502", port, "/gone", "proxy_pass to a port where nothing listens"),
        ("502-no-version", plain, "/gone", "proxy_pass to a port where nothing listens, server_tokens off"),
        ("504", port, "/slow", "proxy_pass to a silent backend, proxy_read_timeout 1s"),
        ("413", port, "/upload", "form longer than client_max_body_size"),
        ("403", port, "/forbidden", "deny all"),
        ("401", port, "/login", "auth_basic without credentials"),
        ("405", port, "/static/menu.mp3", "POST to a static file"),
        ("500", port, "/loop", "rewrite loop"),
        ("503", port, "/down", "return 503"),
        ("301", port, "/moved", "return 301 to https"),
    ]
    for name, at, path, how in cases:
        kind = {"301": "redirect", "401": "challenge"}.get(name, "error")
        stage.take(f"nginx-{name}", "nginx", "nginx", version, how, at, path=path, kind=kind)
    from . import wire
    wire.exchange(port, wire.request("GET", "/busy"))
    stage.take("nginx-429", "nginx", "nginx", version, "limit_req with limit_req_status 429", port, path="/busy")
    stage.take("nginx-400-plain-to-tls", "nginx", "nginx", version, "plain HTTP sent to an ssl port", tls)


@rig
def apache(stage):
    program = stage.need("apache2")
    version = stage.version(program, "-v", pattern=r"Apache/(\S+)")
    port, dead = stage.port(), stage.dead_port()
    garbage = Peer(stage, b"")
    stage.write("www/index.html", "<h1>it works</h1>\n")
    stage.write("www/private/x", "x")
    stage.write("www/list/menu.xml", "<Response/>")
    stage.write("www/broken.cgi", "#!/bin/sh\ncat > /dev/null\nexit 3\n", 0o755)
    stage.write("passwd", "ops:{SHA}AAAA\n")
    modules = ["mpm_event", "authz_core", "authz_host", "authn_core", "authn_file", "auth_basic", "authz_user", "dir",
               "mime", "cgid", "proxy", "proxy_http", "alias", "autoindex", "rewrite"]
    loads = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules)
    conf = stage.write("apache.conf", f"""
    {loads}
    ServerRoot {stage.scratch}
    ServerName pbx.example.com
    Listen 127.0.0.1:{port}
    PidFile {stage.scratch}/apache.pid
    ErrorLog {stage.scratch}/apache-error.log
    ScriptSock {stage.scratch}/cgisock
    TypesConfig /etc/mime.types
    ServerTokens OS
    ServerSignature On
    LimitRequestBody 1000000
    DocumentRoot {stage.scratch}/www
    <Directory {stage.scratch}/www>
      Require all granted
      Options +ExecCGI +Indexes
      AddHandler cgi-script .cgi
    </Directory>
    <Location /private>
      Require all denied
    </Location>
    <Location /login>
      AuthType Basic
      AuthName pbx
      AuthUserFile {stage.scratch}/passwd
      Require valid-user
    </Location>
    <Location /broken.cgi/small>
      LimitRequestBody 10
    </Location>
    ProxyPass /gone http://127.0.0.1:{dead}/
    ProxyPass /garbage http://127.0.0.1:{garbage.port}/
    Redirect 301 /moved https://pbx.example.com/voice
    Redirect 410 /removed
    """)
    stage.start([program, "-f", conf, "-D", "FOREGROUND"], port)
    for name, path, how in [
        ("404", "/voice", "no such file"),
        ("403", "/private/x", "Require all denied"),
        ("500", "/broken.cgi", "CGI script that exits without headers"),
        ("503", "/gone", "ProxyPass to a port where nothing listens"),
        ("502", "/garbage", "ProxyPass to a backend that closes without an answer"),
        ("401", "/login", "Basic authentication without credentials"),
        ("413", "/broken.cgi/small", "form longer than LimitRequestBody"),
        ("301", "/moved", "Redirect 301"),
        ("410", "/removed", "Redirect 410"),
    ]:
        kind = {"301": "redirect", "401": "challenge"}.get(name, "error")
        stage.take(f"apache-{name}", "apache", "Apache httpd", version, how, port, path=path, kind=kind)
    stage.take("apache-200-listing", "apache", "Apache httpd", version, "mod_autoindex listing of a folder", port,
               method="GET", path="/list/")
    stage.take("apache-400", "apache", "Apache httpd", version, "a request line that is not HTTP", port,
               raw=b"POST /vo ice HTTP/1.1\r\nHost: pbx.example.com\r\nConnection: close\r\n\r\n")


@rig
def haproxy(stage):
    program = stage.need("haproxy")
    version = stage.version(program, "-v", pattern=r"version (\S+)")
    port, dead = stage.port(), stage.dead_port()
    silent = Peer(stage, None)
    garbage = Peer(stage, b"220 mail.example.com ESMTP\r\n\r\n")
    conf = stage.write("haproxy.cfg", f"""
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
  retries 0
frontend f
  bind 127.0.0.1:{port}
  http-request deny deny_status 403 if {{ path /forbidden }}
  http-request deny deny_status 429 if {{ path /busy }}
  http-request deny deny_status 500 if {{ path /broken }}
  http-request auth realm pbx if {{ path /login }}
  http-request return status 404 default-errorfiles if {{ path /missing }}
  use_backend dead if {{ path /gone }}
  use_backend silent if {{ path /slow }}
  use_backend garbage if {{ path /garbage }}
  default_backend none
backend dead
  server s 127.0.0.1:{dead}
backend silent
  server s 127.0.0.1:{silent.port}
backend garbage
  server s 127.0.0.1:{garbage.port}
backend none
""")
    stage.start([program, "-f", conf, "-db"], port)
    for name, path, how in [
        ("503", "/gone", "server where nothing listens"),
        ("503-no-server", "/voice", "backend without a server"),
        ("504", "/slow", "silent server, timeout server 1s"),
        ("502", "/garbage", "server that does not speak HTTP"),
        ("403", "/forbidden", "http-request deny"),
        ("429", "/busy", "http-request deny deny_status 429"),
        ("500", "/broken", "http-request deny deny_status 500"),
        ("404", "/missing", "http-request return status 404 default-errorfiles"),
        ("401", "/login", "http-request auth"),
    ]:
        kind = "challenge" if name == "401" else "error"
        stage.take(f"haproxy-{name}", "haproxy", "HAProxy", version, how, port, path=path, kind=kind)
    stage.take("haproxy-400", "haproxy", "HAProxy", version, "a request line that is not HTTP", port,
               raw=b"POST voice\r\n\r\n")
    stage.take("haproxy-408", "haproxy", "HAProxy", version, "a request that never ends, timeout client 1s", port,
               raw=b"POST /voice HTTP/1.1\r\nHost: pbx.example.com\r\n")


@rig
def varnish(stage):
    program = stage.need("varnishd")
    version = stage.version(program, "-V", pattern=r"varnish-(\S+)")
    port, dead = stage.port(), stage.dead_port()
    vcl = stage.write("default.vcl", f"""vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{dead}"; .connect_timeout = 1s; }}
sub vcl_recv {{ if (req.url == "/forbidden") {{ return (synth(403, "Forbidden")); }} }}
""")
    stage.hide(re.compile(r"(?<=XID: )\d+"), "32770")
    stage.start([program, "-F", "-f", vcl, "-a", f"127.0.0.1:{port}", "-n", stage.folder("varnish"), "-s", "malloc,8m",
                 "-j", "none"], port)
    stage.take("varnish-503", "varnish", "Varnish", version, "backend where nothing listens", port)
    stage.take("varnish-403", "varnish", "Varnish", version, "synth(403) from VCL", port, path="/forbidden")


@rig
def lighttpd(stage):
    program = stage.need("lighttpd")
    version = stage.version(program, "-v", pattern=r"lighttpd/(\S+)")
    port, dead = stage.port(), stage.dead_port()
    conf = stage.write("lighttpd.conf", f"""
server.port = {port}
server.bind = "127.0.0.1"
server.document-root = "{stage.scratch}/www"
server.modules = ("mod_access", "mod_proxy")
$HTTP["url"] =~ "^/forbidden" {{ url.access-deny = ("") }}
$HTTP["url"] =~ "^/gone" {{ proxy.server = ("" => (("host" => "127.0.0.1", "port" => {dead}))) }}
""")
    stage.start([program, "-D", "-f", conf], port)
    for name, path, how in [
        ("404", "/voice", "no such file"),
        ("403", "/forbidden", "url.access-deny"),
        ("503", "/gone", "mod_proxy to a port where nothing listens"),
    ]:
        stage.take(f"lighttpd-{name}", "lighttpd", "lighttpd", version, how, port, path=path)


@rig
def squid(stage):
    program = stage.need("squid")
    version = stage.version(program, "-v", pattern=r"Version (\S+)")
    port, dead = stage.port(), stage.dead_port()
    stage.scratch.chmod(0o777)
    conf = stage.write("squid.conf", f"""
http_port 127.0.0.1:{port} accel defaultsite=pbx.example.com no-vhost
cache_peer 127.0.0.1 parent {dead} 0 no-query originserver name=app
acl closed urlpath_regex ^/forbidden
http_access deny closed
http_access allow all
cache_peer_access app allow all
never_direct allow all
visible_hostname proxy.example.com
cache_mgr webmaster
cache deny all
pid_filename {stage.scratch}/squid.pid
access_log none
cache_log {stage.scratch}/cache.log
cache_store_log none
coredump_dir {stage.scratch}
connect_timeout 1 second
shutdown_lifetime 1 second
""")
    stage.start([program, "-N", "-f", conf], port)
    stage.take("squid-502", "squid", "Squid", version, "origin server where nothing listens", port)
    stage.take("squid-403", "squid", "Squid", version, "http_access deny", port, path="/forbidden")
    stage.take("squid-400", "squid", "Squid", version, "a request line that is not HTTP", port,
               raw=b"POST\r\n\r\n")


@rig
def caddy(stage):
    program = stage.need("caddy")
    version = stage.version(program, "version", pattern=r"v?(\d\S+)")
    port, dead = stage.port(), stage.dead_port()
    stage.write("www/list/menu.xml", "<Response/>")
    conf = stage.write("Caddyfile", f"""{{
  admin off
  auto_https off
}}
http://:{port} {{
  bind 127.0.0.1
  root * {stage.scratch}/www
  route {{
    reverse_proxy /gone 127.0.0.1:{dead}
    redir /moved https://pbx.example.com/voice 301
    file_server browse
  }}
}}
""")
    stage.start([program, "run", "--config", conf, "--adapter", "caddyfile"], port)
    for name, path, how in [
        ("404", "/voice", "no such file"),
        ("502", "/gone", "reverse_proxy to a port where nothing listens"),
        ("301", "/moved", "redir 301"),
    ]:
        kind = {"301": "redirect", "404": "empty", "502": "empty"}.get(name, "error")
        stage.take(f"caddy-{name}", "caddy", "Caddy", version, how, port, path=path, kind=kind)
    stage.take("caddy-200-listing", "caddy", "Caddy", version, "file_server browse on a folder", port, method="GET",
               path="/list/")


@rig
def single_page_app(stage):
    """An index page served for every path, as nginx try_files does it in front of a built front end."""
    program = stage.need("nginx")
    version = stage.version(program, "-v", pattern=r"nginx/(\S+)")
    port = stage.port()
    stage.write("www/index.html", SPA)
    conf = stage.write("nginx.conf", f"""
    daemon off; master_process off; pid {stage.scratch}/nginx.pid; error_log {stage.scratch}/nginx-error.log;
    events {{}}
    http {{
      include /etc/nginx/mime.types; access_log off;
      client_body_temp_path {stage.scratch}/b; proxy_temp_path {stage.scratch}/p; fastcgi_temp_path {stage.scratch}/f;
      uwsgi_temp_path {stage.scratch}/u; scgi_temp_path {stage.scratch}/s;
      server {{ listen 127.0.0.1:{port}; root {stage.scratch}/www;
        location / {{ try_files $uri /index.html; error_page 405 =200 $uri; }} }}
    }}""")
    stage.start([program, "-c", conf], port)
    stage.hide(re.compile(r'"[0-9a-f]+-[0-9a-f]+"'), '"6955b900-1d3"')
    stage.take("spa-index-get", "spa", "nginx", version, "try_files $uri /index.html", port, method="GET", kind="spa")


