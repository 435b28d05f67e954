"""Requests that keep a worker busy, and small ones that need one."""
import json

NMS = "/v1/boxes/nms"
MISH = "/v1/activations/mish"
JSON = {"Content-Type": "application/json"}


def labour(boxes):
    """
    Soft suppression where each box weakens all that follow, and none falls
    out: 20,000 boxes take half a second, 80,000 ten, in one worker.
    """
    return json.dumps(
        {"inputs": {"boxes": [[i % 97, i % 89, i % 97 + 5, i % 89 + 5]
                              for i in range(boxes)],
                    "scores": [1] * boxes},
         "parameters": {"method": "gaussian", "score_threshold": 0,
                        "sigma": 100}}, separators=(",", ":")).encode()


def small(numbers=3000):
    """A body too large for the loop, and small for a worker."""
    return json.dumps({"inputs": {"x": [1] * numbers}},
                      separators=(",", ":")).encode()
