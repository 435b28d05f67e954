"""How bodies travel: framing, types, limits, many clients, broken ones."""
import sys

sys.dont_write_bytecode = True
from cocodata import many, one, zoo
from harness import (EVALUATE, SLOW, Daemon, ask, check, check_problem,
                     chunks, connection, contains, dial, each, equal, get,
                     head, main, post, read_reply, Reply, server, test,
                     together, wait_until)
import json
import socket
import struct
import time

LIMIT = 65536
JSON = "application/json"
ZOO = json.dumps(zoo(outputs=["summary", "per_class", "per_image"])).encode()


def small_server():
    """A daemon that takes bodies of up to LIMIT bytes."""
    return server("--max-body", "64K")


def large_body():
    """About 3 MB, or less where all is slow: work for the pool."""
    if "body" not in _large:
        _large["body"] = json.dumps(many(100, 360 // SLOW)).encode()
    return _large["body"]


def large_answer():
    """The answer to it, asked for once in the plainest way."""
    if "answer" not in _large:
        reply = post(server(), large_body())
        equal(reply.status, 200)
        _large["answer"] = reply.body
    return _large["answer"]


_large = {}


# Types


@each("Content-Type {0!r} is {1}", [
    (JSON, 200), ("Application/JSON", 200), (JSON + "; charset=utf-8", 200),
    (JSON + ';charset="UTF-8"', 200), (JSON + "; charset=utf-16", 415),
    (JSON + "; charset=iso-8859-1", 415), (None, 415), ("", 415),
    ("application/x-www-form-urlencoded", 415), ("text/plain", 415),
    ("text/json", 415), ("application/jsonl", 415), ("application", 415),
    ("multipart/form-data; boundary=x", 400),
    ("application/octet-stream", 415), ("application/x-npy", 415)])
def content_type(value, status):
    """415 says what is read, in Accept-Post too."""
    c = connection(server())
    c.putrequest("POST", EVALUATE)
    c.putheader("Content-Length", str(len(ZOO)))
    if value is not None:
        c.putheader("Content-Type", value)
    c.endheaders(ZOO)
    reply = Reply(c.getresponse())
    c.close()
    equal(reply.status, status, reply.text()[:300])
    if status == 415:
        p = check_problem(server(), reply, 415, "unsupported-media-type")
        contains(p["detail"], JSON)
        contains(reply.header("Accept-Post") or "", JSON)


# Framing


def send(pieces, body_length, pause_s=0.0):
    """Sends a head and pieces of a body; the answer."""
    with dial(server()) as s:
        s.sendall(head(body_length))
        for piece in pieces:
            s.sendall(piece)
            time.sleep(pause_s)
        reply = read_reply(s)
    equal(reply.status, 200, reply.text()[:300])
    return reply.body


def cut(data, size):
    """data in pieces."""
    return [data[i:i + size] for i in range(0, len(data), size)]


@each("a body in pieces of {0} bytes", [(1,), (7,), (1000,)])
def in_pieces(size):
    """The same answer as in one."""
    equal(send(cut(ZOO, size), len(ZOO)), post(server(), ZOO).body)


@test("a body in pieces with pauses between them")
def with_pauses():
    """Ten pieces over a quarter of a second."""
    equal(send(cut(ZOO, len(ZOO) // 9), len(ZOO), 0.025),
          post(server(), ZOO).body)


@each("a chunked body, chunks of {0} bytes", [(1,), (13,), (100000,)])
def chunked(size):
    """The same answer as with Content-Length."""
    equal(send([chunks(ZOO, size)], None), post(server(), ZOO).body)


@test("a chunked body, byte by byte on the wire")
def chunked_bytes():
    """The framing is cut everywhere."""
    body = json.dumps(one()).encode()
    equal(send(cut(chunks(body, 5), 1), None), post(server(), body).body)


@test("a chunked body with chunk extensions and a trailer")
def chunk_extensions():
    """RFC 9112 7.1: both may be ignored."""
    body = json.dumps(one()).encode()
    text = b"%X;a=b\r\n%s\r\n0\r\nX-T: 1\r\n\r\n" % (len(body), body)
    equal(send([text], None), post(server(), body).body)


@test("Expect: 100-continue is answered before the body comes")
def expect_continue():
    """Then the answer follows."""
    with dial(server()) as s:
        s.sendall(head(len(ZOO), "Expect: 100-continue"))
        check(s.recv(64).startswith(b"HTTP/1.1 100"), "no 100")
        s.sendall(ZOO)
        equal(read_reply(s).body, post(server(), ZOO).body)


@test("POSTs on one connection, errors between them")
def posts_keep_alive():
    """200 and 422 after a whole body leave the connection open."""
    c = connection(server())
    for body, status in ((ZOO, 200), (b"{}", 422), (b"{", 400)) * 5:
        c.request("POST", EVALUATE, body, {"Content-Type": JSON})
        equal(Reply(c.getresponse()).status, status)
    c.close()


@each("broken framing: {0}", [
    ("a chunk size that is no number", None, b"zz\r\n{}\r\n0\r\n\r\n"),
    ("a negative chunk size", None, b"-2\r\n{}\r\n0\r\n\r\n"),
    ("a chunk size beyond 64 bits", None, b"f" * 17 + b"\r\n{}"),
    ("a negative Content-Length", "-1", b""),
    ("a Content-Length that is no number", "ten", b"0123456789"),
    ("a Content-Length beyond 64 bits", "9" * 30, b"")])
def broken_framing(_what, length, body):
    """400 or 413 or the end of the connection, never an answer with 200."""
    with dial(server()) as s:
        s.sendall(head(length) + body)
        s.shutdown(socket.SHUT_WR)
        answer = s.recv(65536)
    check(answer == b"" or answer.startswith((b"HTTP/1.1 400",
                                              b"HTTP/1.1 413")),
          repr(answer[:200]))
    equal(get(server(), "/livez").status, 200, "the server goes on")


# Limits


def padded(size):
    """A good body of exactly this many bytes."""
    return ZOO + b" " * (size - len(ZOO))


def check_too_large(reply):
    """413 that says the limit."""
    p = check_problem(small_server(), reply, 413, "body-too-large")
    contains(p["detail"], str(LIMIT))


@test("a body of exactly the limit is taken, one byte more is not")
def limit():
    """With Content-Length and in chunks."""
    for size, status in ((LIMIT, 200), (LIMIT + 1, 413)):
        for framing in (size, None):
            with dial(small_server()) as s:
                data = padded(size)
                s.sendall(head(framing) + (chunks(data, 4096) if framing is
                                           None else data))
                reply = read_reply(s)
            equal(reply.status, status, f"{size} {framing}")
            if status == 413:
                check_too_large(reply)


@each("413 by Content-Length {0} before any of the body", [
    (LIMIT + 1,), (10 ** 9,), (2 ** 63 - 1,)])
def too_large_early(length):
    """Without sending the body; the connection then ends."""
    with dial(small_server()) as s:
        s.sendall(head(length))
        check_too_large(read_reply(s))
        equal(s.recv(1), b"", "the connection")


@test("413 in place of 100 Continue")
def too_large_expect():
    """The client has asked before sending."""
    with dial(small_server()) as s:
        s.sendall(head(10 ** 6, "Expect: 100-continue"))
        first = s.recv(12)
        equal(first, b"HTTP/1.1 413")


@each("413 reaches a client that sends {0} bytes first", [
    (100_000,), (1_000_000,), (10_000_000,)])
def too_large_sent(size):
    """Many clients send all they can, and only then read."""
    with dial(small_server()) as s:
        try:
            s.sendall(head(size) + padded(size))
        except OSError:
            pass  # the answer must be there all the same
        check_too_large(read_reply(s))


@each("413 by a chunked upload of {0} bytes", [
    (LIMIT + 1000,), (2 * LIMIT - 1000,)])
def too_large_chunked(size):
    """Nobody knows before the limit is passed; twice of it is read."""
    with dial(small_server()) as s:
        s.sendall(head(None) + chunks(padded(size), 8192))
        check_too_large(read_reply(s))


@test("a chunked upload that never ends is ended")
def endless():
    """By the server, once it has read 4 MiB more; the kernel holds more."""
    with dial(small_server()) as s:
        s.sendall(head(None))
        piece = b"1000\r\n" + b" " * 4096 + b"\r\n"
        try:
            for _ in range(1000 * LIMIT // 4096):
                s.sendall(piece)
        except OSError:
            return
    check(False, "took a thousand times the limit")


# Large requests, many clients, broken clients


@test("a large request: the same answer however it is sent")
def large():
    """At once, in small pieces, in chunks."""
    body = large_body()
    check(len(body) > 3_000_000 // SLOW, f"{len(body)} bytes")
    equal(send(cut(body, 1400), len(body)), large_answer())
    equal(send(cut(chunks(body, 50_000), 65_000), None), large_answer())


@test("8 clients with several requests each all get their own answers")
def concurrent():
    """Different data, inline and pool sized, errors too."""
    bodies = [json.dumps(many(2 + i, 5 + 4 * i, seed=i)).encode()
              for i in range(8)]
    bodies[3] = large_body()
    wants = [post(server(), b).body for b in bodies]

    def client(i):
        c = connection(server())
        for k in range(6 if SLOW == 1 else 3):
            n = (i + k) % 8
            c.request("POST", EVALUATE, bodies[n], {"Content-Type": JSON})
            equal(Reply(c.getresponse()).body, wants[n], f"body {n}")
            c.request("POST", EVALUATE, b"{}", {"Content-Type": JSON})
            equal(Reply(c.getresponse()).status, 422)
        c.close()
    together([lambda i=i: client(i) for i in range(8)])


@test("a small request does not wait for a large one")
def small_beside_large():
    """/livez is answered while the pool works."""
    with dial(server()) as s:
        s.sendall(head(len(large_body())) + large_body())
        for _ in range(5):
            equal(get(server(), "/livez").status, 200)
        equal(read_reply(s).body, large_answer())


@test("the pool's answers come while others upload without pause")
def pool_beside_uploads():
    """As many as come in a second are many, not one or two."""
    size, piece = 200 << 20, b" " * (1 << 20)
    stop = time.monotonic() + 2 * SLOW

    def upload():
        while time.monotonic() < stop:
            with dial(server()) as s:
                s.sendall(head(size))
                sent = 0
                while sent < size - len(piece) and time.monotonic() < stop:
                    sent += s.send(piece)

    def ask_often():
        body = json.dumps(many(10, 20)).encode()  # work for the pool
        answers = 0
        while time.monotonic() < stop:
            equal(post(server(), body).status, 200)
            answers += 1
        check(answers >= 10, f"{answers} answers in {2 * SLOW} s")
    together([upload] * 4 + [ask_often])


def reset(s):
    """Closes so that the peer sees a reset."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                 struct.pack("ii", 1, 0))
    s.close()


@each("a client that {0} does no harm", [
    ("closes within the head", b"POST /v1/det", False, 0),
    ("closes after the head", head(1000), False, 0),
    ("resets after the head", head(1000), True, 0),
    ("closes within the body", head(100_000) + b"[" * 50_000, False, 0),
    ("resets within the body", head(100_000) + b"[" * 50_000, True, 0),
    ("closes within a chunk", head(None) + b"ffff\r\n[[[", False, 0),
    ("resets within a chunk", head(None) + b"ffff\r\n[[[", True, 0),
    ("closes before the answer", None, False, 0),
    ("resets before the answer", None, True, 0),
    ("resets while it is computed", None, True, 0.03)])
def goes_away(_what, data, hard, pause_s):
    """Four of each; then the server answers as before."""
    if data is None:
        data = head(len(large_body())) + large_body()
    for _ in range(4):
        s = dial(server())
        s.sendall(data)
        time.sleep(pause_s)
        if hard:
            reset(s)
        else:
            s.close()
    equal(post(server(), ZOO).body, post(server(), ZOO).body)
    equal(post(server(), large_body()).body, large_answer())


@test("requests of clients that went away end soon")
def none_left():
    """They hold memory, and a daemon that stops waits for them."""
    with Daemon() as d:
        for _ in range(30):
            with dial(d) as s:
                s.sendall(head(100_000) + b"[" * 50_000)
        wait_until(lambda: d.log().count("(client went away)") == 30,
                   "30 requests end, not " +
                   str(d.log().count("(client went away)")))
        equal(d.stop(), 0)


@test("a client that reads slowly gets all of a large answer")
def slow_reader():
    """The arrays of one category, in a small window."""
    body = json.dumps(one(outputs=["arrays"])).encode()
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(10 * SLOW)
    s.connect((server().host, server().port))
    with s:
        s.sendall(head(len(body)) + body)
        time.sleep(0.2)
        equal(read_reply(s).body, post(server(), body).body)


@test("every request leaves a line in the log, with its id")
def logged():
    """Method, path, status, id."""
    with Daemon() as d:
        ask(d, "POST", EVALUATE, ZOO, {"Content-Type": JSON,
                                       "X-Request-Id": "find-me"})
        wait_until(lambda: "find-me" in d.log(), "the log's line")
        line = [x for x in d.log().splitlines() if "find-me" in x][0]
        contains(line, "200", "POST", EVALUATE)


main()
