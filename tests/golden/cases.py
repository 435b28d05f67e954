"""How a case of operations.jsonl is made: shapes, reductions, gradients."""
import itertools
import json
import pathlib

from mpmath import mp, mpf

from dual import dual, plain, text, total, variables

mp.dps = 400
TABLE = pathlib.Path(__file__).with_name("operations.jsonl")
CASES = []


def case(operation, inputs, parameters, outputs, source="mpmath, 400 digits",
         **more):
    """
    more: how far float64 may be off where 4 ulp are too narrow; "relative" to
    the number itself, or "absolute", in parts of the output's largest number,
    where terms cancel that carry a rounding each.
    """
    CASES.append({"operation": operation, "inputs": plain_inputs(inputs),
                  "parameters": parameters,
                  "outputs": {k: plain(v) for k, v in outputs.items()},
                  "source": source, **more})


def plain_inputs(inputs):
    return {k: v if isinstance(v, dict) else plain(v)
            for k, v in inputs.items()}


def write():
    TABLE.write_text("".join(text(c) + "\n" for c in CASES))


def read():
    return [json.loads(s) for s in TABLE.read_text().splitlines()]


def shape(x):
    return [len(x)] + shape(x[0]) if isinstance(x, list) else []


def flat(x):
    return [z for y in x for z in flat(y)] if isinstance(x, list) else [x]


def nest(xs, dims):
    if not dims:
        return xs[0]
    step = len(xs) // dims[0]
    return [nest(xs[i * step:(i + 1) * step], dims[1:])
            for i in range(dims[0])]


def broadcast(weight, dims):
    """weight, aligned from the right, for each index of dims, flat."""
    own = shape(weight)
    out = []
    for index in itertools.product(*map(range, dims)):
        w = weight
        for i, n in zip(index[len(dims) - len(own):], own):
            w = w[i if n > 1 else 0]
        out.append(w)
    return out


def gradient(y, n, first=0):
    return [y.d.get(first + i, mpf(0)) for i in range(n)]


def reduced(samples, dims, inputs, p, divisor=None):
    """(value, what is differentiated) of unreduced samples, flat."""
    if "weight" in inputs:
        samples = [dual(w) * s for w, s in
                   zip(broadcast(inputs["weight"], dims), samples)]
    s = total(samples)
    reduction = p.get("reduction", "mean")
    if reduction == "none":
        return nest(samples, dims), s
    if reduction == "batchmean":
        s = s / dims[0]
    elif reduction == "mean":
        n = len(samples) if divisor is None else divisor
        s = s / p.get("avg_factor", n)
    return s, s


def loss(name, formula, inputs, p=None, dims=None, divisor=None, **more):
    """
    One case of a loss: formula(variables, inputs, parameters) gives its
    samples, flat; dims is their shape, by default that of the input.
    """
    p = p or {}
    own = shape(inputs["input"])
    x = variables(flat(inputs["input"]))
    samples = formula(x, inputs, p)
    d = divisor(inputs, p) if divisor else None
    value, s = reduced(samples, dims(inputs) if dims else own, inputs, p, d)
    case("losses/" + name, inputs, p,
         {"value": value, "grad": nest(gradient(s, len(x)), own)}, **more)


def reductions(name, formula, inputs, weights, p=None, **more):
    """All reductions, each weight, and a divisor of the caller's."""
    p = p or {}
    for reduction in ("none", "mean", "sum"):
        q = {**p, "reduction": reduction}
        loss(name, formula, inputs, q, **more)
        for w in weights:
            loss(name, formula, {**inputs, "weight": w}, q, **more)
    loss(name, formula, inputs, {**p, "avg_factor": 2.5}, **more)
    loss(name, formula, {**inputs, "weight": weights[0]},
         {**p, "reduction": "mean", "avg_factor": 7}, **more)
