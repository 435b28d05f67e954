"""The store on PostgreSQL: its own tests, and a database that goes away."""
import json
import os
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
from cocodata import zoo
from harness import (EVALD, FILE_S, ROOT, SLOW, WAIT_S, Daemon, Skip, ask, check,
                     contains, each, equal, get, main, path, run, test,
                     together, wait_until, write)
from postgres import Postgres, program

sys.path.insert(0, os.path.join(ROOT, "clients", "python"))
from stream import Run

TESTS = os.path.join(os.path.dirname(EVALD), "tests")
ZOO = zoo()
_shared = []


def database():
    """The one that the tests of this file share, empty at first."""
    if not _shared:
        _shared.append(Postgres(tls=True))
    return _shared[0]


def fresh():
    """The same without any tables."""
    d = database()
    d.start()
    d.resume()
    d.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return d


@each("tests/{}.c on PostgreSQL",
      [("test_sql_postgresql",), ("test_store",), ("test_store_threads",),
       ("test_store_limits",), ("test_store_kill",)])
def as_everywhere(name):
    """What the store promises does not depend on where it is."""
    tests = os.path.join(TESTS, name)
    url = fresh().url
    if not os.access(tests, os.X_OK):
        raise Skip(f"{name} is not built")
    r = subprocess.run([tests], stdout=subprocess.PIPE, timeout=20 * SLOW,
                       stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                       env={**os.environ, "EVALD_TEST_STORE": url,
                            "CMOCKA_MESSAGE_OUTPUT": "TAP"}, check=False)
    out = r.stdout.decode(errors="replace")
    equal(r.returncode, 0, out[-3000:])
    check("ok 1 " in out, out)


@each("tests/http/{}.py on PostgreSQL", [("test_runs",), ("test_events",)])
def runs_as_everywhere(name):
    """Nor do what clients see, and the bits."""
    r = subprocess.run(
        [sys.executable, os.path.join(ROOT, "tests", "http", name + ".py")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=FILE_S,
        stdin=subprocess.DEVNULL, check=False,
        env={**os.environ, "EVALD": EVALD, "EVALD_TEST_STORE": fresh().url})
    equal(r.returncode, 0, r.stdout.decode(errors="replace")[-3000:])


def put_dataset(d):
    """Puts the zoo."""
    return ask(d, "PUT", "/v1/datasets/zoo", json.dumps(ZOO["ground_truth"]),
               {"Content-Type": "application/json"})


def is_ready(d):
    """Whether it says so."""
    return get(d, "/readyz").status == 200


def attempts(d):
    """How often it has tried to connect, in vain."""
    return d.log().count("cannot connect")


def within(seconds, condition, what):
    """Waits no longer than that."""
    began = time.monotonic()
    wait_until(condition, what)
    took = time.monotonic() - began
    check(took < seconds * SLOW, f"{what} took {took:.1f} s")


def read_one(d):
    """Reads the zoo, on one of the connections for it."""
    return get(d, "/v1/datasets/zoo")


@test("/readyz tells at once that the database has gone, or is back")
def gone_unasked():
    """Within a second when nobody asks for anything else."""
    db = fresh()
    with Daemon("--store", db.url) as d:
        equal(put_dataset(d).status, 201)
        for asks, seconds in ((False, 4), (True, 2)):
            check(is_ready(d), "not ready")
            db.kill()
            if asks:
                equal(read_one(d).status, 503)
            within(seconds, lambda: not is_ready(d), "/readyz to tell")
            time.sleep(1)  # attempts are rarer by now
            db.start()
            within(6, lambda: is_ready(d), "/readyz to be well again")
        equal(put_dataset(d).status, 200)


def gone_in_time(d, ask_one, seconds):
    """It is answered 503, and no later."""
    began = time.monotonic()
    reply = ask_one(d)
    took = time.monotonic() - began
    equal(reply.status, 503, reply.text())
    equal(reply.json()["type"], "/problems/store-gone")
    check(took < seconds * SLOW, f"answered after {took:.1f} s")


@test("a database that hangs holds nobody up, and service goes on after")
def hangs():
    """More clients than there are connections; then those that come later."""
    db = fresh()
    with Daemon("--store", db.url, "--workers", "2") as d:
        equal(put_dataset(d).status, 201)
        together([lambda: equal(read_one(d).status, 200)] * 4)
        for _ in range(2):
            db.pause()
            together([lambda a=a: gone_in_time(d, a, 6)
                      for a in [read_one, put_dataset] * 8])
            check(not is_ready(d), "ready without a database")
            for ask_one in (read_one, put_dataset):
                gone_in_time(d, ask_one, 2)
            equal(get(d, "/livez").status, 200)
            db.resume()
            within(10, lambda: is_ready(d), "/readyz to be well again")
            equal(put_dataset(d).status, 200)
            together([lambda: equal(read_one(d).status, 200)] * 8)
        db.pause()
        began = time.monotonic()
        equal(d.stop(), 0, d.log()[-1000:])
        took = time.monotonic() - began
        check(took < 8 * SLOW, f"ended after {took:.1f} s")
        db.resume()


@test("a statement that takes long is no database that hangs")
def takes_long():
    """A table that another session has locked, for longer than a pulse."""
    db = fresh()
    with Daemon("--store", db.url) as d:
        equal(put_dataset(d).status, 201)
        held = threading.Thread(target=lambda: db.sql(
            "BEGIN; LOCK TABLE datasets; SELECT pg_sleep(5); COMMIT"))
        held.start()
        wait_until(lambda: db.sql(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE query LIKE 'BEGIN%' AND wait_event = 'PgSleep'") == "1",
            "the lock")
        equal(read_one(d).status, 200)
        check(is_ready(d), "not ready")
        held.join()
        check("is away" not in d.log(), d.log())


@each("the database is {}, and the daemon goes on when it is back, by {}",
      [("killed", "TLS"), ("stopped", "a socket of this machine")])
def gone_and_back(how, way):
    """The daemon is confined, as always."""
    db = fresh()
    url = db.tls_url if way == "TLS" else db.socket_url
    with Daemon("--store", url) as d:
        contains(d.log(), "confined: ")
        equal(put_dataset(d).status, 201)
        equal(get(d, "/v1/datasets/zoo").status, 200)
        (db.kill if how == "killed" else db.stop)()
        for ask_one in (put_dataset, lambda d: get(d, "/v1/datasets/zoo")):
            reply = ask_one(d)
            equal(reply.status, 503, reply.text())
            equal(reply.json()["type"], "/problems/store-gone")
            check(reply.header("Retry-After"), "no Retry-After")
            check(db.password not in reply.text(), "the password is told")
        within(4, lambda: not is_ready(d), "/readyz to tell")
        equal(get(d, "/livez").status, 200)
        began = time.monotonic()
        wait_until(lambda: attempts(d) > 1, "a further attempt")
        time.sleep(1)
        check(attempts(d) <= 6 * (time.monotonic() - began), d.log())
        db.start()
        within(6, lambda: is_ready(d), "/readyz to be well again")
        equal(put_dataset(d).status, 200)
        equal(get(d, "/v1/datasets/zoo").status, 200)
        check(db.password not in d.log(), "the password is in the log")


@test("what was acknowledged is there after a crash in the middle of writes")
def crashed():
    """The sender repeats what was not, and knows nothing of it."""
    db = fresh()
    images = [{"id": i + 1} for i in range(2000)]
    with Daemon("--store", db.url) as d:
        r = Run(d.url, batch=1, patience=2 * WAIT_S)
        r.put_dataset("rows", {"images": images, "annotations": [],
                               "categories": [{"id": 1}]})
        r.open("rows", key="k")
        acknowledged, over = [], threading.Event()

        def write_on():
            for image in images:
                if over.is_set():
                    return
                r.put(image["id"], [])
                acknowledged.append(image["id"])
        thread = threading.Thread(target=write_on, daemon=True)
        thread.start()
        wait_until(lambda: len(acknowledged) > 30, "some writes")
        db.kill()
        before = len(acknowledged)
        time.sleep(0.2)
        db.start()
        there = set(db.sql("SELECT image FROM images").split())
        lost = [i for i in acknowledged[:before] if str(i) not in there]
        equal(lost, [], "acknowledged and lost")
        wait_until(lambda: len(acknowledged) > before + 30, "more writes")
        over.set()
        thread.join(WAIT_S)
        check(not thread.is_alive(), "the sender waits forever")
        check(r.client.retries > 0, "nothing was tried again")
        equal(r.state()["images"], len(acknowledged))
        equal(db.sql("SELECT max(seq) = count(*) FROM images"), "t")


@test("a database that cannot be reached at the start is told, not its secret")
def refused():
    """By whatever is wrong with the URL."""
    secret = "s3cr3t-of-mine"
    db = database()
    rows = [(f"postgresql://evald:{secret}@127.0.0.1:1/evald", "refused"),
            (f"postgresql://evald:{secret}@127.0.0.1:{db.port}/evald",
             "password authentication failed"),
            (f"postgresql://{secret}:{secret}@127.0.0.1:{db.port}/evald",
             'failed for user "***"'),
            (f"postgresql://evald:{secret}@[::1/evald", "cannot be understood"),
            (f"postgresql://evald:{secret}@no.such.host.invalid/evald",
             "no.such.host.invalid")]
    for url, why in rows:
        r = run("serve", "--listen", "127.0.0.1:0", "--store", url)
        out = (r.stdout + r.stderr).decode()
        check(r.returncode != 0, out)
        contains(out, why)
        check(secret not in out, out)


@test("the password may come from a file, which is not needed any more then")
def password_file():
    """Later connections are made when the file cannot be read."""
    db = fresh()
    file = write("pgpass", f"localhost:{db.port}:evald:evald:{db.password}\n")
    os.chmod(file, 0o600)
    url = f"postgresql://evald@localhost:{db.port}/evald"
    with Daemon("--store", url, env={**os.environ, "PGPASSFILE": file}) as d:
        os.unlink(path("pgpass"))
        equal(put_dataset(d).status, 201)
        db.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
               " WHERE application_name = 'evald'")
        wait_until(lambda: put_dataset(d).status == 200, "a write")
        wait_until(lambda: read_one(d).status == 200, "a read")


@test("PostgreSQL is here to be tested with")
def here():
    """Says what is missing, where it is."""
    for name in ("initdb", "postgres", "psql"):
        program(name)


@test("the database ends")
def ends():
    """It is removed, as well."""
    for d in _shared:
        d.remove()
        check(not os.path.exists(d.dir), "files are left")


main(2 * FILE_S)
