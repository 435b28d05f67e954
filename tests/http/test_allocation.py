"""The whole daemon while every k-th allocation of its process fails.

failing.c goes before malloc in the daemon, so that its libraries' allocations
fail, too.  Whatever is asked meanwhile gets the right answer, a problem that
says why not, or a closed connection; and all is well afterwards.
"""
import sys

sys.dont_write_bytecode = True
from cocodata import category, request
from harness import (EVALUATE, HERE, SANITIZED, Daemon, Failure, Reply,
                     Skip, check, chunks, each, equal, head, main, path,
                     read_reply, short, write)
import gzip
import http.client
import json
import mmap
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import time

# A handshake alone takes some hundred allocations.
PRIMES = {"HTTP": (2, 3, 5, 7, 11, 13, 17, 23, 31, 43, 61, 83, 113, 149, 199),
          "HTTPS": (3, 61, 149, 307, 521, 997, 1511)}
LARGE = 1 << 16  # bytes: memory of requests, and no other
REFUSED = (413, 500, 503)
ANSWER_S = 5  # for one answer, which takes milliseconds
REST_S = 25  # for spare memory to be given back
VARIES = ("Date", "Server-Timing", "X-Request-Id")
JSON = {"Content-Type": "application/json"}
MISH = "/v1/activations/mish"
NPY = b"\x93NUMPY\x01\x00\x46\x00" + \
    b"{'descr':'<f4','fortran_order':False,'shape':(2,)}".ljust(69) + \
    b"\n" + struct.pack("<2f", 1, -1)
INFER = "/v2/models/activations.relu/infer"
TENSOR = {"name": "x", "shape": [2], "datatype": "FP32"}
BYTES_HEAD = json.dumps({
    "inputs": [dict(TENSOR, parameters={"binary_data_size": 8})],
    "parameters": {"binary_data_output": True}}).encode()


def scene():
    """An evaluation of some 300 kB."""
    images = range(1, 101)
    truth = {"images": [{"id": i} for i in images],
             "categories": [category(1), category(2)],
             "annotations": [{"id": 9 * i + j, "image_id": i,
                              "category_id": 1 + j % 2, "iscrowd": 0,
                              "area": 100, "bbox": [9 * j, 0, 10, 10]}
                             for i in images for j in range(9)]}
    found = [{"image_id": i, "category_id": 1 + j % 2, "score": j / 40,
              "bbox": [9 * j, 0.5, 10, 9 + i / 10]}
             for i in images for j in range(40)]
    return json.dumps(request(truth, found)).encode()


SCENE = scene()
FORM = b"".join(
    b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    % (k.encode(), json.dumps(v).encode())
    for k, v in json.loads(SCENE).items()) + b"--b--\r\n"
NUMBERS = json.dumps({"inputs": {"x": [i / 7 for i in range(20000)]}}).encode()
MANY = json.dumps({"requests": [
    {"operation": "activations/mish", "inputs": {"x": [1, 2]}},
    {"operation": "losses/none"}]}).encode()
ASKED = [
    *(("GET", target, None, {}) for target in (
        "/", "/docs", "/openapi.json", "/livez", "/healthz", "/readyz",
        "/version", "/v1", "/problems/not-found", "/v1/operations",
        "/v1/operations/losses/focal", "/v2", "/v2/health/live",
        "/v2/health/ready", "/v2/models/activations.relu",
        "/v2/models/activations.relu/ready", "/none", "/metrics")),
    ("GET", "/openapi.json", None, {"Accept-Encoding": "gzip"}),
    ("OPTIONS", MISH, None, {}),
    ("PUT", MISH, b"1", JSON),
    ("POST", MISH, b'{"inputs":{"x":[1,-1]}}', JSON),
    ("POST", MISH, b'{"inputs":{"x":"a"}}', JSON),
    ("POST", MISH, NUMBERS, JSON),
    ("POST", MISH, gzip.compress(NUMBERS),
     dict(JSON, **{"Content-Encoding": "gzip", "Accept-Encoding": "zstd"})),
    ("POST", MISH, NPY, {"Content-Type": "application/x-npy",
                         "Accept": "application/x-npy"}),
    ("POST", "/v1/batch", MANY, JSON),
    ("POST", EVALUATE, SCENE, JSON),
    ("POST", EVALUATE, SCENE, dict(JSON, Accept="text/plain")),
    ("POST", EVALUATE, gzip.compress(SCENE),
     dict(JSON, **{"Content-Encoding": "gzip"})),
    ("POST", EVALUATE, FORM,
     {"Content-Type": "multipart/form-data; boundary=b"}),
    ("POST", INFER,
     json.dumps({"inputs": [dict(TENSOR, data=[1, -1])]}).encode(), JSON),
    ("POST", INFER, BYTES_HEAD + struct.pack("<2f", 1, -1),
     {"Content-Type": "application/octet-stream",
      "Inference-Header-Content-Length": str(len(BYTES_HEAD))}),
]


class Failing(Daemon):
    """A daemon whose allocations fail while told to."""

    def __init__(self, name, *flags):
        self.tls = "--tls-cert" in flags
        control = write(name + ".control", bytes(mmap.PAGESIZE))
        with open(control, "r+b") as f:
            self.control = mmap.mmap(f.fileno(), 32)
        os.environ["FAILING_CONTROL"] = control
        os.environ["LD_PRELOAD"] = library()
        try:
            super().__init__("--no-confine", *flags)
        finally:
            del os.environ["LD_PRELOAD"], os.environ["FAILING_CONTROL"]
        check(self.seen() > 0, "the daemon does not use failing.c")
        self.before = self.gauges()
        self.want = [self.learn(*row) for row in ASKED]

    def every(self, k, least=0):
        """Has each k-th allocation of so many bytes fail; k = 0: none."""
        self.control[0:16] = struct.pack("<2Q", k, least)

    def seen(self):
        """How many allocations there were."""
        return struct.unpack("<4Q", self.control[:])[2]

    def failed(self):
        """How many of them failed."""
        return struct.unpack("<4Q", self.control[:])[3]

    def dial(self):
        """A connection."""
        s = socket.create_connection((self.host, self.port), ANSWER_S)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.tls:
            return s
        try:
            return TLS.wrap_socket(s)
        except BaseException:
            s.close()
            raise

    def client(self):
        """A connection of http.client, for any number of requests."""
        c = http.client.HTTPConnection(self.host, self.port)
        c.sock = self.dial()
        return c

    def ask(self, method, target, body, headers):
        """One request on a connection of its own."""
        c = self.client()
        try:
            c.request(method, target, body, headers)
            return Reply(c.getresponse())
        finally:
            c.close()

    def learn(self, method, target, body, headers):
        """The right answer, and as .plain the one that is not compressed."""
        want = self.ask(method, target, body, headers)
        want.plain = self.ask(method, target, body, {
            k: v for k, v in headers.items() if k != "Accept-Encoding"})
        return want

    def gauges(self):
        """What must be as before when all is done."""
        text = self.ask("GET", "/metrics", None, {}).text()
        return re.findall(r"^(?:evald_memory_bytes_in_use|process_open_fds|"
                          r"evald_connections\{.*\}) .*$", text, re.M)


def library():
    """failing.c, compiled."""
    built = path("failing.so")
    if SANITIZED:
        raise Skip("a sanitizer needs malloc for itself")
    if not shutil.which("cc"):
        raise Skip("there is no compiler")
    if os.path.exists(built):
        return built
    r = subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-shared",
                        "-fPIC", "-o", built,
                        os.path.join(HERE, "failing.c")],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=60, check=False)
    if r.returncode:
        raise Skip("failing.c cannot be built here: " +
                   r.stdout.decode().strip().replace("\n", " ")[-200:])
    return built


def certificate():
    """Flags for TLS."""
    if not shutil.which("openssl"):
        raise Skip("there is no openssl")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=localhost", "-days", "9", "-keyout", path("key"),
                    "-out", path("crt")], timeout=60, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return "--tls-cert", path("crt"), "--tls-key", path("key")


TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE
FLAGS = {"HTTP": lambda: (), "HTTPS": certificate}
DAEMONS = {}


def daemon(scheme):
    """The daemon of this scheme."""
    if scheme not in DAEMONS:
        DAEMONS[scheme] = Failing(scheme, "--workers", "2",
                                  *FLAGS[scheme]())
    return DAEMONS[scheme]


def told(reply):
    """The headers that say something about the answer."""
    return sorted((k, v) for k, v in reply.headers.items()
                  if k not in VARIES)


def names(text):
    """The series of metrics, but for the one that takes memory to know."""
    lines = [line.rpartition(" ")[0] for line in text.splitlines()
             if not line.startswith("#")]
    return {n for n in lines if n and n != "process_open_fds"
            and not n.startswith("evald_http_")}


def same(reply, want):
    """The same answer; there may have been no memory to name it."""
    return reply.body == want.body and told(reply) in (
        told(want), [row for row in told(want) if row[0] != "ETag"])


def is_problem(target, reply):
    """No memory, told as it should be."""
    if reply.status not in REFUSED:
        return False
    kind = "application/problem+json"
    body = reply.json()
    if target.startswith("/v2"):
        kind = "application/json"
    else:
        equal(body["status"], reply.status, "status")
    return bool(body["error"]) and reply.header("Content-Type") == kind


def is_right(row, reply, want):
    """The answer that was wanted."""
    target = row[1]
    if reply.status != want.status:
        return False
    if target == "/metrics":
        return names(reply.text()) >= names(want.text())
    if target == "/v1/batch":
        return all(g == w or g["status"] == 413 for g, w in zip(
            reply.json()["responses"], want.json()["responses"], strict=True))
    if reply.status >= 400:
        return reply.json()["error"] == want.json()["error"]
    return same(reply, want)


def judge(row, reply, want):
    """Fails unless the answer is right, or says that there is no memory."""
    if not is_problem(row[1], reply) and not is_right(row, reply, want) and \
            not is_right(row, reply, want.plain):
        raise Failure(f"{row[0]} {row[1]} {row[3]}\n got: {reply.status} "
                      f"{told(reply)} {short(reply.body)}\nwant: "
                      f"{want.status} {told(want)} {short(want.body)}")


def try_to(task):
    """Runs it; None if the connection was closed."""
    try:
        return task()
    except TimeoutError:
        raise Failure("waited in vain for an answer or an end") from None
    except (OSError, http.client.HTTPException):
        return None


def ask_all(d):
    """Everything, each on a connection of its own: how many got an answer."""
    n = 0
    for row, want in zip(ASKED, d.want):
        reply = try_to(lambda row=row: d.ask(*row))
        if reply:
            judge(row, reply, want)
            n += 1
    return n


def ask_in_turn(d):
    """As many as there can be on one connection, and on the next."""
    c = None
    for row, want in zip(ASKED, d.want):
        def turn(row=row):
            c.request(*row)
            return Reply(c.getresponse())
        c = c or try_to(d.client)
        reply = try_to(turn) if c else None
        try:
            if reply:
                judge(row, reply, want)
        finally:
            if c and (not reply or row is ASKED[-1]):
                c.close()
        c = c if reply and c.sock else None


def ask_in_chunks(d):
    """A body of no length, in chunks, and one that is given up."""
    def whole():
        with d.dial() as s:
            s.sendall(head(None) + chunks(SCENE, 9999))
            return read_reply(s, "POST")

    def half():
        with d.dial() as s:
            s.sendall(head(len(SCENE)) + SCENE[:len(SCENE) // 2])
    row = ("POST", EVALUATE, SCENE, JSON)
    reply = try_to(whole)
    if reply:
        judge(row, reply, d.want[ASKED.index(row)])
    try_to(half)


def ask_together(d):
    """Bodies that come at the same time: spare memory does not do."""
    rows = [row for row in ASKED if row[1] == EVALUATE] * 2
    begun = []
    try:
        for row in rows:
            c = try_to(d.client)
            if c:
                begun.append((row, c))
                try_to(lambda c=c, row=row: begin(c, *row))
        for row, c in begun:
            reply = try_to(lambda c=c, row=row: finish(c, row[2]))
            if reply:
                judge(row, reply, d.want[ASKED.index(row)])
    finally:
        for _, c in begun:
            c.close()


def begin(c, method, target, body, headers):
    """Half a request."""
    c.putrequest(method, target)
    for name, value in headers.items():
        c.putheader(name, value)
    c.putheader("Content-Length", len(body))
    c.endheaders(body[:len(body) // 2])


def finish(c, body):
    """The other half, and its answer."""
    c.send(body[len(body) // 2:])
    return Reply(c.getresponse())


@each("allocations fail, {0}, one in {1} of {2} bytes and more", [
    *((scheme, k, 0) for scheme in FLAGS for k in PRIMES[scheme]),
    *(("HTTP", k, LARGE) for k in (1, 2, 3, 5, 7))])
def fails(scheme, k, least):
    """Everything is asked meanwhile."""
    d = daemon(scheme)
    failed = d.failed()
    d.every(k, least)
    try:
        ask_all(d)
        ask_in_turn(d)
        ask_in_chunks(d)
        ask_together(d)
    finally:
        d.every(0)
    equal(d.process.poll(), None, "ended: " + d.log()[-1000:])
    check(d.failed() > failed, "no allocation failed")
    equal(ask_all(d), len(ASKED), "answers afterwards")


@each("afterwards all memory and descriptors are back, {0}",
      [(scheme,) for scheme in FLAGS])
def rests(scheme):
    """Once spare memory has been given back."""
    d = daemon(scheme)
    end = time.monotonic() + REST_S
    got = d.gauges()
    while got != d.before and time.monotonic() < end:
        time.sleep(0.1)  # also for the end of the connection just before
        got = d.gauges()
    equal(got, d.before)


@each("the daemon ends well, {0}", [(scheme,) for scheme in FLAGS])
def ends(scheme):
    """With 0, although allocations fail."""
    d = daemon(scheme)
    equal(d.stop(), 0, d.log()[-1000:])


if __name__ == "__main__":
    main()
