"""Times numbers through both doors: bytes to /v2, and JSON to /v1.

usage: oip.py EVALD

Starts the daemon EVALD and sends the same float32 numbers to the same
operation, in turn and on one connection: as JSON with dtype float32, and as
FP32 tensors in binary.  Prints nanoseconds per number, there and back and
within the server (its Server-Timing, without the queue), medians over the
rounds, and how many times faster the second door is.  The answers must be
equal, bit for bit.
"""
import http.client
import json
import os
import random
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time

COUNT, ROUNDS, WAIT_S = 1_000_000, 15, 10
OPERATION = ("activations", "mish")
LENGTH = "Inference-Header-Content-Length"


def requests():
    """Both requests; name -> (path, body, headers)."""
    rng = random.Random(7)
    data = struct.pack(f"<{COUNT}f", *(rng.uniform(-9, 9)
                                       for _ in range(COUNT)))
    numbers = struct.unpack(f"<{COUNT}f", data)
    text = ",".join(f"{x:.9g}" for x in numbers)
    plain = '{"dtype":"float32","inputs":{"x":[' + text + "]}}"
    head = json.dumps({"inputs": [{
        "name": "x", "shape": [COUNT], "datatype": "FP32",
        "parameters": {"binary_data_size": len(data)}}],
        "parameters": {"binary_data_output": True}}).encode()
    return {
        "JSON": ("/v1/" + "/".join(OPERATION), plain.encode(),
                 {"Content-Type": "application/json"}),
        "bytes": (f"/v2/models/{'.'.join(OPERATION)}/infer", head + data,
                  {"Content-Type": "application/octet-stream",
                   LENGTH: str(len(head))})}


def send(connection, request):
    """Nanoseconds per number, in all and of the server; and the answer."""
    path, body, headers = request
    began = time.perf_counter()
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    answer = response.read()
    took = time.perf_counter() - began
    if response.status != 200:
        raise SystemExit(answer[:500])
    server = re.findall(r"(?:parse|compute|encode);dur=([0-9.]+)",
                        response.getheader("Server-Timing"))
    return (took / COUNT * 1e9, sum(map(float, server)) / COUNT * 1e6), answer


def are_equal(answers):
    """Whether the numbers of both answers have the same bits."""
    values = json.loads(answers["JSON"])["outputs"]["value"]
    return struct.pack(f"<{COUNT}f", *values) == answers["bytes"][-4 * COUNT:]


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
        return daemon, f.read()


def main(evald):
    """Prints both and their ratio."""
    both, rounds, answers = requests(), [], {}
    with tempfile.TemporaryDirectory() as directory:
        daemon, url = start(evald, directory)
        try:
            connection = http.client.HTTPConnection(url.split("//")[1])
            for _ in range(ROUNDS + 1):
                took = {}
                for name, request in both.items():
                    took[name], answers[name] = send(connection, request)
                rounds.append(took)
        finally:
            daemon.terminate()
            daemon.wait()
    rounds = rounds[1:]  # the first warms up
    print(f"{COUNT} float32 through {'/'.join(OPERATION)}, ns per number:")
    print(f"  {'':12}{'HTTP':>9}{'server':>9}")
    for name, what in (("JSON", "/v1, JSON"), ("bytes", "/v2, binary")):
        print(f"  {what:12}" + "".join(
            f"{statistics.median(r[name][i] for r in rounds):9.1f}"
            for i in range(2)))
    print(f"  {'ratio':12}" + "".join(
        f"{statistics.median(r['JSON'][i] / r['bytes'][i] for r in rounds):9.1f}"
        for i in range(2)))
    equal = are_equal(answers)
    print(f"  answers {'are equal' if equal else 'DIFFER'}")
    return not equal


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
