"""Checks of the files as they stand: nothing is started, no Rust is needed."""

import json
import re
import shutil
import tempfile
import tomllib
from pathlib import Path

from kit import DEPLOY, TOP, Skipped, expect, python_tools, run, tool

UNIT = DEPLOY / "systemd/twiml-guard.service"
EXPOSURE_LIMIT = 2.0
KUBERNETES = ("1.30.0", "1.37.0")


def yaml_documents(path):
    """A YAML file's documents, read by PyYAML in the tools' own interpreter."""
    script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))"
    return json.loads(run([python_tools() / "python", "-c", script, path]).stdout)


def systemd_unit_is_understood():
    """systemd loads the unit and finds no unknown key, bad value or missing program."""
    analyze = tool("systemd-analyze", "systemd")
    stock = next((folder for folder in map(Path, ("/usr/lib/systemd/system", "/lib/systemd/system"))
                  if folder.is_dir()), None)
    if stock is None:
        raise Skipped("this machine has no units of systemd for the unit to depend on")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        units = root / "usr/lib/systemd/system"
        shutil.copytree(stock, units, symlinks=True)
        (root / "lib").symlink_to("usr/lib")
        (root / "bin").symlink_to("usr/bin")
        (root / "etc").mkdir()
        (root / "usr/bin").mkdir()
        for program in ("twiml-guard", "kill"):
            (root / "usr/bin" / program).touch(mode=0o755)
        shutil.copy(UNIT, units)
        done = run([analyze, "verify", f"--root={root}", "--man=no", UNIT.name])
        complaints = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line]
        expect(not complaints, "\n".join(complaints))


def systemd_unit_is_hardened():
    analyze = tool("systemd-analyze", "systemd")
    done = run([analyze, "security", "--offline=true", UNIT], ok=(0, 1))
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    expect(level, f"no exposure level in:\n{done.stdout}{done.stderr}")
    expect(float(level[1]) < EXPOSURE_LIMIT, f"exposure level {level[1]}, must stay below {EXPOSURE_LIMIT}")


def systemd_unit_does_not_restart_in_vain():
    """A wrong command line (2) or configuration (78) ends the service, all else restarts it."""
    text = UNIT.read_text()
    for line in ("Restart=always", "Type=notify", "WatchdogSec=30s", "RestartPreventExitStatus=2 78", "DynamicUser=yes", "StateDirectory=twiml-guard"):
        expect(re.search(f"^{re.escape(line)}$", text, re.M), f"the unit lacks {line}")


def dockerfiles_are_clean():
    for path in ("docker/Dockerfile", "docker-compose/app/Dockerfile"):
        run([python_tools() / "hadolint", "--failure-threshold", "info", DEPLOY / path])


def image_is_minimal():
    """The last stage starts from nothing, runs as nobody and has neither shell nor package."""
    final = (DEPLOY / "docker/Dockerfile").read_text().rpartition("\nFROM ")[2]
    expect(final.startswith("scratch\n"), "the last stage must be FROM scratch")
    for line in ("USER 65532:65532", "STOPSIGNAL SIGTERM", "EXPOSE 8080 9900", 'ENTRYPOINT ["/twiml-guard"]'):
        expect(re.search(f"^{re.escape(line)}$", final, re.M), f"the last stage lacks {line}")
    expect("\nRUN " not in final, "nothing can RUN in an empty image")
    for label in ("title", "licenses", "version", "revision"):
        expect(f"org.opencontainers.image.{label}=" in final, f"label {label} is missing")
    version = tomllib.loads((TOP / "Cargo.toml").read_text())["package"]["version"]
    expect(f"ARG VERSION={version}\n" in final, f"ARG VERSION must be {version}, as in Cargo.toml")


def kubernetes_manifests_are_valid():
    """Each object against the API's own schemas, the oldest and the newest supported."""
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    expect(len(files) >= 4, f"only {len(files)} manifests found")
    for version in KUBERNETES:
        run([python_tools() / "kubernetes-validate", "--strict", "-k", version, *files])


def kubernetes_traffic_meets_the_guard():
    """What schemas cannot say: names and ports agree, and only the guard can be reached."""
    objects = {}
    for path in (DEPLOY / "kubernetes").glob("*.yaml"):
        for document in yaml_documents(path):
            objects[document["kind"]] = document
    pod = objects["Deployment"]["spec"]["template"]
    guard = pod["spec"]["initContainers"][0]
    expect(guard["restartPolicy"] == "Always", "the guard must be a native sidecar (restartPolicy: Always)")
    ports = {port["name"]: port["containerPort"] for port in guard["ports"]}
    env = {item["name"]: item["value"] for item in guard["env"]}
    expect(env["TWIML_GUARD_LISTEN"] == f"0.0.0.0:{ports['guard']}", "the guard listens elsewhere than its port says")
    expect(env["TWIML_GUARD_OPS"] == f"0.0.0.0:{ports['guard-ops']}", "ops listens elsewhere than its port says")
    for probe, path in (("startupProbe", "/readyz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/livez")):
        expect(guard[probe]["httpGet"] == {"path": path, "port": "guard-ops"}, f"{probe} must ask {path} of guard-ops")

    expect(guard["lifecycle"]["preStop"]["httpGet"] == {"path": "/drain", "port": "guard-ops"}, "preStop must drain the guard")
    expect(env["TWIML_GUARD_OPS_DRAIN"] == "any", "preStop comes from the node, which ops.drain must let in")

    labels = pod["metadata"]["labels"].items()
    service = objects["Service"]["spec"]
    expect([port["targetPort"] for port in service["ports"]] == ["guard"], "the Service must lead to the guard alone")
    expect(service["selector"].items() <= labels, "the Service does not select the Pod")
    policy = objects["NetworkPolicy"]["spec"]
    expect(policy["podSelector"]["matchLabels"].items() <= labels, "the NetworkPolicy does not select the Pod")
    opened = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
    expect(opened == set(ports), f"the NetworkPolicy opens {opened}, must open {set(ports)}")

    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in guard["volumeMounts"]}
    state = volumes[mounts[env["TWIML_GUARD_STATE_DIR"]]]
    expect(state["emptyDir"].get("sizeLimit"), "the state folder must have a sizeLimit")
    config = objects["ConfigMap"]
    expect(volumes[mounts["/etc/twiml-guard"]]["configMap"]["name"] == config["metadata"]["name"], "the ConfigMap is not mounted")
    tomllib.loads(config["data"]["config.toml"])
    for container in [guard, *pod["spec"]["containers"]]:
        context = container["securityContext"]
        expect(context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
               and context["capabilities"]["drop"] == ["ALL"] and context["runAsUser"] > 0,
               f"{container['name']} is not locked down")


def compose_file_is_valid():
    """Against the schema of the Compose specification, and every file it names is there."""
    path = DEPLOY / "docker-compose/docker-compose.yml"
    run([python_tools() / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", path])
    services = yaml_documents(path)[0]["services"]
    for name, service in services.items():
        build = service["build"] if isinstance(service["build"], dict) else {"context": service["build"]}
        context = path.parent / build["context"]
        expect((context / build.get("dockerfile", "Dockerfile")).is_file(), f"{name}: no Dockerfile in {build}")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            expect(not source.startswith(".") or (path.parent / source).is_file(), f"{name}: {source} does not exist")
    expect("ports" not in services["app"], "the app must not be reachable past the guard")
    for port in services["guard"]["ports"]:
        expect(port.startswith("127.0.0.1:"), f"{port} would be open to the network")


def alert_rules_do_what_they_say():
    promtool = tool("promtool", "prometheus")
    folder = DEPLOY / "prometheus"
    run([promtool, "check", "rules", folder / "twiml-guard.rules.yml"])
    run([promtool, "test", "rules", folder / "twiml-guard.rules.test.yml"])


def dashboard_is_whole():
    """Every panel has its place and a question that Prometheus can read."""
    promtool = tool("promtool", "prometheus")
    board = json.loads((DEPLOY / "grafana/twiml-guard.json").read_text())
    panels = board["panels"]
    expect(len({panel["id"] for panel in panels}) == len(panels), "two panels have the same id")
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        expect(not cells & taken and max(x for x, _ in cells) < 24, f"{panel['title']} lies over another panel or outside")
        taken |= cells
    questions = [target["expr"] for panel in panels for target in panel["targets"]]
    questions += [note["expr"] for note in board["annotations"]["list"]]
    known = {f"${variable['name']}" for variable in board["templating"]["list"]} | {"$__rate_interval"}
    used = set(re.findall(r"\$\w+", "".join(questions)))
    expect(used <= known, f"no such variables: {sorted(used - known)}")
    rules = [{"record": f"panel:{number}", "expr": question.replace("$__rate_interval", "5m")} for number, question in enumerate(questions)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yml"
        # JSON is YAML.
        path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
        run([promtool, "check", "rules", path])


def runbook_names_only_what_exists():
    """Shell blocks parse, files it names exist, and its alerts are the rules' alerts."""
    text = (DEPLOY / "RUNBOOK.md").read_text()
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.M | re.S)
    expect(len(blocks) >= 5, f"only {len(blocks)} shell blocks found")
    for block in blocks:
        run(["bash", "-n"], input=block)
    for name in set(re.findall(r"deploy/[\w./-]*\w", text)):
        expect((TOP / name).exists(), f"{name} does not exist")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        expect((DEPLOY / link).exists(), f"the link to {link} leads nowhere")
    rules = (DEPLOY / "prometheus/twiml-guard.rules.yml").read_text()
    alerts = set(re.findall(r"alert: (\w+)", rules))
    told = set(re.findall(r"TwimlGuard\w+", text))
    expect(alerts == told, f"alerts {sorted(alerts)}, in the runbook {sorted(told)}")
    titles = {title.strip() for title in re.findall(r"^#+ (.+)$", text, re.M)}
    for title in re.findall(r'"RUNBOOK: (.+?)"', rules):
        expect(title in titles, f"an alert points to the chapter {title!r}, which is not in the runbook")


def licences_are_whole():
    apache = (TOP / "LICENSE-APACHE").read_text()
    expect("Version 2.0, January 2004" in apache and "END OF TERMS AND CONDITIONS" in apache, "LICENSE-APACHE is cut")
    expect("The twiml-guard authors" in (TOP / "LICENSE-MIT").read_text(), "LICENSE-MIT names nobody")
    package = tomllib.loads((TOP / "Cargo.toml").read_text())["package"]
    expect(package["license"] == "Apache-2.0 OR MIT", f"Cargo.toml says {package['license']}")
    changes = (TOP / "CHANGELOG.md").read_text()
    expect(f"## [{package['version']}]" in changes, f"CHANGELOG.md has no entry for {package['version']}")


CHECKS = [
    systemd_unit_is_understood,
    systemd_unit_is_hardened,
    systemd_unit_does_not_restart_in_vain,
    dockerfiles_are_clean,
    image_is_minimal,
    kubernetes_manifests_are_valid,
    kubernetes_traffic_meets_the_guard,
    compose_file_is_valid,
    alert_rules_do_what_they_say,
    dashboard_is_whole,
    runbook_names_only_what_exists,
    licences_are_whole,
]
