"""What is answered beyond AP, on data of which every number is worked out."""
import sys

sys.dont_write_bytecode = True
from cocodata import (ALMOST, annotation, category, detection, mean, one,
                      request)
from harness import (check, check_problem, contains, each, equal, evaluate,
                     get, main, post, same_bits, server, test)

KINDS = ["classification", "localisation", "both", "duplicate", "background",
         "missed", "false_positive", "false_negative"]


def errors_of_all_kinds(**more):
    """
    One image, a false positive of each kind, best score first:
      0.9 cat  finds cat 1 exactly
      0.8 cat  finds it once more: duplicate
      0.7 dog  on cat 3: classification
      0.6 dog  a third of dog 4: localisation
      0.5 cat  a third of dog 4: both
      0.4 cat  far from all: background
    and dog 2, which nothing overlaps.
    """
    return request(
        {"images": [{"id": 1}],
         "categories": [category(1, "cat"), category(2, "dog")],
         "annotations": [annotation(1, 1, 1, [0, 0, 10, 10], 100),
                         annotation(2, 1, 2, [20, 0, 10, 10], 100),
                         annotation(3, 1, 1, [40, 0, 10, 10], 100),
                         annotation(4, 1, 2, [60, 0, 10, 10], 100)]},
        [detection(1, 1, [0, 0, 10, 10], 0.9),
         detection(1, 1, [0, 0, 10, 10], 0.8),
         detection(1, 2, [40, 0, 10, 10], 0.7),
         detection(1, 2, [60, 5, 10, 10], 0.6),
         detection(1, 1, [60, 5, 10, 10], 0.5),
         detection(1, 1, [200, 200, 10, 10], 0.4)], **more)


def output(name, **parameters):
    """One output of the above."""
    body = errors_of_all_kinds(outputs=[name], parameters=parameters)
    return evaluate(server(), body)[name]


def near(got, want, what="value"):
    """Equal but for the rounding of a few operations."""
    check(abs(got - want) <= 1e-15, f"{what}: {got!r}, not {want!r}")


def interleaved(cat, dog):
    """The mean over both categories, in the order of pycocotools."""
    return mean([x for pair in zip(cat, dog) for x in pair])


NONE = [0.0] * 101
CAT = [ALMOST] * 51 + [0.0] * 50  # one of two found, at once
FOUND = {  # the curves at IoU 0.5 with each kind of error mended
    "classification": ([ALMOST] * 51 + [2 / 3] * 50, NONE),
    "localisation": (CAT, [0.5] * 51 + [0.0] * 50),
    "false_negative": ([ALMOST] * 101, NONE)}


@test("errors: each kind once, and what AP gains without it")
def errors():
    """The others cost nothing: they come after all that was found."""
    got = output("errors")
    equal(list(got), ["iou", "background_iou", "AP"] + KINDS + ["per_class"])
    equal((got["iou"], got["background_iou"]), (0.5, 0.1))
    plain = interleaved(CAT, NONE)
    same_bits(got["AP"], plain)
    counts = dict.fromkeys(KINDS, 1)
    counts.update(false_positive=5, false_negative=3)
    equal({k: got[k]["count"] for k in KINDS}, counts)
    for kind in KINDS:
        gain = 0.0
        if kind in FOUND:
            gain = interleaved(*FOUND[kind]) - plain
        near(got[kind]["dAP"], gain, kind)
    cat, dog = got["per_class"]
    equal([cat[k]["count"] for k in KINDS], [0, 0, 1, 1, 1, 0, 3, 1])
    equal([dog[k]["count"] for k in KINDS], [1, 1, 0, 0, 0, 1, 2, 2])
    near(cat["AP"], mean(CAT))
    near(cat["classification"]["dAP"], 50 * (2 / 3) / 101)
    near(dog["localisation"]["dAP"], 51 * 0.5 / 101)
    equal(dog["AP"], 0.0)


@test("errors: a lower background_iou makes background of both")
def background():
    """A third is below 0.4."""
    got = output("errors", background_iou=0.4)
    equal([got[k]["count"] for k in KINDS], [1, 0, 0, 1, 3, 2, 5, 3])


@test("confusion: rows are ground truths, columns detections")
def confusion():
    """The dog on cat 3 takes its place; margins are tp + fn and tp + fp."""
    got = output("confusion")
    equal(got["labels"], [{"category_id": 1, "name": "cat"},
                          {"category_id": 2, "name": "dog"},
                          {"category_id": None, "name": "background"}])
    equal(got["matrix"], [[1, 1, 0], [0, 0, 2], [3, 1, 0]])
    equal(got["pairs"], [{"ground_truth": 1, "detection": 2, "count": 1}])
    equal((got["iou"], got["score_threshold"]), (0.5, 0))
    got = output("confusion", score_threshold=0.75)
    equal(got["matrix"], [[1, 0, 1], [0, 0, 2], [1, 0, 0]])
    equal(got["pairs"], [])


@test("operating_points: the best F1, and counts at asked scores")
def operating_points():
    """F1 is 2 tp / (tp + fp + ground truths)."""
    got = output("operating_points", score_thresholds=[0.65, 0.95])
    overall = got["overall"]
    equal((overall["ground_truths"], overall["detections"]), (4, 6))
    equal(overall["best_f1"], {"score": 0.9, "f1": 0.4, "precision": 1.0,
                               "recall": 0.25, "tp": 1, "fp": 0, "fn": 3})
    at, none = overall["at"]
    equal(at, {"score": 0.65, "f1": 2 / 7, "precision": 1 / 3, "recall": 0.25,
               "tp": 1, "fp": 2, "fn": 3})
    equal(none, {"score": 0.95, "f1": 0.0, "precision": None, "recall": 0.0,
                 "tp": 0, "fp": 0, "fn": 4})
    cat, dog = got["per_class"]
    equal((cat["name"], cat["best_f1"]["f1"], cat["at"][0]["fp"]),
          ("cat", 2 / 3, 1))
    equal((dog["best_f1"], dog["at"][0]["fp"]), (None, 1))


@test("operating_points: equal scores stand or fall together")
def tied():
    """No threshold keeps the right one of two with the same score."""
    body = one(outputs=["operating_points"])
    body["detections"] += [{**body["detections"][0], "bbox": [90, 90, 5, 5]}]
    got = evaluate(server(), body)["operating_points"]["overall"]["best_f1"]
    equal((got["tp"], got["fp"], got["f1"]), (1, 1, 2 / 3))


@test("lrp: localisation, false positives and misses in one number")
def lrp():
    """1/2 of cat at 0.9, and 1 of dog, where nothing is found."""
    got = output("lrp")
    cat, dog = got["per_class"]
    equal([cat[k] for k in ("oLRP", "oLRP_localisation", "oLRP_false_positive",
                            "oLRP_false_negative", "score", "LRP")],
          [0.5, 0.0, 0.0, 0.5, 0.9, 0.8])
    equal([dog[k] for k in ("oLRP", "oLRP_localisation", "oLRP_false_positive",
                            "oLRP_false_negative", "score", "LRP")],
          [1.0, None, None, 1.0, None, 1.0])
    equal([got[k] for k in ("oLRP", "oLRP_localisation", "oLRP_false_positive",
                            "oLRP_false_negative")], [0.75, 0.0, 0.0, 0.75])
    near(got["LRP"], 0.9)


@test("calibration: bins are open below and closed above")
def calibration():
    """0.5 belongs to the lower of two bins."""
    got = output("calibration", calibration_bins=2)
    low, high = got["bins"]
    equal((low["low"], low["high"], low["count"], low["precision"]),
          (0.0, 0.5, 2, 0.0))
    near(low["confidence"], 0.45)
    equal((high["low"], high["high"], high["count"], high["precision"]),
          (0.5, 1.0, 4, 0.25))
    near(high["confidence"], 0.75)
    near(got["ECE"], (0.9 + 2) / 6)
    near(got["MCE"], 0.5)
    equal((got["detections"], got["outside"]), (6, 0))
    dog = got["per_class"][1]
    equal((dog["count"], dog["precision"]), ([0, 2], [None, 0.0]))


@test("per_image: matches, and labels that look wrong")
def suspects():
    """Only what scores 0.5 or more makes a label suspect."""
    row, = output("per_image")
    equal(row["matches"], [{"detection": 0, "annotation_id": 1, "iou": 1.0}])
    equal(row["suspects"],
          [{"kind": "wrong_label", "detection": 2, "annotation_id": 3,
            "iou": 1.0, "score": 0.7},
           {"kind": "loose_label", "detection": 3, "annotation_id": 4,
            "iou": 1 / 3, "score": 0.6},
           {"kind": "spurious_label", "detection": None, "annotation_id": 2,
            "iou": 0.0, "score": None}])
    row, = output("per_image", suspect_score=0.3)
    equal([s["kind"] for s in row["suspects"]],
          ["missing_label", "wrong_label", "loose_label", "spurious_label"])


@test("curves: a point per true positive and one at the end; the envelope")
def curves():
    """One per category and threshold."""
    got = output("curves", iou_thresholds=[0.5, 0.75])
    equal([(c["name"], c["iou"]) for c in got],
          [("cat", 0.5), ("cat", 0.75), ("dog", 0.5), ("dog", 0.75)])
    same_bits(got[0]["raw"], {"recall": [0.5, 0.5],
                              "precision": [ALMOST, 1 / (4 + 2.0 ** -52)],
                              "score": [0.9, 0.4]})
    same_bits(got[0]["envelope"],
              {"precision": CAT, "score": [0.9] * 51 + [0.0] * 50})
    equal((got[0]["ground_truths"], got[0]["detections"]), (2, 4))
    equal(got[2]["raw"], {"recall": [0.0], "precision": [0.0],
                          "score": [0.6]})


@test("curves: curve_points keeps the ends and spaces the rest evenly")
def thinned():
    """A hundred found in a row."""
    body = request(
        {"images": [{"id": 1}], "categories": [category(1)],
         "annotations": [annotation(i + 1, 1, 1, [20 * i, 0, 10, 10], 100)
                         for i in range(100)]},
        [detection(1, 1, [20 * i, 0, 10, 10], 1 - i / 128)
         for i in range(100)], outputs=["curves"],
        parameters={"iou_thresholds": [0.5], "curve_points": 4})
    curve, = evaluate(server(), body)["curves"]
    equal(curve["raw"]["recall"], [0.01, 0.34, 0.67, 1.0])


@test("slices: by size and by number of objects")
def slices():
    """Four small objects in one image."""
    got = output("slices")
    ap = interleaved(CAT, NONE)
    equal([(s["name"], s["ground_truths"], s["AP50"]) for s in got["size"]],
          [("all", 4, ap), ("small", 4, ap), ("medium", 0, None),
           ("large", 0, None)])
    equal([(s["name"], s["objects"], s["images"], s["ground_truths"],
            s["AP50"]) for s in got["count"]],
          [("1", [1, 1], 0, 0, None), ("2-4", [2, 4], 1, 4, ap),
           ("5-9", [5, 9], 0, 0, None), ("10+", [10, None], 0, 0, None)])
    equal(output("slices", count_ranges={})["count"], [])


@test("intervals: of one image every resample is that image")
def intervals():
    """So the ends of the interval are the number itself."""
    got = output("intervals", intervals={"resamples": 7, "level": 0.5,
                                         "seed": 3})
    equal([got[k] for k in ("resamples", "level", "seed", "method", "unit")],
          [7, 0.5, 3, "percentile", "image"])
    ap = interleaved(CAT, NONE)
    equal(got["summary"]["AP50"], {"low": ap, "high": ap, "std": 0.0,
                                   "resamples": 7})
    equal(got["summary"]["AP_large"], {"low": None, "high": None, "std": None,
                                       "resamples": 0})
    equal([(c["name"], c["AP"]["low"]) for c in got["per_class"]],
          [("cat", mean(CAT * 10)), ("dog", 0.0)])


@each("{0} is refused at {1}", [
    ({"background_iou": 0.6}, "/background_iou", "per_image_iou"),
    ({"background_iou": 2}, "/background_iou", "0 to 1"),
    ({"calibration_bins": 0}, "/calibration_bins", "1 to 100"),
    ({"calibration_bins": 101}, "/calibration_bins", "1 to 100"),
    ({"count_ranges": {"a": [3, 2]}}, "/count_ranges/a", "above"),
    ({"count_ranges": {"a": [None, 2]}}, "/count_ranges/a/0", "null"),
    ({"count_ranges": {"a": [1]}}, "/count_ranges/a", "2"),
    ({"count_ranges": {"a b": [1, 2]}}, "/count_ranges/a b", "letters"),
    ({"count_ranges": {str(i): [i, i] for i in range(17)}}, "/count_ranges",
     "16"),
    ({"curve_points": 1}, "/curve_points", "2 to 1000000"),
    ({"score_thresholds": 0.5}, "/score_thresholds", "array"),
    ({"score_thresholds": ["NaN"]}, "/score_thresholds/0", "finite"),
    ({"score_thresholds": [0] * 101}, "/score_thresholds", "100"),
    ({"suspect_score": "x"}, "/suspect_score", "number"),
    ({"intervals": {"resamples": 0}}, "/intervals/resamples", "1 to 100000"),
    ({"intervals": {"level": 1}}, "/intervals/level", "0.95"),
    ({"intervals": {"seed": -1}}, "/intervals/seed", "0 to"),
    ({"intervals": {"sed": 1}}, "/intervals/sed", "seed")])
def refused(parameters, pointer, part):
    """422, at the parameter, with what would be right."""
    reply = post(server(), one(parameters=parameters))
    problem = check_problem(
        server(), reply, 422,
        reply.json()["type"].removeprefix("/problems/"))
    equal(problem["errors"][0]["pointer"], "/parameters" + pointer)
    contains(problem["errors"][0]["detail"], part)


@test("a low per_image_iou takes the usual background_iou with it")
def low_match():
    """Nothing is refused that was not asked for."""
    got = evaluate(server(), one(parameters={"per_image_iou": 0.05}))
    equal(got["protocol"]["background_iou"], 0.05)


@test("labels are suspect by what counts at score_threshold")
def suspects_at_threshold():
    """A cat found with 0.1 is missed at 0.5, where a dog stands for it."""
    body = one(outputs=["per_image"], parameters={"score_threshold": 0.5})
    body["ground_truth"]["categories"].append(category(8, "dog"))
    found, = body["detections"]
    body["detections"] = [{**found, "category_id": 8, "score": 0.9},
                          {**found, "score": 0.1}]
    row, = evaluate(server(), body)["per_image"]
    equal((row["fp"], row["fn"]), (1, 1))
    equal([(s["kind"], s["detection"]) for s in row["suspects"]],
          [("wrong_label", 0)])


@test("scores below zero are left out with a word")
def negative_scores():
    """Only where score_threshold is asked about, and was not lowered."""
    for outputs, threshold, count in ((["summary"], 0, 0),
                                      (["lrp"], 0, 1), (["lrp"], -5, 0)):
        body = one(outputs=outputs,
                   parameters={"score_threshold": threshold})
        body["detections"][0]["score"] = -1.5
        warned = [w["count"] for w in evaluate(server(), body)["warnings"]
                  if w["code"] == "negative_scores"]
        equal(sum(warned), count, f"{outputs} {threshold}")


@each("{0} of {1} categories, {2} IoU and {3} recall thresholds fit", [
    ("arrays", 365, 10, 101), ("arrays", 1, 63, 1001),
    ("curves", 20000, 10, 101)])
def large(name, categories, ious, recalls):
    """What is reserved for workers is no more than there is."""
    body = one(outputs=[name], parameters={
        "iou_thresholds": [i / 63 for i in range(ious)],
        "recall_thresholds": [i / 1001 for i in range(recalls)]})
    body["ground_truth"]["categories"] += [
        category(i) for i in range(100, 99 + categories)]
    got = evaluate(server(), body)[name]
    if name == "curves":
        equal(len(got), categories * ious)
    else:
        equal((len(got["precision"]), len(got["precision"][0]),
               len(got["precision"][0][0])), (ious, recalls, categories))


@test("lrp stays from 0 to 1 however close to 1 the IoU of a match")
def lrp_at_one():
    """As in matching, 1 - 1e-10 is the most that is asked."""
    body = one(outputs=["lrp"], parameters={"per_image_iou": 1})
    body["ground_truth"]["annotations"][0]["bbox"] = [0, 0, 1, 1]
    body["detections"][0]["bbox"] = [0, 0, 1, 1 - 5e-11]
    got = evaluate(server(), body)["lrp"]
    check(0.4 < got["LRP"] < 0.6 and got["oLRP"] == got["LRP"], repr(got))


@test("every output of nothing at all")
def nothing():
    """No images, no categories, no detections: empty, and null."""
    names = get(server(), "/openapi.json").json()["components"]["schemas"][
        "DetectionOutput"]["enum"]
    empty = {"images": [], "annotations": [], "categories": []}
    for categories in (True, False):
        got = evaluate(server(), request(
            empty, [], outputs=names,
            parameters={"use_categories": categories}))
        equal(got["errors"]["AP"], None)
        equal(got["operating_points"]["overall"]["best_f1"], None)
        equal(got["calibration"]["ECE"], None)
        equal(got["lrp"]["oLRP"], None)
        equal(got["intervals"]["summary"]["AP"]["resamples"], 0)


main()
