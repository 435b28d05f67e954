"""
Datasets and runs over HTTP: a validation loop streams in.  What the tests share
is in the store that EVALD_TEST_STORE names, if it is set.
"""
import sys

sys.dont_write_bytecode = True
from cocodata import detection
from harness import (Skip, Daemon, check, contains, equal, evaluate, main,
                     path, post, run, same_bits, server, test, together)
from runs import (STORE, OUTPUTS, ZOO, IMAGES, send, good, dataset, opened,
                  batch, put, filled)
import gzip
import hashlib
import json
import os
import random

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


@test("If-Match and If-None-Match guard a dataset from lost updates")
def guarded():
    """PUT and DELETE; nothing changes where they do not hold."""
    one, two = ({"images": [{"id": n}], "annotations": [],
                 "categories": [{"id": 1}]} for n in (1, 2))
    target = "/v1/datasets/guarded"
    rows = [({"If_Match": "*"}, one, 412), ({"If_Match": '"x"'}, one, 412),
            ({"If_None_Match": "*"}, one, 201),
            ({"If_None_Match": "*"}, one, 412),
            ({"If_Match": '"x", "y"'}, two, 412), ({"If_Match": "*"}, two, 200)]
    for headers, truth, status in rows:
        reply = dataset("guarded", truth, **headers)
        equal(reply.status, status, f"{headers} {reply.text()}")
        if status == 412:
            equal(reply.json()["type"], "/problems/precondition-failed")
    tag = send("GET", target).header("ETag")
    equal(dataset("guarded", one, If_None_Match=tag).status, 412)
    equal(send("GET", target).header("ETag"), tag)
    equal(dataset("guarded", one, If_Match=f'"x", {tag}').status, 200)
    equal(send("DELETE", target, If_Match=tag).status, 412)
    tag = send("GET", target).header("ETag")
    equal(send("DELETE", target, If_Match=tag).status, 204)
    equal(send("DELETE", target, If_Match=tag).status, 404)


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


@test("results are there as text, and say what their time went for")
def as_text():
    """What a request with everything answers, word for word."""
    text = {"Accept": "text/plain"}
    run_id = filled()
    want = post(server(*STORE), ZOO, "text/plain")
    runs = "/v1/runs/" + run_id
    for method, what in (("GET", "/summary"), ("POST", "/finalize"),
                         ("POST", "/finalize"), ("GET", "/summary")):
        reply = send(method, runs + what, **text)
        equal(reply.status, 200, reply.text())
        equal(reply.text(), want.text())
        contains(reply.header("Content-Type"), "text/plain")
        contains(reply.header("Server-Timing"), "compute;dur=")
    reply = send("POST", runs + "/finalize", {"outputs": ["errors"]}, **text)
    contains(reply.text(), "missed")
    equal(send("POST", runs + "/finalize", {"outputs": ["arrays"]},
               **text).status, 406)
    for what in ("/errors", "/report.html", "/images/1"):
        contains(send("GET", runs + what).header("Server-Timing"),
                 "compute;dur=")


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
    equal(send("POST", "/v1/runs", {"dataset": "no-such"},
               Idempotency_Key="k2").status, 422)
    dataset("soon-gone")
    body = {"dataset": "soon-gone"}
    one = send("POST", "/v1/runs", body, Idempotency_Key="k3")
    equal(send("DELETE", "/v1/datasets/soon-gone").status, 204)
    two = send("POST", "/v1/runs", body, Idempotency_Key="k3")
    equal((two.status, two.json()["id"]), (200, one.json()["id"]))


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
    for cursor in ("zzz", page["next"][:-1], page["next"] + "0",
                   page["next"].replace("0", "U")):
        reply = send("GET", f"/v1/runs?cursor={cursor}")
        equal(reply.status, 422, reply.text())
        contains(reply.text(), '"next\\" of the page before')
    reply = send("POST", "/v1/runs", {"dataset": "tagged",
                                      "tags": {"a:b": "c"}})
    equal(reply.status, 422)
    contains(reply.text(), "colon")
    got = good("PATCH", f"/v1/runs/{ids[0]}",
               {"name": "new", "tags": {"epoch": None, "best": "yes"}},
               Content_Type="application/merge-patch+json")
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


main()
