"""What is scored but deserves a word: odd input, and empty lists."""
import sys

sys.dont_write_bytecode = True
from cocodata import (ALMOST, annotation, category, columns, detection, mean,
                      NAMES, one, twelve_lines, zoo)
from harness import (check, contains, each, equal, evaluate, main, post,
                     same_bits, server, test)
import copy
import json

ALL_OUTPUTS = ["summary", "per_class", "per_image", "curves",
               "operating_points", "confusion", "errors", "calibration",
               "lrp", "slices", "intervals", "arrays"]


def changed(change):
    """The zoo after change(ground_truth, detections)."""
    body = copy.deepcopy(zoo())
    change(body["ground_truth"], body["detections"])
    return body


def cut(_gt, dt):
    """103 detections of one image and category: three too many."""
    dt += [detection(1, 1, [0, 0, 1, 1], 0.1)] * 102


def drop_areas(gt, _dt):
    """Two annotations without area."""
    del gt["annotations"][0]["area"], gt["annotations"][2]["area"]


WARNINGS = [
    ("unknown_category_detections", 2, lambda gt, dt: dt.extend(
        [detection(1, 9, [0, 0, 1, 1], 1), detection(2, 8, [0] * 4, 0)])),
    ("unknown_ground_truth", 2, lambda gt, dt: gt["annotations"].extend(
        [annotation(8, 9, 1, [0, 0, 1, 1], 1),
         annotation(9, 1, 9, [0, 0, 1, 1], 1)])),
    ("detections_cut", 3, cut),
    ("ground_truth_id_zero", 1,
     lambda gt, dt: gt["annotations"][0].update(id=0)),
    ("ignore_overwritten", 2, lambda gt, dt: [
        gt["annotations"][0].update(ignore=1),
        gt["annotations"][3].update(ignore=False),
        gt["annotations"][1].update(ignore=0)]),
    ("duplicate_annotation_ids", 1,
     lambda gt, dt: gt["annotations"].append(dict(gt["annotations"][1]))),
    ("duplicate_category_ids", 1,
     lambda gt, dt: gt["categories"].append(category(2, "hound"))),
    ("negative_box_size", 2, lambda gt, dt: [
        gt["annotations"][1].update(bbox=[1, 2, -3, 4]),
        dt[0].update(bbox=[1, 2, 3, -4])]),
    ("missing_area", 2, drop_areas)]


@each("warning {0}", WARNINGS)
def warning(code, count, change):
    """200, with this warning alone, how often, and a sentence."""
    got = evaluate(server(), changed(change))
    equal([(w["code"], w["count"]) for w in got["warnings"]],
          [(code, count)])
    equal(list(got["warnings"][0]), ["code", "count", "detail"])
    check(len(got["warnings"][0]["detail"]) > 20, "no sentence")


UNDEFINED = [
    ("undefined_max_detections", 1, ["AP"], {"max_detections": [1, 10, 99]}),
    ("undefined_iou_threshold", 2, ["AP50", "AP75"],
     {"iou_thresholds": [0.6]}),
    ("undefined_area_range", 6, ["AP_small", "AR_large"],
     {"area_ranges": {"all": [0, 1e10]}})]


@each("warning {0}", UNDEFINED)
def undefined(code, count, names, parameters):
    """-1 in summary_array, null in summary, and why."""
    got = evaluate(server(), zoo(parameters=parameters))
    equal([(w["code"], w["count"]) for w in got["warnings"]],
          [(code, count)])
    for name in names:
        contains(got["warnings"][0]["detail"], name)
        equal(got["summary"][name], None)
        equal(got["summary_array"][NAMES.index(name)], -1.0)
    equal(sum(v is None for v in got["summary"].values()), count)


@test("annotation id 0 is never met, as in pycocotools")
def id_zero():
    """The perfect detection becomes a false positive."""
    body = one()
    body["ground_truth"]["annotations"][0]["id"] = 0
    same_bits(evaluate(server(), body)["summary"]["AP"], 0.0)


@test("of two annotations of one id the last counts, twice")
def duplicate_ids():
    """pycocotools looks both occurrences up and finds the last."""
    body = one()
    twin = annotation(1, 42, 7, [300, 300, 50, 40], 2000)
    body["ground_truth"]["annotations"].append(twin)
    same_bits(evaluate(server(), body)["summary"]["AP"], 0.0)
    body["detections"].append(detection(42, 7, [300, 300, 50, 40], 0.9))
    got = evaluate(server(), body)
    equal(got["counts"]["annotations"], 2)
    same_bits(got["summary"]["AP"],
              mean(([ALMOST] * 51 + [0.0] * 50) * 10))


# Empty lists


EMPTY = [("images and detections", ["images", "annotations"], True, -1.0),
         ("annotations", ["annotations"], False, -1.0),
         ("categories", ["categories"], False, -1.0),
         ("detections", [], True, 0.0),
         ("everything", ["images", "annotations", "categories"], True, -1.0)]


@each("no {0}", EMPTY)
def empty(_what, keys, without_detections, ap):
    """200; null where nothing is defined, and a warning."""
    body = zoo(outputs=ALL_OUTPUTS)
    for key in keys:
        body["ground_truth"][key] = []
    if without_detections:
        body["detections"] = []
    got = evaluate(server(), body)
    same_bits(got["summary_array"], [ap] * 12)
    equal(list(got["summary"].values()), [None if ap < 0 else ap] * 12)
    codes = [w["code"] for w in got["warnings"]]
    equal("undefined_no_ground_truth" in codes, ap < 0)
    equal(post(server(), {**body, "outputs": ["summary"]},
               "text/plain").text(), twelve_lines([ap] * 12))


@test("no columns' items; outputs []")
def empty_columns():
    """An empty columnar form, and no outputs at all."""
    body = zoo(outputs=[])
    body["detections"] = columns([])
    got = evaluate(server(), body)
    equal(list(got), ["protocol", "counts", "warnings"])
    equal(got["counts"]["detections"], 0)


@test("white space around and in the body does no harm")
def white_space():
    """All four kinds of it."""
    body = json.dumps(one(), indent="\t").encode()
    equal(post(server(), b"\r\n\t " + body + b"\n\n").status, 200)


main()
