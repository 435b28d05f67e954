"""Times the front door: requests so small that it is nearly all of the work.

usage: front.py EVALD

Needs wrk, and nginx for the comparison; says so where they are missing.  The
server has one core of its own and wrk another, and the rounds alternate:

  - tiny POSTs on 32 connections that are kept, answered by one loop, against
    nginx's `return 200` of the same body with as many header lines, one
    process, its access log off: requests/s, the 99th percentile of latency,
    processor time of the serving thread per request, which says most where
    the machine has other work; medians over the rounds and ratios within
    them.  evald's log is tried both ways: --log-level warning, which writes
    no line here, and info, to /dev/null;
  - the same on 1,000 connections: none may fail, each answer be 200;
  - refusals: one worker, whose queue of one is kept full, and requests whose
    head says that they belong there; nothing is pinned.
"""
import contextlib
import gzip
import http.client
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROUNDS, ROUND_S, WAIT_S = 5, 2, 10
CONNECTIONS, MANY = 32, 1000
PATH = "/v1/activations/mish"
BODY = b'{"inputs":{"x":[-1,0,2]},"outputs":["value","grad"]}'
JSON = {"Content-Type": "application/json"}
GZIP = {**JSON, "Content-Encoding": "gzip"}
AIMS = {"rate": "at least 0.9", "p99": "at most 2", "refused": 20_000}
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
BOXES = 60_000  # of an NMS that keeps a worker busy

SCRIPT = """
wrk.method = "POST"
wrk.body = "%s"
%s
done = function(summary, latency)
    local e = summary.errors
    io.write(string.format("figures %%d %%d %%d %%d %%d\\n", summary.requests,
        summary.duration, latency:percentile(99), e.status,
        e.connect + e.read + e.write + e.timeout))
end
"""

NGINX = """
daemon off; master_process off; worker_processes 1;
error_log stderr crit; pid {directory}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path {directory}/1; proxy_temp_path {directory}/2;
    fastcgi_temp_path {directory}/3; uwsgi_temp_path {directory}/4;
    scgi_temp_path {directory}/5; default_type application/json;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ {headers} return 200 '{body}'; }}
    }}
}}
"""
NGINX_HEADERS = ("Server", "Date", "Content-Type", "Content-Length",
                 "Connection")  # of every answer


def pinned(core):
    """What keeps a command on one core, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 or not shutil.which("taskset"):
        return []
    return ["taskset", "-c", str(cores[core])]


def await_port(address):
    """Returns when a server answers there."""
    until = time.monotonic() + WAIT_S
    while True:
        try:
            post(address)
            return
        except OSError:
            if time.monotonic() > until:
                raise SystemExit(f"no server at {address}") from None
            time.sleep(0.02)


def post(address, body=BODY, path=PATH):
    """The answer to one request: its header lines and body."""
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("POST", path, body, JSON)
    response = connection.getresponse()
    with contextlib.closing(connection):
        return response.getheaders(), response.read()


@contextlib.contextmanager
def running(command):
    """A process, for as long as it is needed."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@contextlib.contextmanager
def evald_running(evald, directory, *options, prefix=()):
    """The process and address of a daemon."""
    ready = tempfile.mktemp(dir=directory)
    with running([*prefix, evald, "serve", "--listen", "127.0.0.1:0",
                  "--ready-file", ready, *options]) as pid:
        until = time.monotonic() + WAIT_S
        while not os.path.exists(ready):
            if time.monotonic() > until:
                raise SystemExit("the daemon does not start")
            time.sleep(0.02)
        with open(ready, encoding="ascii") as f:
            yield pid, f.read().strip().split("//")[1]


@contextlib.contextmanager
def nginx_running(nginx, directory, like):
    """nginx with one answer, like evald's."""
    headers, body = like
    port = 10_000 + os.getpid() % 20_000
    more = [(name, value) for name, value in headers
            if name not in NGINX_HEADERS]
    more = more[:max(len(headers) - len(NGINX_HEADERS), 0)]
    conf = os.path.join(directory, "nginx.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write(NGINX.format(
            directory=directory, port=port, body=body.decode(),
            headers=" ".join(f'add_header {n} "{v}";' for n, v in more)))
    with running([*pinned(0), nginx, "-p", directory, "-c", conf]) as pid:
        address = f"127.0.0.1:{port}"
        await_port(address)
        yield pid, address


def processor_s(pid):
    """What a process's first thread, which serves, has used so far."""
    with open(f"/proc/{pid}/task/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def lua(data):
    """Bytes as a string of Lua."""
    return "".join(f"\\{b:03d}" for b in data)


def load(server, directory, connections=CONNECTIONS, seconds=ROUND_S,
         body=BODY, headers=None, pin=True):
    """What wrk measures."""
    pid, address = server
    script = os.path.join(directory, "post.lua")
    with open(script, "w", encoding="ascii") as f:
        f.write(SCRIPT % (lua(body), "\n".join(
            f'wrk.headers["{n}"] = "{v}"'
            for n, v in (headers or JSON).items())))
    before = processor_s(pid)
    out = subprocess.run(
        [*(pinned(1) if pin else []), "wrk", "-t1", f"-c{connections}",
         f"-d{seconds}", "-s", script, f"http://{address}{PATH}"],
        capture_output=True, check=True, text=True).stdout
    used = processor_s(pid) - before
    words = next(line for line in out.splitlines()
                 if line.startswith("figures")).split()[1:]
    count, us, p99, status, failed = map(int, words)
    return {"rate": count / us * 1e6, "p99": p99, "count": count,
            "cpu": used / max(count, 1) * 1e6, "status": status,
            "refused": status / us * 1e6, "failed": failed}


def middle(rounds, name, what):
    """The median of one figure."""
    return statistics.median(r[name][what] for r in rounds)


def ratio(rounds, name, what):
    """Our figure by nginx's, the median over the rounds."""
    return statistics.median(r[name][what] / r["nginx"][what] for r in rounds)


def small(evald, nginx, directory):
    """Tiny requests, side by side."""
    with contextlib.ExitStack() as stack:
        def daemon(level):
            return stack.enter_context(evald_running(
                evald, directory, "--workers", "1", "--log-level", level,
                prefix=pinned(0)))
        servers = {"evald": daemon("warning"), "evald, info": daemon("info")}
        like = post(servers["evald"][1])
        if nginx:
            servers["nginx"] = stack.enter_context(
                nginx_running(nginx, directory, like))
        rounds = [{name: load(server, directory)
                   for name, server in servers.items()}
                  for _ in range(ROUNDS)]
        many = load(servers["evald"], directory, MANY, 2 * ROUND_S)
    print(f"front: POST of {len(BODY)} bytes, answers of {len(like[1])} and "
          f"{len(like[0])} header lines, {CONNECTIONS} connections, one loop, "
          f"medians of {ROUNDS}")
    for name in servers:
        print(f"  {name:12}{middle(rounds, name, 'rate'):9.0f} requests/s  "
              f"p99 {middle(rounds, name, 'p99') / 1000:7.2f} ms  "
              f"processor {middle(rounds, name, 'cpu'):6.2f} us/request")
    for name in servers if nginx else ():
        if name != "nginx":
            print(f"  {name + ' to nginx':21} requests/s "
                  f"{ratio(rounds, name, 'rate'):.2f} ({AIMS['rate']})  p99 "
                  f"{ratio(rounds, name, 'p99'):.2f} ({AIMS['p99']})  "
                  f"processor {ratio(rounds, name, 'cpu'):.2f}")
    if not nginx:
        print("  skipped: no nginx to compare with")
    print(f"  {MANY} connections: {many['rate']:.0f} requests/s, "
          f"{many['failed']} failed, {many['status']} not answered 200")
    return many["failed"] + many["status"] > 0


def long_work():
    """A request that keeps a worker busy."""
    boxes = [[3 * (i % 250), 3 * (i // 250), 3 * (i % 250) + 2,
              3 * (i // 250) + 2] for i in range(BOXES)]
    return json.dumps({"inputs": {
        "boxes": boxes, "scores": [i / BOXES for i in range(BOXES)]}}).encode()


def keep_full(address, over):
    """Sends long work until it is over."""
    work = long_work()
    while not over.is_set():
        # a refusal comes before the body is sent, and ends the connection
        with contextlib.suppress(OSError, http.client.HTTPException):
            post(address, work, "/v1/boxes/nms")
        time.sleep(0.02)


def refusals(evald, directory):
    """Refused requests a second, while the queue is full."""
    over = threading.Event()
    with evald_running(evald, directory, "--workers", "1", "--queue-heavy",
                       "1", "--log-level", "error") as server:
        fillers = [threading.Thread(target=keep_full, args=(server[1], over))
                   for _ in range(3)]
        for thread in fillers:
            thread.start()
        time.sleep(1)
        rounds = [load(server, directory, body=gzip.compress(BODY),
                       headers=GZIP, pin=False) for _ in range(ROUNDS)]
        over.set()
        for thread in fillers:
            thread.join(WAIT_S)
    print(f"  refused while the queue is full: "
          f"{statistics.median(r['refused'] for r in rounds):.0f} a second "
          f"(aim: {AIMS['refused']}), of "
          f"{statistics.median(r['rate'] for r in rounds):.0f} requests; "
          f"{sum(r['failed'] for r in rounds)} failed; processor "
          f"{statistics.median(r['cpu'] for r in rounds):.2f} us/request")


def main(evald):
    """Prints the lines."""
    if not shutil.which("wrk"):
        print("front: skipped: no wrk")
        return 0
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as directory:
        lost = small(evald, nginx, directory)
        refusals(evald, directory)
    return int(lost)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
