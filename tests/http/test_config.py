"""What the daemon is told: flags, EVALD_*, a file; the manual; completion."""
import sys

sys.dont_write_bytecode = True
from harness import (EVALD, ROOT, Daemon, Skip, check, contains, each, equal,
                     get, main, path, run, test, write)
import contextlib
import os
import re
import shutil
import subprocess

OK, USAGE, IO, CONFIG = 0, 64, 74, 78

for name in [v for v in os.environ if v.startswith("EVALD_")]:
    del os.environ[name]


@contextlib.contextmanager
def environment(**variables):
    """These variables are set meanwhile."""
    os.environ.update(variables)
    try:
        yield
    finally:
        for variable in variables:
            del os.environ[variable]


def config(*args, code=OK):
    """Lines that evald config prints, as a dict of name to value."""
    r = run("config", *args)
    equal(r.returncode, code, r.stderr.decode())
    return dict((line.split(" =", 1)[0], line.split(" =", 1)[1].strip())
                for line in r.stdout.decode().splitlines())


def names():
    """The flags of serve, without dashes."""
    text = run("serve", "--help").stdout.decode()
    return [n for n in re.findall(r"^  --([a-z-]+)", text, re.M)
            if n != "help"]


@test("config names every flag of serve but --config")
def config_is_complete():
    """In the order of --help, where flags are grouped."""
    equal(list(config()), [n for n in names() if n != "config"])


@test("what config prints is a file that gives the same")
def config_is_a_file():
    """With and without origins, defaults and other values."""
    flags = ["--no-auth", "--max-body=1M", "--tls-cert=c.pem",
             "--tls-key=/k#1.pem", "--client-rate=7", "--listen=[::1]:0",
             "--cors-origin=https://a.example,https://b.example"]
    for args in ([], flags):
        want = run("config", *args).stdout
        for extra in ([], ["--show-origin"]):
            text = run("config", *args, *extra).stdout
            again = run("config", "--config", write("again.conf", text))
            equal((again.returncode, again.stdout), (OK, want),
                  again.stderr.decode())


@each("config shows {0} without the password", [
    ("postgresql://me:se%40cret@db:5432/x?sslmode=require",
     "postgresql://me:***@db:5432/x?sslmode=require"),
    ("postgres://me@db/x?password=secret&sslpassword=secret",
     "postgres://me@db/x?password=***&sslpassword=***"),
    ("postgresql:///x?user=a:b", "postgresql:///x?user=a:b"),
    ("/var/lib/me:x@y?password=z", "/var/lib/me:x@y?password=z")])
def no_password(where, shown):
    """A file keeps its name, whatever it is."""
    equal(config("--store", where)["store"], shown)


@test("config --show-origin says where each is from")
def origins():
    """Flag, variable, line of the file, default."""
    file = write("o.conf", "# mine\nworkers = 3\nloops = 2\ngrace = 4s\n")
    with environment(EVALD_LOOPS="5", EVALD_CONFIG=file):
        got = config("--show-origin", "--grace", "6s")
    equal(got["workers"], f"3  # {file}:2")
    equal(got["loops"], "5  # EVALD_LOOPS")
    equal(got["grace"], "6s  # flag")
    equal(got["queue-heavy"], "64  # default")
    equal(got["tokens"], "# default")


@test("config prints what is worked out")
def derived():
    """In the largest unit there is."""
    got = config("--connections", "10", "--client-rate", "3")
    equal(got["connections-per-address"], "5")
    equal(got["client-burst"], "6")
    equal(got["max-body"], "256M")
    check(re.fullmatch(r"\d+[MG]", got["memory"]), got["memory"])
    check(int(got["workers"]) >= 1, got["workers"])


@test("config --check is silent, and 78 or 64 if something is wrong")
def check_only():
    """As serve is."""
    r = run("config", "--check")
    equal((r.returncode, r.stdout, r.stderr), (OK, b"", b""))
    bad = write("bad.conf", "workers = 3\n\nlisten = nonsense\n")
    for command in (["config", "--check"], ["config"], ["serve"]):
        r = run(*command, "--config", bad)
        equal((r.returncode, r.stdout), (CONFIG, b""))
        equal(r.stderr.decode(), f"evald {command[0]}: {bad}:3: listen must "
              "be HOST:PORT, not \"nonsense\"\n")
        r = run(*command, "--loops", "65")
        equal((r.returncode, r.stdout), (USAGE, b""))
        with environment(EVALD_IDLE_TIMEOUT="9"):
            r = run(*command)
        equal((r.returncode, r.stdout), (CONFIG, b""))
        contains(r.stderr.decode(), "EVALD_IDLE_TIMEOUT", "did you mean 9s?")


@test("a file with NUL, of other bytes, or that never ends is refused")
def odd_files():
    """In bounded time."""
    for text in (b"workers = 2\0\n", bytes(range(256)), b"\xff\xfe\n"):
        r = run("config", "--config", write("odd.conf", text))
        equal((r.returncode, r.stdout), (CONFIG, b""))
    for device in ("/dev/zero", "/dev/urandom"):
        r = run("config", "--config", device)
        equal((r.returncode, r.stdout), (CONFIG, b""))


@test("a misspelt variable is warned of, and serving goes on")
def misspelt():
    """On stderr alone."""
    with environment(EVALD_MAX_BDOY="1M"):
        r = run("config")
    equal((r.returncode, r.stderr.decode()),
          (OK, "evald config: warning: EVALD_MAX_BDOY is no setting; did you "
           "mean EVALD_MAX_BODY?\n"))


@test("the daemon does as it is told by a file, a variable, a flag")
def daemon():
    """The limit of bodies, as /v1 tells it."""
    file = write("d.conf", "max-body = 1M\nworkers = 2\n")

    def limit(*flags):
        with Daemon(*flags) as d:
            return get(d, "/v1").json()["limits"]["body_bytes_max"]
    equal(limit("--config", file), 1 << 20)
    with environment(EVALD_MAX_BODY="2M"):
        equal(limit("--config", file), 2 << 20)
        equal(limit("--config", file, "--max-body=3M"), 3 << 20)


@test("config to /dev/full is 74")
def full_device():
    """Man and completion, too."""
    with open("/dev/full", "wb") as full:
        for args in (["config"], ["man"], ["completion", "zsh"]):
            r = run(*args, stdout=full)
            equal(r.returncode, IO)
            contains(r.stderr.decode(), f"evald {args[0]}:", "cannot write")


# Help and the manual


def commands():
    """As evald help lists them."""
    return re.findall(r"^  ([a-z]+) ", run("help").stdout.decode(), re.M)


@test("every command that has options has help within 80 columns")
def help_width():
    """And says its own name."""
    for command in commands():
        r = run(command, "--help")
        equal(r.returncode, OK)
        for line in r.stdout.decode().splitlines():
            check(len(line) <= 80, line)


@test("help of serve says how else its options are set")
def help_of_serve():
    """EVALD_ and the file; defaults; headings."""
    text = " ".join(run("serve", "--help").stdout.decode().split())
    contains(text, "EVALD_MAX_BODY", "--config", "(30s)",
             "(half of --connections)", "How long:")


@test("deploy/evald.1 is what evald man prints")
def manual():
    """make man writes it."""
    with open(os.path.join(ROOT, "deploy", "evald.1"), "rb") as f:
        check(f.read() == run("man").stdout,
              "deploy/evald.1 is behind: run make man")


@test("the manual names every command, flag and exit code")
def manual_is_complete():
    """As roff writes dashes."""
    text = run("man").stdout.decode().replace("\\-", "-")
    for command in commands():
        contains(text, f"\\fBevald \\fR\\fB{command}\\fR")
        for flag in re.findall(r"^  (--[a-z-]+)",
                               run(command, "--help").stdout.decode(), re.M):
            check(flag == "--help" or f"\n\\fB{flag}\\fR" in text, flag)
    for code in (0, 1, 64, 65, 66, 68, 69, 71, 73, 74, 78):
        contains(text, f".TP\n\\fB{code}\\fR\n")


@test("groff takes the manual without a word")
def manual_in_groff():
    """All its warnings on."""
    if not shutil.which("groff"):
        raise Skip("no groff")
    r = subprocess.run(["groff", "-man", "-ww", "-z"], timeout=30,
                       input=run("man").stdout, capture_output=True,
                       check=False)
    equal((r.returncode, r.stderr), (OK, b""))


# Completion


def complete(*words):
    """What bash would offer for the last word."""
    script = """source "$1"; shift; COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1)); _evald; printf '%s\\n' "${COMPREPLY[@]}" """
    r = subprocess.run(["bash", "--norc", "-c", script, "bash",
                        write("completion.bash",
                              run("completion", "bash").stdout), *words],
                       cwd=path(""), timeout=30, capture_output=True,
                       check=False)
    equal((r.returncode, r.stderr), (OK, b""))
    return r.stdout.decode().split()


def need(program):
    """Skips where it is not."""
    if not shutil.which(program):
        raise Skip(f"no {program}")


@each("bash: evald {0} is completed with {1}", [
    (["se"], ["serve"]), (["nothing", ""], []),
    (["serve", "--log-"], ["--log-format", "--log-level"]),
    (["serve", "--log-format", ""], ["text", "json"]),
    (["serve", "--log-format", "=", "j"], ["json"]),
    (["serve", "--log-format", "="], ["text", "json"]),
    (["serve", "--workers", ""], []), (["serve", ""], []),
    (["serve", "--workers", "2", "--gr"], ["--grace"]),
    (["serve", "--tls-cert", "my"], ["mycert.pem"]),
    (["serve", "--tls-cert", "=", "my"], ["mycert.pem"]),
    (["eval", "my"], ["mycert.pem"]), (["eval", "--js"], ["--json"]),
    (["sample", "my"], []), (["sample", "our"], ["ourdir"]),
    (["op", "activations/mi"], ["activations/mish"]),
    (["ops", "losses/fo"], ["losses/focal"]),
    (["op", "--example", "my"], ["mycert.pem"]),
    (["op", "--c"], ["--compact"]), (["config", "--sh"], ["--show-origin"]),
    (["config", "--grac"], ["--grace"]),
    (["completion", ""], ["bash", "zsh", "fish"]), (["version", ""], [])])
def bash(words, want):
    """The function called as bash would."""
    need("bash")
    write("mycert.pem", "x")
    os.makedirs(path("ourdir"), exist_ok=True)
    equal(complete("evald", *words), want)


@test("bash: every command, and every flag of each")
def bash_all():
    """As help lists them."""
    need("bash")
    equal(complete("evald", ""), commands())
    for command in commands():
        flags = re.findall(r"^  (--[a-z-]+)",
                           run(command, "--help").stdout.decode(), re.M)
        got = complete("evald", command, "--")
        check(set(flags) <= set(got), f"{command}: {got}")


@each("{0} takes its script", [("bash",), ("zsh",), ("fish",)])
def syntax(shell):
    """Where the shell is there."""
    script = run("completion", shell)
    equal(script.returncode, OK)
    for name in names():
        check(f"{name}" in script.stdout.decode(), name)
    need(shell)
    r = subprocess.run([shell, "-n", write("completion", script.stdout)],
                       timeout=30, capture_output=True, check=False)
    equal((r.returncode, r.stdout, r.stderr), (OK, b"", b""))


@each("completion {0} is 64", [([],), (["tcsh"],), (["bash", "zsh"],)])
def completion_usage(args):
    """A message."""
    r = run("completion", *args)
    equal((r.returncode, r.stdout), (USAGE, b""))
    contains(r.stderr.decode(), "evald completion:", "bash")


main()
