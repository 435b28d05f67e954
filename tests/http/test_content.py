"""Compressed bodies and answers, seen from outside."""
import sys

sys.dont_write_bytecode = True
from cocodata import many, zoo
from harness import (EVALUATE, SLOW, Skip, ask, check, check_problem, chunks,
                     contains, dial, each, equal, get, head, main, post,
                     read_reply, server, test)
import ctypes
import ctypes.util
import gzip
import json
import time
import zlib

LIMIT = 65536
JSON = "application/json"
ZOO = json.dumps(zoo(outputs=["summary", "per_class", "per_image"])).encode()
MANY = json.dumps(many(100, 300 // SLOW)).encode()
MISH = "/v1/activations/mish"
BATCH = "/v1/batch"
NUMBERS = json.dumps({"inputs": {"x": [i / 7 for i in range(2000)]},
                      "outputs": ["value", "grad"]}).encode()
FAULTS = json.dumps({"inputs": {"x": ["a"] * 9}, **{
    f"odd{i}": 1 for i in range(12)}}).encode()
PIECE = 1 << 17  # what a block of zstd may become


def zstd_raw(data, piece=PIECE):
    """A frame of blocks that are stored: zstd without its library."""
    out = [b"\x28\xb5\x2f\xfd\x80\x38" + len(data).to_bytes(4, "little")]
    at = 0
    while at < len(data) or at == 0:
        block = data[at:at + piece]
        at += piece
        last = int(at >= len(data))
        out.append((len(block) << 3 | last).to_bytes(3, "little") + block)
    return b"".join(out)


def zstd_zeros(blocks):
    """A frame of so many times 128 KiB of spaces, four bytes each."""
    block = (PIECE << 3 | 2).to_bytes(3, "little") + b" "
    return b"\x28\xb5\x2f\xfd\x00\x38" + block * blocks + b"\1\0\0"


# '{"inputs":{"x":[' + "0.5," * 60 + '1]}}' by zstd -19, with a checksum
PACKED = bytes.fromhex("28b52ffd0468fd0000c07b22696e70757473223a7b2278223a5b302e352c315d7d7d0100d2a8cb0461d0f624")
UNPACKED = b'{"inputs":{"x":[' + b"0.5," * 60 + b"1]}}"


def library():
    """The libzstd that the daemon has too."""
    name = ctypes.util.find_library("zstd") or "libzstd.so.1"
    try:
        lib = ctypes.CDLL(name)
    except OSError:
        raise Skip("no libzstd for python") from None
    lib.ZSTD_decompress.restype = ctypes.c_size_t
    lib.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t,
                                    ctypes.c_char_p, ctypes.c_size_t]
    return lib


def unzstd(data, size):
    """data, inflated to this size."""
    out = ctypes.create_string_buffer(size)
    n = library().ZSTD_decompress(out, size, data, len(data))
    equal(n, size, "bytes of zstd")
    return out.raw


PACK = {"gzip": gzip.compress, "x-gzip": gzip.compress, "zstd": zstd_raw,
        "identity": bytes}


def send(encoding, body, target=EVALUATE, daemon=None, **headers):
    """POSTs a body with Content-Encoding."""
    all_headers = {"Content-Type": JSON, "Content-Encoding": encoding}
    all_headers.update((k.replace("_", "-"), v) for k, v in headers.items())
    return ask(daemon or server(), "POST", target, body, all_headers)


def small_server():
    """A daemon that takes bodies of up to LIMIT bytes."""
    return server("--max-body", "64K")


# Bodies


@each("{0} is read on {1}, {2} bytes", [
    (e, target, len(body), body) for e in
    ("gzip", "x-gzip", "GZIP", " zstd ", "zstd", "identity")
    for target, body in ((EVALUATE, ZOO), (EVALUATE, MANY), (MISH, NUMBERS),
                         (BATCH, b'{"requests":[]}'))])
def encoded(encoding, target, _length, body):
    """The same answer as to the body as it is."""
    reply = send(encoding, PACK[encoding.strip().lower()](body), target)
    equal(reply.status, 200, reply.text()[:300])
    equal(reply.body, post(server(), body, target=target).body)


@test("zstd as the program makes it")
def packed():
    """With compressed blocks and a checksum."""
    reply = send("zstd", PACKED, MISH)
    equal(reply.status, 200, reply.text()[:300])
    equal(reply.body, post(server(), UNPACKED, target=MISH).body)


@each("members of {0}, one after the other", [("gzip",), ("zstd",)])
def members(encoding):
    """Both formats allow it, empty ones too; zstd may skip some."""
    pack = PACK[encoding]
    skipped = b"\x5a\x2a\x4d\x18\3\0\0\0abc" * (encoding == "zstd")
    body = skipped + pack(ZOO[:100]) + pack(b"") + skipped + pack(ZOO[100:])
    equal(send(encoding, body).body, post(server(), ZOO).body)


@each("{0} in chunks of {1} bytes", [
    (e, n) for e in ("gzip", "zstd") for n in (1, 7, 5000)])
def in_chunks(encoding, size):
    """Both codings of HTTP at once."""
    with dial(server()) as s:
        s.sendall(head(None, "Content-Encoding: " + encoding))
        s.sendall(chunks(PACK[encoding](ZOO), size))
        equal(read_reply(s).body, post(server(), ZOO).body)


@each("Content-Encoding {0!r} is 415", [
    ("br",), ("deflate",), ("gzip, identity",), ("gzip, zstd",), ("*",),
    ("gzip;q=1",), ("aes128gcm",)])
def unknown(encoding):
    """It says what is read, and only then (RFC 9110, 12.5.3)."""
    reply = send(encoding, ZOO)
    p = check_problem(server(), reply, 415, "unsupported-media-type")
    contains(p["detail"], "gzip", "zstd")
    equal(reply.header("Accept-Encoding"), "zstd, gzip")
    check(reply.header("Accept-Post"), "no Accept-Post")
    reply = send("gzip", gzip.compress(ZOO), Content_Type="text/html")
    equal((reply.status, reply.header("Accept-Encoding")), (415, None))


BAD = [("cut off gzip", "gzip", gzip.compress(ZOO)[:-1], "too early"),
       ("cut off zstd", "zstd", zstd_raw(ZOO)[:-1], "too early"),
       ("an empty body", "gzip", b"", "too early"),
       ("plain JSON as gzip", "gzip", ZOO, "something else"),
       ("plain JSON as zstd", "zstd", ZOO, "something else"),
       ("gzip as zstd", "zstd", gzip.compress(ZOO), "something else"),
       ("zlib as gzip", "gzip", zlib.compress(ZOO), "something else"),
       ("a newline after gzip", "gzip", gzip.compress(ZOO) + b"\n", "follows"),
       ("a newline after zstd", "zstd", zstd_raw(ZOO) + b"\n", "follows"),
       ("a wrong checksum of gzip", "gzip",
        gzip.compress(ZOO)[:-8] + b"\0\0\0\0" + gzip.compress(ZOO)[-4:],
        "data check"),
       ("a wrong checksum of zstd", "zstd",
        PACKED[:-1] + bytes([PACKED[-1] ^ 1]), "checksum"),
       ("a window of 128 MiB", "zstd", b"\x28\xb5\x2f\xfd\x00\x88\1\0\0",
        "8 MiB")]


@each("{0} is 400", BAD)
def malformed(_what, encoding, body, says):
    """The connection stays good: the whole body was read."""
    p = check_problem(server(), send(encoding, body), 400,
                      "malformed-content")
    contains(p["detail"], encoding, says)


@test("the limit holds for the inflated body")
def limit():
    """Of exactly the limit it is taken, of one byte more it is not."""
    for encoding in ("gzip", "zstd"):
        for size, status in ((LIMIT, 200), (LIMIT + 1, 413)):
            body = PACK[encoding](ZOO + b" " * (size - len(ZOO)))
            if len(body) > LIMIT:
                body = PACK[encoding](ZOO) + zlib_spaces(size - len(ZOO))
            reply = send(encoding, body, daemon=small_server())
            equal(reply.status, status, f"{encoding} {size}")
            if status == 413:
                p = check_problem(small_server(), reply, 413,
                                  "body-too-large")
                contains(p["detail"], str(LIMIT), "nflated")


def zlib_spaces(size):
    """A frame of zstd of fewer than 128 KiB spaces."""
    return (b"\x28\xb5\x2f\xfd\x00\x38" + (size << 3 | 3).to_bytes(
        3, "little") + b" ")


def peak_kb(daemon):
    """The most memory that the daemon has had, or None."""
    try:
        with open(f"/proc/{daemon.process.pid}/status",
                  encoding="ascii") as f:
            return int(next(x for x in f if x.startswith("VmHWM")).split()[1])
    except OSError:
        return None


@each("a bomb of {0}", [("gzip",), ("zstd",)])
def bomb(encoding):
    """A gigabyte: 413 soon, for the memory that the limit allows."""
    zeros = b" " * (1 << 20)
    body = gzip.compress(zeros) * 1024 if encoding == "gzip" else \
        zstd_zeros(8192)
    daemon = server("--max-body", "16M")
    check(len(body) < 2 << 20, f"{len(body)} bytes")
    before, began = peak_kb(daemon), time.monotonic()
    p = check_problem(daemon, send(encoding, body, daemon=daemon), 413,
                      "body-too-large")
    contains(p["detail"], str(16 << 20))
    check(time.monotonic() - began < 5 * SLOW, "takes long")
    if before and SLOW == 1:
        grown = peak_kb(daemon) - before
        check(grown < 48 << 10, f"{grown} KB more")


@test("/livez is answered while bombs are inflated")
def bombs_beside():
    """Encoded bodies are never inflated on the loop's thread."""
    body = zstd_zeros(3000)
    with dial(server()) as s:
        s.sendall(head(len(body), "Content-Encoding: zstd", target=MISH))
        s.sendall(body)
        began = time.monotonic()
        equal(get(server(), "/livez").status, 200)
        check(time.monotonic() - began < 1 * SLOW, "waited")
        check(read_reply(s).status in (400, 413), "no problem")


@test("Server-Timing counts inflating as parsing")
def timing():
    """More of it than of the same body as it is."""
    body = PACK["gzip"](b" " * (40 << 20 if SLOW == 1 else 8 << 20) + NUMBERS)
    timing_of = send("gzip", body, MISH).header("Server-Timing")
    parse = float(timing_of.split("parse;dur=")[1].split(",")[0])
    check(parse > 5, timing_of)


# Answers

LONG = ["/openapi.json", "/docs", "/v1/operations"]


def unpack(reply):
    """The encoding of an answer, and its body, inflated if that is gzip."""
    encoding = reply.header("Content-Encoding")
    if encoding == "gzip":
        return encoding, gzip.decompress(reply.body)
    return encoding, reply.body


@each("Accept-Encoding {0!r} gives {1}", [
    (None, None), ("", None), ("gzip", "gzip"), ("zstd", "zstd"),
    ("gzip, deflate, br", "gzip"), ("gzip, zstd", "zstd"),
    ("GZIP;Q=0.5", "gzip"), ("zstd;q=0.5, gzip", "gzip"), ("*", "zstd"),
    ("gzip;q=0", None), ("br", None), ("identity", None),
    ("identity;q=0", None), ("*;q=0", None), ("gzip, *;q=0", "gzip")])
def asks(value, encoding):
    """Of a document, an operation, scores and a problem."""
    headers = {} if value is None else {"Accept_Encoding": value}
    typed = {"Content_Type": JSON, **headers}
    for plain, reply in (
            (get(server(), LONG[0]), get(server(), LONG[0], **headers)),
            (post(server(), NUMBERS, target=MISH),
             send("identity", NUMBERS, MISH, **typed)),
            (post(server(), ZOO), send("identity", ZOO, **typed)),
            (post(server(), FAULTS, target=MISH),
             send("identity", FAULTS, MISH, **typed))):
        equal((reply.status, reply.header("Content-Encoding")),
              (plain.status, encoding))
        equal((reply.header("Vary"), plain.header("Vary")),
              ("Accept-Encoding",) * 2, "Vary")
        equal(reply.header("Content-Length"), str(len(reply.body)))
        check((len(reply.body) < len(plain.body)) == bool(encoding), "size")
        if plain.status == 200:
            check_same(reply, plain.body)


def check_same(reply, body):
    """The answer's content is this."""
    encoding, content = unpack(reply)
    if encoding == "zstd":
        equal(content[:4], b"\x28\xb5\x2f\xfd")
        content = unzstd(content, len(body))
    equal(content, body)


@each("OPTIONS with a body encoded as {0}", [("gzip",), ("bogus",)])
def options_with_body(coding):
    """The body is no one's: it is neither inflated nor read."""
    for target in ("/v1/detection/evaluate", "/v1/activations/mish"):
        reply = ask(server(), "OPTIONS", target, b"((((" * 100,
                    {"Content-Type": JSON, "Content-Encoding": coding})
        equal(reply.status, 204)


@test("short answers and those without a body stay as they are")
def short_answers():
    """And say nothing of Vary."""
    for target in ("/livez", "/version", "/nowhere"):
        reply = get(server(), target, Accept_Encoding="gzip, zstd")
        equal((reply.header("Content-Encoding"), reply.header("Vary")),
              (None, None), target)
        reply.json()
    reply = ask(server(), "OPTIONS", "/docs", None,
                {"Accept-Encoding": "gzip"})
    equal((reply.status, reply.header("Content-Encoding")), (204, None))


@each("{0} as {1}: HEAD, ETag and 304", [
    (target, e) for target in LONG for e in ("gzip", "zstd", "identity")])
def tagged(target, encoding):
    """The tag is of the bytes that are sent, and they are always the same."""
    first = get(server(), target, Accept_Encoding=encoding)
    again = get(server(), target, Accept_Encoding=encoding)
    equal(again.body, first.body)
    bare = ask(server(), "HEAD", target, None, {"Accept-Encoding": encoding})
    equal((bare.status, bare.body), (200, b""))
    for name in ("Content-Type", "Content-Length", "Content-Encoding",
                 "ETag", "Vary"):
        equal(bare.header(name), first.header(name), name)
        equal(again.header(name), first.header(name), name)
    tag = first.header("ETag")
    for method in ("GET", "HEAD"):
        reply = ask(server(), method, target, None,
                    {"Accept-Encoding": encoding, "If-None-Match": tag})
        equal((reply.status, reply.body, reply.header("ETag"),
               reply.header("Vary"), reply.header("Content-Encoding")),
              (304, b"", tag, "Accept-Encoding", None))
    other = get(server(), target, If_None_Match=tag,
                Accept_Encoding="gzip" if encoding != "gzip" else "zstd")
    equal(other.status, 200, "another representation")


main()
