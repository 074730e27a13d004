"""What is measured, and what the guard is held to."""

from typing import NamedTuple

from .tables import median, ratios, spread


class Case(NamedTuple):
    """A turn of load: closed loop, as fast as the proxy answers, or a constant rate."""

    name: str
    title: str
    mix: object
    connections: int = 16
    closing: bool = False
    rate: bool = False


CASES = [
    Case("350b", "350 B", "/voice/350"),
    Case("4k", "4 KB", "/voice/4k"),
    Case("60k", "60 KB", "/voice/60k"),
    Case("bom", "BOM repaired", "/voice/bom"),
    Case("html500", "HTML 500 replaced", "/voice/500"),
    Case("close", "350 B, Connection: close", "/voice/350", closing=True),
    Case("1m", "1 MB stream, with length", "/media/1m"),
    Case("1m-chunked", "1 MB stream, chunked", "/media/1m-chunked"),
    Case("rate", "350 B at a constant rate", "/voice/350", rate=True),
]
# What is measured in other ways, by the same `--only`.
OTHERS = {"syscalls": "system calls per request", "idle": "memory of idle connections", "start": "start"}


class Target(NamedTuple):
    """`value` of a part's results, to be at most `aim`; above `must` it is missed."""

    title: str
    cores: int
    case: str
    peer: str
    field: str
    aim: float
    must: float
    unit: str = "x"


TARGETS = [
    Target("cpu per request, 350 B, of plain nginx", 1, "350b", "nginx", "cpu_us", 1.10, 1.25),
    Target("cpu per request, 350 B, of HAProxy with full-body rules", 1, "350b", "haproxy", "cpu_us", 0.80, 0.90),
    Target("cpu per request, 60 KB, of plain nginx", 1, "60k", "nginx", "cpu_us", 2.0, 3.0),
    Target("cpu per request, 1 MB stream, of plain nginx", 1, "1m", "nginx", "cpu_us", 1.07, 1.15),
    Target("cpu per request, 1 MB stream chunked, of plain nginx", 1, "1m-chunked", "nginx", "cpu_us", 1.07, 1.15),
    Target("cpu per request, Connection: close, of plain nginx", 1, "close", "nginx", "cpu_us", 0.92, 1.05),
    Target("added p50 at a constant rate, of plain nginx's", 1, "rate", "nginx", "added_p50_us", 1.0, 1.10),
    Target("system calls per request, 1 connection", 1, "syscalls", "", "c1", 6.1, 8.1, ""),
    Target("system calls per request, 16 connections", 1, "syscalls", "", "c16", 4.3, 4.6, ""),
    Target("memory per idle connection", 1, "idle", "", "bytes", 13 * 1024, 20 * 1024, "KB"),
    Target("resident at its start, store open", 1, "start", "", "resident", 8 << 20, 8 << 20, "MB"),
    Target("first answer after its start", 1, "start", "", "first_ms", 50, 50, "ms"),
    Target("p99 on two cores, 350 B, of plain nginx's", 2, "350b", "nginx", "p99_us", 1.5, 1.5),
]


def column(rounds, field):
    """One figure of each round; None where the round has none."""
    return [one.get(field) if one else None for one in rounds]


def against(part, case, guard, target):
    """What is measured for a target: spread of the ratio to a peer, or of the figure itself; None where it was not measured."""
    mine = part.get(case, {}).get(guard)
    if not mine:
        return None
    if not target.peer:
        return spread(column(mine, target.field))
    theirs = part[case].get(target.peer)
    return spread(ratios(column(mine, target.field), column(theirs, target.field))) if theirs else None


def verdict(target, found):
    """`met`, `must` (between the aim and what it must keep) or `missed`."""
    if found["median"] <= target.aim:
        return "met"
    return "must" if found["median"] <= target.must else "missed"


def shown(target, value):
    scale = {"KB": 1024, "MB": 1 << 20}.get(target.unit, 1)
    return f"{value / scale:.2f}{' ' + target.unit if target.unit not in ('x', '') else ''}"


def judged(parts, guard):
    """Every target that could be held against what was measured."""
    out = []
    for target in TARGETS:
        part = parts.get(target.cores)
        found = against(part, target.case, guard, target) if part else None
        if found:
            out.append((target, found, verdict(target, found)))
    return out


def added(rounds):
    """Adds to each proxy's rounds at a constant rate what it added to the backend's own latency in that round."""
    direct = rounds.get("direct", [])
    for name, own in rounds.items():
        if name == "direct":
            continue
        for mine, bare in zip(own, direct):
            if mine and bare:
                for quantile in ("p50_us", "p99_us"):
                    mine[f"added_{quantile}"] = mine[quantile] - bare[quantile]


__all__ = ["CASES", "OTHERS", "TARGETS", "Case", "Target", "added", "column", "judged", "median", "shown"]
