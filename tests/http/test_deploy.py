"""What systemd says of the units in deploy/."""
import sys

sys.dont_write_bytecode = True
from harness import EVALD, ROOT, WAIT_S, Skip, check, each, equal, main, \
    path, test
import os
import re
import shutil
import subprocess

UNITS = ["evald.service", "evald.socket"]
PROGRAM = "/usr/local/bin/evald"
EXPOSURE_MAX = 1.5  # of 10, from "SAFE" to "UNSAFE"


def analyze(*args):
    """What systemd-analyze prints; fails unless it ends with 0."""
    if not shutil.which("systemd-analyze"):
        raise Skip("no systemd-analyze here")
    r = subprocess.run(["systemd-analyze", *args], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=3 * WAIT_S,
                       env={**os.environ, "LC_ALL": "C.UTF-8"}, check=False)
    out = r.stdout.decode()
    if "--offline" in out and "unrecognized option" in out:
        raise Skip("this systemd-analyze reads no unit files")
    equal(r.returncode, 0, out)
    return out


def unit_file(name):
    """The text of a unit."""
    with open(os.path.join(ROOT, "deploy", name), encoding="utf-8") as f:
        return f.read()


def installed(drop_in=""):
    """Copies of the units for a program that is there; their paths."""
    os.makedirs(path("units"), exist_ok=True)
    paths = [path(os.path.join("units", name)) for name in UNITS]
    for name, copy in zip(UNITS, paths):
        text = unit_file(name).replace(PROGRAM, EVALD)
        if name == "evald.service":
            text = text.replace("\n[Install]", drop_in + "\n[Install]")
        with open(copy, "w", encoding="utf-8") as f:
            f.write(text)
    return paths


def exposure(service):
    """The level that systemd-analyze gives the unit, and its whole report."""
    report = analyze("security", "--offline=true", "--no-pager", service)
    found = re.search(r"Overall exposure level for evald.service: ([\d.]+)",
                      report)
    check(found, report)
    return float(found.group(1)), report


@test("systemd finds nothing wrong with the units")
def verified():
    """Manual pages are looked up where they are installed only."""
    equal(analyze("--man=no", "verify", *installed()), "")


@test(f"the service's exposure is {EXPOSURE_MAX} of 10 at most")
def exposed():
    """As the unit is in deploy/."""
    level, report = exposure(os.path.join(ROOT, "deploy", "evald.service"))
    check(level <= EXPOSURE_MAX, report)
    print(f"# exposure {level}")


@test("with the sockets of evald.socket it is 0.5 at most")
def exposed_activated():
    """With the lines that deploy/README.md shows for that."""
    readme = unit_file("README.md")
    found = re.search(r"```ini\n\[Service\]\n(.*?)```", readme, re.DOTALL)
    check(found, "no drop-in in deploy/README.md")
    level, report = exposure(installed("\n" + found.group(1))[0])
    check(level <= 0.5, report)
    print(f"# exposure {level}")


@each("the service lets the daemon confine itself: {0}", [
    ("landlock_create_ruleset",), ("landlock_add_rule",),
    ("landlock_restrict_self",), ("seccomp",)])
def confinable(call):
    """systemd's sets of system calls lack these."""
    lines = re.findall(r"^SystemCallFilter=([^~].*)$",
                       unit_file("evald.service"), re.MULTILINE)
    check(call in " ".join(lines).split(), lines)


main()
