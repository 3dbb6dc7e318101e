#!/usr/bin/env bash
# Validates one CloudFormation template, deploys it, and writes the stack's outputs into the job's summary.
# Settings: TEMPLATE_PATH, STACK_NAME and PARAMETER_OVERRIDES (one Name=Value a line); credentials as the AWS CLI finds them.
set -euo pipefail

main() {
  local parameters=()
  mapfile -t parameters < <(grep -v '^[[:space:]]*$' <<<"${PARAMETER_OVERRIDES:-}")

  aws cloudformation validate-template --template-body "file://$TEMPLATE_PATH" >/dev/null
  aws cloudformation deploy --template-file "$TEMPLATE_PATH" --stack-name "$STACK_NAME" \
    --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset \
    ${parameters:+--parameter-overrides "${parameters[@]}"} || explain_failure
  summarise >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}"
}

explain_failure() {
  printf 'deploy: stack %s could not be deployed from %s. What failed:\n' "$STACK_NAME" "$TEMPLATE_PATH"
  aws cloudformation describe-stack-events --stack-name "$STACK_NAME" --output text \
    --query "StackEvents[?contains(ResourceStatus, 'FAILED')].[LogicalResourceId, ResourceStatusReason]" || true
  printf 'A stack that never came up (ROLLBACK_COMPLETE) has to be deleted before it can be deployed again.\n'
  exit 1
} >&2

summarise() {
  local output value
  printf '### Stack %s\n\n| output | value |\n| --- | --- |\n' "$STACK_NAME"
  aws cloudformation describe-stacks --stack-name "$STACK_NAME" --output text \
    --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]' |
    while IFS=$'\t' read -r output value; do printf '| %s | %s |\n' "$output" "$value"; done
}

main
