"""Time two installations of chainrule alternately: before and after a change.

    python benchmarks/alternate.py OLD/.venv/bin/python NEW/.venv/bin/python

Each runs in processes of its own, in turn; ratios are medians over the rounds. It is first checked
that the costs found by both agree.
"""

import json
import statistics
import subprocess
import sys

ROUNDS = 5
CODE = """
import json, subprocess, sys, tempfile, time, warnings
from pathlib import Path
import numpy as np
import chainrule
warnings.simplefilter("ignore")

def median(f, n):
    times = []
    for _ in range(n):
        began = time.perf_counter()
        f()
        times.append(time.perf_counter() - began)
    return float(np.median(times))

X, Y = np.array([[0.3, 1.0], [0.5, 0.2], [1.0, 0.4]]), np.array([[0.75], [0.82], [0.93]])
net = chainrule.Network([2, 3, 1], hidden="sigmoid", output="sigmoid", loss="squared", bias=False)
three, theta = chainrule.Objective(net, X, Y), net.initial(0)
found = {"evaluation of 3 rows": median(lambda: three.evaluate(theta, 1), 3000)}
found["fit of 3 rows"] = median(lambda: chainrule.minimize(three, theta), 300)
rng = np.random.default_rng(0)
for n, repeats in ((1_000, 400), (100_000, 40)):
    A = rng.standard_normal((n, 10))
    net = chainrule.Network([10, 10, 1])
    many, start = chainrule.Objective(net, A, np.sin(A[:, :1])), net.initial(0)
    found[f"evaluation of {n:,} rows"] = median(lambda: many.evaluate(start, 1), repeats)
A = rng.standard_normal((768, 8))
net = chainrule.Network([8, 10, 1])
noisy = np.sin(A[:, :1]) + 0.3 * rng.standard_normal((768, 1))
alone = chainrule.Objective(net, A, noisy, alpha=1.0)
starts = [net.initial(seed) for seed in range(10)]
found["10 starts by minimize, 768 x 8-10-1"] = median(
    lambda: [chainrule.minimize(alone, start) for start in starts], 3)
tutorial = dict(hidden_layer_sizes=(3,), activation="sigmoid", alpha=0.0, n_restarts=1_000)
found["1,000 starts of 3 rows, with its report"] = median(
    lambda: chainrule.NetworkRegressor(**tutorial).fit(X, Y[:, 0]), 5)
folder = tempfile.TemporaryDirectory()
table = Path(folder.name, "study.csv")
table.write_text("hours,sleep,score\\n3,5,75\\n5,1,82\\n10,2,93\\n")
command = [sys.executable, "-m", "chainrule", "fit", str(table), "--target", "score", "--out"]
made = lambda: subprocess.run([*command, f"{folder.name}/{time.time()}.json"], capture_output=True)
found["chainrule fit of 3 rows, a process"] = median(made, 7)
A = rng.standard_normal((442, 10))
b = A[:, 0] - A[:, 1] + 0.5 * np.tanh(A[:, 2]) + 0.8 * rng.standard_normal(442)
costs = []
for name, options in (
    ("default estimator, 442 x 10, 3 units", {"hidden_layer_sizes": (3,)}),
    ("10 starts, alpha given", {"alpha": 1.0, "n_restarts": 10}),
    ("the same, early stopping", {"alpha": 1.0, "n_restarts": 10, "early_stopping": True}),
    ("the same, warm start", {"alpha": 1.0, "n_restarts": 10, "warm_start": True}),
):
    model = chainrule.NetworkRegressor(**options)
    found[name] = median(lambda: model.fit(A, b) if not model.warm_start
                         else chainrule.NetworkRegressor(**options).fit(A, b), 3)
    if name == "10 starts, alpha given":
        costs.append(model.loss_)
print(json.dumps([found, costs]))
"""


def main(old, new):
    """Print a table of medians and their ratio."""
    rounds = {old: [], new: []}
    for _ in range(ROUNDS):
        for python, times in rounds.items():
            done = subprocess.run([python, "-c", CODE], capture_output=True, text=True, check=True)
            times.append(json.loads(done.stdout))
    (_, before), (_, after) = rounds[old][0], rounds[new][0]
    assert abs(before[0] / after[0] - 1.0) < 1e-6, (before, after)
    print("| what | before, ms | after, ms | after / before |\n| --- | --- | --- | --- |")
    for name in rounds[old][0][0]:
        a, b = ([times[name] for times, _ in rounds[python]] for python in (old, new))
        ratio = statistics.median(y / x for x, y in zip(a, b, strict=True))
        medians = f"{1e3 * statistics.median(a):.4g} | {1e3 * statistics.median(b):.4g}"
        print(f"| {name} | {medians} | {ratio:.2f} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
