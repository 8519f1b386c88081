"""The benchmark's own virtual environment: the project and the contestants, kept apart from everything else."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks" / ".venv"
CONTESTANTS = ROOT / "benchmarks" / "contestants.txt"
WANTED_BY = (ROOT / "pyproject.toml", CONTESTANTS)


def again_inside(script: Path, arguments: Sequence[str]) -> int:
    """The exit code of the same script, run once more by the environment's interpreter; made ready if it is not."""
    python = _python()
    if not _ready():
        _install(python)
    try:
        return subprocess.run([str(python), str(script), "--here", *arguments], check=False).returncode
    except KeyboardInterrupt:
        return 130


def _python() -> Path:
    return FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _install(python: Path) -> None:
    print(f"Installing the contestants into {FOLDER} …", file=sys.stderr)
    venv.create(FOLDER, with_pip=True, clear=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-e", str(ROOT), "-r", str(CONTESTANTS)], check=True)
    _stamp().write_text(_fingerprint(), encoding="utf-8")


def _ready() -> bool:
    """Whether what is installed is what is wanted now."""
    return _stamp().is_file() and _stamp().read_text(encoding="utf-8") == _fingerprint()


def _stamp() -> Path:
    return FOLDER / "installed"


def _fingerprint() -> str:
    wanted = b"\0".join(path.read_bytes() for path in WANTED_BY)
    return f"{sys.version_info[:2]} {hashlib.sha256(wanted).hexdigest()}"
