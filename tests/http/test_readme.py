"""The README says what is so: its options, and the answer that it shows."""
import sys

sys.dont_write_bytecode = True
from harness import (EVALD, ROOT, Skip, check, each, equal, get, main, path,
                     post, run, server, test)
import json
import os
import re
import shutil
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


def npy_rows(detections):
    """What numpy.save writes of rows of seven float64."""
    text = (f"{{'descr': '<f8', 'fortran_order': False, "
            f"'shape': ({len(detections)}, 7), }}")
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() + \
        b"".join(struct.pack("<7d", d["image_id"], *d["bbox"], d["score"],
                             d["category_id"]) for d in detections)


def own_files():
    """A directory with gt.json, dt.json and dt.npy, and what lines need."""
    directory = path("own")
    equal(run("sample", directory).returncode, 0)
    os.mkdir(os.path.join(directory, "build"))
    os.symlink(EVALD, os.path.join(directory, "build", "evald"))
    os.symlink(os.path.join(ROOT, "clients"),
               os.path.join(directory, "clients"))
    for name, to in (("ground_truth", "gt"), ("detections", "dt")):
        os.rename(os.path.join(directory, name + ".json"),
                  os.path.join(directory, to + ".json"))
    with open(os.path.join(directory, "dt.json"), encoding="utf-8") as f:
        detections = json.load(f)
    with open(os.path.join(directory, "dt.npy"), "wb") as f:
        f.write(npy_rows(detections))
    return directory


def output(line, directory):
    """What a line of the README prints; it must succeed."""
    done = subprocess.run(["sh", "-c", line], cwd=directory, timeout=30,
                          env={**os.environ, "EVALD": server().url},
                          capture_output=True, check=False)
    equal(done.returncode, 0, line + done.stderr.decode())
    return done.stdout.decode()


@test("the lines for one's own files do what they say")
def own():
    """Forms, their settings, .npy, the client, the command."""
    if not shutil.which("curl"):
        raise Skip("no curl here")
    section = README.split("\nWith your own files")[1].split("\n## ")[0]
    lines = [line for block in re.findall(r"```sh\n(.*?)```", section, re.S)
             for line in block.splitlines()]
    numpy = [line for line in lines if "numpy" in line]
    equal((len(lines), len(numpy)), (7, 1))
    directory = own_files()
    if subprocess.run(["python3", "-c", "import numpy"], check=False,
                      capture_output=True).returncode == 0:
        output(numpy[0], directory)
    plain, text, more, client, command, rows = [
        output(line, directory) for line in lines if line not in numpy]
    equal(rows, plain)
    check(text in command, command)
    equal(sorted(set(json.loads(more)) - set(json.loads(plain))),
          ["per_class", "per_image"])
    limits = json.loads(client)["protocol"]["max_detections"]
    equal((limits, "per_class" in json.loads(client)), ([1, 10, 300], True))


@test("what to fix: the lines shown are printed, and the page is written")
def what_to_fix():
    """On the sample, which make would have put into build/sample."""
    directory = path("fix")
    os.makedirs(os.path.join(directory, "build"))
    equal(run("sample", os.path.join(directory, "build/sample")).returncode, 0)
    os.symlink(EVALD, os.path.join(directory, "build", "evald"))
    section = README.split("\n## What to fix")[1].split("\n## ")[0]
    text, page = re.findall(r"```sh\n(.*?)\n```", section, re.S)[0].splitlines()
    printed = output(text, directory).splitlines()
    shown = re.findall(r"```\n(errors.*?)\n```", section, re.S)[0].splitlines()
    missing = set(shown) - {"…"} - set(printed)
    check(len(shown) > 10 and not missing, f"not printed: {missing}")
    output(page, directory)
    with open(os.path.join(directory, "build/report.html"),
              encoding="utf-8") as f:
        check("</html>" in f.read(), "the page ends")


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
              ("every flag of evald eval that README uses is one", "eval"),
              ("every flag of evald config that README uses is one",
               "config")])
def flags(_name, command):
    """Compared with --help."""
    used = re.findall(rf"evald {command}\b([^#`\n]*)", README)
    known = run(command, "--help").stdout.decode()
    check(used, f"README.md does not use evald {command}")
    for flag in re.findall(r"--[a-z-]+", " ".join(used)):
        check(flag in known, f"{flag} is not known")


if __name__ == "__main__":
    main()
