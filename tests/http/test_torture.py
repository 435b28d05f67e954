"""
The daemon is killed at random moments, again and again: what it has
acknowledged is there when it comes back, and the result has the same bits.

TORTURE is the number of kills, 100 if it is not set.
"""
import http.client
import json
import os
import random
import threading
import time

from cocodata import detection
from harness import (SANITIZED, Daemon, ask, check, equal, main, path, post,
                     test)

ROUNDS = int(os.environ.get("TORTURE", 10 if SANITIZED else 100))
SECONDS = max(58, ROUNDS) * (5 if SANITIZED else 1)
SENDERS, IMAGES, EACH = 4, 300, 2
JSON = {"Content-Type": "application/json"}
STORE = ("--store", path("killed.db"))
OUTPUTS = ["summary", "per_class", "per_image"]


def made_up(seed):
    """Ground truth and detections by image."""
    r = random.Random(seed)
    boxes = [[r.uniform(0, 50), r.uniform(0, 50), r.uniform(5, 60),
              r.uniform(5, 60)] for _ in range(IMAGES * 2)]
    truth = {"images": [{"id": i} for i in range(IMAGES)],
             "categories": [{"id": 1}, {"id": 2}],
             "annotations": [
                 {"id": n + 1, "image_id": n % IMAGES,
                  "category_id": 1 + n // IMAGES, "bbox": b, "iscrowd": 0,
                  "area": b[2] * b[3]} for n, b in enumerate(boxes)]}
    found = {i: [] for i in range(IMAGES)}
    for a in truth["annotations"]:
        for _ in range(r.randrange(4)):
            found[a["image_id"]].append(detection(
                a["image_id"], a["category_id"],
                [x + r.gauss(0, 3) for x in a["bbox"][:2]] + a["bbox"][2:],
                round(r.random(), 2)))
    return truth, found


class Loop:
    """A validation loop whose server dies now and then."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.truth, self.found = made_up(seed)
        self.run, self.todo, self.taken = None, [], set()
        self.acknowledged = self.kills = self.finished = 0

    def batch(self, images):
        """A batch, as bytes."""
        return json.dumps(
            {"image_ids": images, "detections":
             [d for i in images for d in self.found[i]]}).encode()

    def send(self, d, images):
        """The answer to a batch that has to be taken."""
        reply = ask(d, "POST", f"/v1/runs/{self.run}/images",
                    self.batch(images), JSON)
        equal(reply.status, 200, reply.text()[:400])
        return reply.json()

    def open(self, d):
        """A new run."""
        ask(d, "PUT", "/v1/datasets/t", json.dumps(self.truth).encode(), JSON)
        reply = ask(d, "POST", "/v1/runs", b'{"dataset":"t"}', JSON)
        equal(reply.status, 201, reply.text()[:400])
        self.run = reply.json()["id"]
        self.todo = self.random.sample(range(IMAGES), IMAGES)
        self.taken = set()

    def sender(self, d, recent, lock):
        """Sends until nobody answers any more."""
        c = http.client.HTTPConnection(d.host, d.port, timeout=20)
        while True:
            with lock:
                images = [self.todo.pop() for _ in
                          range(min(EACH, len(self.todo)))]
            if not images:
                return
            try:
                c.request("POST", f"/v1/runs/{self.run}/images",
                          self.batch(images), JSON)
                answer = c.getresponse()
                good = answer.status == 200 and answer.read()
            except (OSError, http.client.HTTPException):
                good = False
            with lock:
                if not good:  # it may be there, or not
                    self.todo.extend(images)
                    return
                recent.update(images)

    def check_taken(self, d, images):
        """All of these are there: sent again, none of them is new."""
        if images:
            got = self.send(d, sorted(images))
            equal((got["added"], got["repeated"]), (0, len(images)))

    def finish(self, d):
        """All images are in: the result is that of one request."""
        self.check_taken(d, self.taken)
        reply = ask(d, "POST", f"/v1/runs/{self.run}/finalize",
                    json.dumps({"outputs": OUTPUTS}).encode(), JSON)
        equal(reply.status, 200, reply.text()[:400])
        whole = {"ground_truth": self.truth, "outputs": OUTPUTS,
                 "detections": [x for i in range(IMAGES)
                                for x in self.found[i]]}
        check(reply.body == post(d, whole).body, "other bytes than at once")
        ask(d, "DELETE", f"/v1/runs/{self.run}")
        self.run = None
        self.finished += 1

    def round(self):
        """One life of the daemon."""
        d = Daemon(*STORE)
        if self.run:
            self.check_taken(d, self.recent)
        if self.run and not self.todo:
            self.finish(d)
        if not self.run:
            self.open(d)
        recent, lock = set(), threading.Lock()
        threads = [threading.Thread(target=self.sender, args=(d, recent, lock))
                   for _ in range(SENDERS)]
        for t in threads:
            t.start()
        time.sleep(self.random.uniform(0, .06))
        d.process.kill()
        d.process.wait()
        for t in threads:
            t.join()
        self.recent = recent
        self.taken |= recent
        self.acknowledged += len(recent)
        self.kills += 1


@test(f"{ROUNDS} times killed, nothing acknowledged is lost")
def killed():
    loop = Loop(7)
    for _ in range(ROUNDS):
        loop.round()
    with Daemon(*STORE) as d:
        loop.check_taken(d, loop.recent)
        while loop.todo:
            images = loop.todo[:16]
            loop.send(d, images)
            loop.taken.update(images)
            del loop.todo[:16]
        loop.finish(d)
    print(f"# {loop.kills} kills, {loop.acknowledged} images acknowledged, "
          f"{loop.finished} runs finished", flush=True)
    check(loop.acknowledged > loop.kills, "too little was sent to say much")


main(SECONDS)
