"""HTTPS as clients see it: versions, large bodies, reload, what goes wrong."""
import sys

sys.dont_write_bytecode = True
from cocodata import many
from harness import (EVALUATE, REPORTS, SLOW, WAIT_S, Daemon, Reply, Skip,
                     check, contains, dial, each, equal, get, main, path,
                     read_reply, run, short, test, together, wait_until, write)
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
import warnings

MISH = "/v1/activations/mish"
BODY = b'{"inputs":{"x":[0]}}'
LIVE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEADER_MS = 600 * min(SLOW, 3)
_shared = {}


def make(name, place="."):
    """A key and a certificate of its own for localhost; their paths."""
    if not shutil.which("openssl"):
        raise Skip("openssl is not there")
    os.makedirs(path(place), exist_ok=True)
    cert, key = path(f"{place}/cert.pem"), path(f"{place}/key.pem")
    r = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
         "-days", "2", "-subj", "/CN=" + name, "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30,
        check=False)
    equal(r.returncode, 0, r.stdout.decode())
    return cert, key


def tls():
    """The daemon that the tests share."""
    if "daemon" not in _shared:
        cert, key = make("first")
        _shared["cafile"] = cert
        _shared["daemon"] = Daemon(
            "--tls-cert", cert, "--tls-key", key, "--header-timeout",
            f"{HEADER_MS}ms", "--idle-timeout", f"{2 * HEADER_MS}ms",
            "--body-timeout", f"{HEADER_MS}ms", "--admin-listen",
            "127.0.0.1:0")
    return _shared["daemon"]


def context(version=None):
    """What a careful client uses; of one version of TLS if that is given."""
    tls()
    c = ssl.create_default_context(cafile=_shared["cafile"])
    if version:
        c.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():  # of old versions
            warnings.simplefilter("ignore")
            c.minimum_version = c.maximum_version = version
    return c


def secure(sock, version=None):
    """A socket of TLS upon this one."""
    return context(version).wrap_socket(sock, server_hostname="localhost")


def connect(version=None):
    """A connection of TLS to the daemon."""
    return secure(dial(tls()), version)


def ask(method, target, body=None, headers=None):
    """One request on a connection of its own: Reply."""
    d = tls()
    c = http.client.HTTPSConnection(d.host, d.port, timeout=WAIT_S,
                                    context=context())
    try:
        c.request(method, target, body, headers or {})
        return Reply(c.getresponse())
    finally:
        c.close()


def everything(s):
    """All that comes until the other side closes."""
    out = b""
    while True:
        try:
            piece = s.recv(65536)
        except (ssl.SSLEOFError, ConnectionError):
            return out  # without TLS's own goodbye
        if not piece:
            return out
        out += piece


def cpu_s(d):
    """Processor time that the daemon has used."""
    with open(f"/proc/{d.process.pid}/stat", encoding="ascii") as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


# Serving


@test("the ready file and the log say https://")
def says_https():
    """With the port that was taken."""
    d = tls()
    equal(d.url, f"https://127.0.0.1:{d.port}")
    wait_until(lambda: f"listens on {d.url}" in d.log(), "the log's line")


@each("{0} is spoken", [
    ("TLSv1.2", ssl.TLSVersion.TLSv1_2), ("TLSv1.3", ssl.TLSVersion.TLSv1_3)])
def spoken(name, version):
    """With forward secrecy and an authenticated cipher."""
    with connect(version) as s:
        equal(s.version(), name)
        cipher = s.cipher()[0]
        check("GCM" in cipher or "POLY1305" in cipher, cipher)
        s.sendall(LIVE)
        equal(read_reply(s).json(), {"status": "ok"})


@each("{0} is not spoken", [
    ("TLSv1", "TLSv1"), ("TLSv1.1", "TLSv1_1")])
def not_spoken(_name, version):
    """The daemon ends the handshake, rather than the client."""
    try:
        s = connect(getattr(ssl.TLSVersion, version))
    except (ssl.SSLError, ConnectionError) as e:
        reason = getattr(e, "reason", None) or "EOF"
        if "ALERT" not in reason and "EOF" not in reason:
            raise Skip(f"this client cannot: {e}") from None
        return
    s.close()
    check(False, "a handshake")


@test("many requests on one connection")
def keep_alive():
    """Small and answered at once, or by a worker."""
    large = json.dumps({"inputs": {"x": list(range(3000))}}).encode()
    with connect() as s:
        for body in [BODY, large] * 20:
            s.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\n"
                      b"Content-Type: application/json\r\n"
                      b"Content-Length: %d\r\n\r\n%s" %
                      (MISH.encode(), len(body), body))
            reply = read_reply(s, "POST")
            equal(reply.status, 200, short(reply.text()))


@test("an evaluation, and four large ones at once, are as over plain HTTP")
def large():
    """Requests that are suspended, and bodies of megabytes."""
    small = json.dumps(many(5, 10)).encode()
    big = json.dumps(many(400 // SLOW, 60)).encode()
    headers = {"Content-Type": "application/json"}
    with Daemon() as plain:
        want = {body: run_plain(plain, body) for body in (small, big)}
    equal(ask("POST", EVALUATE, small, headers).body, want[small])

    def one():
        reply = ask("POST", EVALUATE, big, headers)
        equal((reply.status, reply.body), (200, want[big]))
    together([one] * 4)


def run_plain(d, body):
    """The evaluation's answer over plain HTTP."""
    c = http.client.HTTPConnection(d.host, d.port, timeout=WAIT_S)
    c.request("POST", EVALUATE, body, {"Content-Type": "application/json"})
    reply = Reply(c.getresponse())
    c.close()
    equal(reply.status, 200, short(reply.text()))
    return reply.body


@test("an answer of megabytes comes whole to a slow reader")
def large_answer():
    """The socket is full again and again."""
    n = 200000 // SLOW
    body = json.dumps({"inputs": {"x": [i / 7 for i in range(n)]}}).encode()
    want = ask("POST", MISH, body, {"Content-Type": "application/json"}).body
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(WAIT_S)
    raw.connect((tls().host, tls().port))
    with secure(raw) as s:
        s.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                  b"%d\r\nContent-Type: application/json\r\n\r\n%s" %
                  (MISH.encode(), len(body), body))
        time.sleep(0.2)
        equal(read_reply(s, "POST").body, want)


@test("administrators are answered in plain HTTP")
def admin():
    """On their own socket, which is nobody else's."""
    d = tls()
    found = re.search(r"health and metrics on http://127\.0\.0\.1:(\d+)",
                      d.log())
    check(found, d.log())
    c = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=WAIT_S)
    c.request("GET", "/readyz")
    equal(Reply(c.getresponse()).status, 200)
    c.close()


# What goes wrong


GATE = [
    ("both lengths", b"POST /v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("no Host", b"GET /livez HTTP/1.1\r\n\r\n", 400),
    ("a blank before the colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    ("LF alone", b"GET /livez HTTP/1.1\nHost: a\n\n", 400),
    ("NUL in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
    ("HTTP/2.0", b"GET /livez HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("a header of 40 kB", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40000 +
     b"\r\n\r\n", 431)]


@each("refused: {0}", GATE)
def gate(_name, raw, status):
    """One answer, a problem; what follows is not answered."""
    with connect() as s:
        s.sendall(raw + LIVE)
        got = everything(s)
    equal([int(x) for x in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)], [status],
          short(got))
    equal(json.loads(got.partition(b"\r\n\r\n")[2])["status"], status)
    contains(got, b"Connection: close", b"X-Request-Id: ")


@each("too slow with its {0}: 408, which can be read", [
    ("head", b"GET /livez HTTP/1.1\r\nHost: loc"),
    ("body", b"POST /v1/activations/mish HTTP/1.1\r\nHost: localhost\r\n"
     b"Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{")])
def too_slow(_name, raw):
    """It goes out as TLS."""
    with connect() as s:
        s.sendall(raw)
        got = everything(s)
    check(got.startswith(b"HTTP/1.1 408 "), short(got))
    equal(json.loads(got.partition(b"\r\n\r\n")[2])["type"],
          "/problems/too-slow")


def hello():
    """What a client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    o = context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        o.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


@each("{0}: it costs no processor, and is over at --header-timeout", [
    ("nothing is said", lambda: b""),
    ("half a handshake", lambda: hello()[:99]),
    ("a handshake that is not finished", lambda: hello())])
def half_handshake(_name, said):
    """Others are served meanwhile."""
    d, began = tls(), time.monotonic()
    with dial(d) as s:
        s.sendall(said())
        used = cpu_s(d)
        equal(ask("GET", "/livez").status, 200)
        everything(s)
        took = time.monotonic() - began
        check(HEADER_MS / 1000 * 0.8 < took, f"{took} s")
        check(cpu_s(d) - used < 0.5 * HEADER_MS / 1000, "it spins")


@each("{0} on the port of TLS does no harm", [
    ("plain HTTP", LIVE), ("bytes", bytes(range(256)) * 8),
    ("a record without end", b"\x16\x03\x01\xff\xff" + b"a" * 100)])
def harmless(_name, raw):
    """It is closed in time, and others are served."""
    with dial(tls()) as s:
        s.sendall(raw)
        got = everything(s)
        check(b"200 OK" not in got, short(got))
    equal(ask("GET", "/livez").status, 200)


@test("clients that go away in the middle of it do no harm")
def gone():
    """At every stage of the handshake, and of an answer."""
    first = hello()
    for n in (1, 5, 50, len(first) - 1, len(first)):
        with dial(tls()) as s:
            s.sendall(first[:n])
    for _ in range(10):
        s = connect()
        s.sendall(LIVE[:20])
        s.close()
    equal(ask("GET", "/livez").status, 200)


# Reload


def subject(s):
    """The name on the certificate that a connection got."""
    return dict(x[0] for x in s.getpeercert()["subject"])["commonName"]


def reload(d, words):
    """SIGHUP, until the log says these words once more."""
    before = d.log().count(words)
    d.signal(signal.SIGHUP)
    wait_until(lambda: d.log().count(words) > before, words)


@test("SIGHUP: new connections get the new certificate, old ones live on")
def reload_certificate():
    """And one that cannot be read leaves the old in force."""
    cert, key = make("first", "again")
    with Daemon("--tls-cert", cert, "--tls-key", key) as d:
        def fresh():
            c = ssl.create_default_context(cafile=cert)
            return c.wrap_socket(dial(d), server_hostname="localhost")
        with fresh() as old:
            equal(subject(old), "first")
            make("second", "again")
            reload(d, "the certificate was read again")
            old.sendall(LIVE)
            equal(read_reply(old).status, 200)
            with fresh() as new:
                equal(subject(new), "second")
                new.sendall(LIVE)
                equal(read_reply(new).status, 200)
            old.sendall(LIVE)
            equal(read_reply(old).status, 200, "after a second")
        good = path("again/good.pem")
        shutil.copy(cert, good)
        write("again/cert.pem", "not a certificate\n")
        reload(d, "the certificate stays as it was")
        with ssl.create_default_context(cafile=good).wrap_socket(
                dial(d), server_hostname="localhost") as s:
            equal(subject(s), "second")
        equal(d.stop(), 0, d.log())


@each("{0}: exit code 78, the reason", [
    ("no certificate", "gone.pem", None, "cannot read"),
    ("a certificate that is none", "cert.pem", "x", "cert.pem")])
def bad_files(_name, name, text, words):
    """Before anybody is served."""
    make("bad", "bad")
    if text:
        write("bad/" + name, text)
    r = run("serve", "--listen", "127.0.0.1:0", "--tls-cert",
            path("bad/" + name), "--tls-key", path("bad/key.pem"))
    equal(r.returncode, 78, r.stderr.decode())
    contains(r.stderr.decode(), words)


@test("a key of another certificate: exit code 78, the reason")
def wrong_key():
    """It would fail at each handshake."""
    cert, _ = make("one", "one")
    _, key = make("other", "other")
    r = run("serve", "--listen", "127.0.0.1:0", "--tls-cert", cert,
            "--tls-key", key)
    equal(r.returncode, 78, r.stderr.decode())
    contains(r.stderr.decode(), key)


@test("a daemon with connections of TLS in all states ends with 0")
def drains():
    """Idle, half shaken, and with half a head."""
    d = tls()
    equal(get_plain_fails(d), True)
    with connect() as idle, dial(d) as half, connect() as head:
        half.sendall(hello()[:50])
        idle.sendall(LIVE)
        equal(read_reply(idle).status, 200)
        head.sendall(LIVE[:10])
        equal(d.stop(), 0, d.log()[-2000:])
    for word in REPORTS:
        check(word not in d.log(), d.log()[-4000:])


def get_plain_fails(d):
    """Whether plain HTTP gets no answer."""
    try:
        get(d, "/livez")
    except (http.client.HTTPException, OSError):
        return True
    return False


main()
