"""A daemon as seen from outside while it is attacked: /proc and /metrics."""
import json
import os
import re
import resource
import select
import socket
import struct
import time
from types import SimpleNamespace

from harness import (REPORTS, SANITIZED, WAIT_S, Failure, Skip, check, dial,
                     equal, get, head, read_reply, wait_until)

MIB = 1 << 20
ADMIN = re.compile(r"health and metrics on http://([\d.]+):(\d+)")
# For allocators, in RSS; AddressSanitizer keeps 256 MiB that were freed.
SLACK_BYTES = (384 if SANITIZED else 12) * MIB


# /proc


def descriptors(d):
    """How many the daemon has open."""
    return len(os.listdir(f"/proc/{d.process.pid}/fd"))


def memory(d, name="VmRSS"):
    """Resident bytes; VmHWM is the most there ever were."""
    with open(f"/proc/{d.process.pid}/status", encoding="ascii") as f:
        return int(re.search(name + r":\s+(\d+) kB", f.read())[1]) << 10


def forget_peak(d):
    """VmHWM begins again from what is resident now."""
    try:
        with open(f"/proc/{d.process.pid}/clear_refs", "w",
                  encoding="ascii") as f:
            f.write("5")
    except OSError as e:
        raise Skip(f"peaks cannot be measured here: {e}") from None


def cpu_s(d):
    """Processor time of all its threads."""
    with open(f"/proc/{d.process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def need_descriptors(n):
    """Lets this process have so many, and skips the test if it cannot."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < n:
        if hard != resource.RLIM_INFINITY and hard < n:
            raise Skip(f"needs {n} descriptors; ulimit -Hn is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, hard))


# /metrics


def admin(d):
    """Where its --admin-listen is, for whatever takes a daemon."""
    found = ADMIN.search(d.log())
    check(found, "no --admin-listen: " + d.log()[:500])
    return SimpleNamespace(host=found[1], port=int(found[2]))


def scrape(d):
    """The series of /metrics: name and labels to value."""
    reply = get(d, "/metrics")
    equal(reply.status, 200, "/metrics")
    return {name: float(value) for name, value in
            (line.rsplit(" ", 1) for line in reply.text().splitlines()
             if not line.startswith("#"))}


def rejected(d, reason):
    """How many requests and connections for this reason."""
    return scrape(d)[f'evald_rejections_total{{reason="{reason}"}}']


def connections(d):
    """Open connections by state; the one that asks is among them."""
    found = re.compile(r'evald_connections\{state="(\w+)"\}\Z')
    return {found.match(k)[1]: v for k, v in scrape(d).items()
            if found.match(k)}


def jobs(d, lane="heavy"):
    """Jobs that run."""
    return scrape(d)[f'evald_jobs_running{{lane="{lane}"}}']


# Before and after


class Baseline:
    """What a daemon has while nobody wants anything of it."""

    def __init__(self, d, asks=None):
        self.d = d
        self.asks = asks or (admin(d) if ADMIN.search(d.log()) else d)
        for _ in range(20):  # whatever is made once is there
            equal(get(self.asks, "/livez").status, 200)
        scrape(self.asks)
        self.fds = descriptors(d)
        self.rss = memory(d)
        self.in_use = self.reserved()

    def reserved(self):
        """Of the memory budget."""
        return scrape(self.asks)["evald_memory_bytes_in_use"]

    def returns(self):
        """Waits until nothing is open that was not; memory has more time."""
        self.waits(lambda: descriptors(self.d), self.fds, "descriptors")
        self.waits(lambda: sum(connections(self.asks).values()), 1,
                   "connections")
        _attacked.append(self)

    def ends(self):
        """Waits until memory is as it was, and ends the daemon."""
        self.waits(self.reserved, self.in_use, "bytes in use")
        self.waits(lambda: memory(self.d), self.rss + SLACK_BYTES,
                   "resident bytes")
        equal(self.d.stop(), 0, "exit code\n" + self.d.log()[-1000:])
        for word in REPORTS:
            check(word not in self.d.log(), self.d.log()[-4000:])

    @staticmethod
    def waits(look, most, what):
        """Until what is looked at is no more than that."""
        try:
            wait_until(lambda: look() <= most, what)
        except Failure:
            raise Failure(f"{look():.0f} {what}, before {most:.0f}") from None


def all_end():
    """The daemons that were attacked have their memory back, and end."""
    check(_attacked, "no daemon was attacked")
    for base in _attacked:
        base.ends()


_attacked = []


# Clients that are no friends

IOU = "/v1/boxes/iou"
MISH = "/v1/activations/mish"


def boxes(n):
    """n boxes with coordinates of some digits."""
    return [[i / 7, i / 3, i / 7 + 10.1, i / 3 + 20.3] for i in range(n)]


def post_bytes(target, body, *more):
    """A whole request."""
    data = json.dumps(body).encode()
    return head(len(data), *more, target=target) + data


# A request of 60 KB whose answer has 800 * 800 numbers of many digits.
LARGE_ANSWER = post_bytes(IOU, {"inputs": {
    "boxes_a": boxes(800), "boxes_b": boxes(800)}})


def reset(s):
    """Closes so that the peer sees a reset."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                 struct.pack("ii", 1, 0))
    s.close()


def leave(s, hard):
    """By a reset, or else by FIN."""
    if hard:
        reset(s)
    else:
        s.close()


def deaf(d, data):
    """A client with a small window that has sent this and never reads."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(WAIT_S)
    s.connect((d.host, d.port))
    s.sendall(data)
    return s


def has_ended(s):
    """Whether the other side has closed; reads what there is."""
    try:
        while select.select([s], [], [], 0)[0]:
            if not s.recv(1 << 16):
                return True
    except OSError:
        return True
    return False


def probe(d, target="/livez"):
    """GET on a fresh connection: seconds until all of the answer is there."""
    began = time.monotonic()
    with dial(d) as s:
        s.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n"
                  "Connection: close\r\n\r\n".encode())
        equal(read_reply(s).status, 200, target)
    return time.monotonic() - began


def percentile(times, share):
    """The time that this share of them is within."""
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]

