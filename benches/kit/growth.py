"""How cost grows with the work: the turns of benches/growth, and their tables."""

import subprocess

from . import proxies, turns
from .setup import tell
from .report import doubts, place
from .tables import markdown, median, number, ratios

TABLES = {
    "connections": (1, 4, 16, 64, 256, 1000),
    "faults": (0, 1, 10, 50, 100),
    "roles": (10, 100, 1000, 10000),
    "streams": (1, 20, 100, 300, 1000),
}


class Growth:
    def __init__(self, chosen, tool, builds):
        self.chosen, self.tool = chosen, tool
        self.makers = {name: (proxies.Guard, path) for name, path in builds.items()}
        self.makers |= {name: (proxies.KINDS[name], None) for name in chosen.peers}

    def measure(self):
        self.backend = proxies.Backend(self.tool, {proxies.OTHER_CORE})
        self.loader = turns.Loader(self.tool, self.backend, {proxies.OTHER_CORE})
        try:
            return {table: self.table(table, [size for size in TABLES[table] if size <= (self.chosen.most or size)]) for table in self.chosen.only}
        finally:
            self.backend.close()

    def table(self, table, sizes):
        """Each table has proxies of its own, so that none carries what another made it remember."""
        results = {size: {} for size in sizes}
        running = {}
        try:
            for name, (kind, path) in self.makers.items():
                running[name] = kind(name, self.backend, 1, {proxies.PROXY_CORE}, path)
                turns.prime(self.loader, running[name])
            for number_of_round in range(self.chosen.rounds):
                for size in sizes:
                    tell(f"{table}, round {number_of_round + 1} of {self.chosen.rounds}: {size}")
                    for name in self.order(number_of_round, list(running), table):
                        results[size].setdefault(name, []).append(self.turn(table, size, running.get(name)))
        finally:
            for proxy in running.values():
                proxy.close()
        return results

    @staticmethod
    def order(number_of_round, names, table):
        names = [*names, "direct"] if table == "streams" else names
        turn = number_of_round % len(names)
        return names[turn:] + names[:turn]

    def turn(self, table, size, proxy):
        times = {"warm": self.chosen.warm, "seconds": self.chosen.seconds}
        if table == "connections":
            return self.loader.run("closed", proxy, "/voice/350", connections=size, **times)
        if table == "faults":
            return self.loader.run("closed", proxy, {"/voice/500": size, "/voice/350": 100 - size}, **times)
        if table == "roles":
            # All of them are asked before the clock runs.
            self.loader.run("closed", proxy, f"/roles/#{size}", warm=0, count=size + 10, seconds=60)
            return self.loader.run("closed", proxy, f"/roles/#{size}", **times)
        return self.streams(size, proxy, times)

    def streams(self, size, proxy, times):
        """The load speaks WebSocket here: no list of expected answers, it holds every echo to what the backend sends."""
        command = self.loader.command("streams", proxy, "/ws/media", connections=size, **times)
        command[command.index("--paths") + 1] = "/ws/media"
        process = proxies.start(command, self.loader.cores, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return self.loader.outcome(process, proxy)


def text(about, results, guards, peers):
    names = [*guards, *peers]
    out = [place(about),
           f"{about['command']}: {about['rounds']} rounds, {about['seconds']:g} s a turn; proxy on one core, load and backend on the other", ""]
    for table, by_size in results.items():
        out += [TABLE_TEXT[table](by_size, names, guards), ""]
    out += [f"Doubtful: {doubt}." for doubt in doubts(results)]
    return "\n".join(out).rstrip()


def field(rounds, name):
    return [one[name] for one in rounds]


def closed(title):
    def table(by_size, names, guards):
        head = [title]
        for name in names:
            head += [f"{name}: cpu µs", "req/s", "p50 ms", "p99 ms"]
        head += [f"{guard}: cpu of {names[-1]}" for guard in guards if names[-1] not in guards]
        rows = []
        for size, rounds in by_size.items():
            row = [f"{size:,}"]
            for name in names:
                own = rounds[name]
                row += [number(median(field(own, "cpu_us"))), number(median(field(own, "per_second"))),
                        number(median(field(own, "p50_us")) / 1000), number(median(field(own, "p99_us")) / 1000)]
            row += [f"{median(ratios(field(rounds[guard], 'cpu_us'), field(rounds[names[-1]], 'cpu_us'))):.2f}" for guard in guards if names[-1] not in guards]
            rows.append(row)
        return markdown(head, rows)
    return table


def faults(by_size, names, _):
    calm = by_size.get(0)
    head = ["% faulty"]
    for name in names:
        head += [f"{name}: cpu µs", "of calm", "req/s", "p99 ms"]
    rows = []
    for size, rounds in by_size.items():
        row = [str(size)]
        for name in names:
            own = rounds[name]
            of_calm = median(ratios(field(own, "cpu_us"), field(calm[name], "cpu_us"))) if calm else None
            row += [number(median(field(own, "cpu_us"))), number(of_calm), number(median(field(own, "per_second"))),
                    number(median(field(own, "p99_us")) / 1000)]
        rows.append(row)
    return markdown(head, rows)


def streams(by_size, names, _):
    head = ["streams", "no proxy: p99 ms"]
    for name in names:
        head += [f"{name}: cpu µs a frame", "added p50 ms", "added p99 ms"]
    rows = []
    for size, rounds in by_size.items():
        direct = rounds["direct"]
        row = [f"{size:,}", number(median(field(direct, "p99_us")) / 1000)]
        for name in names:
            own = rounds[name]
            added = {quantile: median([mine[quantile] - bare[quantile] for mine, bare in zip(own, direct)]) for quantile in ("p50_us", "p99_us")}
            row += [number(median(field(own, "cpu_us"))), number(added["p50_us"] / 1000), number(added["p99_us"] / 1000)]
        rows.append(row)
    return markdown(head, rows)


TABLE_TEXT = {"connections": closed("connections"), "faults": faults, "roles": closed("learnt URLs"), "streams": streams}
