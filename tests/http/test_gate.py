"""The gate: heads that two programs could read in two ways, byte by byte.

Each row is sent as it stands, and behind it a request that must not be
answered: a head that is refused ends its connection.
"""
import json
import re
import socket

from harness import (FILE_S, Failure, WAIT_S, check, dial, each, equal, main,
                     read_reply, server, short, test)

MISH = "/v1/activations/mish"
BODY = b'{"inputs":{"x":[0]}}'
HIDDEN = b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n"


def request(*lines, line=f"POST {MISH} HTTP/1.1", host="Host: localhost",
            end="\r\n"):
    """A head of these lines, with what each needs."""
    head = [line] + ([host] if host else []) + \
        ["Content-Type: application/json", *lines, "", ""]
    return end.join(head).encode("latin-1")


def everything(s):
    """All that comes until the other side closes."""
    out = b""
    s.settimeout(WAIT_S)
    while True:
        try:
            piece = s.recv(65536)
        except ConnectionResetError:
            return out
        except socket.timeout:
            raise Failure(f"not closed after {short(out)}") from None
        if not piece:
            return out
        out += piece


def statuses(got):
    """The statuses of the answers in got."""
    return [int(s) for s in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]


def refused(raw, status):
    """raw is answered once, with this status, as a problem, and no more."""
    with dial(server()) as s:
        try:
            s.sendall(raw + HIDDEN)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may be over before all is sent
        got = everything(s)
    equal(len(statuses(got)), 1, short(got))
    head, _, body = got.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    equal(lines[0].split()[1], str(status), short(got))
    check("content-type: application/problem+json" in lines, short(got))
    check("connection: close" in lines, short(got))
    check(any(line.startswith("x-request-id: ") for line in lines), short(got))
    check(b"html" not in got.lower(), short(got))
    problem = json.loads(body)
    equal(problem["status"], status)
    check(problem["detail"] == problem["error"], short(body))


LENGTH = f"Content-Length: {len(BODY)}"
CHUNKED = "Transfer-Encoding: chunked"
SMUGGLED = BODY + b"0\r\n\r\n"

BAD = [
    ("both lengths", request(LENGTH, CHUNKED) + SMUGGLED, 400),
    ("both lengths, the other way", request(CHUNKED, LENGTH) + SMUGGLED, 400),
    ("two lengths that differ", request(LENGTH, "Content-Length: 4") + BODY,
     400),
    ("two lengths that agree", request(LENGTH, LENGTH) + BODY, 400),
    ("a list of lengths", request("Content-Length: 20, 20") + BODY, 400),
    ("no length at all", request("Content-Length:"), 400),
    ("a signed length", request("Content-Length: +20") + BODY, 400),
    ("a negative length", request("Content-Length: -1") + BODY, 400),
    ("a hexadecimal length", request("Content-Length: 0x14") + BODY, 400),
    ("a length with more", request("Content-Length: 20 20") + BODY, 400),
    ("a length with a letter", request("Content-Length: 2O") + BODY, 400),
    ("a fraction", request("Content-Length: 20.0") + BODY, 400),
    ("an unknown coding", request("Transfer-Encoding: gzip") + BODY, 400),
    ("two codings", request("Transfer-Encoding: gzip, chunked") + BODY, 400),
    ("chunked twice", request(CHUNKED, CHUNKED) + SMUGGLED, 400),
    ("chunked and more", request("Transfer-Encoding: chunked;q=1"), 400),
    ("identity", request("Transfer-Encoding: identity") + BODY, 400),
    ("a coding behind a tab", request("Transfer-Encoding:\x0bchunked"), 400),
    ("a coding cut by NUL", request("Transfer-Encoding: chunked\0", LENGTH),
     400),
    ("a hidden coding", request("Transfer-Encoding: \0chunked", LENGTH), 400),
    ("chunked on HTTP/1.0",
     request(CHUNKED, line=f"POST {MISH} HTTP/1.0") + SMUGGLED, 400),
    ("a blank before the colon", request("Content-Length : 20") + BODY, 400),
    ("a tab before the colon", request("Content-Length\t: 20") + BODY, 400),
    ("a folded line", request("X-Long: a", " b", LENGTH) + BODY, 400),
    ("a folded coding", request("Transfer-Encoding:", " chunked"), 400),
    ("a line that begins with a blank",
     b"GET /livez HTTP/1.1\r\n Host: localhost\r\nHost: localhost\r\n\r\n",
     400),
    ("a line without a colon", request("what is this"), 400),
    ("a name with a blank", request("X Name: 1"), 400),
    ("a name with brackets", request("X(Name): 1"), 400),
    ("a name beyond ASCII", request("X-N\xe4me: 1"), 400),
    ("no name", request(": 1"), 400),
    ("NUL in a name", request("X-\0Name: 1"), 400),
    ("NUL in a value", request("X-Name: a\0b"), 400),
    ("a control character", request("X-Name: a\x01b"), 400),
    ("DEL", request("X-Name: a\x7fb"), 400),
    ("NUL that an LF alone pays for",
     request("X: 1\nContent-Length: 20\0") + BODY, 400),
    ("a length cut by NUL, paid for by LFs",
     request("A: 1\nB: 1\nC: 1\nD: 1\nContent-Length: 20\0, 3") + BODY, 400),
    ("a coding hidden by NUL, paid for by LFs",
     request("\n".join(["X: 1"] * 20) + "\nY:\0ransfer-Encoding: chunk",
             LENGTH) + BODY, 400),
    ("a digit of the last length hidden",
     request()[:-2] + b"Content-Length: 2\x000\n\n" + BODY, 400),
    ("a byte hidden in the last line",
     request(LENGTH)[:-4] + b"\n\0a\n" + BODY, 400),
    ("CR alone", request("X-Name: a\rTransfer-Encoding: chunked"), 400),
    ("LF alone", request(LENGTH, end="\n") + BODY, 400),
    ("one line that ends in LF",
     b"GET /livez HTTP/1.1\r\nHost: localhost\nX: 1\r\n\r\n", 400),
    ("no Host", request(LENGTH, host=None) + BODY, 400),
    ("two Hosts", request("Host: localhost", LENGTH) + BODY, 400),
    ("an empty Host", request(LENGTH, host="Host:") + BODY, 400),
    ("a Host with a path", request(LENGTH, host="Host: localhost/x") + BODY,
     400),
    ("a Host with a user", request(LENGTH, host="Host: me@localhost") + BODY,
     400),
    ("a list of Hosts", request(LENGTH, host="Host: localhost, a") + BODY,
     400),
    ("a Host with a blank", request(LENGTH, host="Host: local host") + BODY,
     400),
    ("a port that is none", request(LENGTH, host="Host: localhost:x") + BODY,
     400),
    ("a port too large", request(LENGTH, host="Host: localhost:65536") + BODY,
     400),
    ("a bad IPv6 address", request(LENGTH, host="Host: [::1") + BODY, 400),
    ("another host in the target",
     b"GET http://example.org/livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("a target that is no path",
     b"GET livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("* for GET", b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("a fragment", b"GET /livez#a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("a target beyond ASCII",
     b"GET /\xc3\xa4 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("NUL in the target",
     b"GET /livez\0x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("two blanks in the request line",
     b"GET  /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("a blank at its end",
     b"GET /livez HTTP/1.1 \r\nHost: localhost\r\n\r\n", 400),
    ("a method that is no word",
     b"GE(T /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("a method without end",
     b"G" * 100 + b" /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("two content types", request("Content-Type: text/plain", LENGTH) + BODY,
     400),
    ("two authorizations",
     request("Authorization: Bearer a", "Authorization: Bearer b"), 400),
    ("a timeout of 0", request("X-Request-Timeout-Ms: 0", LENGTH) + BODY, 400),
    ("a timeout that is no number",
     request("X-Request-Timeout-Ms: 1s", LENGTH) + BODY, 400),
    ("an unknown expectation", request("Expect: tea", LENGTH), 417),
    ("HTTP/2.0", b"GET /livez HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
    ("HTTP/1.2", b"GET /livez HTTP/1.2\r\nHost: localhost\r\n\r\n", 505),
    ("the preface of HTTP/2",
     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("a target of 40 kB",
     b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    ("a header of 40 kB", request("X-Long: " + "a" * 40000), 431),
    ("9000 headers", request(*[f"X-{i}: 1" for i in range(9000)]), 431),
    ("a chunk that has no size", request(CHUNKED) + b"\r\n\r\n", 400),
    ("a chunk's size with a sign", request(CHUNKED) + b"-1\r\n", 400),
    ("a chunk of all sizes", request(CHUNKED) + b"f" * 17 + b"\r\n", 413),
    ("a chunk that is too long", request(CHUNKED) + b"2\r\n{}}}0\r\n\r\n",
     400),
]


@each("refused: {0}", BAD)
def is_refused(_name, raw, status):
    """One answer, a problem; then the connection is closed."""
    refused(raw, status)


GOOD = [
    ("a plain one", request(LENGTH) + BODY),
    ("no blank behind the colon", request(f"Content-Length:{len(BODY)}") +
     BODY),
    ("blanks behind the colon", request(f"Content-Length: \t {len(BODY)}") +
     BODY),
    ("an empty value", request("X-Empty:", LENGTH) + BODY),
    ("a header of 12 kB", request("X-Long: " + "a" * 12000, LENGTH) + BODY),
    ("chunks", request(CHUNKED) + b"%x\r\n%s\r\n0\r\n\r\n" %
     (len(BODY), BODY)),
    ("chunks in capitals", request("TRANSFER-ENCODING: Chunked") +
     b"%X\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    ("chunks with an extension and a trailer", request(CHUNKED) +
     b"%x;a=b\r\n%s\r\n0\r\nX-Sum: 1\r\n\r\n" % (len(BODY), BODY)),
    ("a length with zeros", request("Content-Length: 000020") + BODY),
    ("a Host with a port", request(LENGTH, host="Host: localhost:1") + BODY),
    ("a Host with an empty port", request(LENGTH, host="Host: localhost:") +
     BODY),
    ("an address", request(LENGTH, host="Host: 127.0.0.1:8080") + BODY),
    ("an IPv6 address", request(LENGTH, host="Host: [::1]:8080") + BODY),
    ("capitals", request(LENGTH, host="HOST: LOCALHOST") + BODY),
    ("the absolute form", request(
        LENGTH, line=f"POST http://localhost{MISH} HTTP/1.1") + BODY),
    ("the absolute form of https", request(
        LENGTH, line=f"POST https://LOCALHOST{MISH}? HTTP/1.1") + BODY),
    ("names of all characters", request("!#$%&'*+-.^_`|~0aZ: 1", LENGTH) +
     BODY),
    ("a value beyond ASCII", request("X-Name: \xe4\xff\t\"", LENGTH) + BODY),
    ("lists in several lines", request("Accept: text/plain", "Accept: */*",
                                       LENGTH) + BODY),
    ("100 headers", request(*[f"X-{i}: 1" for i in range(100)], LENGTH) +
     BODY),
    ("empty lines before it", b"\r\n\r\n" + request(LENGTH) + BODY),
    ("an expectation", request("Expect: 100-Continue", LENGTH) + BODY),
    ("a timeout", request("X-Request-Timeout-Ms: 5000", LENGTH) + BODY),
]


@each("accepted: {0}", GOOD)
def is_accepted(_name, raw):
    """It is answered, and so is what follows on the connection."""
    with dial(server()) as s:
        s.sendall(raw + HIDDEN.replace(b"Host", b"Connection: close\r\nHost"))
        got = everything(s)
    equal([status for status in statuses(got) if status != 100], [200, 200],
          short(got))
    check(got.endswith(b'"api":"v1"}'), short(got))


@test("HTTP/1.0 without Host is answered, and the connection closed")
def http_1_0():
    """As load balancers ask for health."""
    with dial(server()) as s:
        s.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        got = everything(s)
    check(got.startswith(b"HTTP/1.1 200 ") or got.startswith(b"HTTP/1.0 200 "),
          short(got))


@test("OPTIONS * is answered")
def options_all():
    """It asks for the server as a whole, which is no path of ours."""
    with dial(server()) as s:
        s.sendall(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n")
        equal(read_reply(s).status, 404)


@test("a head in single bytes is read as one")
def single_bytes():
    """However it is cut."""
    with dial(server()) as s:
        for byte in request(LENGTH) + BODY:
            s.sendall(bytes([byte]))
        equal(read_reply(s, "POST").status, 200)


@test("no answer tells the inside")
def nothing_leaks():
    """Neither paths, nor names of libraries, nor functions."""
    for _, raw, status in BAD:
        with dial(server()) as s:
            try:
                s.sendall(raw)
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            got = everything(s).lower()
        check(str(status).encode() in got, short(got))
        for word in (b"microhttpd", b"/home", b"/usr", b".c:", b"server:"):
            check(word not in got, short(got))


main(FILE_S)
