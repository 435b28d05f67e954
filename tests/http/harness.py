"""What the HTTP tests share: TAP, a daemon per file, and small clients.

A test is a function with the decorator @test("name"), or @each(rows) for one
test per row.  A file ends with main().  Every wait is bounded.
"""
import atexit
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
EVALD = os.path.abspath(os.environ.get("EVALD") or
                        os.path.join(ROOT, "build", "evald"))
SANITIZED = "asan" in EVALD or "tsan" in EVALD
SLOW = 8 if SANITIZED else 1  # sanitizers are this much slower
WAIT_S = 10 * SLOW  # for anything that should take a moment
FILE_S = 58 if SLOW == 1 else 280  # for a whole file
EVALUATE = "/v1/detection/evaluate"
REPORTS = ("Sanitizer", "runtime error:", "Assertion")

TMP = tempfile.mkdtemp(prefix="evald-test-")
os.environ["XDG_STATE_HOME"] = TMP  # where a store would be that nobody names
os.environ.pop("STATE_DIRECTORY", None)
_tests = []
_running = []
_shared = {}


class Skip(Exception):
    """Raised by a test that cannot run here; its text says why."""


class Failure(Exception):
    """Raised by a check that does not hold."""


# Tests and checks


def test(name):
    """Registers the function as a test."""
    def register(function):
        _tests.append((name, function))
        return function
    return register


def each(name, rows):
    """Registers one test per row: name is formatted with the row's values."""
    def register(function):
        for row in rows:
            _tests.append((name.format(*row),
                           lambda row=row: function(*row)))
        return function
    return register


def short(value):
    """value as text, cut where it is long."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) < 1500 else text[:1500] + "..."


def check(condition, message):
    """Fails with the message unless the condition holds."""
    if not condition:
        raise Failure(message)


def equal(got, want, what="value"):
    """Fails unless got and want are equal and of equal type."""
    if got != want or type(got) is not type(want):
        raise Failure(f"{what}\n got: {short(got)}\nwant: {short(want)}")


def hexes(value):
    """value with every float as its bits, through lists and objects."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, list):
        return [hexes(v) for v in value]
    if isinstance(value, dict):
        return {k: hexes(v) for k, v in value.items()}
    return value


def same_bits(got, want, what="value"):
    """As equal, with floats compared by their bits."""
    equal(hexes(got), hexes(want), what)


def contains(text, *parts):
    """Fails unless every part is in the text."""
    for part in parts:
        check(part in text, f"no {part!r} in: {short(text)}")


def raises(kind, function, *args):
    """Fails unless the call raises an exception of this kind."""
    try:
        function(*args)
    except kind:
        return
    raise Failure(f"no {kind.__name__}")


def diagnostics(text):
    """text as TAP's diagnostic lines."""
    return "\n".join("# " + line for line in text.splitlines())


def run_one(number, name, function):
    """Runs a test, prints its line, and says whether it did not fail."""
    name = name.replace("#", "no.")
    try:
        function()
    except Skip as skip:
        print(f"ok {number} - {name} # SKIP {skip}", flush=True)
        return True
    except Exception as e:  # whatever it is, the next test shall run
        why = str(e) if isinstance(e, Failure) else traceback.format_exc()
        print(f"not ok {number} - {name}\n{diagnostics(why)}", flush=True)
        return False
    print(f"ok {number} - {name}", flush=True)
    return True


def ends_well():
    """The daemon that the tests used ends with 0 and no complaint."""
    for daemon in _shared.values():
        equal(daemon.stop(), 0, "exit code\n" + daemon.log()[-2000:])
        for word in REPORTS:
            check(word not in daemon.log(), daemon.log()[-4000:])


def too_long(_number, _frame):
    """On SIGALRM: the file has had its time."""
    print("Bail out! the file's time is over", flush=True)
    clean()
    os._exit(1)


def clean():
    """Ends what was started and removes what was written."""
    for process in _running:
        if process.poll() is None:
            process.kill()
            process.wait()
    shutil.rmtree(TMP, ignore_errors=True)


def main(seconds=FILE_S):
    """Runs all tests of the file; exits 0 if none failed, else 1."""
    atexit.register(clean)
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    if not os.access(EVALD, os.X_OK):
        raise SystemExit(f"Bail out! no program {EVALD}; run make")
    test("the daemon ends with exit code 0 and without complaint")(ends_well)
    print(f"1..{len(_tests)}", flush=True)
    good = [run_one(i + 1, name, f) for i, (name, f) in enumerate(_tests)]
    sys.exit(0 if all(good) else 1)


# Programs


def path(name):
    """A path in the directory of this file's tests."""
    return os.path.join(TMP, name)


def write(name, content):
    """Writes a file, JSON if content is not text or bytes; its path."""
    if not isinstance(content, (str, bytes)):
        content = json.dumps(content)
    data = content.encode() if isinstance(content, str) else content
    with open(path(name), "wb") as f:
        f.write(data)
    return path(name)


def run(*args, stdin=b"", stdout=subprocess.PIPE, seconds=3 * WAIT_S):
    """Runs evald to its end: CompletedProcess of bytes."""
    try:
        return subprocess.run([EVALD, *args], input=stdin, stdout=stdout,
                              stderr=subprocess.PIPE, timeout=seconds,
                              check=False)
    except subprocess.TimeoutExpired:
        raise Failure(f"runs for {seconds} s and more: {args}") from None


def wait_until(condition, what):
    """Waits, not forever, until the condition holds."""
    end = time.monotonic() + WAIT_S
    while not condition():
        check(time.monotonic() < end, f"waited in vain: {what}")
        time.sleep(0.005)


def together(tasks):
    """Runs the functions in threads; the first exception is raised."""
    faults = []

    def guard(task):
        try:
            task()
        except Exception as e:  # handed to the test
            faults.append(e)
    threads = [threading.Thread(target=guard, args=(t,), daemon=True)
               for t in tasks]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30 * SLOW)
        check(not t.is_alive(), "a client waits forever")
    if faults:
        raise faults[0]


class Daemon:
    """
    A running evald serve, started here and ended here; by the command before
    if there is one, and as more says (env, pass_fds).  It has a store only if
    the flags name one.
    """

    count = 0

    def __init__(self, *flags, listen="127.0.0.1:0", before=(), stderr=None,
                 **more):
        Daemon.count += 1
        if "--store" not in flags:
            flags = ("--store", "none", *flags)
        self.ready_file = path(f"ready-{Daemon.count}")
        self.log_file = path(f"log-{Daemon.count}")
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(
                [*before, EVALD, "serve", "--listen", listen, "--ready-file",
                 self.ready_file, *flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=stderr or log,
                **more)
        _running.append(self.process)
        wait_until(lambda: os.path.exists(self.ready_file) or
                   self.process.poll() is not None, "the ready file")
        check(self.process.poll() is None, "ended early: " + self.log())
        with open(self.ready_file, encoding="ascii") as f:
            self.url = f.read()
        host, port = self.url.partition("://")[2].rsplit(":", 1)
        self.host, self.port = host.strip("[]"), int(port)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_unused):
        if kind:  # the test has failed already
            self.process.kill()
        self.stop()

    def log(self):
        """What it has written so far."""
        with open(self.log_file, encoding="utf-8", errors="replace") as f:
            return f.read()

    def signal(self, number):
        """Sends it a signal."""
        self.process.send_signal(number)

    def wait(self):
        """Its exit code, once it has ended."""
        try:
            return self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure("does not end:\n" + self.log()[-1000:]) from None

    def stop(self):
        """Asks it to end, if it runs; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.wait()


def server(*flags):
    """The daemon with these flags that the tests of a file share."""
    if flags not in _shared:
        _shared[flags] = Daemon(*flags)
    return _shared[flags]


# Clients


class Reply:
    """An answer: status, headers (any case), body."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def header(self, name):
        """The header's value, or None."""
        return self.headers.get(name)

    def text(self):
        """The body as text."""
        return self.body.decode("utf-8")

    def json(self):
        """The body as JSON; bare words such as NaN fail."""
        def refuse(word):
            raise Failure(f"{word} on the wire")
        return json.loads(self.text(), parse_constant=refuse)


def connection(daemon):
    """A http.client connection."""
    return http.client.HTTPConnection(daemon.host, daemon.port,
                                      timeout=WAIT_S)


def ask(daemon, method, target, body=None, headers=None):
    """One request on a connection of its own: Reply."""
    c = connection(daemon)
    try:
        c.request(method, target, body, headers or {})
        return Reply(c.getresponse())
    finally:
        c.close()


def get(daemon, target, **headers):
    """GET; X_Y becomes the header X-Y."""
    return ask(daemon, "GET", target, None,
               {k.replace("_", "-"): v for k, v in headers.items()})


def post(daemon, body, accept=None, target=EVALUATE):
    """POSTs a body (bytes as they are, else JSON) to be evaluated."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if accept:
        headers["Accept"] = accept
    return ask(daemon, "POST", target, data, headers)


def evaluate(daemon, body):
    """The JSON of an evaluation that must succeed."""
    reply = post(daemon, body)
    equal(reply.status, 200, short(reply.text()))
    return reply.json()


def check_problem(daemon, reply, status, name, instance=EVALUATE):
    """Fails unless reply is this problem, with the members of the API."""
    equal((reply.status, reply.header("Content-Type")),
          (status, "application/problem+json"), short(reply.text()))
    p = reply.json()
    want = ["type", "title", "status", "detail", "instance", "request_id",
            "error"] + ["errors"] * (status in (422, 501))
    equal(list(p), want, "members")
    equal(p["type"], "/problems/" + name, short(p["detail"]))
    equal((p["status"], p["instance"], p["error"]),
          (status, instance, p["detail"]))
    equal(p["request_id"], reply.header("X-Request-Id"), "request_id")
    for fault in p.get("errors", []):
        equal(list(fault), ["pointer", "code", "detail"], "fault")
    equal(get(daemon, p["type"]).status, 200, "GET of " + p["type"])
    return p


# Of loopback, each of them for one client.
addresses = (f"127.0.{i // 200}.{i % 200 + 2}" for i in itertools.count())


def send(d, method, target, body=None, headers=None, source=None):
    """One request from an address of its own, or from source: Reply."""
    c = http.client.HTTPConnection(
        d.host, d.port, timeout=WAIT_S,
        source_address=(source or next(addresses), 0))
    try:
        c.request(method, target, body, headers or {})
        return Reply(c.getresponse())
    finally:
        c.close()


def dial(daemon):
    """A raw socket to the daemon."""
    s = socket.create_connection((daemon.host, daemon.port), WAIT_S)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def read_reply(s, method="GET"):
    """The next answer on a raw socket."""
    response = http.client.HTTPResponse(s, method=method)
    response.begin()
    return Reply(response)


def head(length, *more, target=EVALUATE):
    """The head of a POST; length None means chunked."""
    framing = "Transfer-Encoding: chunked" if length is None else \
        f"Content-Length: {length}"
    lines = [f"POST {target} HTTP/1.1", "Host: localhost", framing,
             "Content-Type: application/json", *more, "", ""]
    return "\r\n".join(lines).encode()


def chunks(body, size):
    """body in the chunked coding, this many bytes a chunk."""
    out = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in
           (body[i:i + size] for i in range(0, len(body), size))]
    return b"".join(out) + b"0\r\n\r\n"
