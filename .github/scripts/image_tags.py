"""Write the image's tags for this workflow run, as docs/deployment.md lists them, to the step's outputs.

Settings: IMAGE_NAME and, from GitHub's runner, GITHUB_REF_TYPE, GITHUB_REF_NAME, GITHUB_SHA and GITHUB_OUTPUT.
The universes are those of the deployment workflow. Outputs: `tags`, one per line, and `version`, for the image's label.
"""

import os
import re
import sys
from pathlib import Path

WORKFLOW = Path(__file__).parent.parent / "workflows" / "deploy-infrastructure.yml"
NUMBER = r"(?:0|[1-9][0-9]*)"
RELEASE = re.compile(
    rf"v(?P<version>(?P<major>{NUMBER})\.(?P<minor>{NUMBER})\.{NUMBER}(?P<candidate>-[0-9A-Za-z.-]+)?)"
)
MAIN = "main"
ALIASED = "production"
"""The universe whose `latest` also gets the tag `latest` without a universe."""


def universes(workflow: str) -> list[str]:
    """Return the universes of a workflow's matrices. Exits if the matrices name different ones."""
    matrices = re.findall(r"^ *universe: *\[(.*)\]", workflow, re.MULTILINE)
    found = {tuple(re.findall(r"[\w-]+", matrix)) for matrix in matrices}
    if len(found) != 1:
        raise SystemExit(f"image_tags: the matrices of {WORKFLOW.name} name different universes, or none: {matrices}")
    return list(found.pop())


def release(ref_name: str) -> re.Match[str]:
    """Return the parts of a release's tag. Exits if it is no release."""
    if found := RELEASE.fullmatch(ref_name):
        return found
    raise SystemExit(f"image_tags: the tag {ref_name} is no release: push a tag such as v1.2.3 or v1.2.3-rc.1")


def version(ref_type: str, ref_name: str, sha: str) -> str:
    """Return the image's version without its universe: the release, or the branch and the commit."""
    if ref_type == "tag":
        return release(ref_name)["version"]
    return f"{re.sub(r'[^A-Za-z0-9_.]+', '-', ref_name).strip('-.')[:80]}-{sha[:7]}"


def names(ref_type: str, ref_name: str, sha: str) -> list[str]:
    """Return the image's tags without their universe."""
    own = version(ref_type, ref_name, sha)
    if ref_type == "tag":
        major, minor, candidate = release(ref_name).group("major", "minor", "candidate")
        return [own, *([] if candidate else [f"{major}.{minor}", major]), version("branch", MAIN, sha)]
    return [*(["latest"] if ref_name == MAIN else []), own]


def tags(ref_type: str, ref_name: str, sha: str, universes: list[str]) -> list[str]:
    """Return all tags of the image, for every universe."""
    found = [f"{name}-{universe}" for universe in universes for name in names(ref_type, ref_name, sha)]
    return found + (["latest"] if f"latest-{ALIASED}" in found else [])


def main() -> None:
    """Write the outputs and print them."""
    image = os.environ["IMAGE_NAME"]
    run = (os.environ["GITHUB_REF_TYPE"], os.environ["GITHUB_REF_NAME"], os.environ["GITHUB_SHA"])
    listed = "\n".join(f"{image}:{tag}" for tag in tags(*run, universes(WORKFLOW.read_text())))
    with Path(os.environ["GITHUB_OUTPUT"]).open("a") as outputs:
        outputs.write(f"tags<<END\n{listed}\nEND\nversion={version(*run)}\n")
    sys.stdout.write(f"{listed}\n")


if __name__ == "__main__":
    main()
