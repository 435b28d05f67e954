"""Deadlines: of heads, bodies, work, answers and idle connections."""
import sys

sys.dont_write_bytecode = True
from harness import (EVALUATE, FILE_S, SLOW, WAIT_S, Daemon, ask, check,
                     check_problem, contains, dial, each, equal, get, head,
                     main, post, read_reply, server, short, test, wait_until)
from labour import JSON, MISH, NMS, labour, small
import json
import re
import socket
import threading
import time

SHORT_MS = 400 * min(SLOW, 4)
FLAGS = ["--workers", "1"] + [
    word for name in ("header", "body", "send", "idle")
    for word in (f"--{name}-timeout", f"{SHORT_MS}ms")]
LONG = labour(100000)  # some ten seconds, and twice that under load
SOON_S = 4 * SLOW  # much less than LONG takes
HOST = b"Host: localhost\r\n"
_drip = {}


def hasty():
    """A daemon whose clients must be fast."""
    return server(*FLAGS)


def patient():
    """One that waits for its clients, but has one worker."""
    return server("--workers", "1", "--body-rate", "1M")


def everything(s):
    """All that comes until the other side closes."""
    out = b""
    while True:
        try:
            piece = s.recv(65536)
        except ConnectionResetError:
            return out
        if not piece:
            return out
        out += piece


def last_words(got, status, name, instance):
    """got is one answer, a problem, that ends its connection."""
    top, _, body = got.partition(b"\r\n\r\n")
    lines = top.decode().split("\r\n")
    check(lines[0].startswith(f"HTTP/1.1 {status} "), short(got))
    headers = {k.lower(): v for k, _, v in
               (line.partition(": ") for line in lines[1:])}
    equal(headers["connection"], "close")
    equal(headers["content-type"], "application/problem+json")
    equal(headers["content-length"], str(len(body)))
    p = json.loads(body)
    equal((p["type"], p["status"], p["instance"], p["error"]),
          ("/problems/" + name, status, instance, p["detail"]))
    equal(p["request_id"], headers["x-request-id"])
    return p


def counted(d, reason, least=1):
    """Waits until /metrics has counted so many of these refusals."""
    wanted = re.compile(r'evald_rejections_total\{reason="%s"\} (\d+)' % reason)

    def enough():
        found = wanted.search(get(d, "/metrics").text())
        return found and int(found[1]) >= least
    wait_until(enough, reason)


def busy(d):
    """Waits until a job runs."""
    wait_until(lambda: re.search(r'jobs_running\{lane="heavy"\} 1',
                                 get(d, "/metrics").text()), "a busy worker")


def is_free(d):
    """The only worker takes a small job soon."""
    began = time.monotonic()
    reply = ask(d, "POST", MISH, small(), JSON)
    equal(reply.status, 200, short(reply.text()))
    check(time.monotonic() - began < SOON_S, "the worker goes on")


def start_drip():
    """A body at some bytes a second: --body-rate ends it after ten."""
    def run():
        with dial(patient()) as s:
            s.settimeout(40)
            s.sendall(head(10 ** 6, target=MISH))
            began = time.monotonic()
            while "got" not in _drip and time.monotonic() - began < 30:
                try:
                    s.sendall(b" " * 100)
                    s.settimeout(0.1)
                    _drip["got"] = everything(s)
                except socket.timeout:
                    pass
                except OSError:
                    break
            _drip["took"] = time.monotonic() - began
    _drip["thread"] = threading.Thread(target=run, daemon=True)
    _drip["thread"].start()


# Work


@test("a body is begun that comes too slowly, for a test below")
def begin_drip():
    """It takes more than ten seconds."""
    start_drip()


@test("X-Request-Timeout-Ms: 504 in time, and the work stops")
def own_deadline():
    """On a connection that goes on."""
    d, began = patient(), time.monotonic()
    with dial(d) as s:
        s.sendall(head(len(LONG), "X-Request-Timeout-Ms: 300",
                       "X-Request-Id: mine", target=NMS) + LONG)
        reply = read_reply(s, "POST")
        took = time.monotonic() - began
        check(0.3 <= took < SOON_S, f"{took} s")
        p = check_problem(d, reply, 504, "deadline", NMS)
        equal(p["request_id"], "mine")
        is_free(d)
        s.sendall(b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")
        equal(read_reply(s).status, 200)
    counted(d, "deadline")


@test("X-Request-Timeout-Ms: what waits in the queue gets its 504 in time")
def queued_deadline():
    """While the only worker goes on with another's request."""
    d = patient()
    with dial(d) as other:
        other.sendall(head(len(LONG), target=NMS) + LONG)
        busy(d)
        began = time.monotonic()
        reply = ask(d, "POST", MISH, small(), {
            **JSON, "X-Request-Timeout-Ms": "300"})
        took = time.monotonic() - began
        check(0.3 <= took < SOON_S, f"{took} s")
        check_problem(d, reply, 504, "deadline", MISH)
        busy(d)  # still
    is_free(d)  # as its client has gone
    counted(d, "client_gone")


@test("X-Request-Timeout-Ms: so does a body whose last piece is not read yet")
def queued_piece_deadline():
    """It is there as a whole, but nobody has looked at it."""
    d = patient()
    with dial(d) as other:
        other.sendall(head(len(LONG), target=NMS) + LONG)
        busy(d)
        reply = ask(d, "POST", EVALUATE, b"[" + b" " * (700 << 10) + b"]", {
            **JSON, "X-Request-Timeout-Ms": "300"})
        check_problem(d, reply, 504, "deadline", EVALUATE)
    is_free(d)
    counted(d, "deadline")


@test("X-Request-Timeout-Ms: 504 for a body that does not come by then")
def own_body_deadline():
    """And not 408, as it was the client's own wish."""
    with dial(patient()) as s:
        s.sendall(head(1000, "X-Request-Timeout-Ms: 300", target=MISH) + b"{")
        last_words(everything(s), 504, "deadline", MISH)


@test("X-Request-Timeout-Ms: long enough changes nothing")
def long_enough():
    """The answer is as without."""
    headers = {**JSON, "X-Request-Timeout-Ms": "60000"}
    plain = ask(patient(), "POST", MISH, small(), JSON)
    equal(ask(patient(), "POST", MISH, small(), headers).body, plain.body)


@each("--request-timeout: 504 in time, {0}", [
    ("without a wish", {}),
    ("whatever the client wishes", {"X-Request-Timeout-Ms": "60000"})])
def request_timeout(_name, headers):
    """The work stops."""
    with Daemon("--workers", "1", "--request-timeout", "300ms") as d:
        began = time.monotonic()
        reply = ask(d, "POST", NMS, LONG, {**JSON, **headers})
        took = time.monotonic() - began
        check(took < SOON_S, f"{took} s")
        check_problem(d, reply, 504, "deadline", NMS)
        wait_until(lambda: ask(d, "POST", MISH, small(), JSON).status == 200,
                   "a free worker")


# Clients that are slow


HEADS = [
    ("half a request line", b"GET /liv", "/"),
    ("a request line", b"GET /livez HTTP/1.1\r\n", None),
    ("half a head", b"GET /livez HTTP/1.1\r\n" + HOST + b"X-A: ", None)]


@each("--header-timeout: 408 for {0}", HEADS)
def header_timeout(_name, raw, instance):
    """A problem, and the end of the connection."""
    began = time.monotonic()
    with dial(hasty()) as s:
        s.sendall(raw)
        got = everything(s)
    check(time.monotonic() - began >= SHORT_MS / 1000, "too early")
    p = last_words(got, 408, "too-slow", instance or
                   json.loads(got.partition(b"\r\n\r\n")[2])["instance"])
    check(p["instance"] in ("/", "/livez"), p["instance"])
    counted(hasty(), "header_timeout")


@test("--header-timeout: single bytes do not put it off")
def header_drip():
    """It is the head's as a whole."""
    began = time.monotonic()
    with dial(hasty()) as s:
        try:
            for byte in b"GET /" + b"a" * 1000:
                s.sendall(bytes([byte]))
                time.sleep(0.02)
                check(time.monotonic() - began < SHORT_MS / 1000 + SOON_S,
                      "it goes on")
        except OSError:
            pass
    check(time.monotonic() - began >= SHORT_MS / 1000, "too early")


@test("--header-timeout: the second head of a connection has its own")
def second_head():
    """Counted from its first byte."""
    with dial(hasty()) as s:
        s.sendall(b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")
        equal(read_reply(s).status, 200)
        time.sleep(SHORT_MS / 2000)
        s.sendall(b"GET /readyz HTTP/1.1\r\n")
        last_words(everything(s), 408, "too-slow", "/readyz")


BODIES = [
    ("of an operation", MISH, 1000), ("in chunks", MISH, None),
    ("of an evaluation", EVALUATE, 1000), ("of megabytes", EVALUATE, 9 << 20)]


@each("--body-timeout: 408 for a body {0}", BODIES)
def body_timeout(_name, target, length):
    """It names what was asked for, and ends the connection."""
    began = time.monotonic()
    with dial(hasty()) as s:
        part = b'{"inputs"' if length else b"5\r\n{\"inp\r\n"
        s.sendall(head(length, target=target) + part)
        got = everything(s)
    check(time.monotonic() - began >= SHORT_MS / 1000, "too early")
    last_words(got, 408, "too-slow", target)
    counted(hasty(), "body_timeout")


@test("--body-timeout: single bytes do not put it off")
def body_drip():
    """However large it is to be."""
    began, got = time.monotonic(), b""
    with dial(hasty()) as s:
        s.sendall(head(10000, target=MISH))
        s.settimeout(0.05)
        while not got:
            check(time.monotonic() - began < SHORT_MS / 1000 + SOON_S,
                  "it goes on")
            try:
                s.sendall(b" ")
                got = s.recv(65536)
            except socket.timeout:
                continue
    contains(got, b"HTTP/1.1 408 ")


@test("--send-timeout: an answer that is not taken is cut off")
def send_timeout():
    """Its memory is others'."""
    body = json.dumps({"inputs": {"x": [i / 7 for i in range(300000)]},
                       "outputs": ["value", "grad"]}).encode()
    d = server("--workers", "1", "--send-timeout", f"{SHORT_MS}ms")
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(WAIT_S)
    s.connect((d.host, d.port))
    with s:
        s.sendall(head(len(body), target=MISH) + body)
        counted(d, "send_timeout")
        got = everything(s)
    check(got.startswith(b"HTTP/1.1 200 "), short(got))
    length = int(re.search(rb"Content-Length: (\d+)", got)[1])
    check(len(got) < length, "it came whole")


@test("--idle-timeout: an idle connection is closed, without a word")
def idle_timeout():
    """Not before its time, which begins anew with each request."""
    with dial(hasty()) as s:
        for _ in range(3):
            s.sendall(b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")
            equal(read_reply(s).status, 200)
            time.sleep(SHORT_MS / 2000)
        began = time.monotonic()
        equal(s.recv(1), b"")
        check(time.monotonic() - began >= SHORT_MS / 4000, "too early")


@test("who is fast enough notices nothing of all that")
def fast():
    """A plain evaluation."""
    reply = post(hasty(), {"ground_truth": {"images": [], "categories": [],
                                            "annotations": []},
                           "detections": []})
    equal(reply.status, 200, short(reply.text()))


@test("--body-rate: 408 for the body that was begun above")
def body_rate():
    """After its ten seconds; 1,000 bytes a second where 1M was wanted."""
    _drip["thread"].join(40)
    contains(_drip.get("got", b""), b"HTTP/1.1 408 ", b"too-slow")
    check(10 <= _drip["took"] < 10 + 2 * SOON_S, f"{_drip['took']} s")


main(FILE_S)
