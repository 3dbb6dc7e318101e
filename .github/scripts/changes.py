"""Write to the step's outputs which stacks this workflow run deploys: `deployment-role` and `infrastructure`.

A push to main deploys what changed since the last successful run on main, so that the next push repeats a failed
deployment. A manual run deploys both stacks, a release none. Settings, from GitHub's runner: GITHUB_EVENT_NAME,
GITHUB_REF_TYPE, GITHUB_SHA, GITHUB_REPOSITORY, GITHUB_API_URL, GITHUB_OUTPUT; and GITHUB_TOKEN, which may read actions.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

WORKFLOW = "deploy-infrastructure.yml"
STACKS = {
    "deployment-role": ["infrastructure/deployment-role.yml"],
    "infrastructure": ["infrastructure/template.yml", f".github/workflows/{WORKFLOW}"],
}
"""The files of each stack. If one of them changes, the stack is deployed."""


def last_deployed() -> str | None:
    """Return the commit of the last successful run on main, None if there is none."""
    runs = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/actions/workflows/{WORKFLOW}/runs"
    request = urllib.request.Request(  # noqa: S310 -- the address of GitHub's API, set by its runner
        f"{runs}?branch=main&status=success&per_page=1",
        headers={"Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}", "Accept": "application/vnd.github+json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- the same
        found = json.load(answer)["workflow_runs"]
    return found[0]["head_sha"] if found else None


def changed(files: list[str], since: str) -> bool:
    """Say whether one of these files differs between `since` and this run's commit, or `since` no longer exists."""
    command = ["git", "diff", "--quiet", since, os.environ["GITHUB_SHA"], "--", *files]
    return subprocess.run(command, check=False).returncode != 0


def deployed() -> dict[str, bool]:
    """Return for each stack whether this run deploys it."""
    if os.environ["GITHUB_EVENT_NAME"] == "workflow_dispatch":
        return dict.fromkeys(STACKS, True)
    if os.environ["GITHUB_REF_TYPE"] == "tag":
        return dict.fromkeys(STACKS, False)
    since = last_deployed()
    if since is None:
        return dict.fromkeys(STACKS, True)
    return {stack: changed(files, since) for stack, files in STACKS.items()}


def main() -> None:
    """Write the outputs and print them."""
    listed = "".join(f"{stack}={str(deploys).lower()}\n" for stack, deploys in deployed().items())
    with Path(os.environ["GITHUB_OUTPUT"]).open("a") as outputs:
        outputs.write(listed)
    sys.stdout.write(listed)


if __name__ == "__main__":
    main()
