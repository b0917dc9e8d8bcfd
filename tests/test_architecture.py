"""The rings: imports point down, nothing goes in circles, starting is light."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule

SOURCE = Path(chainrule.__file__).parent

# from the ground up; a module may import from its own ring and from those before it
RINGS = [
    ["_errors"],
    ["_blas", "_cancellation", "_contracts", "_files", "_json", "_printable", "_strict_json"],
    ["_records"],
    ["heart"],
    ["rows"],
    ["tables"],
    ["kernels"],
    ["objectives"],
    ["optimize"],
    ["bayes"],
    ["model"],
    ["pipeline", "tutorial", "pictures"],
    ["report"],
    ["estimators"],
    ["comparison"],
    ["cli"],
    ["__init__", "__main__"],
]
# where loading late keeps starting light
MAY_IMPORT_LATE = {"chainrule.__init__", "chainrule.__main__", "chainrule.cli._run"}


def module_name(path):
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(("chainrule", *parts))


MODULES = {module_name(path): ast.parse(path.read_text()) for path in SOURCE.rglob("*.py")}


def imported_by(tree, anywhere=True):
    """Return our own modules that a tree imports, under the names of their files."""
    nodes = ast.walk(tree) if anywhere else ast.iter_child_nodes(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("chainrule"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.add(inner if inner in MODULES else node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("chainrule")}
    return {
        name if name in MODULES else f"{name}.__init__"
        for name in names
        if name in MODULES or f"{name}.__init__" in MODULES
    }


def ring_of(module):
    part = module.split(".")[1]
    return next(i for i, ring in enumerate(RINGS) if part in ring)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_down(module):
    for target in imported_by(MODULES[module]):
        if target == "chainrule.__init__":
            assert module.startswith("chainrule.cli."), module  # the version, for people
            continue
        assert ring_of(target) <= ring_of(module), f"{module} imports {target}"


OPTIMIZERS = (
    "broyden",
    "damping",
    "descent",
    "history",
    "levenberg_marquardt",
    "line_search",
    "methods",
    "problem",
    "recorder",
    "scipy_",
    "steps",
    "stopping",
)


def test_optimizers_know_no_network_and_networks_no_optimizer():
    for module, tree in MODULES.items():
        targets = imported_by(tree)
        if module.removeprefix("chainrule.optimize.") in OPTIMIZERS:
            assert not any(".heart." in t or ".objective" in t for t in targets), module


def test_reports_and_pictures_are_all_that_load_heavy_libraries():
    for module, tree in MODULES.items():
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in names:
                library = name.split(".")[0]
                if library in ("matplotlib", "mpl_toolkits"):
                    assert module.split(".")[1] in ("pictures", "report", "cli"), module
                if library == "sklearn":
                    assert module.split(".")[1] in ("estimators", "comparison"), module
                if library in ("click", "rich"):
                    assert module.split(".")[1] == "cli", module


def test_no_cycles():
    graph = {name: imported_by(tree, anywhere=False) for name, tree in MODULES.items()}
    visiting, done = [], set()

    def visit(name):
        assert name not in visiting, " -> ".join([*visiting[visiting.index(name) :], name])
        if name in done:
            return
        visiting.append(name)
        for target in graph[name]:
            visit(target)
        visiting.pop()
        done.add(name)

    for name in graph:
        visit(name)


@pytest.mark.parametrize("module", sorted(set(MODULES) - MAY_IMPORT_LATE))
def test_no_function_imports_our_own_modules(module):
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.FunctionDef):
            assert not imported_by(node), f"{module}.{node.name}"


LARGE = {"scipy", "sklearn", "matplotlib", "click", "rich", "pandas", "polars"}
LATE = {"scipy.stats", "scipy.optimize", "scipy.special", "scipy.sparse.linalg"}


@pytest.mark.parametrize(
    ("code", "without"),
    [
        ("import chainrule; chainrule.Network([2, 3, 1])", LARGE),
        ("import chainrule.cli.fit", LATE),  # what takes longer to load than a small fit
    ],
)
def test_starting_loads_only_what_it_needs(code, without):
    code = f"import sys; {code}; print(sorted({without} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_all_is_sorted_and_true():
    assert sorted(chainrule.__all__) == chainrule.__all__
    for name in chainrule.__all__:
        assert getattr(chainrule, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = chainrule.nothing


OWNERS = ("rows", "kernels", "tables")
# what reads columns of tables, and never a row that is trained on
READERS = ("cli", "estimators", "comparison", "report", "tutorial", "heart", "pictures")


def names_of_blocks(function):
    """Return the parameters of a function that are blocks of rows."""
    arguments = function.args.args
    if isinstance(function, ast.Lambda):
        return {argument.arg for argument in arguments}
    notes = {a.arg: ast.unparse(a.annotation) for a in arguments if a.annotation}
    return {name for name, note in notes.items() if note == "Block"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_rows_alone_hold_data(module):
    """Inputs and targets are seen only one block at a time, by what was handed to the rows."""
    if module.split(".")[1] in OWNERS + READERS:
        return

    def held(node, blocks):
        if isinstance(node, ast.Lambda | ast.FunctionDef):
            blocks = blocks | names_of_blocks(node)
        if isinstance(node, ast.Attribute) and node.attr in ("X", "Y"):
            yield from () if ast.unparse(node.value) in blocks else [ast.unparse(node)]
        for child in ast.iter_child_nodes(node):
            yield from held(child, blocks)

    # what tables have read is no row yet
    allowed = {"self.encoded(data).X", "given.X", "given.Y", "given.Y.Y"}
    found = set(held(MODULES[module], frozenset())) - allowed
    found = {name for name in found if not name.startswith("targets.read_targets(")}
    assert not found, f"{module} reads {found}: ask the rows"


def test_line_budgets():
    sizes = {path: len(path.read_text().splitlines()) for path in SOURCE.rglob("*.py")}
    assert sizes[SOURCE / "heart" / "chain_rule.py"] <= 150
    for path, size in sizes.items():
        assert size <= 500, f"{path.name} has {size} lines: does it hold more than one subject?"


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in SOURCE.glob("*/__init__.py")}, key=str)
)
def test_each_folder_opens_with_a_map_of_its_files(folder):
    if folder.name in ("cli", "estimators", "pictures"):  # one command, class or picture a file
        return
    listed = re.findall(r"^(\w+) {2,}\S", (folder / "__init__.py").read_text(), re.M)
    assert sorted(listed) == sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")


# scikit-learn takes every parameter of an estimator by its name, and a command every option
MAY_TAKE_MORE = {"NetworkRegressor.__init__", "NetworkClassifier.__init__", "command"}
MOST_PARAMETERS, MOST_LINES = 8, 60


def functions(tree, inside=""):
    for node in ast.iter_child_nodes(tree):
        name = f"{inside}{getattr(node, 'name', '')}"
        if isinstance(node, ast.FunctionDef):
            yield name, node
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from functions(node, f"{name}.")


@pytest.mark.parametrize("module", sorted(MODULES))
def test_functions_fit_on_a_screen_and_take_few_parameters(module):
    for name, node in functions(MODULES[module]):
        given = node.args
        taken = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        taken = [arg for arg in taken if arg is not None and arg.arg not in ("self", "cls")]
        assert len(taken) <= MOST_PARAMETERS or name in MAY_TAKE_MORE, f"{name} takes {len(taken)}"
        first = node.body[0]
        is_docstring = ast.get_docstring(node) is not None
        documented = first.end_lineno - first.lineno + 1 if is_docstring else 0
        length = node.end_lineno - node.lineno + 1 - documented
        short = length <= MOST_LINES or name in MAY_TAKE_MORE
        assert short, f"{name} has {length} lines without its docstring"


def test_everything_public_is_documented():
    for module, tree in MODULES.items():
        if module == "chainrule._contracts":  # whose protocols speak for themselves
            continue
        for node in tree.body:
            members = node.body if isinstance(node, ast.ClassDef) else []
            for item in [node, *members]:
                if not isinstance(item, ast.ClassDef | ast.FunctionDef):
                    continue
                if not item.name.startswith("_") and not node.name.startswith("_"):
                    decorators = " ".join(map(ast.unparse, item.decorator_list))
                    again = "overload" in decorators or "setter" in decorators
                    assert again or ast.get_docstring(item), f"{module}.{item.name}"


# ---------------------------------------------------------------- constants

EXAMPLES = SOURCE / "report" / "story.py"  # its numbers are the tutorial's table


def numeric_constants(path):
    """Yield name and line of every number that a module names, those of one line together."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        inside = list(ast.walk(node.value))
        numbers = any(
            isinstance(of, ast.Constant) and type(of.value) in (int, float) for of in inside
        )
        if not numbers or any(isinstance(of, ast.Lambda | ast.Dict) for of in inside):
            continue
        for target in targets:
            for name in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(name, ast.Name) and name.id.isupper():
                    yield name.id, node


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=str)
def test_a_number_says_of_what_it_is(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    for name, node in numeric_constants(path):
        said = lines[node.lineno - 2 : node.end_lineno]
        assert path == EXAMPLES or any("#" in line for line in said), name


def test_a_constant_has_one_value_and_one_home():
    homes = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for name, _ in numeric_constants(path):
            homes.setdefault(name, set()).add(path.relative_to(SOURCE).as_posix())
    twice = {name: sorted(of) for name, of in homes.items() if len(of) > 1}
    assert not twice
