"""Clients that mean harm: slow, deaf, gone, or all at once."""
import sys

sys.dont_write_bytecode = True
from harness import (SANITIZED, SLOW, WAIT_S, Daemon, check, dial, each, equal,
                     head, main, read_reply, test, wait_until)
from outside import (IOU, LARGE_ANSWER, MIB, MISH, Baseline, admin, all_end,
                     connections, deaf, jobs, leave, memory, need_descriptors,
                     percentile, post_bytes, probe, rejected)
import select
import socket
import threading
import time

# A request of 1 MB that takes many seconds: 50,000 * 50,000 pairs.
ENDLESS = post_bytes(IOU, {"parameters": {"top_k": 1}, "inputs": {
    "boxes_a": [[0, 0, 1, 1]] * 50000, "boxes_b": [[0, 0, 1, 1]] * 50000}})

# A request of 100 KB that is soon done.
HEAVY = post_bytes(MISH, {"inputs": {"x": [0.5] * 20000},
                          "outputs": ["stats"]})


# Slow clients

SLOW_CLIENTS = 200 if SANITIZED else 2000
DEADLINE_S = 3 if SLOW == 1 else 8
LATE_S = 1 + 2 * SLOW  # beyond the deadline: sweeps, and a loaded machine
P99_S = WAIT_S if SANITIZED else 0.05
WINDOWS = 4


class Slow:
    """A connection that drips the bytes of a request, or says nothing."""

    def __init__(self, d, data, at_once):
        self.socket = dial(d)
        self.since = time.monotonic()
        self.ended = None
        self.answer = b""
        self.socket.sendall(data[:at_once])
        self.rest = data[at_once:]
        if at_once:  # the deadline is the body's, which begins with this
            self.since = time.monotonic()
        self.socket.setblocking(False)

    def drip(self):
        """One byte more."""
        if self.ended or not self.rest:
            return
        try:
            self.rest = self.rest[self.socket.send(self.rest[:1]):]
        except BlockingIOError:
            pass
        except OSError:
            self.ended = time.monotonic()

    def hear(self):
        """Reads; notes when the server has ended it."""
        try:
            piece = self.socket.recv(4096)
            self.answer += piece
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece and not self.ended:
            self.ended = time.monotonic()


SLOW_HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + b"X: 1\r\n" * 999
SLOW_BODY = head(100000, target=MISH)
FORMS = [(SLOW_HEAD, 0), (SLOW_BODY + b" " * 9999, len(SLOW_BODY)), (b"", 0)]


def hear_all(poller, clients):
    """Notes who has been ended since the last time."""
    for fd, _ in poller.poll(0):
        clients[fd].hear()
        if clients[fd].ended:
            poller.unregister(fd)


def drip_and_probe(clients, places):
    """Lets each client drip in turn until all are ended; probes' times."""
    poller = select.epoll()
    for fd in clients:
        poller.register(fd, select.EPOLLIN)
    all_of_them = list(clients.values())
    times = {id(p): [] for p in places}
    end = max(c.since for c in all_of_them) + DEADLINE_S + LATE_S
    turn = 0
    while time.monotonic() < end and not all(c.ended for c in all_of_them):
        for c in all_of_them[turn % 30::30]:
            c.drip()
        hear_all(poller, clients)
        place = places[turn % len(places)]
        times[id(place)].append(probe(place))
        turn += 1
    poller.close()
    return [times[id(p)] for p in places]


def best_p99(times):
    """Of the best window of time: other programs run here, too."""
    n = len(times) // WINDOWS
    return min(percentile(times[i * n:(i + 1) * n], 0.99)
               for i in range(WINDOWS))


@test(f"slow heads, slow bodies and silence, {SLOW_CLIENTS} in all"
      + " (fewer under sanitizers)" * SANITIZED)
def slowloris():
    """Others are served meanwhile; they end in time and leave nothing."""
    need_descriptors(SLOW_CLIENTS + 100)
    deadline = f"{DEADLINE_S}s"
    d = Daemon("--header-timeout", deadline, "--body-timeout", deadline,
                "--idle-timeout", deadline, "--connections-per-address",
                "4000", "--admin-listen", "127.0.0.1:0")
    base = Baseline(d)
    made = [Slow(d, *FORMS[i % 3]) for i in range(SLOW_CLIENTS)]
    clients = {c.socket.fileno(): c for c in made}
    times = drip_and_probe(clients, [d, admin(d)])
    for what, t in zip(("--listen", "--admin-listen"), times):
        check(len(t) >= 10 * WINDOWS, f"{len(t)} probes of {what}")
        check(best_p99(t) < P99_S, f"p99 of {what}: {best_p99(t):.3f} s")
        print(f"# {what}: {len(t)} probes, p99 {percentile(t, .99):.4f} "
              f"s, best window's {best_p99(t):.4f} s", flush=True)
    check_slow(made)
    base.returns()
    for reason, least in (("header_timeout", SLOW_CLIENTS // 3 * 2),
                          ("body_timeout", SLOW_CLIENTS // 3)):
        equal(rejected(d, reason) >= least, True, reason)


def check_slow(made):
    """All were told why, after their deadline and soon after it."""
    left = [c for c in made if not c.ended]
    check(not left, f"{len(left)} connections are open still")
    lasted = [c.ended - c.since for c in made]
    check(min(lasted) > DEADLINE_S - 0.5, f"ended after {min(lasted)} s")
    check(max(lasted) < DEADLINE_S + LATE_S, f"lasted {max(lasted)} s")
    told = [c.answer.startswith(b"HTTP/1.1 408") for c in made]
    check(all(told), f"{told.count(False)} were not told why, such as " +
          repr([c.answer for c in made if not c.answer.startswith(
              b"HTTP/1.1 408")][:1]))
    print(f"# lasted {min(lasted):.2f} to {max(lasted):.2f} s", flush=True)
    for c in made:
        c.socket.close()


# Deaf clients

DEAF_CLIENTS = 8 if SANITIZED else 20


@test(f"{DEAF_CLIENTS} clients that ask for a large answer and never read")
def never_reading():
    """They are gone when the time to take it is over; memory comes back."""
    d = Daemon("--send-timeout", f"{SLOW}s", "--admin-listen",
                "127.0.0.1:0")
    base = Baseline(d)
    made = [deaf(d, LARGE_ANSWER) for _ in range(DEAF_CLIENTS)]
    wait_until(lambda: connections(admin(d))["send"] >= 1 and memory(d) >
               base.rss + 2 * MIB, "answers that wait")
    held = memory(d) - base.rss
    wait_until(lambda: rejected(admin(d), "send_timeout") == DEAF_CLIENTS,
               "the clients are given up")
    print(f"# they held {held >> 20} MiB", flush=True)
    base.returns()
    for s in made:
        s.settimeout(WAIT_S)
        check(is_cut(s), "the answer came whole")
        s.close()


def is_cut(s):
    """Whether less than the announced answer comes."""
    try:
        read_reply(s, "POST")
    except Exception:  # http.client has several
        return True
    return False


# Clients that leave

STAGES = [  # what they have sent, and the state they are then in
    ("after connecting", b"", "head"),
    ("in the request line", b"POST /v1/act", "head"),
    ("in a header", b"POST /v1/batch HTTP/1.1\r\nHost: local", "head"),
    ("behind the head", head(100000, target=MISH), "body"),
    ("in a body kept whole", head(100000, target=MISH) + b"[" * 50000,
     "body"),
    ("in a body of pieces", head(900000) + b"[" * 300000, "body"),
    ("in a chunk", head(None, target=MISH) + b"ffff\r\n[[[", "body"),
    ("behind an answer", b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", "idle"),
]
WAYS = [("FIN", False), ("RST", True)]
LEAVERS = 10


def leavers(*flags):
    """A daemon of one worker, and where to ask it."""
    return Daemon("--workers", "1", "--admin-listen", "127.0.0.1:0", *flags)


def states(d):
    """How many connections are in which state, but for the one that asks."""
    now = connections(admin(d))
    return {"idle": now["idle"], "head": now["head"] - 1, "body": now["body"]}


def expected(state):
    """How many of STAGES end in this state, times the clients."""
    return float(LEAVERS * [s for _, _, s in STAGES].count(state))


@each("clients that leave before the work begins by {0}", WAYS)
def leave_early(_way, hard):
    """At every stage; nothing of them stays."""
    d = leavers()
    base = Baseline(d)
    made = []
    for _what, data, _state in STAGES * LEAVERS:
        made.append(dial(d))
        made[-1].sendall(data)
    want = {s: expected(s) for s in ("idle", "head", "body")}
    wait_until(lambda: states(d) == want, "all are at their stage")
    for s in made:
        leave(s, hard)
    base.returns()
    equal(rejected(d, "client_gone"), want["body"])


@test("clients that leave together with the last that they send")
def leave_at_once():
    """Their end comes along with data; half of them only close their side."""
    d = leavers()
    base = Baseline(d)
    made = []
    for _what, data, _state in STAGES * LEAVERS:
        s = dial(d)
        s.sendall(data)
        if len(made) % 2:
            s.shutdown(socket.SHUT_WR)
        else:
            s.close()
        made.append(s)
    base.returns()
    for s in made:
        s.close()


@each("clients that leave while queued or computed by {0}", WAYS)
def leave_late(_way, hard):
    """What is computed for them stops, and the worker is free at once."""
    d = leavers()
    base = Baseline(d)
    made = [dial(d)]
    made[0].sendall(ENDLESS)
    wait_until(lambda: jobs(admin(d)) == 1, "it is computed")
    for _ in range(LEAVERS):
        made.append(dial(d))
        made[-1].sendall(HEAVY)
    wait_until(lambda: connections(admin(d))["work"] == 1 + LEAVERS,
               "they wait")
    for s in made[1:]:  # the queue first
        leave(s, hard)
    wait_until(lambda: rejected(admin(d), "client_gone") == LEAVERS,
               "the queue is empty")
    equal(jobs(admin(d)), 1.0, "and the first one is computed still")
    leave(made[0], hard)
    wait_until(lambda: jobs(admin(d)) == 0, "it stops")
    equal(rejected(admin(d), "client_gone"), 1.0 + LEAVERS)
    with dial(d) as s:
        s.sendall(HEAVY)
        equal(read_reply(s, "POST").status, 200, "the next one")
    base.returns()


@each("clients that leave while the answer is sent by {0}", WAYS)
def leave_sent(_way, hard):
    """Its memory is not kept for them."""
    d = leavers()
    base = Baseline(d)
    made = [deaf(d, LARGE_ANSWER) for _ in range(LEAVERS)]
    wait_until(lambda: connections(admin(d))["send"] == LEAVERS,
               "answers that wait")
    for s in made:
        s.recv(1000)
        leave(s, hard)
    wait_until(lambda: rejected(admin(d), "client_gone") == LEAVERS,
               "the clients are given up")
    base.returns()


@test("a body that comes too slowly is ended long before its deadline")
def slow_rate():
    """Begun with the file, as nobody judges the first ten seconds."""
    _rate.thread.join(10 + WAIT_S)
    check(not _rate.thread.is_alive(), "it is not ended")
    equal(_rate.status, 408)
    check(10 <= _rate.lasted < 10 + WAIT_S, f"lasted {_rate.lasted} s")
    equal(rejected(_rate.d, "body_timeout"), 1.0)
    equal(_rate.d.stop(), 0)


class SlowRate:
    """A client whose body comes at 10 bytes a second, in the background."""

    def __init__(self):
        self.d = Daemon("--body-rate", "100", "--body-timeout", "5m")
        self.status = self.lasted = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        """Until there is an answer."""
        began = time.monotonic()
        with dial(self.d) as s:
            s.sendall(head(100000, target=MISH))
            while not select.select([s], [], [], 0.1)[0]:
                s.send(b" ")
            self.lasted = time.monotonic() - began
            self.status = read_reply(s, "POST").status


test("memory comes back from all of them")(all_end)
_rate = SlowRate()
main()
