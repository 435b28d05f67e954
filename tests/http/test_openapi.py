"""/openapi.json and /docs, compared with what the daemon really does."""
import sys

sys.dont_write_bytecode = True
from harness import (EVALUATE, Reply, ask, check, connection, contains, each,
                     equal, get, main, post, server, test)
from described import (DOCUMENT, answer_schema, body_schema, example, faults,
                       fits, named, resolve)
import html.parser
import json
import re

OPERATIONS = get(server(), "/v1/operations").json()["operations"]
PATHS = [(path,) for path, item in DOCUMENT["paths"].items()
         if "post" in item and path.count("/") == 3 and path != EVALUATE]
OUTPUTS = ["summary", "per_class", "per_image", "curves", "operating_points",
           "confusion", "errors", "calibration", "lrp", "slices", "intervals",
           "arrays"]
# Parameters that change no number which answers are compared by.
OPTIONS = {"curve_points", "score_thresholds", "suspect_score", "intervals"}
FORM = DOCUMENT["paths"][EVALUATE]["post"]["requestBody"]["content"][
    "multipart/form-data"]
TRUTH = {"images": [{"id": 1}], "categories": [{"id": 3, "name": "cat"}],
         "annotations": [{"id": 1, "image_id": 1, "category_id": 3,
                          "bbox": [0, 0, 9, 9], "area": 81, "iscrowd": 0}]}
ROW = {"image_id": 1, "category_id": 3, "bbox": [0, 0, 9, 8], "score": 0.5}

# The document


@test("the checker of schemas finds faults")
def checker():
    """One row per kind of fault."""
    for value, schema in [
            (1, {"type": "string"}), (True, {"type": "integer"}),
            (1.5, {"type": ["integer", "null"]}), (True, {"enum": [1]}),
            ("b", {"const": "a"}), (2, {"maximum": 1}), (0, {"minimum": 1}),
            (1, {"exclusiveMinimum": 1}), ([], {"minItems": 1}),
            ([1, 2], {"maxItems": 1}), (["a"], {"items": {"type": "null"}}),
            ({}, {"required": ["a"]}),
            ({"a": 1}, {"additionalProperties": False}),
            ({"a": 1}, {"additionalProperties": {"type": "null"}}),
            ({"a": 1}, {"properties": {"a": {"type": "null"}}}),
            ({"a": 1, "b": 2}, {"maxProperties": 1}),
            (1, {"anyOf": [{"type": "null"}, {"minimum": 2}]}),
            (1, {"oneOf": [{}, {}]}), ("a", {"pattern": "^b"})]:
        check(faults(value, schema), f"{value!r} fits {schema}")


@test("every operation has a path, and every such path an operation")
def complete():
    """Compared with /v1/operations."""
    equal(sorted(path for path, in PATHS),
          sorted("/v1/" + op["operation"] for op in OPERATIONS))
    fits({"operations": OPERATIONS},
         answer_schema("/v1/operations", "get"))


@each("{0}: its example and the answer are as the document says", PATHS)
def examples(path):
    """The example is the row's; then every output is asked for by itself."""
    body = example(path)
    fits(body, body_schema(path))
    reply = post(server(), body, target=path)
    equal(reply.status, 200, reply.text())
    fits(reply.json(), answer_schema(path))
    known = body_schema(path)["properties"]["outputs"]
    equal(set(reply.json()["outputs"]),
          set(body.get("outputs", known["default"])))
    for name in known["items"]["enum"]:
        body["outputs"] = [name]
        reply = post(server(), body, target=path)
        if reply.status == 200:
            fits(reply.json(), answer_schema(path))
            equal(list(reply.json()["outputs"]), [name])
        else:  # some need a parameter that the example does not give
            contains(reply.json()["errors"][0]["pointer"], "/parameters/")
            fits(reply.json(), named("Problem"))


@each("{0}: defaults are as the document says, and are taken", PATHS)
def defaults(path):
    """Each default, null too, gives what leaving it out gives."""
    body = example(path)
    known = resolve(resolve(body_schema(path))["properties"]["parameters"])
    values = {name: p["default"] for name, p in known["properties"].items()}
    fits(values, known)
    body["parameters"] = {**values, **body.get("parameters", {})}
    reply = post(server(), body, target=path)
    same_as = post(server(), example(path), target=path)
    equal(reply.status, 200, reply.text())
    equal(reply.body, same_as.body)


@each("{0}: a parameter out of bounds is a problem as described", PATHS)
def out_of_bounds(path):
    """Beyond each maximum, below each minimum, and no choice."""
    known = resolve(resolve(body_schema(path))["properties"]["parameters"])
    for name, p in known["properties"].items():
        low = p.get("minimum", p.get("exclusiveMinimum", -1))
        for value in [p.get("maximum", 1e300) * 2 + 1, "no such choice",
                      low - 1 - abs(low)]:
            body = example(path)
            body.setdefault("parameters", {})[name] = value
            check(faults(body, body_schema(path)), f"{name}: {value!r} fits")
            reply = post(server(), body, target=path)
            equal(reply.status, 422, f"{name}: {value!r}")
            fits(reply.json(), named("Problem"))


@each("GET {0} answers as described",
      [(p,) for p in ("/livez", "/healthz", "/readyz", "/version", "/v1",
                      "/openapi.json", "/v1/operations")])
def reads(path):
    """The paths that have no names in them."""
    fits(get(server(), path).json(), answer_schema(path, "get"))


@test("GET /v1/operations/{group}/{name} answers as described")
def one_operation():
    """Each of them is the one of the list."""
    for op in OPERATIONS:
        one = get(server(), "/v1/operations/" + op["operation"]).json()
        equal(one, op)
        fits(one, answer_schema("/v1/operations/{group}/{name}", "get"))


@test("a batch of all examples answers as described")
def batch():
    """And so does a fault in it."""
    requests = [{"operation": path[4:], **example(path)} for path, in PATHS]
    body = {"requests": requests + [{"operation": "a/b", "inputs": {}}]}
    fits(body, body_schema("/v1/batch"))
    reply = post(server(), body, target="/v1/batch").json()
    fits(reply, answer_schema("/v1/batch"))
    equal([r["status"] for r in reply["responses"]],
          [200] * len(requests) + [404])


@each("detection: {0}", [("rows", [ROW]), ("none", []),
                         ("columns", {k: [v] for k, v in ROW.items()})])
def detection(_name, detections):
    """Every output that the document offers."""
    body = {"ground_truth": TRUTH, "detections": detections,
            "outputs": named("DetectionOutput")["enum"]}
    fits(body, body_schema(EVALUATE))
    reply = post(server(), body, target=EVALUATE)
    equal(reply.status, 200, reply.text())
    fits(reply.json(), answer_schema(EVALUATE))
    missing = set(body["outputs"]) - set(reply.json())
    check(not missing, f"no {missing}")


def send_form(parts):
    """POSTs parts, each with the type that the document gives it."""
    encoding = FORM["encoding"]
    body = "".join(
        f"--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n"
        f"Content-Type: {encoding.get(name, {}).get('contentType', 'a/b')}"
        f"\r\n\r\n{json.dumps(value)}\r\n" for name, value in parts.items())
    return ask(server(), "POST", EVALUATE, body + "--x--\r\n",
               {"Content-Type": "multipart/form-data; boundary=x"})


@test("detection: the parts of a form are as the document says")
def form():
    """All that are described are known, those required are, no others are."""
    schema = resolve(FORM["schema"])
    parts = {"ground_truth": TRUTH, "detections": [ROW],
             "parameters": {"per_image_iou": 0.75}, "outputs": ["per_image"],
             "nonfinite": "string"}
    fits(parts, schema)
    equal(sorted(schema["properties"]), sorted(parts))
    equal(sorted(FORM["encoding"]), sorted(parts))
    reply = send_form(parts)
    equal((reply.status, reply.body),
          (200, post(server(), parts, target=EVALUATE).body))
    fits(parts, body_schema(EVALUATE))
    for name in parts:
        reply = send_form({k: v for k, v in parts.items() if k != name})
        equal(reply.status, 422 if name in schema["required"] else 200, name)
    equal(send_form({**parts, "other": 1}).status, 422)
    equal(schema["additionalProperties"], False)


@each("detection: {0} is in the document when it is offered",
      [(name,) for name in OUTPUTS])
def offered(name):
    """What is not offered yet answers 501."""
    body = {"ground_truth": TRUTH, "detections": [ROW], "outputs": [name]}
    known = name in named("DetectionOutput")["enum"]
    equal(post(server(), body, target=EVALUATE).status,
          200 if known else 501)


@test("detection: the defaults are the protocol's, and no others are known")
def protocol():
    """Compared with what the answer says was measured."""
    known = named("DetectionParameters")["properties"]
    body = {"ground_truth": TRUTH, "detections": [ROW]}
    said = post(server(), body, target=EVALUATE).json()["protocol"]
    measured = set(said) - {"evaluator", "hash"}
    equal(set(known) - measured, OPTIONS)
    equal(measured - set(known), set())
    for name, schema in known.items():
        if name in OPTIONS:
            continue
        fits(said[name], schema)
        if "default" in schema:
            equal(json.loads(json.dumps(said[name]), parse_int=float),
                  json.loads(json.dumps(schema["default"]), parse_int=float),
                  name)


# What HTTP makes of it


@each("{0}: a tag saves the answer", [("/openapi.json",), ("/docs",),
                                      ("/v1/operations",)])
def tags(path):
    """304 has neither body nor type, for GET and HEAD; then 200 again."""
    c = connection(server())
    whole = get(server(), path)
    tag, length = whole.header("ETag"), len(whole.body)
    check(re.fullmatch('"[0-9a-f]{32}"', tag), tag)
    for method, sent, status in [("GET", tag, 304), ("HEAD", tag, 304),
                                 ("GET", '"other"', 200),
                                 ("HEAD", '"other"', 200),
                                 ("GET", "W/" + tag, 304)]:
        c.request(method, path, headers={"If-None-Match": sent})
        reply = Reply(c.getresponse())
        equal((reply.status, reply.header("ETag")), (status, tag), method)
        equal(len(reply.body) > 0, status == 200 and method == "GET")
        equal(reply.header("Content-Type") is None, status == 304)
        equal(reply.header("Content-Length"), str(length), "of the 200")


@test("?pretty is another representation, with another tag")
def pretty():
    """The same document."""
    reply = get(server(), "/openapi.json?pretty")
    equal(reply.json(), DOCUMENT)
    check(b"\n  \"info\"" in reply.body, "not indented")
    check(reply.header("ETag") != get(server(), "/openapi.json").header("ETag"),
          "the same tag")


class Page(html.parser.HTMLParser):
    """Checks that tags are closed; collects links, ids and text."""

    def __init__(self):
        super().__init__()
        self.open, self.links, self.ids, self.text = [], [], [], ""

    def handle_starttag(self, tag, attrs):
        """Opens the tag."""
        attrs = dict(attrs)
        check(not {"style", "src", "onclick"} & set(attrs), repr(attrs))
        if tag != "meta":
            self.open.append(tag)
        if tag == "a":
            self.links.append(attrs["href"])
        if "id" in attrs:
            self.ids.append(attrs["id"])

    def handle_endtag(self, tag):
        """Closes it."""
        equal(self.open.pop(), tag, "the tag that is closed")

    def handle_data(self, data):
        """Text, without entities."""
        self.text += data


@test("/docs is a page of its own, and whole")
def page():
    """No script, nothing from elsewhere, every row's words."""
    reply = get(server(), "/docs")
    equal(reply.header("Content-Type"), "text/html; charset=utf-8")
    contains(reply.header("Content-Security-Policy"), "default-src 'none'",
             "frame-ancestors 'none'")
    stray = re.search(r"<(?![a-z/!])|&(?!(lt|gt|amp|quot);)", reply.text())
    check(not stray, f"not escaped: {stray}")
    check("&lt;" in reply.text(), "no formula has a comparison")
    parsed = Page()
    parsed.feed(reply.text())
    parsed.close()
    equal(parsed.open, [])
    equal(sorted(parsed.ids), sorted(op["operation"] for op in OPERATIONS))
    for link in parsed.links:
        check(link[0] == "/" and get(server(), link).status == 200 or
              link[0] == "#" and link[1:] in parsed.ids, link)
    for op in OPERATIONS:
        contains(parsed.text, op["title"], op["summary"], op["formula"],
                 op["source"], *[p["doc"] for p in op["parameters"]])
    check("null)" not in parsed.text, "(null)")


if __name__ == "__main__":
    main()
