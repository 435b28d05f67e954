"""Replicas on one PostgreSQL behind HAProxy; one is killed in the middle."""
import os
import random
import re
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from cocodata import many
from harness import (ROOT, WAIT_S, Daemon, Skip, check, equal, main, path,
                     post, test, together, wait_until, write, _running)
from postgres import Postgres, free_port

sys.path.insert(0, os.path.join(ROOT, "clients", "python"))
from stream import Run

IMAGES, SENDERS, REPLICAS, BATCH = 960, 8, 3, 5
WHOLE = many(IMAGES, 6)
OUTPUTS = ["summary", "per_class", "per_image", "curves", "errors"]


def haproxy():
    """HAProxy's program."""
    found = shutil.which("haproxy") or "/usr/sbin/haproxy"
    if not os.access(found, os.X_OK):
        raise Skip("no haproxy here")
    return found


def configuration(port, daemons):
    """deploy/haproxy.cfg, at this port in front of these daemons."""
    with open(os.path.join(ROOT, "deploy", "haproxy.cfg"),
              encoding="utf-8") as f:
        text = f.read().replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    for i, d in enumerate(daemons):
        text, n = re.subn(rf"127\.0\.0\.1:{8081 + i}\b",
                          f"127.0.0.1:{d.port}", text)
        equal(n, 1, "a server's line")
    return text


def start_proxy(program, daemons):
    """Its URL once it serves."""
    port = free_port()
    config = write("haproxy.cfg", configuration(port, daemons))
    checked = subprocess.run([program, "-c", "-f", config],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             timeout=WAIT_S, check=False)
    equal(checked.returncode, 0, checked.stdout.decode())
    check(b"WARNING" not in checked.stdout, checked.stdout.decode())
    with open(path("haproxy.log"), "wb") as log:
        process = subprocess.Popen([program, "-db", "-f", config],
                                   stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log)
    _running.append(process)
    url = f"http://127.0.0.1:{port}"
    client = Run(url, patience=WAIT_S).client
    client.ask("GET", "/readyz")
    return process, url


def detections_by_image():
    """What there is on each image."""
    found = {}
    for d in WHOLE["detections"]:
        found.setdefault(d["image_id"], []).append(
            {k: v for k, v in d.items() if k != "image_id"})
    return found


def send(url, rank, sent, retries):
    """One of the senders, with each eighth image and a few of others'."""
    found = detections_by_image()
    mine = [i for i in range(1, IMAGES + 1) if i % SENDERS == rank]
    random.Random(rank).shuffle(mine)
    run = Run(url, batch=BATCH, patience=WAIT_S)
    run.open("many", key="epoch-1", name="epoch 1")
    for n, image in enumerate(mine + mine[:BATCH]):  # some again
        run.put(image, found.get(image, []))
        sent[rank] = n
        time.sleep(0.002)
    run.flush()
    retries[rank] = run.client.retries


def kill_one(daemons, sent):
    """When a third is sent; the others do not know."""
    wait_until(lambda: sum(sent) > IMAGES / 3, "senders to be at work")
    daemons[1].process.kill()
    daemons[1].process.wait(WAIT_S)


@test("a replica is killed, and the answer has the bytes of one request")
def killed():
    """What is numbered by image is sent by image in the one request."""
    program = haproxy()
    with Postgres() as database:
        daemons = [Daemon("--store", database.url, "--workers", "2")
                   for _ in range(REPLICAS)]
        proxy, url = start_proxy(program, daemons)
        want = post(daemons[0], {**WHOLE, "outputs": OUTPUTS}).body
        first = Run(url, patience=WAIT_S)
        first.put_dataset("many", WHOLE["ground_truth"])
        sent, retries = [0] * SENDERS, [0] * SENDERS
        together([lambda r=r: send(url, r, sent, retries)
                  for r in range(SENDERS)] +
                 [lambda: kill_one(daemons, sent)])
        print(f"# {sum(retries)} retries of the senders")
        first.open("many", key="epoch-1", name="epoch 1")
        state = first.state()
        equal((state["images"], state["detections"]),
              (IMAGES, len(WHOLE["detections"])))
        equal(database.sql("SELECT count(*) FROM runs"), "1", "runs")
        equal(database.sql("SELECT count(*), min(seq), max(seq) FROM images"),
              f"{IMAGES}|1|{IMAGES}", "images and their numbers")
        got = [first.finalize_bytes(outputs=OUTPUTS)]
        for d in (daemons[0], daemons[2]):  # by whichever replica
            one = Run(d.url, run_id=first.id, patience=WAIT_S)
            got.append(one.finalize_bytes(outputs=OUTPUTS))
        for body in got:
            check(body == want, "the bytes differ")
        proxy.terminate()
        proxy.wait(WAIT_S)
        for d in (daemons[0], daemons[2]):
            equal(d.stop(), 0, d.log()[-1000:])


main()
