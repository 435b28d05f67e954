"""Times small requests beside clients that keep the daemon busy.

usage: lanes.py EVALD [HEAVY]

Starts the daemon EVALD with as many workers as there are processors.  One
connection sends a small request, answered on the loop's own thread, at a
steady pace; in every other round HEAVY (3) more clients send evaluations of
some MB all the time.  Prints how long the small ones take, in microseconds:
medians of the rounds' p50, p99 and longest; and how many answers the heavy
clients get meanwhile.  Fails when the p99 with the heavy clients is more than 3
times the one without.

The heavy clients let all others go first and send in pieces: they stand for
machines elsewhere, whose own work is not to be timed.
"""
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS, SECONDS, PACE_S, WAIT_S, RATIO_MAX = 5, 3, 0.004, 10, 3
KIND, PIECE_BYTES = 19, 1 << 16


def request(path, body):
    """The bytes of a POST of JSON."""
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def small():
    """A request of 200 bytes of body."""
    numbers = ",".join(f"{(i * 37 % 100) / 25 - 2:.5f}" for i in range(20))
    return request("/v1/activations/mish",
                   ('{"inputs":{"x":[' + numbers + "]}}").encode())


def connect(url):
    """A connection to the daemon, which sends what there is at once."""
    host, port = url.split("//")[1].split(":")
    connection = socket.create_connection((host, int(port)), WAIT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def ask(connection, message):
    """Sends a request and reads its whole answer, which must be 200."""
    for at in range(0, len(message), PIECE_BYTES):
        connection.sendall(message[at:at + PIECE_BYTES])
    answer = connection.recv(1 << 16)
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(1 << 16)
    head, body = answer.split(b"\r\n\r\n", 1)
    if b" 200 " not in head[:16]:
        raise SystemExit(head.decode())
    left = int(head.lower().split(b"content-length:")[1].split()[0]) - len(body)
    while left > 0:
        left -= len(connection.recv(1 << 16))


def keep_busy(url, path):
    """What a heavy client does until it is ended; a dot for each answer."""
    os.nice(KIND)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    connection = connect(url)
    with open(path, "rb") as f:
        message = request("/v1/detection/evaluate", f.read())
    while True:
        ask(connection, message)
        os.write(1, b".")


def measure(url):
    """Sorted microseconds of small requests at a steady pace."""
    connection, message, took = connect(url), small(), []
    turn = time.monotonic()
    for _ in range(int(SECONDS / PACE_S)):
        turn += PACE_S
        time.sleep(max(0, turn - time.monotonic()))
        began = time.perf_counter()
        ask(connection, message)
        took.append((time.perf_counter() - began) * 1e6)
    return sorted(took)


def measure_beside(url, path, clients):
    """The same beside so many heavy clients, and their answers per second."""
    began = time.monotonic()
    busy = [subprocess.Popen([sys.executable, __file__, "--heavy", url, path],
                             stdout=subprocess.PIPE) for _ in range(clients)]
    time.sleep(0.5)
    try:
        took = measure(url)
    finally:
        for client in busy:
            client.terminate()
    seconds = time.monotonic() - began
    return took, sum(len(c.communicate()[0]) for c in busy) / seconds


def start(evald, directory):
    """The daemon and its address."""
    ready = os.path.join(directory, "ready")
    daemon = subprocess.Popen(
        [evald, "serve", "--listen", "127.0.0.1:0", "--ready-file", ready],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + WAIT_S
    while not os.path.exists(ready) and time.monotonic() < end:
        time.sleep(0.01)
    with open(ready, encoding="ascii") as f:
        return daemon, f.read().strip()


def report(name, rounds):
    """One line of medians; the p99."""
    middle = [statistics.median(r[min(int(len(r) * q), len(r) - 1)]
                                for r in rounds) for q in (0.5, 0.99, 1)]
    print(f"  {name:16}" + "".join(f"{x:9.0f}" for x in middle))
    return middle[1]


def main(evald, clients="3"):
    """Prints both and the ratio of their p99."""
    alone, beside, answers = [], [], []
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([evald, "sample", "--images=400", "--classes=80",
                        "--objects=8", "--detections=100", directory],
                       check=True)
        path = os.path.join(directory, "request.json")
        daemon, url = start(evald, directory)
        try:
            for _ in range(ROUNDS):
                alone.append(measure(url))
                took, rate = measure_beside(url, path, int(clients))
                beside.append(took)
                answers.append(rate)
        finally:
            daemon.terminate()
            daemon.wait()
        size = os.path.getsize(path) / 1e6
    print(f"200 bytes every {PACE_S * 1000:.0f} ms, {clients} clients with "
          f"{size:.1f} MB all the time:")
    print(f"  {'us':16}{'p50':>9}{'p99':>9}{'most':>9}")
    ratio = report("beside them", beside) / report("alone", alone)
    print(f"  {statistics.median(answers):.1f} evaluations per second")
    print(f"  ratio of p99 {ratio:.2f}, at most {RATIO_MAX}")
    return ratio > RATIO_MAX


if __name__ == "__main__":
    if sys.argv[1] == "--heavy":
        keep_busy(*sys.argv[2:])
    sys.exit(main(*sys.argv[1:]))
