"""How the daemon starts and ends, and its command lines."""
import sys

sys.dont_write_bytecode = True
from cocodata import many, one
from harness import (EVALUATE, SLOW, WAIT_S, Daemon, Skip, ask, check,
                     check_problem, contains, dial, each, equal, get, head,
                     main, post, read_reply, run, test, wait_until)
import json
import os
import signal
import socket
import time

SIGNALS = [("SIGTERM", signal.SIGTERM), ("SIGINT", signal.SIGINT)]
OK, FAILURE, USAGE, UNAVAILABLE = 0, 1, 64, 69


def large_body():
    """Work for the pool, for some moments."""
    return json.dumps(many(100, 300 // SLOW)).encode()


def upload(d, body):
    """A request whose head the daemon has surely read, body to come."""
    s = dial(d)
    s.sendall(head(len(body), "Expect: 100-continue"))
    check(s.recv(64).startswith(b"HTTP/1.1 100"), "no 100 Continue")
    return s


def refuses(d):
    """Whether new connections are refused, or reset as it closes."""
    try:
        dial(d).close()
    except ConnectionError:
        return True
    return False


# Stopping


@each("{0} while idle: exit code 0, the ready file removed", SIGNALS)
def stop_idle(_name, number):
    """Also with an idle connection open."""
    with Daemon() as d, dial(d) as s:
        s.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        equal(read_reply(s).status, 200)
        d.signal(number)
        equal(d.wait(), OK, d.log())
        equal(os.path.exists(d.ready_file), False, "ready file")
        check(refuses(d), "still there")
        equal(s.recv(1), b"", "the idle connection")


@each("{0} while computing: the answer comes whole", SIGNALS)
def stop_computing(_name, number):
    """The body was just sent."""
    body = large_body()
    with Daemon() as d:
        want = post(d, body).body
        with upload(d, body) as s:
            s.sendall(body)
            d.signal(number)
            reply = read_reply(s)
        equal((reply.status, reply.body), (200, want))
        equal(d.wait(), OK, d.log())
        equal(os.path.exists(d.ready_file), False, "ready file")


@each("{0} during an upload: refuses others, finishes this one", SIGNALS)
def stop_uploading(_name, number):
    """The rest of the body is awaited."""
    body = large_body()
    with Daemon() as d:
        want = post(d, body).body
        with upload(d, body) as s:
            s.sendall(body[:100_000])
            d.signal(number)
            wait_until(lambda: refuses(d), "new connections are refused")
            equal(d.process.poll(), None, "still runs")
            s.sendall(body[100_000:])
            reply = read_reply(s)
        equal((reply.status, reply.body), (200, want))
        equal(d.wait(), OK, d.log())


@test("several requests in flight are all answered")
def stop_many():
    """Six, on two workers: some wait in the queue."""
    body = large_body()
    with Daemon("--workers", "2") as d:
        want = post(d, body).body
        sockets = [upload(d, body) for _ in range(6)]
        for s in sockets:
            s.sendall(body)
        d.signal(signal.SIGTERM)
        for s in sockets:
            with s:
                equal(read_reply(s).body, want)
        equal(d.wait(), OK, d.log())


@test("while it drains: readyz is 503, livez is 200, others are closed")
def draining():
    """On connections that were open before."""
    body = large_body()
    with Daemon() as d:
        probes = [dial(d) for _ in range(2)]
        for probe in probes:
            probe.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
            equal(read_reply(probe).status, 200)
        with upload(d, body) as s:
            d.signal(signal.SIGTERM)
            wait_until(lambda: refuses(d), "new connections are refused")
            probes[0].sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
            reply = read_reply(probes[0])
            p = reply.json()
            equal((reply.status, p["type"], p["status"], p["instance"]),
                  (503, "/problems/draining", 503, "/readyz"))
            check(int(reply.header("Retry-After")) > 0, "no Retry-After")
            equal(reply.header("Connection"), "close")
            probes[1].sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            equal(read_reply(probes[1]).status, 200)
            s.sendall(body)
            equal(read_reply(s).status, 200)
        equal(d.wait(), OK, d.log())
        for probe in probes:
            probe.close()


@test("an answer that is read slowly is finished")
def stop_sending():
    """The signal comes while the answer is on its way."""
    body = json.dumps(one(outputs=["arrays"])).encode()
    with Daemon() as d:
        want = post(d, body).body
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(WAIT_S)
        s.connect((d.host, d.port))
        with s:
            s.sendall(head(len(body)) + body)
            first = s.recv(1, socket.MSG_PEEK)
            check(first, "no answer")
            d.signal(signal.SIGTERM)
            time.sleep(0.1)
            equal(read_reply(s).body, want)
        equal(d.wait(), OK, d.log())


@each("{0} and then {2}: ends at once", [
    ("SIGTERM", signal.SIGTERM, "SIGTERM", signal.SIGTERM),
    ("SIGINT", signal.SIGINT, "SIGINT", signal.SIGINT),
    ("SIGTERM", signal.SIGTERM, "SIGINT", signal.SIGINT)])
def stop_twice(_a, first, _b, second):
    """Although an upload is not finished; the log says what is lost."""
    body = large_body()
    with Daemon() as d, upload(d, body) as s:
        s.sendall(body[:1000])
        d.signal(first)
        wait_until(lambda: refuses(d), "draining")
        began = time.monotonic()
        d.signal(second)
        equal(d.wait(), FAILURE, d.log())
        check(time.monotonic() - began < 2 * SLOW, "took long")
        equal(os.path.exists(d.ready_file), False, "ready file")
        contains(d.log(), "1 requests are lost")


# Starting


@test("two daemons at once on port 0 have ports of their own")
def two():
    """Both answer."""
    with Daemon() as a, Daemon() as b:
        check(a.port != b.port, a.url)
        equal([get(d, "/livez").status for d in (a, b)], [200, 200])


@test("a port in use: a clear message and exit code 69")
def port_in_use():
    """The first daemon is not disturbed."""
    with Daemon() as d:
        r = run("serve", "--listen", f"127.0.0.1:{d.port}")
        equal(r.returncode, UNAVAILABLE)
        contains(r.stderr.decode(), "evald serve:", "in use")
        equal(get(d, "/livez").status, 200)


@test("a port is free again at once after the end")
def port_again():
    """In spite of connections in TIME_WAIT."""
    with Daemon() as d:
        listen = f"127.0.0.1:{d.port}"
        with dial(d) as s:
            s.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            read_reply(s)
            equal(d.stop(), OK)
    with Daemon(listen=listen) as d:
        equal(get(d, "/livez").status, 200)


@test("[::1] is listened on and named with brackets")
def ipv6():
    """Where the machine has IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
    except OSError as e:
        raise Skip(f"no IPv6 here: {e}") from None
    with Daemon(listen="[::1]:0") as d:
        check(d.url.startswith("http://[::1]:"), d.url)
        equal(get(d, "/livez").status, 200)
        equal(run("health", d.url).returncode, OK)


@test("localhost is listened on by name")
def by_name():
    """It is a loopback address, so no flag is needed."""
    try:
        socket.getaddrinfo("localhost", 0)
    except OSError:
        raise Skip("this machine does not know the name localhost") from None
    with Daemon(listen="localhost:0") as d:
        equal(get(d, "/livez").status, 200)


@test("--listen=VALUE is --listen VALUE; sizes have units")
def flag_forms():
    """64K, 64KiB, 65536 are one size."""
    for size in ("64K", "64kib", "64KB", "65536", "65536b"):
        with Daemon(f"--max-body={size}", "--workers=3") as d:
            limits = get(d, "/v1").json()["limits"]
            equal(limits, {"body_bytes_max": 65536, "workers": 3}, size)


@test("--no-auth serves other machines; the ready file has a usable host")
def no_auth():
    """0.0.0.0 is reached as 127.0.0.1."""
    with Daemon("--no-auth", listen="0.0.0.0:0") as d:
        equal(d.host, "127.0.0.1")
        equal(get(d, "/livez").status, 200)


@each("serve --listen {0} without --no-auth is 64", [
    ("0.0.0.0:0",), ("[::]:0",)])
def strangers(listen):
    """The message says what would be right."""
    if listen.startswith("[") and not socket.has_ipv6:
        raise Skip("no IPv6 here")
    r = run("serve", "--listen", listen)
    if b"cannot listen" in r.stderr:
        raise Skip(r.stderr.decode().strip())
    equal(r.returncode, USAGE)
    contains(r.stderr.decode(), "--no-auth", "127.0.0.1")


BAD = [
    (["--listn", "127.0.0.1:0"], ["--listn", "did you mean --listen"]),
    (["--worker", "1"], ["--worker", "did you mean --workers"]),
    (["--xyzzy"], ["--xyzzy"]), (["-l", "x"], ["-l"]),
    (["--workers", "0"], ["--workers"]), (["--workers", "-1"], ["--workers"]),
    (["--workers", "two"], ["--workers", "two"]),
    (["--workers", "1000000"], ["--workers"]),
    (["--workers", "99999999999999999999"], ["--workers"]),
    (["--workers"], ["--workers"]), (["--workers", ""], ["--workers"]),
    (["--max-body", "12x"], ["--max-body", "12x"]),
    (["--max-body", "-5"], ["--max-body"]),
    (["--max-body", "2000G"], ["--max-body"]),
    (["--max-body", "99999999999G"], ["--max-body"]),
    (["--no-auth=yes"], ["--no-auth"]), (["--ready-file"], ["--ready-file"]),
    (["operand"], ["evald serve"]), (["--listen", "nonsense"], ["--listen"]),
    (["--listen", "127.0.0.1"], ["--listen"]),
    (["--listen", "127.0.0.1:"], ["--listen"]),
    (["--listen", ":8080"], ["--listen"]),
    (["--listen", "::1:80"], ["--listen"]),
    (["--listen", "127.0.0.1:http"], ["--listen"]),
    (["--listen", "127.0.0.1:70000"], ["--listen"])]


@each("serve {0} is 64", BAD)
def bad_flags(flags, words):
    """A message on stderr that names the flag, nothing on stdout."""
    listen = [] if "--listen" in flags else ["--listen", "127.0.0.1:0"]
    r = run("serve", *listen, *flags, seconds=WAIT_S / 2)
    equal((r.returncode, r.stdout), (USAGE, b""), r.stderr.decode())
    contains(r.stderr.decode(), "evald serve:", *words)


@test("a ready file that cannot be written: no daemon, a message")
def bad_ready_file():
    """Exit code 73."""
    r = run("serve", "--listen", "127.0.0.1:0", "--ready-file",
            "/nonexistent/ready")
    equal(r.returncode, 73)
    contains(r.stderr.decode(), "/nonexistent/ready")


# Help and health


@each("evald {0}", [
    (["--help"], ["serve", "eval", "sample", "health", "version"]),
    (["-h"], ["serve", "usage"]), (["help"], ["serve", "usage"]), ([], ["usage"]),
    (["--version"], ["evald 0."]), (["version"], ["evald 0."]),
    (["serve", "--help"], ["--listen", "--ready-file", "--workers",
                           "--max-body", "--no-auth", "SIGTERM"]),
    (["eval", "--help"], ["--json", "--per-class", "--fail-under",
                          "--parameters"]),
    (["sample", "--help"], ["--seed", "request.json"]),
    (["health", "--help"], ["URL"])])
def help_text(args, words):
    """On stdout, exit code 0, lines of at most 100 columns."""
    r = run(*args)
    equal((r.returncode, r.stderr), (OK, b""))
    contains(r.stdout.decode(), *words)
    equal([x for x in r.stdout.decode().splitlines() if len(x) > 100], [])


@test("an unknown command is 64 and suggests the nearest")
def unknown_command():
    """On stderr."""
    r = run("serv")
    equal((r.returncode, r.stdout), (USAGE, b""))
    contains(r.stderr.decode(), "serv", "did you mean serve")


@test("evald health: 0 when alive, 1 when not, 64 for what is no URL")
def health():
    """With and without a path."""
    with Daemon() as d:
        for url in (d.url, d.url + "/", d.url + "/livez"):
            r = run("health", url)
            equal(r.returncode, OK, r.stdout.decode())
        contains(r.stdout.decode(), "alive")
        d.stop()
        r = run("health", d.url)
        equal(r.returncode, FAILURE)
        contains(r.stdout.decode(), "does not answer")
    for url in ("nonsense", "https://127.0.0.1:1", "http://", "http://a"):
        equal(run("health", url).returncode, USAGE, url)
    equal(run("health", "a", "b").returncode, USAGE)


@test("evald health: 1 for a port that never answers, in bounded time")
def health_silent():
    """Something listens, but says nothing."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        began = time.monotonic()
        r = run("health", f"http://127.0.0.1:{s.getsockname()[1]}")
    equal(r.returncode, FAILURE)
    check(time.monotonic() - began < 10, "took long")


@test("an early 415 while draining closes too")
def draining_problem():
    """The problem's page can still be named."""
    with Daemon() as d:
        reply = ask(d, "POST", EVALUATE, b"{}", {"Content-Type": "text/x"})
        check_problem(d, reply, 415, "unsupported-media-type")
        equal(d.stop(), OK)


main()
