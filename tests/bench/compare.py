"""Times evald eval against pycocotools, both from files to twelve numbers.

usage: compare.py EVALD [GROUND_TRUTH DETECTIONS]

Without files a sample of 5,000 images is made.  Where pycocotools is not
installed it says so.  The runs alternate, and the ratio is of the medians.
"""
import contextlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 5


def reference(gt, dt):
    """pycocotools from files to its twelve numbers."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    with contextlib.redirect_stdout(io.StringIO()) as out:
        truth = COCO(gt)
        e = COCOeval(truth, truth.loadRes(dt), "bbox")
        e.evaluate()
        e.accumulate()
        e.summarize()
    return [line for line in out.getvalue().splitlines() if "@[" in line]


def ours(evald, gt, dt):
    """evald eval, as a command."""
    out = subprocess.run([evald, "eval", gt, dt], capture_output=True,
                         check=True, text=True).stdout
    return out.splitlines()


def timed(function, *args):
    """Seconds, and what the function gave."""
    began = time.perf_counter()
    result = function(*args)
    return time.perf_counter() - began, result


def main(evald, *files):
    """Prints both times and their ratio."""
    try:
        import pycocotools  # noqa: F401
    except ImportError:
        print("against pycocotools: not compared, it is not installed")
        return 0
    with tempfile.TemporaryDirectory() as directory:
        if not files:
            subprocess.run([evald, "sample", "--images=5000", "--classes=80",
                            "--objects=8", "--detections=100", directory],
                           check=True)
            files = [os.path.join(directory, name) for name in
                     ("ground_truth.json", "detections.json")]
        slow, want = timed(reference, *files)
        runs = [timed(ours, evald, *files) for _ in range(ROUNDS)]
    fast = statistics.median(seconds for seconds, _ in runs)
    print(f"against pycocotools, files to twelve numbers: {slow:.1f} s, "
          f"evald {fast:.2f} s, {slow / fast:.0f} times faster")
    if any(lines != want for _, lines in runs):
        print("the twelve lines differ", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
