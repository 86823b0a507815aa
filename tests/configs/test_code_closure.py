"""The hash of a job's code changes with every line that the job can run, and with nothing else."""

import shutil
from pathlib import Path

import pytest

from configs import code_closure
from configs.code_closure import ROOMS, closure, code_hash, hash_of

JOB = "pipeline.filter_documents"


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the rooms that tests may change."""
    root = tmp_path_factory.mktemp("rooms")
    for room in ROOMS:
        if Path(room).is_dir():
            shutil.copytree(room, root / room, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def file_of(root: Path, module: str) -> Path:
    path = root.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_one_line_of_code_in_any_module_changes_the_hash(rooms: Path) -> None:
    before = hash_of(JOB, rooms)
    modules = closure(JOB, rooms)
    assert len(modules) > 20
    unseen = []
    for module in modules:
        file = file_of(rooms, module)
        source = file.read_text(encoding="utf-8")
        file.write_text(f"{source}\n_ONE_MORE_LINE = 1\n", encoding="utf-8")
        if hash_of(JOB, rooms) == before:
            unseen.append(module)
        file.write_text(source, encoding="utf-8")
    assert unseen == []
    assert hash_of(JOB, rooms) == before


def test_docstrings_and_comments_do_not_change_it(rooms: Path) -> None:
    before = hash_of(JOB, rooms)
    for module in closure(JOB, rooms):
        file = file_of(rooms, module)
        source = file.read_text(encoding="utf-8")
        if source.startswith('"""'):
            file.write_text(source.replace('"""', '"""Another first line. ', 1) + "# a comment\n")
    assert hash_of(JOB, rooms) == before


def test_the_closure_follows_imports_inside_functions_and_names_of_files(tmp_path: Path) -> None:
    for name, source in {
        "pipeline/__init__.py": "",
        "pipeline/job.py": "def run():\n    from pipeline.late import step\n    import synth.other\n",
        "pipeline/late.py": "CHILD = 'child_process.py'\nMODULE = 'filters.rules'\n",
        "pipeline/child_process.py": "",
        "pipeline/unused.py": "",
        "filters/__init__.py": "",
        "filters/rules.py": "",
        "synth/__init__.py": "",
        "synth/other.py": "import numpy",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
    assert sorted(closure("pipeline.job", tmp_path)) == [
        "filters", "filters.rules", "pipeline", "pipeline.child_process", "pipeline.job", "pipeline.late",
        "synth", "synth.other",
    ]  # fmt: skip


def test_data_files_and_library_versions_count(rooms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score, ask = "pipeline.score_documents", "synth.endpoint.ask"
    before = hash_of(score, rooms), hash_of(ask, rooms)
    with (rooms / "filters/taggers/models/quality.ftz").open("ab") as stream:
        stream.write(b"x")
    with (rooms / "filters/taggers/models/CARD.md").open("a") as stream:
        stream.write("documentation")
    with (rooms / "synth/endpoint/prompts/analyse.md").open("a") as stream:
        stream.write("More.")
    after = hash_of(score, rooms), hash_of(ask, rooms)
    assert before[0] != after[0]
    assert before[1] != after[1]
    version = code_closure.importlib.metadata.version
    monkeypatch.setattr(
        code_closure.importlib.metadata, "version", lambda name: "9" if name == "openai" else version(name)
    )
    assert (hash_of(score, rooms), hash_of(ask, rooms) != after[1]) == (after[0], True)


def test_every_data_file_of_a_room_is_known() -> None:
    """What is neither code, nor documentation, nor a preset, nor a notebook must match DATA_PATTERNS."""
    documentation = (".md", ".svg", ".ipynb", ".toml", ".py", ".pyc")
    unknown = [
        str(path)
        for room in ROOMS
        for path in Path(room).rglob("*")
        if path.is_file() and not path.name.endswith(documentation)
        and not path.name.endswith(code_closure.DATA_PATTERNS.get(path.parent.name, ()))
    ]  # fmt: skip
    assert unknown == []


def test_a_module_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModuleNotFoundError):
        closure("pipeline.absent", tmp_path)


def test_it_is_computed_once_per_process() -> None:
    first = code_hash("pipeline.filter_documents")
    hits = code_hash.cache_info().hits
    assert code_hash("pipeline.filter_documents") == first
    assert code_hash.cache_info().hits == hits + 1
