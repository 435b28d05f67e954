"""Times a run whose images come in batches, beside one request with all.

usage: runs.py EVALD [BODY]

Starts the daemon EVALD with two workers and a store of its own.  BODY (a
made-up request of about 57 MB, where none is given) is sent as one request to
/v1/detection/evaluate; then its ground truth becomes a dataset and its images
a run: batches of 16 images by 8 senders, finalize, and the summary in between.
Rounds alternate, the medians are printed, and the ratio of each round.  Then
what the store takes on disk per detection, of which 48 bytes are the columns
of the image view.

Where PostgreSQL is installed the same is done with 1, 2 and 3 daemons on one
database, which this program starts in a temporary directory and ends.
"""
import contextlib
import http.client
import json
import os
import statistics
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "http"))
import postgres  # noqa: E402
from evaluate import make, start  # noqa: E402
from harness import Skip  # noqa: E402

ROUNDS, SENDERS, IMAGES, WAIT_S = 5, 8, 16, 120
VIEW_BYTES = 48
JSON = {"Content-Type": "application/json"}


@contextlib.contextmanager
def started(evald, directory, *flags):
    """The address of a daemon, which is ended, and what tells its cpu time."""
    daemon, url = start(evald, directory, *flags)
    try:
        yield url, lambda: cpu_s(daemon.pid)
    finally:
        daemon.terminate()
        daemon.wait(WAIT_S)


def cpu_s(pid):
    """Processor time of all threads of a process."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Client:
    """A connection that is kept."""

    def __init__(self, url):
        self.connection = http.client.HTTPConnection(
            urllib.parse.urlsplit(url).netloc, timeout=WAIT_S)

    def ask(self, method, path, body=None, expected=(200, 201, 204)):
        """The answer, read; it has to be one of the expected."""
        self.connection.request(method, path, body, JSON if body else {})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in expected:
            raise SystemExit(f"{method} {path}: {answer.status} {text[:300]}")
        return text


def timed(function, *arguments):
    """Seconds, and what it returned."""
    began = time.perf_counter()
    value = function(*arguments)
    return time.perf_counter() - began, value


def batches(document):
    """The bodies of a run's batches, as bytes."""
    of_image = {image["id"]: [] for image in document["ground_truth"]["images"]}
    for d in document["detections"]:
        of_image[d["image_id"]].append(d)
    ids = list(of_image)
    made = []
    for i in range(0, len(ids), IMAGES):
        some = ids[i:i + IMAGES]
        made.append(json.dumps(
            {"image_ids": some,
             "detections": [d for image in some for d in of_image[image]]},
            separators=(",", ":")).encode())
    return made


def ingest(urls, run, bodies):
    """Sends all of them, by SENDERS threads."""
    todo = iter(list(bodies))
    lock = threading.Lock()
    failed = []

    def sender(url):
        client = Client(url)
        while True:
            with lock:
                body = next(todo, None)
            if body is None or failed:
                return
            try:
                client.ask("POST", f"/v1/runs/{run}/images", body)
            except BaseException as e:  # the others are to stop, too
                failed.append(e)
                raise
    threads = [threading.Thread(target=sender, args=(urls[i % len(urls)],))
               for i in range(SENDERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise failed[0]


class Bench:
    """A request, cut into what is sent."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            document = json.load(f)
        self.count = len(document["detections"])
        self.truth = json.dumps(document["ground_truth"]).encode()
        self.whole = json.dumps({k: document[k] for k in
                                 ("ground_truth", "detections")}).encode()
        self.bodies = batches(document)

    def open(self, client):
        """A new run."""
        client.ask("PUT", "/v1/datasets/bench", self.truth)
        return json.loads(client.ask(
            "POST", "/v1/runs", b'{"dataset":"bench"}'))["id"]

    def once(self, urls, figures):
        """One round on these daemons."""
        client = Client(urls[0])
        one, answer = timed(client.ask, "POST", "/v1/detection/evaluate",
                            self.whole)
        run = self.open(client)
        half = len(self.bodies) // 2
        first, _ = timed(ingest, urls, run, self.bodies[:half])
        timed(client.ask, "GET", f"/v1/runs/{run}")
        ingest(urls, run, self.bodies[half:half + 1])
        live, _ = timed(client.ask, "GET", f"/v1/runs/{run}")
        second, _ = timed(ingest, urls, run, self.bodies[half + 1:])
        close, result = timed(client.ask, "POST", f"/v1/runs/{run}/finalize")
        if json.loads(result)["summary_array"] != \
                json.loads(answer)["summary_array"]:
            raise SystemExit("the run's summary is not the request's")
        for name, value in (("one", one), ("ingest", first + second),
                            ("live", live), ("finalize", close),
                            ("ratio", (first + second) / one)):
            figures.setdefault(name, []).append(value)
        return run

    def rounds(self, urls):
        """Medians of some rounds, whose runs are deleted."""
        figures = {}
        self.once(urls, {})  # not counted: memory is fresh
        for _ in range(ROUNDS):
            run = self.once(urls, figures)
            Client(urls[0]).ask("DELETE", f"/v1/runs/{run}")
        return {k: statistics.median(v) for k, v in figures.items()}

    def say_size(self, url, size):
        """What a first run takes: those that are deleted leave free pages."""
        empty = size()
        self.once([url], {})
        per = (size() - empty) / self.count
        print(f"  on disk {per:.1f} bytes per detection, dataset and the log "
              f"of the database included: {per - VIEW_BYTES:.1f} beyond the "
              f"columns of the image view (aim: at most 30)", flush=True)

    def say_cost(self, url, cpu):
        """The daemon's own part of ingest."""
        run = self.open(Client(url))
        before = cpu()
        ingest([url], run, self.bodies)
        print(f"  the daemon's processor time: "
              f"{(cpu() - before) / self.count * 1e6:.2f} us per detection "
              f"taken in", flush=True)

    def report(self, name, f):
        """One line."""
        print(f"  {name:24s} {f['ingest']:6.3f} s  "
              f"{self.count / f['ingest'] / 1000:5.0f} k detections/s  "
              f"one request {f['one']:.3f} s  ratio {f['ratio']:.2f} "
              f"(aim: at most 2)  finalize {f['finalize'] * 1000:.0f} ms "
              f"(aim: 150)  summary half-way {f['live'] * 1000:.0f} ms "
              f"(aim: 100)", flush=True)


def on_sqlite(bench, evald, directory):
    """The default store."""
    path = os.path.join(directory, "runs.db")

    def size():
        return sum(os.path.getsize(path + end) for end in ("", "-wal")
                   if os.path.exists(path + end))
    with started(evald, directory, "--store", path) as (url, cpu):
        bench.say_size(url, size)
        bench.report("SQLite, 1 daemon", bench.rounds([url]))
        bench.say_cost(url, cpu)


def on_postgresql(bench, evald, directory):
    """One, two and three daemons on one database."""
    try:
        server = postgres.Postgres(shared_buffers="256MB", max_wal_size="1GB",
                                   autovacuum="on")
    except Skip as skip:
        print(f"  {skip}: left out")
        return
    with server:
        for n in (1, 2, 3):
            with contextlib.ExitStack() as stack:
                urls, cpus = [], []
                for i in range(n):
                    own = os.path.join(directory, f"replica-{n}-{i}")
                    os.mkdir(own)
                    url, cpu = stack.enter_context(
                        started(evald, own, "--store", server.url))
                    urls.append(url)
                    cpus.append(cpu)
                if n == 1:
                    bench.say_size(urls[0], lambda: int(server.sql(
                        "SELECT pg_database_size('evald')").strip()))
                bench.report(f"PostgreSQL, {n} daemon{'s' * (n > 1)}",
                             bench.rounds(urls))
                if n == 1:
                    bench.say_cost(urls[0], cpus[0])


def main(evald, *bodies):
    """Prints the lines."""
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(bodies[0] if bodies else make(evald, directory))
        print(f"runs: {bench.count} detections in {len(bench.bodies)} batches "
              f"of {IMAGES} images by {SENDERS} senders, medians of {ROUNDS}")
        on_sqlite(bench, evald, directory)
        on_postgresql(bench, evald, directory)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
