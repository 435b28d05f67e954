"""What POST /v1/detection/evaluate answers, on data scored by hand."""
import sys

sys.dont_write_bytecode = True
from cocodata import (ALMOST, columns, mean, NAMES, one, twelve_lines, zoo)
from harness import (check, contains, each, equal, evaluate, main, post,
                     same_bits, server, test)
import json
import re

ALL_OUTPUTS = ["summary", "per_class", "per_image", "curves",
               "operating_points", "confusion", "errors", "calibration",
               "lrp", "slices", "intervals", "arrays"]
IOU = [i * ((0.95 - 0.5) / 9) + 0.5 for i in range(9)] + [0.95]
RECALL = [i * 0.01 for i in range(100)] + [1.0]
AREAS = {"all": [0.0, 1e10], "small": [0.0, 1024.0],
         "medium": [1024.0, 9216.0], "large": [9216.0, 1e10]}
COUNTS = {"1": [1, 1], "2-4": [2, 4], "5-9": [5, 9], "10+": [10, None]}

# The zoo's precision over the recall thresholds, by IoU threshold, worked
# out by hand.  cat, all areas: two objects.  Up to IoU 0.75 both are found,
# precision 1/(1+2^-52), then 2/(2+2^-52) = 1, so the envelope is 1; above,
# only the first (recall 0.5: 51 thresholds), and no detection is left out.
CAT = [[1.0] * 101] * 6 + [[ALMOST] * 51 + [0.0] * 50] * 4
# dog: one object, found at IoU 0.5 alone
DOG = [[ALMOST] * 101] + [[0.0] * 101] * 9
# cat, small: one object; all other detections are ignored
CAT_SMALL = [[ALMOST] * 101] * 10
# cat, large: the object found at IoU 0.75
CAT_LARGE = [[ALMOST] * 101] * 6 + [[0.0] * 101] * 4


def flat(*tables):
    """Tables [T][R] as one list [T][R][K]."""
    return [table[t][r] for t in range(10) for r in range(101)
            for table in tables]


ZOO = [mean(flat(CAT, DOG)),
       mean([x for pair in zip(CAT[0], DOG[0]) for x in pair]),
       mean([x for pair in zip(CAT[5], DOG[5]) for x in pair]),
       mean(flat(CAT_SMALL)), mean(flat(DOG)), mean(flat(CAT_LARGE)),
       0.45, 0.45, 0.45, 1.0, 0.1, 0.6]  # recalls: 9 of 20, 10/10, 1/10, 6/10
ZOO_TEXT = """\
 Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.451
 Average Precision  (AP) @[ IoU=0.50      | area=   all | maxDets=100 ] = 1.000
 Average Precision  (AP) @[ IoU=0.75      | area=   all | maxDets=100 ] = 0.500
 Average Precision  (AP) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 1.000
 Average Precision  (AP) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.100
 Average Precision  (AP) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 0.600
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=  1 ] = 0.450
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets= 10 ] = 0.450
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.450
 Average Recall     (AR) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 1.000
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.100
 Average Recall     (AR) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 0.600
"""
CLASS_TEXT = """\
per category
category  truths  found     AP   AP50   AP75  AP_small  AP_medium  AP_large \
  AR_1  AR_10  AR_100  AR_small  AR_medium  AR_large
cat            2      3  0.802  1.000  1.000     1.000          -     0.600 \
 0.800  0.800   0.800     1.000          -     0.600
dog            1      2  0.100  1.000  0.000         -      0.100         - \
 0.100  0.100   0.100         -      0.100         -
bird           0      0      -      -      -         -          -         - \
     -      -       -         -          -         -
"""
IMAGE_TEXT = """\
per image at IoU 0.5, score >= 0
image  truths  found  tp  fp  fn  ignored  precision  recall     f1  mean IoU \
    AP
    1       2      2   2   0   0        0      1.000   1.000  1.000     0.750 \
 0.550
    2       1      2   1   0   0        1      1.000   1.000  1.000     0.750 \
 0.600
    3       0      1   0   1   0        0      0.000       -  0.000         - \
     -

suspects, score >= 0.5, most confident first
1 missing_label, 0 wrong_label, 0 loose_label, 0 spurious_label
image  kind           detection  annotation  IoU  score
    3  missing_label          4           -    -  0.500
"""


def defined(values):
    """A summary's twelve values, None where -1."""
    return dict(zip(NAMES, (None if v == -1 else v for v in values)))


# Numbers


@test("one perfect detection: AP 0.9999999999999998")
def perfect():
    """1/(1+2^-52); undefined areas are null and -1, with a warning."""
    got = evaluate(server(), one())
    at_one = mean([ALMOST] * 101)  # an ulp more: the sum is rounded
    values = [ALMOST, at_one, at_one, -1.0, ALMOST, -1.0] + [1.0] * 3 + \
        [-1.0, 1.0, -1.0]
    equal(ALMOST, 0.9999999999999998)
    same_bits(got["summary_array"], values)
    same_bits(got["summary"], defined(values))
    equal([(w["code"], w["count"]) for w in got["warnings"]],
          [("undefined_no_ground_truth", 4)])
    contains(got["warnings"][0]["detail"], "AP_small", "AP_large",
             "AR_small", "AR_large")


@test("the zoo's twelve numbers, by bits")
def zoo_summary():
    """summary, summary_array, counts; no warnings; nothing not asked for."""
    got = evaluate(server(), zoo())
    equal(list(got), ["protocol", "summary", "summary_array", "counts",
                      "warnings"])
    same_bits(got["summary_array"], ZOO)
    same_bits(got["summary"], dict(zip(NAMES, ZOO)))
    equal(got["counts"], {"images": 3, "annotations": 4, "crowd": 1,
                          "detections": 5, "categories": 3})
    equal(got["warnings"], [])


@test("the zoo's classes, by bits")
def zoo_classes():
    """Classes in the order of ids; undefined is null."""
    got = evaluate(server(), zoo(outputs=["per_class"]))
    check("summary" not in got, "summary was not asked for")
    cat = [mean(flat(CAT)), 1.0, 1.0, mean(flat(CAT_SMALL)), -1,
           mean(flat(CAT_LARGE)), 0.8, 0.8, 0.8, 1.0, -1, 0.6]
    dog = [mean(flat(DOG)), mean(DOG[0]), 0.0, -1, mean(flat(DOG)), -1,
           0.1, 0.1, 0.1, -1, 0.1, -1]
    want = [{"category_id": 1, "name": "cat", "ground_truths": 2,
             "detections": 3, **defined(cat)},
            {"category_id": 2, "name": "dog", "ground_truths": 1,
             "detections": 2, **defined(dog)},
            {"category_id": 3, "name": "bird", "ground_truths": 0,
             "detections": 0, **defined([-1] * 12)}]
    same_bits(got["per_class"], want)


def image_row(number, truths, found, tp, fp, fn, ignored, iou, ap, matches,
              suspects):
    """A row of per_image; ratios follow from the counts."""
    def ratio(a, b):
        return a / b if b else None
    return {"image_id": number, "ground_truths": truths, "detections": found,
            "tp": tp, "fp": fp, "fn": fn, "ignored": ignored,
            "precision": ratio(tp, tp + fp), "recall": ratio(tp, truths),
            "f1": ratio(2 * tp, 2 * tp + fp + fn), "mean_iou": iou, "AP": ap,
            "matches": [dict(zip(("detection", "annotation_id", "iou"), m))
                        for m in matches], "suspects": suspects}


ONE_OF_TEN = DOG  # found at the first of ten IoU thresholds


@test("the zoo's images, by bits")
def zoo_images():
    """tp, fp and fn at IoU 0.5; AP is that of the image alone."""
    got = evaluate(server(), zoo(outputs=["per_image"]))
    ap1 = mean(flat([[ALMOST] * 101] * 10, ONE_OF_TEN))
    ap2 = mean(flat(CAT_LARGE))
    same_bits(got["per_image"],
              [image_row(1, 2, 2, 2, 0, 0, 0, 0.75, ap1,
                         [(0, 1, 1.0), (3, 2, 0.5)], []),
               image_row(2, 1, 2, 1, 0, 0, 1, 0.75, ap2, [(1, 3, 0.75)], []),
               image_row(3, 0, 1, 0, 1, 0, 0, None, None, [],
                         [{"kind": "missing_label", "detection": 4,
                           "annotation_id": None, "iou": None,
                           "score": 0.5}])])


@test("per_image_iou and score_threshold change the images, not the AP")
def zoo_images_at():
    """At IoU 0.6 the dog is missed; under 0.65 nothing counts."""
    plain = evaluate(server(), zoo(outputs=["per_image"]))["per_image"]
    for parameters, counts in (
            ({"per_image_iou": 0.6}, [(2, 1, 1, 1), (2, 1, 0, 0),
                                      (1, 0, 1, 0)]),
            ({"score_threshold": 0.65}, [(1, 1, 0, 1), (2, 1, 0, 0),
                                         (0, 0, 0, 0)]),
            ({"score_threshold": 0.7}, [(1, 1, 0, 1), (2, 1, 0, 0),
                                        (0, 0, 0, 0)])):
        got = evaluate(server(), zoo(outputs=["per_image", "summary"],
                                     parameters=parameters))
        rows = got["per_image"]
        equal([(r["detections"], r["tp"], r["fp"], r["fn"]) for r in rows],
              counts, repr(parameters))
        same_bits([r["AP"] for r in rows], [r["AP"] for r in plain])
        same_bits(got["summary_array"], ZOO)


@test("the zoo's arrays, by bits")
def zoo_arrays():
    """precision and scores [T][R][K][A][M], recall [T][K][A][M]."""
    arrays = evaluate(server(), zoo(outputs=["arrays"]))["arrays"]
    equal(list(arrays), ["precision", "recall", "scores"])
    none = [[-1.0] * 101] * 10
    tables = [[CAT, CAT_SMALL, none, CAT_LARGE], [DOG, none, DOG, none],
              [none] * 4]
    same_bits(arrays["precision"],
              [[[[[tables[k][a][t][r]] * 3 for a in range(4)]
                 for k in range(3)] for r in range(101)] for t in range(10)])
    cat = [1.0] * 6 + [0.5] * 4
    dog = [1.0] + [0.0] * 9
    large = [1.0] * 6 + [0.0] * 4
    same_bits(arrays["recall"],
              [[[[cat[t]] * 3, [1.0] * 3, [-1.0] * 3, [large[t]] * 3],
                [[dog[t]] * 3, [-1.0] * 3, [dog[t]] * 3, [-1.0] * 3],
                [[-1.0] * 3] * 4] for t in range(10)])
    scores = arrays["scores"]
    for t, r, want in ((0, 0, 0.9), (0, 50, 0.9), (0, 51, 0.8), (0, 100, 0.8),
                       (9, 50, 0.9), (9, 51, 0.0)):
        same_bits(scores[t][r][0][0], [want] * 3, f"scores {t} {r}")
    same_bits(scores[0][100][1][0], [0.6] * 3, "scores of dog")
    same_bits(scores[0][0][2][0], [-1.0] * 3, "scores of bird")


@test("use_categories false: one class without id")
def no_categories():
    """All five detections against three objects, in one class."""
    got = evaluate(server(), zoo(parameters={"use_categories": False},
                                 outputs=ALL_OUTPUTS))
    equal([(c["category_id"], c["name"], c["ground_truths"], c["detections"])
           for c in got["per_class"]], [(None, None, 3, 5)])
    equal(len(got["arrays"]["recall"][0]), 1)
    same_bits(got["summary"]["AR_100"], mean([1.0] + [2 / 3] * 5 +
                                             [1 / 3] * 4))


@test("both summations agree on a small set, and say which they are")
def summations():
    """The zoo has fewer numbers than numpy's chunk."""
    for name in ("numpy1", "numpy2"):
        got = evaluate(server(), zoo(parameters={"summation": name}))
        same_bits(got["summary_array"], ZOO)
        equal(got["protocol"]["summation"], name)


@test("columnar detections give the same answer, byte for byte")
def columnar():
    """All outputs; also with a column more, which is skipped."""
    body = zoo(outputs=ALL_OUTPUTS)
    want = post(server(), body).body
    body["detections"] = columns(body["detections"])
    equal(post(server(), body).body, want)
    body["detections"]["segmentation"] = [[]]
    equal(post(server(), body).body, want)


@test("ids like 42.0 are integers, and 1e10 and int64's ends too")
def integral_reals():
    """The same answer as with plain integers."""
    want = evaluate(server(), one())["summary_array"]
    text = json.dumps(one())
    got = post(server(), text.replace(": 42", ": 42.0").replace(
        ": 7", ": 7.0e0").encode())
    same_bits(got.json()["summary_array"], want)
    for number in (2 ** 63 - 1, -2 ** 63, 10 ** 10):
        got = post(server(), text.replace(": 42", f": {number}").encode())
        same_bits(got.json()["summary_array"], want)


@test("members that scoring does not need are skipped, duplicates of it too")
def skipped():
    """info, licenses, segmentation, file_name and what else there is."""
    body = zoo()
    want = evaluate(server(), zoo())
    body["ground_truth"].update(info={"year": 2014}, licenses=[], x=None)
    for v in body["ground_truth"]["images"]:
        v.update(file_name="a.jpg", width=640, height=480)
    for v in body["ground_truth"]["annotations"] + body["detections"]:
        v.update(segmentation=[[1, 2, 3.5]], num_keypoints=0)
    body["detections"][0].update(id=1, area="anything", iscrowd=None)
    same_bits(evaluate(server(), body), want)


# Text


@test("Accept: text/plain answers pycocotools' twelve lines exactly")
def text():
    """Character for character."""
    reply = post(server(), zoo(), "text/plain")
    equal((reply.status, reply.header("Content-Type")),
          (200, "text/plain; charset=utf-8"))
    equal(reply.text(), ZOO_TEXT)
    equal(twelve_lines(ZOO), ZOO_TEXT, "the test's own printing")
    check(reply.header("Server-Timing"), "no Server-Timing")


@test("text: undefined numbers are -1.000, as pycocotools prints them")
def text_undefined():
    """One medium object only."""
    values = evaluate(server(), one())["summary_array"]
    equal(post(server(), one(), "text/plain").text(), twelve_lines(values))
    contains(twelve_lines(values), "area= small | maxDets=100 ] = -1.000\n")


@test("text: tables of classes and images")
def text_tables():
    """After the lines, or alone."""
    for outputs, want in (
            (["summary", "per_class", "per_image"],
             "\n".join([ZOO_TEXT, CLASS_TEXT, IMAGE_TEXT])),
            (["per_image"], IMAGE_TEXT), (["per_class"], CLASS_TEXT)):
        equal(post(server(), zoo(outputs=outputs), "text/plain").text(), want)


@test("text: the lines follow max_detections and iou_thresholds")
def text_parameters():
    """As pycocotools prints them, 100 taken literally in the first."""
    parameters = {"max_detections": [2, 20, 200],
                  "iou_thresholds": [0.5, 0.75]}
    lines = post(server(), zoo(parameters=parameters), "text/plain") \
        .text().splitlines()
    equal(lines[0], " Average Precision  (AP) @[ IoU=0.50:0.75 | area=   all"
          " | maxDets=100 ] = -1.000")
    equal(lines[1], " Average Precision  (AP) @[ IoU=0.50      | area=   all"
          " | maxDets=200 ] = 1.000")
    equal(lines[6], " Average Recall     (AR) @[ IoU=0.50:0.75 | area=   all"
          " | maxDets=  2 ] = 0.750")


@test("text stays UTF-8 when a long name is cut")
def text_utf8():
    """The 20th byte of the name is half a character."""
    body = zoo(outputs=["per_class"])
    body["ground_truth"]["categories"][0]["name"] = "x" * 19 + "\u00e9" * 40
    contains(post(server(), body, "text/plain").text(), "x" * 19)


@test("text has no form for arrays: 406")
def text_arrays():
    """Even though text/plain is one of the path's types."""
    equal(post(server(), zoo(outputs=["arrays"]), "text/plain").status, 406)


@test("Accept picks text or JSON by quality")
def quality():
    """JSON where both are as good."""
    for accept, kind in (("text/plain;q=0.5, application/json", "app"),
                         ("text/plain, application/json;q=0.9", "text"),
                         ("*/*", "app"), ("text/*", "text")):
        contains(post(server(), one(), accept).header("Content-Type"), kind)


# The protocol and its hash


@test("protocol: every parameter, defaults filled in, by bits")
def protocol():
    """The grids are numpy's linspace."""
    got = evaluate(server(), one())["protocol"]
    check(re.fullmatch("sha256:[0-9a-f]{64}", got.pop("hash")), "hash")
    same_bits(got, {
        "evaluator": "pycocotools 2.0.11", "iou_type": "bbox",
        "iou_thresholds": IOU, "recall_thresholds": RECALL,
        "max_detections": [1, 10, 100], "area_ranges": AREAS,
        "use_categories": True, "summation": "numpy1",
        "score_threshold": 0.0, "per_image_iou": 0.5, "background_iou": 0.1,
        "calibration_bins": 15, "count_ranges": COUNTS})


def hash_of(parameters, make=one):
    """The hash of an evaluation with these parameters."""
    return evaluate(server(), make(parameters=parameters))["protocol"]["hash"]


@test("protocol.hash: the same for the same protocol, whatever the data")
def hash_stable():
    """Defaults written out are the defaults."""
    full = {"iou_type": "bbox", "iou_thresholds": IOU, "area_ranges": AREAS,
            "recall_thresholds": RECALL, "max_detections": [1, 10, 100],
            "use_categories": True, "score_threshold": 0,
            "per_image_iou": 0.5, "summation": "numpy1", "background_iou": 0.1,
            "calibration_bins": 15, "count_ranges": COUNTS}
    want = hash_of({})
    equal(hash_of({}), want)
    equal(hash_of({}, zoo), want)
    equal(hash_of(full), want)
    equal(hash_of(dict(reversed(full.items()))), want, "order of members")
    equal(hash_of({"max_detections": [100, 1, 10]}), want, "sorted limits")
    equal(hash_of({"area_ranges": {"all": [0, 5], "b": [1, 2]}}),
          hash_of({"area_ranges": {"all": [0, 5.0], "b": [1, 2e0]}}))
    equal(hash_of({"curve_points": 9, "score_thresholds": [0.3],
                   "suspect_score": 0.9, "intervals": {"seed": 4}}), want,
          "what changes no number")


CHANGES = [{"iou_thresholds": [0.5]}, {"recall_thresholds": [0, 1]},
           {"iou_thresholds": IOU[:8] + [0.9, 0.95]},
           {"max_detections": [1, 10, 101]},
           {"area_ranges": {"all": [0, 1e10]}},
           {"area_ranges": {**AREAS, "small": [0, 1025]}},
           {"use_categories": False}, {"summation": "numpy2"},
           {"score_threshold": 0.1}, {"per_image_iou": 0.6},
           {"background_iou": 0.2}, {"calibration_bins": 10},
           {"count_ranges": {"all": [0, None]}}]


@test("protocol.hash: each parameter changes it; each is echoed")
def hash_differs():
    """As many hashes as protocols."""
    hashes = {hash_of({})} | {hash_of(p) for p in CHANGES}
    equal(len(hashes), len(CHANGES) + 1)
    for parameters in CHANGES:
        got = evaluate(server(), one(parameters=parameters))["protocol"]
        for key, value in parameters.items():
            check(got[key] == value, f"{key}: {got[key]}")


@test("own area ranges add numbers; own limits rename the recalls")
def own_names():
    """AP_tiny and AR_tiny follow the twelve."""
    parameters = {"area_ranges": {"all": [0, 1e10], "tiny": [0, 500]},
                  "max_detections": [1, 5, 100]}
    got = evaluate(server(), zoo(parameters=parameters))
    want = [n.replace("AR_10", "AR_5") if n == "AR_10" else n for n in NAMES]
    equal(list(got["summary"]), want + ["AP_tiny", "AR_tiny"])
    same_bits(got["summary"]["AP_tiny"], mean(flat(CAT_SMALL)))
    equal(len(got["summary_array"]), 12)


@test("Server-Timing: queue, parse, compute, encode, in milliseconds")
def server_timing():
    """On computed answers."""
    got = post(server(), zoo()).header("Server-Timing")
    check(re.fullmatch(r"queue;dur=\d+\.\d+, parse;dur=\d+\.\d+, "
                       r"compute;dur=\d+\.\d+, encode;dur=\d+\.\d+",
                       got or ""), repr(got))


@each('"nonfinite": "{0}" is accepted and changes nothing',
      [("null",), ("string",), ("error",)])
def nonfinite(choice):
    """Scores are finite."""
    same_bits(evaluate(server(), zoo(nonfinite=choice)),
              evaluate(server(), zoo()))


main()
