"""What evald eval shows, and where: --outputs, --color, --html."""
import sys

sys.dont_write_bytecode = True
from cocodata import annotation, category, detection, many, request, zoo
from harness import (EVALD, WAIT_S, check, contains, each, equal, main, path,
                     post, run, server, test, write)
import json
import os
import pty
import re
import signal
import stat
import subprocess

OK, FAILURE, USAGE, DATA, CANT_CREATE, IO = 0, 1, 64, 65, 73, 74
OUTPUTS = ["summary", "per_class", "per_image", "curves", "operating_points",
           "confusion", "errors", "calibration", "lrp", "slices", "intervals",
           "arrays"]
ESC = b"\033"
# the same bytes whatever is computed, and soon
FEW = {"intervals": {"resamples": 20}}


def files(body):
    """The body's two files: their paths."""
    return (write("gt.json", body["ground_truth"]),
            write("dt.json", body["detections"]))


def score(body, *flags):
    """evald eval of the body's files, which must succeed: stdout."""
    r = run("eval", "--parameters", json.dumps(FEW), *flags, *files(body))
    equal(r.returncode, OK, r.stderr.decode())
    return r.stdout


# --outputs


@each("--outputs {0} is as over HTTP, as text and as JSON",
      [(name,) for name in OUTPUTS[:-1]] +
      [("summary,errors",), ("lrp,confusion,per_class",),
       (",".join(OUTPUTS[:-1]),)])
def outputs(names):
    """Byte for byte, and nothing that was not asked for."""
    body = {**zoo(), "outputs": names.split(","), "parameters": FEW}
    equal(score(body, "--outputs", names),
          post(server(), body, "text/plain").body)
    got = score(body, "--json", "--outputs", names)
    equal(got, post(server(), body).body + b"\n")
    for name in OUTPUTS:
        equal(name in json.loads(got), name in names.split(","), name)


@test("all is every output but arrays, which are for --json")
def outputs_all():
    """Also with arrays beside it, and with other flags."""
    body = many(6, 8)
    everything = ",".join(OUTPUTS[:-1])
    equal(score(body, "--outputs", "all"),
          score(body, "--outputs", everything))
    equal(score(body, "--outputs", "all,arrays", "--json"),
          score(body, "--outputs", everything + ",arrays", "--json"))
    r = run("eval", "--outputs", "all,arrays", *files(body))
    equal((r.returncode, r.stdout), (USAGE, b""))
    contains(r.stderr.decode(), "evald eval:", "arrays", "--json")


@test("outputs add up: --per-class, --per-image, --outputs again")
def outputs_add_up():
    """In the order of the API, each once."""
    want = score(zoo(), "--outputs", "per_class,per_image,lrp")
    for flags in (["--outputs", "lrp", "--per-image", "--per-class"],
                  ["--outputs=lrp,lrp", "--outputs=per_image,per_class"],
                  ["--per-class", "--outputs", "per_image,lrp,per_class"]):
        equal(score(zoo(), *flags), want, repr(flags))


@each("--outputs {0!r} is 64", [
    ("confusoin", ["\"confusoin\"", "did you mean confusion?"]),
    ("summary,eror", ["\"eror\"", "did you mean errors?"]),
    ("per-class", ["did you mean per_class?"]),
    ("zzz", ["\"zzz\"", *OUTPUTS, "all"]), ("summary,,lrp", ["\"\""]),
    ("", ["--outputs"]), ("lrp, errors", ["\" errors\"", "errors?"]),
    ("x" * 99, ["all"])])
def wrong_outputs(names, words):
    """Before anything is read."""
    r = run("eval", "--outputs", names, "nowhere.json", "nowhere.json")
    equal((r.returncode, r.stdout), (USAGE, b""), r.stderr.decode())
    contains(r.stderr.decode(), "evald eval:", *words)
    equal(r.stderr.count(b"\n"), 1)


@test("the help names every output")
def help_names():
    """As the API does, which refuses another name with them."""
    text = run("eval", "--help").stdout.decode()
    contains(" ".join(text.split()), ", ".join(OUTPUTS))
    refused = post(server(), zoo(outputs=["zzz"]))
    equal(refused.status, 422)
    contains(refused.text(), *OUTPUTS)


@test("--fail-under holds without the summary among the outputs")
def fail_under():
    """The answer is printed, and the exit code is 1."""
    r = run("eval", "--outputs", "lrp", "--fail-under", "AP=0.9",
            *files(zoo()))
    equal(r.returncode, FAILURE)
    equal(r.stdout, score(zoo(), "--outputs", "lrp"))
    contains(r.stderr.decode(), "AP is 0.45")


@test("confusions by count, and of equal ones the worse of its category first")
def confusions_in_order():
    """One of the only dog counts for more than one of three cats."""
    truth = [(2, 3), (1, 3), (3, 1), (3, 1), (1, 2)]
    boxes = [[40 * i, 0, 20, 20] for i in range(6)]
    gt = [annotation(i + 1, 1, k, boxes[i], 400)
          for i, (k, _) in enumerate(truth)]
    gt.append(annotation(6, 1, 1, boxes[5], 400))
    found = [detection(1, k, boxes[i], 0.9) for i, (_, k) in enumerate(truth)]
    body = request({"images": [{"id": 1}], "annotations": gt,
                    "categories": [category(k) for k in (1, 2, 3)]}, found)
    pairs = json.loads(score(body, "--json", "--outputs", "confusion"))
    equal([(p["ground_truth"], p["detection"], p["count"])
           for p in pairs["confusion"]["pairs"]],
          [(3, 1, 2), (2, 3, 1), (1, 2, 1), (1, 3, 1)])


# --color


def terminal(*flags, **environ):
    """evald eval with a terminal for stdout: what it shows."""
    ours, theirs = pty.openpty()
    env = {k: v for k, v in os.environ.items()
           if k not in ("NO_COLOR", "TERM")}
    process = subprocess.Popen([EVALD, "eval", *flags, *files(zoo())],
                               stdout=theirs, env={**env, **environ})
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    equal(process.wait(WAIT_S), OK)
    return shown.replace(b"\r\n", b"\n")


@each("colour on a terminal: {0}, {1}: {2}", [
    ([], {"TERM": "xterm"}, True), ([], {"TERM": "dumb"}, False),
    ([], {}, False), ([], {"TERM": "xterm", "NO_COLOR": "1"}, False),
    ([], {"TERM": "xterm", "NO_COLOR": ""}, True),
    (["--color", "auto"], {"TERM": "xterm"}, True),
    (["--color", "never"], {"TERM": "xterm"}, False),
    (["--color=always"], {"TERM": "dumb", "NO_COLOR": "1"}, True)])
def colour(flags, environ, want):
    """The text is the same but for it."""
    got = terminal("--per-class", *flags, **environ)
    equal(ESC in got, want)
    equal(re.sub(rb"\033\[\d*m", b"", got), score(zoo(), "--per-class"))


@test("no colour in files and pipes, unless asked for")
def colour_elsewhere():
    """JSON and pages have none at all."""
    check(ESC not in score(zoo(), "--per-class"), "auto")
    check(ESC in score(zoo(), "--per-class", "--color", "always"), "always")
    for flags in (["--json"], ["--html", "-"]):
        check(ESC not in score(zoo(), "--color", "always", *flags), flags)


@each("--color {0!r} is 64", [("sometimes",), ("",), ("Always",)])
def wrong_colour(value):
    """The message says what there is."""
    r = run("eval", "--color", value, *files(zoo()))
    equal((r.returncode, r.stdout), (USAGE, b""))
    contains(r.stderr.decode(), "--color", "auto, always, never")


# --html


def page(*flags, name="page.html"):
    """The page that evald eval writes."""
    score(zoo(), "--html", path(name), *flags)
    with open(path(name), "rb") as f:
        return f.read()


@test("--html writes a page beside the answer")
def html():
    """The answer is the same; so is the page on stdout."""
    equal(score(zoo(), "--html", path("page.html")), score(zoo()))
    equal(score(zoo(), "--html", path("page.html"), "--json"),
          score(zoo(), "--json"))
    got = page()
    equal(got[:15].lower(), b"<!doctype html>")
    got.decode("utf-8")
    equal(score(zoo(), "--html", "-"), got)


@test("the page has every output but intervals, or those of --outputs")
def html_outputs():
    """The text has what it has without it."""
    most = ",".join(OUTPUTS[:-2])
    equal(page(), page("--outputs", most))
    check(page() != page("--outputs", "summary,lrp"), "as if not asked")
    equal(score(zoo(), "--outputs", "summary,lrp", "--html", path("p.html")),
          score(zoo(), "--outputs", "summary,lrp"))


@test("--html - and --json are 64 together")
def html_and_json():
    """Both would go to standard output."""
    r = run("eval", "--html", "-", "--json", *files(zoo()))
    equal((r.returncode, r.stdout), (USAGE, b""))
    contains(r.stderr.decode(), "--json", "--html -")


def listing():
    """What is in the directory of the pages."""
    return sorted(os.listdir(path("pages")))


@test("a page takes the place of another in one step, links and modes kept")
def html_replaces():
    """A reader who has the old one open keeps it; nothing else is left."""
    os.makedirs(path("pages"))
    real, link = path("pages/page.html"), path("pages/link.html")
    with open(real, "w", encoding="ascii") as f:
        f.write("old")
    os.chmod(real, 0o640)
    os.symlink("page.html", link)
    with open(real, encoding="utf-8") as old:
        score(zoo(), "--html", link)
        equal(old.read(), "old")
    check(os.path.islink(link), "the link is gone")
    equal(stat.S_IMODE(os.stat(real).st_mode), 0o640)
    with open(real, "rb") as f:
        equal(f.read(), page())
    equal(listing(), ["link.html", "page.html"])
    os.umask(old_mask := os.umask(0))
    equal(stat.S_IMODE(os.stat(path("page.html")).st_mode), 0o666 & ~old_mask)


@test("where a page cannot be written: 73, the answer is there, no page")
def html_fails():
    """A directory that is none, one in the way."""
    os.makedirs(path("pages/in-the-way"))
    before = listing()
    for name in ("nowhere/page.html", "pages/in-the-way"):
        r = run("eval", "--html", path(name), *files(zoo()))
        equal((r.returncode, r.stdout), (CANT_CREATE, score(zoo())))
        contains(r.stderr.decode(), "evald eval:", "cannot write", name)
    equal(listing(), before)


@test("a page is not written where the files are wrong")
def html_bad_data():
    """Nor is an old one touched."""
    name = write("kept.html", "old")
    r = run("eval", "--html", name, write("bad.json", "["), files(zoo())[1])
    equal(r.returncode, DATA)
    with open(name, encoding="ascii") as f:
        equal(f.read(), "old")


@test("a page never goes over what is read, or where the answer goes")
def html_clash():
    """64, and everything is as it was."""
    gt, dt = files(zoo())
    for name in (gt, dt):
        with open(name, "rb") as f:
            before = f.read()
        r = run("eval", "--html", name, gt, dt)
        equal((r.returncode, r.stdout), (USAGE, b""))
        contains(r.stderr.decode(), "--html", "overwrite")
        with open(name, "rb") as f:
            equal(f.read(), before)
    with open(path("answer.txt"), "wb") as out:
        r = run("eval", "--html", "/dev/stdout", gt, dt, stdout=out)
    equal((r.returncode, os.stat(path("answer.txt")).st_size), (USAGE, 0))
    equal(run("eval", "--html", "", gt, dt).returncode, USAGE)


@test("a page to a full disk: 73 and no page; to a device it is written to it")
def html_full():
    """/dev/full stays the device that it is."""
    r = run("eval", "--html", "/dev/full", *files(zoo()))
    equal(r.returncode, CANT_CREATE)
    check(stat.S_ISCHR(os.stat("/dev/full").st_mode), "no device any more")
    equal(score(zoo(), "--html", "/dev/null"), score(zoo()))
    check(stat.S_ISCHR(os.stat("/dev/null").st_mode), "no device any more")
    limited = ["sh", "-c", 'ulimit -f 0; trap "" XFSZ; exec "$@"', "sh"]
    r = subprocess.run([*limited, EVALD, "eval", "--html", path("big.html"),
                        *files(zoo())], capture_output=True, timeout=WAIT_S,
                       check=False)
    equal(r.returncode, CANT_CREATE, r.stderr.decode())
    check(not [n for n in os.listdir(path("")) if n.startswith("big.html")],
          "a part of it is left")


@test("a page that is to be written is, also under --fail-under, if it fails")
def html_fail_under():
    """And where nobody takes the answer."""
    r = run("eval", "--html", path("under.html"), "--fail-under", "AP=1",
            *files(zoo()))
    equal(r.returncode, FAILURE)
    with open("/dev/full", "wb") as full:
        r = run("eval", "--html", path("full.html"), *files(zoo()),
                stdout=full)
    equal(r.returncode, IO)
    for name in ("under.html", "full.html"):
        with open(path(name), "rb") as f:
            equal(f.read(), page())


@test("a page is whole where the reader of the answer has gone")
def html_no_reader():
    """As with head, which takes ten lines and ends."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        r = run("eval", "--html", path("piped.html"), *files(zoo()),
                stdout=writer)
    finally:
        os.close(writer)
    equal(r.returncode, -signal.SIGPIPE)
    with open(path("piped.html"), "rb") as f:
        equal(f.read(), page())


main()
