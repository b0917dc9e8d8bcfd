"""The glossary is complete and true, and no retired name is left."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule import NetworkClassifier, NetworkRegressor

SOURCE = Path(chainrule.__file__).parent
GLOSSARY = (Path(__file__).parents[1] / "docs" / "glossary.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in GLOSSARY.splitlines()
    if line.startswith("| ") and not line.startswith("| term")
]
# names of our own for what the literature has a term, and that term
RETIRED = {
    "Belief": "FittedPosterior",
    "believed": "fit_posterior",
    "Penalty": "EvidenceResult",
    "climbed": "maximize_evidence",
    "by_evidence": "estimate_hyperparameters",
    "Penalized": "Task",
    "by_rule": "alpha_by_rule",
    "grown": "select_architecture",
    "Grown": "SelectionPath",
    "HeavyTails": "StudentTNoise",
    "heavy_tails": "fit_student_t",
    "insight": "diagnostics",
    "left_out": "loo",
    "alone": "max_leverage",
    "taken_once": "unit_weights",
    "settled": "refine",
    "walked": "run_with_callback",
    "concluded": "finish",
    "judge": "criterion",
    "Watcher": "Monitor",
    "watch": "monitor",
    "doubts": "column_warnings",
    "in_turn": "ranked",
    "together": "joint",
    "side_by_side": "in_parallel",
    "caution": "first_damping",
    "take_up": "resume",
}


def identifiers(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.alias):
            yield from node.name.split(".")


def test_no_retired_name_is_left():
    for path in SOURCE.rglob("*.py"):
        for name in {*identifiers(ast.parse(path.read_text())), path.stem} & set(RETIRED):
            pytest.fail(f"{path.name} has {name}: say {RETIRED[name]}")


def test_the_glossary_is_sorted_and_names_files_that_exist():
    terms = [row[0] for row in ROWS]
    assert terms == sorted(terms, key=str.casefold)
    for term, _, meaning, computed, _ in ROWS:
        assert meaning.endswith("."), term
        for name in re.findall(r"`(.+?)`", computed):
            assert (SOURCE / name).is_file(), (term, name)


@pytest.mark.filterwarnings("ignore")
def test_every_section_of_the_summary_is_in_the_glossary(noisy_rows):
    X, Y = noisy_rows
    y = Y[:, 0].copy()
    y[3] += 30.0
    pages = [
        NetworkRegressor("auto", n_restarts=2).fit(X, y).summary(),
        NetworkRegressor((2,), noise="student", n_restarts=3, ensemble=2).fit(X, y).summary(),
        NetworkRegressor((2,), alpha="rule", max_iter=1, n_restarts=1).fit(X, y).summary(),
        NetworkClassifier((2,), n_restarts=1).fit(X, np.sign(X[:, 0])).summary(),
    ]
    terms = {row[0] for row in ROWS}
    sections = set()
    for page in pages:
        answer, rest = page.split("\n\n", 1)
        assert answer.startswith("Predicts ")
        heads = re.findall(r"^(\S.{10}\S|\S.*?) {2,}", rest, re.M)
        sections |= {head.strip() for head in heads if not re.match(r"[Wb]\[", head)}
    assert {"network", "unseen rows", "evidence", "sensitivity", "influence"} <= sections
    assert sections <= terms, sections - terms
