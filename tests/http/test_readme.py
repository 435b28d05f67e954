"""The README says what is so: its options, and the answer that it shows."""
import sys

sys.dont_write_bytecode = True
from harness import ROOT, check, each, equal, get, main, path, post, run
from harness import server, test
import json
import os
import re
import struct
import subprocess

with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
    README = f.read()


@test("the answer shown is that of the sample")
def shown_answer():
    """Line by line, up to where it is cut."""
    block = re.search(r"```\n( Average Precision.*?)\n *…\n```", README, re.S)
    check(block, "README.md shows no answer")
    directory = path("sample")
    equal(run("sample", directory).returncode, 0)
    with open(os.path.join(directory, "request.json"), encoding="utf-8") as f:
        reply = post(server(), json.load(f), "text/plain")
    got = reply.body.decode().split("\n")
    want = block.group(1).split("\n")
    equal(got[:len(want)], want)


@test("it opens with the two commands")
def two_commands():
    """Before anything else is said."""
    commands = re.search(r"```sh\n(.*?)```", README, re.S).group(1)
    equal([line.split("#")[0].strip() for line in commands.splitlines()],
          ["make demo", "make check"])


@test("every path that the server has is named")
def paths():
    """As /v1 lists them."""
    for link in json.loads(get(server(), "/v1").body)["links"]:
        name = link["href"]
        check(f"`{name}`" in README or f" {name}" in README or name == "/",
              f"README.md does not name {name}")


@test("its table of operations is that of evald ops")
def operations():
    """make readme writes it."""
    table = run("ops", "--markdown").stdout.decode()
    check(table.count("\n") > 40, table)
    check(table in README, "README.md is behind: run make readme")


@test("the examples of the second door answer as shown")
def second_door():
    """The body that curl sends, and the program, each as it stands."""
    section = README.split("\n## A second door\n")[1].split("\n## ")[0]
    body = re.search(r"-d '(.*)'", section).group(1)
    model = re.search(r"/v2/models/[a-z.]+/infer", section).group(0)
    shown = re.search(r"```json\n(.*)\n```", section).group(1)
    equal(post(server(), body.encode(), target=model).text(), shown)
    program = re.search(r"```python\n(.*?)```", section, re.S).group(1)
    done = subprocess.run([sys.executable, "-c", program], check=False,
                          capture_output=True, timeout=30,
                          env={**os.environ, "EVALD": server().url})
    equal(done.returncode, 0, done.stderr.decode())
    numbers = re.search(r"\((.*)\)", done.stdout.decode()).group(1)
    equal([struct.pack("<f", float(x)) for x in numbers.split(",")],
          [struct.pack("<f", x)
           for x in json.loads(shown)["outputs"][0]["data"]])


@each("{0}", [("every flag of evald serve that README uses is one", "serve"),
              ("every flag of evald eval that README uses is one", "eval")])
def flags(_name, command):
    """Compared with --help."""
    used = re.findall(rf"evald {command}\b([^#\n]*)", README)
    known = run(command, "--help").stdout.decode()
    check(used, f"README.md does not use evald {command}")
    for flag in re.findall(r"--[a-z-]+", " ".join(used)):
        check(flag in known, f"{flag} is not known")


if __name__ == "__main__":
    main()
