import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { App } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { ROUTES } from "../lib/routes.ts";
import { deploy, type Resource } from "./support.ts";

/** What the rules would find without our reasons. A further one needs its reason in the code and its line here. */
const ACKNOWLEDGED = {
  "AwsSolutions-APIG4": ROUTES.length,
  "AwsSolutions-IAM5[Resource::*]": 11,
  "AwsSolutions-IAM5[Resource::arn:aws:secretsmanager:eu-west-2:111122223333:secret:otpost/prod/gateways/*]": 7,
  "AwsSolutions-IAM5[Resource::arn:aws:ses:eu-west-2:111122223333:configuration-set/*]": 1,
  "AwsSolutions-IAM5[Resource::arn:aws:ses:eu-west-2:111122223333:tenant/*]": 1,
  "AwsSolutions-SMG4": 1,
};

describe("compliance", () => {
  const { app, state, service } = deploy({ stage: "prod" });

  test("AWS Solutions finds nothing that has no reason", () => {
    assert.deepEqual(findings(new AwsSolutionsChecks(), app), {});
  });

  test("each acknowledgement answers a finding that is there", () => {
    const strict = new AwsSolutionsChecks();
    Object.assign(strict, { isAcknowledged: () => false });
    assert.deepEqual(findings(strict, app), ACKNOWLEDGED);
  });

  test("only what knows no resource is open to every one, and no action is a pattern", () => {
    const open: string[] = [];
    const patterns: string[] = [];
    for (const template of [state, service]) {
      for (const [id, resource] of Object.entries(template.toJSON().Resources as Record<string, Resource>)) {
        if (resource.Type !== "AWS::IAM::Policy") {
          continue;
        }
        for (const { Action, Resource } of resource.Properties["PolicyDocument"].Statement) {
          const actions = [Action].flat() as string[];
          assert.ok(actions.every((action) => !action.includes("*")), `${id}: ${actions}`);
          if ([Resource].flat().includes("*")) {
            open.push(...actions);
          } else if (JSON.stringify(Resource).includes("*")) {
            patterns.push(...actions);
          }
        }
      }
    }
    assert.deepEqual([...new Set(open)].sort(), [
      "ses:GetSuppressedDestination",
      "xray:PutTelemetryRecords",
      "xray:PutTraceSegments",
    ]);
    assert.deepEqual([...new Set(patterns)].sort(), [
      "secretsmanager:CreateSecret",
      "secretsmanager:DeleteSecret",
      "secretsmanager:GetSecretValue",
      "ses:SendEmail",
      "ses:SendRawEmail",
    ]);
  });
});

/** How often each rule is broken. */
function findings(checks: AwsSolutionsChecks, app: App): Record<string, number> {
  const { violations } = checks.validateScope(app);
  return Object.fromEntries(violations.map(({ ruleName, violatingResources }) => [ruleName, violatingResources.length]));
}
