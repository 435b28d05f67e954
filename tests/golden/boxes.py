"""Cases of boxes: their losses, metrics, suppression and assignment."""
from mpmath import mp, mpf

from cases import case, gradient, loss, nest, reductions, shape
from dual import (Dual, at_least, atan2, dual, greater, hold, lesser, log,
                  total, variables)

# A pair of each kind; corners are dyadic, so that ties are exact.
PAIRS = [
    ([0, 0, 4, 4], [2, 1, 6, 5]),           # overlap
    ([0, 0, 2, 2], [3, 5, 4, 9]),           # apart
    ([0, 0, 8, 8], [2, 3, 4, 6]),           # nested
    ([1, 1, 3, 4], [1, 1, 3, 4]),           # identical: ties everywhere
    ([0, 0, 2, 2], [2, 0, 4, 2]),           # touching along an edge
    ([0, 0, 2, 2], [2, 2, 3, 4]),           # touching in a corner
    ([0, 0, 4, 4], [0, 1, 4, 3]),           # sharing two sides
    ([0.5, 0.25, 3.5, 1.25], [1, 0, 2.75, 2]),
    ([0, 0, 1, 16], [0.25, 4, 4, 5]),       # of very different shapes
    ([10, 10, 11, 11], [10.125, 9.875, 11.25, 11]),
]
DEGENERATE = [
    ([1, 1, 1, 1], [1, 1, 1, 1]),           # the same point
    ([0, 0, 0, 0], [1, 2, 1, 2]),           # two points
    ([0, 0, 0, 4], [0, 0, 0, 4]),           # the same line
    ([0, 0, 2, 2], [1, 1, 1, 1]),           # a point inside
    ([0, 1, 3, 1], [1, 0, 2, 2]),           # a line across
]


def corners(b, layout):
    if layout == "xyxy":
        return b
    half = mpf("0.5")
    x, y = (b[0], b[1]) if layout == "xywh" else (b[0] - b[2] * half,
                                                  b[1] - b[3] * half)
    return [x, y, x + b[2], y + b[3]]


def as_layout(b, layout):
    w, h = b[2] - b[0], b[3] - b[1]
    if layout == "xywh":
        return [b[0], b[1], w, h]
    if layout == "cxcywh":
        return [b[0] + w / 2, b[1] + h / 2, w, h]
    return b


def exact_quotient(x, y, eps):
    y = y + eps
    return x / y if y.v > 0 else Dual(0)


def added_quotient(x, y, eps):
    return x / (y + eps)


def bounded_quotient(x, y, eps):
    return x / greater(y, Dual(eps))


def both_overlap(w, h):
    return w * h if w.v > 0 and h.v > 0 else Dual(0)


def clamped_overlap(w, h):
    return at_least(w, 0) * at_least(h, 0)


def scaled_angle(w, h, paper):
    """atan(w/h); the paper leaves out 1/(w^2 + h^2) in its gradient."""
    a = atan2(w, h)
    return a.chain(a.v, w.v ** 2 + h.v ** 2) if paper else a


def metric(kind, a, b, p, crowd=False):
    """Of two boxes with corners; p has variant, eps and what else it needs."""
    variant = p.get("variant", "exact")
    eps = mpf(p["eps"])
    quotient = {"exact": exact_quotient, "torchvision": added_quotient,
                "mmdet": bounded_quotient if kind in ("iou", "giou")
                else added_quotient}[variant]
    overlap = both_overlap if variant == "torchvision" else clamped_overlap
    w, h, W, H = a[2] - a[0], a[3] - a[1], b[2] - b[0], b[3] - b[1]
    inter = overlap(lesser(a[2], b[2]) - greater(a[0], b[0]),
                    lesser(a[3], b[3]) - greater(a[1], b[1]))
    union = w * h if crowd else w * h + W * H - inter
    iou = quotient(inter, union, eps)
    if kind == "iou":
        return iou
    cw = greater(a[2], b[2]) - lesser(a[0], b[0])
    ch = greater(a[3], b[3]) - lesser(a[1], b[1])
    if kind == "giou":
        hull = cw * ch
        return iou - quotient(hull - union, hull, eps)
    dx, dy = (a[0] + a[2] - b[0] - b[2]) / 2, (a[1] + a[3] - b[1] - b[3]) / 2
    diou = iou - quotient(dx * dx + dy * dy, cw * cw + ch * ch, eps)
    if kind == "diou":
        return diou
    if variant == "mmdet":
        h, H = h + eps, H + eps
    turn = atan2(W, H) - scaled_angle(w, h, p.get("aspect_scale") == "paper")
    v = turn * turn * (4 / mp.pi ** 2)
    alpha = quotient(v, 1 - iou + v, mpf(p["alpha_eps"]))
    if p.get("alpha_gate") == "0.5" and not iou.v > 0.5:
        alpha = Dual(0)
    if p.get("alpha_gradient") != "full" or variant == "torchvision":
        alpha = hold(alpha)
    ciou = diou - alpha * v
    if variant == "mmdet":
        return lesser(at_least(ciou, -1), Dual(1)) if ciou.v != 1 else ciou
    return ciou


EPS = {"exact": 0, "torchvision": 1e-7, "mmdet": 1e-7}


def settled(kind, p):
    variant = p.get("variant", "exact")
    q = {"eps": 1e-6 if kind == "iou" and variant == "mmdet"
         else EPS[variant], **p}
    q["alpha_eps"] = q["eps"] if variant == "torchvision" else 0
    if variant == "mmdet":
        q.setdefault("alpha_gate", "0.5")
    return q


def box_loss(kind):
    def one(a, b, p):
        m = metric(kind, a, b, p)
        mode = p.get("mode", "linear")
        if kind == "iou" and p.get("variant") == "mmdet":
            m = at_least(m, p["eps"])
        if mode == "square":
            return 1 - m * m
        return -log(m) if mode == "log" else 1 - m

    def formula(x, inputs, p):
        q, layout = settled(kind, p), p.get("format", "xyxy")
        return [one(corners(x[4 * i:4 * i + 4], layout),
                    corners([dual(t) for t in target], layout), q)
                for i, target in enumerate(inputs["target"])]
    return formula


def pairs_as(pairs, layout):
    return {"input": [as_layout(a, layout) for a, _ in pairs],
            "target": [as_layout(b, layout) for _, b in pairs]}


def settings(kind):
    yield {}
    yield {"variant": "torchvision"}
    yield {"variant": "mmdet"}
    yield {"variant": "torchvision", "eps": 0.125}
    yield {"variant": "mmdet", "eps": 0.125}
    if kind == "iou":
        yield {"mode": "square"}
        yield {"mode": "square", "variant": "mmdet"}
        yield {"mode": "log", "variant": "mmdet"}
    if kind == "ciou":
        for q in ({"alpha_gradient": "full"}, {"alpha_gate": "0.5"},
                  {"aspect_scale": "paper"}):
            yield q
            yield {**q, "alpha_gradient": "full"}
        yield {"variant": "mmdet", "alpha_gradient": "full"}
        yield {"variant": "mmdet", "alpha_gate": "none"}


def first(inputs):
    return shape(inputs["target"])[:1]


def box_losses():
    for kind in ("iou", "giou", "diou", "ciou"):
        f = box_loss(kind)
        for layout in ("xyxy", "xywh", "cxcywh"):
            reductions(kind, f, pairs_as(PAIRS[:3], layout), [[1, 0.5, 2], 0.5],
                       {"format": layout}, dims=first, absolute=1e-15)
        for p in settings(kind):
            few = [q for q in PAIRS if p.get("mode") != "log"
                   or p.get("variant") == "mmdet"]
            loss(kind, f, pairs_as(few, "xyxy"), {**p, "reduction": "none"},
                 dims=first, absolute=1e-15)
            loss(kind, f, pairs_as(few, "cxcywh"),
                 {**p, "format": "cxcywh"}, dims=first, absolute=1e-15)
        loss(kind, f, pairs_as(DEGENERATE, "xyxy"), {"reduction": "none"},
             dims=first, absolute=1e-15)
    touching = [q for q in PAIRS if metric("iou", *(
        [dual(c) for c in b] for b in q), {"eps": 0}).v > 0]
    loss("iou", box_loss("iou"), pairs_as(touching, "xyxy"),
         {"reduction": "none", "mode": "log"}, dims=first, absolute=1e-15)


def bounded_iou(x, inputs, p):
    beta, eps = mpf(p.get("beta", 0.2)), mpf(p.get("eps", 1e-3))
    plus = 1 if p.get("plus1") else 0
    layout, out = p.get("format", "xyxy"), []
    for i, target in enumerate(inputs["target"]):
        a = corners(x[4 * i:4 * i + 4], layout)
        b = corners([dual(t) for t in target], layout)
        centre, size = [], []
        for k in range(2):
            s, t = a[k + 2] - a[k] + plus, b[k + 2] - b[k] + plus
            d = abs(a[k] + a[k + 2] - b[k] - b[k + 2])  # twice |D|
            centre.append(1 - greater((t - d) / (t + d + eps), Dual(0)))
            size.append(1 - lesser(t / (s + eps), s / (t + eps)))
        for e in centre + size:
            out.append(e * e / (2 * beta) if e < beta else e - beta / 2)
    return out


def bounded_ious():
    w = [[1, 0.5, 2, 0], [1, 1, 1, 3], [0.25, 2, 0, 1]]
    for layout in ("xyxy", "xywh", "cxcywh"):
        reductions("bounded_iou", bounded_iou, pairs_as(PAIRS[:3], layout),
                   [w, 0.5, [1, 2, 0.5, 3]], {"format": layout},
                   absolute=1e-15)
    for p in ({}, {"beta": 0.5}, {"eps": 0.125}, {"plus1": True}):
        loss("bounded_iou", bounded_iou,
             pairs_as([q for q in PAIRS if q[0] != q[1]], "xyxy"),
             {**p, "reduction": "none"}, absolute=1e-15)


def boxes_of(rows, layout):
    return [corners([dual(c) for c in r], layout) for r in rows]


def of_metric(p):
    """eps in every denominator, and the whole gradient."""
    eps = p.get("eps", 0)
    return {"eps": eps, "alpha_eps": eps, "alpha_gradient": "full"}


def matrix(kind, a, b, p, crowd=None):
    layout, q = p.get("format", "xyxy"), of_metric(p)
    return [[metric(kind, x, y, q, crowd and crowd[j]) for j, y in
             enumerate(boxes_of(b, layout))] for x in boxes_of(a, layout)]


def pairs(kind, a, b, p, crowd=None):
    layout, q = p.get("format", "xyxy"), of_metric(p)
    x = variables([c for row in a for c in row])
    return x, [metric(kind, corners(x[4 * i:4 * i + 4], layout), y, q,
                      crowd and crowd[i])
               for i, y in enumerate(boxes_of(b, layout))]


def best(values, k):
    """The k largest of a row, ties by lower index."""
    order = sorted(range(len(values)), key=lambda j: (-values[j].v, j))[:k]
    return order, [values[j] for j in order]


def metrics():
    for kind in ("iou", "giou", "diou", "ciou"):
        for layout in ("xyxy", "xywh", "cxcywh"):
            for chosen in (PAIRS, DEGENERATE):
                a = [as_layout(x, layout) for x, _ in chosen]
                b = [as_layout(y, layout) for _, y in chosen]
                one_metric(kind, a, b, layout, chosen is PAIRS)


def one_metric(kind, a, b, layout, generic):
    inputs = {"boxes_a": a, "boxes_b": b}
    p = {"format": layout}
    case("boxes/" + kind, inputs, p, {"value": matrix(kind, a, b, p)},
         absolute=1e-15)
    q = {**p, "mode": "pairs"}
    for more in ({}, {"eps": 0.125}):
        x, values = pairs(kind, a, b, {**q, **more})
        case("boxes/" + kind, inputs, {**q, **more},
             {"value": values,
              "grad": nest(gradient(total(values), len(x)), shape(a))},
             absolute=1e-15)
    if generic:
        q = {**p, "top_k": 3}
        rows = [best(r, 3) for r in matrix(kind, a, b, p)]
        case("boxes/" + kind, inputs, q,
             {"indices": [i for i, _ in rows], "value": [v for _, v in rows]},
             absolute=1e-15)
    if kind == "iou":
        crowd = [j % 2 for j in range(len(b))]
        with_crowd = {**inputs, "crowd_b": crowd}
        case("boxes/iou", with_crowd, p,
             {"value": matrix(kind, a, b, p, crowd)}, absolute=1e-15)
        case("boxes/iou", with_crowd, {**p, "mode": "pairs"},
             {"value": pairs(kind, a, b, p, crowd)[1]}, absolute=1e-15)


CLUSTERS = [[0, 0, 4, 4], [0.5, 0, 4.5, 4], [0, 1, 4, 5], [2, 2, 6, 6],
            [10, 10, 12, 14], [10, 10, 12, 14], [10.5, 11, 12, 14],
            [3, 0, 4, 4], [20, 20, 20, 20], [0, 0, 4, 2]]
SCORES = [0.9, 0.75, 0.8125, 0.5, 0.625, 0.625, 0.9375, 0.25, 0.125, 0.6875]
LABELS = [1, 1, 2, 1, 3, 3, 2, 1, 1, 2]


def suppress(boxes, scores, labels, p):
    """From the definition: always the best of those that are left."""
    method = p.get("method", "hard")
    soft = method in ("linear", "gaussian")
    thr = mpf(p.get("iou_threshold", 0.5))
    floor = mpf(p.get("score_threshold", 0.001 if soft else 0))
    rows = boxes_of(boxes, p.get("format", "xyxy"))
    left = {i: mpf(s) for i, s in enumerate(scores)}
    kept, out = [], []
    while left and len(kept) < p.get("max_output", len(boxes)):
        i = max(left, key=lambda j: (left[j], -j))
        score = left.pop(i)
        if score < floor:
            break
        kept.append(i)
        out.append(score)
        for j in list(left):
            if labels and labels[i] != labels[j]:
                continue
            q = {"eps": 0}
            iou = metric("iou", rows[i], rows[j], q).v
            if method == "diou":
                far = iou - metric("diou", rows[i], rows[j], q).v
                iou = iou - far ** mpf(p.get("beta", 1))
            if method == "linear" and iou > thr:
                left[j] *= 1 - iou
            elif method == "gaussian":
                left[j] *= mp.exp(-iou ** 2 / mpf(p.get("sigma", 0.5)))
            elif not soft and iou > thr:
                del left[j]
    return {"indices": kept, "scores": out}


def suppressions():
    for method in ("hard", "diou", "linear", "gaussian"):
        for labels in (None, LABELS):
            for more in ({}, {"iou_threshold": 0.25}, {"iou_threshold": 0},
                         {"iou_threshold": 1}, {"score_threshold": 0.5},
                         {"max_output": 3}, {"format": "xywh"},
                         {"beta": 0.5} if method == "diou" else {},
                         {"sigma": 0.25} if method == "gaussian" else {}):
                p = {"method": method, **more}
                layout = p.get("format", "xyxy")
                inputs = {"boxes": [as_layout(b, layout) for b in CLUSTERS],
                          "scores": SCORES}
                if labels:
                    inputs["labels"] = labels
                case("boxes/nms", inputs, p,
                     suppress(inputs["boxes"], SCORES, labels, p),
                     absolute=1e-15)
    # An IoU of exactly the threshold does not suppress: 8/16.
    case("boxes/nms", {"boxes": [[0, 0, 4, 4], [0, 0, 4, 2], [0, 0, 4, 2.125]],
                       "scores": [1, 0.5, 0.75]}, {}, {
        "indices": [0, 1], "scores": [1, 0.5]}, "by hand")
    case("boxes/nms", {"boxes": {"shape": [0, 4], "data": []}, "scores": []}, {},
         {"indices": [], "scores": []}, "by hand")


def assign(anchors, boxes, p):
    high, low = p.get("positive_iou", 0.7), p.get("negative_iou", 0.3)
    iou = [[v.v for v in row] for row in matrix(
        "iou", anchors, boxes, {"format": p.get("format", "xyxy")})]
    labels, matched, value = [], [], []
    best_of = [max(row[j] for row in iou) for j in range(len(boxes))]
    for row in iou:
        best = max(row, default=mpf(0))
        forced = p.get("force_match", True) and any(
            v > 0 and v == b for v, b in zip(row, best_of))
        label = 1 if boxes and (best >= high or forced) else (
            0 if best < low else -1)
        labels.append(label)
        matched.append(row.index(best) if label == 1 else -1)
        value.append(best)
    return {"labels": labels, "matched": matched, "value": value}


def assignments():
    objects = [[0, 0, 4, 4], [2, 2, 6, 6], [10, 10, 12, 14], [30, 30, 34, 34],
               [0, 0, 4, 4]]
    for p in ({}, {"force_match": False}, {"positive_iou": 0.5},
              {"negative_iou": 0}, {"positive_iou": 1}, {"format": "cxcywh"},
              {"positive_iou": 0.5, "negative_iou": 0.5}):
        layout = p.get("format", "xyxy")
        rows = [as_layout(b, layout) for b in CLUSTERS]
        found = [as_layout(b, layout) for b in objects]
        case("boxes/assign", {"anchors": rows, "boxes": found}, p,
             assign(rows, found, p))
    case("boxes/assign", {"anchors": [[0, 0, 1, 1]],
                          "boxes": {"shape": [0, 4], "data": []}}, {},
         {"labels": [0], "matched": [-1], "value": [0]}, "by hand")


def all_boxes():
    for f in (box_losses, bounded_ious, metrics, suppressions, assignments):
        f()
