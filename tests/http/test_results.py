"""Results, images and comparisons of runs, as the document describes them."""
import sys

sys.dont_write_bytecode = True
from harness import (EVALUATE, TMP, ask, check, contains, each, equal, get,
                     main, post, server, test)
import json
import re
from described import DOCUMENT, answer_schema, fits, named, resolve

IMAGES, RUN = 40, "/v1/runs/{id}"
STORED = server("--store", f"{TMP}/results.db")
TRUTH = {
    "images": [{"id": i} for i in range(IMAGES)],
    "categories": [{"id": k, "name": f"class {k}"} for k in (3, 5, 7)],
    "annotations": [
        {"id": 10 * i + j + 1, "image_id": i, "category_id": (3, 5, 7)[j],
         "bbox": [50 * j, i, 30 + i, 20 + i], "area": (30 + i) * (20 + i),
         "iscrowd": int(i == 7 and j == 2)}
        for i in range(IMAGES) for j in range(3) if (i + j) % 4]}


def detections(i, off):
    """Of an image, each off by so many pixels at most."""
    return [{"image_id": i, "category_id": t["category_id"],
             "bbox": [t["bbox"][0] + off * (i % 3), *t["bbox"][1:]],
             "score": round(0.2 + 0.7 * (t["id"] * 7 % 11) / 11, 3)}
            for t in TRUTH["annotations"] if t["image_id"] == i]


def open_run(off):
    """A run on all images; its id."""
    run = post(STORED, {"dataset": "made-up", "name": f"off by {off}"},
               target="/v1/runs").json()["id"]
    for i in range(0, IMAGES, 8):
        batch = range(i, i + 8)
        reply = post(STORED, {
            "image_ids": list(batch),
            "detections": [d for k in batch for d in detections(k, off)]},
            target=f"/v1/runs/{run}/images")
        equal(reply.status, 200, reply.text())
    return run


equal(ask(STORED, "PUT", "/v1/datasets/made-up", json.dumps(TRUTH),
          {"Content-Type": "application/json"}).status, 201)
WORSE, BETTER = open_run(9), open_run(2)
PAIR = f"/v1/compare?a={WORSE}&b={BETTER}"
# The last part of the path: what it shows of section 5.
RESULTS = {"classes": "per_class", "images": "per_image",
           **{name: name for name in (
               "summary", "curves", "operating_points", "confusion", "errors",
               "calibration", "lrp", "slices", "intervals", "arrays")}}


@each("{0} is as the document says, and of the bytes of one request",
      [(name,) for name in RESULTS])
def result(name):
    """But for its run, state and page."""
    reply = get(STORED, f"/v1/runs/{WORSE}/{name}")
    equal(reply.status, 200, reply.text())
    fits(reply.json(), answer_schema(f"{RUN}/{name}", "get"))
    whole = post(STORED, {
        "ground_truth": TRUTH, "outputs": [RESULTS[name]],
        "detections": [d for i in range(IMAGES) for d in detections(i, 9)]})
    head = f'{{"run":"{WORSE}","state":"open",'.encode()
    tail = b',"next":null}' if "next" in reply.json() else b"}"
    equal(reply.body, head + whole.body[1:-1] + tail)
    check(re.fullmatch('"[0-9a-f]{32}"', reply.header("ETag")), "no tag")
    again = get(STORED, f"/v1/runs/{WORSE}/{name}",
                If_None_Match=reply.header("ETag"))
    equal((again.status, again.body), (304, b""))


@test("other answers are as the document says")
def others():
    """Lists, the run itself, images, comparisons."""
    for path, target in [("/v1/datasets", "/v1/datasets"),
                         ("/v1/datasets/{name}", "/v1/datasets/made-up"),
                         ("/v1/runs", "/v1/runs"),
                         (RUN, f"/v1/runs/{WORSE}"),
                         ("/v1/compare", PAIR + "&resamples=50"),
                         ("/v1/compare", PAIR + "&resamples=0"),
                         *[(RUN + "/images/{image_id}",
                            f"/v1/runs/{WORSE}/images/{i}")
                           for i in range(IMAGES)]]:
        reply = get(STORED, target)
        equal(reply.status, 200, reply.text())
        fits(reply.json(), answer_schema(path, "get"))


@test("changes are as the document says")
def changes():
    """A run from its beginning to its end."""
    schema = DOCUMENT["paths"]["/v1/runs"]["post"]["requestBody"]["content"]
    body = {"dataset": "made-up", "tags": {"a": "b"}, "expected_images": 1,
            "parameters": {"per_image_iou": 0.6}}
    fits(body, schema["application/json"]["schema"])
    reply = post(STORED, body, target="/v1/runs")
    fits(reply.json(), answer_schema("/v1/runs", "post", "201"))
    run = reply.header("Location")
    equal((reply.status, run), (201, "/v1/runs/" + reply.json()["id"]))
    body = {"image_ids": [1], "detections": detections(1, 1)}
    fits(body, named("Batch"))
    reply = post(STORED, body, target=run + "/images")
    fits(reply.json(), answer_schema(RUN + "/images", "post"))
    body = {"tags": {"a": None, "c": "d"}, "name": "n"}
    fits(body, named("RunPatch"))
    reply = ask(STORED, "PATCH", run, json.dumps(body),
                {"Content-Type": "application/json"})
    equal(reply.status, 200, reply.text())
    fits(reply.json(), answer_schema(RUN, "patch"))
    body = {"outputs": ["per_class"], "score_thresholds": [0.5]}
    fits(body, named("FinalizeRequest"))
    reply = post(STORED, body, target=run + "/finalize")
    equal(reply.status, 200, reply.text())
    fits(reply.json(), answer_schema(RUN + "/finalize", "post"))
    fits(get(STORED, run).json(), answer_schema(RUN, "get"))
    reply = ask(STORED, "DELETE", run)
    equal((reply.status, reply.body), (204, b""))
    equal(get(STORED, run + "/summary").status, 404)


def keys_of(path, method):
    """Those that the query of a method has."""
    known = DOCUMENT["paths"][path][method].get("parameters", [])
    return [p["name"] for p in map(resolve, known) if p["in"] == "query"]


@each("GET {0} has the keys of the document, and no others",
      [(path,) for path, item in DOCUMENT["paths"].items()
       if path.startswith(("/v1/runs", "/v1/datasets", "/v1/compare"))
       and "get" in item and not path.endswith("/events")])
def keys(path):
    """As the fault about another one names them."""
    target = (path.replace("{id}", WORSE).replace("{image_id}", "1")
              .replace("{name}", "made-up"))
    reply = get(STORED, target + "?x_y_z_x_y_z=1")
    equal(reply.status, 422, reply.text())
    detail = reply.json()["detail"]
    known = re.search("known are (.*)", detail)
    equal(sorted(known[1].split(", ")) if known else [],
          sorted(keys_of(path, "get")), detail)


@test("a report is the page of evald eval --html")
def report():
    """It names the run, and has no script."""
    reply = get(STORED, f"/v1/runs/{WORSE}/report.html")
    equal(reply.header("Content-Type"), "text/html; charset=utf-8")
    contains(reply.text(), "<!DOCTYPE html>", "off by 9", "class 5")
    check("<script" not in reply.text(), "a script")


@test("a comparison finds what is better, and says so in text")
def comparison():
    """The interval of AP is above zero."""
    ap = get(STORED, PAIR + "&resamples=200").json()["summary"]["AP"]
    check(0 < ap["low"] <= ap["delta"] <= ap["high"], ap)
    reply = get(STORED, PAIR + "&resamples=200", Accept="text/plain")
    equal(reply.header("Content-Type"), "text/plain; charset=utf-8")
    contains(reply.text(), "categories that gained most", "class 5",
             f"{ap['delta']:+.4f}", "\u25b2")


@test("what is wrong is a problem as described")
def problems():
    """404, 409 and 422."""
    strict = post(STORED, {"dataset": "made-up",
                           "parameters": {"per_image_iou": 0.75}},
                  target="/v1/runs").json()["id"]
    for target, status in [
            (f"/v1/runs/{WORSE}/images/999", 404),
            (f"/v1/runs/{strict}/images/1", 404),
            (f"/v1/runs/{'0' * 26}/summary", 404),
            (f"/v1/compare?a={WORSE}&b={strict}", 409),
            (f"/v1/compare?a={WORSE}", 422),
            (f"/v1/runs/{WORSE}/classes?sort=APP", 422)]:
        reply = get(STORED, target)
        equal(reply.status, status, reply.text())
        fits(reply.json(), named("Problem"))
    equal(get(server(), f"/v1/runs/{WORSE}/summary").status, 501)


if __name__ == "__main__":
    main()
