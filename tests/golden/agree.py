#!/usr/bin/env python3
"""usage: tests/golden/agree.py

Compares the cases of operations.jsonl that PyTorch and torchvision know with
what these give in double: values and, by their autograd, gradients.  Prints
how many agree within 1e-11 and fails where they do not.  A second opinion on
the formulas; no number here comes from it.
"""
import json
import pathlib
import sys

import torch
import torch.nn.functional as F
import torchvision.ops as ops

CASES = pathlib.Path(__file__).with_name("operations.jsonl")


def tensor(x):
    if isinstance(x, dict):
        return torch.tensor(x["data"], dtype=torch.float64).reshape(x["shape"])
    return torch.tensor(json.loads(json.dumps(x)), dtype=torch.float64)


def reduced(loss, p, inputs):
    """As the API: the weight, then none, mean, sum or batchmean."""
    if "weight" in inputs:
        loss = loss * tensor(inputs["weight"])
    reduction = p.get("reduction", "mean")
    if reduction == "none":
        return loss
    if reduction == "mean":
        return loss.sum() / p["avg_factor"] if "avg_factor" in p \
            else loss.mean()
    return loss.sum() / (loss.shape[0] if reduction == "batchmean" else 1)


def box(name):
    def f(x, t, p, i):
        if p.get("variant") != "torchvision" or p.get("format"):
            return None
        if name == "complete" and "eps" in p:
            return None  # it does not pass eps on
        g = getattr(ops, name + "_box_iou_loss")
        return g(x, t, reduction="none", eps=p.get("eps", 1e-7))
    return f


LOSSES = {
    "mse": lambda x, t, p, i: F.mse_loss(x, t, reduction="none"),
    "l1": lambda x, t, p, i: F.l1_loss(x, t, reduction="none"),
    "smooth_l1": lambda x, t, p, i: F.smooth_l1_loss(
        x, t, reduction="none", beta=p.get("beta", 1.0)),
    "huber": lambda x, t, p, i: F.huber_loss(
        x, t, reduction="none", delta=p.get("delta", 1.0)),
    "kl_div": lambda x, t, p, i: F.kl_div(
        x, t, reduction="none", log_target=p.get("log_target", False)),
    "bce": lambda x, t, p, i: F.binary_cross_entropy(x, t, reduction="none"),
    "bce_with_logits": lambda x, t, p, i: F.binary_cross_entropy_with_logits(
        x, t, reduction="none",
        pos_weight=tensor(i["pos_weight"]) if "pos_weight" in i else None),
    "focal": lambda x, t, p, i: ops.sigmoid_focal_loss(
        x, t, alpha=p.get("alpha", 0.25), gamma=p.get("gamma", 2)),
    "giou": box("generalized"),
    "diou": box("distance"),
    "ciou": box("complete"),
}


def cross_entropy(x, p, inputs):
    if "avg_factor" in p:
        return None
    weight = inputs.get("class_weight")
    return F.cross_entropy(
        x, torch.tensor(inputs["target"]), reduction=p.get("reduction", "mean"),
        weight=tensor(weight) if weight else None,
        ignore_index=p.get("ignore_index", -100),
        label_smoothing=p.get("label_smoothing", 0))


def differs(case):
    """Where they are known to differ; README.md says why."""
    inputs, p = case["inputs"], case["parameters"]
    name = case["operation"].split("/")[1]
    if name == "smooth_l1":
        return p.get("beta") == 0
    if name == "bce":
        return 0 in inputs["input"]
    return name == "focal" and p.get("gamma") == 0.5 and 1e30 in inputs["input"]


def theirs(case):
    """value and grad, or None where they have no such operation."""
    group, name = case["operation"].split("/")
    inputs, p = case["inputs"], case["parameters"]
    if group != "losses" or "Infinity" in json.dumps(inputs):
        return None
    x = tensor(inputs["input"]).requires_grad_()
    if name == "cross_entropy":
        value = cross_entropy(x, p, inputs)
    elif name in LOSSES:
        value = LOSSES[name](x, tensor(inputs["target"]), p, inputs)
        value = None if value is None else reduced(value, p, inputs)
    else:
        value = None
    if value is None:
        return None
    value.sum().backward()
    return {"value": value.detach(), "grad": x.grad}


def main():
    agreed, wrong = {}, 0
    for n, s in enumerate(CASES.read_text().splitlines(), 1):
        case = json.loads(s)
        them = theirs(case)
        if them is None or differs(case):
            continue
        for k, v in them.items():
            us = tensor(case["outputs"][k])
            scale = max(1.0, us.abs().max().item())
            if not torch.allclose(us, v, rtol=1e-11, atol=1e-11 * scale):
                wrong += 1
                print(f"{CASES.name}:{n}: {case['operation']} {k}: "
                      f"{us.tolist()}, they say {v.tolist()}"[:400])
        agreed[case["operation"]] = agreed.get(case["operation"], 0) + 1
    print(f"{sum(agreed.values())} cases compared, {wrong} outputs differ:",
          agreed)
    return wrong > 0


sys.exit(main())
