"""Who is let in when there is much to do, and what the others are told."""
import sys

sys.dont_write_bytecode = True
from harness import (EVALUATE, SLOW, WAIT_S, Daemon, Reply, ask, check,
                     check_problem, contains, dial, each, equal, get, head,
                     main, path, read_reply, run, send, server, short, test,
                     wait_until)
from labour import JSON, MISH, NMS, labour, small
import contextlib
import gzip
import http.client
import re
import socket
import time

LONG = labour(100000)  # some ten seconds of work
HEAVY = labour(4500)   # a moment, but a body of more than 64 KiB
TINY = b'{"inputs":{"x":[0]}}'
QUEUE = ["--workers", "2", "--queue-heavy", "1"]
SOON_S = 4 * SLOW
VITAL = ["/livez", "/readyz", "/healthz", "/metrics", "/v2/health/live",
         "/v2/health/ready"]


def reach(d, source=None):
    """A raw socket to the daemon, from an address of loopback."""
    s = socket.create_connection((d.host, d.port), WAIT_S,
                                 (source, 0) if source else None)
    return s


def gauge(d, series):
    """A value of /metrics, 0 if it is not there."""
    found = re.search("^" + re.escape(series) + r" (\d+)", get(
        d, "/metrics").text(), re.M)
    return int(found[1]) if found else 0


def refusals(d, reason):
    """How many were counted with this reason."""
    return gauge(d, f'evald_rejections_total{{reason="{reason}"}}')


@contextlib.contextmanager
def full(d):
    """One heavy request is computed, and one waits: no more may."""
    with dial(d) as runs, dial(d) as waits:
        runs.sendall(head(len(LONG), target=NMS) + LONG)
        wait_until(lambda: gauge(d, 'evald_jobs_running{lane="heavy"}') == 1,
                   "a job that runs")
        waits.sendall(head(len(LONG), target=NMS) + LONG)
        wait_until(lambda: gauge(d, 'evald_queue_depth{lane="heavy"}') == 1,
                   "a job that waits")
        yield
    wait_until(lambda: gauge(d, 'evald_jobs_running{lane="heavy"}') == 0,
               "the end of both")


def overloaded(reply, target):
    """reply is a 503 that says when to come again."""
    equal((reply.status, reply.header("Content-Type")),
          (503, "application/problem+json"), short(reply.text()))
    check(1 <= int(reply.header("Retry-After")) <= 60, "Retry-After")
    p = reply.json()
    equal((p["type"], p["instance"]), ("/problems/overloaded", target))
    return p


# Queues


@each("a full queue: 503 before the upload, {0}", [
    ("by length", head(10 ** 7, target=NMS)),
    ("in chunks", head(None, target=NMS)),
    ("that asks first", head(10 ** 7, "Expect: 100-continue", target=NMS)),
    ("of an evaluation", head(10 ** 7))])
def before_upload(_name, raw):
    """Only the head is sent; a client that asks is spared the body."""
    d = server(*QUEUE)
    before = refusals(d, "queue")
    with full(d), dial(d) as s:
        began = time.monotonic()
        s.sendall(raw)
        reply = read_reply(s, "POST")
        check(time.monotonic() - began < SOON_S, "late")
        target = NMS if NMS.encode() in raw else EVALUATE
        overloaded(reply, target)
        equal(reply.header("Connection"), "close")
        equal(s.recv(1), b"", "what follows")
    wait_until(lambda: refusals(d, "queue") == before + 1, "its count")


@test("a full queue: a body that is on its way does not cost the answer")
def while_uploading():
    """The client sends on for a while, and then reads."""
    d = server(*QUEUE)
    with full(d), dial(d) as s:
        s.sendall(head(10 ** 6, target=NMS))
        with contextlib.suppress(OSError):
            for _ in range(10):
                s.sendall(b" " * 20000)
                time.sleep(0.01)
        overloaded(read_reply(s, "POST"), NMS)


@test("a full queue: smaller requests go on")
def small_go_on():
    """On the loop, and in the other lane."""
    d = server(*QUEUE)
    with full(d):
        for body in (TINY, small()):
            began = time.monotonic()
            reply = ask(d, "POST", MISH, body, JSON)
            equal(reply.status, 200, short(reply.text()))
            check(time.monotonic() - began < SOON_S, "late")
        for target in VITAL + ["/v1"]:
            equal(get(d, target).status, 200, target)


@test("a full queue: a small body is dropped, and the connection goes on")
def keep_alive():
    """What is compressed may be large, so it is heavy, too."""
    d, body = server(*QUEUE), gzip.compress(TINY)
    with full(d), dial(d) as s:
        for _ in range(3):
            s.sendall(head(len(body), "Content-Encoding: gzip", target=MISH) +
                      body)
            reply = read_reply(s, "POST")
            overloaded(reply, MISH)
            equal(reply.header("Connection"), None)
            s.sendall(head(len(TINY), target=MISH) + TINY)
            equal(read_reply(s, "POST").status, 200)


@test("a queue that is empty again takes the next")
def after_all():
    """Nothing of the full one is left."""
    d = server(*QUEUE)
    reply = ask(d, "POST", NMS, HEAVY, JSON)
    equal(reply.status, 200, short(reply.text()))


# Memory


@test("--memory: 503 when it is spoken for by other uploads")
def memory():
    """Those that are let in get their answer; when they are gone, others."""
    d, length = server("--memory", "64M", "--max-body", "24M"), 12 << 20
    before, answers = refusals(d, "memory"), []
    with contextlib.ExitStack() as stack:
        kept = []
        for _ in range(10):
            s = stack.enter_context(dial(d))
            s.sendall(head(length, "Expect: 100-continue", target=NMS))
            first = s.recv(12, socket.MSG_PEEK)
            if first == b"HTTP/1.1 100":
                s.recv(25)
                s.sendall(b" " * (length - 1))
                kept.append(s)
            else:
                answers.append(read_reply(s, "POST"))
        used = gauge(d, "evald_memory_bytes_in_use")
        check(used <= 64 << 20, f"{used} bytes are in use")
        for target in VITAL:
            equal(get(d, target).status, 200, target)
        for s in kept:
            s.sendall(b" ")
            answers.append(read_reply(s, "POST"))
    refused = [a for a in answers if a.status == 503]
    equal({a.status for a in answers}, {400, 503})
    for reply in refused:
        contains(overloaded(reply, NMS)["detail"], "memory")
    wait_until(lambda: refusals(d, "memory") == before + len(refused),
               "their count")
    wait_until(lambda: ask(d, "POST", NMS, HEAVY, JSON).status == 200, "room")


def ground_truth(n):
    """With so many annotations, some 75 bytes each."""
    rows = b",".join(b'{"id":%d,"image_id":1,"category_id":1,"bbox":[1,2,30,'
                     b'40],"iscrowd":0}' % i for i in range(1, n + 1))
    return (b'{"images":[{"id":1}],"categories":[{"id":1}],"annotations":['
            + rows + b"]}")


@test("what never fits in --memory is 413 for good, what may later is 503")
def never_fits():
    """The first whether or not others have a part of it at the moment."""
    d = server("--memory", "64M", "--store", path("never-fits.db"))
    limits = get(d, "/v1").json()["limits"]
    equal(limits["body_bytes_max"], 16 << 20, "a quarter")
    small, large = ground_truth(60000), ground_truth(190000)
    check(len(large) < 16 << 20, f"{len(large)} bytes are too many")
    target = "/v1/datasets/d"
    for _ in range(2):
        reply = ask(d, "PUT", target, large, JSON)
        check_problem(d, reply, 413, "too-much-memory", target)
        equal(reply.header("Retry-After"), None)
    equal(ask(d, "PUT", target, small, JSON).status, 201)
    with dial(d) as others:
        others.sendall(head(15 << 20, "Expect: 100-continue", target=NMS))
        contains(others.recv(25), b"HTTP/1.1 100")
        others.sendall(b" " * ((15 << 20) - 1))
        reply = ask(d, "PUT", target, small, JSON)
        overloaded(reply, target)
    wait_until(lambda: ask(d, "PUT", target, small, JSON).status == 200,
               "room")


@test("--max-body: 413 before the upload, which says the limit")
def max_body():
    """It will never fit, so there is no Retry-After."""
    d = server("--memory", "64M", "--max-body", "24M")
    with dial(d) as s:
        s.sendall(head(25 << 20, "Expect: 100-continue", target=NMS))
        reply = read_reply(s, "POST")
    p = check_problem(d, reply, 413, "body-too-large", NMS)
    contains(p["detail"], str(24 << 20))
    equal(reply.header("Retry-After"), None)
    wait_until(lambda: refusals(d, "too_large") == 1, "its count")


# Clients


def throttled(d, reply, target=MISH):
    """reply is a 429 that says when to come again."""
    check_problem_from(d, reply, target)
    check(1 <= int(reply.header("Retry-After")) <= 60, "Retry-After")


def check_problem_from(d, reply, target):
    """As check_problem, but its page is asked for from elsewhere."""
    equal((reply.status, reply.header("Content-Type")),
          (429, "application/problem+json"), short(reply.text()))
    p = reply.json()
    equal((p["type"], p["instance"]), ("/problems/throttled", target))
    equal(send(d, "GET", p["type"]).status, 200)


@test("--client-rate: 429 for one address, and not for another")
def rate_by_address():
    """A burst is free; a connection goes on; later it may again."""
    with Daemon("--client-rate", "2", "--client-burst", "6") as d:
        with reach(d, "127.0.9.1") as s:
            got = []
            for _ in range(12):
                s.sendall(head(len(TINY), target=MISH) + TINY)
                got.append(read_reply(s, "POST"))
            first = [r.status for r in got]
            equal(first[:6], [200] * 6)
            check(429 in first, str(first))
            throttled(d, next(r for r in got if r.status == 429))
            equal(send(d, "POST", MISH, TINY, JSON, "127.0.9.2").status, 200)
            for target in VITAL * 3:
                reply = send(d, "GET", target, source="127.0.9.1")
                equal(reply.status, 200, target)

            def again():
                s.sendall(head(len(TINY), target=MISH) + TINY)
                return read_reply(s, "POST").status == 200
            time.sleep(0.6)
            wait_until(again, "its rate")
        wait_until(lambda: refusals(d, "rate") >= first.count(429), "counts")


@test("--client-rate: by token, wherever it comes from")
def rate_by_token():
    """Another's token has its own, from the same address."""
    tokens = {}
    for name in ("a", "b"):
        r = run("token", "new", name, "--file", path("tokens"))
        tokens[name] = {"Authorization": "Bearer " +
                        r.stdout.decode().strip()}
    with Daemon("--client-rate", "1", "--client-burst", "3", "--tokens",
                path("tokens")) as d:
        got = [send(d, "GET", "/v1", headers=tokens["a"]).status
               for _ in range(8)]
        equal(got[:3], [200] * 3)
        check(429 in got, str(got))
        equal([send(d, "GET", "/v1", headers=tokens["b"],
                    source="127.0.9.1").status for _ in range(3)], [200] * 3)
        equal([send(d, "GET", "/metrics", headers=tokens["a"]).status
               for _ in range(8)], [200] * 8)


@test("--client-concurrency: 429 while one is under way, for its client")
def concurrency():
    """Before the upload; others may, and so may it when that has ended."""
    with Daemon("--client-concurrency", "1", "--workers", "2") as d:
        with reach(d, "127.0.9.1") as s:
            s.sendall(head(len(LONG), target=NMS) + LONG)
            wait_until(lambda: gauge(
                d, 'evald_jobs_running{lane="heavy"}') == 1, "a job")
            with reach(d, "127.0.9.1") as other:
                other.sendall(head(10 ** 7, target=NMS))
                throttled(d, read_reply(other, "POST"), NMS)
            for target in VITAL:
                equal(send(d, "GET", target, source="127.0.9.1").status, 200)
            equal(send(d, "POST", MISH, TINY, JSON).status, 200)

        def again():
            return send(d, "POST", MISH, TINY, JSON,
                        "127.0.9.1").status == 200
        wait_until(again, "the end of what was under way")
        wait_until(lambda: refusals(d, "concurrency") >= 1, "its count")
        equal(refusals(d, "rate"), 0)


@test("--connections-per-address: 429 for one too many, not for others")
def connections_of_address():
    """Before it has sent anything; when one is closed there is room."""
    with Daemon("--connections", "8", "--connections-per-address",
                "2") as d, contextlib.ExitStack() as stack:
        mine = [stack.enter_context(reach(d, "127.0.9.1")) for _ in range(2)]
        for s in mine:
            s.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            equal(read_reply(s).status, 200)
        with reach(d, "127.0.9.1") as s:
            reply = read_reply(s)
        equal((reply.status, reply.json()["type"]),
              (429, "/problems/throttled"))
        check(reply.header("Retry-After"), "no Retry-After")
        equal(send(d, "GET", "/livez").status, 200)
        mine[0].close()

        def room():
            try:
                return send(d, "GET", "/livez",
                            source="127.0.9.1").status == 200
            except (OSError, http.client.HTTPException):
                return False
        wait_until(room, "room")
        check(refusals(d, "address_connections") >= 1, "counts")


# Administrators


def admin_port(d):
    """The port that --admin-listen has got."""
    line = re.compile(r"health and metrics on http://127\.0\.0\.1:(\d+)")
    wait_until(lambda: line.search(d.log()), "the log's line")
    return int(line.search(d.log())[1])


def ask_admin(d, method, target, body=None):
    """One request there: Reply."""
    c = http.client.HTTPConnection(d.host, admin_port(d), timeout=WAIT_S)
    c.request(method, target, body)
    reply = Reply(c.getresponse())
    c.close()
    return reply


@test("--admin-listen: health and metrics at any load, and nothing else")
def admin():
    """With no connection left for others, and no token."""
    run("token", "new", "x", "--file", path("others"))
    with Daemon("--connections", "2", "--connections-per-address", "2",
                "--admin-listen", "127.0.0.1:0", "--tokens",
                path("others")) as d, dial(d) as a, dial(d) as b:
        for s in (a, b):
            s.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            equal(read_reply(s).status, 200)
        with dial(d) as s:
            reply = read_reply(s)
            equal((reply.status, reply.json()["type"]),
                  (503, "/problems/overloaded"))
            check(reply.header("Retry-After"), "no Retry-After")
        for target in VITAL:
            equal(ask_admin(d, "GET", target).status, 200, target)
        for method, target, body in (
                ("GET", "/", None), ("GET", "/v1", None),
                ("GET", "/problems/forbidden", None), ("GET", "/docs", None),
                ("POST", MISH, TINY), ("GET", "/v1/nothing", None)):
            reply = ask_admin(d, method, target, body)
            equal((reply.status, reply.json()["type"]),
                  (404, "/problems/not-found"), target)
            contains(reply.json()["detail"], "health and metrics")
        contains(ask_admin(d, "GET", "/metrics").text(),
                 'evald_rejections_total{reason="connections"} 1')


main()
