"""The comparison as text and as JSON, and what of it the README shows."""

from . import cases
from .setup import ROOT, Failed
from .tables import markdown, median, number, ratio, ratios, spread

FIELDS = [
    # field, title, unit, scale, cases that it is shown for
    ("cpu_us", "cpu per request", "µs", 1, lambda case: True),
    ("per_second", "requests per second", "/s", 1, lambda case: not case.rate),
    ("p50_us", "p50, closed loop", "µs", 1, lambda case: not case.rate),
    ("p99_us", "p99, closed loop", "µs", 1, lambda case: not case.rate),
    ("added_p50_us", "added p50", "µs", 1, lambda case: case.rate),
    ("added_p99_us", "added p99", "µs", 1, lambda case: case.rate),
]


def base_of(rounds):
    """Whom the others are compared with."""
    names = [name for name in rounds if name != "direct"]
    return "nginx" if "nginx" in names else names[0]


def row(title, rounds, names, field, unit, scale=1):
    """One line: the base's own figure, everyone else's ratio to it."""
    base = base_of(rounds)
    cells = [title]
    theirs = cases.column(rounds[base], field)
    for name in names:
        mine = cases.column(rounds.get(name, []), field)
        if name == base:
            found = median(mine)
            cells.append(f"{number(found / scale)} {unit}".strip() if found is not None else "-")
        else:
            cells.append(ratio(spread(ratios(mine, theirs))))
    return cells


def part_text(results, about, fields=None):
    names = list(about["guards"]) + list(about["versions"])
    base = "nginx" if "nginx" in names else names[0]
    names = [base] + [name for name in names if name != base]
    out = []
    for field, title, unit, scale, fits in FIELDS:
        if fields and field not in fields:
            continue
        rows = [row(case.title, results[case.name], names, field, unit, scale)
                for case in cases.CASES if case.name in results and fits(case)]
        if rows:
            out += [f"{title} ({base}: {unit}; others: of {base}'s, median (least..most))", "", markdown(["", *names], rows), ""]
    other = []
    if "syscalls" in results:
        other += [figure(f"system calls per request, {title}", results["syscalls"], names, field, "", 1)
                  for field, title in (("c1", "1 connection"), ("c16", "16 connections"))]
    if "idle" in results:
        other.append(figure("memory per idle connection", results["idle"], names, "bytes", "KB", 1024))
    if "start" in results:
        other.append(figure("start to first answer", results["start"], names, "first_ms", "ms", 1))
        other.append(figure("resident at first answer", results["start"], names, "resident", "MB", 1 << 20))
    if other:
        out += [markdown(["", *names], other), ""]
    return "\n".join(out)


def figure(title, rounds, names, field, unit, scale):
    cells = [title]
    for name in names:
        found = median(cases.column(rounds.get(name, []), field))
        cells.append(f"{number(found / scale)} {unit}".strip() if found is not None else "-")
    return cells


def doubts(parts):
    """What makes the figures of this run less worth."""
    out = []
    rounds = [one for part in parts.values() for case in part.values() for own in case.values() for one in own if one and "answers" in one]
    others = [one["others_busy"] for one in rounds]
    if others and median(others) > 0.1:
        out.append(f"this machine was not quiet: in the median turn {median(others):.2f} cores ran something else (most {max(others):.2f}); "
                   "ratios bear that better than figures do")
    full = [one for one in rounds if one["helpers_busy"] > 0.95 and one.get("busy", 0) < 0.9]
    if full:
        out.append(f"in {len(full)} of {len(rounds)} turns load and backend had their core full: requests per second are theirs there")
    for part in parts.values():
        for name, own in part.get("recording", {}).items():
            found = own[0]
            if lost := found["dropped"] + found["not_stored"]:
                changed = sum(found.get(outcome, 0) for outcome in ("repaired", "replaced"))
                out.append(f"{name} kept {1 - lost / max(changed, lost):.0%} of {changed:,} incidents: its record could not keep up with the fastest turns")
    return out


def place(about):
    """When, where and what."""
    builds = ", ".join(f"{name} (sha256 {digest}…)" for name, digest in about["guards"].items())
    versions = ", ".join(dict.fromkeys(about["versions"].values()))
    return f"{about['date']}, {about['cpu']} ({about['cores']} cores), Linux {about['kernel']}, repository at {about['commit']}; {builds}; {versions}"


def text(about, parts, verdicts):
    out = [
        place(about),
        f"{about['command']}: {about['rounds']} rounds, {about['seconds']:g} s a turn, 16 connections, constant rate {about['rate']:g}/s",
        "",
    ]
    for cores, results in parts.items():
        where = "one core for the proxy, load and backend on the other" if cores == 1 else "two workers; proxy, load and backend share both cores"
        out += [f"## {'One core' if cores == 1 else 'Two cores'}: {where}", "", part_text(results, about), *calls_text(results)]
    out += targets_text(verdicts)
    out += [f"Doubtful: {doubt}." for doubt in doubts(parts)]
    return "\n".join(out).rstrip()


def calls_text(results):
    """Which system calls they are."""
    out = []
    for name, own in results.get("syscalls", {}).items():
        for key, title in (("c1", "1 connection"), ("c16", "16 connections")):
            calls = sorted(own[0]["by_name"][key].items(), key=lambda call: -call[1])
            out.append(f"{name}, {title}: " + ", ".join(f"{call} {count:.2f}" for call, count in calls if count >= 0.01))
    return [*out, ""] if out else []


def targets_text(verdicts):
    out = []
    for name, judged in verdicts.items():
        if judged:
            rows = [[target.title, cases.shown(target, found["median"]), f"{cases.shown(target, found['least'])}..{cases.shown(target, found['most'])}",
                     cases.shown(target, target.aim), cases.shown(target, target.must), state] for target, found, state in judged]
            out += [markdown([name, "median", "least..most", "target", "must", ""], rows), ""]
    return out


def readme(about, parts, verdicts):
    """The README's share: fewer columns of time, the same figures."""
    out = [f"`{about['command']}`, {place(about)}.", ""]
    for cores, results in parts.items():
        fields = ("cpu_us", "per_second", "added_p50_us", "added_p99_us") if cores == 1 else ("cpu_us", "per_second", "p99_us")
        out += ["One core:" if cores == 1 else "Two cores:", "", part_text(results, about, fields).strip(), ""]
    out += targets_text(verdicts)
    out += [f"Doubtful: {doubt}." for doubt in doubts(parts)]
    return "\n".join(out).rstrip()


def into_readme(mark, text):
    """Puts it between `<!-- MARK:begin -->` and `<!-- MARK:end -->`."""
    path = ROOT / "README.md"
    begin, end = f"<!-- {mark}:begin -->\n", f"\n<!-- {mark}:end -->"
    before, found, rest = path.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise Failed(f"README.md has no {begin.strip()} … {end.strip()}")
    path.write_text(before + begin + text + end + after)


def as_json(about, parts, verdicts):
    return {
        "about": about,
        "parts": {str(cores): part for cores, part in parts.items()},
        "targets": {name: [{"title": target.title, "found": found, "aim": target.aim, "must": target.must, "state": state}
                           for target, found, state in judged] for name, judged in verdicts.items()},
    }
