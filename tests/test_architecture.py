"""The arrows between modules: what may know of what."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import engine

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "engine").rglob("*.py"))
DOORS = {
    "yaml": {"load"},
    "jsonschema": {"shape"},
    "durable": {"rete"},
    "babel": {"texts"},
    "click": {"cli", "server.command"},
    "msgspec": {"codec", "strict_json", "server.journal_lines"},
    "falcon": {"server.app"},
    "granian": {"server.launch"},
    "prometheus_client": {"server.metrics"},
    "opentelemetry": {"server.traces"},
    "duckdb": {"server.entity_tables"},
    "sqlalchemy": {"server.entity_tables"},
    "httpx": {"client"},
    "jinja2": {"book.render"},
    "markupsafe": {"book.render"},
}
AUTHOR_SIDE = {
    "load",
    "nodes",
    "shape",
    "stack",
    "express",
    "declared",
    "tables",
    "declare",
    "compose",
    "check",
    "derive",
    "depth",
    "expect",
    "satisfy",
    "author",
    "bounds",
    "fits",
}
DECISION_SIDE = {
    "kleene",
    "situation",
    "policy",
    "reference",
    "resolve",
    "version",
    "request",
    "decision",
    "judge",
    "decide",
    "texts",
    "explain",
    "lower",
    "phrases",
    "prose",
    "prose_names",
    "prose_pieces",
    "prose_spoken",
    "prose_words",
    "emit",
    "grid",
    "program",
    "assemble",
    "blocks",
    "tally",
    "compiled",
    "lane",
    "lanes",
    "reading",
    "counter",
    "stencil",
    "telling",
    "strict_json",
}
REVIEW_SIDE = {
    "cases",
    "junit",
    "originals",
    "register",
    "paint",
    "report",
    "report_decision",
    "report_sources",
    "sarif",
    "seek",
    "verify",
}
KEEPING_SIDE = {"files", "later", "codec", "cache", "schema"}
FRONT_ENDS = ("cli", "engine.book", "engine.server", "engine.client")
HEAVY = (
    "yaml", "jsonschema", "durable", "babel", "z3", "duckdb", "sqlalchemy", "falcon", "granian", "httpx", "click",
    "prometheus_client", "opentelemetry", "jinja2", "markupsafe",
)  # fmt: skip


def _imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it; `engine.x` as such."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "engine":
            found.update(f"engine.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def _name(path: Path) -> str:
    """The module in a file, without the package that they are all in."""
    return ".".join(path.relative_to(ROOT / "engine").with_suffix("").parts)


IMPORTS = {_name(path): _imports(path) for path in MODULES} | {"cli": _imports(ROOT / "cli.py")}


def _own(module: str) -> set[str]:
    return {name.removeprefix("engine.") for name in IMPORTS[module] if name.startswith("engine.")}


def test_imports_go_one_way() -> None:
    """No module imports itself through others."""
    order = TopologicalSorter(
        {module: _own(module) for module in IMPORTS if not module.endswith("__init__")}
    ).static_order()

    assert {module for module in IMPORTS if not module.endswith("__init__")} <= set(order)


@pytest.mark.parametrize("package", DOORS)
def test_each_third_party_package_enters_through_one_module(package: str) -> None:
    """A dependency that changes is met in one place."""
    users = {module for module, names in IMPORTS.items() if any(name.split(".")[0] == package for name in names)}

    assert DOORS[package] == users


def test_nobody_imports_a_front_end() -> None:
    """The engine works without its command line, its book, its service and its client; the workbench shows the book."""
    inside = {
        module: names
        for module, names in IMPORTS.items()
        if not module.startswith(("book.", "server.", "cli", "__init__"))
    }

    assert not {module for module, names in inside.items() if any(name.startswith(FRONT_ENDS) for name in names)}
    assert not {module for module, names in IMPORTS.items() if "cli" in names}
    shows = {
        module
        for module in IMPORTS
        if module.startswith("server.") and any(name.startswith("book.") for name in _own(module))
    }
    assert shows <= {"server.bench_book"}


@pytest.mark.parametrize("module", sorted(DECISION_SIDE | KEEPING_SIDE))
def test_deciding_knows_nothing_of_yaml(module: str) -> None:
    """What decides, or keeps policies, reads a checked pack, never its text, nor what is reported of it."""
    assert not _own(module) & (AUTHOR_SIDE | REVIEW_SIDE)


def test_every_module_named_here_exists() -> None:
    """A module that is renamed keeps its arrows."""
    assert set(IMPORTS) >= AUTHOR_SIDE | DECISION_SIDE | KEEPING_SIDE | REVIEW_SIDE


def test_the_second_engine_does_not_share_the_first_one_s_logic() -> None:
    """Two answers are a check only if they are reached in two ways."""
    rete = [module for module in IMPORTS if module.startswith("rete") or module == "lower"]
    assert rete

    for module in rete:
        text = (ROOT / "engine" / f"{module}.py").read_text(encoding="utf-8")
        tree = ast.parse(text)
        names = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "engine.kleene"
            for alias in node.names
        }
        assert not names & {"truth", "every", "some", "negate"}
        assert "reference" not in _own(module)


@pytest.mark.parametrize("what", ["import engine", "from engine import Gate, InvalidRequest, open_policy"])
def test_importing_the_engine_loads_nothing_heavy(what: str) -> None:
    """`import engine` costs neither an engine in C nor a command line, nor what reads YAML."""
    code = f"import sys; {what}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.strip() == "[]"


def test_public_names_are_there_when_they_are_used() -> None:
    """Each name of `engine` is found where it lives, and no other is."""
    for name in engine.__all__:
        assert getattr(engine, name) is getattr(engine, name)
    with pytest.raises(AttributeError, match="no attribute `other`"):
        _ = engine.other
