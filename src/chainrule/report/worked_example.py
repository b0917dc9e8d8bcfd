"""The worked example: every equation of one row, or of a table, with its numbers in it.

It reads a trace (report/trace_json) and computes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chainrule._printable import page
from chainrule.heart.outputs import output

MOST_TERMS = 16  # of one sum
MOST_UNITS_WORKED = 24  # of all layers
MOST_ROWS_WORKED = 10  # of a table


def worked_example(trace: dict[str, Any]) -> str:
    """Return the pass as text: term by term for one row, as matrices for several."""
    lines = _one_row(trace) if len(trace["rows"]) == 1 else _all_rows(trace)
    return page(lines)


# ---------------------------------------------------------------- one row, term by term


def _one_row(t: dict[str, Any]) -> Iterable[str]:
    L, forward, weights = len(t["network"]["layers"]), t["forward"], t["weights"]
    yield f"Row {t['rows'][0]}"
    yield from _scaling_lines(t)
    for l in range(1, L):
        a, W, b = forward[f"a[{l}]"][0], weights[f"W[{l}]"], weights.get(f"b[{l}]")
        z, f = forward[f"z[{l + 1}]"][0], _function(t, l + 1)
        skip = weights.get("W[0]") if l + 1 == L else None
        x = forward["a[1]"][0]
        yield ""
        yield f"z[{l + 1}] = a[{l}] W[{l}]{_added(t, l)}"
        for j in _units(z):
            terms = [f"({n(a[i])})({n(W[i][j])})" for i in range(len(a))]
            if skip is not None:
                terms += [f"({n(x[i])})({n(skip[i][j])})" for i in range(len(x))]
            if b:
                terms.append(n(b[j]))
            yield f"    z[{l + 1}][{j + 1}] = {_sum(terms)} = {n(z[j])}"
        yield from _cut(z)
        yield f"a[{l + 1}] = {f}(z[{l + 1}])" + ("  = y_hat" if l + 1 == L else "")
        out = forward[f"a[{l + 1}]"][0]
        for j in _units(out):
            how = f"{f}({n(z[j])})"
            if f == "softmax":
                how = f"exp({n(z[j])}) / ({_sum([f'exp({n(x)})' for x in z])})"
            yield f"    a[{l + 1}][{j + 1}] = {how} = {n(out[j])}"
        yield from _cut(out)
    yield from _prediction_lines(t)
    if "J" in t:
        yield from _backward_lines(t)


def _scaling_lines(t: dict[str, Any]) -> Iterable[str]:
    inputs = t["inputs"]
    yield ""
    if inputs["scaling"] == "none":
        yield "a[1] = x"
    else:
        yield f"a[1] = (x - center) / scale        ({inputs['scaling']} scaling)"
    for j in _units(inputs["names"]):
        x, scaled = t["X"][0][j], t["forward"]["a[1]"][0][j]
        center, scale = inputs["center"][j], inputs["scale"][j]
        how = "a constant column: ignored" if scale == 0 else f"({n(x)} - {n(center)}) / {n(scale)}"
        plain = inputs["scaling"] == "none"
        yield f"    a[1][{j + 1}] = {n(x) if plain else how} = {n(scaled)}    {inputs['names'][j]}"
    yield from _cut(inputs["names"])


def _prediction_lines(t: dict[str, Any]) -> Iterable[str]:
    targets, L = t["targets"], len(t["network"]["layers"])
    yield ""
    if "classes" in t:
        yield from _class_lines(t["classes"])
        return
    yield "prediction = y_hat * scale + center"
    for k in _units(targets["names"]):
        y_hat, predicted = t["forward"][f"a[{L}]"][0][k], t["prediction"][0][k]
        truth = f"    (in the table: {n(t['Y'][0][k])})" if "Y" in t else ""
        yield (
            f"    {targets['names'][k]} = {n(y_hat)} * {n(targets['scale'][k])} + "
            f"{n(targets['center'][k])} = {n(predicted)}{truth}"
        )
    yield from _cut(targets["names"])


def _class_lines(classes: dict[str, Any]) -> Iterable[str]:
    """Return the most probable class of each row."""
    truths = classes["in_the_table"] or [[]] * len(classes["predicted"])
    yield "prediction = the most probable class"
    for row, truth in list(zip(classes["predicted"], truths, strict=True))[:MOST_ROWS_WORKED]:
        for k, (name, label) in enumerate(zip(classes["names"], row, strict=True)):
            known = f"    (in the table: {truth[k]})" if truth else ""
            yield f"    {name} = {label}{known}"
    if len(truths) > MOST_ROWS_WORKED:
        yield f"    … {len(truths) - MOST_ROWS_WORKED} more rows (--json has all)"


def _backward_lines(t: dict[str, Any]) -> Iterable[str]:
    """Return the cost of the row and its derivatives, without penalty."""
    L, backward, weights = len(t["network"]["layers"]), t["backward"], t["weights"]
    pair = output(t["network"]["output"], t["network"]["loss"])
    y, y_hat, z_L = t["Y_scaled"][0], t["forward"][f"a[{L}]"][0], t["forward"][f"z[{L}]"][0]
    yield ""
    yield f"J = {pair.equation}        (y scaled like y_hat; of this row, without penalty)"
    if pair.loss == "squared":
        terms = [f"½ ({n(y[k])} - {_signed(y_hat[k])})²" for k in range(len(y))]
        yield f"    J = {_sum(terms)} = {n(t['J'])}"
    else:
        yield f"    J = {n(t['J'])}        y = {_numbers(y)}"
    yield ""
    yield f"delta[{L}] = dJ/dz[{L}] = {pair.delta_equation}"
    delta = backward[f"delta[{L}]"][0]
    for k in _units(delta):
        how = f"{n(y_hat[k])} - {_signed(y[k])}"
        if pair.name == "softmax":
            how = f"{n(y_hat[k])} * {n(sum(y))} - {_signed(y[k])}"
        if pair.loss == "squared":
            how = f"-({n(y[k])} - {_signed(y_hat[k])})"
        if "'" in pair.delta_equation:
            how += f" * {pair.name}'({n(z_L[k])})"
        yield f"    delta[{L}][{k + 1}] = {how} = {n(delta[k])}"
    yield from _cut(delta)
    for l in range(L - 1, 0, -1):
        a, W = t["forward"][f"a[{l}]"][0], weights[f"W[{l}]"]
        delta, dJdW = backward[f"delta[{l + 1}]"][0], backward[f"dJdW[{l}]"]
        yield ""
        yield f"dJdW[{l}] = a[{l}]ᵀ delta[{l + 1}]"
        for i in _units(a):
            for j in _units(delta):
                yield (
                    f"    dJdW[{l}][{i + 1},{j + 1}] = ({n(a[i])})({n(delta[j])}) = {n(dJdW[i][j])}"
                )
        yield from _cut(a)
        if f"dJdb[{l}]" in backward:
            yield f"dJdb[{l}] = delta[{l + 1}] = {_numbers(backward[f'dJdb[{l}]'])}"
        if l == 1:
            break
        f, z, here = _function(t, l), t["forward"][f"z[{l}]"][0], backward[f"delta[{l}]"][0]
        yield f"delta[{l}] = delta[{l + 1}] W[{l}]ᵀ * {f}'(z[{l}])"
        for i in _units(here):
            terms = [f"({n(delta[j])})({n(W[i][j])})" for j in range(len(delta))]
            slope = backward[f"slope[{l}]"][0][i]
            yield (
                f"    delta[{l}][{i + 1}] = [{_sum(terms)}] * {n(slope)} = {n(here[i])}"
                f"        {f}'({n(z[i])}) = {n(slope)}"
            )
        yield from _cut(here)
    if "dJdW[0]" in backward:
        yield ""
        yield f"dJdW[0] = a[1]ᵀ delta[{L}] = {_numbers(np.ravel(backward['dJdW[0]']).tolist())}"


# ---------------------------------------------------------------- all rows, as matrices


def _all_rows(t: dict[str, Any]) -> Iterable[str]:
    L, forward, weights = len(t["network"]["layers"]), t["forward"], t["weights"]
    how = "X" if t["inputs"]["scaling"] == "none" else "(X - center) / scale"
    yield f"{len(t['rows'])} rows; inputs {', '.join(t['inputs']['names'])}"
    yield ""
    yield from _matrix(f"a[1] = {how}", forward["a[1]"])
    for l in range(1, L):
        for name in (f"W[{l}]", f"b[{l}]", *(["W[0]"] if l + 1 == L else [])):
            if name in weights:
                yield from _matrix(name, weights[name])
        yield from _matrix(f"z[{l + 1}] = a[{l}] W[{l}]{_added(t, l)}", forward[f"z[{l + 1}]"])
        end = "  = y_hat" if l + 1 == L else ""
        yield from _matrix(
            f"a[{l + 1}] = {_function(t, l + 1)}(z[{l + 1}]){end}", forward[f"a[{l + 1}]"]
        )
    if "classes" in t:
        yield from _class_lines(t["classes"])
        yield ""
    else:
        yield from _matrix("prediction = y_hat * scale + center", t["prediction"])
    if "J" not in t:
        return
    pair = output(t["network"]["output"], t["network"]["loss"])
    backward = t["backward"]
    yield from _matrix("y, scaled", t["Y_scaled"])
    yield f"J = {pair.equation} = {n(t['J'])}        (of these rows, without penalty)"
    yield ""
    yield from _matrix(f"delta[{L}] = dJ/dz[{L}] = {pair.delta_equation}", backward[f"delta[{L}]"])
    for l in range(L - 1, 0, -1):
        yield from _matrix(f"dJdW[{l}] = a[{l}]ᵀ delta[{l + 1}]", backward[f"dJdW[{l}]"])
        if f"dJdb[{l}]" in backward:
            yield from _matrix(f"dJdb[{l}] = Σ rows of delta[{l + 1}]", backward[f"dJdb[{l}]"])
        if l > 1:
            yield from _matrix(f"slope[{l}] = {_function(t, l)}'(z[{l}])", backward[f"slope[{l}]"])
            rule = f"delta[{l}] = delta[{l + 1}] W[{l}]ᵀ * {_function(t, l)}'(z[{l}])"
            yield from _matrix(rule, backward[f"delta[{l}]"])
    if "dJdW[0]" in backward:
        yield from _matrix(f"dJdW[0] = a[1]ᵀ delta[{L}]", backward["dJdW[0]"])


def _matrix(title: str, values: Any) -> Iterable[str]:
    A = np.atleast_2d(np.asarray(values, dtype=np.float64))
    yield f"{title}    {np.shape(values)}"
    for row in A[:MOST_ROWS_WORKED]:
        shown = "  ".join(f"{n(x):>12}" for x in row[:MOST_UNITS_WORKED])
        yield "    " + shown + ("  …" if len(row) > MOST_UNITS_WORKED else "")
    if len(A) > MOST_ROWS_WORKED:
        yield f"    … {len(A) - MOST_ROWS_WORKED} more rows (--json has all)"
    yield ""


# ---------------------------------------------------------------- words and numbers


def n(x: float) -> str:
    """Return a number with six significant digits."""
    return f"{x:.6g}"


def _signed(x: float) -> str:
    """Return a number that may follow a minus sign."""
    return n(x) if x >= 0 else f"({n(x)})"


def _numbers(values: Sequence[float]) -> str:
    shown = ", ".join(n(x) for x in values[:MOST_UNITS_WORKED])
    return f"[{shown}{', …' if len(values) > MOST_UNITS_WORKED else ''}]"


def _function(t: dict[str, Any], l: int) -> str:
    spec = t["network"]
    return str(spec["output"] if l == len(spec["layers"]) else spec["hidden"][l - 2])


def _added(t: dict[str, Any], l: int) -> str:
    """Return what is added to a[l] W[l]."""
    skip = " + a[1] W[0]" if "W[0]" in t["weights"] and l + 1 == len(t["network"]["layers"]) else ""
    return skip + (f" + b[{l}]" if f"b[{l}]" in t["weights"] else "")


def _sum(terms: list[str]) -> str:
    if len(terms) > MOST_TERMS:
        terms = [*terms[: MOST_TERMS - 1], f"… ({len(terms) - MOST_TERMS} terms)", terms[-1]]
    return " + ".join(terms)


def _units(values: Sequence[Any]) -> range:
    return range(min(len(values), MOST_UNITS_WORKED))


def _cut(values: Sequence[Any]) -> Iterable[str]:
    if len(values) > MOST_UNITS_WORKED:
        yield f"    … {len(values) - MOST_UNITS_WORKED} more (--json has all)"
