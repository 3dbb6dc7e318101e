"""Check in the templates' text what no stand-in for AWS can apply."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from paths import PROJECT

INFRASTRUCTURE = PROJECT / "infrastructure"


class Loader(yaml.SafeLoader):
    """Reads CloudFormation: `!Sub x` becomes {"Sub": "x"}."""


def _function(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            return {name: loader.construct_scalar(node)}
        case yaml.SequenceNode():
            return {name: loader.construct_sequence(node, deep=True)}
        case _:
            raise NotImplementedError(node)


Loader.add_multi_constructor("!", _function)


def resources(template: str) -> dict[str, Any]:
    """Return the resources of a template by name, each with its properties."""
    return dict(yaml.load((INFRASTRUCTURE / template).read_text(), Loader)["Resources"])  # noqa: S506 -- a SafeLoader


ROLE = resources("deployment-role.yml")
BUCKET = resources("template.yml")


def statements(policy: dict[str, Any]) -> dict[str, Any]:
    """Return a policy's statements by their Sid."""
    return {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}


def listed(value: str | dict[str, Any] | list[Any]) -> list[Any]:
    """Return a list as it is, and anything else as a list of one."""
    return value if isinstance(value, list) else [value]


def test_only_this_repository_s_environment_of_the_same_name_assumes_the_deployment_role() -> None:
    (trust,) = ROLE["DeploymentRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    provider = "arn:${AWS::Partition}:iam::${AWS::AccountId}:oidc-provider/token.actions.githubusercontent.com"
    assert trust["Principal"] == {"Federated": {"Sub": provider}}
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    immutable = "repo:${GitHubOwner}@${GitHubOwnerId}/${GitHubRepository}@${GitHubRepositoryId}:environment:${Universe}"
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": [
                {"Sub": immutable},
                {"Sub": "repo:${GitHubOwner}/${GitHubRepository}:environment:${Universe}"},
            ],
        }
    }


def test_the_deployment_role_has_the_documented_name_and_a_universe_s_own_beside_production() -> None:
    (name, values) = ROLE["DeploymentRole"]["Properties"]["RoleName"]["Sub"]
    assert name == "github-actions-${GitHubOwner}-${GitHubRepository}-deployment${Suffix}"
    assert values == {"Suffix": {"If": ["IsProduction", "", {"Sub": "-${Universe}"}]}}


def grants() -> Iterator[Any]:
    """Yield every statement that grants the pipeline or an uploader something."""
    yield from statements(ROLE["DeploymentPermissions"]["Properties"]).values()
    for policy in BUCKET["UploaderRole"]["Properties"]["Policies"]:
        yield from statements(policy).values()


@pytest.mark.parametrize("grant", list(grants()), ids=lambda grant: grant["Sid"])
def test_a_grant_names_its_actions_and_what_they_are_for(grant: dict[str, Any]) -> None:
    actions = listed(grant["Action"])
    assert grant["Effect"] == "Allow"
    assert not [action for action in actions if "*" in action]
    assert {action.partition(":")[0] for action in actions} <= {"cloudformation", "s3", "iam"}
    if grant["Resource"] == "*":
        assert actions == ["cloudformation:GetTemplateSummary", "cloudformation:ValidateTemplate"]


def test_the_pipeline_reaches_only_speedsnake_s_stacks_buckets_and_its_universe_s_two_roles() -> None:
    granted = statements(ROLE["DeploymentPermissions"]["Properties"])
    reached = {name: listed(grant["Resource"]) for name, grant in granted.items()}
    own, uploader = (
        {"GetAtt": "DeploymentRole.Arn"},
        {"Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/speedsnake-uploader-${Universe}"},
    )
    stack = "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/speedsnake-"
    bucket = {"Sub": "arn:${AWS::Partition}:s3:::speedsnake-${Universe}*"}
    assert reached == {
        "Stacks": [{"Sub": stack + "deployment-role-${Universe}/*"}, {"Sub": stack + "infrastructure-${Universe}/*"}],
        "Templates": ["*"],
        "BucketReads": [bucket],
        "BucketWrites": [bucket],
        "Roles": [own, uploader],
        "BoundedRoles": [own, uploader],
        "DeleteUploader": [uploader],
        "ReadBoundary": [{"Ref": "Boundary"}],
    }


def test_whoever_takes_over_the_pipeline_cannot_raise_itself() -> None:
    granted = statements(ROLE["DeploymentPermissions"]["Properties"])
    actions = {action for grant in granted.values() for action in listed(grant["Action"])}
    assert not actions & {
        "iam:CreatePolicyVersion",
        "iam:SetDefaultPolicyVersion",
        "iam:AttachRolePolicy",
        "iam:PassRole",
    }
    assert not actions & {"iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"}
    assert granted["BoundedRoles"]["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": {"Ref": "Boundary"}}}

    limits = statements(ROLE["Boundary"]["Properties"])
    assert limits["RolesLoseNoBoundary"]["Effect"] == limits["RolesKeepThisBoundary"]["Effect"] == "Deny"
    assert limits["RolesLoseNoBoundary"]["Action"] == "iam:DeleteRolePermissionsBoundary"
    assert {"iam:CreateRole", "iam:PutRolePolicy"} <= set(limits["RolesKeepThisBoundary"]["Action"])
    assert ROLE["DeploymentRole"]["Properties"]["PermissionsBoundary"] == {"Ref": "Boundary"}
    uploader = BUCKET["UploaderRole"]["Properties"]["PermissionsBoundary"]
    assert uploader["Sub"].endswith(":policy/" + ROLE["Boundary"]["Properties"]["ManagedPolicyName"]["Sub"])


def test_the_boundary_ends_at_stacks_buckets_and_two_roles() -> None:
    limits = statements(ROLE["Boundary"]["Properties"])
    allowed = {name: limit["Action"] for name, limit in limits.items() if limit["Effect"] == "Allow"}
    assert allowed == {
        "Stacks": "cloudformation:*",
        "Templates": ["cloudformation:GetTemplateSummary", "cloudformation:ValidateTemplate"],
        "Buckets": "s3:*",
        "Roles": "iam:*",
    }
    assert limits["Stacks"]["Resource"]["Sub"].endswith(":stack/speedsnake-*/*")
    buckets = ["arn:${AWS::Partition}:s3:::speedsnake*", "arn:${AWS::Partition}:s3:::speedsnake*/*"]
    assert [resource["Sub"] for resource in limits["Buckets"]["Resource"]] == buckets
    assert limits["Buckets"]["Condition"] == {"StringEqualsIfExists": {"s3:ResourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_bucket_encrypts_by_aes256_lets_nobody_in_and_outlives_its_stack() -> None:
    bucket = BUCKET["ResultsBucket"]
    properties = bucket["Properties"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    assert BUCKET["ResultsBucketPolicy"]["DeletionPolicy"] == "Retain"
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    closed = properties["PublicAccessBlockConfiguration"]
    assert closed == dict.fromkeys(
        ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"], True
    )


def test_results_go_after_90_days_and_nothing_else_does() -> None:
    rules = BUCKET["ResultsBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert {rule["Status"] for rule in rules} == {"Enabled"}
    expiring = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}
    assert expiring == {"results/": 90}


def test_what_was_overwritten_and_what_was_never_finished_goes_too() -> None:
    rules = BUCKET["ResultsBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    whole = [rule for rule in rules if "Prefix" not in rule]
    assert [rule["NoncurrentVersionExpiration"] for rule in whole if "NoncurrentVersionExpiration" in rule] == [
        {"NoncurrentDays": 30}
    ]
    assert [rule["AbortIncompleteMultipartUpload"] for rule in whole if "AbortIncompleteMultipartUpload" in rule] == [
        {"DaysAfterInitiation": 7}
    ]


def test_an_uploader_acts_only_for_the_location_it_is_tagged_with() -> None:
    (trust,) = BUCKET["UploaderRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {
        "StringEquals": {"aws:RequestTag/location": "${aws:PrincipalTag/location}"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["location"]},
    }
