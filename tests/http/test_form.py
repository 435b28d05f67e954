"""Detection requests as forms, as curl and others write them."""
import sys

sys.dont_write_bytecode = True
from cocodata import columns, zoo
from harness import (EVALUATE, SLOW, Failure, Reply, Skip, ask, check,
                     check_problem, chunks, connection, contains, dial, each,
                     equal, head, main, path, post, read_reply, run, server,
                     short, test, write)
import gzip
import json
import os
import re
import shutil
import struct
import subprocess

FORM = "multipart/form-data; boundary="
OUTPUTS = ["summary", "per_class", "per_image"]
DATA = zoo(outputs=OUTPUTS, parameters={"max_detections": [1, 2, 3]})
ZOO = json.dumps(DATA).encode()
_large = {}

# Forms as programs write them


def curl_form(parts):
    """As curl writes it: -F of files, then -F of settings."""
    boundary = "-" * 24 + "c0ffee0123456789abcdef"
    out = b""
    for name, content in parts:
        out += f'--{boundary}\r\nContent-Disposition: form-data; ' \
            f'name="{name}"'.encode()
        if name in ("ground_truth", "detections"):
            out += f'; filename="{name}.json"\r\n' \
                "Content-Type: application/octet-stream".encode()
        out += b"\r\n\r\n" + content + b"\r\n"
    return FORM + boundary, out + f"--{boundary}--\r\n".encode()


def requests_form(parts):
    """As requests and urllib3 write it: hexadecimal digits, no type."""
    boundary = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
    out = b""
    for name, content in parts:
        out += f"--{boundary}\r\nContent-Disposition: form-data; " \
            f'name="{name}"; filename="{name}"\r\n\r\n'.encode()
        out += content + b"\r\n"
    return FORM + boundary, out + f"--{boundary}--\r\n".encode()


def browser_form(parts):
    """As a browser or a mail program may: a preamble, quotes, an epilogue."""
    out = b"nobody sees this\r\n"
    for name, content in parts:
        out += b"--=_1:2 3\t \r\ncontent-type: application/json; " \
            b"charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n" \
            b'CONTENT-DISPOSITION: Form-Data;filename="\xc3\xa9;\\"";'
        out += b"name=" + name.encode() + b"\r\n\r\n" + content + b"\r\n"
    return 'Multipart/Form-Data; charset=x; boundary="=_1:2 3"', \
        out + b"--=_1:2 3--\r\nnor this"


STYLES = {"curl": curl_form, "requests": requests_form,
          "a browser": browser_form}


def parts_of(data, detections=None):
    """The members of a request as parts, ground_truth first."""
    return [(name, detections if name == "detections" and detections
             else json.dumps(value).encode()) for name, value in data.items()]


def send(form, accept=None, daemon=None, **headers):
    """POSTs a form."""
    kind, body = form
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    if accept:
        headers["Accept"] = accept
    return ask(daemon or server(), "POST", EVALUATE, body,
               {"Content-Type": kind, **headers})


def check_same(reply, body, accept=None):
    """The answer is that to the same data as JSON."""
    want = post(server(), body, accept)
    equal(reply.status, 200, short(reply.text()))
    equal((reply.body, reply.header("Content-Type")),
          (want.body, want.header("Content-Type")))


@each("as {0} writes it, Accept: {1}", [
    (style, accept) for style in STYLES
    for accept in (None, "application/json", "text/plain")])
def styles(style, accept):
    """The same answer as to JSON."""
    check_same(send(STYLES[style](parts_of(DATA)), accept), ZOO, accept)


@test("parts from the last to the first")
def backwards():
    """Settings before files."""
    check_same(send(curl_form(parts_of(DATA)[::-1])), ZOO)


@test("detections as columns")
def columnar():
    """As in JSON."""
    data = {**DATA, "detections": columns(DATA["detections"])}
    check_same(send(requests_form(parts_of(data))), ZOO)


def npy(rows, code):
    """The file that numpy.save writes of rows of seven numbers."""
    descr = {"d": "<f8", "f": "<f4"}[code]
    text = (f"{{'descr': '{descr}', 'fortran_order': False, "
            f"'shape': ({len(rows)}, 7), }}")
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() + \
        b"".join(struct.pack("<7" + code, *row) for row in rows)


def rows_of(detections):
    """Rows as COCO's loadNumpyAnnotations takes them."""
    return [[d["image_id"], *d["bbox"], d["score"], d["category_id"]]
            for d in detections]


@each("detections as .npy of {0}", [("float64", "d"), ("float32", "f")])
def as_npy(_name, code):
    """Scores of float32 are what their doubles are."""
    rows = rows_of(DATA["detections"])
    data = {**DATA, "detections": [
        {**d, "score": struct.unpack(code, struct.pack(code, d["score"]))[0]}
        for d in DATA["detections"]]}
    parts = parts_of(DATA, npy(rows, code))
    for style in STYLES.values():
        check_same(send(style(parts)), json.dumps(data).encode())


# Faults


def without(name):
    """All parts but this one."""
    return [p for p in parts_of(DATA) if p[0] != name]


NAN = [[1, 0, 0, 5, float("nan"), 0.5, 1]]


@each("{0} is {1} {2}", [
    ("a part that is not known", 422, "unknown-member", "ground_truth",
     parts_of(DATA) + [("groundtruth", b"{}")]),
    ("a part twice", 400, "malformed-form", "same name",
     parts_of(DATA) + [("outputs", b"[]")]),
    ("no ground truth", 422, "missing-member", "-F ground_truth=@FILE",
     without("ground_truth")),
    ("no detections", 422, "missing-member", "-F detections=@FILE",
     without("detections")),
    ("JSON that is cut off", 400, "malformed-json",
     "detections: line 2, column 2 (byte 3)",
     parts_of(DATA, b"[\n ")),
    ("an empty file", 400, "malformed-json", "ground_truth: it is empty",
     [("ground_truth", b"")] + without("ground_truth")),
    ("a part of settings of 1 MiB and a byte", 400, "malformed-form", "1 MiB",
     without("outputs") + [("outputs", b"[]" + b" " * ((1 << 20) - 1))]),
    (".npy of six columns", 422, "shape-mismatch", "image_id, x, y",
     parts_of(DATA, npy([[1] * 7] * 6, "d").replace(b"(6, 7)", b"(7, 6)"))),
    (".npy with NaN", 422, "non-finite-number", "(height)",
     parts_of(DATA, npy(NAN, "d"))),
    (".npy with half an image", 422, "invalid-value", "(image_id)",
     parts_of(DATA, npy([[0.5] * 7], "d")))])
def faults(_what, status, name, says, parts):
    """In any style; the connection stays good."""
    c = connection(server())
    for style in STYLES.values():
        kind, body = style(parts)
        c.request("POST", EVALUATE, body, {"Content-Type": kind})
        reply = Reply(c.getresponse())
        p = check_problem(server(), reply, status, name)
        contains(p["detail"], says)
    c.close()


@test("a form without its boundary, without its end, as JSON")
def broken():
    """400, and the page of the problem tells of curl."""
    kind, body = curl_form(parts_of(DATA))
    for kind, body in (("multipart/form-data", body), (kind, body[:-4]),
                       (kind, ZOO), (kind, b""), (FORM + "x", body)):
        p = check_problem(server(), send((kind, body)), 400, "malformed-form")
    contains(ask(server(), "GET", p["type"]).text(), "-F ground_truth=@")


@test("the limit of a body holds for forms")
def limit():
    """413, announced or not."""
    daemon = server("--max-body", "64K")
    kind, body = curl_form(parts_of(DATA, b"[" + b" " * 65536 + b"]"))
    reply = send((kind, body), daemon=daemon)
    check_problem(daemon, reply, 413, "body-too-large")
    reply = send((kind, gzip.compress(body)), daemon=daemon,
                 Content_Encoding="gzip")
    check_problem(daemon, reply, 413, "body-too-large")
    with dial(daemon) as s:
        s.sendall(head(None).replace(b"application/json", kind.encode()))
        s.sendall(chunks(body, 4096))
        check_problem(daemon, read_reply(s), 413, "body-too-large")


# Large forms


def sample():
    """Ground truth and detections of several MiB, and what they score."""
    if not _large:
        directory = path("sample")
        r = run("sample", "--images", str(1000 // SLOW), "--objects", "12",
                "--detections", "60", directory)
        equal(r.returncode, 0, r.stderr.decode())
        for name in ("ground_truth", "detections"):
            with open(os.path.join(directory, name + ".json"), "rb") as f:
                _large[name] = f.read()
        reply = post(server(), b'{"ground_truth":%s,"detections":%s}' % (
            _large["ground_truth"], _large["detections"]))
        equal(reply.status, 200, short(reply.text()))
        _large["answer"] = reply.body
        _large["directory"] = directory
    return _large


def large_form():
    """It as a form."""
    return curl_form([(name, sample()[name])
                      for name in ("ground_truth", "detections")])


def stored(data):
    """A frame of zstd whose blocks are stored."""
    out = [b"\x28\xb5\x2f\xfd\x80\x38" + len(data).to_bytes(4, "little")]
    for at in range(0, len(data), 1 << 17):
        block = data[at:at + (1 << 17)]
        last = int(at + len(block) == len(data))
        out.append((len(block) << 3 | last).to_bytes(3, "little") + block)
    return b"".join(out)


@each("several MiB, {0}, {1}", [
    (coding, framing) for coding in ("identity", "gzip", "zstd")
    for framing in ("with Content-Length", "chunked")])
def large(coding, framing):
    """The answer to the same data as JSON, and where its time went."""
    kind, body = large_form()
    check(len(body) > 4 << 20 or SLOW > 1, f"{len(body)} bytes")
    body = {"identity": bytes, "gzip": lambda b: gzip.compress(b, 1),
            "zstd": stored}[coding](body)
    length = len(body) if framing != "chunked" else None
    with dial(server()) as s:
        s.sendall(head(length, "Content-Encoding: " + coding)
                  .replace(b"application/json", kind.encode()))
        s.sendall(body if length else chunks(body, 50_000))
        reply = read_reply(s)
    equal((reply.status, reply.body), (200, sample()["answer"]))
    timing = dict(re.findall(r"(\w+);dur=([0-9.]+)",
                             reply.header("Server-Timing")))
    equal(sorted(timing), ["compute", "encode", "parse", "queue"])
    check(float(timing["parse"]) > 0, str(timing))


# curl itself


def curl(*args, stdin=b""):
    """What curl prints; it must succeed."""
    if not shutil.which("curl"):
        raise Skip("no curl here")
    done = subprocess.run(
        ["curl", "-sS", "--fail-with-body", "--max-time", "30", *args,
         server().url + EVALUATE], input=stdin, capture_output=True,
        timeout=40, check=False)
    if done.returncode:
        raise Failure(done.stderr.decode() + done.stdout.decode())
    return done.stdout


def files():
    """curl's -F for the two files of the zoo."""
    return ["-F", "ground_truth=@" + write("gt.json", DATA["ground_truth"]),
            "-F", "detections=@" + write("dt.json", DATA["detections"])]


@test("curl -F of two files, and of settings")
def curl_files():
    """The same as JSON, with and without settings."""
    plain = json.dumps(zoo()).encode()
    equal(curl(*files()), post(server(), plain).body)
    equal(curl(*files(), "-H", "Accept: text/plain"),
          post(server(), plain, "text/plain").body)
    equal(curl("-F", "outputs=" + json.dumps(OUTPUTS), *files(), "-F",
               'parameters={"max_detections":[1,2,3]};type=application/json'),
          post(server(), ZOO).body)


@test("curl -F of .npy, of standard input, chunked")
def curl_others():
    """What else curl can do."""
    rows = npy(rows_of(DATA["detections"]), "d")
    truth = files()[:2]
    want = post(server(), json.dumps(zoo()).encode()).body
    equal(curl(*truth, "-F", "detections=@" + write("dt.npy", rows)), want)
    equal(curl(*truth, "-F", "detections=@-", stdin=rows), want)
    equal(curl(*truth, "-F", "detections=<" + files()[3][12:]), want)
    equal(curl(*files(), "-H", "Transfer-Encoding: chunked"), want)
    equal(curl(*files(), "-H", "Expect: 100-continue"), want)


@test("curl -F of several MiB")
def curl_large():
    """The files of evald sample."""
    directory = sample()["directory"]
    equal(curl("-F", f"ground_truth=@{directory}/ground_truth.json",
               "-F", f"detections=@{directory}/detections.json"),
          sample()["answer"])


if __name__ == "__main__":
    main()
