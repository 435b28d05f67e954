"""
A validation loop streams its detections into a run of evald; python's
standard library is all it takes.  Every call may be repeated, so it is: when a
connection breaks, a server is busy or its database away.

Several ranks share a run: all of them open it with the same key, each sends
the images that it has seen, in any order, and one of them finalizes.

    from stream import Run

    run = Run("http://127.0.0.1:8080", token=os.environ.get("EVALD_TOKEN"))
    run.open("val2017", key=f"{job}-epoch-{epoch}", name=f"epoch {epoch}",
             tags={"job": job})
    for images, outputs in loader:            # of this rank
        for image, out in zip(images, outputs):
            run.put(image.id, [{"category_id": c, "bbox": b, "score": s}
                               for c, b, s in out])
    run.flush()                               # durable from here on
    torch.distributed.barrier()
    if rank == 0:
        print(run.finalize()["summary"]["AP"])

A rank that dies and begins again sends its images again: what is there already
is counted once.
"""
import gzip
import http.client
import json
import random
import time
import urllib.parse

BUSY = (429, 502, 503, 504)  # not done, or not known to be done


class Refused(Exception):
    """The server will not do it, however often it is asked."""

    def __init__(self, status, problem):
        super().__init__(f"{status}: {problem.get('detail', problem)}")
        self.status, self.problem = status, problem


class GivenUp(Exception):
    """It was tried for `patience` seconds, in vain."""


class Client:
    """One connection, which is made again where it breaks."""

    def __init__(self, url, token=None, patience=300, timeout=120):
        parts = urllib.parse.urlsplit(url)
        kind = {"http": http.client.HTTPConnection,
                "https": http.client.HTTPSConnection}[parts.scheme]
        self.connection = kind(parts.hostname, parts.port, timeout=timeout)
        self.base = parts.path.rstrip("/")
        self.headers = {"Accept": "application/json"}
        if token:
            self.headers["Authorization"] = "Bearer " + token
        self.patience, self.retries = patience, 0

    def once(self, method, target, body, headers):
        """(status, headers, body) of one attempt."""
        self.connection.request(method, self.base + target, body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def ask(self, method, target, value=None, **more):
        """
        The bytes of a good answer.  Waits between attempts twice as long each
        time, up to 10 s, less a random part lest all ranks come back at once;
        and as long as Retry-After says.
        """
        headers = {**self.headers,
                   **{k.replace("_", "-"): v for k, v in more.items()}}
        body = None
        if value is not None:
            body = gzip.compress(json.dumps(
                value, separators=(",", ":")).encode(), 1)
            headers.update({"Content-Type": "application/json",
                            "Content-Encoding": "gzip"})
        end, wait = time.monotonic() + self.patience, 0.1
        while True:
            least = 0.0
            try:
                status, said, text = self.once(method, target, body, headers)
                if status < 400:
                    return text
                if status not in BUSY:
                    raise Refused(status, problem_of(text))
                why, least = f"status {status}", seconds_of(said)
            except (OSError, http.client.HTTPException) as e:
                self.connection.close()  # the next attempt makes a new one
                why = f"{type(e).__name__}: {e}"
            pause = max(least, wait * random.uniform(0.5, 1))
            if time.monotonic() + pause > end:
                raise GivenUp(f"{method} {target}: {why}")
            self.retries += 1
            time.sleep(pause)
            wait = min(2 * wait, 10.0)


def problem_of(text):
    """The problem that an answer is, whatever it looks like."""
    try:
        problem = json.loads(text)
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {
        "detail": text[:200].decode("utf-8", "replace")}


def seconds_of(headers):
    """Retry-After, of which servers in between may send dates: not those."""
    text = headers.get("Retry-After", "")
    return min(float(text), 60.0) if text.isdigit() else 0.0


class Run:
    """A run: open it, put images in, finalize it."""

    def __init__(self, url, run_id=None, token=None, batch=64, **more):
        self.client = Client(url, token, **more)
        self.id, self.batch = run_id, batch
        self.images, self.detections = [], []

    def put_dataset(self, name, ground_truth):
        """Puts COCO ground truth; the same again changes nothing."""
        quoted = urllib.parse.quote(name, safe="")
        return json.loads(self.client.ask("PUT", f"/v1/datasets/{quoted}",
                                          ground_truth))

    def open(self, dataset, key, **members):
        """
        Opens a run on the dataset, or finds the one that was opened with this
        key and the same members (name, tags, parameters, expected_images).
        """
        text = self.client.ask("POST", "/v1/runs",
                               {"dataset": dataset, **members},
                               Idempotency_Key=key)
        self.id = json.loads(text)["id"]
        return self.id

    def put(self, image_id, detections):
        """
        Adds an image with all that was detected on it, which may be nothing:
        category_id, bbox and score of each.  Sent when there is a batch.
        """
        self.images.append(image_id)
        self.detections += [{**d, "image_id": image_id} for d in detections]
        if len(self.images) >= self.batch:
            self.flush()

    def flush(self):
        """Sends what is left; when it returns all of it is durable."""
        if self.images:
            self.client.ask("POST", f"/v1/runs/{self.id}/images",
                            {"image_ids": self.images,
                             "detections": self.detections})
            self.images, self.detections = [], []

    def state(self):
        """How far it is, with the scores so far."""
        return json.loads(self.client.ask("GET", f"/v1/runs/{self.id}"))

    def finalize_bytes(self, **options):
        """As finalize, but the very bytes."""
        self.flush()
        return self.client.ask("POST", f"/v1/runs/{self.id}/finalize",
                               options or None)

    def finalize(self, **options):
        """Closes it and returns its scores; outputs=[...] asks for more."""
        return json.loads(self.finalize_bytes(**options))
