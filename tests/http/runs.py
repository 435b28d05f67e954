"""Calls of datasets and runs, on the zoo."""
import json
import os

from cocodata import zoo
from harness import ask, equal, path, server

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
