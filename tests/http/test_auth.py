"""Who may ask: tokens, their reload, Host, Origin and CORS, as clients see it.

Clients that fail come from addresses of their own, 127.0.x.y, so that no test
is throttled for what another has done.
"""
import sys

sys.dont_write_bytecode = True
from harness import (REPORTS, Daemon, Reply, WAIT_S, addresses, check,
                     connection, contains, each, equal, main, path, run, send,
                     short, test, wait_until)
import http.client
import os
import re
import signal
import stat

MISH = "/v1/activations/mish"
BODY = b'{"inputs":{"x":[0]}}'
JSON = {"Content-Type": "application/json"}
LAB = "https://lab.example"
EVIL = "http://evil.example"
PUBLIC = ["/", "/livez", "/readyz", "/healthz", "/v2/health/live",
          "/v2/health/ready", "/problems/unauthorized", "/problems/forbidden"]
CLOSED = ["/docs", "/openapi.json", "/version", "/v1", "/v1/operations",
          "/v1/operations/activations/mish", "/v2", "/v2/",
          "/v2/models/activations.mish", "/v2/models/activations.mish/ready",
          "/metrics"]
_shared = {}


def new_token(name, scope="read,write", file="tokens"):
    """A fresh token whose hash is in the file."""
    r = run("token", "new", name, "--scope", scope, "--file", path(file))
    equal((r.returncode, r.stderr), (0, b""))
    return r.stdout.decode().strip()


def auth():
    """The daemon with tokens that the tests share, and its tokens by name."""
    if not _shared:
        scopes = {"reader": "read", "writer": "write", "boss": "admin"}
        _shared["tokens"] = {n: new_token(n, s) for n, s in scopes.items()}
        _shared["daemon"] = Daemon("--tokens", path("tokens"),
                                   "--cors-origin", LAB)
    return _shared["daemon"], _shared["tokens"]


def bearer(token, scheme="Bearer"):
    """The header of a token."""
    return {"Authorization": f"{scheme} {token}"}


def unauthorized(reply, target, challenge):
    """reply is a 401 that tells what is missing, and nothing else."""
    equal(reply.status, 401, short(reply.text()))
    equal(reply.header("WWW-Authenticate"), challenge)
    equal(reply.header("ETag"), None)
    p = reply.json()
    if target.startswith("/v2"):
        equal(list(p), ["error"])
        return
    equal(reply.header("Content-Type"), "application/problem+json")
    equal(list(p), ["type", "title", "status", "detail", "instance",
                    "request_id", "error"])
    equal((p["type"], p["status"], p["instance"]),
          ("/problems/unauthorized", 401, target))
    equal(p["request_id"], reply.header("X-Request-Id"))


NONE = 'Bearer realm="evald"'
INVALID = 'Bearer realm="evald", error="invalid_token"'


# Tokens


@test("evald token new: a file of hashes, for its owner alone")
def token_file():
    """The token itself is nowhere in it."""
    token = new_token("first", file="made")
    check(re.fullmatch(r"evald_[A-Za-z0-9_-]{43}", token), token)
    with open(path("made"), encoding="ascii") as f:
        text = f.read()
    check(re.fullmatch(r"first read,write sha256:[0-9a-f]{64}\n", text), text)
    equal(stat.S_IMODE(os.stat(path("made")).st_mode), 0o600)
    check(new_token("second", file="made") != token, "the same token")
    r = run("token", "list", "--file", path("made"))
    contains(r.stdout.decode(), "first", "second")
    check(token not in r.stdout.decode(), "the list shows a token")


@each("without a token: {0} is 200", [(p,) for p in PUBLIC])
def public(target):
    """What tells health and explains errors."""
    equal(send(auth()[0], "GET", target).status, 200)


@each("without a token: {0} is 401", [(p,) for p in CLOSED + ["/v1/nothing"]])
def closed(target):
    """Also for a path that is not there, which is not told."""
    unauthorized(send(auth()[0], "GET", target), target, NONE)


@each("without a token: HEAD of {0} is 401 without body", [("/v1",), ("/v2",)])
def closed_head(target):
    """The challenge is there."""
    reply = send(auth()[0], "HEAD", target)
    equal((reply.status, reply.body, reply.header("WWW-Authenticate")),
          (401, b"", NONE))


@test("without a token: a POST is 401, and the connection goes on")
def closed_post():
    """Its small body is dropped; a token on the next request is heard."""
    d, tokens = auth()
    c = connection(d)
    c.request("POST", MISH, BODY, JSON)
    unauthorized(Reply(c.getresponse()), MISH, NONE)
    own = c.sock
    c.request("POST", MISH, BODY, {**JSON, **bearer(tokens["reader"])})
    equal(Reply(c.getresponse()).status, 200)
    check(c.sock is own, "another connection")
    c.close()


@each("the token of {0} opens {1}", [
    (name, target) for name in ("reader", "writer", "boss")
    for target in CLOSED])
def opens(name, target):
    """Wider scopes include the narrower."""
    d, tokens = auth()
    reply = send(d, "GET", target, headers=bearer(tokens[name]))
    equal(reply.status, 200, short(reply.text()))


@each("a token with the scheme {0}", [
    ("Bearer",), ("bearer",), ("BEARER",), ("bEaReR",), ("Bearer  ",)])
def scheme(word):
    """Its case means nothing, and there may be blanks: RFC 9110, 11.1."""
    d, tokens = auth()
    headers = {**JSON, **bearer(tokens["reader"], word)}
    equal(send(d, "POST", MISH, BODY, headers).status, 200)


WRONG = [
    ("an unknown token", "Bearer evald_" + "A" * 43, INVALID),
    ("no token behind Bearer", "Bearer", INVALID),
    ("two words", "Bearer a b", INVALID),
    ("quotes", 'Bearer "a"', INVALID),
    ("= in the middle", "Bearer a=b", INVALID),
    ("a list", "Bearer a, Bearer b", INVALID),
    ("600 characters", "Bearer " + "a" * 600, INVALID),
    ("bytes beyond ASCII", "Bearer \xe4\xff", INVALID),
    ("an empty header", "", NONE),
    ("Basic", "Basic dXNlcjpwYXNz", NONE),
    ("Bearer as the start of a word", "Bearers a", NONE),
    ("the token alone", "evald_" + "A" * 43, NONE)]


@each("401: {0}", WRONG)
def wrong(_name, value, challenge):
    """invalid_token only where there is one: RFC 6750, section 3.1."""
    reply = send(auth()[0], "POST", MISH, BODY,
                 {**JSON, "Authorization": value})
    unauthorized(reply, MISH, challenge)


@each("401: a valid token {0}", [
    ("cut", lambda t: t[:-1]), ("and more", lambda t: t + "A"),
    ("in capitals", str.upper), ("by another name", lambda t: "x" + t[1:])])
def nearly(_name, spoil):
    """All of it counts."""
    d, tokens = auth()
    reply = send(d, "GET", "/v1", headers=bearer(spoil(tokens["boss"])))
    unauthorized(reply, "/v1", INVALID)


@test("a hash is no token")
def hash_is_no_token():
    """Whoever reads the file cannot ask."""
    with open(path("tokens"), encoding="ascii") as f:
        digest = f.read().split("sha256:")[1].split()[0]
    reply = send(auth()[0], "GET", "/v1", headers=bearer(digest))
    unauthorized(reply, "/v1", INVALID)


@test("many unknown tokens: 429 and Retry-After; valid ones get in still")
def throttled():
    """Ten are only answered; no token at all is no attempt."""
    d, tokens = auth()
    source, unknown = next(addresses), bearer("evald_" + "B" * 43)
    got = [send(d, "GET", "/v1", headers=unknown, source=source)
           for _ in range(12)]
    equal([r.status for r in got[:10]], [401] * 10)
    for reply in got[10:]:
        equal((reply.status, reply.json()["type"]),
              (429, "/problems/throttled"), short(reply.text()))
        check(1 <= int(reply.header("Retry-After")) <= 600, "Retry-After")
    equal(send(d, "GET", "/v1", source=source).status, 401, "without one")
    good = bearer(tokens["reader"])
    equal(send(d, "GET", "/v1", headers=good, source=source).status, 200)
    equal(send(d, "GET", "/v1", headers=unknown).status, 401, "elsewhere")


# Reload


def reloads(d, result):
    """How many reloads went so, by /metrics, which boss reads."""
    reply = send(d, "GET", "/metrics", headers=bearer(auth()[1]["boss"]))
    found = re.search(r'evald_config_reloads_total\{result="%s"\} (\d+)'
                      % result, reply.text())
    return int(found[1]) if found else 0


def reload(d, result):
    """SIGHUP, and its counted result."""
    before = reloads(d, result)
    d.signal(signal.SIGHUP)
    wait_until(lambda: reloads(d, result) == before + 1, result)


@test("SIGHUP: a new token opens, a removed one does not any more")
def reload_tokens():
    """On a connection that was open before, too."""
    d, tokens = auth()
    fresh = new_token("fresh")
    kept = http.client.HTTPConnection(d.host, d.port, timeout=WAIT_S,
                                      source_address=(next(addresses), 0))

    def ask_kept():
        kept.request("GET", "/v1", headers=bearer(fresh))
        return Reply(kept.getresponse()).status
    equal(ask_kept(), 401, "before")
    reload(d, "success")
    equal(ask_kept(), 200, "after")
    equal(run("token", "remove", "--file", path("tokens"),
              "fresh").returncode, 0)
    equal(ask_kept(), 200, "removed, but not read again")
    reload(d, "success")
    equal(ask_kept(), 401, "removed")
    kept.close()
    equal(send(d, "GET", "/v1", headers=bearer(tokens["reader"])).status, 200)


@each("SIGHUP with a file that is {0}: the old stays, the log tells", [
    ("broken", "not a token file\n", ":1: must be NAME SCOPES sha256:HEX"),
    ("half written", "reader read sha256:00\n", ":1: the third word"),
    ("gone", None, "No such file")])
def reload_broken(_name, text, words):
    """Nobody is let in or locked out by a mistake."""
    d, tokens = auth()
    with open(path("tokens"), encoding="ascii") as f:
        good = f.read()
    told = d.log().count(words)
    try:
        os.remove(path("tokens"))
        if text:
            with open(path("tokens"), "w", encoding="ascii") as f:
                f.write(text)
        reload(d, "failure")
        for name in tokens:
            equal(send(d, "GET", "/v1", headers=bearer(tokens[name])).status,
                  200, name)
        wait_until(lambda: d.log().count(words) > told, words)
    finally:
        with open(path("tokens"), "w", encoding="ascii") as f:
            f.write(good)
    reload(d, "success")


@test("the log names tokens, and shows none")
def log_is_safe():
    """Neither valid nor unknown ones."""
    d, tokens = auth()
    contains(d.log(), "token=reader")
    for word in list(tokens.values()) + ["B" * 43, "A" * 43]:
        check(word not in d.log(), "a token in the log")


@each("a token file that is {0}: exit code 78, the reason", [
    ("not there", None, "cannot read"), ("broken", "x\n", "must be NAME")])
def bad_file(name, text, words):
    """Rather than a daemon that lets nobody in."""
    file = path("bad-" + name.replace(" ", "-"))
    if text:
        with open(file, "w", encoding="ascii") as f:
            f.write(text)
    r = run("serve", "--listen", "127.0.0.1:0", "--tokens", file)
    equal(r.returncode, 78)
    contains(r.stderr.decode(), words, file)


@test("0.0.0.0 without tokens: does not start, and says what would be right")
def exposed():
    """By the address that was asked for."""
    r = run("serve", "--listen", "0.0.0.0:0")
    equal((r.returncode, r.stdout), (64, b""))
    contains(r.stderr.decode(), "0.0.0.0:0", "127.0.0.1", "--tokens",
             "evald token", "--no-auth")


@test("0.0.0.0 with tokens starts, and asks for them")
def exposed_with_tokens():
    """Its clients have names that it cannot know."""
    _, tokens = auth()
    with Daemon("--tokens", path("tokens"), listen="0.0.0.0:0") as d:
        host = {"Host": "evald.lab.example"}
        equal(send(d, "GET", "/v1", headers=host).status, 401)
        equal(send(d, "GET", "/v1", headers={
            **host, **bearer(tokens["reader"])}).status, 200)


# Host and Origin


def local():
    """A daemon on loopback, without tokens."""
    if "local" not in _shared:
        _shared["local"] = Daemon("--allow-host", "lab.example,10.1.2.3")
    return _shared["local"]


def forbidden(reply, *words):
    """reply is a 403 that says these words."""
    equal((reply.status, reply.json()["type"]), (403, "/problems/forbidden"),
          short(reply.text()))
    contains(reply.json()["detail"], *words)


@each("Host {0} on loopback: {1}", [
    ("localhost", 200), ("LOCALHOST:1", 200), ("127.0.0.1", 200),
    ("127.8.9.1:99", 200), ("[::1]:8080", 200), ("evald", 200),
    ("lab.example", 200), ("LAB.example:8080", 200), ("10.1.2.3:80", 200),
    ("evil.example", 403), ("localhost.evil.example", 403),
    ("127.0.0.1.evil.example", 403), ("x.lab.example", 403),
    ("10.1.2.4", 403), ("0.0.0.0", 403), ("[::]", 403)])
def hosts(host, status):
    """A name that can be made to lead here is refused: DNS rebinding."""
    reply = send(local(), "POST", MISH, BODY, {**JSON, "Host": host})
    equal(reply.status, status, short(reply.text()))
    if status == 403:
        forbidden(reply, host, "--allow-host")
        equal(send(local(), "GET", "/livez", headers={"Host": host}).status,
              200, "livez")


@each("POST of a page from {0}: {1}", [
    (EVIL, 403), ("null", 403), ("http://localhost:1", 403),
    ("http://localhost", 200), ("https://localhost", 200)])
def origins(origin, status):
    """Its own pages may, others may not; no CORS without --cors-origin."""
    reply = send(local(), "POST", MISH, BODY,
                 {"Content-Type": "application/json", "Host": "localhost",
                  "Origin": origin})
    equal(reply.status, status, short(reply.text()))
    equal(reply.header("Access-Control-Allow-Origin"), None)
    if status == 403:
        forbidden(reply, origin, "--cors-origin")


@test("GET of a page from anywhere passes, but it cannot read the answer")
def get_passes():
    """It changes nothing."""
    reply = send(local(), "GET", "/v1", headers={"Origin": EVIL})
    equal((reply.status, reply.header("Access-Control-Allow-Origin")),
          (200, None))


@test("a preflight needs no token and tells what may be sent")
def preflight():
    """A browser asks it before it sends the token."""
    reply = send(auth()[0], "OPTIONS", MISH, headers={
        "Origin": LAB, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type"})
    equal((reply.status, reply.body), (204, b""))
    equal(reply.header("Access-Control-Allow-Origin"), LAB)
    equal(reply.header("Access-Control-Allow-Methods"), "POST, OPTIONS")
    equal(reply.header("Access-Control-Allow-Headers"),
          "authorization,content-type")
    equal(reply.header("Access-Control-Allow-Credentials"), None)
    equal(reply.header("Vary"), "Origin")


@test("a preflight from elsewhere gets no leave")
def preflight_elsewhere():
    """The browser goes no further."""
    reply = send(auth()[0], "OPTIONS", MISH, headers={
        "Origin": EVIL, "Access-Control-Request-Method": "POST"})
    equal((reply.status, reply.header("Access-Control-Allow-Origin")),
          (204, None))


@each("CORS on {1} of {0}", [
    ("POST", 200, MISH, True), ("POST", 401, MISH, False),
    ("GET", 404, "/v1/nothing", True), ("GET", 200, "/livez", False)])
def cors(method, status, target, known):
    """Errors, too, can be read by the page."""
    d, tokens = auth()
    headers = {**JSON, "Origin": LAB}
    if known:
        headers.update(bearer(tokens["reader"]))
    body = BODY if method == "POST" else None
    reply = send(d, method, target, body, headers)
    equal(reply.status, status, short(reply.text()))
    equal(reply.header("Access-Control-Allow-Origin"), LAB)
    contains(reply.header("Access-Control-Expose-Headers"), "X-Request-Id",
             "Retry-After")


@test("with --cors-origin a page from elsewhere is refused even with a token")
def cors_elsewhere():
    """And is told nothing that it could read."""
    d, tokens = auth()
    reply = send(d, "POST", MISH, BODY, {
        **JSON, **bearer(tokens["reader"]), "Origin": EVIL})
    forbidden(reply, EVIL)
    equal(reply.header("Access-Control-Allow-Origin"), None)


@test("refusals are counted by their reason")
def counted():
    """Each of those above."""
    d, tokens = auth()
    text = send(d, "GET", "/metrics", headers=bearer(tokens["boss"])).text()
    own = send(local(), "GET", "/metrics").text()
    for reason, where in (("unauthorized", text), ("throttled", text),
                          ("origin", text), ("origin", own), ("host", own)):
        check(re.search(r'\{reason="%s"\} [1-9]' % reason, where), reason)


@test("the daemons end with exit code 0")
def ends():
    """Nothing was left behind."""
    for d in (_shared["daemon"], _shared["local"]):
        equal(d.stop(), 0, d.log()[-1000:])
        for word in REPORTS:
            check(word not in d.log(), d.log()[-4000:])


main()
