"""The command line: `changegate`, or `python cli.py` (DESIGN section 6). The one door of Click."""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

import click

from engine.gate import ENGINES, Engine, Gate, InvalidRules, open_policy, shipped_rules
from engine.paint import Paint, no_paint
from engine.policy import EngineFailure
from engine.request import InvalidRequest, with_paths
from engine.request_text import MAX_BYTES, parse_line, parse_request, parse_setting
from engine.schema import SCHEMAS, schema
from engine.server.command import service_options
from engine.server.settings import SCOPES, Settings
from engine.values import NotAValue, parse_date

if TYPE_CHECKING:
    from engine.decision import Decision

EXITS = {"allow": 0, "deny": 1, "indeterminate": 3}
BAD_INPUT, DISAGREE, INTERRUPTED = 2, 4, 130
BOTH = "both"
_EXTRAS = {"server": "service", "book": "book"}
FIRST: Engine = "compiled"
SECOND: Engine = "rete"


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("changegate")
    except metadata.PackageNotFoundError:  # `python cli.py` in a checkout
        return "unknown"


class Usage(click.ClickException):
    """Bad usage, a bad request or bad rules: a message and exit code 2."""

    exit_code = BAD_INPUT

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message, to standard error unless told otherwise."""
        click.echo(f"changegate: {self.format_message()}", file=file, err=True)


def _print_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"changegate, version {_version()}")
        ctx.exit()


def _paint(stream: IO[Any]) -> Paint:
    colorful = stream.isatty() and not os.environ.get("NO_COLOR")
    return (lambda text, color: click.style(text, fg=color)) if colorful else no_paint


def _print(lines: Iterable[str], err: bool = False) -> None:
    for line in lines:
        click.echo(line, err=err, color=True)


def _print_json(data: Any) -> None:
    click.echo(json.dumps(data, ensure_ascii=False, indent=2))


def _add_rules(ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    chosen: list[str] = ctx.ensure_object(dict).setdefault("rules", [])
    chosen.extend(value)
    return value


rules_option = click.option(
    "--rules", multiple=True, expose_value=False, callback=_add_rules, metavar="DIR",
    help="A pack; repeat it to stack packs. [default: rules]",
)  # fmt: skip


def formats(*more: str) -> Callable[..., Any]:
    """The option `--format`: text, JSON, and what else a command can print."""
    return click.option(
        "--format", "form", type=click.Choice(["text", "json", *more]), default="text", show_default=True
    )


format_option = formats()


def asking(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments of every command that asks for one decision."""
    for option in reversed(
        (
            click.argument("file", required=False),
            rules_option,
            click.option(
                "--set", "settings", multiple=True, metavar="PATH=VALUE", help="Give a fact a value (JSON, else text)."
            ),
            click.option(
                "--as-of",
                metavar="DATE",
                help="The day to decide for, if the request gives none. [default: today, UTC]",
            ),
            click.option("--locale", metavar="LOCALE", help="The language of texts. [default: the policy's own]"),
            click.option("--engine", type=click.Choice([*ENGINES, BOTH]), default=BOTH, show_default=True),
            format_option,
        )
    ):
        command = option(command)
    return command


@click.group("changegate", context_settings={"help_option_names": ["-h", "--help"]})
@rules_option
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
    help="Show the version and exit.",
)  # fmt: skip
def main() -> None:
    """Say whether a change is allowed, and why.

    Exit codes of check and explain: 0 allow, 1 deny, 3 indeterminate, 2 bad usage, request or rules,
    4 the engines disagree.
    """


@main.command()
@asking
@click.pass_context
def check(ctx: click.Context, /, form: str, **options: Any) -> None:
    """Decide one request (FILE, - for standard input, or --set alone)."""
    from engine.report_decision import decision_lines

    gate, _, decision = _decide(ctx, form, **options)
    if form == "json":
        _print_json(decision.to_dict())
    else:
        _print(decision_lines(decision, _paint(sys.stdout), _language(gate, options["locale"])))
    ctx.exit(EXITS[decision.outcome])


@main.command()
@asking
@click.option("--all", "everything", is_flag=True, help="Show the rules that do not apply, too (JSON always does).")
@click.pass_context
def explain(ctx: click.Context, /, form: str, everything: bool, **options: Any) -> None:
    """Decide one request and show the conditions behind the decision, with their values."""
    from engine.explain import explain as explain_rules
    from engine.report import explanation_lines
    from engine.report_decision import decision_lines

    gate, request, decision = _decide(ctx, form, **options)
    judged = gate.judged(request, decision.answered_for)
    explained = explain_rules(*judged) if judged else ()
    if form == "json":
        _print_json({"decision": decision.to_dict(), "rules": [each.to_dict() for each in explained]})
    else:
        paint = _paint(sys.stdout)
        _print(decision_lines(decision, paint, _language(gate, options["locale"])))
        # Where no rule says yes, the ones that might have are what is to be explained.
        wanted = ("allow", "only_by") if decision.cause == "not_permitted" else ()
        shown = (
            each for each in explained if everything or each.applies is not False or each.rule.effect.kind in wanted
        )
        _print(explanation_lines(shown, paint))
    ctx.exit(EXITS[decision.outcome])


@main.command()
@click.argument("file", required=False)
@rules_option
@click.option("--as-of", metavar="DATE", help="The day to decide for, if a request gives none. [default: today, UTC]")
@click.option("--locale", metavar="LOCALE", help="The language of texts.")
@click.option("--engine", type=click.Choice(ENGINES), default=FIRST, show_default=True)
@click.option("--detail", type=click.Choice(["full"]), help="Add alternatives, assumptions and unknown facts.")
@click.pass_context
def batch(
    ctx: click.Context, file: str | None, as_of: str | None, locale: str | None, engine: Any, detail: Any
) -> None:
    """Decide many requests: one JSON object in a line in, one decision in a line out, in the same order.

    A line that holds no request gives {"error": …} in its place. Ends quietly when its reader goes away.
    """
    gate = _open(_folders(ctx), as_of)
    language = _language(gate, locale)
    decide = functools.partial(gate.decide, detail=detail, locale=language, engine=engine)
    with _input(file) as stream, _progress(stream) as advance:
        try:
            for number, line in enumerate(_bounded_lines(stream), 1):
                sys.stdout.write(f"{_answer(line, number, decide)}\n")
                advance(len(line))
            sys.stdout.flush()
        except BrokenPipeError:
            _forget_output()


@main.command()
@rules_option
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings, too.")
@formats("sarif")
@click.pass_context
def validate(ctx: click.Context, strict: bool, form: str) -> None:
    """Find everything that is wrong with the rules."""
    from engine.author import read_packs
    from engine.cases import coverage_findings
    from engine.report import finding_lines

    checked = read_packs(_folders(ctx))
    findings = checked.findings
    if not checked.errors:
        from engine.finding import in_reading_order

        findings = in_reading_order([*findings, *coverage_findings(Gate(checked.pack))])
    if form == "json":
        _print_json([finding.to_dict() for finding in findings])
    elif form == "sarif":
        from engine.sarif import sarif

        _print_json(sarif(findings, _version(), Path.cwd()))
    else:
        _print(finding_lines(findings, checked.texts, _paint(sys.stdout)))
    failing = ("error", "warning") if strict else ("error",)
    ctx.exit(int(any(finding.severity in failing for finding in findings)))


@main.command()
@rules_option
@formats("junit")
@click.pass_context
def test(ctx: click.Context, form: str) -> None:
    """Run the cases of the rules, and see that they cover every rule."""
    from engine.cases import run_cases
    from engine.junit import junit, junit_of_findings
    from engine.report import finding_lines, report_data, report_lines

    folders = _folders(ctx)
    try:
        gates = [open_policy(folders[: layer + 1]) for layer in range(len(folders))]
    except InvalidRules as error:
        _print(finding_lines(error.findings, error.texts, _paint(sys.stderr)), err=True)
        if form == "junit":
            click.echo(junit_of_findings(error.findings))
        ctx.exit(1)
    with _counting(len(gates[-1].pack.cases), "cases") as bar:
        report = run_cases(gates, lambda: bar.update(1))
    if form == "json":
        _print_json(report_data(report))
    elif form == "junit":
        click.echo(junit(report, gates[-1].pack.rules))
    else:
        _print(report_lines(report, _paint(sys.stdout)))
    ctx.exit(int(not report.passed))


@main.command()
@click.argument("action", required=False)
@rules_option
@click.option("--all", "everything", is_flag=True, help="List facts that the action's rules do not read, too.")
@format_option
@click.pass_context
def facts(ctx: click.Context, action: str | None, everything: bool, form: str) -> None:
    """The vocabulary: what a caller may send, and what each action's rules read."""
    from engine.report import vocabulary_data, vocabulary_lines

    gate = _open(_folders(ctx))
    if action is not None and action not in gate.pack.actions:
        raise Usage(f"unknown action `{action}`; the policy has {', '.join(gate.pack.actions)}")
    data = vocabulary_data(gate.pack, gate.today().actions, action)
    if form == "json":
        _print_json(data)
    else:
        _print(vocabulary_lines(data, everything))


@main.command(name="schema")
@click.argument("which", type=click.Choice(SCHEMAS), required=False)
def print_schema(which: str | None) -> None:
    """Print the JSON Schemas: of packs, of requests, of decisions, or all three by name."""
    _print_json(schema(which) if which else {name: schema(name) for name in SCHEMAS})


@main.group()
@rules_option
def sources() -> None:
    """The texts behind the rules: a register of their statements, and whether they still say so."""


@sources.command(name="list")
@rules_option
@formats("markdown")
@click.pass_context
def list_sources(ctx: click.Context, form: str) -> None:
    """List every statement with what cites it and the cases that use it, the readings, and rules that cite nothing."""
    from engine.cases import run_cases
    from engine.register import register
    from engine.report_sources import WIDTH, register_lines, register_markdown

    folders = _folders(ctx)
    gates = [_open(folders[: layer + 1], cache=False) for layer in range(len(folders))]
    pack = gates[-1].pack
    with _counting(len(pack.cases), "cases") as bar:
        data = register(pack, run_cases(gates, lambda: bar.update(1)).results)
    match form:
        case "json":
            _print_json(data)
        case "markdown":
            _print(register_markdown(data))
        case _:
            import shutil

            wide = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
            _print(register_lines(data, wide, _paint(sys.stdout)))


@sources.command(name="verify")
@click.argument("folder", type=click.Path())
@rules_option
@format_option
@click.pass_context
def verify_sources(ctx: click.Context, folder: str, form: str) -> None:
    """Say whether the texts in FOLDER still say what the statements were taken from.

    Exit codes: 0 everything was found, if elsewhere; 1 something is gone, or a file is missing; 2 bad usage,
    an unreadable text or wrong rules.
    """
    from engine.originals import NotReadable, read_originals
    from engine.report_sources import verified_data, verified_lines
    from engine.verify import files_of, verify

    pack = _open(_folders(ctx), cache=False).pack
    try:
        texts = read_originals(Path(folder), files_of(pack))
    except NotReadable as error:
        raise Usage(str(error)) from None
    with _counting(len(pack.statements), "statements") as bar:
        verified = verify(pack, texts, lambda: bar.update(1))
    if form == "json":
        _print_json(verified_data(verified))
    else:
        _print(verified_lines(verified, _paint(sys.stdout)))
    ctx.exit(int(not all(source.passed for source in verified)))


def _counting(length: int, label: str) -> Any:
    """A bar on standard error, if that is a terminal."""
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


def _folders(ctx: click.Context) -> list[str]:
    chosen: list[str] = ctx.ensure_object(dict).get("rules", [])
    return chosen or [str(shipped_rules())]


def _open(folders: list[str], as_of: str | None = None, cache: bool = True) -> Gate:
    try:
        return open_policy(folders, None if as_of is None else parse_date(as_of), cache=cache)
    except InvalidRules as error:
        from engine.report import finding_lines

        errors = [finding for finding in error.findings if finding.severity == "error"]
        _print(finding_lines(errors, error.texts, _paint(sys.stderr)), err=True)
        raise Usage("the rules have errors; `changegate validate` lists every finding") from None
    except NotAValue as error:
        raise Usage(f"--as-of {error}") from None


def _language(gate: Gate, locale: str | None) -> str:
    language = gate.language(locale)
    if language is None:
        raise Usage(f"the policy has no texts in `{locale}`; it has {', '.join(gate.pack.languages)}")
    return language


@main.command()
@click.option(
    "-o",
    "--output",
    "output",
    required=True,
    metavar="DIR",
    help="The folder of the book: new, empty, or an older book.",
)
@click.option(
    "--since",
    "older",
    multiple=True,
    metavar="DIR",
    help="An older pack to tell the changes from; repeat it to stack packs.",
)
@click.option("--as-of", metavar="DATE", help="The day of the book. [default: the day that the pack's cases name]")
@rules_option
@click.pass_context
def book(ctx: click.Context, output: str, older: tuple[str, ...], as_of: str | None) -> None:
    """Write the rule book: a web site for reviewers that needs no server. The same rules give the same book."""
    try:
        from engine.book.contents import Contents, dated
        from engine.book.pages import Book
        from engine.book.site import NotWritten, check_folder, write
    except ModuleNotFoundError as missing:
        raise _not_installed("book", missing) from None
    folders = _folders(ctx)
    gates = dated([_open(folders[: layer + 1], as_of, cache=False) for layer in range(len(folders))])
    before = _open(list(older), cache=False) if older else None  # it is asked on the day of the newer one
    try:
        check_folder(output)
        with _counting(len(gates[-1].pack.cases) + len(gates[-1].pack.actions), "deciding") as bar:
            contents = Contents(gates, folders, before)
            contents.work_out(lambda: bar.update(1))
        made = Book(contents)
        with _counting(len(made.paths), "pages") as bar:
            count = write(made, output, lambda: bar.update(1))
    except NotWritten as error:
        raise Usage(str(error)) from None
    click.echo(f"{count} files in {output}; open {Path(output) / 'index.html'}")


def _not_installed(extra: str, missing: ModuleNotFoundError) -> Usage:
    """What to say where a package of an extra is missing."""
    package = (missing.name or "more").partition(".")[0]
    return Usage(f"the {_EXTRAS[extra]} needs `{package}`: pip install 'changegate[{extra}]'")


@main.command()
@rules_option
@service_options
@click.pass_context
def serve(ctx: click.Context, /, **options: Any) -> None:
    """Answer over HTTP, as OpenID AuthZEN 1.0 has it, until stopped.

    Ends with 2, and says why, where it could not answer: wrong rules, entities or keys, a log that cannot be written,
    an address that needs TLS.
    """
    try:
        from engine.server.launch import serve as run_service
    except ModuleNotFoundError as missing:
        raise _not_installed("server", missing) from None
    folders = tuple(map(str, _folders(ctx)))
    try:
        run_service(Settings(rules=folders, **options))
    except (InvalidRules, ValueError, RuntimeError, OSError) as error:
        raise Usage(str(error)) from None


@main.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), required=True, help="May be repeated.")
def key(name: str, scopes: tuple[str, ...]) -> None:
    """Make a bearer key for the service: its line for the file of keys, and on standard error the key itself, once."""
    from engine.server.keys import WrongKeys, new_key

    try:
        secret, line = new_key(name, scopes)
    except WrongKeys as error:
        raise Usage(str(error)) from None
    click.echo(line)
    click.echo(f"the key of {name}, which is kept nowhere: {secret}", err=True)


def _decide(
    ctx: click.Context,
    form: str,
    file: str | None,
    settings: tuple[str, ...],
    as_of: str | None,
    locale: str | None,
    engine: Any,
) -> tuple[Gate, dict[str, Any], Decision]:
    gate = _open(_folders(ctx), as_of)
    language = _language(gate, locale)
    try:
        request = with_paths(_read_request(file, bool(settings)), dict(map(parse_setting, settings)))
        decision = gate.decide(request, "full", language, FIRST if engine == BOTH else engine)
        if engine == BOTH and _is_contradicted(gate, request, decision, language):
            both = {str(name): gate.decide(request, "full", language, name) for name in (FIRST, SECOND)}
            _report_disagreement(ctx, form, both)
    except (InvalidRequest, EngineFailure) as error:
        raise Usage(str(error)) from None
    return gate, request, decision


def _is_contradicted(gate: Gate, request: Any, decision: Decision, language: str) -> bool:
    from engine.disagreement import second_opinion

    decide = functools.partial(gate.decide, locale=language, engine=SECOND)
    return second_opinion(decide, request, decision) != decision.to_dict()


def _report_disagreement(ctx: click.Context, form: str, decisions: dict[str, Decision]) -> NoReturn:
    """Both answers in full: nobody should act on either."""
    from engine.disagreement import differences
    from engine.report_decision import decision_lines

    answers = {name: decision.to_dict() for name, decision in decisions.items()}
    if form == "json":
        _print_json({"error": "the engines disagree", "answers": answers})
    else:
        click.echo(
            "The engines disagree; act on neither answer, and report this with the request and the policy's version."
        )
        _print(f"  {line}" for line in differences(answers))
        for name, decision in decisions.items():
            click.echo(f"\n{name}:")
            _print(decision_lines(decision, _paint(sys.stdout)))
    ctx.exit(DISAGREE)


def _read_request(file: str | None, has_settings: bool) -> Any:
    if file is None and has_settings:
        return {}
    if file is None and (sys.stdin is None or sys.stdin.isatty()):
        raise Usage("name a request: a FILE, - for standard input, or --set action=… --set path=value")
    with _input(file) as stream:
        data = stream.read(MAX_BYTES + 1)
    return parse_request(data, file or "-")


def _input(file: str | None) -> Any:
    if file is None or file == "-":
        if sys.stdin is None:
            raise Usage("standard input is closed; name a FILE")
        return sys.stdin.buffer
    try:
        path = Path(file)
        if path.is_dir():
            raise Usage(f"`{file}` is a folder; name a file")
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise Usage(f"`{file}` cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _bounded_lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines of a stream in bounded memory: of a longer one only its beginning, which is no request."""
    while line := stream.readline(MAX_BYTES + 1):
        yield line
        while len(line) > MAX_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_BYTES + 1)


def _answer(line: bytes, number: int, decide: Callable[[Any], Decision]) -> str:
    try:
        return decide(parse_line(line)).to_json()
    except (InvalidRequest, EngineFailure) as error:
        return json.dumps({"error": {"line": number, "message": str(error)}}, ensure_ascii=False)


def _progress(stream: Any) -> Any:
    """A bar on standard error, if that is a terminal and the decisions go elsewhere; as a function of bytes read."""
    try:
        size = os.fstat(stream.fileno()).st_size
    except (OSError, ValueError):
        size = 0
    if not (sys.stderr.isatty() and not sys.stdout.isatty() and size):
        return contextlib.nullcontext(lambda _bytes: None)
    return _Bar(click.progressbar(length=size, label="requests", file=sys.stderr))


class _Bar:
    """A progress bar as a context whose value is its update function."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def __enter__(self) -> Callable[[int], None]:
        update: Callable[[int], None] = self._bar.__enter__().update
        return update

    def __exit__(self, *exception: object) -> None:
        self._bar.__exit__(*exception)


def _forget_output() -> None:
    """Let what is still in the buffer go nowhere: its reader has gone, and the interpreter flushes on exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run() -> NoReturn:
    """Run the command line, with no traceback for a user."""
    gc.freeze()  # what is loaded stays; to look for garbage in it, now and at the end, takes longer than to decide
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        code = main.main(prog_name="changegate", standalone_mode=False) or 0
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except Exception as error:  # the last line of defense: whatever fails, it is no yes
        if os.environ.get("CHANGEGATE_DEBUG"):
            raise
        click.echo(f"changegate: internal error: {error!r}; CHANGEGATE_DEBUG=1 shows where", err=True)
        code = BAD_INPUT
    sys.exit(code)


if __name__ == "__main__":
    run()
