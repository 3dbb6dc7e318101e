"""Hooks run what CI runs, issue forms name commands that exist, and SECURITY.md says where the page listens."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import speedsnake
from paths import PROJECT

from speedtest import environment
from speedtest.engines import ENGINES

BOOTSTRAP = (PROJECT / "bootstrap.sh").read_text(encoding="utf-8")
LINT_ALL = (PROJECT / ".ci" / "lint-all").read_text(encoding="utf-8")
FOLDERS = {".venv/bin": PROJECT / "pyproject.toml", ".tools/lint/bin": PROJECT / ".ci" / "lint.txt"}
"""Where bootstrap.sh installs tools, and the file that lists them."""
ONLY_IN_CI = {"pytest", "checkov", "npx"}
FOLLOW = "--external-sources"
"""An option that only makes shellcheck read more files."""
TEMPLATES = PROJECT / ".github" / "ISSUE_TEMPLATE"
FORMS = sorted(set(TEMPLATES.glob("*.yml")) - {TEMPLATES / "config.yml"})
SECURITY = PROJECT / ".github" / "SECURITY.md"
WRITTEN = [
    PROJECT / ".pre-commit-config.yaml",
    PROJECT / ".github" / "PULL_REQUEST_TEMPLATE.md",
    SECURITY,
    *FORMS,
]


def hooks() -> list[dict[str, Any]]:
    config = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    return [hook for repository in config["repos"] for hook in repository["hooks"]]


def commands_of_ci() -> list[list[str]]:
    """Return the words of each command that `./bootstrap.sh test` and `.ci/lint-all` run."""
    test = BOOTSTRAP.partition("\nverb_test() {\n")[2].partition("\n}\n")[0].splitlines()
    lint = [
        line.partition(" check ")[2]
        for line in LINT_ALL.replace("\\\n", " ").splitlines()
        if line.startswith("  check ")
    ]
    commands = [shlex.split(line, comments=True) for line in test if not line.startswith("  bring_")]
    commands += [shlex.split(line)[1:] for line in lint]
    return [[word for word in command if word != FOLLOW] for command in commands]


def tool_and_arguments(hook: dict[str, Any]) -> list[str]:
    program, *arguments = shlex.split(hook["entry"])
    return [Path(program).name, *(word for word in arguments if word != FOLLOW)]


def is_run_by(command: list[str], hook: dict[str, Any]) -> bool:
    """Say whether a hook does the same as a command of CI, to the same files or more."""
    words = tool_and_arguments(hook)
    if not hook.get("pass_filenames", True):
        return command == words
    files = [path for pattern in command[len(words) :] for path in expanded(pattern)]
    return command[: len(words)] == words and bool(files) and all(re.search(hook["files"], path) for path in files)


def expanded(pattern: str) -> list[str]:
    """Return the files that an argument in CI matches."""
    patterns = [pattern]
    if pattern == "${scripts[@]}":
        found = re.search(r"mapfile .*\(git ls-files -- (.*)\)", LINT_ALL)
        assert found, "the scripts that shellcheck gets in .ci/lint-all"
        patterns = [each for name in shlex.split(found[1]) for each in (name, f"*/{name}")]  # git searches subfolders
    return [str(path.relative_to(PROJECT)) for each in patterns for path in PROJECT.glob(each)]


@pytest.mark.parametrize("hook", hooks(), ids=lambda hook: hook["id"])
def test_a_hook_is_a_command_of_ci_with_a_tool_that_bootstrap_brings(hook: dict[str, Any]) -> None:
    assert any(is_run_by(command, hook) for command in commands_of_ci())
    program = Path(shlex.split(hook["entry"])[0])
    names = FOLDERS[str(program.parent)].read_text(encoding="utf-8")
    assert re.search(rf'^[ "]*{program.name}(-py|-bin)?[>=]=', names, re.MULTILINE)


def test_each_command_of_ci_is_a_hook_or_known_to_be_none() -> None:
    commands = [command for command in commands_of_ci() if command[0] not in ONLY_IN_CI]
    assert {command[0] for command in commands} > {"ruff", "pyrefly", "shellcheck", "zizmor", "check-jsonschema"}
    for command in commands:
        assert any(is_run_by(command, hook) for hook in hooks()), command


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_a_form_asks_for_commands_that_exist(form: Path, tmp_path: Path) -> None:
    fields = yaml.safe_load(form.read_text(encoding="utf-8"))["body"]
    asked = " ".join(str(field["attributes"].get("description")) for field in fields)
    for command in re.findall(r"`speedsnake ([^`]+)`", asked):
        assert speedsnake(tmp_path, *shlex.split(command), "--help").returncode == 0, command


def test_a_bug_report_asks_for_version_settings_log_and_engine() -> None:
    fields = yaml.safe_load((TEMPLATES / "bug-report.yml").read_text(encoding="utf-8"))["body"]
    required = {field["id"]: field["attributes"] for field in fields if field.get("validations", {}).get("required")}
    assert "`speedsnake --version`" in required["version"]["description"]
    assert "`speedsnake check --json`" in required["check"]["description"]
    assert "`LOG_DIR/speedtest.log`" in required["log"]["description"]
    assert set(ENGINES) < set(required["engine"]["options"])
    assert required.keys() >= {"happened", "expected", "run"}


@pytest.mark.parametrize("file", [*FORMS, TEMPLATES / "config.yml"], ids=lambda file: file.stem)
def test_a_file_of_the_issue_templates_is_checked_by_ci(file: Path) -> None:
    schema = "vendor.github-issue-config" if file.stem == "config" else "vendor.github-issue-forms"
    (command,) = [command for command in commands_of_ci() if schema in command]
    assert str(file.relative_to(PROJECT)) in command


@pytest.mark.parametrize("file", WRITTEN, ids=lambda file: file.name)
def test_a_command_of_bootstrap_that_is_named_exists(file: Path) -> None:
    for verb in re.findall(r"`\./bootstrap\.sh ([a-z][a-z-]*)", file.read_text(encoding="utf-8")):
        assert f"\nverb_{verb}() {{\n" in BOOTSTRAP


def test_security_says_where_the_page_listens_unless_told_otherwise() -> None:
    host, port = (environment.value(name, {}) for name in ("PAGE_HOST", "PAGE_PORT"))
    assert f"by default at `{host}:{port}`" in SECURITY.read_text(encoding="utf-8")


def test_security_names_no_variable_that_the_readme_does_not_have() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:PAGE|SPEEDTEST)_[A-Z_]+|[A-Z]+_DIR)`", SECURITY.read_text(encoding="utf-8")))
    assert named >= {"PAGE_HOST", "PAGE_PORT", "PAGE_PASSWORD", "PAGE_PASSWORD_FILE"}
    for name in named:
        assert f"| `{name}` |" in readme
