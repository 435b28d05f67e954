"""
Mixed load for a long time: usage: soak.py [SECONDS [EVALD]]

Small posts, batches, evaluations, forms, .npy, faults, clients that leave, and
reloads by SIGHUP.  Every answer is compared with the first of its kind.  Prints
what was done, and how resident memory grew: its slope in KiB per 1000 requests
after warm-up, by least squares.  Fails on a wrong answer, and on a slope that
means a leak.
"""
import os
import sys

sys.dont_write_bytecode = True
SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 600
if len(sys.argv) > 2:
    os.environ["EVALD"] = sys.argv[2]
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "http"))
from cocodata import many, zoo
from harness import (EVALUATE, Daemon, Failure, check, clean, connection, dial,
                     head, path, run)
from outside import Baseline, descriptors, leave, memory, scrape
import http.client
import json
import random
import signal
import socket
import struct
import threading
import time
import zlib
from types import SimpleNamespace

CLIENTS = 6
WARM_UP = 0.25  # of the time
SAMPLE_S = 0.5
RELOAD_S = 1.0
SLOPE_MAX = 4.0  # KiB per 1000 requests: 4 bytes of each
GROWTH_MIN_KIB = 16384  # over all samples; less is how load varies
JSON = "application/json"
MISH = "/v1/activations/mish"


def npy(n):
    """n float32 as numpy saves them."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({n},), }}"
    text += " " * (63 - (len(text) + 10) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + \
        text.encode() + b"".join(struct.pack("<f", i / 7) for i in range(n))


def form(body):
    """The parts of an evaluation as curl -F sends them."""
    parts = "".join(f'--x\r\nContent-Disposition: form-data; name="{name}"'
                    f"\r\n\r\n{json.dumps(value)}\r\n"
                    for name, value in body.items())
    return (parts + "--x--\r\n").encode()


def giou(n):
    """A losses/giou of n boxes."""
    return {"operation": "losses/giou",
            "inputs": {"input": [[0, 0, i + 1, 2] for i in range(n)],
                       "target": [[0, 0, 2, i + 1] for i in range(n)]}}


def packed(data):
    """data in gzip."""
    z = zlib.compressobj(6, zlib.DEFLATED, 31)
    return z.compress(data) + z.flush()


def kinds():
    """What is asked: name, weight, status, target, headers, body."""
    def j(value):
        return json.dumps(value).encode()
    typed, as_form = {"Content-Type": JSON}, {
        "Content-Type": "multipart/form-data; boundary=x"}
    as_npy = {"Content-Type": "application/x-npy"}
    large = many(40, 60)
    return [
        ("small posts", 40, 200, MISH, typed,
         j({"inputs": {"x": [-1, 0, 2]}, "outputs": ["value", "grad"]})),
        ("posts for the pool", 8, 200, MISH, typed,
         j({"inputs": {"x": [i / 7 for i in range(9000)]}})),
        ("batches", 8, 200, "/v1/batch", typed,
         j({"requests": [giou(1 + i % 9) for i in range(64)]})),
        ("evaluations", 8, 200, EVALUATE, typed,
         j(zoo(outputs=["summary", "per_class", "per_image"]))),
        ("large evaluations", 2, 200, EVALUATE, typed, j(large)),
        ("packed evaluations", 2, 200, EVALUATE,
         {**typed, "Content-Encoding": "gzip"}, packed(j(large))),
        ("forms", 6, 200, EVALUATE, as_form, form(zoo())),
        ("arrays", 6, 200, MISH, {**as_npy, "Accept": "application/x-npy"},
         npy(20000)),
        ("statistics", 4, 200, MISH + "?outputs=stats", as_npy, npy(2000)),
        ("faults in JSON", 4, 400, MISH, typed, b'{"inputs":{"x":[1,'),
        ("faults in members", 4, 422, MISH, typed, j({"input": {}})),
        ("types that are not read", 2, 415, MISH, {"Content-Type": "a/b"},
         b"x"),
        ("paths that are not there", 2, 404, "/v1/no/such", typed, b"{}"),
        ("wrong tokens", 2, 401, MISH, {**typed, "Authorization": "Bearer no"},
         b"{}"),
    ]


class Load:
    """What all clients share."""

    def __init__(self, d, token):
        self.d = d
        self.token = token
        self.kinds = kinds()
        self.first = {}  # the answers to compare with
        self.counts = {}
        self.wrong = []
        self.lock = threading.Lock()
        self.over = threading.Event()

    def count(self, name):
        """One more of this."""
        with self.lock:
            self.counts[name] = self.counts.get(name, 0) + 1

    def compare(self, name, want, status, answer):
        """Status and, but for problems, the bytes of the first answer."""
        if status == 429 and want == 401:
            return  # too many wrong tokens
        with self.lock:
            same = want != 200 or self.first.setdefault(name, answer) == answer
            if status != want or not same:
                self.wrong.append(f"{name}: {status}, {answer[:300]!r}")
                self.over.set()

    def requests(self):
        """All there were, whatever became of them."""
        with self.lock:
            return sum(self.counts.values())


def one_request(load, c, kind):
    """On a connection that is kept; its answer is compared."""
    name, _, want, target, headers, body = kind
    headers = {"Authorization": "Bearer " + load.token, **headers}
    c.request("POST", target, body, headers)
    response = c.getresponse()
    load.compare(name, want, response.status, response.read())
    load.count(name)


def one_who_leaves(load, rng, kind):
    """At a random byte, by FIN or RST, perhaps with an answer under way."""
    _, _, _, target, _, body = kind
    data = head(len(body), "Authorization: Bearer " + load.token,
                target=target) + body
    s = dial(load.d)
    s.sendall(data[:rng.randrange(len(data) + 1)])
    if rng.random() < 0.5:
        time.sleep(rng.random() * 0.01)
    leave(s, rng.random() < 0.5)
    load.count("clients that left")


def client(load, seed):
    """Requests at random until it is over."""
    rng = random.Random(seed)
    c = connection(load.d)
    weights = [k[1] for k in load.kinds]
    while not load.over.is_set():
        kind = rng.choices(load.kinds, weights)[0]
        try:
            if rng.random() < 0.05:
                one_who_leaves(load, rng, kind)
            elif rng.random() < 0.02:
                c.close()  # a new connection for the next one
            else:
                one_request(load, c, kind)
        except (OSError, http.client.HTTPException) as e:
            with load.lock:
                load.wrong.append(f"{kind[0]}: {e!r}")
            load.over.set()
    c.close()


def slope(samples):
    """KiB per 1000 requests, by least squares."""
    n = len(samples)
    x0 = sum(x for x, _ in samples) / n
    y0 = sum(y for _, y in samples) / n
    square = sum((x - x0) ** 2 for x, _ in samples)
    return 1000 * sum((x - x0) * (y - y0) for x, y in samples) / square \
        if square else 0.0


def watch(load, seconds):
    """Samples of (requests, KiB) after warm-up; reloads now and then."""
    began, samples, reloaded = time.monotonic(), [], 0.0
    while not load.over.wait(SAMPLE_S):
        gone = time.monotonic() - began
        if gone > seconds:
            break
        if gone - reloaded > RELOAD_S:
            load.d.signal(signal.SIGHUP)
            load.count("reloads")
            reloaded = gone
        if gone > seconds * WARM_UP:
            samples.append((load.requests(), memory(load.d) >> 10))
    load.over.set()
    return samples


def report(load, samples, base, seconds):
    """Prints all, and says whether it is good."""
    for name, n in sorted(load.counts.items()):
        print(f"{n:9d}  {name}")
    n = load.requests()
    print(f"{n:9d}  in all, {n / seconds:.0f} a second")
    check(not load.wrong, "wrong: " + "\n".join(load.wrong[:5]))
    check(len(samples) > 2, "too short for a slope")
    k = slope(samples)
    growth = k * (samples[-1][0] - samples[0][0]) / 1000
    low, high = min(y for _, y in samples), max(y for _, y in samples)
    print(f"memory {base.rss >> 10} KiB at first, then {low} to {high}; "
          f"slope {k:+.3f} KiB per 1000 requests, {growth:+.0f} KiB in all")
    check(k < SLOPE_MAX or growth < GROWTH_MIN_KIB, "it leaks")


def start():
    """A daemon with tokens to reload, its admins' address, and a token."""
    made = run("token", "new", "--file", path("tokens"), "soak")
    check(made.returncode == 0, made.stderr.decode())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host, port = free.getsockname()
    d = Daemon("--tokens", path("tokens"), "--log-level", "error",
               "--admin-listen", f"{host}:{port}")
    return d, SimpleNamespace(host=host, port=port), \
        made.stdout.decode().strip()


def soak(seconds):
    """The whole of it."""
    d, asks, token = start()
    base = Baseline(d, asks)
    load = Load(d, token)
    threads = [threading.Thread(target=client, args=(load, i), daemon=True)
               for i in range(CLIENTS)]
    for t in threads:
        t.start()
    samples = watch(load, seconds)
    for t in threads:
        t.join(30)
    report(load, samples, base, seconds)
    base.returns()
    print(f"at the end {descriptors(d)} descriptors, {base.fds} at first; "
          f"{int(scrape(base.asks)['evald_memory_bytes_in_use'])} bytes in use")
    base.ends()


try:
    soak(SECONDS)
except Failure as e:
    sys.exit(f"not ok: {e}")
finally:
    clean()
print("ok")
