"""The house the code lives in: what may import what, how large functions may be, what is declared and tested."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from helpers.recordings import REPOSITORY

import hf_audio

# What stands directly below each package, from the ground up; what those may import, it may import too.
BELOW = {
    "errors": (),
    "processes": (),
    "locks": (),
    "remote": ("errors",),
    "files": ("remote",),
    "folders": ("remote",),
    "problems": ("folders",),
    "lettering": (),
    "flags": ("errors",),
    "trainer_flags": ("errors",),
    "arguments": ("files", "processes", "trainer_flags"),
    "recipe_flags": ("arguments", "flags"),
    "models": (),
    "encoders": ("models", "files"),
    "audio": ("models", "files", "folders", "processes", "problems", "lettering"),
    "data": ("audio",),
    "inference": ("audio", "encoders"),
    "registration": ("inference",),
    "corpora": ("data",),
    "bulk": ("data", "inference", "locks"),
    "inspection": ("bulk",),
    "runs": ("data", "inference", "arguments", "locks"),
    "evaluation": ("runs", "bulk"),
    "division": ("runs", "inspection"),
    "augmentation": ("runs",),
    "training": ("division", "augmentation", "corpora", "recipe_flags"),
    "serving": ("bulk",),
    "export": ("serving", "runs"),
    "commands": ("export", "training", "inspection", "evaluation"),
    "cli": ("commands",),
    "recipes": ("cli",),
}
MODELS_MAY_IMPORT = {"torch", "transformers", "numpy", "huggingface_hub"}  # users of a checkpoint have them
# Extras that a package may import; everything else that it imports is installed always.
EXTRAS = {
    "audio": {"av"},
    "bulk": {"ray"},
    "corpora": {"demo"},
    "inference": {"export", "stream"},
    "training": {"search"},
    "serving": {"serve"},
    "export": {"executorch", "export", "litert", "serve"},
}
DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "pyyaml"}  # where the name differs from the import's

MAX_PARAMETERS, MAX_LINES = 8, 60
TOO_LARGE = {  # which are command lines: each parameter is a flag
    "hf_audio/commands/events.py detect",
    "hf_audio/commands/events.py detect_events",
    "hf_audio/commands/embeddings.py embed",
    "hf_audio/commands/judging.py evaluate",
    "hf_audio/commands/shipping.py export",
    "hf_audio/commands/events.py fit_events",
    "hf_audio/commands/recordings.py inspect",
    "hf_audio/commands/bulk.py predict",
    "hf_audio/commands/serving.py serve",
}

# Modules without a test file of their own, and the file that tests them.
TESTED_IN = {
    "audio/chunks.py": "audio/test_wav.py",
    "bulk/activity.py": "bulk/test_detect.py",
    "bulk/decoding.py": "bulk/test_scoring.py",
    "bulk/questions.py": "bulk/test_predict.py",
    "bulk/vectors/heading.py": "bulk/vectors/test_vector_files.py",
    "bulk/vectors/npz.py": "bulk/vectors/test_vector_files.py",
    "bulk/vectors/parquet.py": "bulk/vectors/test_vector_files.py",
    "commands/embeddings.py": "test_cli.py",
    "commands/bulk.py": "test_cli.py",
    "commands/events.py": "test_cli.py",
    "commands/judging.py": "test_cli.py",
    "commands/paths.py": "test_cli.py",
    "commands/recordings.py": "test_cli.py",
    "commands/shipping.py": "test_cli.py",
    "commands/training.py": "test_cli.py",
    "corpora/festival.py": "corpora/test_varied_numbers.py",
    "corpora/further_numbers.py": "recipes/test_spoken_numbers.py",
    "data/annotations/annotated_recordings.py": "data/annotations/test_finding.py",
    "data/annotations/annotation_files.py": "data/annotations/test_finding.py",
    "data/annotations/notices.py": "data/annotations/test_finding.py",
    "data/background.py": "runs/test_rejection.py",
    "division/recording_groups.py": "division/test_division.py",
    "data/layouts/one_table.py": "data/layouts/test_reading.py",
    "data/layouts/part_lists.py": "data/layouts/test_reading.py",
    "data/layouts/recordings.py": "data/layouts/test_reading.py",
    "data/layouts/tables_of_parts.py": "data/layouts/test_reading.py",
    "encoders/sources.py": "encoders/test_checkpoint.py",
    "evaluation/events.py": "evaluation/test_evaluation.py",
    "evaluation/report.py": "evaluation/test_evaluation.py",
    "export/comparison.py": "export/test_onnx.py",
    "export/devices/executorch.py": "export/devices/test_device.py",
    "export/devices/frontend_reference.py": "export/devices/test_static_frontend.py",
    "export/devices/litert.py": "export/devices/test_device.py",
    "export/devices/onnx_static.py": "export/devices/test_device.py",
    "export/devices/static.py": "export/devices/test_device.py",
    "export/devices/static_classifier.py": "export/devices/test_device.py",
    "export/footprint.py": "export/devices/test_device.py",
    "export/golden_clips.py": "export/test_verification.py",
    "export/onnx_frontend.py": "export/test_onnx.py",
    "export/silence.py": "export/test_onnx.py",
    "inference/checkpoint.py": "inference/test_classifier.py",
    "inference/extractors.py": "inference/test_pipeline.py",
    "inference/onnx_classifier.py": "export/test_onnx.py",
    "inference/torch_classifier.py": "inference/test_classifier.py",
    "inference/torch_network.py": "inference/test_embedder.py",
    "inspection/findings.py": "inspection/test_report.py",
    "models/configuration_audio_ensemble.py": "runs/test_ensemble.py",
    "models/modeling_audio_ensemble.py": "runs/test_ensemble.py",
    "runs/answers.py": "runs/test_group_figures.py",
    "runs/endpoint.py": "runs/test_hub.py",
    "runs/folder/contents.py": "runs/folder/test_overwriting.py",
    "runs/folder/preceding.py": "training/series/test_cross_validation.py",
    "runs/metrics/clip_metric.py": "runs/metrics/test_classification.py",
    "runs/predictions/columns.py": "runs/predictions/test_classes.py",
    "runs/predictions/kinds.py": "runs/predictions/test_classes.py",
    "serving/metrics.py": "serving/test_app.py",
    "serving/middleware.py": "serving/test_app.py",
    "serving/refusals.py": "serving/test_app.py",
    "serving/worker.py": "serving/test_supervisor.py",
    "training/finish.py": "training/test_fine_tune.py",
    "training/judgement/crossed.py": "recipes/test_own_sounds.py",
    "training/judgement/validated.py": "training/test_fine_tune.py",
    "training/networks/embeddings.py": "training/heads/test_head.py",
    "training/optimization/batch_norm.py": "training/test_trainer.py",
    "training/optimization/layer_decay.py": "training/networks/test_network_parts.py",
    "training/optimization/memory.py": "training/test_fine_tune.py",
    "training/optimization/weight_average.py": "training/test_trainer.py",
    "training/recordings/arguments.py": "recipes/test_own_sounds.py",
    "training/recordings/choices.py": "recipes/test_own_sounds.py",
    "training/recordings/loading.py": "recipes/test_own_sounds.py",
    "training/rehearsal.py": "test_trainer_flags.py",
    "training/series/pretraining.py": "recipes/test_spoken_numbers.py",
    "training/series/refit.py": "training/test_fine_tune.py",
    "training/setup.py": "training/test_fine_tune.py",
}
# Test files of no single module, and what they are about.
OF_NO_MODULE = {
    "test_architecture.py": "the package as a whole",
    "test_docs.py": "README and docs/",
    "test_init.py": "what `import hf_audio` hands on",
    "recipes/test_every_recipe.py": "what every recipe does",
    "bulk/test_label_formats.py": "answers in the formats of editors of labels",
    "remote/test_commands.py": "commands whose files lie in stores",
    "models/test_transformers_common.py": "transformers' own tests of any model",
    "models/test_transformers_contract.py": "what users of transformers expect of any model",
}


class Import(NamedTuple):
    """One import statement's target, as the source names it."""

    module: str  # absolute; `package.name` where a name is taken from a package
    line: int
    for_types_only: bool


class Module(NamedTuple):
    """One source file."""

    name: str  # dotted
    path: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        """The part of the house: `data` of hf_audio.data.rows, and `recipes` of a recipe."""
        parts = self.name.split(".")
        return parts[1] if parts[0] == "hf_audio" and len(parts) > 1 else parts[0]


@cache
def modules() -> dict[str, Module]:
    """All modules of the package and the recipes, by their dotted names."""
    found = {}
    for path in sorted([*REPOSITORY.glob("hf_audio/**/*.py"), *REPOSITORY.glob("recipes/*.py")]):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8")))
    return found


def imports(module: Module) -> Iterator[Import]:
    """Everything that a module imports, in functions too."""
    type_checking = [
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    for_types = {id(inner) for node in type_checking for part in node.body for inner in ast.walk(part)}
    for node in ast.walk(module.tree):
        for name in imported_names(module, node):
            yield Import(name, node.lineno, id(node) in for_types)


def imported_names(module: Module, node: ast.AST) -> list[str]:
    """The absolute names that one node imports: none, if it is no import."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    origin = node.module or ""
    if node.level:
        parts = module.name.split(".")
        above = node.level - (module.path.name == "__init__.py")
        origin = ".".join([*parts[: len(parts) - above], *([node.module] if node.module else [])])
    return [f"{origin}.{alias.name}" for alias in node.names]


def own_imports(module: Module) -> Iterator[tuple[Import, Module]]:
    """The imports of this project's modules, each with the module that is meant."""
    for imported in imports(module):
        target = imported.module
        while target and target not in modules():
            target = target.rpartition(".")[0]
        if target:
            yield imported, modules()[target]


def foreign_imports(module: Module) -> Iterator[Import]:
    """The imports of other projects' modules."""
    for imported in imports(module):
        top = imported.module.split(".")[0]
        if top not in sys.stdlib_module_names and top not in ("hf_audio", "recipes"):
            yield imported


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a module, with methods and inner ones."""
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def where(module: Module, line: int) -> str:
    """File and line, for the sentence of a failing test."""
    return f"{module.path.relative_to(REPOSITORY)}:{line}"


def everything_below(package: str) -> set[str]:
    """All that a package may import."""
    return {package, *(lower for direct in BELOW[package] for lower in everything_below(direct))}


def n_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many parameters callers see; `*args` and `**kwargs` count as one each."""
    arguments = function.args
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *starred]
    return sum(argument.arg not in ("self", "cls") for argument in listed)


def n_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return function.end_lineno - body[0].lineno + 1 if body else 0


def test_the_table_of_packages_is_whole_and_rises():
    packages = {module.package for module in modules().values()} - {"hf_audio"}
    assert packages == set(BELOW)
    listed: set[str] = set()
    for package, below in BELOW.items():
        assert listed.issuperset(below), f"{package} stands below what it imports"
        listed.add(package)


def test_no_package_imports_one_that_is_not_below_it():
    wrong = [
        f"{where(module, imported.line)}: {module.package} must not import {target.package}"
        for module in modules().values()
        if module.package in BELOW
        for imported, target in own_imports(module)
        if target.package in BELOW and target.package not in everything_below(module.package)
    ]
    assert not wrong, "\n".join(wrong)


def test_inside_the_package_public_names_are_imported_from_their_modules():
    """The names that `hf_audio` hands on come from any height of the house."""
    wrong = [
        where(module, imported.line)
        for module in modules().values()
        if module.package not in ("hf_audio", "recipes")
        for imported, target in own_imports(module)
        if target.name == "hf_audio" and imported.module != "hf_audio.__version__"
    ]
    assert not wrong, "\n".join(wrong)


def test_no_circle_of_modules():
    """A circle makes what works depend on who is imported first; inner imports would only hide it."""
    graph = {
        module.name: {
            target.name
            for imported, target in own_imports(module)
            if not imported.for_types_only and target.name != module.name
        }
        for module in modules().values()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_no_circle_of_rooms():
    """A room is a folder in a package; what lies beside it in the package stands for itself."""

    def room(module: Module) -> str:
        return ".".join(module.name.split(".")[:3])

    graph: dict[str, set[str]] = {}
    for module in modules().values():
        own = {room(target) for imported, target in own_imports(module) if not imported.for_types_only}
        graph.setdefault(room(module), set()).update(own - {room(module)})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_models_travel_alone():
    """Their files are copied into checkpoints, where siblings are flat and nothing else of this package is there."""
    wrong = []
    for module in modules().values():
        if module.package != "models":
            continue
        assert len(module.name.split(".")) <= 3, f"{module.path} is no flat sibling"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom) and node.level > 1:
                wrong.append(where(module, node.lineno))
        for imported in imports(module):
            top, *rest = imported.module.split(".")
            own = top == "hf_audio" and rest[0] == "models"
            if not own and top not in MODELS_MAY_IMPORT and top not in sys.stdlib_module_names:
                wrong.append(f"{where(module, imported.line)}: {imported.module}")
    assert not wrong, "\n".join(wrong)


def test_functions_have_few_parameters_and_fit_on_a_screen():
    large = {}
    for module in modules().values():
        for function in functions(module):
            parameters, lines = n_parameters(function), n_lines(function)
            if parameters > MAX_PARAMETERS or lines > MAX_LINES:
                large[f"{module.path.relative_to(REPOSITORY).as_posix()} {function.name}"] = (parameters, lines)
    new = {name: sizes for name, sizes in large.items() if name not in TOO_LARGE}
    assert not new, f"more than {MAX_PARAMETERS} parameters or {MAX_LINES} lines: {new}"
    assert not TOO_LARGE - set(large), "these are mended: take them off the list"


def test_all_that_is_imported_is_declared():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def names(requirements: list[str]) -> set[str]:
        return {normalised(re.match(r"[\w.-]+", requirement)[0]) for requirement in requirements}

    always = names(project["dependencies"])
    optional = {extra: names(listed) for extra, listed in project["optional-dependencies"].items()}
    wrong = []
    for module in modules().values():
        allowed = always.union(*(optional[extra] for extra in EXTRAS.get(module.package, ())))
        for imported in foreign_imports(module):
            top = imported.module.split(".")[0]
            if normalised(DISTRIBUTIONS.get(top, top)) not in allowed:
                wrong.append(f"{where(module, imported.line)}: {top}")
    assert not wrong, "imported, but not declared for this package:\n" + "\n".join(wrong)


def test_the_citation_names_this_version():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == hf_audio.__version__


def normalised(distribution: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_every_module_has_its_test_file_and_every_test_file_its_module():
    tests = REPOSITORY / "tests"
    sources = {
        module.path.relative_to(REPOSITORY / "hf_audio").as_posix()
        for module in modules().values()
        if module.name.startswith("hf_audio.") and module.path.name != "__init__.py"
    }
    sources |= {path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("recipes/*.py")}
    expected = {source: (Path(source).parent / f"test_{Path(source).name}").as_posix() for source in sources}
    found = {path.relative_to(tests).as_posix() for path in tests.glob("**/test_*.py")}
    assert set(TESTED_IN) <= sources, "no such modules"
    assert set(TESTED_IN.values()) <= found, "no such test files"
    untested = sorted(source for source, test in expected.items() if test not in found and source not in TESTED_IN)
    assert not untested, f"no test file of their own: {untested}"
    doubled = sorted(source for source in TESTED_IN if expected[source] in found)
    assert not doubled, f"have a test file of their own: take them off the list: {doubled}"
    strays = sorted(found - set(expected.values()) - set(OF_NO_MODULE))
    assert not strays, f"of no module: {strays}"


def test_test_files_do_not_import_one_another():
    wrong = []
    for path in sorted((REPOSITORY / "tests").glob("**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            module = Module(path.stem, path, ast.Module([], []))
            names = imported_names(module, node)
            if any(part.startswith("test_") or part == "conftest" for name in names for part in name.split(".")):
                wrong.append(f"{where(module, node.lineno)}: {names}")
    assert not wrong, "what tests share belongs into tests/helpers:\n" + "\n".join(wrong)
