"""
The end of a daemon under load: who was let in gets an answer; restarts without
a gap; and the service manager, made up here.
"""
import sys

sys.dont_write_bytecode = True
from cocodata import many
from harness import (EVALUATE, REPORTS, SLOW, WAIT_S, Daemon, Reply, check,
                     contains, dial, each, equal, get, head, main, path,
                     read_reply, short, test, together, wait_until)
from labour import JSON, MISH, NMS, labour, small
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import time

DRAIN_IDLE_S = 1  # what a draining daemon waits for the next request
LONG = labour(100000)  # some ten seconds of work
TINY = b'{"inputs":{"x":[0]}}'
SCORE = json.dumps(many(20, 20)).encode()
READY = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"


# Load


class Load:
    """Clients in loops; each request has an id of its own."""

    def __init__(self, d):
        self.d = d
        self.statuses = {}  # of answers, by id
        self.draining = False
        self.over = False

    def ask(self, c, name, target, body):
        """One request; whether its connection goes on."""
        c.request("POST", target, body, {**JSON, "X-Request-Id": name})
        response = c.getresponse()
        reply = Reply(response)
        equal(reply.header("X-Request-Id"), name)
        check(reply.status == 200 or reply.json()["type"] in
              ("/problems/draining", "/problems/overloaded"),
              short(reply.text()))
        self.statuses[name] = reply.status
        return not response.will_close

    def kept(self, name, target, body):
        """
        On one connection, until the daemon ends it behind an answer; or
        without a word, while it drains, when this client paused for a second.
        """
        c = http.client.HTTPConnection(self.d.host, self.d.port,
                                       timeout=WAIT_S)
        n, goes_on, asked = 0, True, time.monotonic()
        while goes_on:
            before, asked = asked, time.monotonic()
            try:
                goes_on = self.ask(c, f"{name}-{n}", target, body)
            except ConnectionError:
                paused = time.monotonic() - before
                check(self.draining and n and paused >= DRAIN_IDLE_S,
                      f"{name}-{n}: closed after {paused:.3f} s")
                break  # it was not let in: see no_loss
            n += 1
        check(self.draining, "closed before its time")
        c.close()

    def fresh(self, name, target, body):
        """Each on its own connection, until there is none to be had."""
        n = 0
        while not self.over:
            c = http.client.HTTPConnection(self.d.host, self.d.port,
                                           timeout=WAIT_S)
            try:
                self.ask(c, f"{name}-{n}", target, body)
            except (ConnectionError, http.client.RemoteDisconnected) as e:
                check(self.draining, f"{name}-{n}: no connection: {e!r}")
                return  # it was not let in: see no_loss
            finally:
                c.close()
            n += 1

    def end(self, after):
        """SIGTERM when there have been so many answers."""
        wait_until(lambda: len(self.statuses) >= after, "the load")
        self.draining = True
        self.d.signal(signal.SIGTERM)

    def no_loss(self):
        """What the daemon has read is what the clients have answers to."""
        lines = re.findall(r" (\d{3}) POST .* id=([a-z]+[0-9]+-[0-9]+)",
                           self.d.log())
        logged = {name: int(status) for status, name in lines}
        lost = {k: v for k, v in logged.items() if k not in self.statuses}
        equal(lost, {}, "lost")
        equal(logged, self.statuses)


@each("SIGTERM under load with {0} loops: no request is lost, exit code 0", [
    (1,), (2,), (4,)])
def under_load(loops):
    """Connections that are kept and new ones; small posts, and work."""
    large = small()
    with Daemon("--loops", str(loops), "--workers", "2") as d:
        load = Load(d)
        tasks = []
        for i in range(3):
            tasks += [
                lambda i=i: load.kept(f"tiny{i}", MISH, TINY),
                lambda i=i: load.kept(f"large{i}", MISH, large),
                lambda i=i: load.kept(f"score{i}", EVALUATE, SCORE),
                lambda i=i: load.fresh(f"new{i}", MISH, TINY),
                lambda i=i: load.fresh(f"newscore{i}", EVALUATE, SCORE)]
        together(tasks + [lambda: load.end(300 // SLOW)])
        began = time.monotonic()
        equal(d.wait(), 0, d.log()[-2000:])
        check(time.monotonic() - began < WAIT_S, "took long")
        load.no_loss()
        for word in REPORTS:
            check(word not in d.log(), d.log()[-4000:])


@each("--reuse-port with {0} loops: a restart under load fails nobody", [
    (1,), (2,)])
def without_gap(loops):
    """Each request on a new connection; the first daemon is told to end."""
    flags = ["--reuse-port", "--loops", str(loops), "--workers", "2"]
    with contextlib.ExitStack() as daemons:
        old = daemons.enter_context(Daemon(*flags))
        load = Load(old)
        tasks = [lambda i=i: load.fresh(f"new{i}", MISH, TINY)
                 for i in range(6)]

        def restart():
            """Who knocked in vain knocks again in a second, so new stays."""
            wait_until(lambda: len(load.statuses) >= 100, "the load")
            new = daemons.enter_context(
                Daemon(*flags, listen=f"127.0.0.1:{old.port}"))
            equal(new.port, old.port)
            old.signal(signal.SIGTERM)
            equal(old.wait(), 0, old.log()[-2000:])
            check("cannot be left to others" not in old.log(), old.log())
            before = len(load.statuses)
            wait_until(lambda: len(load.statuses) > before + 100,
                       "the new one")
            load.over = True
            equal(get(new, "/readyz").status, 200)
        together(tasks + [restart])  # load.draining stays: no fault may be
        equal(set(load.statuses.values()), {200})


# What is not done in time


@test("work that takes longer than --grace: 503 in time, exit code 0")
def too_long():
    """One that runs, and one that waits."""
    with Daemon("--grace", f"{1500 * SLOW}ms", "--workers", "1") as d, \
            dial(d) as runs, dial(d) as waits:
        for s in (runs, waits):
            s.sendall(head(len(LONG), target=NMS) + LONG)
        wait_until(lambda: 'jobs_running{lane="heavy"} 1' in
                   get(d, "/metrics").text() and 'queue_depth{lane="heavy"} 1'
                   in get(d, "/metrics").text(), "both")
        began = time.monotonic()
        d.signal(signal.SIGTERM)
        for s in (runs, waits):
            reply = read_reply(s, "POST")
            equal((reply.status, reply.json()["type"]),
                  (503, "/problems/draining"), short(reply.text()))
            equal(reply.header("Connection"), "close")
            check(reply.header("Retry-After"), "no Retry-After")
        equal(d.wait(), 0, d.log()[-2000:])
        check(time.monotonic() - began < 4 * SLOW, "later than --grace")


@each("an upload that never ends, {0}: 503 in time, exit code 0", [
    ("of an operation", head(1000, target=MISH) + b"{"),
    ("of an evaluation", head(10 ** 7) + b'{"ground_truth"'),
    ("in chunks", head(None, target=MISH) + b"1\r\n{\r\n")])
def endless(_name, raw):
    """The rest of its body is not waited for."""
    with Daemon("--grace", "600ms") as d, dial(d) as s:
        s.sendall(raw)
        wait_until(lambda: 'connections{state="body"} 1' in
                   get(d, "/metrics").text(), "a body")
        d.signal(signal.SIGTERM)
        reply = read_reply(s, "POST")
        equal((reply.status, reply.json()["type"]),
              (503, "/problems/draining"), short(reply.text()))
        equal(s.recv(1), b"")
        equal(d.wait(), 0, d.log()[-2000:])


@test("a head that never ends, and idle connections: exit code 0 soon")
def idlers():
    """They are closed, whatever --idle-timeout says."""
    with Daemon("--grace", f"{1500 * SLOW}ms", "--header-timeout", "60s") \
            as d, dial(d) as idle, dial(d) as half, dial(d) as silent:
        idle.sendall(READY)
        equal(read_reply(idle).status, 200)
        half.sendall(READY[:20])
        time.sleep(0.1)
        d.signal(signal.SIGTERM)
        equal(d.wait(), 0, d.log()[-2000:])
        equal(idle.recv(1), b"")
        contains(half.recv(4096), b"HTTP/1.1 503 ")
        silent.recv(4096)


@test("--grace 0s: what runs is told at once")
def no_grace():
    """The exit code is 0 all the same."""
    with Daemon("--grace", "0s", "--workers", "1") as d, dial(d) as s:
        s.sendall(head(len(LONG), target=NMS) + LONG)
        wait_until(lambda: 'jobs_running{lane="heavy"} 1' in
                   get(d, "/metrics").text(), "a job")
        d.signal(signal.SIGTERM)
        code = d.wait()
        check(code in (0, 1), f"exit code {code}\n" + d.log())
        if code == 1:
            contains(d.log(), "1 requests are lost")


@test("a second signal while work runs: exit code 1, at once")
def twice():
    """The log says what is lost."""
    with Daemon("--workers", "1") as d, dial(d) as s:
        s.sendall(head(len(LONG), target=NMS) + LONG)
        wait_until(lambda: 'jobs_running{lane="heavy"} 1' in
                   get(d, "/metrics").text(), "a job")
        d.signal(signal.SIGTERM)
        wait_until(lambda: "finishing 1 requests" in d.log(), "the first")
        began = time.monotonic()
        d.signal(signal.SIGTERM)
        equal(d.wait(), 1, d.log())
        check(time.monotonic() - began < 2 * SLOW, "took long")
        contains(d.log(), "asked to stop twice: 1 requests are lost")


@test("while it drains readyz is 503 at once, on both listeners")
def not_ready():
    """On a connection that was there, and for administrators on new ones."""
    with Daemon("--admin-listen", "127.0.0.1:0") as d, dial(d) as kept, \
            dial(d) as busy:
        line = re.compile(r"metrics on http://127\.0\.0\.1:(\d+)")
        wait_until(lambda: line.search(d.log()), "the log's line")
        port = int(line.search(d.log())[1])

        def admin(target):
            c = http.client.HTTPConnection(d.host, port, timeout=WAIT_S)
            with contextlib.closing(c):
                c.request("GET", target)
                return Reply(c.getresponse())
        kept.sendall(READY)
        equal(read_reply(kept).status, 200)
        equal(admin("/readyz").status, 200)
        busy.sendall(head(len(TINY), target=MISH))
        wait_until(lambda: 'connections{state="body"} 1' in
                   admin("/metrics").text(), "a body")
        d.signal(signal.SIGTERM)
        wait_until(lambda: admin("/readyz").status == 503, "503")
        kept.sendall(READY)
        equal(read_reply(kept).status, 503)
        equal(admin("/livez").status, 200)
        contains(admin("/metrics").text(), "\nevald_ready 0")
        busy.sendall(TINY)
        equal(read_reply(busy, "POST").status, 200)
        equal(d.wait(), 0, d.log()[-2000:])


# The service manager


@test("systemd's notifications: ready, reloading, stopping")
def notified():
    """In that order, with the time that it may take."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path("notify"))
        manager.settimeout(WAIT_S)
        env = {**os.environ, "NOTIFY_SOCKET": path("notify"),
               "WATCHDOG_USEC": "200000"}
        alive = []

        def told():
            while True:
                message = manager.recv(4096)
                if message != b"WATCHDOG=1":
                    return message
                alive.append(message)
        with Daemon("--grace", "7s", env=env) as d:
            equal(told(), b"READY=1")
            d.signal(signal.SIGHUP)
            check(re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", told()),
                  "no reload")
            equal(told(), b"READY=1")
            while len(alive) < 3:
                alive.append(manager.recv(4096))
            equal(set(alive), {b"WATCHDOG=1"})
            d.signal(signal.SIGTERM)
            equal(told(), b"STOPPING=1\nEXTEND_TIMEOUT_USEC=7000000")
            equal(d.wait(), 0, d.log())


HAND_OVER = """
import fcntl, os, sys
n = int(sys.argv[1])
fds = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[2:2 + n]]
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(n))
os.execv(sys.argv[2 + n], sys.argv[2 + n:])
"""


def listener():
    """A socket as a service manager opens it."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(16)
    return s


@each("sockets of the service manager, {0} loops", [(1,), (3,)])
def activated(loops):
    """They take the place of --listen, and are there before the daemon."""
    with listener() as http_socket, listener() as admin_socket:
        fds = [http_socket.fileno(), admin_socket.fileno()]
        port, admin = [s.getsockname()[1] for s in (http_socket, admin_socket)]
        with socket.create_connection(("127.0.0.1", port), WAIT_S) as early:
            early.sendall(READY)
            with Daemon("--loops", str(loops), before=(
                    sys.executable, "-c", HAND_OVER, "2", *map(str, fds)),
                    env={**os.environ, "LISTEN_FDNAMES": "http:admin"},
                    pass_fds=fds) as d:
                equal(d.port, port)
                equal(read_reply(early).status, 200)
                early.close()
                for _ in range(20):
                    equal(get(d, "/v1").status, 200)
                d.port = admin
                equal([get(d, t).status for t in ("/readyz", "/v1")],
                      [200, 404])
                equal(d.stop(), 0, d.log())
        # it stays the manager's: clients wait for the next daemon
        with socket.create_connection(("127.0.0.1", port), WAIT_S):
            pass


main()
