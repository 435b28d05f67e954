"""Operations over .npy: the bits of the JSON form, and every fault."""
import sys

sys.dont_write_bytecode = True
from harness import (ask, check, check_problem, contains, each, equal, get,
                     main, post, same_bits, server, test)
import json
import math
import random
import struct

NPY = "application/x-npy"
JSON = "application/json"
MISH = "/v1/activations/mish"
ELU = "/v1/activations/elu"
OPERATIONS = get(server(), "/v1/operations").json()["operations"]
SINGLE = [o for o in OPERATIONS
          if sum(i["required"] for i in o["inputs"]) == 1]
ACTIVATIONS = [(o["operation"],) for o in SINGLE]
CODES = {"f2": "e", "f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i",
         "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q", "b1": "?"}


def head(descr, shape, fortran=False):
    """What numpy.save writes before the data."""
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, " \
           f"'shape': {shape}, }}"
    if shape:
        text += " " * (21 - len(repr(shape[-1 if fortran else 0])))
    text += " " * (64 - (len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def npy(descr, shape, values, fortran=False):
    """An array as a file; its values in the order of the file."""
    order = ">" if descr[0] == ">" else "<"
    return head(descr, shape, fortran) + \
        struct.pack(f"{order}{len(values)}{CODES[descr[1:]]}", *values)


def load(data):
    """The descr, shape and values of a file that the daemon wrote."""
    n = 10 + struct.unpack("<H", data[8:10])[0]
    equal((data[:8], n % 64), (b"\x93NUMPY\x01\x00", 0))
    fields = eval(data[10:n], {"__builtins__": {}})  # from our own daemon
    descr, shape = fields["descr"], fields["shape"]
    equal(data[:n], head(descr, shape), "the head as numpy writes it")
    count = math.prod(shape)
    return descr, shape, struct.unpack(f"<{count}{CODES[descr[1:]]}", data[n:])


def send(target, body, accept=None, content_type=NPY):
    """POSTs a body."""
    headers = {"Content-Type": content_type}
    if accept:
        headers["Accept"] = accept
    return ask(server(), "POST", target, body, headers)


def good(reply, content_type):
    """The reply, which is no problem."""
    equal((reply.status, reply.header("Content-Type")), (200, content_type),
          reply.body[:400])
    return reply


def flat(value):
    """The numbers of a nested list."""
    if not isinstance(value, list):
        return [value]
    return [x for item in value for x in flat(item)]


def bits(values, code):
    """Numbers as their bytes."""
    return struct.pack(f"<{len(values)}{code}", *values)


def numbers(seed, n):
    """Floats of many magnitudes that float32 holds."""
    r = random.Random(seed)
    values = [0.0, -0.0, 1.0, -20.0, 88.0, 1e-40] + \
        [r.uniform(-6, 6) for _ in range(n - 6)]
    return list(struct.unpack(f"{n}f", struct.pack(f"{n}f", *values)))


def by_json(operation, shape, values, dtype, output):
    """The same by way of JSON."""
    return post(server(), {
        "inputs": {"x": {"shape": list(shape), "data": values}},
        "dtype": dtype, "outputs": [output]}, target="/v1/" + operation)


# The same numbers


@each("{0}: each dtype and output as by JSON", ACTIVATIONS)
def same_numbers(operation):
    """JSON or .npy, in or out: the same bits."""
    shape, values = (2, 3, 4), numbers(operation, 24)
    for descr, dtype, code in (("<f4", "float32", "f"), ("<f8", "float64",
                                                         "d")):
        body = npy(descr, shape, values)
        for output in ("value", "grad"):
            target = f"/v1/{operation}?outputs={output}"
            want = by_json(operation, shape, values, dtype, output)
            if want.status == 422:  # softmax has no gradient of x alone
                equal(send(target, body, NPY).json()["errors"],
                      want.json()["errors"])
                continue
            want = good(want, JSON).json()
            got = good(send(target, body), JSON).json()
            equal((got["dtype"], got["parameters"]),
                  (dtype, want["parameters"]))
            answer = want["outputs"][output]
            same_bits(flat(got["outputs"][output]), answer["data"])
            reply = good(send(target, body, NPY), NPY)
            equal(load(reply.body)[:2], (descr, tuple(answer["shape"])))
            equal(bits(load(reply.body)[2], code), bits(answer["data"], code))
            document = {"inputs": {"x": {"shape": shape, "data": values}},
                        "outputs": [output], "dtype": dtype}
            other = good(send("/v1/" + operation,
                              json.dumps(document).encode(), NPY, JSON), NPY)
            equal(other.body, reply.body)


@each("x of {0}", [(o + t,) for t in CODES for o in "<>"])
def types(descr):
    """Every type and order of bytes; the default dtype."""
    values = [1, 0, 1, 1, 0, 0] if descr[1:] == "b1" else [0, 1, 2, 3, 4, 100]
    answer = good(send("/v1/activations/relu", npy(descr, (2, 3), values)),
                  JSON).json()
    equal(answer["dtype"],
          "float32" if descr[1:] in ("f2", "f4") else "float64")
    same_bits(flat(answer["outputs"]["value"]), [float(v) for v in values])


@test("column-major arrays are turned")
def fortran():
    """Of three dimensions, beyond a tile."""
    a, b, c = 40, 3, 50
    values = [float(i + a * (j + b * k))
              for k in range(c) for j in range(b) for i in range(a)]
    rows = [float(i + a * (j + b * k))
            for i in range(a) for j in range(b) for k in range(c)]
    for descr in ("<f4", ">f8", "<i4"):
        body = npy(descr, (a, b, c),
                   values if descr[1] == "f" else [int(v) for v in values],
                   True)
        got = load(good(send("/v1/activations/relu", body, NPY), NPY).body)
        equal((got[1], list(got[2])), ((a, b, c), rows))


@each("shape {0}", [((),), ((1,),), ((0,),), ((2, 0, 3),), ((1,) * 8,)])
def shapes(shape):
    """From no dimension to eight, with elements and without."""
    values = [0.5] * math.prod(shape)
    body = npy("<f8", shape, values)
    reply = good(send("/v1/activations/relu", body, NPY), NPY)
    equal(reply.body, body)


@test("the whole numbers of NMS and assignment come as i8")
def integers():
    """JSON in, .npy out."""
    boxes = [[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]]
    document = {"inputs": {"boxes": boxes, "scores": [0.5, 0.9, 0.7]},
                "outputs": ["indices"]}
    reply = good(send("/v1/boxes/nms", json.dumps(document).encode(), NPY,
                      JSON), NPY)
    equal(load(reply.body), ("<i8", (2,), (1, 2)))
    document = {"inputs": {"anchors": boxes, "boxes": boxes[:1]}}
    reply = good(send("/v1/boxes/assign", json.dumps(document).encode(), NPY,
                      JSON), NPY)
    equal(load(reply.body)[:2], ("<f8", (3,)))


@test("a loss is an array without dimensions")
def scalar():
    """"value" if nobody said what."""
    document = {"inputs": {"input": [1, 2], "target": [0, 0]}}
    reply = good(send("/v1/losses/mse", json.dumps(document).encode(), NPY,
                      JSON), NPY)
    equal(load(reply.body), ("<f8", (), (2.5,)))


@test("what is not finite goes through as it is")
def non_finite():
    """NaN and the infinities, in and out; or a fault where one is asked for."""
    values = [math.nan, math.inf, -math.inf, 1.0]
    body = npy("<f4", (4,), values)
    target = "/v1/activations/leaky_relu"
    got = load(good(send(target, body, NPY), NPY).body)[2]
    check(math.isnan(got[0]), "no NaN")
    equal(got[1:], (math.inf, -math.inf, 1.0))
    answer = good(send(target + "?nonfinite=string", body), JSON).json()
    equal(answer["outputs"]["value"], ["NaN", "Infinity", "-Infinity", 1.0])
    check_problem(server(), send(target + "?nonfinite=error", body, NPY), 422,
                  "non-finite-number", target)


@test("a million numbers")
def large():
    """Work for the pool."""
    values = [(i % 2001 - 1000) / 128 for i in range(1000000)]
    body = npy("<f4", (1000, 1000), values)
    reply = good(send("/v1/activations/relu", body, NPY), NPY)
    equal(reply.body, npy("<f4", (1000, 1000), [max(v, 0.0) for v in values]))


# The query

X = npy("<f8", (3,), [-1.0, 0.0, 2.0])


@each("?{0} is the JSON form's {1}", [
    ("alpha=0.5", {"alpha": 0.5}), ("alpha=5e-1", {"alpha": 0.5}),
    ("alpha=2", {"alpha": 2}), ("%61lpha=%32", {"alpha": 2}),
    ("&&alpha=2&", {"alpha": 2}), ("alpha=2&pretty", {"alpha": 2}),
    ("channel_axis=0", {"channel_axis": 0}),
    ("channel_axis=null&alpha=3", {"channel_axis": None, "alpha": 3})])
def parameters(query, want):
    """The same answer."""
    document = {"inputs": {"x": [-1, 0, 2]}, "parameters": want}
    equal(good(send(ELU + "?" + query, X), JSON).json(),
          good(post(server(), document, target=ELU), JSON).json())


@each("?{0} is refused as in JSON", [
    ("alpha=abc", {"parameters": {"alpha": "abc"}}),
    ("alpha", {"parameters": {"alpha": ""}}),
    ("alpha=.5", {"parameters": {"alpha": ".5"}}),
    ("alpha=01", {"parameters": {"alpha": "01"}}),
    ("alpha=1.", {"parameters": {"alpha": "1."}}),
    ("alpha=1e", {"parameters": {"alpha": "1e"}}),
    ("alpha=+1", {"parameters": {"alpha": " 1"}}),
    ("alpha=-", {"parameters": {"alpha": "-"}}),
    ("alpha=1%2C2", {"parameters": {"alpha": "1,2"}}),
    ("alpha=%22%7D", {"parameters": {"alpha": "\"}"}}),
    ("alpha=true", {"parameters": {"alpha": True}}),
    ("alpha=null", {"parameters": {"alpha": None}}),
    ("alpha=NaN", {"parameters": {"alpha": "NaN"}}),
    ("alpha=-1e300", {"parameters": {"alpha": -1e300}}),
    ("channel_axis=0.5", {"parameters": {"channel_axis": 0.5}}),
    ("channel_axis=7", {"parameters": {"channel_axis": 7}}),
    ("dtype=float16", {"dtype": "float16"}),
    ("dtype=", {"dtype": ""}),
    ("nonfinite=nul", {"nonfinite": "nul"}),
    ("outputs=valu", {"outputs": ["valu"]}),
    ("outputs=value,,grad", {"outputs": ["value", "", "grad"]}),
    ("outputs=", {"outputs": [""]}),
    ("outputs=grd&alpha=x&dtype=d",
     {"outputs": ["grd"], "parameters": {"alpha": "x"}, "dtype": "d"})])
def same_faults(query, members):
    """Status, pointers and words."""
    want = post(server(), {"inputs": {"x": [-1, 0, 2]}, **members}, target=ELU)
    got = send(ELU + "?" + query, X)
    equal((got.status, got.json()["errors"]),
          (want.status, want.json()["errors"]))
    equal(got.status, 422)


@each("?{0} is refused", [
    ("aplha=1", "unknown-member", 'did you mean "alpha"?'),
    ("outpts=grad", "unknown-member", 'did you mean "outputs"?'),
    ("x=1", "unknown-member", "known are outputs, dtype, nonfinite, pretty, "
     "alpha, channel_axis"),
    ("alpha=1&alpha=1", "invalid-value", "alpha is twice in the query"),
    ("outputs=grad&outputs=value", "invalid-value", "outputs is twice"),
    ("alpha=%zz", "invalid-value", 'the query has "%zz"'),
    ("alpha=1e400", "number-out-of-range", "does not fit in a double"),
    ("channel_axis=9223372036854775808", "number-out-of-range",
     "does not fit in a 64-bit integer")])
def query_faults(query, name, words):
    """What JSON has no like for."""
    p = check_problem(server(), send(ELU + "?" + query, X), 422, name, ELU)
    contains(p["detail"], words)


@test("choices and truth values come from the query")
def choices():
    """gelu's choice, rrelu's flag."""
    gelu, rrelu = "/v1/activations/gelu", "/v1/activations/rrelu"
    for query, want in (("approximate=tanh", {"approximate": "tanh"}),
                        ("approximate=none", {"approximate": "none"})):
        equal(good(send(f"{gelu}?{query}", X), JSON).json(),
              good(post(server(), {"inputs": {"x": [-1, 0, 2]},
                                   "parameters": want}, target=gelu),
                   JSON).json())
    for word in ("null", "true", "0", "tnah"):
        got = send(f"{gelu}?approximate={word}", X)
        equal(got.json()["errors"][0],
              post(server(), {"inputs": {"x": [1]}, "parameters":
                              {"approximate": word}}, target=gelu)
              .json()["errors"][0])
    answer = good(send(rrelu + "?training=true&seed=7", X), JSON).json()
    equal((answer["parameters"]["training"], answer["parameters"]["seed"]),
          (True, 7))


@test("no parameter is called as what else the query has")
def keys():
    """So that each key means one thing."""
    for o in OPERATIONS:
        names = {p["name"] for p in o["parameters"]}
        equal(names & {"outputs", "dtype", "nonfinite", "pretty"}, set())


# Faults

GOOD = npy("<f4", (3,), [1.0, 2.0, 3.0])


@each("a body that is {0}", [
    ("empty", b"", "the body does not begin as a .npy file does"),
    ("JSON", b'{"inputs":{"x":[1]}}', "does not begin"),
    ("a zip", b"PK\x03\x04" + bytes(60), "does not begin"),
    ("cut in its header", GOOD[:100], "the body ends within its header"),
    ("cut in its data", GOOD[:-1],
     "the body has 11 bytes of data, must have 12: 3 of f4"),
    ("too long", GOOD + b"\0", "has 13 bytes of data, must have 12"),
    ("complex", head("<c8", (1,)) + bytes(8), "has the descr '<c8'; read are "
     "f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8, b1"),
    ("text", head("<U1", (1,)) + bytes(4), "has the descr '<U1'"),
    ("pickled", head("|O", (1,)) + bytes(4), "has the descr '|O'"),
    ("of nine dimensions", npy("<f4", (1,) * 9, [1.0]),
     "has more than 8 dimensions"),
    ("countless", head("<f4", (2 ** 62, 2 ** 62)), "than can be counted"),
    ("of version 4", GOOD.replace(b"Y\x01", b"Y\x04", 1),
     "is of .npy version 4.0")])
def malformed(_what, body, words):
    """400, and why."""
    p = check_problem(server(), send(MISH, body), 400, "malformed-npy", MISH)
    contains(p["detail"], words)


@each("x that has {0}", [
    ("2^53 + 1", npy("<i8", (2, 2), [0, 0, 2 ** 53 + 1, 0]),
     "inputs.x has 9007199254740993 at [1][0], must have integers"),
    ("2^64 - 1", npy("<u8", (1,), [2 ** 64 - 1]),
     "inputs.x has 18446744073709551615 at [0], must have integers")])
def not_exact(_what, body, words):
    """422: float64 would round it."""
    p = check_problem(server(), send(MISH, body), 422, "invalid-value", MISH)
    contains(p["detail"], words)
    equal(p["errors"][0]["pointer"], "/inputs/x")


@test("the operation's own faults are the same")
def own_faults():
    """maxout's pieces must divide the last dimension."""
    target = "/v1/activations/maxout"
    want = post(server(), {"inputs": {"x": [1, 2, 3]}}, target=target)
    got = send(target, GOOD)
    equal((got.status, got.json()["errors"]),
          (want.status, want.json()["errors"]))
    equal(got.status, 422)


@each("{0} needs more than one input", [
    (o["operation"],) for o in OPERATIONS if o not in SINGLE])
def many_inputs(operation):
    """415, and what it needs."""
    target = "/v1/" + operation
    reply = send(target, GOOD)
    p = check_problem(server(), reply, 415, "unsupported-media-type", target)
    names = ", ".join(i["name"]
                      for o in OPERATIONS if o["operation"] == operation
                      for i in o["inputs"] if i["required"])
    contains(p["detail"], f"{operation} needs {names}, and a .npy file holds "
             "one array; send application/json")
    equal(reply.header("Accept-Post"), JSON)


@each("?{0} has no .npy form", [
    ("outputs=stats", "stats has no .npy form"),
    ("outputs=value,stats", "stats has no .npy form"),
    ("outputs=value,grad", "and value, grad are wanted")])
def no_form(query, words):
    """406, and why."""
    p = check_problem(server(), send(f"{MISH}?{query}", GOOD, NPY), 406,
                      "not-acceptable", MISH)
    contains(p["detail"], words)


@test("several outputs, or none, have no .npy form")
def not_one():
    """By JSON: NMS answers two that belong together."""
    nms = "/v1/boxes/nms"
    document = {"inputs": {"boxes": [[0, 0, 1, 1]], "scores": [1]}}
    p = check_problem(server(), send(nms, json.dumps(document).encode(), NPY,
                                     JSON), 406, "not-acceptable", nms)
    contains(p["detail"], "indices, scores are wanted; name one in outputs")
    document = {"inputs": {"x": [1]}, "outputs": []}
    p = check_problem(server(), send(MISH, json.dumps(document).encode(), NPY,
                                     JSON), 406, "not-acceptable", MISH)
    contains(p["detail"], "and none is wanted")


@each("Accept {0!r} is answered with {1}", [
    (NPY, NPY), (None, JSON), ("*/*", JSON), (f"{JSON}, {NPY}", JSON),
    (f"{JSON};q=0.5, {NPY}", NPY), ("application/*", JSON)])
def accept(value, want):
    """JSON where both are welcome."""
    good(send(MISH, GOOD, value), want)


@each("{0} reads no .npy", [("/v1/batch",), ("/v1/detection/evaluate",)])
def elsewhere(target):
    """415."""
    check_problem(server(), send(target, GOOD), 415, "unsupported-media-type",
                  target)


@each("a JSON body beside ?{0} is {1}", [
    ("pretty", 200), ("pretty=1", 200), ("", 200), ("dtype=float32", 422),
    ("pretty&alpha=1", 422), ("%zz", 422)])
def query_beside_json(query, status):
    """What the query says counts, or is refused: never unheard."""
    reply = ask(server(), "POST", "/v1/activations/elu?" + query,
                b'{"inputs":{"x":[1]}}', {"Content-Type": JSON})
    equal(reply.status, status, reply.text()[:300])


@test("OpenAPI names the types of body and answer")
def described():
    """.npy in for one input, out for all; the query's keys."""
    paths = get(server(), "/openapi.json").json()["paths"]
    for o in OPERATIONS:
        path = paths["/v1/" + o["operation"]]
        equal(NPY in path["post"]["requestBody"]["content"], o in SINGLE)
        check(NPY in path["post"]["responses"]["200"]["content"], "not out")
        names = [p["name"] for p in path["parameters"] if "name" in p]
        equal(names, ["outputs", "dtype", "nonfinite"] +
              [p["name"] for p in o["parameters"]] if o in SINGLE else [])


main()
