"""NIST's certified problems of nonlinear regression, through the same Levenberg-Marquardt.

Every problem of the folder is fitted from both of its starts with one fixed setting. The
models are read from the files themselves, so that a new file needs no new code.
"""

from __future__ import annotations

import json
import re

import numpy as np
from scipy import optimize

import chainrule
from _timing import data_folder, machine
from chainrule.objectives.least_squares import LeastSquares

SOLVED = 6  # certified digits
NAMES = {name: getattr(np, name) for name in ("exp", "log", "cos", "sin", "arctan")}


def expression(model):
    """Return the right-hand side of a model text as Python, and whether it is for log(y)."""
    text = "\n".join(model.splitlines()[2:])
    text = text[re.search(r"(log\[y\]|\by)\s*=", text).start() :]
    left, right = text.split("=", 1)
    right = re.sub(r"\+\s*e\s*$", "", " ".join(right.split()))
    right = right.replace("[", "(").replace("]", ")")
    return right, "log" in left


def load(name, spec, folder):
    """Return residuals(theta) and ½ Σ (y - mean)²."""
    lines = (folder / f"{name}.dat").read_text().splitlines()
    first, last = spec["data_lines"]
    rows = np.array([[float(x) for x in line.split()] for line in lines[first - 1 : last]])
    y, X = rows[:, 0], rows[:, 1:]
    right, of_log = expression(spec["model"])
    y = np.log(y) if of_log else y
    code = compile(right, name, "eval")
    known = {**NAMES, "pi": np.pi, "x": X[:, 0]}
    known |= {f"x{j + 1}": X[:, j] for j in range(X.shape[1])}

    def residuals(theta):
        here = known | {f"b{j + 1}": b for j, b in enumerate(theta)}
        return eval(code, {"__builtins__": {}}, here) - y

    return residuals, 0.5 * float(((y - y.mean()) ** 2).sum())


def digits(found, certified):
    """Return NIST's score: the digits that the worst parameter has right, at most 11."""
    error = np.max(np.abs(np.asarray(found) / certified - 1))
    return float(np.clip(-np.log10(max(error, 1e-11)), 0, 11)) if np.isfinite(error) else 0.0


def ours(residuals, scale, start):
    try:
        fit = chainrule.minimize(LeastSquares(residuals, scale=scale), start, tol=1e-15)
    except chainrule.TrainingError:
        return start, False
    return fit.theta, fit.converged


def scipys(residuals, start, **options):
    with np.errstate(all="ignore"):
        try:
            done = optimize.least_squares(residuals, start, **options)
        except ValueError:
            return start, False
    return done.x, done.success


def run():
    folder = data_folder() / "nist_strd"
    problems = json.loads((folder / "certified.json").read_text())
    ways = {
        "chainrule, one setting": ours,
        "SciPy least_squares, defaults": lambda r, _, start: scipys(r, start),
        "SciPy lm, tight, the same Jacobian": lambda r, scale, start: scipys(
            r,
            start,
            jac=lambda theta: LeastSquares(r, scale=scale).residuals(theta).A,
            method="lm",
            xtol=1e-15,
            ftol=1e-15,
            gtol=1e-15,
            max_nfev=20000,
        ),
    }
    scores = {way: {} for way in ways}
    for name, spec in problems.items():
        residuals, scale = load(name, spec, folder)
        certified = np.array(spec["certified"])
        rss = float(np.sum(residuals(certified) ** 2))
        # Lanczos1 is certified to a sum of squares below rounding
        assert abs(rss - spec["rss"]) <= 1e-6 * spec["rss"] + 1e-20, (name, rss)
        for start in ("start1", "start2"):
            for way, solve in ways.items():
                theta, success = solve(residuals, scale, np.array(spec[start], dtype=float))
                scores[way][name, start] = digits(theta, certified), success
    lines = [
        "## NIST's certified nonlinear regressions",
        "",
        f"{len(problems)} problems, two starts each; Jacobians by complex step, but not for",
        f"SciPy's defaults. Solved: {SOLVED} certified digits in every parameter. A false",
        "success claims to have converged and is not.",
        "",
        "| way | solved | mean digits of all | false successes | missed |",
        "|---|---|---|---|---|",
    ]
    for way, score in scores.items():
        solved = [key for key, (found, _) in score.items() if found >= SOLVED]
        false = [key for key, (found, success) in score.items() if success and found < SOLVED]
        missed = ", ".join(
            f"{name} {start[-1]}" for name, start in score if (name, start) not in solved
        )
        mean = np.mean([found for found, _ in score.values()])
        columns = f"{len(solved)} of {len(score)}", f"{mean:.2f}", str(len(false)), missed or "-"
        lines.append(f"| {way} | {' | '.join(columns)} |")
    return lines


if __name__ == "__main__":
    print(machine(), *run(), sep="\n")
