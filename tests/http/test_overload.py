"""More than there is room for: connections, descriptors, bytes, lines."""
import sys

sys.dont_write_bytecode = True
from cocodata import annotation, category, detection
from harness import (EVALUATE, SANITIZED, SLOW, WAIT_S, Daemon, Skip, ask,
                     check, chunks, contains, dial, each, equal, get, head,
                     main, path, read_reply, short, test, together, wait_until)
from outside import (LARGE_ANSWER, MIB, MISH, SLACK_BYTES, Baseline, admin,
                     all_end, connections, cpu_s, deaf, descriptors,
                     forget_peak, has_ended, memory, percentile, probe,
                     rejected, scrape)
import json
import os
import re
import resource
import socket
import struct
import threading
import time
import zlib

JSON = "application/json"


# Greedy clients

PIPELINED = 5000 if SANITIZED else 100000


def pipeline(s, n):
    """Sends n requests, whose ids are numbers, as fast as it goes."""
    for i in range(0, n, 100):
        s.sendall(b"".join(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
                           b"X-Request-Id: %d\r\n\r\n" % k
                           for k in range(i, min(i + 100, n))))


def ids_of_answers(s, n):
    """The ids of the next n answers, in their order."""
    found, text = [], b""
    while len(found) < n:
        piece = s.recv(1 << 18)
        check(piece, f"the connection ends after {len(found)} answers")
        text += piece
        whole = text.rfind(b'{"status":"ok"}') + 15
        if whole >= 15:
            found += re.findall(rb"X-Request-Id: (\d+)", text[:whole])
            text = text[whole:]
    return [int(k) for k in found]


@test(f"{PIPELINED} pipelined requests are answered in order"
      + " (fewer under sanitizers)" * SANITIZED)
def pipelining():
    """And others do not wait for the end of them."""
    with Daemon("--log-level", "warning") as d, dial(d) as s:
        s.settimeout(WAIT_S)
        times = []
        sender = threading.Thread(target=pipeline, args=(s, PIPELINED),
                                  daemon=True)
        over = threading.Event()

        def others():
            while not over.is_set():
                times.append(probe(d))
        other = threading.Thread(target=others, daemon=True)
        began = time.monotonic()
        sender.start()
        other.start()
        got = ids_of_answers(s, PIPELINED)
        took = time.monotonic() - began
        over.set()
        other.join(WAIT_S)
        sender.join(WAIT_S)
        equal(got == list(range(PIPELINED)), True, "their order")
        check(len(times) >= 5, f"{len(times)} other answers meanwhile")
        check(percentile(times, 0.5) < 0.1 * WAIT_S,
              f"others waited {percentile(times, 0.5)} s")
        print(f"# {took:.2f} s; others: {len(times)} answers, median "
              f"{percentile(times, .5):.4f} s, p99 {percentile(times, .99):.4f}"
              " s", flush=True)


# More connections than there may be


def dial_from(d, address):
    """A connection from this address of the machine's own."""
    try:
        return socket.create_connection((d.host, d.port), WAIT_S,
                                        (address, 0))
    except OSError as e:
        raise Skip(f"nobody can come from {address}: {e}") from None


def check_turned_away(s, status):
    """The answer is this, says when to come again, and is the last."""
    with s:
        s.settimeout(WAIT_S)
        reply = read_reply(s)
        equal(reply.status, status, reply.text())
        equal(reply.header("Retry-After"), "1")
        equal(reply.header("Connection"), "close")
        equal(reply.json()["status"], status)
        equal(s.recv(1), b"", "the connection")


def ask_on(s, target="/livez"):
    """The status of a GET on a connection that is kept."""
    s.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return read_reply(s).status


@test("more connections than there may be, of one address and of all")
def connection_limits():
    """The surplus is told so; who is there already, and admins, are served."""
    d = Daemon("--connections", "30", "--connections-per-address", "20",
               "--admin-listen", "127.0.0.1:0")
    base = Baseline(d)
    kept = [dial(d) for _ in range(20)]
    equal(ask_on(kept[0]), 200)
    for _ in range(5):
        check_turned_away(dial(d), 429)
    kept += [dial_from(d, "127.0.0.2") for _ in range(10)]
    equal(ask_on(kept[-1]), 200)
    for address in ("127.0.0.2", "127.0.0.3"):
        check_turned_away(dial_from(d, address), 503)
    crowd = [dial_from(d, "127.0.0.3") for _ in range(400)]
    equal([ask_on(s) for s in kept], [200] * 30, "who is there already")
    equal(get(admin(d), "/livez").status, 200)
    equal(get(admin(d), "/readyz").status, 200)
    wait_until(lambda: rejected(admin(d), "connections") == 402, "the crowd")
    equal(rejected(admin(d), "address_connections"), 5.0)
    for s in kept:
        s.close()
    wait_until(lambda: sum(connections(admin(d)).values()) == 1, "room")
    equal(get(d, "/livez").status, 200, "the next one")
    base.returns()  # although the crowd has closed nothing
    check(all(has_ended(s) for s in crowd), "some of the crowd are in")
    for s in crowd:
        s.close()


@test("descriptors are used up")
def no_descriptors():
    """It neither spins nor dies, and serves again when there are some."""
    d = Daemon("--admin-listen", "127.0.0.1:0")
    base = Baseline(d)
    _, hard = resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE)
    asking = dial(admin(d))
    equal(ask_on(asking), 200, "the administrator, who is let in before")
    resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE,
                     (base.fds + 11, hard))
    kept = [dial(d) for _ in range(60)]
    wait_until(lambda: "no descriptor" in d.log(), "descriptors are used up")
    wait_until(lambda: descriptors(d) >= base.fds + 10, "all are in use")
    before, began = cpu_s(d), time.monotonic()
    time.sleep(1.5)
    share = (cpu_s(d) - before) / (time.monotonic() - began)
    check(share < 0.1 * SLOW, f"it uses {share:.2f} of a processor for nothing")
    equal(ask_on(kept[0]), 200, "who is there already")
    equal(ask_on(asking, "/metrics"), 200, "the administrator")
    lines = d.log().count("no descriptor")
    check(lines < 60, f"{lines} lines say the same")
    for s in kept + [asking]:
        s.close()
    equal(probe(d) < WAIT_S, True, "it serves again")
    base.returns()
    print(f"# {share:.3f} of a processor, {lines} lines", flush=True)


# Bombs

BOMB_BYTES = 1 << 30


def gzip_bomb():
    """1 GiB of zeros: a megabyte of them, again and again."""
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    z.compress(bytes(MIB))
    z.flush(zlib.Z_FULL_FLUSH)
    piece = z.compress(bytes(MIB)) + z.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + piece * (BOMB_BYTES // MIB) + \
        b"\x03\0" + struct.pack("<II", 0xa5a5a5a5, BOMB_BYTES & 0xffffffff)


def zstd_bomb():
    """1 GiB of zeros: blocks of one byte and how often it comes, RFC 8878."""
    block = struct.pack("<I", 1 << 1 | (128 << 10) << 3)[:3] + b"\0"
    last = struct.pack("<I", 1 | 1 << 1 | 1 << 3)[:3] + b"\0"
    return b"\x28\xb5\x2f\xfd\x00\x38" + block * (BOMB_BYTES >> 17) + last


CODINGS = [("gzip", gzip_bomb), ("zstd", zstd_bomb)]
PLACES = [
    (EVALUATE, JSON), (EVALUATE, "multipart/form-data; boundary=x"),
    ("/v1/batch", JSON), (MISH, JSON), (MISH, "application/x-npy"),
    ("/v2/models/activations.mish/infer", JSON),
    ("/v2/models/activations.mish/infer", "application/octet-stream"),
]


@each("a bomb of 1 GiB in {0}, to every kind of route", CODINGS)
def bombs(coding, make):
    """413 or another refusal, whether at once or in chunks; no memory."""
    bomb = make()
    d = Daemon("--max-body", "16M", "--workers", "1")
    base = Baseline(d)
    forget_peak(d)
    got = {}
    for target, kind in PLACES:
        for data in (bomb, chunks(bomb, 50000)):
            length = len(bomb) if data is bomb else None
            got[target, kind, length is None] = bomb_status(
                d, head(length, "Content-Encoding: " + coding,
                        target=target).replace(JSON.encode(), kind.encode())
                + data)
    wrong = {k: v for k, v in got.items() if v != 413}
    equal(wrong, {}, "status, where it is not 413")
    grown = memory(d, "VmHWM") - base.rss
    print(f"# {len(bomb)} bytes; it grew by {grown >> 20} MiB", flush=True)
    check(grown < 40 * MIB + SLACK_BYTES, f"it grew by {grown >> 20} MiB")
    base.returns()


def bomb_status(d, data):
    """The status that is the answer, sent before or after all is read."""
    with dial(d) as s:
        try:
            s.sendall(data)
        except OSError:
            pass  # the answer must be there all the same
        return read_reply(s, "POST").status


# Lines that nobody takes


@test("the disk of the log is full")
def log_full():
    """The service goes on and counts what is lost."""
    with open("/dev/full", "wb") as full, Daemon(stderr=full) as d:
        for _ in range(50):
            equal(get(d, "/livez").status, 200)
        wait_until(lambda: scrape(d)["evald_log_lines_dropped_total"] >= 50,
                   "lines that are lost")
        equal(d.stop(), 0)


@test("nobody reads the log's pipe")
def log_unread():
    """The service goes on; the reader learns later how much there was."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as pipe, Daemon(stderr=pipe) as d:
        pipe.close()
        with dial(d) as s:
            n = 3000 if SLOW == 1 else 1500
            threading.Thread(target=pipeline, args=(s, n),
                             daemon=True).start()
            equal(len(ids_of_answers(s, n)), n)
        dropped = scrape(d)["evald_log_lines_dropped_total"]
        check(0 < dropped < n, f"{dropped} lines dropped")
        check(probe(d) < WAIT_S, "it is slow")
        text = read_all(reader, d)
    contains(text, "lines were dropped here", "stopped")


def read_all(reader, d):
    """What is in the pipe, while the daemon is asked and stopped."""
    out = []

    def read():
        with os.fdopen(reader, "rb") as f:
            out.append(f.read())
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    equal(get(d, "/livez").status, 200)
    time.sleep(0.2)
    equal(get(d, "/livez").status, 200)
    equal(d.stop(), 0)
    thread.join(WAIT_S)
    check(out, "the pipe has no end")
    return out[0].decode()


# Everything at once

MEMORY = 256 * MIB
COUNTED = True  # the budget counts all that requests hold
UPLOAD = 24 * MIB
LIMITS_S = 5


def upload(d, target, piece, size):
    """Sends a large body; its status, or None where it was cut."""
    try:
        with dial(d) as s:
            s.sendall(head(size, target=target))
            for _ in range(size // len(piece)):
                s.sendall(piece)
            return read_reply(s, "POST").status
    except Exception:  # http.client has several
        return None


@test("everything at its limit at once: resident memory stays in --memory")
def all_limits():
    """Large uploads, bombs, deaf clients, more connections than may be."""
    if SANITIZED:
        raise Skip("sanitizers have memory of their own")
    d = Daemon("--memory", "256M", "--connections", "200", "--max-body",
               "64M", "--send-timeout", "2s", "--connections-per-address",
               "200", "--admin-listen", "127.0.0.1:0")
    base = Baseline(d)
    forget_peak(d)
    end = time.monotonic() + LIMITS_S
    seen = {}
    row = b"[0.12345678,12.5],"
    inner = row * (MIB // len(row)) + b" " * (MIB % len(row))
    zipped = head(len(GZIP), "Content-Encoding: gzip", target="/v1/batch") \
        + GZIP

    def count(what):
        seen[what] = seen.get(what, 0) + 1

    def uploads(target, piece):
        while time.monotonic() < end:
            count(upload(d, target, piece, UPLOAD))

    def bombers():
        while time.monotonic() < end:
            try:
                count(bomb_status(d, zipped))
            except Exception:  # turned away
                count(None)

    def the_deaf():
        made = []
        while time.monotonic() < end:
            try:
                made.append(deaf(d, LARGE_ANSWER))
            except OSError:
                pass
            time.sleep(0.05)
            if len(made) > 150:
                made.pop(0).close()
    together([lambda t=t, p=p: uploads(t, p) for t in (EVALUATE, MISH,
                                                      "/v1/batch")
              for p in (inner, b" " * MIB, b"[" * MIB)] +
             [bombers, bombers, the_deaf])
    peak = memory(d, "VmHWM")
    print(f"# answers {seen}; peak {peak >> 20} MiB of {MEMORY >> 20}",
          flush=True)
    equal(get(admin(d), "/livez").status, 200)
    base.returns()
    if peak >= MEMORY and not COUNTED:
        raise Skip(f"peak {peak >> 20} MiB: not all is counted yet")
    check(peak < MEMORY, f"peak {peak >> 20} MiB")


def batches(images, each):
    """Batches of 200 images with so many detections each."""
    for first in range(1, images + 1, 200):
        ids = range(first, first + 200)
        yield json.dumps({"image_ids": list(ids), "detections": [
            detection(i, 1, [i % 97, k, 10 + k, 20], (i * 31 + k) % 997 / 997)
            for i in ids for k in range(each)]})


@test("runs that come in and are read at once: memory stays in --memory")
def runs_in_memory():
    """Its own; pages of the store's file, mapped, are the system's."""
    if SANITIZED:
        raise Skip("sanitizers have memory of their own")
    images, most = 2000, 64 << 20
    truth = {"images": [{"id": i + 1} for i in range(images)],
             "categories": [category(1)],
             "annotations": [annotation(i + 1, i + 1, 1, [i % 97, 0, 10, 20],
                                        200) for i in range(images)]}
    bodies = list(batches(images, 50))
    with Daemon("--memory", "64M", "--store", path("memory.db")) as d:
        peak, over = [0], threading.Event()

        def watch():
            while not over.wait(0.005):
                peak[0] = max(peak[0], memory(d, "RssAnon"))

        def until_done(method, target, body=None):
            while True:
                reply = ask(d, method, target, body, {"Content-Type": JSON})
                if reply.status not in (413, 503):
                    check(reply.status in (200, 201), short(reply.text()))
                    return reply.json()
                if method == "GET":
                    return None
                time.sleep(0.05)

        def stream():
            run = "/v1/runs/" + until_done("POST", "/v1/runs",
                                           '{"dataset":"d"}')["id"]
            for body in bodies:
                until_done("POST", run + "/images", body)
            for what in ("summary", "images", "arrays", "summary"):
                until_done("GET", f"{run}/{what}")
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        until_done("PUT", "/v1/datasets/d", json.dumps(truth))
        together([stream] * 8)
        over.set()
        watcher.join(WAIT_S)
        print(f"# peak {peak[0] >> 20} MiB of {most >> 20}", flush=True)
        check(16 << 20 < peak[0] < most, f"peak {peak[0] >> 20} MiB")


GZIP = gzip_bomb()
test("memory comes back from all of them")(all_end)
main()
