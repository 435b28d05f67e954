"""Times numbers through both doors: bytes to /v2, and JSON to /v1.

usage: oip.py EVALD

Starts the daemon EVALD and sends the same float32 numbers to the same
operation with curl, in turn: as JSON with dtype float32, and as FP32 tensors in
binary.  Prints nanoseconds per number, there and back and within the server (its
Server-Timing, without the queue), medians over the rounds, and how many times
faster the second door is.  The answers must be equal, bit for bit.
"""
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

COUNT, ROUNDS, WAIT_S = 1_000_000, 9, 10
OPERATION = ("activations", "mish")
LENGTH = "Inference-Header-Content-Length"


def bodies(directory):
    """Writes both bodies; name -> (path of the request, file, headers)."""
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
    names = {name: os.path.join(directory, name) for name in ("JSON", "bytes")}
    with open(names["JSON"], "w", encoding="ascii") as f:
        f.write(plain)
    with open(names["bytes"], "wb") as f:
        f.write(head + data)
    return {
        "JSON": ("/v1/" + "/".join(OPERATION), names["JSON"],
                 ["Content-Type: application/json"]),
        "bytes": (f"/v2/models/{'.'.join(OPERATION)}/infer", names["bytes"],
                  ["Content-Type: application/octet-stream",
                   f"{LENGTH}: {len(head)}"])}


def send(url, request):
    """Nanoseconds per number, of curl and of the server; the answer is in the
    file beside the body."""
    path, name, headers = request
    args = ["curl", "-sS", "--fail", "-o", name + ".answer", "-w",
            "%{time_total} %header{server-timing}", "--data-binary", "@" + name, url + path]
    for header in [*headers, "Expect:"]:
        args += ["-H", header]
    said = subprocess.run(args, capture_output=True, check=True,
                          text=True).stdout
    server = re.findall(r"(?:parse|compute|encode);dur=([0-9.]+)", said)
    return (float(said.split()[0]) / COUNT * 1e9,
            sum(map(float, server)) / COUNT * 1e6)


def answers(requests):
    """The numbers of both answers as bytes."""
    with open(requests["JSON"][1] + ".answer", encoding="ascii") as f:
        values = json.load(f)["outputs"]["value"]
    with open(requests["bytes"][1] + ".answer", "rb") as f:
        packed = f.read()[-4 * COUNT:]
    return struct.pack(f"<{COUNT}f", *values), packed


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
    with tempfile.TemporaryDirectory() as directory:
        daemon, url = start(evald, directory)
        try:
            requests = bodies(directory)
            rounds = []
            for _ in range(ROUNDS + 1):
                rounds.append({name: send(url, request)
                               for name, request in requests.items()})
            plain, packed = answers(requests)
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
    print(f"  answers {'are equal' if plain == packed else 'DIFFER'}")
    return plain != packed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
