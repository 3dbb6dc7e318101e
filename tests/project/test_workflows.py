"""Compare each row of the tables in docs/deployment.md with the workflows and scripts."""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, override

import pytest
import workflow
import yaml
from workflow import Event, Workflow

DOCUMENT = (workflow.GITHUB.parent / "docs" / "deployment.md").read_text()
SCRIPTS = workflow.GITHUB / "scripts"
CI = "ci.yml"
DEPLOY = "deploy-infrastructure.yml"
ROLE_FILE = "infrastructure/deployment-role.yml"
BUCKET_FILE = "infrastructure/template.yml"
DEPLOY_FILE = f".github/workflows/{DEPLOY}"
COMMIT = "abc1234def567890abc1234def567890abc12345"

COLUMNS = {
    "Lint/Test": {"lint", "test"},
    "Infrastructure": {"deploy-deployment-role", "deploy-infrastructure"},
    "Docker Build": {"docker"},
}
HAPPENS = {
    "Pull request to `main`": Event("pull_request", files=("README.md",)),
    "Push to `main` (infra files changed)": Event("push", files=(ROLE_FILE, BUCKET_FILE, "README.md")),
    "Push to `main` (other files)": Event("push", files=("speedtest/speedtest.py", "docker/production/Dockerfile")),
    "Tag push (`v*.*.*`)": Event("push", "refs/tags/v1.2.3", (ROLE_FILE, BUCKET_FILE)),
    "Manual workflow dispatch": Event("workflow_dispatch"),
}
PUBLISHES = {
    "Push to `main`": ("branch", "main"),
    "Tag `v1.2.3`": ("tag", "v1.2.3"),
    "Tag `v1.2.3-rc.1`": ("tag", "v1.2.3-rc.1"),
    "Manual dispatch from `main`": ("branch", "main"),
    "Manual dispatch from `fix/dns`": ("branch", "fix/dns"),
}


def table(first_column: str) -> list[dict[str, str]]:
    """Return the rows of the document's table that begins with this column."""
    lines = iter(DOCUMENT.splitlines())
    head = next(line for line in lines if line.startswith(f"| {first_column} |"))
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(_cells(head), _cells(line), strict=True)))
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


class Repository:
    """A repository with one deployed commit, and GitHub's answer that names it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answer: list[dict[str, str]] = []
        self.asked: list[str] = []
        self._git("init", "--quiet", "--initial-branch=main")
        self.answer = [{"head_sha": self.commit(ROLE_FILE, BUCKET_FILE, DEPLOY_FILE, "README.md")}]

    def commit(self, *files: str) -> str:
        """Change these files and return the commit."""
        for name in files:
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a") as text:
                text.write("changed\n")
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", "a change")
        return self._git("rev-parse", "HEAD")

    def outputs(self, event: Event) -> dict[str, str]:
        """Return what the pipeline's script wants to deploy at the newest commit."""
        with self._github() as address:
            run = {
                "GITHUB_EVENT_NAME": event.name,
                "GITHUB_REF_TYPE": "tag" if event.ref.startswith("refs/tags/") else "branch",
                "GITHUB_SHA": self._git("rev-parse", "HEAD"),
                "GITHUB_REPOSITORY": "octo/speedsnake",
                "GITHUB_API_URL": address,
                "GITHUB_TOKEN": "t",
            }
            return call("changes.py", run, self.folder)

    def _git(self, *arguments: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        command = ["git", *who, *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    @contextmanager
    def _github(self) -> Iterator[str]:
        repository = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                repository.asked.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps({"workflow_runs": repository.answer}).encode())

            @override
            def log_message(self, format: str, *args: object) -> None:
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
            threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return a repository whose newest commit is deployed."""
    (tmp_path / "repository").mkdir()
    return Repository(tmp_path / "repository")


def call(script: str, run: dict[str, str], folder: Path) -> dict[str, str]:
    """Run one of the pipeline's scripts as GitHub's runner does, and return the outputs it writes."""
    written = folder / ".git" / "outputs" if (folder / ".git").exists() else folder / "outputs"
    environment = {"PATH": os.environ["PATH"], "GITHUB_OUTPUT": str(written)} | run
    command = [sys.executable, SCRIPTS / script]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = re.sub(
        r"<<END\n(.*?)\nEND\n",
        lambda lines: "=" + lines[1].replace("\n", " ") + "\n",
        written.read_text(),
        flags=re.DOTALL,
    )
    written.unlink()
    return dict(line.split("=", 1) for line in text.splitlines())


def jobs_that_run(name: str, event: Event, repository: Repository, ends: dict[str, str] | None = None) -> set[str]:
    """Return the jobs of this workflow that an event starts."""
    read = Workflow.read(name)
    if not read.starts_on(event):
        return set()
    outputs = {"changes": repository.outputs(event)} if "changes" in read.jobs else {}
    return {job for job, result in read.results(outputs, ends).items() if result != "skipped"}


@pytest.mark.parametrize("row", table("Workflow"), ids=lambda row: row["Trigger"])
def test_the_jobs_of_the_trigger_table_run(row: dict[str, str], repository: Repository) -> None:
    event = HAPPENS[row["Trigger"]]
    repository.commit(*event.files)
    ran = jobs_that_run(row["Workflow"].strip("`"), event, repository)
    for column, jobs in COLUMNS.items():
        assert ran & jobs == (jobs if row[column] == "✓" else set()), column


def test_the_trigger_table_names_every_event_and_no_other_workflow_runs_on_it(repository: Repository) -> None:
    rows = table("Workflow")
    assert {row["Trigger"] for row in rows} == set(HAPPENS)
    for row in rows:
        other = {CI, DEPLOY} - {row["Workflow"].strip("`")}
        assert not any(jobs_that_run(name, HAPPENS[row["Trigger"]], repository) for name in other)


def test_a_pull_request_also_validates_the_templates_and_builds_the_image_but_publishes_nothing(
    repository: Repository,
) -> None:
    assert jobs_that_run(CI, HAPPENS["Pull request to `main`"], repository) == {"lint", "test", "templates", "image"}
    text = (workflow.GITHUB / "workflows" / CI).read_text()
    assert "secrets." not in text
    assert "id-token" not in text


@pytest.mark.parametrize(
    "event",
    [
        Event("pull_request", "refs/heads/release"),
        Event("push", "refs/heads/release", (BUCKET_FILE,)),
        Event("push", "refs/tags/nightly"),
        Event("issues"),
    ],
    ids=str,
)
def test_nothing_else_starts_anything(event: Event, repository: Repository) -> None:
    assert not jobs_that_run(CI, event, repository) | jobs_that_run(DEPLOY, event, repository)


@pytest.mark.parametrize(
    ("file", "deployed"),
    [
        (ROLE_FILE, {"deploy-deployment-role"}),
        (BUCKET_FILE, {"deploy-infrastructure"}),
        (DEPLOY_FILE, {"deploy-infrastructure"}),
    ],
)
def test_a_push_deploys_the_stack_whose_file_changed_and_the_image(
    file: str, deployed: set[str], repository: Repository
) -> None:
    repository.commit(file)
    ran = jobs_that_run(DEPLOY, Event("push", files=(file,)), repository)
    assert ran == {"lint", "test", "changes", "docker"} | deployed


def test_a_push_after_a_failed_deployment_makes_up_for_it(repository: Repository) -> None:
    repository.commit(ROLE_FILE)  # this run failed: GitHub still names the commit before it
    repository.commit(BUCKET_FILE)
    event = Event("push", files=(BUCKET_FILE,))
    assert repository.outputs(event) == {"deployment-role": "true", "infrastructure": "true"}
    (asked,) = repository.asked
    assert asked == f"/repos/octo/speedsnake/actions/workflows/{DEPLOY}/runs?branch=main&status=success&per_page=1"


def test_a_stack_whose_change_was_taken_back_is_not_deployed(repository: Repository) -> None:
    before = (repository.folder / ROLE_FILE).read_text()
    repository.commit(ROLE_FILE)
    (repository.folder / ROLE_FILE).write_text(before)
    repository.commit(BUCKET_FILE)
    assert repository.outputs(Event("push")) == {"deployment-role": "false", "infrastructure": "true"}


@pytest.mark.parametrize(
    "answer", [[], [{"head_sha": COMMIT}]], ids=["never deployed", "deployed by a commit that is gone"]
)
def test_without_a_deployment_to_compare_with_everything_is_deployed(
    answer: list[dict[str, str]], repository: Repository
) -> None:
    repository.answer = answer
    assert repository.outputs(Event("push")) == {"deployment-role": "true", "infrastructure": "true"}


@pytest.mark.parametrize("result", ["failure", "cancelled"])
@pytest.mark.parametrize("gate", ["lint", "test", "changes"])
@pytest.mark.parametrize("trigger", ["Manual workflow dispatch", "Tag push (`v*.*.*`)"])
def test_nothing_is_deployed_when_a_gate_does_not_pass(
    gate: str, result: str, trigger: str, repository: Repository
) -> None:
    ran = jobs_that_run(DEPLOY, HAPPENS[trigger], repository, {gate: result})
    assert ran == {"lint", "test", "changes"}


@pytest.mark.parametrize("result", ["failure", "cancelled"])
def test_what_follows_a_deployment_that_does_not_succeed_is_not_deployed(result: str, repository: Repository) -> None:
    event = HAPPENS["Manual workflow dispatch"]
    ran = jobs_that_run(DEPLOY, event, repository, {"deploy-deployment-role": result})
    assert not ran & {"deploy-infrastructure", "docker"}
    assert "docker" not in jobs_that_run(DEPLOY, event, repository, {"deploy-infrastructure": result})


@pytest.mark.parametrize("row", table("Git event"), ids=lambda row: row["Git event"])
def test_the_image_gets_the_tags_of_the_table(row: dict[str, str], tmp_path: Path) -> None:
    kind, name = PUBLISHES[row["Git event"]]
    listed = image_tags(kind, name, tmp_path)["tags"].split(" ")
    assert sorted(listed) == sorted(f"octo/snake:{tag}" for tag in re.findall(r"`(.+?)`", row["Docker tags"]))


def test_the_tag_table_names_every_kind_of_event() -> None:
    assert {row["Git event"] for row in table("Git event")} == set(PUBLISHES)


@pytest.mark.parametrize(("name", "version"), [("v1.2.3", "1.2.3"), ("v10.0.0-rc.1", "10.0.0-rc.1")])
def test_the_image_s_label_names_the_release(name: str, version: str, tmp_path: Path) -> None:
    assert image_tags("tag", name, tmp_path)["version"] == version


@pytest.mark.parametrize("name", ["v1.2", "v1.2.3.4", "1.2.3", "v1.2.x", "v01.2.3", "v1.2.3+build"])
def test_a_tag_that_is_no_release_publishes_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="push a tag such as v"):
        image_tags("tag", name, tmp_path)


def test_another_universe_gets_its_own_tags_and_leaves_latest_to_production() -> None:
    script: dict[str, Any] = {"__name__": "image_tags", "__file__": str(SCRIPTS / "image_tags.py")}
    exec((SCRIPTS / "image_tags.py").read_text(), script)  # noqa: S102 -- our own script, which cannot be imported
    text = (workflow.GITHUB / "workflows" / DEPLOY).read_text().replace("[production]", "[production, development]")
    universes = script["universes"](text)
    assert universes == ["production", "development"]
    assert script["tags"]("branch", "main", COMMIT, universes) == [
        "latest-production",
        "main-abc1234-production",
        "latest-development",
        "main-abc1234-development",
        "latest",
    ]
    with pytest.raises(SystemExit, match="different universes"):
        script["universes"](text.replace("[production, development]", "[production]", 1))


def image_tags(kind: str, name: str, folder: Path) -> dict[str, str]:
    """Return the outputs of the script that names the image."""
    run = {"GITHUB_REF_TYPE": kind, "GITHUB_REF_NAME": name, "GITHUB_SHA": COMMIT, "IMAGE_NAME": "octo/snake"}
    return call("image_tags.py", run, folder)


def test_each_universe_is_deployed_by_itself_in_its_environment_and_one_run_at_a_time() -> None:
    jobs = Workflow.read(DEPLOY).jobs
    for name in ("deploy-deployment-role", "deploy-infrastructure"):
        assert jobs[name]["strategy"]["matrix"] == {"universe": ["production"]}
        assert jobs[name]["environment"] == "${{ matrix.universe }}"
        role = re.sub(r"\$\{\{.*?\}\}", "…", jobs[name]["env"]["DEPLOYMENT_ROLE_ARN"])
        assert role == "arn:aws:iam::…:role/github-actions-…-…-deployment…"
        assert jobs[name]["concurrency"] == {"group": "deploy-${{ matrix.universe }}", "cancel-in-progress": False}


@pytest.mark.parametrize("name", [CI, DEPLOY])
def test_a_job_has_only_the_permissions_it_names_and_an_end(name: str) -> None:
    read = Workflow.read(name)
    assert read.document["permissions"] == {}
    for job in read.jobs.values():
        assert job["permissions"]
        assert job["timeout-minutes"] <= 60
    tokens = {job for job, settings in read.jobs.items() if "id-token" in settings["permissions"]}
    assert tokens == ({"deploy-deployment-role", "deploy-infrastructure"} if name == DEPLOY else set())


def test_every_action_is_ours_or_pinned_by_its_commit_with_its_version_beside_it() -> None:
    files = [*workflow.GITHUB.glob("workflows/*.yml"), *workflow.GITHUB.glob("actions/*/action.yml")]
    uses = [line for file in files for line in file.read_text().splitlines() if "uses:" in line]
    assert uses
    for line in uses:
        assert re.search(r"uses: (\./\.github/actions/[a-z-]+$|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$)", line), line


def test_inputs_are_documented_and_in_kebab_case() -> None:
    for file in workflow.GITHUB.glob("actions/*/action.yml"):
        for name, settings in yaml.safe_load(file.read_text())["inputs"].items():
            assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name), f"{file}: {name}"
            assert settings["description"], f"{file}: {name}"
