"""Cases of the losses but those of boxes."""
from mpmath import mp, mpf

from cases import (case, broadcast, flat, gradient, loss, nest, reduced,
                   reductions, shape, variables)
from dual import Dual, dual, exp, log, sigmoid, softplus, sqrt, total

X = [[0.5, -1.25, 3], [0.0625, 2, -7.5]]
T = [[0.25, 0.5, 3], [1, -2, -7]]
WEIGHTS = [[[1, 0.5, 2], [0, 3, 0.25]], [1, 0.5, 2], [[2], [0.5]], 0.75]
# Differences of 0, of tiny, huge and subnormal size, and on both branches.
X_EDGE = [0, 1, -1, 1e-20, -1e-30, 1e10, 3e-160, 0.1, 1e150, 2, 0.7]
T_EDGE = [0, 0, 0, 0, 1e-30, -1e10, 0, 0.3, -1e150, 1, 1 / 3]


def pairwise(f):
    def formula(x, inputs, p):
        return [f(a, dual(t), p) for a, t in zip(x, flat(inputs["target"]))]
    return formula


def smooth(a, beta):
    return a * a / (2 * beta) if a < beta else a - mpf(beta) / 2


def balanced(x, t, p):
    a = abs(x - t)
    alpha, gamma = mpf(p.get("alpha", 0.5)), mpf(p.get("gamma", 1.5))
    beta = mpf(p.get("beta", 1))
    b = mp.exp(gamma / alpha) - 1
    grown = b * a / beta + 1
    if p.get("variant", "mmdet") == "mmdet":
        if a < beta:
            return alpha / b * (b * a + 1) * log(grown) - alpha * a
        return gamma * a + gamma / b - alpha * beta
    if a < beta:
        return alpha * beta / b * grown * log(grown) - alpha * a
    return gamma * a + beta * (gamma / b - alpha)


def huber(x, t, p):
    delta = p.get("delta", 1)
    return mpf(delta) * smooth(abs(x - t), delta)


REGRESSIONS = {
    "mse": (lambda x, t, p: (x - t) * (x - t), [{}]),
    "l1": (lambda x, t, p: abs(x - t), [{}]),
    "smooth_l1": (lambda x, t, p: smooth(abs(x - t), p.get("beta", 1)),
                  [{}, {"beta": 0.5}, {"beta": 0}, {"beta": 1 / 9}]),
    "huber": (huber, [{}, {"delta": 0.5}, {"delta": 2.5}]),
    "balanced_l1": (balanced, [
        {}, {"alpha": 0.75}, {"gamma": 1}, {"variant": "exact"},
        {"beta": 0.5}, {"variant": "exact", "beta": 0.5},
        {"variant": "exact", "beta": 2, "alpha": 0.25, "gamma": 2}]),
}


def beside(kink):
    """Differences just on either side of where a loss changes its form."""
    return [s * kink * (1 + d) for s in (1, -1)
            for d in (-2 ** -7, -2 ** -20, 2 ** -20, 2 ** -7)]


def regressions():
    for name, (f, parameters) in REGRESSIONS.items():
        for p in parameters:
            reductions(name, pairwise(f), {"input": X, "target": T},
                       WEIGHTS if not p else WEIGHTS[:1], p)
            edge = {"input": X_EDGE, "target": T_EDGE}
            more = {}
            if name == "balanced_l1":
                # Where |d| is small the terms of the formula cancel: that of
                # the exact variant by the square of d, which 1e-12 covers
                # down to |d| = 0.001 only.
                edge = {"input": [0, 1, -1, 0.1, 1e10, 2, 0.7],
                        "target": [0, 0, 0, 0.3, -1e10, 1, 1 / 3]}
                more = {"relative": 1e-12}
            for reduction in ("none", "mean"):
                loss(name, pairwise(f), edge, {**p, "reduction": reduction},
                     **more)
            kink = p.get("beta", p.get("delta", 1))
            if kink:
                near = beside(kink)
                loss(name, pairwise(f),
                     {"input": near, "target": [0] * len(near)},
                     {**p, "reduction": "none"}, **more)


def kl_div(x, t, p):
    if p.get("log_target"):
        return exp(t) * (t - x)
    return t * (log(t) - x) if t > 0 else 0 * x


def kl_divs():
    x = [[-0.5, -1.25, -3], [-0.0625, -2, -7.5]]
    t = [[0.25, 0.5, 0.25], [0, 1, 0]]
    log_t = [[-1.5, -0.75, -0.25], [-3, -0.125, -20]]
    for q, target in ({}, t), ({"log_target": True}, log_t):
        reductions("kl_div", pairwise(kl_div), {"input": x, "target": target},
                   WEIGHTS, q)
        loss("kl_div", pairwise(kl_div), {"input": x, "target": target},
             {**q, "reduction": "batchmean"})
    loss("kl_div", pairwise(kl_div),
         {"input": [-800, -1e-30, -1e30, -0.1], "target": [0, 1, 0.5, 1e-30]},
         {"reduction": "none"})


def kl_box(name="kl_box"):
    a = [[0.5, -0.25, 0], [2, -3, 1.5]]
    for inputs in [{"input": X, "target": T, "log_variance": a}] + [
            {"input": X, "target": T, "log_variance": a, "weight": w}
            for w in WEIGHTS] + [
            {"input": [0, 1, 5, 1e-20, 1e10], "target": [0, 0, 3, 0, 0],
             "log_variance": [-20, 0, 40, 1, 30]},
            {"input": beside(1), "target": [0] * 8,
             "log_variance": [0.5] * 8}]:
        for p in ({"reduction": "none"}, {}, {"reduction": "sum"},
                  {"avg_factor": 1.5}):
            dims = shape(inputs["input"])
            x = variables(flat(inputs["input"]))
            v = variables(flat(inputs["log_variance"]), len(x))
            samples = []
            for d, s in zip(x, v):
                t = flat(inputs["target"])[len(samples)]
                samples.append(exp(-s) * smooth(abs(d - t), 1) + s / 2)
            value, s = reduced(samples, dims, inputs, p)
            # the terms may have different signs
            case("losses/" + name, inputs, p, {
                "value": value,
                "grad": nest(gradient(s, len(x)), dims),
                "grad_log_variance": nest(gradient(s, len(x), len(x)), dims),
            }, relative=1e-12)


def bce(x, t, p):
    """The gradient is not that of the clamped logarithms."""
    def clamped(v):
        return mp.log(v) if v > 0 and mp.log(v) > -100 else mpf(-100)
    value = -(t.v * clamped(x.v) + (1 - t.v) * clamped(1 - x.v))
    slope = (x.v - t.v) / max(x.v * (1 - x.v), mpf(1e-12))
    return x.chain(value, slope)


def bces():
    x = [[0.5, 0.25, 0.75], [0.0625, 0.9375, 0.125]]
    t = [[1, 0, 1], [0, 0.5, 0.25]]
    reductions("bce", pairwise(bce), {"input": x, "target": t}, WEIGHTS)
    edge = {"input": [0, 0, 1, 1, 1e-10, 1e-10, 1e-45, 1e-45, 0.1, 0.9,
                      1 - 2 ** -24, 1 - 2 ** -24, 1e-30],
            "target": [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0, 0]}
    for reduction in ("none", "mean"):
        loss("bce", pairwise(bce), edge, {"reduction": reduction})


# Logits from where e^-|x| is 1 to where it is no double.
LOGITS = [0, 1e-20, 0.5, -0.5, 3, -3, 12, -12, 40, -40, 90, -90, 120, -120,
          740, -740, 1000, -1000, 1e30, -1e30]


def bce_with_logits(x, inputs, p):
    targets = flat(inputs["target"])
    ones = inputs.get("pos_weight", 1)
    ones = broadcast(ones, shape(inputs["input"]))
    return [(1 - mpf(t)) * softplus(v) + mpf(w) * t * softplus(-v)
            for v, t, w in zip(x, targets, ones)]


def logits():
    t = [[1, 0, 1], [0, 0.5, 0.25]]
    f = bce_with_logits
    reductions("bce_with_logits", f, {"input": X, "target": t}, WEIGHTS)
    reductions("bce_with_logits", f,
               {"input": X, "target": t, "pos_weight": [1, 2.5, 0.5]},
               WEIGHTS[:1])
    for target in (0, 1, 0.75):
        edge = {"input": LOGITS, "target": [target] * len(LOGITS)}
        loss("bce_with_logits", f, edge, {"reduction": "none"})
    edge = {"input": LOGITS, "target": [1] * len(LOGITS),
            "pos_weight": [3] * len(LOGITS)}
    loss("bce_with_logits", f, edge, {"reduction": "none"})
    case("losses/bce_with_logits",
         {"input": ["Infinity", "-Infinity", "NaN"], "target": [1, 0, 1]},
         {"reduction": "none"},
         {"value": [0, 0, "NaN"], "grad": [0, 0, "NaN"]}, "limits")


def log_softmax(row):
    """Without cancellation where one of the row outweighs the others."""
    out = []
    for x in row:
        out.append(-log(total([exp(y - x) for y in row])))
    return out


def cross_entropy(x, inputs, p):
    n, c = shape(inputs["input"])
    w = inputs.get("class_weight", [1] * c)
    soft = mpf(p.get("label_smoothing", 0))
    out = []
    for i, t in enumerate(inputs["target"]):
        if t == p.get("ignore_index", -100):
            out.append(Dual(0))
            continue
        logs = log_softmax(x[i * c:(i + 1) * c])
        out.append(-(1 - soft) * w[t] * logs[t] - soft / c * total(
            [v * mpf(k) for k, v in zip(w, logs)]))
    return out


def kept_weight(inputs, p):
    c = shape(inputs["input"])[1]
    w = inputs.get("class_weight", [1] * c)
    return sum(mpf(w[t]) for t in inputs["target"]
               if t != p.get("ignore_index", -100))


def cross_entropies():
    x = [[0.5, -1.25, 3, 0], [0.0625, 2, -7.5, 1], [1, 1, 1, 1]]
    far = [[50, 0, 1, 2], [-1000, 1000, 0, 3], [1e30, 0, -1e30, 5],
           [0, 0, 800, 0]]
    for inputs in ({"input": x, "target": [2, 0, 3]},
                   {"input": x, "target": [1, -100, 3]},
                   {"input": x, "target": [1, 2, 1],
                    "class_weight": [1, 0.5, 2, 0.25]},
                   {"input": x, "target": [-100, 2, 1],
                    "class_weight": [1, 0.5, 2, 0.25]},
                   {"input": far, "target": [0, 1, 0, 2]},
                   {"input": far, "target": [2, 3, 2, 0]}):
        for p in ({}, {"label_smoothing": 0.125}, {"ignore_index": 1}):
            if p.get("ignore_index") and -100 in inputs["target"]:
                continue  # -100 is no class then
            for reduction in ("none", "mean", "sum"):
                loss("cross_entropy", cross_entropy, inputs,
                     {**p, "reduction": reduction},
                     dims=lambda i: shape(i["target"]), divisor=kept_weight,
                     relative=1e-12)
    loss("cross_entropy", cross_entropy, {"input": x, "target": [2, 0, 3]},
         {"avg_factor": 2}, dims=lambda i: shape(i["target"]),
         divisor=kept_weight, relative=1e-12)


def focal(x, t, p):
    """q = 1 - p_t as a sum of products, so that nothing cancels."""
    alpha, gamma = mpf(p.get("alpha", 0.25)), mpf(p.get("gamma", 2))
    ce = (1 - t.v) * softplus(x) + t.v * softplus(-x)
    q = t.v * sigmoid(-x) + (1 - t.v) * sigmoid(x)
    scale = alpha * t.v + (1 - alpha) * (1 - t.v) if alpha >= 0 else mpf(1)
    return scale * ce * q ** gamma


def focals():
    """An ulp of ln q is many of q^gamma."""
    t = [[1, 0, 1], [0, 1, 0]]
    soft = [[0.5, 0.25, 1], [0.75, 0.125, 0]]
    for p in ({}, {"alpha": -1}, {"alpha": 0.75, "gamma": 1.5},
              {"gamma": 0}, {"gamma": 1}, {"gamma": 0.5}, {"gamma": 5}):
        weights = WEIGHTS if not p else WEIGHTS[:1]
        reductions("focal", pairwise(focal), {"input": X, "target": t},
                   weights, p, relative=1e-12)
        loss("focal", pairwise(focal), {"input": X, "target": soft},
             {**p, "reduction": "none"}, relative=1e-12)
        for target in (0, 1):
            edge = {"input": LOGITS, "target": [target] * len(LOGITS)}
            loss("focal", pairwise(focal), edge, {**p, "reduction": "none"},
                 relative=1e-12)


def ghm_weights(g, valid, tot, p, last, acc):
    """Of each sample, and the state after; the loops of the definition."""
    bins, momentum = p.get("bins", 10), mpf(p.get("momentum", 0))
    edges = [mpf(i) / bins for i in range(bins)] + [mpf(last)]
    weights, filled = [mpf(0)] * len(g), 0
    acc = [mpf(a) for a in acc or [0] * bins]
    for b in range(bins):
        inside = [i for i, x in enumerate(g)
                  if valid[i] and edges[b] <= x < edges[b + 1]]
        if not inside:
            continue
        filled += 1
        density = mpf(len(inside))
        if momentum > 0:
            acc[b] = momentum * acc[b] + (1 - momentum) * density
            density = acc[b]
        for i in inside:
            weights[i] = tot / density
    return [w / max(filled, 1) for w in weights], acc


def ghm(name, inputs, p):
    dims = shape(inputs["input"])
    x, t = variables(flat(inputs["input"])), flat(inputs["target"])
    label = [mpf(v) for v in broadcast(inputs.get("label_weight", 1), dims)]
    valid = [v > 0 for v in label]
    mu = mpf(p.get("mu", 0.02))
    if name == "ghm_c":
        g = [abs(sigmoid(v).v - mpf(u)) for v, u in zip(x, t)]
        each = [(1 - mpf(u)) * softplus(v) + mpf(u) * softplus(-v)
                for v, u in zip(x, t)]
        last, tot = "1.000001", max(mpf(sum(valid)), 1)
    else:
        d = [v - mpf(u) for v, u in zip(x, t)]
        g = [abs(v.v) / mp.sqrt(v.v ** 2 + mu ** 2) for v in d]
        each = [sqrt(v * v + mu * mu) - mu for v in d]
        last, tot = 1000, max(sum(label), 1)
    weights, acc = ghm_weights(g, valid, tot, p, last, inputs.get("acc_sum"))
    value = mpf(p.get("loss_weight", 1)) * total(
        [w * e for w, e in zip(weights, each)]) / tot
    outputs = {"value": value, "grad": nest(gradient(value, len(x)), dims),
               "weights": nest(weights, dims)}
    if p.get("momentum"):
        outputs["acc_sum"] = acc
    case("losses/" + name, inputs, p, outputs, relative=1e-12)


def ghms():
    x = [[0.5, -1.25, 3, 0], [0.0625, 2, -7.5, 0.75]]
    c = {"input": x, "target": [[1, 0, 1, 0], [0, 1, 0, 1]]}
    r = {"input": x, "target": [[0.5, -1, 3.0078125, 0.25], [0.0625, 2.5, -7, 0]]}
    label = [[1, 0, 1, 1], [1, 1, 0, 1]]
    for name, inputs in ("ghm_c", c), ("ghm_r", r):
        for p in ({}, {"bins": 4}, {"loss_weight": 2.5}, {"bins": 1},
                  {"momentum": 0.75}, {"momentum": 0.5, "bins": 3}):
            acc = [0.5 * i for i in range(p.get("bins", 10))]
            ghm(name, inputs, p)
            ghm(name, {**inputs, "label_weight": label}, p)
            if p.get("momentum"):
                ghm(name, {**inputs, "acc_sum": acc}, p)
        ghm(name, {**inputs, "label_weight": [[0] * 4] * 2}, {})
    ghm("ghm_c", {"input": [40, -40, 800, -800, 40, -40],
                  "target": [1, 0, 1, 0, 0, 1]}, {})
    ghm("ghm_r", r, {"mu": 0.5})
    ghm("ghm_r", {"input": [1e-20, 0, 1e10, 1e-3], "target": [0] * 4}, {})


def all_losses():
    for f in (regressions, kl_divs, kl_box, bces, logits, cross_entropies,
              focals, ghms):
        f()
