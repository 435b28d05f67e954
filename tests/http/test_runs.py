"""
Datasets and runs over HTTP: a validation loop streams in.  What the tests share
is in the store that EVALD_TEST_STORE names, if it is set.
"""
import gzip
import hashlib
import json
import os
import random
import re
import signal
import threading
import time

from cocodata import detection, zoo
from harness import (SLOW, Skip, WAIT_S, Daemon, ask, check, contains,
                     connection, dial, equal, evaluate, get, main, path, post,
                     read_reply, run, same_bits, server, test, together,
                     wait_until, write)

STORE = ("--store", os.environ.get("EVALD_TEST_STORE") or path("runs.db"))
JSON = {"Content-Type": "application/json"}
OUTPUTS = ["summary", "per_class", "per_image", "curves", "operating_points",
           "confusion", "errors", "calibration", "lrp", "slices", "intervals",
           "arrays"]
ZOO = zoo()
IMAGES = [1, 2, 3]


def send(method, target, body=None, d=None, **headers):
    """One request with a JSON body, if there is one."""
    more = {k.replace("_", "-"): v for k, v in headers.items()}
    data = None
    if body is not None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        more.setdefault("Content-Type", "application/json")
    return ask(d or server(*STORE), method, target, data, more)


def good(method, target, body=None, status=200, **more):
    """The JSON of an answer that must be of this status."""
    reply = send(method, target, body, **more)
    equal(reply.status, status, f"{method} {target}: {reply.text()[:600]}")
    return reply.json() if reply.body else None


def dataset(name="zoo", truth=None, **more):
    """Puts ground truth under the name."""
    return send("PUT", f"/v1/datasets/{name}", truth or ZOO["ground_truth"],
                **more)


def opened(**members):
    """The id of a new run."""
    dataset()
    return good("POST", "/v1/runs", {"dataset": "zoo", **members}, 201)["id"]


def batch(images, detections=None):
    """What is sent of these images."""
    return {"image_ids": images,
            "detections": [d for d in detections or ZOO["detections"]
                           if d["image_id"] in images]}


def put(run_id, images, detections=None, query="", **more):
    """Sends a batch that must be taken."""
    return good("POST", f"/v1/runs/{run_id}/images{query}",
                batch(images, detections), **more)


def filled(**members):
    """A run with all images, in an order of its own."""
    run_id = opened(**members)
    put(run_id, [3])
    put(run_id, [2, 1])
    return run_id


# Datasets


@test("a dataset is kept by its content")
def kept():
    text = json.dumps(ZOO["ground_truth"]).encode()
    digest = hashlib.sha256(text).hexdigest()
    reply = send("PUT", "/v1/datasets/one", text)
    equal(reply.status, 201, reply.text())
    equal(reply.header("Location"), "/v1/datasets/one")
    got = reply.json()
    equal((got["name"], got["sha256"], got["images"], got["annotations"],
           got["categories"]), ("one", digest, 3, 4, 3))
    equal(reply.header("ETag"), f'"{digest}"')
    again = send("PUT", "/v1/datasets/one", gzip.compress(text),
                 Content_Encoding="gzip")
    equal((again.status, again.json()["sha256"]), (200, digest))
    seen = send("GET", "/v1/datasets/one")
    equal((seen.status, seen.header("ETag")), (200, f'"{digest}"'))
    equal(send("HEAD", "/v1/datasets/one").status, 200)
    equal(send("GET", "/v1/datasets/one",
               If_None_Match=f'"{digest}"').status, 304)
    equal(send("GET", "/v1/datasets/none").status, 404)


@test("datasets are listed in pages, and deleted")
def listed():
    for name in ("page-a", "page-b", "page-c"):
        dataset(name)
    names, cursor = [], ""
    while cursor is not None:
        page = good("GET", f"/v1/datasets?limit=2{cursor}")
        check(len(page["datasets"]) <= 2, "a page is too long")
        names += [d["name"] for d in page["datasets"]]
        cursor = page["next"] and f"&cursor={page['next']}"
    equal(names, sorted(names))
    for name in ("page-a", "page-b", "page-c"):
        check(name in names, f"{name} is not listed")
        equal(send("DELETE", f"/v1/datasets/{name}").status, 204)
        equal(send("GET", f"/v1/datasets/{name}").status, 404)


@test("other content under a name that finalized runs used needs ?replace")
def replaced():
    dataset("base")
    run_id = good("POST", "/v1/runs", {"dataset": "base"}, 201)["id"]
    put(run_id, IMAGES)
    other = dict(ZOO["ground_truth"],
                 annotations=ZOO["ground_truth"]["annotations"][:2])
    good("POST", f"/v1/runs/{run_id}/finalize")
    before = good("GET", f"/v1/runs/{run_id}/summary")
    equal(dataset("base", other).status, 409)
    reply = send("PUT", "/v1/datasets/base?replace", other)
    equal(reply.status, 200, reply.text())
    same_bits(good("GET", f"/v1/runs/{run_id}/summary"), before)


# Runs


@test("a run has the very bytes of one request, whatever was sent when")
def same():
    whole = dict(ZOO, outputs=OUTPUTS)
    whole["detections"] = sorted(ZOO["detections"],
                                 key=lambda d: d["image_id"])
    want = post(server(*STORE), whole).body
    run_id = opened(name="mine", tags={"epoch": "3"})
    put(run_id, [2])
    put(run_id, [3, 2])
    equal(put(run_id, [1, 2])["added"], 1)
    reply = send("POST", f"/v1/runs/{run_id}/finalize", {"outputs": OUTPUTS})
    equal(reply.status, 200, reply.text()[:500])
    equal(reply.body, want)
    for name, member in (("classes", "per_class"), ("images", "per_image"),
                         ("errors", "errors"), ("curves", "curves"),
                         ("calibration", "calibration"), ("lrp", "lrp"),
                         ("slices", "slices"), ("confusion", "confusion"),
                         ("operating_points", "operating_points"),
                         ("intervals", "intervals"), ("arrays", "arrays")):
        got = good("GET", f"/v1/runs/{run_id}/{name}")
        same_bits(got[member], json.loads(want)[member], name)


@test("a run says how far it is, and what the score is so far")
def so_far():
    run_id = opened()
    seen = good("GET", f"/v1/runs/{run_id}")
    equal((seen["state"], seen["images"], seen["expected_images"],
           seen["finalized_at"]), ("open", 0, 3, None))
    put(run_id, [2])
    seen = good("GET", f"/v1/runs/{run_id}")
    equal((seen["images"], seen["detections"]), (1, 2))
    part = dict(ZOO, detections=batch([2])["detections"])
    part["ground_truth"] = dict(
        ZOO["ground_truth"], images=[{"id": 2}],
        annotations=[a for a in ZOO["ground_truth"]["annotations"]
                     if a["image_id"] == 2])
    want = evaluate(server(*STORE), part)
    same_bits(seen["summary_array"], want["summary_array"])
    same_bits(good("GET", f"/v1/runs/{run_id}/summary")["summary"],
              want["summary"])


@test("a run that is not complete is finalized on demand alone")
def incomplete():
    run_id = opened()
    put(run_id, [1])
    reply = send("POST", f"/v1/runs/{run_id}/finalize")
    equal(reply.status, 409)
    contains(reply.text(), "run-incomplete", "partial")
    one = good("POST", f"/v1/runs/{run_id}/finalize?partial")
    equal(one["counts"]["images"], 1)
    same_bits(good("POST", f"/v1/runs/{run_id}/finalize"), one)
    reply = send("POST", f"/v1/runs/{run_id}/images", batch([2]))
    equal(reply.status, 409, "an image after the end")
    contains(reply.text(), "run-finalized")
    equal(put(run_id, [1])["repeated"], 1)


@test("an image with other detections is a conflict, or replaces")
def conflict():
    run_id = opened()
    put(run_id, IMAGES)
    other = [dict(d, score=d["score"] / 2) for d in ZOO["detections"]]
    reply = send("POST", f"/v1/runs/{run_id}/images", batch([3, 1], other))
    equal(reply.status, 409)
    contains(reply.text(), "image-conflict", "/image_ids/0", "/image_ids/1",
             "on_conflict=replace")
    got = put(run_id, [1], other, "?on_conflict=replace")
    equal((got["added"], got["repeated"], got["replaced"]), (0, 0, 1))
    mixed = dict(ZOO, detections=batch([1], other)["detections"] +
                 batch([2, 3])["detections"])
    same_bits(good("GET", f"/v1/runs/{run_id}")["summary_array"],
              evaluate(server(*STORE), mixed)["summary_array"])


@test("to open a run twice with a key opens one")
def idempotent():
    dataset()
    body = {"dataset": "zoo", "name": "keyed"}
    one = send("POST", "/v1/runs", body, Idempotency_Key="k1")
    two = send("POST", "/v1/runs", body, Idempotency_Key="k1")
    equal((one.status, two.status), (201, 200))
    equal(one.json()["id"], two.json()["id"])
    equal(one.header("Location"), f"/v1/runs/{one.json()['id']}")
    equal(send("POST", "/v1/runs", dict(body, name="other"),
               Idempotency_Key="k1").status, 409)


@test("runs are listed by dataset, state and tag, the newest first")
def runs_listed():
    dataset("tagged")
    ids = [good("POST", "/v1/runs", {"dataset": "tagged",
                                     "tags": {"epoch": str(i)}}, 201)["id"]
           for i in range(3)]
    seen = good("GET", "/v1/runs?dataset=tagged")["runs"]
    equal([r["id"] for r in seen], ids[::-1])
    seen = good("GET", "/v1/runs?dataset=tagged&tag=epoch:1")["runs"]
    equal([r["id"] for r in seen], [ids[1]])
    page = good("GET", "/v1/runs?dataset=tagged&limit=2")
    more = good("GET", f"/v1/runs?dataset=tagged&cursor={page['next']}")
    equal([r["id"] for r in page["runs"] + more["runs"]], ids[::-1])
    got = good("PATCH", f"/v1/runs/{ids[0]}",
               {"name": "new", "tags": {"epoch": None, "best": "yes"}})
    equal((got["name"], got["tags"]), ("new", {"best": "yes"}))
    equal(send("DELETE", f"/v1/runs/{ids[0]}").status, 204)
    equal(send("GET", f"/v1/runs/{ids[0]}").status, 404)


@test("tags that many change at once are all there")
def patched():
    run_id = opened()
    together([lambda i=i: [good("PATCH", f"/v1/runs/{run_id}",
                                {"tags": {f"t{i}-{k}": "x"}})
                           for k in range(5)] for i in range(8)])
    equal(len(good("GET", f"/v1/runs/{run_id}")["tags"]), 40)


@test("bytes that are no text are refused, whatever keeps the runs")
def no_text():
    for target in ("/v1/runs?cursor=%ff", "/v1/runs?tag=%ff",
                   "/v1/compare?a=%ff&b=%ff"):
        equal(send("GET", target).status, 422, target)


@test("faults name the field and the fix")
def faults():
    run_id = opened()
    for body, status, parts in (
            ({"detections": []}, 422, ["image_ids"]),
            ({"image_ids": [1], "detections":
              [detection(2, 1, [0, 0, 1, 1], .5)]}, 422,
             ["/detections/0/image_id"]),
            ({"image_ids": [1, 99], "detections": []}, 422, ["/image_ids/1"]),
            ({"image_ids": [1, 1], "detections": []}, 422, ["/image_ids/1"]),
            ({"image_ids": [1], "detections":
              [{"image_id": 1, "category_id": 1, "score": 1}]}, 422,
             ["bbox"])):
        reply = send("POST", f"/v1/runs/{run_id}/images", body)
        equal(reply.status, status, reply.text())
        contains(reply.text(), *parts)
    reply = send("POST", "/v1/runs", {"dataset": "zoom"})
    equal(reply.status, 422)
    contains(reply.text(), "/dataset")
    reply = send("POST", "/v1/runs", {"dataset": "zoo", "parameters":
                                      {"iou_thresholds": [2]}})
    equal(reply.status, 422)
    contains(reply.text(), "iou_thresholds")
    equal(send("GET", "/v1/runs/nonsense").status, 404)
    equal(good("GET", f"/v1/runs/{run_id}")["images"], 0)


# What people look at


@test("the image view says what became of every box")
def image_view():
    run_id = filled()
    seen = good("GET", f"/v1/runs/{run_id}/images/2")
    equal([t["status"] for t in seen["ground_truths"]], ["found", "ignored"])
    equal([d["status"] for d in seen["detections"]],
          ["true_positive", "ignored"])
    equal(seen["detections"][0]["annotation_id"], 3)
    equal(send("GET", f"/v1/runs/{run_id}/images/77").status, 404)


@test("the report is one page")
def report():
    reply = send("GET", f"/v1/runs/{filled()}/report.html")
    equal(reply.status, 200, reply.text()[:500])
    contains(reply.header("Content-Type"), "text/html")
    contains(reply.text(), "<!DOCTYPE html>", "<svg")


@test("two runs are compared, with intervals of the difference")
def compared():
    a, b = filled(), filled()
    c = opened()
    worse = [dict(d, bbox=[0, 0, 1, 1]) for d in ZOO["detections"]]
    put(c, IMAGES, worse)
    same_runs = good("GET", f"/v1/compare?a={a}&b={b}")
    equal(same_runs["summary"]["AP"]["delta"], 0.0)
    got = good("GET", f"/v1/compare?a={a}&b={c}")
    ap = got["summary"]["AP"]
    check(ap["delta"] < 0 and ap["low"] <= ap["delta"] <= ap["high"], str(ap))
    other = opened(parameters={"max_detections": [1, 2, 3]})
    put(other, IMAGES)
    reply = send("GET", f"/v1/compare?a={a}&b={other}")
    equal(reply.status, 409)
    contains(reply.text(), "incomparable", "force")
    good("GET", f"/v1/compare?a={a}&b={other}&force")


# Many at once, and again after an end


def made_up(seed, images=60, classes=5):
    """A data set of some size."""
    r = random.Random(seed)

    def box():
        return [r.uniform(0, 80), r.uniform(0, 80), r.uniform(5, 60),
                r.uniform(5, 60)]
    annotations = [{"id": n + 1, "image_id": r.randrange(images),
                    "category_id": r.randrange(classes), "bbox": b,
                    "area": b[2] * b[3], "iscrowd": int(r.random() < .1)}
                   for n, b in enumerate(box() for _ in range(images * 4))]
    near = [detection(a["image_id"],
                      a["category_id"] if r.random() < .8 else
                      r.randrange(classes),
                      [x + r.gauss(0, 4) for x in a["bbox"][:2]] +
                      [abs(x + r.gauss(0, 4)) for x in a["bbox"][2:]],
                      round(r.random(), 2))
            for a in annotations for _ in range(3) if r.random() < .7]
    near.sort(key=lambda d: d["image_id"])
    return {"ground_truth": {"images": [{"id": i} for i in range(images)],
                             "annotations": annotations,
                             "categories": [{"id": k} for k in
                                            range(classes)]},
            "detections": near}


@test("eight senders in any order, with repetitions: the bytes of one request")
def senders():
    data = made_up(1)
    d = server(*STORE)
    dataset("made-up", data["ground_truth"])
    run_id = good("POST", "/v1/runs", {"dataset": "made-up"}, 201)["id"]
    r = random.Random(2)
    images = list(range(60)) * 2
    r.shuffle(images)
    pieces = [sorted(set(images[i:i + 5])) for i in range(0, 120, 5)]
    together([lambda mine=pieces[i::8]: [put(run_id, p, data["detections"])
                                         for p in mine] for i in range(8)])
    reply = send("POST", f"/v1/runs/{run_id}/finalize", {"outputs": OUTPUTS})
    equal(reply.status, 200, reply.text()[:500])
    equal(reply.body, post(d, dict(data, outputs=OUTPUTS)).body)


@test("a run goes on after the daemon was ended and started again")
def restarted():
    store = ("--store", path("again.db"))
    with Daemon(*store) as d:
        dataset(d=d)
        run_id = good("POST", "/v1/runs", {"dataset": "zoo"}, 201, d=d)["id"]
        put(run_id, [2], d=d)
    with Daemon(*store) as d:
        put(run_id, [1, 3], d=d)
        got = good("POST", f"/v1/runs/{run_id}/finalize", d=d)
        same_bits(got["summary_array"], evaluate(d, ZOO)["summary_array"])
    with Daemon(*store) as d:
        same_bits(good("POST", f"/v1/runs/{run_id}/finalize", d=d), got)


@test("a second daemon on the same file is refused, and says why")
def second():
    if "EVALD_TEST_STORE" in os.environ:
        raise Skip("a database is for many")
    server(*STORE)
    r = run("serve", "--listen", "127.0.0.1:0", *STORE)
    check(r.returncode not in (0, None), "it runs")
    contains(r.stderr.decode(), "in use", STORE[1])


def sent(d, run_id, images, data):
    """The answer to a batch of made-up images."""
    return send("POST", f"/v1/runs/{run_id}/images",
                batch(images, data["detections"]), d=d)


def until_full(d, run_id, data):
    """Sends images one by one; those that were taken, and the refusal."""
    for i in range(60):
        reply = sent(d, run_id, [i], data)
        if reply.status != 200:
            return i, reply
    raise AssertionError("it takes everything")


@test("a full disk is told, and nothing that was taken is lost")
def full():
    data = made_up(3)
    with Daemon("--store", path("full.db"),
                before=("prlimit", "--fsize=400000:")) as d:
        dataset("big", data["ground_truth"], d=d)
        run_id = good("POST", "/v1/runs", {"dataset": "big"}, 201, d=d)["id"]
        taken, reply = until_full(d, run_id, data)
        equal(reply.status, 507, reply.text())
        contains(reply.text(), "store-full")
        equal(good("GET", f"/v1/runs/{run_id}", d=d)["images"], taken)
        os.system(f"prlimit --pid {d.process.pid} --fsize=unlimited:")
        for i in range(taken, 60):
            equal(sent(d, run_id, [i], data).status, 200)
        got = good("POST", f"/v1/runs/{run_id}/finalize", d=d)
        same_bits(got["summary_array"], evaluate(d, data)["summary_array"])
    check(run("store", "check", "--store", path("full.db")).returncode == 0,
          "the file is damaged")


@test("quotas are told by name")
def quotas():
    data = made_up(4)
    with Daemon("--store", path("quota.db"), "--run-max", "4K") as d:
        dataset("big", data["ground_truth"], d=d)
        run_id = good("POST", "/v1/runs", {"dataset": "big"}, 201, d=d)["id"]
        taken, reply = until_full(d, run_id, data)
        equal(reply.status, 507)
        contains(reply.text(), "--run-max")
        equal(sent(d, run_id, [0], data).json()["repeated"], 1)
        equal(good("GET", f"/v1/runs/{run_id}", d=d)["images"], taken)


@test("a file has one name, and one daemon by any link")
def links():
    with Daemon("--store", path("named.db")):
        os.symlink(path("named.db"), path("alias.db"))
        r = run("serve", "--listen", "127.0.0.1:0", "--store",
                path("alias.db"))
        check(r.returncode != 0, "it runs")
        contains(r.stderr.decode(), "in use")
    os.link(path("named.db"), path("hard.db"))
    r = run("serve", "--listen", "127.0.0.1:0", "--store", path("hard.db"))
    check(r.returncode != 0, "it runs")
    contains(r.stderr.decode(), "hard link")


@test("an event that cannot be made is none, and the stream goes on")
def faulty_event():
    """A damaged image, as only a faulty disk makes one."""
    import sqlite3
    store = path("damaged.db")
    with Daemon("--store", store) as d:
        dataset(d=d)
        run_id = good("POST", "/v1/runs", {"dataset": "zoo"}, 201, d=d)["id"]
        put(run_id, [1], d=d)
    with sqlite3.connect(store) as db:
        db.execute("UPDATE images SET part = x'00'")
    db.close()
    with Daemon("--store", store) as d:
        reply = send("GET", f"/v1/runs/{run_id}/events", d=d)
        equal(reply.status, 500)
        equal(reply.header("Content-Type"), "application/problem+json")
        contains(reply.text(), "damaged")


@test("without a store runs are not offered")
def without():
    with Daemon("--store", "none") as d:
        reply = send("GET", "/v1/runs", d=d)
        equal(reply.status, 501, reply.text())
        contains(reply.text(), "--store")


@test("who may only read changes nothing")
def scopes():
    file = path("tokens")
    r = run("token", "new", "--file", file, "--scope", "read", "reader")
    equal(r.returncode, 0, r.stderr.decode())
    with Daemon("--store", path("scoped.db"), "--tokens", file) as d:
        bearer = "Bearer " + r.stdout.decode().strip()
        equal(send("GET", "/v1/runs", d=d, Authorization=bearer).status, 200)
        for method, target in (("POST", "/v1/runs"),
                               ("PUT", "/v1/datasets/x"),
                               ("DELETE", "/v1/datasets/x")):
            equal(send(method, target, {}, d=d, Authorization=bearer).status,
                  403, method + " " + target)


# Events


def events(sock, until, seconds=WAIT_S):
    """Reads events until one satisfies; all of them as (id, name, data)."""
    found, text = [], b""
    end = time.monotonic() + seconds
    while not (found and until(found[-1])):
        check(time.monotonic() < end, f"no such event; {found} {text}")
        piece = sock.recv(65536)
        check(piece, f"the stream has ended; {found} {text}")
        text += piece
        found = [(re.search(rb"^id: (.*)$", e, re.M),
                  re.search(rb"^event: (.*)$", e, re.M),
                  re.search(rb"^data: (.*)$", e, re.M))
                 for e in text.split(b"\n\n")[:-1]]
        found = [(i and i[1].decode(), n[1].decode(), json.loads(x[1]))
                 for i, n, x in found if n and x]
    return found


def listen(run_id, *lines, d=None):
    """A socket that events of the run come from."""
    s = dial(d or server(*STORE))
    s.sendall("\r\n".join([f"GET /v1/runs/{run_id}/events HTTP/1.1",
                           "Host: localhost", *lines, "", ""]).encode())
    return s


@test("events tell of progress, and of the end")
def told():
    run_id = opened()
    with listen(run_id) as s:
        events(s, lambda e: e[2].get("images") == 0)
        put(run_id, [2])
        seen = events(s, lambda e: e[1] == "summary")
        equal([e[2]["images"] for e in seen if e[1] == "progress"][-1], 1)
        put(run_id, [1, 3])
        want = good("POST", f"/v1/runs/{run_id}/finalize")
        done = events(s, lambda e: e[1] == "done")[-1]
        same_bits(done[2]["summary_array"], want["summary_array"])
        last = done[0]
    with listen(run_id, f"Last-Event-ID: {last}") as s:
        equal(read_reply(s).status, 204)
    with listen(run_id) as s:
        equal(events(s, lambda e: e[1] == "done")[-1][0], last)


@test("events resume where they were, at most two a second")
def resumed():
    run_id = opened()
    put(run_id, [1])
    with listen(run_id) as s:
        first = events(s, lambda e: e[1] == "summary")[-1][0]
    with listen(run_id, f"Last-Event-ID: {first}") as s:
        began = time.monotonic()
        threading.Timer(.3, put, (run_id, [2])).start()
        seen = events(s, lambda e: e[1] == "summary")
        check(seen[0][0] != first, "it was told again")
        check(time.monotonic() - began > .2, "nothing was new")
        names = [e[1] for e in seen]
        equal(names.count("summary"), 1)


@test("whose token is taken away hears no more; others come back")
def revoked():
    file = path("heard")
    bearer = {}
    for name in ("stays", "goes"):
        r = run("token", "new", "--file", file, name)
        equal(r.returncode, 0, r.stderr.decode())
        bearer[name] = "Bearer " + r.stdout.decode().strip()
    with Daemon("--store", path("heard.db"), "--tokens", file) as d:
        dataset(d=d, Authorization=bearer["stays"])
        run_id = good("POST", "/v1/runs", {"dataset": "zoo"}, 201, d=d,
                      Authorization=bearer["stays"])["id"]
        with listen(run_id, "Authorization: " + bearer["goes"], d=d) as s:
            events(s, lambda e: e[1] == "summary")
            with open(file, encoding="ascii") as f:
                kept = [line for line in f if not line.startswith("goes")]
            write("heard", "".join(kept))
            d.signal(signal.SIGHUP)
            text = b""
            while not text.endswith(b"0\r\n\r\n"):  # the last chunk
                text += s.recv(4096)
        for name, status in (("stays", b" 200 "), ("goes", b" 401 ")):
            with listen(run_id, "Authorization: " + bearer[name], d=d) as s:
                contains(s.recv(4096).split(b"\r\n")[0], status)


@test("a daemon that ends does not wait for those who listen")
def ends():
    with Daemon("--store", path("ends.db"), "--grace", "5s") as d:
        dataset(d=d)
        run_id = good("POST", "/v1/runs", {"dataset": "zoo"}, 201, d=d)["id"]
        with listen(run_id, d=d) as s:
            events(s, lambda e: e[1] == "summary")
            began = time.monotonic()
            d.process.terminate()
            while s.recv(65536):
                pass
        equal(d.wait(), 0)
        check(time.monotonic() - began < 4 * SLOW, "it waited for them")


@test("who listens leaves connections for others")
def streams_bounded():
    with Daemon("--store", path("few.db"), "--connections", "8",
                "--connections-per-address", "8") as d:
        dataset(d=d)
        run_id = good("POST", "/v1/runs", {"dataset": "zoo"}, 201, d=d)["id"]
        streams = [listen(run_id, d=d) for _ in range(4)]
        for s in streams:
            events(s, lambda e: e[1] == "summary")
        with listen(run_id, d=d) as s:
            reply = read_reply(s)
            equal((reply.status, reply.header("Retry-After")), (503, "1"))
        good("GET", f"/v1/runs/{run_id}", d=d)
        streams.pop().close()

        def heard():
            with listen(run_id, d=d) as s:
                return s.recv(12) == b"HTTP/1.1 200"
        wait_until(heard, "a place for another")
        for s in streams:
            s.close()


@test("who listens and goes leaves nothing behind")
def gone():
    run_id = opened()
    d = server(*STORE)

    def open_files():
        return len(os.listdir(f"/proc/{d.process.pid}/fd"))
    before = open_files()
    for _ in range(20):
        with listen(run_id) as s:
            events(s, lambda e: e[1] == "summary")
    wait_until(lambda: open_files() <= before + 2, "connections are closed")


main()
