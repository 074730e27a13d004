"""Ruby, Java and Go programs from Debian."""

import re
import subprocess
from pathlib import Path

from .stage import Missing

RIGS = {}


def rig(function):
    RIGS[function.__name__] = function
    return function


RAILS = """
require "action_controller/railtie"
class Pbx < Rails::Application
  config.root = __dir__
  config.eager_load = false
  config.logger = Logger.new(IO::NULL)
  config.secret_key_base = "x" * 64
  config.consider_all_requests_local = ENV["PBX_DEBUG"] == "1"
  config.action_controller.allow_forgery_protection = true
  config.middleware.delete ActionDispatch::HostAuthorization
end
class CallsController < ActionController::Base
  protect_from_forgery with: :exception, only: :guarded
  def crash = raise("could not connect to server: Connection refused")
  def guarded = render(xml: "<Response/>")
end
Pbx.initialize!
Pbx.routes.draw do
  post "/crash", to: "calls#crash"
  post "/voice", to: "calls#guarded"
end
run Pbx
"""


@rig
def rails(stage):
    program = stage.need("rackup")
    version = stage.version(stage.need("rails"), "--version", pattern=r"Rails (\S+)")
    templates = "railties*/lib/rails/generators/rails/app/templates/public"
    folder = next(Path("/usr/share").rglob(templates), None)
    if folder is None:
        raise Missing("ruby-railties")
    for page in ("404", "422", "500"):
        stage.write(f"public/{page}.html", (folder / f"{page}.html").read_text())
    conf = stage.write("config.ru", RAILS)
    stage.hide(re.compile(r"(?:/[\w.+-]+)+/gems/"), "/srv/gems/")
    live, debug = stage.port(), stage.port()
    run = [program, "-s", "webrick", "-o", "127.0.0.1", "-E", "production"]
    stage.start([*run, "-p", live, conf], live, env={"RAILS_ENV": "production"})
    stage.start([*run, "-p", debug, conf], debug, env={"RAILS_ENV": "development", "PBX_DEBUG": "1"})
    stage.hide(re.compile(r"(?<=X-Request-Id: )\S+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
               "01234567-89ab-cdef-0123-456789abcdef")
    stage.hide(re.compile(r"^0\.\d{6}$"), "0.001234")
    for name, port, path, how in [
        ("404", live, "/nowhere", "no such route"),
        ("422-csrf", live, "/voice", "POST without an authenticity token"),
        ("500", live, "/crash", "unhandled exception"),
        ("404-debug", debug, "/nowhere", "no such route, development"),
        ("422-csrf-debug", debug, "/voice", "POST without an authenticity token, development"),
        ("500-debug", debug, "/crash", "unhandled exception, development"),
    ]:
        stage.take(f"rails-{name}", "rails", "Ruby on Rails", version, how, port, path=path,
                   headers=[("Accept", "text/html,*/*;q=0.1")])


SINATRA = """
require "sinatra/base"
class Pbx < Sinatra::Base
  set :environment, ENV["PBX_DEBUG"] == "1" ? :development : :production
  set :protection, false
  set :logging, false
  get("/get") { "ok" }
  post("/crash") { raise "could not connect to server" }
end
run Pbx
"""


@rig
def sinatra(stage):
    program = stage.need("rackup")
    version = stage.version("ruby", "-e", 'require "sinatra/base"; puts Sinatra::VERSION')
    conf = stage.write("config.ru", SINATRA)
    stage.hide(re.compile(r"(?:/[\w.+-]+)+/(?=sinatra/|rack/)"), "/srv/gems/")
    live, debug = stage.port(), stage.port()
    run = [program, "-s", "webrick", "-o", "127.0.0.1", "-E", "none"]
    stage.start([*run, "-p", live, conf], live)
    stage.start([*run, "-p", debug, conf], debug, env={"PBX_DEBUG": "1"})
    stage.take("sinatra-404", "sinatra", "Sinatra", version, "no such route", live)
    stage.take("sinatra-404-debug", "sinatra", "Sinatra", version, "no such route, development", debug)
    stage.take("sinatra-500", "sinatra", "Sinatra", version, "unhandled exception", live, path="/crash")


@rig
def webrick(stage):
    stage.need("ruby")
    version = stage.version("ruby", "-e", 'require "webrick"; puts WEBrick::VERSION')
    port = stage.port()
    stage.hide(re.compile(r"Ruby/[^)]*"), "Ruby/3.1.2/2022-04-12")
    script = stage.write("pbx.rb", f"""
require "webrick"
server = WEBrick::HTTPServer.new(BindAddress: "127.0.0.1", Port: {port}, ServerName: "pbx.example.com",
                                 AccessLog: [], Logger: WEBrick::Log.new(IO::NULL))
server.mount_proc("/crash") {{ raise "boom" }}
server.start
""")
    stage.start(["ruby", script], port)
    stage.take("webrick-404", "webrick", "WEBrick", version, "nothing mounted", port)
    stage.take("webrick-500", "webrick", "WEBrick", version, "mounted block raises", port, path="/crash")


@rig
def puma(stage):
    program = stage.need("puma")
    version = stage.version(program, "--version", pattern=r"version (\S+)")
    port = stage.port()
    conf = stage.write("config.ru", 'run ->(env) { raise "boom" }\n')
    stage.hide(re.compile(r"(?:/[\w.+-]+)+/(?=puma/|rack/)"), "/srv/gems/")
    stage.start([program, "-b", f"tcp://127.0.0.1:{port}", "-e", "production", conf], port)
    stage.take("puma-500", "puma", "Puma", version, "Rack application that raises, production", port)
    stage.take("puma-400", None, "Puma", version, "a request line that is not HTTP", port,
               raw=b"POST /vo ice HTTP/1.1\r\n\r\n", kind="empty")


@rig
def tomcat(stage):
    java = stage.need("java")
    home = "/usr/share/tomcat10"
    if not Path(home, "bin/bootstrap.jar").exists():
        raise Missing("tomcat10")
    port = stage.port()
    stage.folder("webapps/ROOT/WEB-INF")
    stage.write("webapps/ROOT/crash.jsp", '<% if (true) throw new RuntimeException("could not connect to server"); %>')
    stage.write("conf/web.xml", Path("/etc/tomcat10/web.xml").read_text())
    for folder in ("logs", "temp", "work"):
        stage.folder(folder)
    stage.write("conf/server.xml", f"""<Server port="-1"><Service name="Catalina">
    <Connector address="127.0.0.1" port="{port}" protocol="HTTP/1.1"/>
    <Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps"/></Engine>
    </Service></Server>""")
    stage.start([java, "-cp", f"{home}/bin/bootstrap.jar:{home}/bin/tomcat-juli.jar", f"-Dcatalina.home={home}",
                 f"-Dcatalina.base={stage.scratch}", f"-Djava.io.tmpdir={stage.scratch}/temp",
                 "org.apache.catalina.startup.Bootstrap", "start"], port)
    shown = subprocess.run([java, "-cp", f"{home}/lib/catalina.jar", "org.apache.catalina.util.ServerInfo"],
                           capture_output=True, text=True).stdout
    version = re.search(r"Apache Tomcat/(\S+)", shown).group(1)
    stage.hide(re.compile(r"(?<=JSESSIONID=)\w+"), "0123456789ABCDEF0123456789ABCDEF")
    stage.take("tomcat-404", "tomcat", "Apache Tomcat", version, "no such resource", port)
    stage.take("tomcat-500", "tomcat", "Apache Tomcat", version, "JSP that throws", port, path="/crash.jsp")
    stage.take("tomcat-400", "tomcat", "Apache Tomcat", version, "an invalid character in the request target", port,
               raw=b"POST /vo{ice HTTP/1.1\r\nHost: pbx.example.com\r\n\r\n")


@rig
def go_net_http(stage):
    """Prometheus is a Go program whose unmatched paths get net/http's own answer."""
    program = stage.need("prometheus")
    version = stage.version(program, "--version", pattern=r"go version:\s+go(\S+)")
    port = stage.port()
    conf = stage.write("prometheus.yml", "global: {}\n")
    stage.start([program, f"--config.file={conf}", f"--storage.tsdb.path={stage.folder('tsdb')}",
                 f"--web.listen-address=127.0.0.1:{port}"], port)
    stage.take("go-net-http-404", "go-net-http", "Go net/http (in Prometheus)", version, "no such route", port, method="GET")
    stage.take("go-net-http-405", None, "Go net/http (in Prometheus)", version, "POST to a GET route", port,
               path="/metrics")
    stage.take("go-net-http-400", "go-net-http", "Go net/http (in Prometheus)", version, "a request without Host", port,
               raw=b"POST /voice HTTP/1.1\r\nConnection: close\r\n\r\n")
