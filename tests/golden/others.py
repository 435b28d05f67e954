"""Cases of activations that take or give more than x and f(x)."""
from mpmath import mpf

from cases import case, flat, gradient, nest, shape
from dual import exp, log, log1p, tanh, total, variables

X = [[[0.5, -1.25], [3, 0], [-0.0625, 2]], [[-7.5, 1], [1, -1], [0.75, -3]]]
G = [[[1, 0.5], [-2, 3], [0.25, 1]], [[2, -1], [0.5, 4], [1, 1.5]]]


def upstream(samples, g):
    return total([s * mpf(v) for s, v in zip(samples, flat(g))])


def prelus():
    for weight, axis in (([0.25, -0.5, 2], 1), ([0.25, 2], 2), ([3, 0.125], 0),
                         (0.5, 1), (None, 1)):
        for g in (None, G):
            prelu(weight, axis, g)


def prelu(weight, axis, g):
    x = variables(flat(X))
    w = variables(flat(weight if weight is not None else 0.25), len(x))
    out, dims = [], shape(X)
    for i, v in enumerate(x):
        at = (i // 6, i // 2 % 3, i % 2)[axis] if len(w) > 1 else 0
        out.append(v if v > 0 else w[at] * v)
    s = upstream(out, g) if g else total(out)
    inputs, outputs = {"x": X}, {"value": nest(out, dims),
                                 "grad": nest(gradient(s, len(x)), dims)}
    if weight is not None:
        inputs["weight"] = weight
        outputs["grad_weight"] = nest(gradient(s, len(w), len(x)),
                                      shape(weight))
    if g:
        inputs["grad_output"] = g
    p = {} if axis == 1 else {"channel_axis": axis}
    case("activations/prelu", inputs, p, outputs)


def rrelus():
    slopes = [[[0.25, 0.5], [1, 2], [0.125, 0.25]],
              [[0.75, 0.5], [0.25, 0.375], [1, 0.3125]]]
    for a, inputs in ((None, {"x": X}), (slopes, {"x": X, "slopes": slopes})):
        x = variables(flat(X))
        each = flat(a) if a else [(mpf(0.125) + mpf(1) / 3) / 2] * len(x)
        out = [v if v > 0 else v * mpf(s) for v, s in zip(x, each)]
        for g in (None, G):
            s = upstream(out, g) if g else total(out)
            more = {"grad_output": g} if g else {}
            case("activations/rrelu", {**inputs, **more}, {},
                 {"value": nest(out, shape(X)),
                  "grad": nest(gradient(s, len(x)), shape(X)),
                  "slopes": nest([mpf(1) * v for v in each], shape(X))})


def maxouts():
    x = [[1, 3, 2, 2, -1, -0.5], [0, 0, 5, 4, -7, -7]]
    for k in (2, 3, 6):
        v, values, indices = variables(flat(x)), [], []
        for i in range(0, len(v), k):
            best = max(range(k), key=lambda j: (v[i + j].v, -j))
            values.append(v[i + best])
            indices.append(best)
        g = [[0.5 + i + j for j in range(6 // k)] for i in range(2)]
        dims = shape(g)
        for up in (None, g):
            s = upstream(values, up) if up else total(values)
            case("activations/maxout",
                 {"x": x, **({"grad_output": up} if up else {})},
                 {} if k == 2 else {"pieces": k},
                 {"value": nest(values, dims), "indices": nest(indices, dims),
                  "grad": nest(gradient(s, len(v)), shape(x))})
    case("activations/maxout", {"x": [1, "NaN", "Infinity", "NaN"]}, {},
         {"value": ["NaN", "NaN"]}, "by hand")


def softmaxes():
    rows = [[[0.5, -1.25, 3], [0, 1, 1]], [[-800, 0, 800], [50, 0, -50]]]
    g = [[[1, 0.5, -2], [0.25, 1, 3]], [[1, 2, 0.5], [0.75, -1, 2]]]
    for name in ("softmax", "log_softmax"):
        for axis in (-1, 0, 1):
            x, dims = variables(flat(rows)), shape(rows)
            out = [softened(name, x, dims, i, axis % 3) for i in range(len(x))]
            s = upstream(out, g)
            case("activations/" + name, {"x": rows, "grad_output": g},
                 {} if axis == -1 else {"axis": axis},
                 {"value": nest(out, dims),
                  "grad": nest(gradient(s, len(x)), dims)}, absolute=1e-15)


def softened(name, x, dims, i, axis):
    step = 1
    for n in dims[axis + 1:]:
        step *= n
    start = i - i // step % dims[axis] * step
    row = x[start:start + step * dims[axis]:step]
    others = total([exp(y - x[i]) for y in row])
    return 1 / others if name == "softmax" else -log(others)


def products():
    """An elementwise gradient times grad_output."""
    for name, f in (("mish", lambda v: v * tanh(log1p(exp(v)))),
                    ("tanh", tanh), ("sigmoid", lambda v: 1 / (1 + exp(-v)))):
        x = variables(flat(X))
        out = [f(v) for v in x]
        case("activations/" + name, {"x": X, "grad_output": G}, {},
             {"value": nest(out, shape(X)), "grad": nest(
                 gradient(upstream(out, G), len(x)), shape(X))})


def all_others():
    for f in (prelus, rrelus, maxouts, softmaxes, products):
        f()
