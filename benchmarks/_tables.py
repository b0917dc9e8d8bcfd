"""Tables with published results, and those of scikit-learn: X, y, and what is to be predicted."""

import numpy as np
import pandas as pd
from sklearn import datasets

from _timing import data_folder

BUNDLED = {
    "iris": (datasets.load_iris, "classification"),
    "wine": (datasets.load_wine, "classification"),
    "breast cancer": (datasets.load_breast_cancer, "classification"),
    "digits": (datasets.load_digits, "classification"),
    "diabetes": (datasets.load_diabetes, "regression"),
}
PROBEN1 = ("cancer1", "card1", "heart1", "gene1")


def bundled():
    """Yield (name, X, y, task) of the tables that come with scikit-learn."""
    for name, (load, task) in BUNDLED.items():
        yield name, *load(return_X_y=True), task


def of_folder():
    """Yield (name, X, y, task) of the tables in the data folder."""
    folder = data_folder()
    pima = pd.read_csv(folder / "pima" / "pima_full768.csv")
    yield "pima", pima.drop(columns="diabetes").to_numpy(float), pima.diabetes, "classification"
    sonar = pd.read_csv(folder / "sonar" / "sonar.csv")
    yield "sonar", sonar.drop(columns="Class").to_numpy(float), sonar.Class, "classification"
    parts = [pd.read_csv(folder / "ripley_synth" / f"synth_{part}.csv") for part in ("tr", "te")]
    synth = pd.concat(parts)
    yield "ripley synth", synth[["xs", "ys"]].to_numpy(float), synth.yc, "classification"
    for name in PROBEN1:
        X, y, _ = proben1(name)
        yield name, X, y, "classification"
    fat = pd.read_csv(folder / "bodyfat" / "bodyfat.csv")
    inputs = fat.drop(columns=["BodyFat", "Density"])  # the former was computed from the latter
    yield "bodyfat", inputs.to_numpy(float), fat.BodyFat.to_numpy(float), "regression"


def proben1(name):
    """Return X, the class of each row, and the first row of the test part."""
    lines = (data_folder() / "proben1" / f"{name}.dt").read_text().splitlines()
    head = dict(line.split("=") for line in lines[:7])
    rows = np.array([line.split() for line in lines[7:] if line.strip()], dtype=float)
    n_inputs = int(head["bool_in"]) + int(head["real_in"])
    test = int(head["training_examples"]) + int(head["validation_examples"])
    return rows[:, :n_inputs], rows[:, n_inputs:].argmax(axis=1), test
