"""Deploy the templates with the pipeline's own script to stand-ins for AWS: `./bootstrap.sh test-infrastructure`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import cloud
import pytest
from cloud import Cloud, Keys

pytestmark = pytest.mark.standins

INFRASTRUCTURE = cloud.PROJECT / "infrastructure"
ROLE = ("speedsnake-deployment-role-production", INFRASTRUCTURE / "deployment-role.yml")
ROLE_PARAMETERS = (
    "Universe=production",
    "GitHubOwner=octo",
    "GitHubOwnerId=12",
    "GitHubRepository=speedsnake",
    "GitHubRepositoryId=34",
)
STACK = "speedsnake-infrastructure-production"
TEMPLATE = INFRASTRUCTURE / "template.yml"
BUCKET = "speedsnake-production"
UPLOADER = "speedsnake-uploader-production"
IN_IRELAND = ("--create-bucket-configuration", "LocationConstraint=eu-west-1")
ELSEWHERE = "0c7e6a0e-2f6b-4d38-9d0f-5a9a3c1b2e44"
HOME = "7f3b1a52-9d0e-4c1b-8a66-0f2f6f1f9d10"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Deploy both stacks."""
    with cloud.localstack(tmp_path_factory.mktemp("localstack")) as stand_in:
        for done in (stand_in.deploy(*ROLE, *ROLE_PARAMETERS), stand_in.deploy(STACK, TEMPLATE, "Universe=production")):
            assert done.returncode == 0, done.stderr
        yield stand_in


def test_a_deployment_writes_the_stack_s_outputs_into_the_summary(aws: Cloud) -> None:
    summary = (aws.folder / "summary.md").read_text()
    assert "### Stack speedsnake-infrastructure-production\n" in summary
    assert "| BucketName | speedsnake-production |\n" in summary
    assert "| UploaderRoleArn | arn:aws:iam::000000000000:role/speedsnake-uploader-production |\n" in summary
    assert (
        "| DeploymentRoleArn | arn:aws:iam::000000000000:role/github-actions-octo-speedsnake-deployment |\n" in summary
    )


def test_the_bucket_is_encrypted_versioned_and_closed_to_the_public(aws: Cloud) -> None:
    encryption = aws.ask("s3api", "get-bucket-encryption", "--bucket", BUCKET)
    rules = encryption["ServerSideEncryptionConfiguration"]["Rules"]
    assert [rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules] == ["AES256"]
    assert aws.ask("s3api", "get-bucket-versioning", "--bucket", BUCKET)["Status"] == "Enabled"
    closed = aws.ask("s3api", "get-public-access-block", "--bucket", BUCKET)["PublicAccessBlockConfiguration"]
    assert len(closed) == 4
    assert all(closed.values())


def test_the_bucket_refuses_what_comes_without_tls_or_below_1_2(aws: Cloud) -> None:
    policy = json.loads(aws.ask("s3api", "get-bucket-policy", "--bucket", BUCKET)["Policy"])
    assert [statement["Condition"] for statement in policy["Statement"]] == [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    ]
    for statement in policy["Statement"]:
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
        assert statement["Resource"] == [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]


def test_an_overwritten_object_can_be_had_back(aws: Cloud, tmp_path: Path) -> None:
    first = _put(aws, tmp_path, "overwritten", "what was measured")
    _put(aws, tmp_path, "overwritten", "a mistake")
    back = tmp_path / "back"
    version = ("--version-id", first["VersionId"])
    aws.ask("s3api", "get-object", "--bucket", BUCKET, "--key", "overwritten", *version, back)
    assert back.read_text() == "what was measured"


def test_every_role_made_is_bounded(aws: Cloud) -> None:
    for role in (UPLOADER, "github-actions-octo-speedsnake-deployment"):
        boundary = aws.ask("iam", "get-role", "--role-name", role)["Role"]["PermissionsBoundary"]
        assert boundary["PermissionsBoundaryArn"] == "arn:aws:iam::000000000000:policy/speedsnake-boundary-production"


def test_deploying_again_changes_nothing_and_succeeds(aws: Cloud) -> None:
    again = aws.deploy(STACK, TEMPLATE, "Universe=production")
    assert again.returncode == 0, again.stderr
    assert "No changes to deploy" in again.stdout


def test_a_changed_template_updates_the_stack(aws: Cloud, tmp_path: Path) -> None:
    changed = tmp_path / "template.yml"
    changed.write_text(TEMPLATE.read_text().replace("Sid: OwnLocation", "Sid: OneLocation"))
    done = aws.deploy(STACK, changed, "Universe=production")
    assert done.returncode == 0, done.stderr
    trust = aws.ask("iam", "get-role", "--role-name", UPLOADER)["Role"]["AssumeRolePolicyDocument"]
    assert [statement["Sid"] for statement in trust["Statement"]] == ["OneLocation"]


def test_another_universe_gets_stacks_a_role_and_a_bucket_of_its_own(aws: Cloud) -> None:
    parameters = ("Universe=development", *ROLE_PARAMETERS[1:])
    role = aws.deploy("speedsnake-deployment-role-development", ROLE[1], *parameters)
    assert role.returncode == 0, role.stderr
    suffix = "BucketSuffix=-123456789012"
    bucket = aws.deploy("speedsnake-infrastructure-development", TEMPLATE, "Universe=development", suffix)
    assert bucket.returncode == 0, bucket.stderr
    aws.ask("iam", "get-role", "--role-name", "github-actions-octo-speedsnake-deployment-development")
    aws.ask("s3api", "head-bucket", "--bucket", "speedsnake-development-123456789012")
    aws.ask("s3api", "head-bucket", "--bucket", BUCKET)


def test_a_template_that_is_none_is_refused_before_anything_is_deployed(aws: Cloud, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text("Resources: [\n")
    assert aws.deploy("speedsnake-broken", broken).returncode != 0
    assert aws.call("cloudformation", "describe-stacks", "--stack-name", "speedsnake-broken").returncode != 0


def test_a_deployment_that_fails_says_what_failed(aws: Cloud, tmp_path: Path) -> None:
    taken = tmp_path / "taken.yml"
    taken.write_text(
        "Resources:\n"
        f"  Second: {{Type: AWS::IAM::Role, Properties: {{RoleName: {UPLOADER}, AssumeRolePolicyDocument: {{}}}}}}\n"
    )
    done = aws.deploy("speedsnake-taken", taken)
    assert done.returncode == 1
    assert "could not deploy stack speedsnake-taken" in done.stderr
    assert "Second" in done.stderr


def test_the_bucket_its_policy_and_its_objects_outlive_the_stack(tmp_path: Path) -> None:
    with cloud.localstack(tmp_path) as aws:
        assert aws.deploy(*ROLE, *ROLE_PARAMETERS).returncode == 0
        assert aws.deploy(STACK, TEMPLATE, "Universe=production").returncode == 0
        _put(aws, tmp_path, "kept", "for years")
        aws.ask("cloudformation", "delete-stack", "--stack-name", STACK)
        aws.ask("cloudformation", "wait", "stack-delete-complete", "--stack-name", STACK)
        assert aws.call("iam", "get-role", "--role-name", UPLOADER).returncode != 0
        listed = aws.ask("s3api", "list-objects-v2", "--bucket", BUCKET)
        assert [found["Key"] for found in listed["Contents"]] == ["kept"]
        assert "aws:SecureTransport" in aws.ask("s3api", "get-bucket-policy", "--bucket", BUCKET)["Policy"]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Make a bucket. Policies are enforced after `cloud.enforce` is called."""
    folder = tmp_path_factory.mktemp("moto")
    with cloud.moto(folder) as stand_in:
        stand_in.ask("s3api", "create-bucket", "--bucket", BUCKET, *IN_IRELAND)
        _put(stand_in, folder, f"uploads/location-{ELSEWHERE}/row", "not yours")
        yield stand_in


@pytest.fixture(scope="module")
def uploader(aws: Cloud, judge: Cloud) -> Keys:
    """Return keys with the uploader's deployed policy, for one location."""
    policy = _policy_of(aws, UPLOADER, "upload")
    # AWS replaces the variable by the session's tag. The stand-in knows no variables, nor signatures of paths with "=".
    policy = policy.replace("${aws:PrincipalTag/location}", HOME).replace("/location=", "/location-")
    keys = cloud.keys_with(judge, "home", policy)
    cloud.enforce(judge)
    return keys


@pytest.mark.parametrize("folder", ["results", "uploads"])
def test_an_uploader_puts_and_reads_below_its_location(judge: Cloud, uploader: Keys, folder: str) -> None:
    row, back = judge.folder / "row", judge.folder / "back"
    row.write_text("a row")
    where = ("--bucket", BUCKET, "--key", f"{folder}/location-{HOME}/today/row")
    assert not judge.refuses(uploader, "s3api", "put-object", *where, "--body", row)
    assert not judge.refuses(uploader, "s3api", "get-object", *where, back)
    assert back.read_text() == "a row"


def test_an_uploader_puts_and_reads_its_probe(judge: Cloud, uploader: Keys) -> None:
    where = ("--bucket", BUCKET, "--key", f"uploads/.probe/location-{HOME}")
    assert not judge.refuses(uploader, "s3api", "put-object", *where)
    assert not judge.refuses(uploader, "s3api", "get-object", *where, judge.folder / "probe")


@pytest.mark.parametrize(
    "call",
    [
        *(
            ("put-object", "--key", key, "--body", __file__)
            for key in ("row", "uploads/row", f"uploads/location-{ELSEWHERE}/row", f"uploads/location-{HOME}2/row")
        ),
        *(
            ("put-object", "--key", key, "--body", __file__)
            for key in (f"uploads/.probe/location-{ELSEWHERE}", f"uploads/.probe/location-{HOME}/row")
        ),
        ("get-object", "--key", f"uploads/location-{ELSEWHERE}/row", "/dev/null"),
        ("delete-object", "--key", f"uploads/location-{HOME}/today/row"),
        ("delete-object", "--key", f"uploads/location-{ELSEWHERE}/row"),
        ("list-objects-v2",),
        ("list-objects-v2", "--prefix", "uploads"),
        ("list-object-versions",),
        ("delete-bucket",),
        ("put-bucket-versioning", "--versioning-configuration", "Status=Suspended"),
    ],
    ids=lambda call: " ".join(call[:3]),
)
def test_an_uploader_does_nothing_else(judge: Cloud, uploader: Keys, call: tuple[str, ...]) -> None:
    assert judge.refuses(uploader, "s3api", call[0], "--bucket", BUCKET, *call[1:])


def test_the_deployment_role_may_do_what_the_pipeline_calls_and_create_no_user(aws: Cloud, tmp_path: Path) -> None:
    policy = _policy_of(aws, "github-actions-octo-speedsnake-deployment", "deployment")
    with cloud.moto(tmp_path) as stand_in:
        # The stand-in ignores which stack a call to CloudFormation is for.
        keys = cloud.keys_with(stand_in, "pipeline", re.sub(r"arn:aws:cloudformation:[^\"]*", "*", policy))
        cloud.enforce(stand_in)
        changed = tmp_path / "template.yml"
        changed.write_text(TEMPLATE.read_text().replace("Sid: OwnLocation", "Sid: OneLocation"))
        for template in (TEMPLATE, changed):
            done = stand_in.deploy(STACK, template, "Universe=production", keys=keys)
            assert done.returncode == 0, done.stderr
        assert stand_in.refuses(keys, "iam", "create-user", "--user-name", "another")
        assert stand_in.refuses(keys, "cloudformation", "delete-stack", "--stack-name", STACK)
        assert stand_in.refuses(keys, "s3api", "create-bucket", "--bucket", "elsewhere", *IN_IRELAND)
        assert stand_in.refuses(keys, "ec2", "describe-instances")


def _policy_of(aws: Cloud, role: str, name: str) -> str:
    found = aws.ask("iam", "get-role-policy", "--role-name", role, "--policy-name", name)
    return json.dumps(found["PolicyDocument"])


def _put(aws: Cloud, folder: Path, key: str, text: str) -> dict[str, str]:
    (folder / "body").write_text(text)
    return dict(aws.ask("s3api", "put-object", "--bucket", BUCKET, "--key", key, "--body", folder / "body"))
