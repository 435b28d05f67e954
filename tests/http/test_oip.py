"""The second door: /v2, compared with /v1 and with bytes packed by hand."""
import sys

sys.dont_write_bytecode = True
from harness import (Reply, ask, check, connection, contains, each, equal, get,
                     main, post, server, test)
import json
import math
import random
import struct

JSON = "application/json"
BYTES = "application/octet-stream"
LENGTH = "Inference-Header-Content-Length"
OPERATIONS = get(server(), "/v1/operations").json()["operations"]
NAMES = [(op["operation"],) for op in OPERATIONS]
FORMATS = {"FP16": "e", "FP32": "f", "FP64": "d", "INT32": "i", "INT64": "q",
           "BOOL": "?"}
MISH = "/v2/models/activations.mish/infer"
WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def row(name):
    """The operation of this name."""
    return next(op for op in OPERATIONS if op["operation"] == name)


def flat(value):
    """The elements of a nested array, and its shape."""
    if not isinstance(value, list):
        return [WORDS.get(value, value) if isinstance(value, str) else value,
                ], []
    parts = [flat(v) for v in value]
    return ([x for data, _ in parts for x in data],
            [len(value)] + (parts[0][1] if parts else []))


def datatype(port, real):
    """What to send to a port."""
    return {"float": real, "integer": "INT64", "boolean": "BOOL"}[
        port["dtype"]]


def pack(kind, data):
    """Elements as bytes, little-endian."""
    code = FORMATS[kind]
    data = [bool(x) for x in data] if kind == "BOOL" else data
    return struct.pack(f"<{len(data)}{code}", *data)


def unpack(kind, data):
    """And back."""
    size = struct.calcsize("<" + FORMATS[kind])
    return list(struct.unpack(f"<{len(data) // size}{FORMATS[kind]}", data))


def tensors(op, example, real):
    """The example's inputs as (name, shape, datatype, elements)."""
    out = []
    for port in op["inputs"]:
        value = example["inputs"].get(port["name"])
        if value is None:
            continue
        data, shape = flat(value)
        if isinstance(value, dict):
            data, shape = value["data"], value["shape"]
        kind = datatype(port, real)
        if kind in ("FP32", "FP64"):
            data = [float(x) for x in data]
        out.append((port["name"], shape, kind, data))
    return out


def request(inputs, binary_in=True, **more):
    """A body and its headers."""
    listed, tail = [], b""
    for name, shape, kind, data in inputs:
        one = {"name": name, "shape": shape, "datatype": kind}
        if binary_in:
            packed = pack(kind, data)
            one["parameters"] = {"binary_data_size": len(packed)}
            tail += packed
        else:
            one["data"] = data
        listed.append(one)
    head = json.dumps({**more, "inputs": listed}).encode()
    return head + tail, {LENGTH: str(len(head))} if binary_in else {}


def split(reply):
    """The JSON, and name -> (datatype, shape, elements), bytes or not."""
    length = reply.header(LENGTH)
    if length is None:
        equal(reply.header("Content-Type"), JSON)
        answer, tail = reply.json(), b""
    else:
        equal(reply.header("Content-Type"), BYTES)
        answer = json.loads(reply.body[:int(length)])
        tail = reply.body[int(length):]
    out = {}
    for one in answer["outputs"]:
        size = one.get("parameters", {}).get("binary_data_size")
        if size is None:
            data = one["data"]
        else:
            check("data" not in one, "data beside binary_data_size")
            data = unpack(one["datatype"], tail[:size])
            equal(len(tail[:size]), size, "bytes of " + one["name"])
            tail = tail[size:]
        equal(len(data), math.prod(one["shape"]), "count")
        out[one["name"]] = one["datatype"], one["shape"], data
    equal(tail, b"", "bytes that are nobody's")
    return answer, out


def infer(model, body, headers):
    """POST: Reply; Content-Type only where the headers name one."""
    c = connection(server())
    try:
        c.putrequest("POST", f"/v2/models/{model}/infer")
        c.putheader("Content-Length", str(len(body)))
        for name, value in headers.items():
            c.putheader(name, value)
        c.endheaders(body)
        return Reply(c.getresponse())
    finally:
        c.close()


def bits(kind, data):
    """Elements as bytes, so that -0.0 is not 0.0; null is as NaN."""
    return pack(kind, [math.nan if x is None else x for x in data])


# What there is


@each("GET of the model of {0} says its tensors", NAMES)
def metadata(name):
    """As /v1/operations has them; HEAD, with a version and ready too."""
    op, model = row(name), name.replace("/", ".")
    d = get(server(), "/v2/models/" + model).json()
    equal(list(d), ["name", "versions", "platform", "inputs", "outputs",
                    "properties"])
    equal((d["name"], d["versions"], d["platform"]), (model, ["1"], "evald"))
    equal(d["properties"]["description"], "/v1/operations/" + name)
    equal([i for i in d["properties"]["optional_inputs"].split(",") if i],
          [p["name"] for p in op["inputs"] if not p["required"]])
    for got, ports in ((d["inputs"], op["inputs"]),
                       (d["outputs"], [p for p in op["outputs"]
                                       if p["name"] != "stats"])):
        equal([(g["name"], g["datatype"]) for g in got],
              [(p["name"], datatype(p, "FP32")) for p in ports])
    for alias in [op["name"], *op["aliases"]]:
        path = f"/v2/models/{op['group']}.{alias}"
        equal(get(server(), path + "/versions/1").json(), d)
        equal(get(server(), path + "/ready").json(),
              {"name": model, "ready": True})
    equal(ask(server(), "HEAD", "/v2/models/" + model).status, 200)


# What is computed


def compare(name, real, dtype):
    """The example four ways: JSON and bytes in, JSON and bytes out."""
    op, model = row(name), name.replace("/", ".")
    example = json.loads(json.dumps(op["example"]))
    wanted = [o for o in example.pop("outputs", []) if o != "stats"]
    if wanted:
        example["outputs"] = wanted
    plain = post(server(), {**example, "dtype": dtype, "nonfinite": "string"},
                 target="/v1/" + name)
    equal(plain.status, 200, plain.text())
    inputs = tensors(op, example, real)
    more = {"outputs": [{"name": o} for o in wanted]} if wanted else {}
    for ways in range(4):
        params = {**example.get("parameters", {}),
                  "binary_data_output": ways >= 2}
        reply = infer(model, *request(inputs, ways % 2 == 1, id="i",
                                      parameters=params, **more))
        equal(reply.status, 200, reply.body.decode("utf-8", "replace"))
        equal(reply.header(LENGTH) is not None, ways >= 2)
        answer, got = split(reply)
        equal((answer["model_name"], answer["model_version"], answer["id"]),
              (model, "1", "i"))
        want = plain.json()["outputs"]
        equal(list(got), list(want))
        for key, value in want.items():
            data, shape = flat(value["data"] if isinstance(value, dict)
                               else value)
            kind = "INT64" if got[key][0] == "INT64" else real
            equal(got[key][0], kind)
            equal(got[key][1], value["shape"] if isinstance(value, dict)
                  else shape)
            equal(bits(kind, got[key][2]), bits(kind, data), key)


@each("{0}: FP32 gives the bits of /v1 with dtype float32", NAMES)
def as_float32(name):
    """The row's example."""
    compare(name, "FP32", "float32")


@each("{0}: FP64 gives the bits of /v1 with dtype float64", NAMES)
def as_float64(name):
    """The row's example."""
    compare(name, "FP64", "float64")


@each("{0} values of mish as {1} give the bits of /v1", [
    (n, kind) for n in (1, 7, 1000, 60000) for kind in ("FP32", "FP64")])
def many(n, kind):
    """From bodies that are answered inline up to those of the heavy lane."""
    rng = random.Random(n)
    x = [rng.choice((1, 1e-3, 1e3)) * rng.uniform(-9, 9) for _ in range(n)]
    x = unpack(kind, pack(kind, x))
    dtype = {"FP32": "float32", "FP64": "float64"}[kind]
    want = post(server(), {"inputs": {"x": x}, "dtype": dtype,
                           "outputs": ["value", "grad"]},
                target="/v1/activations/mish").json()["outputs"]
    body, headers = request([("x", [n], kind, x)],
                            outputs=[{"name": "value"}, {"name": "grad"}],
                            parameters={"binary_data_output": True})
    _, got = split(infer("activations.mish", body, headers))
    for name in ("value", "grad"):
        equal(got[name][:2], (kind, [n]))
        equal(bits(kind, got[name][2]), bits(kind, want[name]), name)


@each("{0} of a number port is computed as {1}", [
    ("FP16", "FP32"), ("FP32", "FP32"), ("FP64", "FP64"), ("INT32", "FP64"),
    ("INT64", "FP64")])
def datatypes(kind, result):
    """The values are the same ones."""
    x = [0, 1, -2, 3]
    body, headers = request([("x", [2, 2], kind, x)])
    _, got = split(infer("activations.relu", body, headers))
    equal(got["value"], (result, [2, 2], [0.0, 1.0, 0.0, 3.0]))


@each("FP32 beside {0} is computed as {1}", [
    ("FP16", "FP32"), ("FP32", "FP32"), ("FP64", "FP64"), ("INT64", "FP64")])
def mixed(kind, result):
    """0.1 as FP32 is 0.100000001490116…, also where doubles compute."""
    body, headers = request([("input", [1], "FP32", [0.1]),
                             ("target", [1], kind, [0])])
    _, got = split(infer("losses.l1", body, headers))
    tenth = unpack("FP32", pack("FP32", [0.1]))[0]
    equal(got["value"][:2], (result, []))
    equal(bits(result, got["value"][2]), bits(result, [tenth]))
    plain, headers = request([("input", [1], "FP32", [0.1]),
                              ("target", [1], "FP32" if kind == "FP16"
                               else kind, [0])], False)
    _, again = split(infer("losses.l1", plain, headers))
    equal(bits(result, again["value"][2]), bits(result, [tenth]))


@test("all halves but NaN come back as the numbers they are")
def halves():
    """Computed by struct's own reading of them."""
    raw = b"".join(struct.pack("<H", h) for h in range(0x7c01))
    head = json.dumps({"inputs": [{
        "name": "x", "shape": [0x7c01], "datatype": "FP16",
        "parameters": {"binary_data_size": len(raw)}}],
        "parameters": {"binary_data_output": True}}).encode()
    _, got = split(infer("activations.relu", head + raw,
                         {LENGTH: str(len(head))}))
    equal(got["value"][0], "FP32")
    equal(bits("FP32", got["value"][2]), bits("FP32", unpack("FP16", raw)))


@test("what is not finite is null in JSON and itself in bytes")
def nonfinite():
    """nonfinite_count says how many."""
    x = [math.inf, 1.0, math.nan]
    body, headers = request([("x", [3], "FP32", x)])
    answer, got = split(infer("activations.relu", body, headers))
    equal(got["value"][2], [None, 1.0, None])
    equal(answer["outputs"][0]["parameters"], {"nonfinite_count": 2})
    body, headers = request([("x", [3], "FP32", x)],
                            parameters={"binary_data_output": True})
    _, got = split(infer("activations.relu", body, headers))
    equal(bits("FP32", got["value"][2][:2]), bits("FP32", x[:2]))
    check(math.isnan(got["value"][2][2]), "no NaN")


# As the best known client asks: tritonclient's requests, by hand


def as_client(model, infer_request, tail=b"", version=""):
    """No Content-Type, a space after ':' and ',' or none, as it may be."""
    head = json.dumps(infer_request, separators=(",", ":")).encode()
    headers = {LENGTH: str(len(head))} if tail else {}
    path = model + (f"/versions/{version}" if version else "")
    return infer(path, head + tail, headers)


@test("a client's default request: bytes both ways, no outputs named")
def client_binary():
    """InferInput.set_data_from_numpy, then infer(model, inputs)."""
    tail = struct.pack("<4f", -1, 0, 1, 2)
    reply = as_client("activations.relu", {
        "inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP32",
                    "parameters": {"binary_data_size": 16}}],
        "parameters": {"binary_data_output": True}}, tail)
    _, got = split(reply)
    equal(got, {"value": ("FP32", [2, 2], [0.0, 0.0, 1.0, 2.0])})


@test("a client's request with everything that it may add")
def client_all():
    """request_id, outputs, sequence, priority, timeout, custom parameters."""
    tail = struct.pack("<2f", -1, 2)
    reply = as_client("activations.leaky_relu", {
        "id": "42", "parameters": {
            "sequence_id": 5, "sequence_start": True, "sequence_end": False,
            "priority": 2, "timeout": 1000000, "negative_slope": 0.5},
        "inputs": [{"name": "x", "shape": [2], "datatype": "FP32",
                    "parameters": {"binary_data_size": 8}}],
        "outputs": [{"name": "value", "parameters": {"binary_data": True}},
                    {"name": "grad", "parameters": {"binary_data": False}}]},
        tail, "1")
    answer, got = split(reply)
    equal(answer["id"], "42")
    equal(got, {"value": ("FP32", [2], [-0.5, 2.0]),
                "grad": ("FP32", [2], [0.5, 1.0])})


@test("a client's request in JSON that asks for bytes")
def client_json():
    """set_data_from_numpy(…, binary_data=False): there is no header."""
    reply = as_client("activations.relu", {
        "inputs": [{"name": "x", "shape": [2], "datatype": "FP32",
                    "data": [-1.0, 2.0]}],
        "parameters": {"binary_data_output": True}})
    _, got = split(reply)
    equal(got["value"], ("FP32", [2], [0.0, 2.0]))


@test("a raw body is the one input of a model")
def raw():
    """The header is 0."""
    _, got = split(infer("activations.relu", struct.pack("<2f", -1, 2),
                         {LENGTH: "0", "Content-Type": BYTES}))
    equal(got, {"value": ("FP32", [2], [0.0, 2.0])})


# What is wrong


ONE = json.dumps({"inputs": [{"name": "x", "shape": [1], "datatype": "FP32",
                              "data": [1]}]}).encode()


def check_error(reply, status):
    """{"error": …} and nothing else."""
    equal((reply.status, reply.header("Content-Type")), (status, JSON),
          reply.body[:300])
    equal(list(reply.json()), ["error"])
    check(reply.json()["error"] and reply.header("X-Request-Id"), "empty")
    equal(reply.header(LENGTH), None)


@each("{0} {1} is {4} in the form of the protocol", [
    ("POST", MISH, b"{", {}, 400), ("POST", MISH, b"", {}, 400),
    ("POST", MISH, b"{}", {"Content-Type": JSON}, 400),
    ("POST", MISH, ONE, {LENGTH: "x"}, 400),
    ("POST", MISH, ONE, {LENGTH: "9999"}, 400),
    ("GET", "/v2/nowhere", None, {}, 404),
    ("GET", "/v2/models/activations.misch", None, {}, 404),
    ("POST", "/v2/models/activations.misch/infer", ONE, {}, 404),
    ("POST", MISH.replace("/infer", "/versions/2/infer"), ONE, {}, 404),
    ("GET", MISH, None, {}, 405), ("DELETE", "/v2", None, {}, 405),
    ("POST", "/v2/health/live", b"", {}, 405),
    ("GET", "/v2", None, {"Accept": "text/html"}, 406),
    ("POST", MISH, ONE, {"Content-Type": "text/plain"}, 415),
    ("POST", MISH, ONE, {"Content-Encoding": "br"}, 415)])
def errors(method, target, body, headers, status):
    """Every status that a client can cause, but 413."""
    check_error(ask(server(), method, target, body, headers), status)


@test("a body beyond the limit is 413 in that form, announced or not")
def too_large():
    """By its head, and in chunks."""
    small = server("--max-body", "64K")
    body = b" " * 70000 + ONE
    check_error(ask(small, "POST", MISH, body), 413)
    reply = ask(small, "POST", MISH, iter([body[:40000], body[40000:]]))
    check_error(reply, 413)


@test("the nearest model is named")
def nearest():
    """Also where the group is missing."""
    for name, near in (("activations.misch", "activations.mish"),
                       ("giou", ".giou"), ("losses.fokal", "losses.focal")):
        reply = get(server(), "/v2/models/" + name)
        contains(reply.json()["error"], near)


@test("faults name the tensor")
def named():
    """As people write it."""
    body, headers = request([("boxes_a", [1, 4], "FP32", [2, 0, 1, 1]),
                             ("boxes_b", [1, 4], "FP32", [0, 0, 1, 1])])
    reply = infer("boxes.iou", body, headers)
    check_error(reply, 400)
    contains(reply.json()["error"], "boxes_a[0] is [2, 0, 1, 1]")


if __name__ == "__main__":
    main()
