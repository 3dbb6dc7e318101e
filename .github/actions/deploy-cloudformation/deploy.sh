#!/usr/bin/env bash
# Validates and deploys one CloudFormation template, and writes the stack's outputs to the job's summary.
# Settings: TEMPLATE_PATH, STACK_NAME, PARAMETER_OVERRIDES (one Name=Value per line), and credentials for the AWS CLI.
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
  printf 'deploy: could not deploy stack %s from %s. These resources failed:\n' "$STACK_NAME" "$TEMPLATE_PATH"
  aws cloudformation describe-stack-events --stack-name "$STACK_NAME" --output text \
    --query "StackEvents[?contains(ResourceStatus, 'FAILED')].[LogicalResourceId, ResourceStatusReason]" || true
  printf 'If the stack is in ROLLBACK_COMPLETE (its creation failed), delete it before you deploy again.\n'
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
