"""Times evald's operations against PyTorch's and torchvision's.

usage: operations.py BENCH

BENCH is the program that tests/bench/operations.c becomes.  Both run in turn,
float32 on one thread, in time of the processor; ratios are medians over the
rounds.  Where PyTorch is not installed it says so.
"""
import math
import statistics
import subprocess
import sys
import time

ROUNDS = 5
LARGE, BOXES, NMS_BOXES = 1_000_000, 1000, 10_000
AT_LEAST = 0.001


def ours(bench):
    """Nanoseconds per element, by name."""
    out = subprocess.run([bench, "--rows"], capture_output=True, check=True,
                         text=True).stdout
    rows = (line.split("\t") for line in out.splitlines())
    return {name: float(ns) for name, ns in rows}


def nanoseconds(function, per):
    """Of one call, per element; memory is warm."""
    function()
    count, began = 0, time.thread_time()
    while (seconds := time.thread_time() - began) < AT_LEAST:
        function()
        count += 1
    return seconds / count / per * 1e9


def activations(torch):
    """PyTorch's activations by evald's names."""
    f = torch.nn.functional
    weight = torch.tensor([0.25])
    names = ("sigmoid tanh relu leaky_relu relu6 elu selu softplus mish gelu "
             "celu softsign").split()
    table = {name: getattr(torch, name, None) or getattr(f, name)
             for name in names}
    table.update(
        swish=f.silu, hard_swish=f.hardswish, hard_sigmoid=f.hardsigmoid,
        hard_tanh=f.hardtanh, log_sigmoid=f.logsigmoid,
        prelu=lambda x: f.prelu(x, weight),
        softmax=lambda x: f.softmax(x, -1),
        log_softmax=lambda x: f.log_softmax(x, -1))
    return table


def activation_cases(torch):
    """name -> (function, elements); `both` is forward and backward."""
    x = torch.rand(1000, LARGE // 1000) * 12 - 6
    leaf = x.clone().requires_grad_()
    ones = torch.ones_like(x)
    cases = {}
    for name, function in activations(torch).items():
        def forward(function=function):
            with torch.no_grad():
                function(x)

        def both(function=function):
            torch.autograd.grad(function(leaf), leaf, ones)

        value = function(leaf)

        def backward(value=value):
            torch.autograd.grad(value, leaf, ones, retain_graph=True)
        cases[f"{name} forward"] = forward, LARGE
        cases[f"{name} both"] = both, LARGE
        cases[f"{name} backward"] = backward, LARGE
    return cases


def make_boxes(torch, n):
    """n boxes as in operations.c."""
    corner = torch.rand(n, 2) * 900
    return torch.cat([corner, corner + 1 + 99 * torch.rand(n, 2)], 1)


def balanced_l1(torch, x, target):
    """Libra R-CNN's loss with its own constants, as tensor operations."""
    alpha, gamma, beta = 0.5, 1.5, 1.0
    b = math.exp(gamma / alpha) - 1
    d = (x - target).abs()
    inside = alpha / b * (b * d + 1) * torch.log(b * d / beta + 1) - alpha * d
    outside = gamma * d + gamma / b - alpha * beta
    return torch.where(d < beta, inside, outside).mean()


def ghm_c(torch, x, target, bins=10):
    """GHM-C: weights by the density of the gradient, bin after bin."""
    g = (x.detach().sigmoid() - target).abs()
    weights, filled = torch.zeros_like(x), 0
    for i in range(bins):
        inside = (g >= i / bins) & (g < (i + 1) / bins + 1e-6 * (i == bins - 1))
        count = int(inside.sum())
        if count:
            weights[inside] = x.numel() / count
            filled += 1
    return torch.nn.functional.binary_cross_entropy_with_logits(
        x, target, weights / max(filled, 1))


def other_cases(torch, torchvision):
    """Matrices, suppression and losses."""
    ops = torchvision.ops
    a, b = make_boxes(torch, BOXES), make_boxes(torch, BOXES + 1)
    many, scores = make_boxes(torch, NMS_BOXES), torch.rand(NMS_BOXES)
    logits = (torch.rand(LARGE) * 8 - 4).requires_grad_()
    classes = (torch.rand(LARGE) > 0.83).float()

    losses = {
        "focal": lambda: ops.sigmoid_focal_loss(logits, classes,
                                                reduction="mean"),
        "balanced_l1": lambda: balanced_l1(torch, logits, classes),
        "ghm_c": lambda: ghm_c(torch, logits, classes)}
    cases = {"nms of boxes": (lambda: ops.nms(many, scores, 0.5), NMS_BOXES)}
    for name, loss in losses.items():
        cases[f"{name}, gradient"] = (
            lambda loss=loss: torch.autograd.grad(loss(), logits), LARGE)
    for name, function in (("iou", "box_iou"),
                           ("giou", "generalized_box_iou"),
                           ("diou", "distance_box_iou"),
                           ("ciou", "complete_box_iou")):
        if function := getattr(ops, function, None):
            cases[f"{name} matrix"] = (
                lambda function=function: function(a, b), BOXES * (BOXES + 1))
    return cases


def main(bench):
    """Prints both columns and their ratio."""
    try:
        import torch
        import torchvision
    except ImportError:
        print("against PyTorch: not compared, it is not installed")
        return 0
    torch.set_num_threads(1)
    cases = {**activation_cases(torch), **other_cases(torch, torchvision)}
    rounds = []
    for _ in range(ROUNDS):
        mine = ours(bench)
        rounds.append({name: (mine[name], nanoseconds(*case))
                       for name, case in cases.items() if name in mine})
    print(f"against PyTorch {torch.__version__}, ns per element, one thread:")
    print(f"  {'':26}{'evald':>9}{'torch':>9}{'ratio':>8}")
    for name in rounds[0]:
        pairs = [r[name] for r in rounds]
        ratio = statistics.median(theirs / mine for mine, theirs in pairs)
        print(f"  {name:26}{statistics.median(p[0] for p in pairs):9.2f}"
              f"{statistics.median(p[1] for p in pairs):9.2f}{ratio:8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
