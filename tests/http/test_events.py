"""
Events of runs.  What the tests share is in the store that EVALD_TEST_STORE
names, if it is set.
"""
import sys

sys.dont_write_bytecode = True
from harness import (SLOW, WAIT_S, Daemon, check, contains, dial, equal, main,
                     path, read_reply, run, same_bits, server, test,
                     wait_until, write)
from runs import STORE, send, good, dataset, opened, put
import json
import os
import re
import signal
import threading
import time


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


main()
