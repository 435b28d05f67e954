"""Times a large detection body over HTTP, and says where the time goes.

usage: evaluate.py EVALD [BODY]

Starts the daemon EVALD with two workers and sends BODY (a made-up request of
about 57 MB, where none is given) with curl: as JSON, as a form of two files,
and compressed by gzip.  Prints medians over the rounds: seconds from the first
byte to the answer, the server's own parsing, scoring and writing
(Server-Timing), and what is left, which is sending and receiving that nothing
else was done in the meantime of.  Parsing goes on while the body arrives.  As a
yardstick, a document of the same body is read by python's json in turn.  Then
the most memory that the daemon has had, above what it has idle.
"""
import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS, WAIT_S = 7, 10
PATH = "/v1/detection/evaluate"
JSON = ["-H", "Content-Type: application/json"]


def start(evald, directory, *flags):
    """The daemon, with two workers and these flags, and its address."""
    ready = os.path.join(directory, "ready")
    daemon = subprocess.Popen(
        [evald, "serve", "--listen", "127.0.0.1:0", "--workers", "2",
         "--ready-file", ready, *(flags or ["--store", "none"])],
        stderr=subprocess.DEVNULL)
    until = time.monotonic() + WAIT_S
    while not os.path.exists(ready) or not os.path.getsize(ready):
        if time.monotonic() > until:
            raise SystemExit("the daemon does not start")
        time.sleep(0.02)
    with open(ready, encoding="ascii") as f:
        return daemon, f.read().strip()


def memory(daemon, which):
    """VmRSS or VmHWM in MB."""
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as f:
        return int(re.search(which + r":\s+(\d+)", f.read())[1]) / 1000


def send(url, *arguments):
    """Seconds in all, and the parts of Server-Timing in seconds."""
    out = subprocess.run(
        ["curl", "-sS", "--fail", "-o", "/dev/null", "-D", "-", "-H",
         "Expect:", "-w", "%{time_total}", *arguments, url + PATH],
        capture_output=True, check=True, text=True).stdout
    parts = {name: float(ms) / 1000
             for name, ms in re.findall(r"(\w+);dur=([\d.]+)", out)}
    return float(out.splitlines()[-1]), parts


def report(name, runs):
    """One line of medians."""
    def middle(values):
        return statistics.median(list(values))
    total = middle(t for t, _ in runs)
    parse, score, write = (middle(p[part] for _, p in runs) for part in
                           ("parse", "compute", "encode"))
    print(f"  {name:10s} {total:6.3f} s  parse {parse:.3f}  score {score:.3f}  "
          f"write {write:.4f}  the rest {total - parse - score - write:.3f}  "
          f"(lowest {min(t for t, _ in runs):.3f})")
    return total


def make(evald, directory):
    """A request of half a million detections."""
    subprocess.run([evald, "sample", "--images=5000", "--classes=80",
                    "--objects=8", "--detections=122", directory], check=True)
    return os.path.join(directory, "request.json")


def parts_of(body, directory):
    """Its data alone, as a body, as two files, and compressed."""
    with open(body, "rb") as f:
        document = json.load(f)
    texts = {name: json.dumps(document[name]).encode()
             for name in ("ground_truth", "detections")}
    text = b'{"ground_truth":%s,"detections":%s}' % (
        texts["ground_truth"], texts["detections"])
    texts.update(body=text, gz=gzip.compress(text, 1))
    for name, content in texts.items():
        with open(os.path.join(directory, name), "wb") as f:
            f.write(content)
    return text, len(document["detections"])


def main(evald, *bodies):
    """Prints the lines."""
    with tempfile.TemporaryDirectory() as directory:
        body = bodies[0] if bodies else make(evald, directory)
        text, count = parts_of(body, directory)
        daemon, url = start(evald, directory)
        ways = {
            "JSON": [*JSON, "--data-binary",
                     "@" + os.path.join(directory, "body")],
            "form": [x for name in ("ground_truth", "detections") for x in
                     ("-F", f"{name}=@{os.path.join(directory, name)}")],
            "gzip": [*JSON, "-H", "Content-Encoding: gzip", "--data-binary",
                     "@" + os.path.join(directory, "gz")]}
        runs, loads = {name: [] for name in ways}, []
        try:
            idle = memory(daemon, "VmRSS")
            send(url, *ways["JSON"])  # not counted: memory is fresh
            most = memory(daemon, "VmHWM")
            for _ in range(ROUNDS):
                for name, arguments in ways.items():
                    runs[name].append(send(url, *arguments))
                began = time.perf_counter()
                json.loads(text)
                loads.append(time.perf_counter() - began)
            later = memory(daemon, "VmHWM")
        finally:
            daemon.terminate()
            daemon.wait(WAIT_S)
    print(f"detections over HTTP: {len(text) / 1e6:.1f} MB, {count} "
          f"detections, two workers, medians of {ROUNDS}")
    total = report("JSON", runs["JSON"])
    report("form", runs["form"])
    report("gzip", runs["gzip"])
    print(f"  python's json.loads of the same body alone: "
          f"{statistics.median(loads):.3f} s, "
          f"{statistics.median(loads) / total:.1f} times as long\n"
          f"  memory above {idle:.0f} MB idle: {most - idle:.0f} MB after the "
          f"first, {later - idle:.0f} MB after all of them")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
