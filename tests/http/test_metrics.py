"""What the daemon says of itself: /metrics, and the alerts on it."""
import sys

sys.dont_write_bytecode = True
from cocodata import zoo
from harness import (EVALUATE, ROOT, Daemon, Skip, ask, check, contains, each,
                     equal, get, main, post, server, short, test, wait_until,
                     write)
import os
import re
import shutil
import subprocess
import time

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
ACCEPT = "application/openmetrics-text;version=1.0.0," \
    "application/openmetrics-text;version=0.0.1;q=0.75," \
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
RULES = os.path.join(ROOT, "deploy", "prometheus.rules.yml")
LINE = re.compile(r'([a-z_]+)(\{[a-z]+="[^"\\\n]*"(?:,[a-z]+="[^"\\\n]*")*\})? '
                  r'([0-9][0-9.e+-]*)\Z')
RUN = "/v1/{group}/{name}"
MISH = "/v1/activations/mish"


def scrape(d):
    """The series of /metrics: name and labels to value."""
    reply = get(d, "/metrics")
    equal((reply.status, reply.header("Content-Type")), (200, PROMETHEUS))
    series = {}
    for line in reply.text().splitlines():
        if not line.startswith("#"):
            found = LINE.match(line)
            check(found, "no sample: " + line)
            name = found[1] + (found[2] or "")
            check(name not in series, "twice: " + name)
            series[name] = float(found[3])
    return series


def requests(route, method, code):
    """The name of a series."""
    return f'evald_http_requests_total{{route="{route}",method="{method}",' \
        f'code="{code}"}}'


def reaches(d, wanted):
    """Waits until the series have these values: requests end after answers."""
    last = {}

    def there():
        last.update(scrape(d))
        return all(last.get(k, 0) >= v for k, v in wanted.items())
    try:
        wait_until(there, "the series")
    finally:
        got = {k: last.get(k, 0) for k in wanted}
        equal(got, {k: float(v) for k, v in wanted.items()}, "series")
    return last


def promtool(*args, stdin=b""):
    """Runs promtool; it must be content."""
    if not shutil.which("promtool"):
        raise Skip("promtool is not there")
    r = subprocess.run(["promtool", *args], input=stdin, timeout=30,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       check=False)
    equal(r.returncode, 0, r.stdout.decode())
    return r.stdout.decode()


@test("HEAD and OPTIONS of /metrics, and no other method")
def methods():
    """As of every path that is read."""
    reply = ask(server(), "HEAD", "/metrics")
    equal((reply.status, reply.header("Content-Type"), reply.body),
          (200, PROMETHEUS, b""))
    reply = ask(server(), "POST", "/metrics", b"")
    equal((reply.status, reply.header("Allow")), (405, "GET, HEAD, OPTIONS"))


@test("every sample has its HELP and TYPE right before it")
def described():
    """Once each, and nothing of another metric in between."""
    seen, name = set(), None
    for line in get(server(), "/metrics").text().splitlines():
        words = line.split(" ", 3)
        if words[:2] == ["#", "HELP"]:
            name = words[2]
            check(name not in seen, "twice: " + name)
            check(len(words) == 4 and len(words[3]) > 5, line)
            seen.add(name)
        elif words[:2] == ["#", "TYPE"]:
            equal(words[2], name)
            kind = words[3]
            check(kind in ("counter", "gauge", "histogram"), line)
            equal(name.endswith("_total"), kind == "counter", line)
        else:
            sample = re.split(r"[{ ]", line)[0]
            if kind == "histogram":
                sample = re.sub("_(bucket|sum|count)$", "", sample)
            equal(sample, name)
    for wanted in ("evald_http_requests_total", "evald_build_info",
                   "evald_rejections_total", "process_open_fds"):
        check(wanted in seen, "no " + wanted)


@test("known requests are counted where they belong")
def known():
    """On a daemon of their own."""
    body = b'{"inputs":{"x":[[1,2,3],[4,5,6]]}}'
    wrong = b'{"inputs":{"x":"what"}}'
    with Daemon() as d:
        for _ in range(3):
            get(d, "/livez")
        get(d, "/no/such/path")
        ask(d, "BREW", "/v1", b"")
        sizes = [len(post(d, b, target=MISH).body) for b in
                 (body, body, wrong)]
        sizes.append(len(post(d, zoo()).body))
        after = reaches(d, {
            requests("/livez", "GET", 200): 3,
            requests("other", "GET", 404): 1,
            requests("/v1", "other", 405): 1,
            requests(RUN, "POST", 200): 2,
            requests(RUN, "POST", 422): 1,
            requests(EVALUATE, "POST", 200): 1,
            f'evald_http_request_duration_seconds_count{{route="{RUN}"}}': 3,
            f'evald_http_request_duration_seconds_count{{route="{EVALUATE}"}}':
                1,
            'evald_elements_total{operation="activations/mish"}': 12,
            'evald_elements_total{operation="activations/relu"}': 0,
            "evald_detections_total": len(zoo()["detections"]),
            "evald_images_total": len(zoo()["ground_truth"]["images"]),
        })
        check(after["evald_http_request_bytes_total"] >=
              2 * len(body) + len(wrong), "bytes in")
        check(after["evald_http_response_bytes_total"] >= sum(sizes),
              "bytes out")
        for stage in ("queue", "parse", "compute", "encode"):
            n = after[f'evald_stage_seconds_count{{stage="{stage}"}}']
            check(n >= 1, f"{stage}: {n}")
        equal(d.stop(), 0)


@test("what is refused is counted by its reason")
def refused():
    """A body beyond the limit, by its length and without saying it."""
    with Daemon("--max-body", "1K") as d:
        headers = {"Content-Type": "application/json"}
        equal(ask(d, "POST", EVALUATE, b" " * 2000, headers).status, 413)
        equal(ask(d, "POST", EVALUATE, iter([b" " * 2000]), headers).status,
              413)
        reaches(d, {'evald_rejections_total{reason="too_large"}': 2,
                    requests(EVALUATE, "POST", 413): 2,
                    'evald_rejections_total{reason="queue"}': 0})
        equal(d.stop(), 0)


@test("the buckets of every histogram rise to +Inf, which is the count")
def cumulative():
    """Of those that counted something, too."""
    post(server(), zoo())
    rows = {}
    for name, value in scrape(server()).items():
        found = re.match(r'(\w+)_(bucket|count)(.*)\Z', name)
        if not found:
            continue
        labels = re.sub(r',?le="[^"]*"', "", found[3]).replace("{}", "")
        rows.setdefault((found[1], labels), []).append(
            (re.search(r'le="([^"]*)"', found[3]), value))
    check(len(rows) > 5, short(rows))
    for key, row in rows.items():
        bounds = [float(le[1]) for le, _ in row if le]
        values = [value for _, value in row]
        equal(bounds, sorted(set(bounds)), f"bounds of {key}")
        equal((bounds[0], bounds[-2], bounds[-1]), (1e-4, 60.0, float("inf")))
        equal(values, sorted(values), f"buckets of {key}")
        equal(values[-1], values[-2], f"count of {key}")


@test("what clients make up makes no series")
def bounded():
    """Paths, methods, operations."""
    before = len(scrape(server()))
    for i in range(100):
        get(server(), f"/made/up/{i}")
        ask(server(), f"MADE{i}", f"/v1/made/up{i}")
        post(server(), b"{}", target=f"/v1/losses/{i}")
    after = len(scrape(server()))
    check(after - before < 60, f"from {before} to {after}")


@test("gauges say what is")
def gauges():
    """As far as it is known from outside."""
    with Daemon("--workers", "3") as d:
        s = scrape(d)
        equal(s["evald_workers"], 3.0)
        equal(s["evald_ready"], 1.0)
        check(s["evald_loops"] >= 1, "loops")
        equal(s['evald_queue_depth{lane="heavy"}'], 0.0)
        check(s['evald_queue_limit{lane="light"}'] > 0, "limit")
        check(s["evald_memory_budget_bytes"] > 1 << 20, "budget")
        check(sum(v for k, v in s.items()
                  if k.startswith("evald_connections{")) >= 1, "connections")
        check(abs(s["process_start_time_seconds"] - time.time()) < 60, "start")
        check(4 <= s["process_open_fds"] <= s["process_max_fds"], "files")
        check(s["process_resident_memory_bytes"] > 1 << 20, "memory")
        equal([k for k in s if k.startswith("evald_build_info{")],
              [f'evald_build_info{{version="{version(d)}",' +
               k.split(",", 1)[1] for k in s
               if k.startswith("evald_build_info{")])
        equal(d.stop(), 0)


def version(d):
    """As /version has it."""
    return get(d, "/version").json()["version"]


@test("promtool has nothing to say against the metrics")
def lint():
    """Names, units, help."""
    post(server(), zoo())
    equal(promtool("check", "metrics",
                   stdin=get(server(), "/metrics").body), "")


@each("Accept {0!r}", [(None, PROMETHEUS), ("*/*", PROMETHEUS),
                       ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                        PROMETHEUS), (ACCEPT, OPENMETRICS)])
def accepts(accept, kind):
    """Prometheus asks for OpenMetrics first."""
    reply = ask(server(), "GET", "/metrics", None,
                {"Accept": accept} if accept else {})
    equal((reply.status, reply.header("Content-Type")), (200, kind))
    equal(reply.text().endswith("# EOF\n"), kind == OPENMETRICS)
    contains(reply.text(), "# TYPE evald_http_requests" +
             ("_total" if kind == PROMETHEUS else "") + " counter\n")


# Alerts


@test("promtool has nothing to say against the alerts")
def rules():
    """The file that deploy/ has."""
    contains(promtool("check", "rules", RULES), "SUCCESS")


@test("alerts are on metrics that there are")
def rules_exist():
    """Names of ours, and of the process."""
    with open(RULES, encoding="utf-8") as f:
        text = f.read()
    names = set(re.findall(r"\b(?:evald|process)_\w+", text))
    check(len(names) > 5, short(names))
    page = get(server(), "/metrics").text()
    for name in names:
        contains(page, f"# TYPE {name} ")


FIRE = [("EvaldDown", ['up{job="evald"}'], ["0x60"]),
        ("EvaldNotReady", ["evald_ready"], ["0x60"]),
        ("EvaldErrors", ['evald_http_requests_total{code="500"}',
                         'evald_http_requests_total{code="200"}'],
         ["0+2x60", "0+98x60"]),
        ("EvaldQueueFilling", ['evald_queue_depth{lane="heavy"}',
                               'evald_queue_limit{lane="heavy"}'],
         ["210x60", "256x60"]),
        ("EvaldMemoryNearBudget", ["evald_memory_bytes_in_use",
                                   "evald_memory_budget_bytes"],
         ["95x60", "100x60"]),
        ("EvaldRejecting", ['evald_rejections_total{reason="memory"}'],
         ["0+60x60"]),
        ("EvaldWrongTokens", ['evald_rejections_total{reason="throttled"}'],
         ["0+90x60"]),
        ("EvaldFilesShort", ['process_open_fds{job="evald"}',
                             'process_max_fds{job="evald"}'],
         ["950x60", "1000x60"]),
        ("EvaldReloadFailed", ['evald_config_reloads_total{result="failure"}'],
         ["0x50 1x10"]),
        ("EvaldLogDropped", ["evald_log_lines_dropped_total"],
         ["0x50 7x10"])]
QUIET = [["1x60"], ["1x60"], ["0+1x60", "0+199x60"], ["100x60", "256x60"],
         ["50x60", "100x60"], ["0+1x60"], ["0+30x60"], ["500x60", "1000x60"],
         ["5x60"], ["5x60"]]


@each("{0} fires when it must, and only then",
      [row + (quiet,) for row, quiet in zip(FIRE, QUIET)])
def fires(name, series, values, quiet):
    """An hour of made-up samples, a minute apart."""
    lines = [f"rule_files: ['{RULES}']", "evaluation_interval: 1m", "tests:"]
    for numbers, count in ((values, 1), (quiet, 0)):
        lines += ["  - interval: 1m", "    input_series:"]
        for s, v in zip(series, numbers):
            lines += [f"      - series: '{s}'", f"        values: '{v}'"]
        lines += ["    promql_expr_test:",
                  f"      - expr: count(ALERTS{{alertname=\"{name}\","
                  "alertstate=\"firing\"}) or vector(0)",
                  "        eval_time: 55m", "        exp_samples:",
                  f"          - {{labels: '{{}}', value: {count}}}"]
    contains(promtool("test", "rules",
                      write("alert.yml", "\n".join(lines) + "\n")), "SUCCESS")


main()
