import { Stack } from "aws-cdk-lib";
import type { CfnRule } from "aws-cdk-lib/aws-events";
import * as iam from "aws-cdk-lib/aws-iam";
import type * as sqs from "aws-cdk-lib/aws-sqs";

/** EventBridge tries for a day to give an event to its target; then the event is a dead letter. */
export const TARGET_RETRIES: CfnRule.RetryPolicyProperty = { maximumEventAgeInSeconds: 24 * 3600, maximumRetryAttempts: 185 };

/** Lets one rule of this account and region put events into `queue`. On a bus of its own, `rule` is `<bus>/<rule>`. */
export function allowRule(queue: sqs.Queue, rule: string): void {
  const stack = Stack.of(queue);
  const sourceArn = stack.formatArn({ service: "events", resource: "rule", resourceName: rule });
  queue.addToResourcePolicy(
    new iam.PolicyStatement({
      principals: [new iam.ServicePrincipal("events.amazonaws.com")],
      actions: ["sqs:SendMessage"],
      resources: [queue.queueArn],
      conditions: { ArnEquals: { "aws:SourceArn": sourceArn }, StringEquals: { "aws:SourceAccount": stack.account } },
    }),
  );
}
