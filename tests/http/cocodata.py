"""Small data sets whose scores are known, and the arithmetic of COCO.md."""

ALMOST = 1 - 2.0 ** -52  # 1 / (1 + 2^-52): a lone true positive's precision
LINE = " {:<18} {} @[ IoU={:<9} | area={:>6s} | maxDets={:>3d} ] = {:0.3f}"
NAMES = ["AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AR_1",
         "AR_10", "AR_100", "AR_small", "AR_medium", "AR_large"]


def category(number, name=None):
    """A category of the ground truth."""
    return {"id": number, "name": name} if name else {"id": number}


def annotation(number, image, kind, bbox, area, crowd=0):
    """An annotation of the ground truth."""
    return {"id": number, "image_id": image, "category_id": kind,
            "bbox": bbox, "area": area, "iscrowd": crowd}


def detection(image, kind, bbox, score):
    """A detection."""
    return {"image_id": image, "category_id": kind, "bbox": bbox,
            "score": score}


def request(ground_truth, detections, **more):
    """A request body."""
    return {"ground_truth": ground_truth, "detections": detections, **more}


def one(**more):
    """One object, found perfectly: medium, category 7 on image 42."""
    return request(
        {"images": [{"id": 42}], "categories": [category(7, "cat")],
         "annotations": [annotation(1, 42, 7, [10, 20, 50, 40], 2000)]},
        [detection(42, 7, [10, 20, 50, 40], 0.5)], **more)


def zoo(**more):
    """
    Three images and categories.  By image and category:
      1 cat   small object, found exactly (score 0.9)
      1 dog   medium object, IoU 1/2 (0.6; the detection's area is 1000)
      2 cat   large object, IoU 3/4 (0.8; area 7500), and a crowd with one
              detection inside (0.7)
      3 dog   nothing, one detection (0.5)
      bird    nothing at all
    """
    return request(
        {"images": [{"id": 1}, {"id": 2}, {"id": 3}],
         "categories": [category(1, "cat"), category(2, "dog"),
                        category(3, "bird")],
         "annotations": [
             annotation(1, 1, 1, [10, 10, 20, 20], 400),
             annotation(2, 1, 2, [0, 0, 40, 50], 2000),
             annotation(3, 2, 1, [100, 100, 100, 100], 10000),
             annotation(4, 2, 1, [0, 0, 50, 50], 2500, 1)]},
        [detection(1, 1, [10, 10, 20, 20], 0.9),
         detection(2, 1, [100, 100, 100, 75], 0.8),
         detection(2, 1, [10, 10, 10, 10], 0.7),
         detection(1, 2, [0, 0, 40, 25], 0.6),
         detection(3, 2, [0, 0, 5, 5], 0.5)], **more)


def columns(detections):
    """The columnar form of a list of detections."""
    return {key: [d[key] for d in detections]
            for key in ("image_id", "category_id", "bbox", "score")}


def many(images, per_image, seed=1):
    """A larger request, the same for the same seed, of 4 categories."""
    state = [seed]

    def draw(n):
        state[0] = (state[0] * 6364136223846793005 + 1442695040888963407) \
            % 2 ** 64
        return (state[0] >> 33) % n

    annotations, detections = [], []
    for image in range(1, images + 1):
        for _ in range(5):
            box = [draw(500), draw(300), 5 + draw(120), 5 + draw(120)]
            annotations.append(annotation(len(annotations) + 1, image,
                                          1 + draw(4), box, box[2] * box[3]))
        for i in range(per_image):
            box = [draw(500), draw(300), 5.5 + draw(120), 5.25 + draw(120)]
            if i < 5:
                truth = annotations[-1 - i]
                box = [v + draw(9) for v in truth["bbox"]]
            detections.append(detection(image, 1 + draw(4), box,
                                        draw(1000) / 1000))
    return request({"images": [{"id": i + 1} for i in range(images)],
                    "categories": [category(k + 1) for k in range(4)],
                    "annotations": annotations}, detections)


def pairwise(x):
    """numpy's sum of up to 8,192 numbers: COCO.md, rule 16."""
    n = len(x)
    if n < 8:
        total = -0.0
        for v in x:
            total += v
        return total
    if n <= 128:
        r = list(x[:8])
        whole = n - n % 8
        for i in range(8, whole, 8):
            r = [a + b for a, b in zip(r, x[i:i + 8])]
        total = ((r[0] + r[1]) + (r[2] + r[3])) + \
            ((r[4] + r[5]) + (r[6] + r[7]))
        for v in x[whole:]:
            total += v
        return total
    half = n // 2 - n // 2 % 8
    return pairwise(x[:half]) + pairwise(x[half:])


def mean(x):
    """numpy's mean."""
    return pairwise(x) / len(x)


def twelve_lines(values):
    """pycocotools' summary of the default protocol, as it prints it."""
    rows = [("P", "0.50:0.95", "all", 100), ("P", "0.50", "all", 100),
            ("P", "0.75", "all", 100), ("P", "0.50:0.95", "small", 100),
            ("P", "0.50:0.95", "medium", 100),
            ("P", "0.50:0.95", "large", 100), ("R", "0.50:0.95", "all", 1),
            ("R", "0.50:0.95", "all", 10), ("R", "0.50:0.95", "all", 100),
            ("R", "0.50:0.95", "small", 100),
            ("R", "0.50:0.95", "medium", 100),
            ("R", "0.50:0.95", "large", 100)]
    out = ""
    for (kind, iou, area, limit), value in zip(rows, values):
        title = "Average Precision" if kind == "P" else "Average Recall"
        out += LINE.format(title, f"(A{kind})", iou, area, limit, value) + "\n"
    return out
