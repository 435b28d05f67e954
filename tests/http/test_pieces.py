"""Large bodies, which are read in pieces while they arrive."""
import sys

sys.dont_write_bytecode = True
from harness import (SANITIZED, SLOW, Daemon, Skip, check,
                     check_problem, chunks, contains, dial, each, equal, get,
                     head, main, path, post, read_reply, run, server, short,
                     test, together, wait_until)
import gzip
import os
import re
import signal
import socket
import struct
import time

MEBI = 1 << 20
IMAGES = 3800 // SLOW  # for 20 MiB and more
PIECE = MEBI >> 1  # of a body, in the daemon
_bodies = {}


def body(seed=0, images=IMAGES):
    """A large request of evald sample, without its outputs."""
    key = (seed, images)
    if key not in _bodies:
        directory = path(f"sample-{seed}-{images}")
        r = run("sample", "--images", str(images), "--objects", "12",
                "--detections", "60", "--seed", str(seed), directory)
        equal(r.returncode, 0, r.stderr.decode())
        parts = []
        for name in ("ground_truth", "detections"):
            with open(os.path.join(directory, name + ".json"), "rb") as f:
                parts.append(f.read())
        _bodies[key] = b'{"ground_truth":%s,"detections":%s}' % tuple(parts)
    return _bodies[key]


def answer(seed=0):
    """What it scores, read by a command that has it as a whole."""
    if ("answer", seed) not in _bodies:
        reply = post(server(), body(seed))
        equal(reply.status, 200, short(reply.text()))
        _bodies["answer", seed] = reply.body
    return _bodies["answer", seed]


def send(data, daemon=None, length=-1, step=0, pause_s=0.0):
    """Sends a body in steps, of any framing; the answer."""
    with dial(daemon or server()) as s:
        s.sendall(head(len(data) if length == -1 else length))
        for at in range(0, len(data), step or len(data)):
            s.sendall(data[at:at + (step or len(data))])
            time.sleep(pause_s)
        return read_reply(s)


def check_answer(reply, seed=0):
    """200, with the right bytes."""
    equal(reply.status, 200, short(reply.text()))
    check(reply.body == answer(seed), "another answer than the first")


# Right answers


@test("the scores are those of evald eval")
def as_from_files():
    """Which has the files as a whole."""
    directory = path(f"sample-0-{IMAGES}")
    check(len(body()) > 20 * MEBI or SLOW > 1, f"{len(body())} bytes")
    r = run("eval", "--json", os.path.join(directory, "ground_truth.json"),
            os.path.join(directory, "detections.json"))
    equal(r.returncode, 0, r.stderr.decode())
    check(r.stdout.rstrip() == answer().rstrip(), "not the same")


@each("20 MiB and more: {0}", [
    ("at once", len, 0, 0), ("in chunks of 100 kB", None, 100_000, 0),
    ("in chunks of 5 kB", None, 5_000, 0),
    ("a packet at a time", len, 1448, 0),
    ("half a MiB every 10 ms", len, PIECE, 0.01),
    ("in chunks, with pauses", None, MEBI, 0.02)])
def ways(_how, framing, step, pause_s):
    """The same bytes."""
    data = body()
    if framing is None:
        check_answer(send(chunks(data, step), length=None, pause_s=pause_s,
                          step=0 if not pause_s else 700_000))
    else:
        check_answer(send(data, step=step, pause_s=pause_s))


@test("several clients at once, slow and fast ones")
def at_once():
    """Each gets its own answer."""
    for seed in (0, 1, 2):
        answer(seed)
    together([lambda i=i: check_answer(
        send(body(i % 3), step=(0, PIECE, 100_000)[i // 3 % 3],
             pause_s=(0, 0.01, 0)[i // 3 % 3]), i % 3) for i in range(6)])


@each("{0}, and then its client closes its side", [
    ("with Content-Length", True), ("in chunks", False)])
def half_closed(_how, announced):
    """It has said all, and is answered."""
    data = body()
    with dial(server()) as s:
        s.sendall(head(len(data) if announced else None))
        s.sendall(data if announced else chunks(data, 10_000))
        s.shutdown(socket.SHUT_WR)
        check_answer(read_reply(s))


# Clients that go away


def count(daemon, what):
    """How many threads (task) or descriptors (fd) it has."""
    try:
        return len(os.listdir(f"/proc/{daemon.process.pid}/{what}"))
    except OSError:
        raise Skip("no /proc here") from None


def idle_fds(daemon):
    """Its descriptors when it has nothing to do."""
    get(daemon, "/livez")
    time.sleep(0.2 * SLOW)
    return count(daemon, "fd")


def memory_kb(daemon, name):
    """A line of its status: VmRSS, VmHWM."""
    try:
        with open(f"/proc/{daemon.process.pid}/status",
                  encoding="ascii") as f:
            return int(next(x for x in f if x.startswith(name)).split()[1])
    except OSError:
        raise Skip("no /proc here") from None


def leave(s, how):
    """Ends the connection in one of the ways there are."""
    if how == "reset":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                     struct.pack("ii", 1, 0))
    elif how == "half-close":
        s.shutdown(socket.SHUT_WR)
        try:
            s.recv(1)  # until it is given up
        except ConnectionError:
            pass
    s.close()


HOWS = ["close", "reset", "half-close"]
SIZES = [MEBI // 10, 3 * MEBI, 10 * MEBI]


def begin(daemon, i):
    """Sends some of a body, announced or in a chunk, as much as i says."""
    s = dial(daemon)
    data = body()
    some = data[:min(SIZES[i % 3], len(data) // 2)]
    s.sendall(head(len(data) if i % 2 else None))
    s.sendall(some if i % 2 else b"%x\r\n%s" % (len(some) + 9, some))
    return s


@test("30 clients that go away, ten at once, leave nothing behind")
def going_away():
    """Of each kind some; threads and descriptors are as before."""
    with Daemon() as d:
        fds = idle_fds(d)
        want = post(d, body())
        equal(want.status, 200)
        threads = count(d, "task")
        for _ in range(3):
            together([lambda i=i: leave(begin(d, i), HOWS[i // 3 % 3])
                      for i in range(10)])
            wait_until(lambda: count(d, "fd") == fds, "descriptors close")
        equal(count(d, "task"), threads, "threads")
        equal(post(d, body()).body, want.body)
        equal(d.stop(), 0, d.log()[-2000:])
        lost = d.log().count("(client went away)")
        check(21 <= lost <= 30, f"{lost} of 30")  # a reset may come first


@test("what clients that went away have used goes back to the system")
def going_away_memory():
    """
    60 of them, one after the other; then nobody for some seconds.  glibc by
    itself keeps up to 64 MiB for each thread: it is told not to.
    """
    if SANITIZED:
        raise Skip("sanitizers keep memory")
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(PIECE >> 1)
    try:
        daemon = Daemon()
    finally:
        del os.environ["MALLOC_MMAP_THRESHOLD_"]
    with daemon as d:
        fds, before = idle_fds(d), memory_kb(d, "VmRSS:")
        for i in range(60):
            leave(begin(d, i), "reset")
            wait_until(lambda: count(d, "fd") == fds, "descriptors close")
        used = memory_kb(d, "VmRSS:")
        check(used < before + (128 << 10), f"{used - before} KB more")
        wait_until(lambda: memory_kb(d, "VmRSS:") < before + (8 << 10),
                   f"memory; it was {used} KB, {before} KB at first")
        print(f"# {before} KB, {used} KB, {memory_kb(d, 'VmRSS:')} KB")


# What ends early


@test("413 for chunks beyond the limit, while pieces are read")
def too_large():
    """Of exactly the limit it is taken; without end it is ended."""
    daemon = server("--max-body", "4M")
    data = body(images=IMAGES // 40)
    data += b" " * (4 * MEBI - len(data))
    equal(send(chunks(data, 50_000), daemon, None).status, 200)
    for more in (1, MEBI, 4 * MEBI - 50_000):
        reply = send(chunks(data + b" " * more, 50_000), daemon, None)
        p = check_problem(daemon, reply, 413, "body-too-large")
        contains(p["detail"], str(4 * MEBI))
    with dial(daemon) as s:
        s.sendall(head(None))
        try:
            for _ in range(100):
                s.sendall(b"%x\r\n%s\r\n" % (len(data), data))
        except OSError:
            return
    check(False, "took a hundred times the limit")


def parse_ms(reply):
    """What Server-Timing says of reading."""
    return float(re.search(r"parse;dur=([0-9.]+)",
                           reply.header("Server-Timing")).group(1))


@test("a fault in the first MiB is told, and the rest is not scanned")
def early_fault():
    """400 with its place, and the connection stays good."""
    data = body()
    at = data.index(b"},{", MEBI // SLOW) + 1
    bad = data[:at] + b" " + data[at + 1:]
    with dial(server()) as s:
        s.sendall(head(len(bad)) + bad)
        reply = read_reply(s)
        p = check_problem(server(), reply, 400, "malformed-json")
        contains(p["detail"], f"(byte {at + 1}): a comma or")
        s.sendall(head(len(data)) + data)
        good = read_reply(s)
    check_answer(good)
    check(parse_ms(reply) < parse_ms(good) / 3 or SLOW > 1,
          f"{parse_ms(reply)} of {parse_ms(good)} ms")


# Stopping


def refuses(d):
    """Whether new connections are refused, or reset as it closes."""
    try:
        dial(d).close()
    except ConnectionError:
        return True
    return False


def half_sent(d):
    """A connection on which half of the body has been sent."""
    data = body()
    s = dial(d)
    s.sendall(head(len(data)))
    s.sendall(data[:len(data) // 2])
    return s, data[len(data) // 2:]


@test("SIGTERM during an upload: it is finished")
def stop_uploading():
    """Slowly."""
    with Daemon() as d:
        s, rest = half_sent(d)
        with s:
            d.signal(signal.SIGTERM)
            wait_until(lambda: refuses(d), "new connections are refused")
            equal(d.process.poll(), None, "still runs")
            for at in range(0, len(rest), PIECE):
                s.sendall(rest[at:at + PIECE])
                time.sleep(0.01)
            check_answer(read_reply(s))
        equal(d.wait(), 0, d.log())


@each("SIGTERM during an upload, and the client goes away by {0}",
      [(how,) for how in HOWS])
def stop_left(how):
    """It ends soon."""
    with Daemon() as d:
        s, _ = half_sent(d)
        d.signal(signal.SIGTERM)
        wait_until(lambda: refuses(d), "new connections are refused")
        leave(s, how)
        equal(d.wait(), 0, d.log())
        contains(d.log(), "(client went away)")


@test("SIGTERM twice during an upload: it is lost")
def stop_twice():
    """Although a piece may just be read."""
    with Daemon() as d:
        s, _ = half_sent(d)
        with s:
            d.signal(signal.SIGTERM)
            wait_until(lambda: refuses(d), "draining")
            d.signal(signal.SIGTERM)
            equal(d.wait(), 1, d.log())
        contains(d.log(), "1 requests are lost")


# Memory


@each("{0} of 30 MiB takes less memory than itself and 48 MiB", [
    ("JSON", None), ("gzip", "gzip")])
def peak(_what, encoding):
    """It is never there as a whole beside what is made of it."""
    if SANITIZED:
        raise Skip("sanitizers take memory of their own")
    data = body(images=5700)
    check(30 * MEBI < len(data) < 40 * MEBI, f"{len(data)} bytes")
    sent = gzip.compress(data, 1) if encoding else data
    with Daemon("--workers", "2") as d:
        get(d, "/livez")
        before = memory_kb(d, "VmHWM:")
        with dial(d) as s:
            s.sendall(head(len(sent), *(["Content-Encoding: " + encoding]
                                        if encoding else [])) + sent)
            equal(read_reply(s).status, 200)
        grown = memory_kb(d, "VmHWM:") - before
        print(f"# {grown} KB for {len(data) >> 10} KB")
        check(grown < (len(data) >> 10) + (48 << 10), f"{grown} KB")


if __name__ == "__main__":
    main()
