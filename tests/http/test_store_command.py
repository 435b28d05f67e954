"""evald store: check, vacuum, export and import, of stores that daemons fill.

With EVALD_TEST_STORE, a URL, exports go into that database, too, and back.
"""
import sys

sys.dont_write_bytecode = True
from cocodata import zoo
from harness import (Daemon, ask, check, contains, each, equal, main, path, run,
                     test)
import json
import os
import sqlite3
import stat

ZOO = zoo()
HEAD = b"evald-store 1\n"
_memory = {}


def store(*args, stdin=b"", where=None, **more):
    """Runs evald store."""
    place = ("--store", where) if where else ()
    return run("store", *args, *place, stdin=stdin, **more)


def good(*args, **more):
    """What it prints when all is well."""
    done = store(*args, **more)
    equal(done.returncode, 0, done.stderr.decode())
    return done.stdout


def bad(code, text, *args, **more):
    """It ends with this code and a line that contains the text."""
    done = store(*args, **more)
    equal(done.returncode, code, done.stderr.decode())
    contains(done.stderr.decode(), text)


def send(d, method, target, body, status):
    """The JSON of an answer of this status."""
    reply = ask(d, method, target, json.dumps(body).encode(),
                {"Content-Type": "application/json"})
    equal(reply.status, status, reply.text()[:400])
    return reply.json() if reply.body else None


def opened(d, name):
    """A run on the zoo, with its image 3."""
    send(d, "PUT", "/v1/datasets/zoo", ZOO["ground_truth"],
         200 if "made" in _memory else 201)
    _memory["made"] = True
    run_id = send(d, "POST", "/v1/runs",
                  {"dataset": "zoo", "name": name, "tags": {"a": "b"}}, 201)["id"]
    put(d, run_id, [3])
    return run_id


def put(d, run_id, images):
    """Sends these images."""
    return send(d, "POST", f"/v1/runs/{run_id}/images",
                {"image_ids": images,
                 "detections": [x for x in ZOO["detections"]
                                if x["image_id"] in images]}, 200)


def filled():
    """A file with an open run, and one that is finalized; made once."""
    where = path("filled.db")
    if "runs" not in _memory:
        with Daemon("--store", where) as d:
            one, two = opened(d, "open"), opened(d, "done")
            put(d, two, [1, 2])
            _memory["answer"] = send(d, "POST", f"/v1/runs/{two}/finalize", {},
                                     200)
            _memory["runs"] = [one, two]
    return where


def dump():
    """Its export."""
    if "dump" not in _memory:
        _memory["dump"] = good("export", where=filled())
    return _memory["dump"]


def summaries(d):
    """What a daemon says of both runs."""
    return [send(d, "GET", f"/v1/runs/{run_id}", {}, 200)
            for run_id in _memory["runs"]]


@test("a store that is sound is said to be, also while a daemon has it")
def sound():
    want = b"sound: 1 datasets, 2 runs, 4 images\n"
    equal(good("check", where=filled()), want)
    with Daemon("--store", filled()):
        equal(good("check", where=filled()), want)
        equal(good("export", where=filled()), dump())
        bad(69, "is in use by another evald (process ", "vacuum",
            where=filled())
        bad(69, "is in use by another evald", "import", where=filled())


@test("an export is read into an empty store, which exports the same")
def there_and_back():
    where = path("copy.db")
    equal(dump()[:len(HEAD)], HEAD)
    equal(good("import", where=where, stdin=dump()),
          b"read: 1 datasets, 2 runs, 4 images\n")
    equal(good("check", where=where), b"sound: 1 datasets, 2 runs, 4 images\n")
    equal(good("export", where=where), dump())
    with Daemon("--store", filled()) as d:
        want = summaries(d)
    with Daemon("--store", where) as d:
        equal(summaries(d), want)
        equal(put(d, _memory["runs"][0], [3])["repeated"], 1)
        equal(put(d, _memory["runs"][0], [1])["added"], 1)
        again = send(d, "POST", f"/v1/runs/{_memory['runs'][1]}/finalize", {},
                     200)
        equal(again, _memory["answer"])


@test("what is there already stays as it is")
def there_already():
    where = path("twice.db")
    good("import", where=where, stdin=dump())
    said = good("import", where=where, stdin=dump())
    contains(said.decode(), "there already, and left as they are: "
                            "1 datasets, 2 runs")
    equal(good("export", where=where), dump())


@test("files are written whole, and their owner's alone")
def files():
    name, where = path("dump"), path("file.db")
    equal(good("export", name, where=filled()), b"")
    with open(name, "rb") as f:
        equal(f.read(), dump())
    equal(stat.S_IMODE(os.stat(name).st_mode), 0o600)
    good("import", name, where=where)
    equal(good("export", where=where), dump())
    bad(74, "cannot write", "export", path("none/dump"), where=filled())
    bad(66, "No such file", "import", path("nothing"), where=where)


def damaged():
    """Names, faults and bytes that are no export."""
    yield "empty", "ends too soon", lambda d: b""
    yield "another file", "this is no store", lambda d: b"{}" * 20
    yield "a newer version", "this is no store", lambda d: (
        d.replace(b"store 1", b"store 2", 1))
    yield "cut in the head", "ends too soon", lambda d: d[:8]
    yield "cut in the middle", "ends too soon", lambda d: d[:len(d) // 2]
    yield "cut before the end", "ends too soon", lambda d: d[:-42]
    yield "cut by a byte", "ends too soon", lambda d: d[:-1]
    yield "longer by a byte", "more than a store", lambda d: d + b"\n"
    yield "another kind", "of no kind", lambda d: HEAD + b"X" + d[15:]
    yield "images first", "before its run", lambda d: (
        HEAD + d[d.index(b"Ii"):])
    yield "another type", "not what it should be", lambda d: (
        HEAD + b"Ci" + d[16:])
    yield "a giant length", "too long", lambda d: (
        HEAD + b"Ct" + b"\xff" * 8 + d[24:])
    yield "a byte of a number", "damaged", lambda d: flipped(d)
    yield "a byte of the digest", "damaged", lambda d: (
        d[:-1] + bytes([d[-1] ^ 1]))


def flipped(d):
    """The number of images of the content is another."""
    at = d.index(b"i", len(HEAD) + 10 + 64) + 1
    return d[:at] + bytes([d[at] ^ 1]) + d[at + 1:]


@each("an export that is damaged leaves nothing: {0}", damaged())
def damage(name, what, change):
    where = path(name + ".db")
    bad(65, what, "import", where=where, stdin=change(dump()))
    equal(good("check", where=where), b"sound: 0 datasets, 0 runs, 0 images\n")


def faults():
    """Changes to a file, and what is said of it."""
    yield "UPDATE runs SET images = 9", "other images than are counted in run "
    yield "UPDATE runs SET bytes = bytes + 1", "other images than are counted"
    yield "UPDATE runs SET seq = 0", "numbers of images that cannot be in run "
    yield "DELETE FROM contents", "no content of dataset zoo"
    yield "DELETE FROM runs", "images of no run"
    yield "UPDATE meta SET value = 7", "has version 7"
    yield "UPDATE meta SET value = 0", "older than"


@each("a store that is not sound is said to be: {0}", faults())
def unsound(change, what):
    where = path("unsound.db")
    if os.path.exists(where):
        os.unlink(where)
    good("import", where=where, stdin=dump())
    db = sqlite3.connect(where)
    db.execute(change)
    db.commit()
    db.close()
    bad(69 if "meta" in change else 65, what, "check", where=where)


@test("a damaged file is said to be")
def broken():
    where = path("broken.db")
    good("import", where=where, stdin=dump())
    with open(where, "r+b") as f:
        f.seek(3 * 16384)
        f.write(b"\xa5" * 16384 * 5)
    done = store("check", where=where)
    check(done.returncode in (65, 69), done.stderr)
    contains(done.stderr.decode(), "malformed")


@test("vacuum gives back what was deleted")
def small():
    where = path("small.db")
    good("import", where=where, stdin=dump())
    with Daemon("--store", where) as d:
        big = [{**x, "image_id": 3, "score": 0.5} for x in
               ZOO["detections"][:1]]
        run_id = opened(d, "big")
        send(d, "POST", f"/v1/runs/{run_id}/images?on_conflict=replace",
             {"image_ids": [3], "detections": big * 20000}, 200)
        send(d, "DELETE", f"/v1/runs/{run_id}", {}, 204)
    before = os.path.getsize(where)
    said = good("vacuum", where=where).decode()
    after = os.path.getsize(where)
    check(after < before / 3, (before, after))
    equal(said, f"vacuumed: {after} bytes, {before} before\n")
    equal(good("export", where=where), dump())


@test("the place is the flag's, the variable's or the usual one")
def place():
    home = path("home")
    os.environ["XDG_STATE_HOME"] = home
    os.environ["EVALD_STORE"] = ""
    bad(69, "cannot open " + home, "check")
    os.makedirs(home)
    good("import", stdin=dump())
    equal(good("export"), dump())
    check(os.path.exists(home + "/evald/runs.db"), "the usual place")
    os.environ["EVALD_STORE"] = path("variable.db")
    good("import", stdin=dump())
    check(os.path.exists(path("variable.db")), "the variable's")
    equal(good("check", where=filled()), good("check"))
    os.environ["EVALD_STORE"] = "none"
    bad(64, "--store must say which store", "check")
    del os.environ["EVALD_STORE"], os.environ["XDG_STATE_HOME"]


@test("words that are wrong are told")
def words():
    bad(64, "unknown command chekc; did you mean check", "chekc")
    bad(64, "takes no file", "check", "file", where=filled())
    bad(64, "takes no file", "vacuum", "file", where=filled())
    equal(store().returncode, 64)
    contains(run("store", "--help").stdout.decode(), "export writes all of it")


@test("a database takes an export, and gives it back")
def database():
    url = os.environ.get("EVALD_TEST_STORE")
    if not url:
        return
    where = path("back.db")
    good("import", where=url, stdin=dump())
    contains(good("check", where=url).decode(), "sound: ")
    good("import", where=where, stdin=good("export", where=url))
    contains(good("check", where=where).decode(), "sound: ")
    good("vacuum", where=url)


main()
