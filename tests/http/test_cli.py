"""evald eval and evald sample: the same numbers without a server."""
import sys

sys.dont_write_bytecode = True
from cocodata import columns, many, one, zoo
from harness import (check, contains, each, equal, main, path, post, run,
                     same_bits, server, test, write)
import json
import os

OK, FAILURE, USAGE, DATA, NO_INPUT, CANT_CREATE, IO = 0, 1, 64, 65, 66, 73, 74


def files(body):
    """The body's two files: their paths."""
    return (write("gt.json", body["ground_truth"]),
            write("dt.json", body["detections"]))


def score(body, *flags):
    """evald eval of the body's files, which must succeed: stdout."""
    r = run("eval", *flags, *files(body))
    equal(r.returncode, OK, r.stderr.decode())
    return r.stdout


BODIES = [("the zoo", zoo()), ("one", one()), ("many", many(20, 30)),
          ("columns", {**zoo(), "detections": columns(zoo()["detections"])}),
          ("nothing", {"ground_truth": {"images": [], "annotations": [],
                                        "categories": []},
                       "detections": []})]


@each("the twelve lines of {0} are those of HTTP", BODIES)
def lines(_name, body):
    """Byte for byte."""
    got = score(body)
    equal(got, post(server(), body, "text/plain").body)
    equal(got.count(b"\n"), 12)


@each("--json of {0} is the JSON of HTTP, and a newline", BODIES)
def as_json(_name, body):
    """Byte for byte."""
    equal(score(body, "--json"), post(server(), body).body + b"\n")


@each("{0}: the same tables as over HTTP", [
    (["--per-class"],), (["--per-image"],), (["--per-class", "--per-image"],)])
def tables(flags):
    """As text and as JSON."""
    outputs = ["summary"] + [f[2:].replace("-", "_") for f in flags]
    body = zoo(outputs=outputs)
    equal(score(body, *flags), post(server(), body, "text/plain").body)
    equal(score(body, "--json", *flags), post(server(), body).body + b"\n")


@each("--parameters as {0}", [("JSON",), ("@FILE",), ("@-",)])
def parameters(form):
    """The same as "parameters" of the body."""
    value = {"iou_thresholds": [0.3, 0.75], "summation": "numpy2",
             "area_ranges": {"all": [0, 1e10], "tiny": [0, 500]}}
    text = json.dumps(value)
    flag = {"JSON": text, "@FILE": "@" + write("par.json", text),
            "@-": "@-"}[form]
    r = run("eval", "--json", "--parameters", flag, *files(zoo()),
            stdin=text.encode())
    equal(r.returncode, OK, r.stderr.decode())
    equal(r.stdout,
          post(server(), zoo(parameters=value)).body + b"\n")


@each("bad --parameters {0}", [
    ('{"iou_threshold":[0.5]}', DATA, ["iou_thresholds"]),
    ('{"summation":"numpy3"}', DATA, ["summation", "numpy1"]),
    ("{", DATA, ["line 1"]), ("[]", DATA, ["object"]), ("", DATA, []),
    ("@nowhere.json", NO_INPUT, ["nowhere.json"]),
    ('{"iou_type":"segm"}', DATA, ["iou_type", "segm"])])
def bad_parameters(text, code, words):
    """Nothing on stdout; the message says what and where."""
    r = run("eval", "--parameters", text, *files(zoo()))
    equal((r.returncode, r.stdout), (code, b""), r.stderr.decode())
    contains(r.stderr.decode(), "evald eval:", *words)


# --fail-under


@each("--fail-under {0} exits {1}", [
    (["AP=0.45"], OK, None), (["AP=-1"], OK, None), (["AP50=1"], OK, None),
    (["AP=0.46"], FAILURE, "AP is 0.45"), (["AP=1e0"], FAILURE, "under 1"),
    (["AP=0.4", "AR_1=0.4"], OK, None),
    (["AP=0.4", "AR_1=0.5"], FAILURE, "AR_1 is 0.45"),
    (["AR_1=0.5", "AP=0.4"], FAILURE, "AR_1 is 0.45"),
    (["AP60=0.5"], USAGE, "did you mean AP50"), (["AR_7=0.5"], USAGE, "AR_1"),
    (["mAP=0.5"], USAGE, "mAP"), (["AP"], USAGE, "--fail-under"),
    (["=1"], USAGE, "--fail-under"), (["AP="], USAGE, "--fail-under"),
    (["AP=x"], USAGE, "--fail-under"), (["AP=nan"], USAGE, "--fail-under"),
    (["AP=inf"], USAGE, "--fail-under"), (["AP=0.5x"], USAGE, "0.5x"),
    (["AP=0"] * 17, USAGE, "--fail-under")])
def fail_under(floors, code, words):
    """The lines are printed whether it passes or not, if it is asked well."""
    flags = [x for f in floors for x in ("--fail-under", f)]
    r = run("eval", *flags, *files(zoo()))
    equal(r.returncode, code, r.stderr.decode())
    if words:
        contains(r.stderr.decode(), "evald eval:", words)
    want = b"" if code == USAGE else score(zoo())
    equal(r.stdout, want)


@test("--fail-under of an undefined number exits 1, whatever the floor is")
def fail_under_undefined():
    """AP_small of one has no ground truth; also with --json."""
    for floor in ("0.1", "0"):
        for flags in ([], ["--json"]):
            r = run("eval", *flags, "--fail-under", f"AP_small={floor}",
                    *files(one()))
            equal(r.returncode, FAILURE, floor)
            contains(r.stderr.decode(), "AP_small")


@test("--fail-under just at, just above the value")
def fail_under_exact():
    """Of AP 0.9999999999999998; the message must not say 1 is under 1."""
    r = run("eval", "--fail-under", "AP=0.9999999999999998", *files(one()))
    equal(r.returncode, OK)
    r = run("eval", "--fail-under", "AP=1", *files(one()))
    equal(r.returncode, FAILURE)
    check("is 1, under 1" not in r.stderr.decode(), r.stderr.decode())


# Files


@test("a missing file is 66 and named")
def missing_file():
    """Either of the two, and a directory."""
    gt, dt = files(zoo())
    for args, name in ((("no-gt.json", dt), "no-gt.json"),
                       ((gt, "no-dt.json"), "no-dt.json"),
                       ((gt, path("")), path(""))):
        r = run("eval", *args)
        equal((r.returncode, r.stdout), (NO_INPUT, b""), r.stderr.decode())
        contains(r.stderr.decode(), "evald eval:", name)


BAD_FILES = [
    ("detections", "[{]", ["line 1, column 4"]),
    ("detections", "", ["empty"]), ("detections", "3", ["array"]),
    ("detections", '[\n{"image_id":1},\n\nnul]', ["line 4"]),
    ("detections", '[{"image_id":1,"category_id":1,"bbox":[1,2,3,4]}]',
     ["score is missing"]),
    ("detections", '[{"image_id":9,"category_id":1,"bbox":[1,2,3,4],'
     '"score":1}]', ["image 9"]),
    ("detections", '[{"image_id":1e400}]', ["line 1", "double"]),
    ("ground_truth", "[]", ["object"]),
    ("ground_truth", '{"images":[{"id":"x"}],"annotations":[],'
     '"categories":[]}', ["images[0].id", "integer"]),
    ("ground_truth", '{"images":[],"annotations":[],'
     '"categories":[{"id":1.5}]}', ["categories[0].id", "integer"]),
    ("ground_truth", '{"images":[],"annotations":[]}',
     ["categories", "missing"]),
    ("ground_truth", '{"images":[{"id":1},{"id":1}],"annotations":[],'
     '"categories":[]}', ["images[1].id", "already"])]


@each("a bad file of {0}: {1!r} is 65", BAD_FILES)
def bad_file(which, text, words):
    """The message names the file and the place."""
    gt, dt = files({**zoo(), "detections": []} if which == "ground_truth"
                   else zoo())
    bad = write("bad.json", text)
    r = run("eval", *((gt, bad) if which == "detections" else (bad, dt)))
    equal((r.returncode, r.stdout), (DATA, b""), r.stderr.decode())
    contains(r.stderr.decode(), "evald eval: ", "bad.json: ", *words)


@test("all faults of a file are said, up to 20, one a line")
def many_faults():
    """Then that there may be more."""
    gt, _ = files(zoo())
    r = run("eval", gt, write("bad.json", [{}] * 9))
    found = r.stderr.decode().splitlines()
    equal(len(found), 21)
    contains(found[-1], "more")
    for line in found:
        check(line.startswith("evald eval: "), line)


@test("- is standard input, for either file")
def standard_input():
    """The same lines."""
    gt, dt = files(zoo())
    want = score(zoo())
    for args, name in ((("-", dt), gt), ((gt, "-"), dt)):
        with open(name, "rb") as f:
            r = run("eval", *args, stdin=f.read())
        equal((r.returncode, r.stdout), (OK, want), r.stderr.decode())


@test("- for both files is refused")
def standard_input_twice():
    """One stream cannot be both."""
    r = run("eval", "-", "-", stdin=json.dumps(zoo()["ground_truth"])
            .encode())
    check(r.returncode in (USAGE, DATA), str(r.returncode))
    equal(r.stdout, b"")


@test("warnings go to stderr, with code and count")
def warnings():
    """stdout keeps its twelve lines."""
    body = one()
    del body["ground_truth"]["annotations"][0]["area"]
    r = run("eval", *files(body))
    equal(r.returncode, OK)
    equal(r.stdout.count(b"\n"), 12)
    contains(r.stderr.decode(), "evald eval: warning: 1: ", "missing_area",
             "undefined_no_ground_truth")
    equal(run("eval", *files(zoo())).stderr, b"")


@test("output to /dev/full is 74")
def full_device():
    """With a message."""
    with open("/dev/full", "wb") as full:
        for flags in ([], ["--json"]):
            r = run("eval", *flags, *files(zoo()), stdout=full)
            equal(r.returncode, IO)
            contains(r.stderr.decode(), "evald eval:", "cannot write")


@test("any number of workers gives the same bytes")
def workers():
    """1, 2, 3 and 8; all tables."""
    body = many(30, 60)
    flags = ["--json", "--per-class", "--per-image"]
    want = score(body, *flags)
    for n in (1, 2, 3, 8):
        equal(score(body, *flags, "--workers", str(n)), want, str(n))


@each("evald eval {0} is 64", [
    ([],), (["a"],), (["a", "b", "c"],), (["--jason", "a", "b"],),
    (["--json=1", "a", "b"],), (["--workers", "0", "a", "b"],),
    (["--workers", "x", "a", "b"],), (["--parameters"],)])
def bad_usage(args):
    """A message, nothing on stdout."""
    r = run("eval", *args)
    equal((r.returncode, r.stdout), (USAGE, b""), r.stderr.decode())
    contains(r.stderr.decode(), "evald eval:")


@test("-- ends the options, options may follow operands")
def operands():
    """As getopt_long does."""
    gt, dt = files(zoo())
    for args in ((gt, dt, "--json"), ("--json", "--", gt, dt),
                 (gt, "--json", dt)):
        equal(run("eval", *args).stdout, score(zoo(), "--json"))


# Samples


def sample(name, *flags):
    """The three files of a sample, as bytes."""
    r = run("sample", *flags, path(name))
    equal(r.returncode, OK, r.stderr.decode())
    out = {}
    for file in ("ground_truth.json", "detections.json", "request.json"):
        with open(os.path.join(path(name), file), "rb") as f:
            out[file] = f.read()
    equal(len(os.listdir(path(name))), 3, "files")
    return out


@test("sample: the same for a seed, different for others")
def sample_seeds():
    """0 is the default; writing again overwrites."""
    a = sample("s", "--seed", "0")
    equal(sample("s"), a)
    equal(sample("s2"), a)
    others = [sample("s", "--seed", n)["request.json"] for n in "123"]
    equal(len({a["request.json"], *others}), 4)


@test("sample: request.json is the two files, and is accepted")
def sample_request():
    """Over HTTP and with evald eval, the same numbers; no warnings."""
    files_of = sample("s", "--images", "40", "--classes", "6")
    body = json.loads(files_of["request.json"])
    for name in ("ground_truth", "detections"):
        equal(body[name], json.loads(files_of[name + ".json"]), name)
    answer = post(server(), files_of["request.json"])
    equal(answer.status, 200)
    got = answer.json()
    equal(got["warnings"], [])
    r = run("eval", "--json", path("s/ground_truth.json"),
            path("s/detections.json"))
    same_bits(json.loads(r.stdout)["summary"], got["summary"])
    check(0.1 < got["summary"]["AP"] < 0.9, str(got["summary"]["AP"]))
    equal((got["counts"]["images"], got["counts"]["categories"]), (40, 6))


@test("sample: has crowds, images without objects or detections, classes")
def sample_content():
    """What a test of a client needs to meet."""
    body = json.loads(sample("s", "--images", "60")["request.json"])
    gt, dt = body["ground_truth"], body["detections"]
    images = {v["id"] for v in gt["images"]}
    check(any(a["iscrowd"] for a in gt["annotations"]), "no crowd")
    check(images - {a["image_id"] for a in gt["annotations"]}, "all full")
    check(images - {d["image_id"] for d in dt}, "all detected")
    check(len({a["category_id"] for a in gt["annotations"]}) > 2, "classes")
    check({d["image_id"] for d in dt} <= images, "unknown images")
    ids = [a["id"] for a in gt["annotations"]]
    equal(sorted(set(ids)), list(range(1, len(ids) + 1)))
    equal(len({d["score"] for d in dt}) > 10, True, "scores")


@test("the default sample has a crowd and an image without objects")
def sample_default():
    """24 images."""
    gt = json.loads(sample("s")["ground_truth.json"])
    equal(len(gt["images"]), 24)
    check(any(a["iscrowd"] for a in gt["annotations"]), "no crowd")
    check({v["id"] for v in gt["images"]} -
          {a["image_id"] for a in gt["annotations"]}, "all full")


@each("sample {0} is {1}", [
    (["--images", "0", "x"], USAGE), (["--classes", "0", "x"], USAGE),
    (["--images", "9999999", "x"], USAGE), (["--seed", "x", "y"], USAGE),
    ([], USAGE), (["a", "b"], USAGE), (["--sed", "1", "x"], USAGE),
    (["/nonexistent/dir/x"], CANT_CREATE)])
def sample_usage(args, code):
    """A message."""
    r = run("sample", *args)
    equal(r.returncode, code, r.stderr.decode())
    contains(r.stderr.decode(), "evald sample:")


@test("the least and odd samples are still good requests")
def sample_edges():
    """One image, no objects, no detections, many classes."""
    for flags in (["--images", "1"], ["--objects", "0"],
                  ["--detections", "0"], ["--classes", "1"],
                  ["--classes", "50", "--objects", "1"],
                  ["--seed", "18446744073709551615"]):
        body = sample("edge", *flags)["request.json"]
        equal(post(server(), body).status, 200, repr(flags))


main()
