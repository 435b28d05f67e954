"""Every fault of a body, and what the answer says of it."""
import sys

sys.dont_write_bytecode = True
from cocodata import columns, detection, zoo
from harness import (check, check_problem, contains, dial, each, equal,
                     evaluate, head, main, post, read_reply, server, short,
                     test)
import json
import re

DELETE = object()  # instead of a value: the member is removed


def keys_of(pointer):
    """The reference tokens of an RFC 6901 pointer."""
    return [k.replace("~1", "/").replace("~0", "~")
            for k in pointer.split("/")[1:]]


def step(value, key):
    """The member or item of value."""
    return value[int(key)] if isinstance(value, list) else value[key]


def find(body, pointer):
    """What the pointer leads to; KeyError or IndexError if nothing."""
    for key in keys_of(pointer):
        body = step(body, key)
    return body


def change(body, pointer, value):
    """Puts a value where the pointer leads, or deletes what is there."""
    *way, last = keys_of(pointer)
    for key in way:
        body = step(body, key)
    last = int(last) if isinstance(body, list) else last
    if value is DELETE:
        del body[last]
    else:
        body[last] = value


def full(columnar=False):
    """The zoo with all parameters and outputs, to be spoilt."""
    body = zoo(
        parameters={
            "iou_type": "bbox", "iou_thresholds": [0.5, 0.75],
            "recall_thresholds": [0, 0.5, 1], "max_detections": [1, 10, 100],
            "area_ranges": {"all": [0, 1e10], "small": [0, 1024]},
            "use_categories": True, "score_threshold": 0,
            "per_image_iou": 0.5, "summation": "numpy1"},
        outputs=["summary", "per_class"], nonfinite="null")
    body["ground_truth"]["annotations"][0]["ignore"] = 0
    if columnar:
        body["detections"] = columns(body["detections"])
    return body


def code(name):
    """The code of a fault whose problem has this name."""
    return name.replace("-", "_")


def check_fault(body, pointer, name, status=422):
    """POSTs the body; its only fault must be there and of this name."""
    p = check_problem(server(), post(server(), body), status, name)
    equal([(e["pointer"], e["code"]) for e in p["errors"]],
          [(pointer, code(name))], p["detail"])
    equal(p["errors"][0]["detail"], p["detail"])
    if name != "missing-member":
        find(body, pointer)
    contains(p["detail"], keys_of(pointer)[-1])
    return p


# Malformed JSON: text, line, column and byte that the detail must say


MALFORMED = [
    ("an open object", b"{", 1, 2, 1), ("NaN", b'{"a":NaN}', 1, 9, 8),
    ("Infinity", b"[-Infinity]", 1, 3, 2), ("a word", b"[nul]", 1, 5, 4),
    ("no colon", b'{"a" 1}', 1, 7, 6), ("a comma too many", b"[1,]", 1, 5, 4),
    ("an object's comma too many", b'{"a":1,}', 1, 9, 8),
    ("a key twice", b'{"a":1,"a":2}', 1, 11, 10),
    ("a key twice, deep", b'{"a":[{"b":1,\n"b":2}]}', 2, 4, 17),
    ("trailing bytes", b"{} x", 1, 5, 4), ("two documents", b"{}{}", 1, 4, 3),
    ("an open string", b'"abc', 1, 5, 4), ("single quotes", b"{'a':1}", 1, 3,
                                           2),
    ("a leading zero", b'{"a":01}', 1, 7, 6), ("hex", b"[0x10]", 1, 4, 3),
    ("no digit", b"[-]", 1, 3, 2), ("no fraction", b"[1.]", 1, 4, 3),
    ("no exponent", b"[1e]", 1, 4, 3), ("a plus", b"[+1]", 1, 3, 2),
    ("a comment", b"{}// no", 1, 4, 3), ("a NUL", b'{"a":\x00}', 1, 6, 5),
    ("a NUL after the end", b"{}\n\x00", 2, 1, 3),
    ("a NUL in a string", b'{"a\x00b":1}', 1, 4, 3),
    ("a byte order mark", b"\xef\xbb\xbf{}", 1, 4, 3),
    ("invalid UTF-8", b'{"a":"\xff"}', 1, 7, 6),
    ("an overlong form", b'["\xc0\xaf"]', 1, 3, 2),
    ("a surrogate", b'["\xed\xa0\x80"]', 1, 3, 2),
    ("half a character", b'["\xc3"]', 1, 3, 2),
    ("a lone surrogate escape", b'{"a":"\\ud800"}', 1, 14, 13),
    ("an unknown escape", b'["\\x41"]', 1, 4, 3),
    ("a line break in a string", b'["a\nb"]', 1, 4, 3),
    ("the third line", b'{\n "a": 1,\n "b": tru}', 3, 10, 20),
    ("CRLF", b'{\r\n"a": ?\r\n}', 2, 7, 9),
    ("depth", b"[" * 5000, 1, 2050, 2049),
    ("depth of objects", b'{"a":' * 3000, 1, None, None)]


@each("malformed JSON: {0}", MALFORMED)
def malformed(_what, text, line, column, byte):
    """400; the place is where the reader gave up: at, or just after."""
    p = check_problem(server(), post(server(), text), 400, "malformed-json")
    found = re.match(r"line (\d+), column (\d+) \(byte (\d+)\): .", p["detail"])
    check(found, p["detail"])
    place = [int(x) for x in found.groups()]
    equal(place[0], line, p["detail"])
    start = text[:place[2]].rfind(b"\n") + 1
    equal(place[1], place[2] - start + 1, "column of byte: " + p["detail"])
    if byte is None:
        return
    check(abs(place[2] - byte) <= 1 and abs(place[1] - column) <= 1,
          f"want line {line}, column {column}, byte {byte}: {p['detail']}")


@each("an empty body: {0}", [
    ("Content-Length 0", head(0)),
    ("no framing", head(0).replace(b"Content-Length: 0\r\n", b"")),
    ("no chunks", head(None) + b"0\r\n\r\n")])
def empty_body(_what, request):
    """400 that says so."""
    with dial(server()) as s:
        s.sendall(request)
        p = check_problem(server(), read_reply(s), 400, "malformed-json")
    contains(p["detail"], "empty")


@test("white space alone is malformed")
def blank_body():
    """400."""
    check_problem(server(), post(server(), b" \n "), 400, "malformed-json")


@test("a body cut anywhere is malformed, never a crash")
def truncated():
    """A sample of prefixes of a good body."""
    text = json.dumps(full()).encode()
    for n in list(range(0, len(text), 41)) + [len(text) - 1]:
        equal(post(server(), text[:n]).status, 400, f"{n} bytes")


@each("the document is {0}", [("[]", "an array"), ("3", "a number"),
                              ("null", "null"), ('"a"', "a string"),
                              ("true", "a boolean")])
def not_an_object(text, kind):
    """422, the pointer of the whole document is empty."""
    p = check_problem(server(), post(server(), text.encode()), 422,
                      "invalid-value")
    equal([e["pointer"] for e in p["errors"]], [""])
    contains(p["detail"], kind, "must be an object")


# Wrong types: pointer and values


NO_OBJECT = [None, True, 3, "x", []]
NO_ARRAY = [None, True, 3, "x", {}]
NO_INTEGER = [None, True, 1.5, "1", [], {}, 1e300, -0.5]
NO_NUMBER = [None, True, "1", [], {}, "nan", "inf"]
NO_FLAG = [None, 0.5, "1", [], {}]
NO_STRING = [None, True, 3, [], {}]
GT, DT, PAR = "/ground_truth", "/detections", "/parameters"
TYPES = [
    (GT, NO_OBJECT), (GT + "/images", NO_ARRAY),
    (GT + "/annotations", NO_ARRAY), (GT + "/categories", NO_ARRAY),
    (GT + "/images/1", NO_OBJECT), (GT + "/images/1/id", NO_INTEGER),
    (GT + "/categories/1", NO_OBJECT), (GT + "/categories/1/id", NO_INTEGER),
    (GT + "/categories/1/name", [True, 3, [], {}]),
    (GT + "/annotations/1", NO_OBJECT),
    (GT + "/annotations/1/id", NO_INTEGER),
    (GT + "/annotations/1/image_id", NO_INTEGER),
    (GT + "/annotations/1/category_id", NO_INTEGER),
    (GT + "/annotations/1/bbox", NO_ARRAY + [[], [1, 2, 3], [1] * 5]),
    (GT + "/annotations/1/bbox/0", NO_NUMBER),
    (GT + "/annotations/1/bbox/3", NO_NUMBER),
    (GT + "/annotations/1/area", NO_NUMBER),
    (GT + "/annotations/1/iscrowd", NO_FLAG),
    (GT + "/annotations/0/ignore", NO_FLAG),
    (DT, [None, True, 3, "x"]), (DT + "/2", NO_OBJECT),
    (DT + "/2/image_id", NO_INTEGER), (DT + "/2/category_id", NO_INTEGER),
    (DT + "/2/bbox", NO_ARRAY + [[], [1, 2, 3], [1] * 5]),
    (DT + "/2/bbox/2", NO_NUMBER), (DT + "/2/score", NO_NUMBER),
    (PAR, NO_OBJECT), (PAR + "/iou_type", NO_STRING),
    (PAR + "/iou_thresholds", NO_ARRAY + [[], [0.5] * 10000]),
    (PAR + "/iou_thresholds/1", NO_NUMBER + [-0.1, 1.1]),
    (PAR + "/recall_thresholds", NO_ARRAY + [[]]),
    (PAR + "/recall_thresholds/1", NO_NUMBER + [-1, 2, 0]),
    (PAR + "/max_detections",
     NO_ARRAY + [[], [1], [1, 10], [1, 2, 3, 4], [1, 1, 2]]),
    (PAR + "/max_detections/2", NO_INTEGER + [0, -1, 2 ** 31, 2 ** 62]),
    (PAR + "/area_ranges", NO_OBJECT + [
        {"all": [0, 1], **{f"r{i}": [0, 1] for i in range(1000)}}]),
    (PAR + "/area_ranges/small",
     NO_ARRAY + [[], [1], [1, 2, 3], [2, 1]]),
    (PAR + "/area_ranges/small/1", NO_NUMBER),
    (PAR + "/use_categories", [None, 0, 1, "true", [], {}]),
    (PAR + "/score_threshold", NO_NUMBER),
    (PAR + "/per_image_iou", NO_NUMBER + [-0.1, 1.5]),
    (PAR + "/summation", NO_STRING),
    ("/outputs", NO_ARRAY), ("/outputs/1", NO_STRING),
    ("/nonfinite", NO_STRING)]


@each("{0} of a wrong kind", TYPES)
def wrong_type(pointer, values):
    """422 at this pointer, and only there."""
    for value in values:
        body = full()
        change(body, pointer, value)
        check_fault(body, pointer, "invalid-value")


COLUMN_TYPES = [
    (DT + "/image_id", NO_ARRAY), (DT + "/category_id", NO_ARRAY),
    (DT + "/bbox", NO_ARRAY), (DT + "/score", NO_ARRAY),
    (DT + "/image_id/1", NO_INTEGER), (DT + "/category_id/1", NO_INTEGER),
    (DT + "/bbox/1", NO_ARRAY + [[1, 2, 3], [1] * 5]),
    (DT + "/bbox/1/2", NO_NUMBER), (DT + "/score/4", NO_NUMBER),
    (DT + "/category_id", [[1, 2], [1] * 6]), (DT + "/bbox", [[]]),
    (DT + "/score", [[], [1] * 4])]


@each("columnar {0} of a wrong kind or length", COLUMN_TYPES)
def wrong_column(pointer, values):
    """422 at this pointer."""
    for value in values:
        body = full(columnar=True)
        change(body, pointer, value)
        check_fault(body, pointer, "invalid-value")


MISSING = [GT, DT, GT + "/images", GT + "/annotations", GT + "/categories",
           GT + "/images/0/id", GT + "/categories/2/id",
           GT + "/annotations/3/id", GT + "/annotations/3/image_id",
           GT + "/annotations/3/category_id", GT + "/annotations/3/bbox",
           DT + "/4/image_id", DT + "/4/category_id", DT + "/4/bbox",
           DT + "/4/score", PAR + "/area_ranges/all"]


@each("{0} is missing", [(p,) for p in MISSING])
def missing(pointer):
    """422; the pointer says where it was expected."""
    body = full()
    change(body, pointer, DELETE)
    at = pointer.removesuffix("/all")
    p = check_problem(server(), post(server(), body), 422, "missing-member")
    equal([(e["pointer"], e["code"]) for e in p["errors"]],
          [(at, "missing_member")])
    contains(p["detail"], keys_of(pointer)[-1])


@each("the column {0} is missing",
      [("image_id",), ("category_id",), ("bbox",), ("score",)])
def missing_column(name):
    """422."""
    body = full(columnar=True)
    del body["detections"][name]
    check_fault(body, f"{DT}/{name}", "missing-member")


UNKNOWN = [("/grund_truth", 'mean "ground_truth"'),
           ("/detection", 'mean "detections"'),
           ("/output", 'mean "outputs"'), ("/params", "known are"),
           (PAR + "/iou_threshold", 'mean "iou_thresholds"'),
           (PAR + "/max_detection", 'mean "max_detections"'),
           (PAR + "/sumation", 'mean "summation"'),
           (PAR + "/areas", "area_ranges"), (PAR + "/", "known are"),
           (PAR + "/a~1b~0c", "known are"), (PAR + "/\u00e9", "known are"),
           (PAR + "/~01", "known are"), ("/%20 \"\\", "known are"),
           (PAR + "/iou_thresholds ", "iou_thresholds")]


@each("unknown member {0}", UNKNOWN)
def unknown(pointer, words):
    """422; the nearest name is suggested, or all are listed."""
    body = full()
    change(body, pointer, 1)
    p = check_problem(server(), post(server(), body), 422, "unknown-member")
    equal([e["pointer"] for e in p["errors"]], [pointer])
    contains(p["detail"], words)


@each("unknown choice {1!r} at {0}", [
    (PAR + "/summation", "numpy", "numpy1"), (PAR + "/iou_type", "box",
                                              "bbox"),
    ("/outputs/1", "per_clas", "per_class"),
    ("/outputs/0", "Summary", "summary"), ("/nonfinite", "nul", "null"),
    ("/outputs/1", "zzzzzzzz", "per_image"), ("/outputs/1", "", "summary"),
    ("/outputs/0", "\u00e9" * 60, "summary"),
    ("/outputs/0", "x" + "\u20ac" * 60, "summary")])
def unknown_choice(pointer, value, word):
    """422 that suggests or lists."""
    body = full()
    change(body, pointer, value)
    p = check_problem(server(), post(server(), body), 422, "unknown-member")
    equal([e["pointer"] for e in p["errors"]], [pointer])
    contains(p["detail"], word)
    check("\ufffd" not in p["detail"], "cut within a character: " +
          p["detail"])


@test("a name of an area range must be a plain word")
def area_names():
    """Empty, too long, blanks, slashes, or like AR_100: 422."""
    for name in ("", "x" * 32, "a b", "a/b", "a~b", "\u00e9", 'a"', "100"):
        body = full()
        body["parameters"]["area_ranges"][name] = [0, 1]
        p = check_problem(server(), post(server(), body), 422,
                          "invalid-value")
        find(body, p["errors"][0]["pointer"])
    body["parameters"]["area_ranges"] = {"all": [0, 9], "x" * 31: [0, 1]}
    evaluate(server(), body)


# Numbers


NUMBERS = [DT + "/1/bbox/0", DT + "/1/score", GT + "/annotations/0/bbox/3",
           GT + "/annotations/0/area", PAR + "/score_threshold",
           PAR + "/iou_thresholds/0"]
IDS = [DT + "/1/image_id", DT + "/1/category_id", GT + "/images/0/id",
       GT + "/categories/0/id", GT + "/annotations/0/id",
       GT + "/annotations/0/image_id", PAR + "/max_detections/0"]


@each("non-finite at {0}", [(p,) for p in NUMBERS])
def non_finite(pointer):
    """The three strings are numbers, but not finite: 422."""
    for value in ("NaN", "Infinity", "-Infinity"):
        body = full()
        change(body, pointer, value)
        check_fault(body, pointer, "non-finite-number")


def spoilt_text(pointer, text):
    """The full body with this text at the pointer."""
    body = full()
    change(body, pointer, "@@@")
    return json.dumps(body).replace('"@@@"', text).encode()


def check_range(pointer, text):
    """The text at the pointer is out of range."""
    reply = post(server(), spoilt_text(pointer, text))
    p = check_problem(server(), reply, 422, "number-out-of-range")
    equal([(e["pointer"], e["code"]) for e in p["errors"]],
          [(pointer, "number_out_of_range")], text)


@each("beyond a double at {0}", [(p,) for p in NUMBERS])
def beyond_double(pointer):
    """1e400 is well-formed, but cannot be kept."""
    for text in ("1e400", "-1e309", "1" * 400 + ".5"):
        check_range(pointer, text)


@each("beyond 64 bits at {0}", [(p,) for p in IDS])
def beyond_int64(pointer):
    """2^63, and one below -2^63."""
    for text in ("9223372036854775808", "-9223372036854775809", "9" * 40):
        check_range(pointer, text)


@each("the pointer of 1e400 is RFC 6901 under the key {0}", [
    ('"a/b"', "/a~1b/1"), ('"m~n"', "/m~0n/1"), ('"\\u0041"', "/A/1"),
    ('"q\\"q"', '/q"q/1'), ('"[{,"', "/[{,/1"), ('""', "//1")])
def range_pointer(key, pointer):
    """Keys are unescaped from JSON and escaped for the pointer."""
    reply = post(server(), f'{{{key}:["x,]",1e400]}}'.encode())
    p = check_problem(server(), reply, 422, "number-out-of-range")
    equal(p["errors"][0]["pointer"], pointer)


@test("numbers near a double's ends are taken")
def double_ends():
    """The largest, the least, and what rounds to zero."""
    for text in ("1.7976931348623157e308", "-1.7e308", "5e-324", "1e-400",
                 "-0.0", "0", "123456789012345678"):
        reply = post(server(), spoilt_text(DT + "/1/score", text))
        equal(reply.status, 200, text + short(reply.text()))


# Data that does not fit together


@test("detections on unknown images: each, with its pointer")
def unknown_images():
    """422; the detail says which image and how many."""
    body = full()
    body["detections"][1]["image_id"] = 77
    body["detections"].append(detection(-5, 1, [0, 0, 1, 1], 1))
    p = check_problem(server(), post(server(), body), 422, "unknown-image")
    equal([e["pointer"] for e in p["errors"]],
          [DT + "/1/image_id", DT + "/5/image_id"])
    contains(p["detail"], "77", "2 of 6")


@test("columnar detections on unknown images: the pointer is of the column")
def unknown_images_columnar():
    """The pointer must lead to the value in the body as it was sent."""
    body = full(columnar=True)
    body["detections"]["image_id"][1] = 77
    p = check_problem(server(), post(server(), body), 422, "unknown-image")
    equal([e["pointer"] for e in p["errors"]], [DT + "/image_id/1"])


@test("duplicate image ids")
def duplicate_images():
    """422 at the later of each two."""
    body = full()
    body["ground_truth"]["images"] += [{"id": 2}, {"id": 1}]
    p = check_problem(server(), post(server(), body), 422,
                      "duplicate-image-id")
    equal(sorted(e["pointer"] for e in p["errors"]),
          [GT + "/images/3/id", GT + "/images/4/id"])


@test("faults of several kinds come in one answer")
def several():
    """The first names the problem."""
    body = full()
    for pointer, value in ((GT + "/images/0/id", "x"),
                           (DT + "/0/score", DELETE),
                           (DT + "/3/bbox/1", "NaN"),
                           (PAR + "/summation", "numpy3")):
        change(body, pointer, value)
    p = check_problem(server(), post(server(), body), 422, "unknown-member")
    equal({e["pointer"]: e["code"] for e in p["errors"]},
          {PAR + "/summation": "unknown_member",
           GT + "/images/0/id": "invalid_value",
           DT + "/0/score": "missing_member",
           DT + "/3/bbox/1": "non_finite_number"})


@test("at most 20 faults are listed, the first 20")
def twenty():
    """Of 30 detections without score, and of 30 on an unknown image."""
    body = zoo()
    body["detections"] = [{"image_id": 1, "category_id": 1,
                           "bbox": [0, 0, 1, 1]}] * 30
    p = check_problem(server(), post(server(), body), 422, "missing-member")
    equal([e["pointer"] for e in p["errors"]],
          [f"{DT}/{i}/score" for i in range(20)])
    body["detections"] = [detection(9, 1, [0, 0, 1, 1], 1)] * 30
    p = check_problem(server(), post(server(), body), 422, "unknown-image")
    equal(len(p["errors"]), 20)
    contains(p["detail"], "30 of 30")


@test("very long and deep members do not break the answer")
def long_names():
    """Pointers and details are bounded, the JSON stays good."""
    for key in ("k" * 10000, "\u20ac" * 500, "~" * 400, "/" * 400, "%s%n" * 9):
        body = full()
        body["parameters"][key] = 1
        p = check_problem(server(), post(server(), body), 422,
                          "unknown-member")
        check("\ufffd" not in p["errors"][0]["pointer"], "cut in a character")
    reply = post(server(), b'{"a":' * 500 + b"1e999" + b"}" * 500)
    check_problem(server(), reply, 422, "number-out-of-range")


# What this version does not have


@each("iou_type {0} is not offered yet", [("segm",), ("keypoints",)])
def type_not_offered(name):
    """501."""
    body = full()
    body["parameters"]["iou_type"] = name
    contains(check_fault(body, PAR + "/iou_type", "not-offered", 501)
             ["detail"], name, "bbox")


main()
