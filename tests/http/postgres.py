"""A PostgreSQL of its own for tests: started here, killed, removed here."""
import glob
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

from harness import SLOW, TMP, WAIT_S, Failure, Skip, check, wait_until, \
    _running

PLACES = ["/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin",
          "/usr/local/pgsql/bin", "/usr/local/opt/postgresql*/bin"]
USERS = ["postgres", "nobody"]
# What is tested is durability, so fsync stays on.
SETTINGS = {"listen_addresses": "127.0.0.1", "shared_buffers": "8MB",
            "max_connections": "60", "fsync": "on",
            "synchronous_commit": "on", "logging_collector": "off",
            "log_min_messages": "warning", "max_wal_size": "64MB",
            "min_wal_size": "32MB", "wal_level": "minimal",
            "max_wal_senders": "0", "jit": "off", "autovacuum": "off"}


# Whoever is told to end leaves nothing running: harness.clean is called then.
signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(1))


def program(name):
    """The path of one of PostgreSQL's programs, of the latest version."""
    def version(path):
        return [int(n) for n in re.findall(r"\d+", path)]
    found = sorted((p for place in PLACES
                    for p in glob.glob(os.path.join(place, name))),
                   key=version)
    path = found[-1] if found else shutil.which(name)
    if not path:
        raise Skip(f"no {name} of PostgreSQL here")
    return os.path.realpath(path)


def account():
    """(uid, gid) to run it as, since it refuses root; None: as we are."""
    if os.geteuid() != 0:
        return None
    for name in USERS:
        try:
            found = pwd.getpwnam(name)
            return found.pw_uid, found.pw_gid
        except KeyError:
            pass
    raise Skip("no user to run PostgreSQL as")


def free_port():
    """A port of the loopback address that nobody has now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Postgres:
    """
    A server with the database "evald" of the user "evald", who has a
    password; its clients come by TCP (url), by TLS (tls_url) if it was asked
    for, or by a socket (socket_url).
    """

    def __init__(self, tls=False, **settings):
        self.initdb, self.server = program("initdb"), program("postgres")
        self.account = account()
        self.password = secrets.token_hex(8)
        self.settings = {**SETTINGS, **settings}
        self.process = self.certificate = None
        self.paused = []
        self.dir = tempfile.mkdtemp(prefix="pg-", dir=TMP)
        self.data = os.path.join(self.dir, "data")
        self.log_file = os.path.join(self.dir, "log")
        os.chmod(TMP, 0o711)
        os.chmod(self.dir, 0o755)  # for the socket; the data is nobody's
        if self.account:
            os.chown(self.dir, *self.account)
        try:
            self.initialize()
            if tls:
                self.certify()
            self.port = free_port()
            self.start()
            self.sql("CREATE DATABASE evald", "postgres")
        except BaseException:
            self.remove()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_unused):
        self.remove()

    @property
    def url(self):
        """By TCP, with the password."""
        return (f"postgresql://evald:{self.password}@127.0.0.1:{self.port}"
                "/evald")

    @property
    def socket_url(self):
        """By its socket."""
        return (f"postgresql://evald:{self.password}@/evald?host={self.dir}"
                f"&port={self.port}")

    @property
    def tls_url(self):
        """By TLS, with a certificate that has to be right."""
        return (self.url.replace("127.0.0.1", "localhost") +
                f"?sslmode=verify-full&sslrootcert={self.certificate}")

    def demoted(self):
        """What Popen needs to run a program as that user, in its place."""
        more = {"cwd": self.dir, "stdin": subprocess.DEVNULL,
                "env": {"PATH": os.environ.get("PATH", "/usr/bin:/bin"),
                        "LC_ALL": "C", "TZ": "UTC", "HOME": self.dir}}
        if self.account:
            more.update(user=self.account[0], group=self.account[1],
                        extra_groups=[])
        return more

    def initialize(self):
        """Makes the files."""
        secret = os.path.join(self.dir, "secret")
        with open(secret, "w", encoding="ascii") as f:
            f.write(self.password)
        os.chmod(secret, 0o600)
        if self.account:
            os.chown(secret, *self.account)
        r = subprocess.run(
            [self.initdb, "-D", self.data, "-U", "evald", "-E", "UTF8",
             "--locale=C", "--auth=scram-sha-256", "--pwfile", secret,
             "--no-sync"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=6 * WAIT_S, check=False, **self.demoted())
        check(r.returncode == 0, r.stdout.decode(errors="replace"))

    def certify(self):
        """Makes a certificate for "localhost", which it shows to clients."""
        if not shutil.which("openssl"):
            raise Skip("no openssl here")
        key = os.path.join(self.data, "key.pem")
        self.certificate = os.path.join(self.dir, "certificate.pem")
        r = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
             "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", key, "-out", self.certificate],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=2 * WAIT_S, check=False, **self.demoted())
        check(r.returncode == 0, r.stdout.decode(errors="replace"))
        self.settings.update(ssl="on", ssl_key_file=key,
                             ssl_cert_file=self.certificate)

    def start(self):
        """Starts it unless it runs, at the same port each time, and waits."""
        if self.process and self.process.poll() is None:
            return
        options = [w for name, value in self.settings.items()
                   for w in ("-c", f"{name}={value}")]
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [self.server, "-D", self.data, "-p", str(self.port),
                 "-k", self.dir, *options], stdout=log, stderr=log,
                start_new_session=True, **self.demoted())
        _running.append(self.process)
        wait_until(self.accepts, "PostgreSQL to accept")

    def accepts(self):
        """Whether it answers a query."""
        check(self.process.poll() is None, "PostgreSQL ended: " + self.log())
        try:
            self.sql("SELECT 1", "postgres")
            return True
        except Failure:
            return False

    def log(self):
        """What it has written so far."""
        try:
            with open(self.log_file, encoding="utf-8", errors="replace") as f:
                return f.read()[-3000:]
        except OSError:
            return ""

    def sql(self, text, database="evald"):
        """What psql prints of the statement: columns with |, rows as lines."""
        r = subprocess.run(
            [program("psql"), "-XqtA", "-v", "ON_ERROR_STOP=1", "-h",
             self.dir, "-p", str(self.port), "-U", "evald", "-d", database,
             "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL, timeout=2 * WAIT_S, check=False,
            env={**os.environ, "PGPASSWORD": self.password,
                 "PGCONNECT_TIMEOUT": "5"})
        check(r.returncode == 0, r.stderr.decode(errors="replace"))
        return r.stdout.decode().strip()

    def stop(self):
        """Ends it in an orderly way; its clients are cut off."""
        self.end(signal.SIGINT)

    def kill(self):
        """
        Ends it as a crash of the machine's would, but for what the kernel
        holds: its children end by themselves when it is gone.
        """
        children = self.children()
        self.end(signal.SIGKILL)
        wait_until(lambda: not any(map(is_there, children)),
                   "PostgreSQL's children to end")

    def pause(self):
        """
        Has it hang: the kernel accepts connections and what is sent to it,
        and nothing answers.
        """
        self.process.send_signal(signal.SIGSTOP)
        self.paused = [self.process.pid, *self.children()]
        for pid in self.paused[1:]:
            os.kill(pid, signal.SIGSTOP)

    def resume(self):
        """It goes on where it was."""
        for pid in self.paused:
            os.kill(pid, signal.SIGCONT)
        self.paused = []

    def children(self):
        """The processes it has started."""
        pid = self.process.pid
        try:
            with open(f"/proc/{pid}/task/{pid}/children",
                      encoding="ascii") as f:
                return [int(child) for child in f.read().split()]
        except OSError:
            return []

    def end(self, number):
        """Sends the signal, if it runs, and waits for its end."""
        if self.process is None or self.process.poll() is not None:
            return
        self.resume()
        self.process.send_signal(number)
        try:
            self.process.wait(2 * WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5 * SLOW)

    def remove(self):
        """Ends it, and nothing of it is left."""
        self.end(signal.SIGINT)
        shutil.rmtree(self.dir, ignore_errors=True)


def is_there(pid):
    """Whether such a process runs, and is no mere entry of a dead one."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
