"""
The golden sets beside the project: what pycocotools gave, to the last bit.

Needs ../shared.  EVALD_SLOW=0 leaves out the set of full size, which also
needs numpy to be made.
"""
import sys

sys.dont_write_bytecode = True
from harness import (EVALD, ROOT, SANITIZED, Skip, check, each, equal,
                     evaluate, main, run, server, test)
import array
import hashlib
import json
import os
import shutil
import subprocess

SHARED = os.path.join(os.path.dirname(ROOT), "shared")
GOLDEN = os.path.join(SHARED, "golden", "coco")
REAL = "real_val2014_100_bbox"
REAL_FILES = ("data/fce/cocoapi/instances_val2014_100.json",
              "data/cocoapi/instances_val2014_fakebbox100_results.json")
FULL = os.path.join(ROOT, "build", "data", "full_0")
GENERATE_S = 180
ALL_OUTPUTS = ["summary", "per_class", "arrays"]
SUMMATIONS = [("numpy1", "stats_hex"), ("numpy2", "stats_hex_np_ge_2_3")]
CLASS_NAMES = {"AP": "AP", "AP50": "AP50", "AP75": "AP75",
               "APsmall": "AP_small", "APmedium": "AP_medium",
               "APlarge": "AP_large", "AR": "AR_100"}


def load(name):
    """A JSON file."""
    with open(name, encoding="utf-8") as f:
        return json.load(f)


def file_hash(name):
    """The SHA-256 of a file."""
    with open(name, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def expected(name):
    """What pycocotools gave for the set."""
    return load(os.path.join(GOLDEN, name, "expected.json"))


def set_files(name):
    """The two files of a set."""
    if name == REAL:
        return [os.path.join(SHARED, *f.split("/")) for f in REAL_FILES]
    return [os.path.join(GOLDEN, name, f) for f in ("gt.json", "dt.json")]


def set_names():
    """The sets whose data is there; none without ../shared."""
    if not os.path.isdir(GOLDEN):
        return []
    return sorted(n for n in os.listdir(GOLDEN)
                  if os.path.exists(os.path.join(GOLDEN, n, "expected.json"))
                  and all(map(os.path.exists, set_files(n))))


def parameters(want):
    """The parameters that are not the default ones."""
    if "params_override" not in want:
        return {}
    names = ["all", "small", "large"]
    equal(len(want["areaRng"]), len(names))
    return {"iou_thresholds": want["iouThrs"],
            "area_ranges": dict(zip(names, want["areaRng"]))}


def flatten(value, out):
    """Nested arrays into the array out, in C order."""
    if value and isinstance(value[0], list):
        for v in value:
            flatten(v, out)
    else:
        check(all(type(v) is float for v in value), "not only floats")
        out.extend(value)


def tensor_hash(nested):
    """SHA-256 of the values as little-endian float64 in C order."""
    flat = array.array("d")
    flatten(nested, flat)
    if sys.byteorder == "big":
        flat.byteswap()
    return hashlib.sha256(flat.tobytes()).hexdigest()


def check_stats(got, want):
    """The twelve numbers by their bits."""
    equal([x.hex() for x in got["summary_array"]], want)


def hexes(values):
    """The bits of each value; None stays."""
    return {k: v if v is None else float(v).hex() for k, v in values.items()}


def check_classes(got, want):
    """Every category, every number that pycocotools' helper gave."""
    rows = {str(row["category_id"]): row for row in got["per_class"]}
    equal(list(rows), [str(i) for i in want["catIds"]])
    for key, numbers in want["per_class"].items():
        ours = {name: rows[key][CLASS_NAMES[name]] for name in numbers}
        equal(hexes(ours), hexes(numbers), f"category {key}")


def check_tensors(got, want):
    """Shapes and hashes of the three tensors."""
    t, r, k, a, m = want["counts"]
    for name, shape in (("precision", [t, r, k, a, m]),
                        ("recall", [t, k, a, m]), ("scores", [t, r, k, a, m])):
        tensor, found = got["arrays"][name], []
        while isinstance(tensor, list):
            found.append(len(tensor))
            tensor = tensor[0]
        equal(found, shape, name)
        equal(tensor_hash(got["arrays"][name]), want["sha256_" + name], name)


def check_set(name):
    """A set over HTTP: numbers, classes and tensors."""
    gt, dt = map(load, set_files(name))
    want = expected(name)
    for summation, key in SUMMATIONS:
        body = {"ground_truth": gt, "detections": dt,
                "parameters": {**parameters(want), "summation": summation},
                "outputs": ALL_OUTPUTS}
        got = evaluate(server(), body)
        check_stats(got, want[key])
        check_tensors(got, want)
        if summation == "numpy1":
            check_classes(got, want)


each("{0}: numbers, classes and tensors", [(n,) for n in set_names()])(
    check_set)


@test("the golden sets are there")
def present():
    """All that this file knows of; else a whole directory may be lost."""
    if not os.path.isdir(SHARED):
        raise Skip("no ../shared beside the project")
    check(len(set_names()) >= 17 and REAL in set_names(), repr(set_names()))


@test("the tensors' files have the hashes that are compared")
def tensor_files():
    """So that the hash is of what the brief says."""
    if not os.path.isdir(SHARED):
        raise Skip("no ../shared beside the project")
    want = expected("perfect_one")
    for name in ("precision", "recall", "scores"):
        equal(file_hash(os.path.join(GOLDEN, "perfect_one", name + ".f64")),
              want["sha256_" + name])


# The set of full size


def full_set():
    """Makes the set of full size where it is not there yet; its files."""
    generator = os.path.join(SHARED, "tools", "gen_coco_like.py")
    if os.environ.get("EVALD_SLOW") == "0":
        raise Skip("EVALD_SLOW=0")
    if SANITIZED:
        raise Skip("too slow with sanitizers: " + os.path.basename(
            os.path.dirname(EVALD)))
    if not os.path.exists(generator):
        raise Skip("no ../shared beside the project")
    names = [os.path.join(FULL, f) for f in ("gt.json", "dt.json")]
    if not all(map(os.path.exists, names)):
        python = "/usr/bin/python3"
        if subprocess.run([python, "-c", "import numpy"], check=False,
                          stderr=subprocess.DEVNULL).returncode:
            raise Skip("no numpy to make the set: install python3-numpy")
        part = f"{FULL}.{os.getpid()}"
        subprocess.run([python, generator, part, "--seed", "0"], check=True,
                       stdout=subprocess.DEVNULL, timeout=GENERATE_S)
        shutil.rmtree(FULL, ignore_errors=True)
        os.rename(part, FULL)
    want = expected("full_0")
    equal([file_hash(n) for n in names],
          [want["sha256_gt"], want["sha256_dt"]], "the files made")
    return names


@each("full_0 with evald eval, {0}", SUMMATIONS)
def full_eval(summation, key):
    """500,000 detections from files."""
    flag = json.dumps({"summation": summation})
    r = run("eval", "--json", "--per-class", "--parameters", flag,
            *full_set())
    equal(r.returncode, 0, r.stderr.decode())
    got, want = json.loads(r.stdout), expected("full_0")
    check_stats(got, want[key])
    check_classes(got, want)
    equal(got["counts"], {"images": 5000, "annotations": 36800,
                          "crowd": got["counts"]["crowd"],
                          "detections": 500000, "categories": 80})


@test("full_0 over HTTP, with the tensors")
def full_http():
    """The files as they are, in one body."""
    pieces = [b'{"outputs":["summary","per_class","arrays"],"ground_truth":']
    for name, after in zip(full_set(), (b',"detections":', b"}")):
        with open(name, "rb") as f:
            pieces += [f.read(), after]
    want = expected("full_0")
    got = evaluate(server(), b"".join(pieces))
    check_stats(got, want["stats_hex"])
    check_classes(got, want)
    check_tensors(got, want)


main(seconds=GENERATE_S + 60)
