"""The endpoints that say what the server is, and HTTP as such."""
import sys

sys.dont_write_bytecode = True
from harness import (Daemon, EVALUATE, ROOT, ask, check, check_problem,
                     connection, contains, dial, each, equal, get, head,
                     main, post, raises, read_reply, Reply, server, test)
import json
import os
import re

READ = "GET, HEAD, OPTIONS"
JSON = "application/json"
PROBLEM = "application/problem+json"
TEXT = "text/plain; charset=utf-8"
PATHS = [("/", TEXT), ("/livez", JSON), ("/readyz", JSON), ("/healthz", JSON),
         ("/version", JSON), ("/v1", JSON), ("/problems/not-found", TEXT)]
PROBLEMS = ["malformed-json", "malformed-form", "malformed-content",
            "malformed-npy", "not-found",
            "method-not-allowed", "not-acceptable",
            "body-too-large", "too-much-memory", "unsupported-media-type",
            "missing-member", "unknown-member", "invalid-value",
            "non-finite-number", "number-out-of-range", "ragged-tensor",
            "shape-mismatch", "invalid-box", "unknown-image",
            "duplicate-image-id", "not-offered", "conflict",
            "precondition-failed", "image-conflict", "run-finalized",
            "run-incomplete", "incomparable", "store-full", "store-gone",
            "overloaded", "draining", "malformed-request", "uri-too-long",
            "head-too-large", "expectation", "http-version", "unauthorized",
            "forbidden", "too-slow", "throttled", "deadline", "internal"]


def no_html(reply):
    """Fails if the answer is a web page."""
    check("html" not in (reply.header("Content-Type") or ""), "HTML")
    check(b"<html" not in reply.body.lower(), reply.text())


# What the endpoints say


@each("GET {0}", PATHS)
def get_answers(target, content_type):
    """200, its type, an id, no sniffing, not HTML."""
    reply = get(server(), target)
    equal((reply.status, reply.header("Content-Type")), (200, content_type))
    equal(reply.header("X-Content-Type-Options"), "nosniff")
    check(reply.header("X-Request-Id"), "no X-Request-Id")
    check(reply.header("Server-Timing") is None, "nothing was computed")
    no_html(reply)
    if content_type == JSON:
        reply.json()


@each("HEAD {0} is GET without the body", PATHS)
def head_answers(target, _content_type):
    """The same headers, Content-Length too; the connection stays good."""
    c = connection(server())
    c.request("HEAD", target)
    reply = Reply(c.getresponse())
    other = get(server(), target)
    equal((reply.status, reply.body), (200, b""))
    for name in ("Content-Type", "Content-Length"):
        equal(reply.header(name), other.header(name), name)
    c.request("GET", "/livez")
    equal(Reply(c.getresponse()).status, 200, "the next request")
    c.close()


@each("OPTIONS {0}", PATHS + [(EVALUATE, JSON)])
def options_answers(target, _content_type):
    """204, no body, the methods."""
    reply = ask(server(), "OPTIONS", target)
    allow = "POST, OPTIONS" if target == EVALUATE else READ
    equal((reply.status, reply.body, reply.header("Allow")),
          (204, b"", allow))


@each("{0} {1} is 405", [
    (method, target, allow) for target, allow in
    [(t, READ) for t, _ in PATHS] + [(EVALUATE, "POST, OPTIONS")]
    for method in (("GET", "HEAD", "PUT", "DELETE", "BREW")
                   if target == EVALUATE else ("POST", "PUT", "DELETE"))])
def wrong_method(method, target, allow):
    """405 with Allow and a problem."""
    reply = ask(server(), method, target)
    equal((reply.status, reply.header("Allow")), (405, allow))
    if method != "HEAD":
        p = check_problem(server(), reply, 405, "method-not-allowed", target)
        contains(p["detail"], method, allow)


@each("status of {0}", [("/livez",), ("/readyz",), ("/healthz",)])
def status_ok(target):
    """{"status":"ok"}, compact."""
    equal(get(server(), target).body, b'{"status":"ok"}')


@test("/readyz?verbose and a query on /livez do no harm")
def queries():
    """A query is not part of the path."""
    equal(get(server(), "/readyz?verbose").status, 200)
    equal(get(server(), "/livez?a=/b?c").status, 200)


@test("/version names evald and the API's version")
def version():
    """name, version, api."""
    v = get(server(), "/version").json()
    equal((v["name"], v["api"]), ("evald", "v1"))
    check(re.fullmatch(r"\d+\.\d+\.\d+", v["version"]), v["version"])


@test("/v1 says version, limits, features and links that answer")
def service_document():
    """Each link without a wildcard has the methods that it says."""
    d = get(server("--max-body", "64K", "--workers", "2"), "/v1").json()
    equal(list(d), ["name", "version", "limits", "features", "encodings",
                    "links"])
    equal(d["limits"], {"body_bytes_max": 65536, "workers": 2})
    equal(d["features"], ["detection", "operations"])
    equal(d["encodings"], ["zstd", "gzip"])
    links = {link["href"]: link["methods"] for link in d["links"]}
    check(EVALUATE in links and "/livez" in links, repr(links))
    for target, methods in links.items():
        reply = ask(server(), "OPTIONS", target.format(
            group="losses", name="mse", model="losses.mse", version="1",
            id="0" * 26, image_id="1"))
        equal((reply.status, reply.header("Allow")), (204, methods), target)


@test("/ is a guide in plain text, also for a browser's Accept")
def guide():
    """The guide names the endpoint."""
    reply = get(server(), "/", Accept="text/html,*/*;q=0.8")
    equal(reply.header("Content-Type"), TEXT)
    contains(reply.text(), EVALUATE, "/livez", "curl")


@test("/problems/{name}: every problem in the sources has a page")
def problems_listed():
    """The list here is the one of api/error.c."""
    source = os.path.join(ROOT, "api", "error.c")
    with open(source, encoding="utf-8") as f:
        found = re.findall(r'\{"([a-z-]+)",\s*\d+,', f.read())
    equal(sorted(found), sorted(PROBLEMS))


@each("/problems/{0}", [(name,) for name in PROBLEMS])
def problem_page(name):
    """Plain text that says the name and the status."""
    reply = get(server(), "/problems/" + name)
    equal((reply.status, reply.header("Content-Type")), (200, TEXT))
    check(re.search(r"\(%s, status \d{3}\)" % name, reply.text()),
          reply.text())


# What is not there


@each("GET {0} is 404", [
    ("/nowhere",), ("/v1/",), ("/livez/",), ("//livez",), ("/LIVEZ",),
    ("/v3",), ("/problems/",), ("/problems/none-such",),
    ("/problems/a/b",), ("/../etc/passwd",), ("/v1/detection",),
    ("/problems/not-found/",), ("/livez%00",), ("/a%22b",),
    ("/" + "x" * 2000,)])
def not_found(target):
    """404, a problem that names the path."""
    reply = get(server(), target)
    no_html(reply)
    check_problem(server(), reply, 404, "not-found", target)


@test("a path with bytes that are no ASCII is 400 in valid JSON")
def not_found_bytes():
    """They must be written as %XX; the answer must still be UTF-8."""
    with dial(server()) as s:
        s.sendall(b"GET /\xff\xc3 HTTP/1.1\r\nHost: x\r\n\r\n")
        reply = read_reply(s)
    equal((reply.status, reply.json()["instance"]), (400, "/\ufffd\ufffd"))


@test("404 and 405 keep the connection of a request without a body")
def errors_keep_alive():
    """Eight answers on one socket."""
    with dial(server()) as s:
        for target, status in [("/no", 404), ("/livez", 200)] * 3 + \
                [(EVALUATE, 405), ("/livez", 200)]:
            s.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            equal(read_reply(s).status, status, target)


@test("POST to a path that is not there is 404 whatever the body")
def post_not_found():
    """The answer does not wait for the body."""
    with dial(server()) as s:
        s.sendall(head(1000, target="/nowhere"))
        equal(read_reply(s).status, 404)


# Headers


@each("X-Request-Id {0!r} comes back", [
    ("a",), ("x" * 128,), ("!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~",),
    ("0af7651916cd43dd8448eb211c80319c",)])
def request_id_echoed(given):
    """1 to 128 visible ASCII characters."""
    for target in ("/livez", "/nowhere"):
        equal(get(server(), target, X_Request_Id=given)
              .header("X-Request-Id"), given)


@each("X-Request-Id {0!r} is replaced", [
    (b"",), (b"x" * 129,), (b"a b",), (b"a\tb",), (b"a\x01b",), (b"\x7f",),
    (b"\xc3\xa9",), (b"\xff",)])
def request_id_replaced(given):
    """What is not 1 to 128 visible ASCII characters is not repeated."""
    with dial(server()) as s:
        s.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nX-Request-Id: " +
                  given + b"\r\n\r\n")
        reply = read_reply(s)
    new = reply.header("X-Request-Id")
    check(re.fullmatch("[!-~]{1,128}", new), repr(new))
    check(new.encode() != given, "echoed")
    equal(reply.json()["request_id"], new)


@test("generated request ids differ")
def request_ids_differ():
    """Fifty of them."""
    ids = {get(server(), "/livez").header("X-Request-Id") for _ in range(50)}
    equal(len(ids), 50)


@each("Accept {0!r} on {1} is {2}", [
    ("*/*", "/livez", 200), ("application/*", "/livez", 200),
    ("APPLICATION/JSON", "/livez", 200), ("", "/livez", 200),
    ("text/html, application/json;q=0.1", "/livez", 200),
    ("text/html", "/livez", 406), ("application/json;q=0", "/livez", 406),
    ("*/*, application/json;q=0", "/livez", 406),
    ("application/jsonx", "/livez", 406), ("text/plain", "/", 200),
    ("application/json", "/", 406), ("text/*", "/problems/draining", 200),
    ("image/png", EVALUATE, 406), ("garbage", "/v1", 406)])
def accept(value, target, status):
    """406 names what the path answers."""
    method = "POST" if target == EVALUATE else "GET"
    headers = {"Accept": value, "Content-Type": JSON}
    reply = ask(server(), method, target, None, headers)
    equal(reply.status, status, reply.text())
    no_html(reply)
    if status == 406:
        p = check_problem(server(), reply, 406, "not-acceptable", target)
        contains(p["detail"], "text/plain" if target == "/" else JSON)


@test("Accept with bytes that are no UTF-8 is 406 in valid JSON")
def accept_bytes():
    """The detail quotes the header."""
    with dial(server()) as s:
        s.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nAccept: \xff\r\n\r\n")
        reply = read_reply(s)
    equal(reply.status, 406)
    reply.json()


@each("{0}?pretty indents", [("/v1",), ("/nowhere",), (EVALUATE,)])
def pretty(target):
    """The same JSON over several lines."""
    def fetch(t):
        if target == EVALUATE:
            return post(server(), {}, target=t)
        return get(server(), t, X_Request_Id="same")
    plain, indented = fetch(target), fetch(target + "?pretty")
    check(plain.body.count(b"\n") == 0, "compact")
    check(indented.body.count(b"\n") > 4, indented.text())
    contains(indented.text(), '\n  "')
    a, b = plain.json(), indented.json()
    for d in (a, b):
        d.pop("request_id", None)
    equal(a, b)
    lines = fetch(target + "?a=b&pretty=1").body.count(b"\n")
    equal(lines, indented.body.count(b"\n"), "?a=b&pretty=1")
    equal(fetch(target + "?prettier").body.count(b"\n"), 0, "?prettier")


@test("X-Request-Id and request_id of a POST")
def request_id_of_post():
    """Also on an answer after the body."""
    reply = ask(server(), "POST", EVALUATE, b"{}",
                {"Content-Type": JSON, "X-Request-Id": "mine"})
    equal((reply.header("X-Request-Id"), reply.json()["request_id"]),
          ("mine", "mine"))


# Connections


@test("200 requests on one connection")
def keep_alive():
    """Every answer is whole and in order."""
    c = connection(server())
    for i in range(200):
        c.request("GET", "/livez", headers={"X-Request-Id": f"n{i}"})
        reply = Reply(c.getresponse())
        equal((reply.status, reply.header("X-Request-Id")), (200, f"n{i}"))
    c.close()


@test("pipelined requests are answered in order")
def pipelined():
    """Twenty requests in one packet."""
    with dial(server()) as s:
        s.sendall(b"".join(b"GET /livez HTTP/1.1\r\nHost: x\r\n"
                           b"X-Request-Id: p%d\r\n\r\n" % i
                           for i in range(20)))
        text = b""
        while text.count(b'{"status":"ok"}') < 20:
            piece = s.recv(65536)
            check(piece, "closed early")
            text += piece
    equal(re.findall(rb"X-Request-Id: (\S+)", text),
          [b"p%d" % i for i in range(20)])


@test("Connection: close and HTTP/1.0 close")
def closing():
    """The server closes after the answer."""
    for request in (b"GET /livez HTTP/1.1\r\nHost: x\r\n"
                    b"Connection: close\r\n\r\n",
                    b"GET /livez HTTP/1.0\r\n\r\n"):
        with dial(server()) as s:
            s.sendall(request)
            text = b""
            while piece := s.recv(65536):
                text += piece
        contains(text.decode(), "HTTP/1.1 200", '{"status":"ok"}')


@test("a target in absolute form, as RFC 9112 3.2.2 wants it taken")
def absolute_form():
    """What clients send to proxies."""
    with dial(server()) as s:
        s.sendall(b"GET http://x/livez HTTP/1.1\r\nHost: x\r\n\r\n")
        equal(read_reply(s).status, 200)


# The ready file


@test("the ready file is http://HOST:PORT, and gone after the end")
def ready_file():
    """No newline, and no partial file is left."""
    with Daemon() as d:
        with open(d.ready_file, "rb") as f:
            url = f.read()
        check(re.fullmatch(rb"http://127\.0\.0\.1:[1-9]\d*", url), repr(url))
        equal(get(d, "/livez").status, 200)
        equal(d.stop(), 0)
        directory, name = os.path.split(d.ready_file)
        equal([x for x in os.listdir(directory) if x.startswith(name)], [])
        raises(OSError, dial, d)


@test("the JSON answers have no member twice")
def no_duplicates():
    """Of /v1 and a problem."""
    def unique(pairs):
        equal(len({k for k, _ in pairs}), len(pairs), repr(pairs))
        return dict(pairs)
    for reply in (get(server(), "/v1"), post(server(), {})):
        json.loads(reply.text(), object_pairs_hook=unique)


main()
