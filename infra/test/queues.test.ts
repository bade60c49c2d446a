import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Binary } from "../lib/otp-function.ts";
import { deploy, functionOf, type Resource, resources, target } from "./support.ts";

const CONSUMERS: Record<string, Binary> = {
  DeliveryDeliveries: "deliver",
  DeliveryJobs: "jobs",
  DeliveryReceipts: "receipts",
  DeliverySendGovukNotify: "send-govuk-notify",
  DeliverySendSes: "send-ses",
  DeliverySendSmtp: "send-smtp",
  DeliverySendTwilio: "send-twilio",
  DirectoryQueue: "push-token",
};

describe("queues", () => {
  const { service } = deploy({ alarmTopicArn: "arn:aws:sns:eu-west-2:111122223333:on-call" });
  const queues = new Map(resources(service, "AWS::SQS::Queue"));
  const dead = new Set(
    [...queues.values()]
      .filter(({ Properties }) => Properties["RedrivePolicy"] !== undefined)
      .map(({ Properties }) => target(Properties["RedrivePolicy"].deadLetterTargetArn)),
  );
  const working = [...queues].filter(([id]) => !dead.has(id));
  const alarms = resources(service, "AWS::CloudWatch::Alarm");
  const mappings = resources(service, "AWS::Lambda::EventSourceMapping");

  test("there is a queue for deliveries, one for directories, one for jobs, one for receipts and one for each sender, each with its own dead-letter queue", () => {
    assert.equal(working.length, 8);
    assert.equal(dead.size, 8);
    for (const [id, queue] of working) {
      assert.ok(queue.Properties["RedrivePolicy"], id);
      assert.equal(queue.Properties["RedrivePolicy"].maxReceiveCount, 5);
    }
  });

  test("each queue is encrypted with the storage key and refuses plain http", () => {
    const policies = resources(service, "AWS::SQS::QueuePolicy");
    for (const [id, queue] of queues) {
      assert.match(JSON.stringify(queue.Properties["KmsMasterKeyId"]), /StorageKey/, id);
      const policy = policies.find(([, each]) => each.Properties["Queues"].some((ref: unknown) => target(ref) === id));
      assert.ok(policy, id);
      assert.deepEqual(policy[1].Properties["PolicyDocument"].Statement[0].Condition, {
        Bool: { "aws:SecureTransport": "false" },
      });
    }
  });

  test("dead letters stay for two weeks", () => {
    for (const id of dead) {
      assert.equal(queues.get(id)?.Properties["MessageRetentionPeriod"], 14 * 24 * 3600);
    }
  });

  for (const [name, binary] of Object.entries(CONSUMERS)) {
    const [id, queue] = found(working, name);

    test(`${name}: ${binary} consumes it five at a time and answers per message`, () => {
      const [functionId] = functionOf(service, binary);
      const own = mappings.filter(([, each]) => target(each.Properties["EventSourceArn"]) === id);
      assert.equal(own.length, 1);
      const properties = own[0]?.[1].Properties;
      assert.equal(target(properties?.["FunctionName"]), functionId);
      assert.equal(properties?.["BatchSize"], 5);
      assert.deepEqual(properties?.["FunctionResponseTypes"], ["ReportBatchItemFailures"]);
      assert.deepEqual(properties?.["ScalingConfig"], { MaximumConcurrency: 4 });
    });

    test(`${name}: a message stays hidden for six times the function's timeout`, () => {
      const [, { Properties }] = functionOf(service, binary);
      assert.ok(queue.Properties["VisibilityTimeout"] >= 6 * Properties["Timeout"]);
    });

    test(`${name}: alarms watch dead letters and age, and tell the topic`, () => {
      const deadId = target(queue.Properties["RedrivePolicy"].deadLetterTargetArn);
      const depth = alarmOn(alarms, "ApproximateNumberOfMessagesVisible", deadId);
      assert.equal(depth.Properties["Threshold"], 0);
      assert.equal(depth.Properties["ComparisonOperator"], "GreaterThanThreshold");
      const age = alarmOn(alarms, "ApproximateAgeOfOldestMessage", id);
      assert.ok(age.Properties["Threshold"] > queue.Properties["VisibilityTimeout"]);
      for (const alarm of [depth, age]) {
        assert.deepEqual(alarm.Properties["AlarmActions"], ["arn:aws:sns:eu-west-2:111122223333:on-call"]);
        assert.ok(alarm.Properties["AlarmDescription"].length > 40);
      }
    });
  }

  test("everything on the directories' bus goes to their queue, and what cannot is kept beside it", () => {
    const [, { Properties: properties }] = found(resources(service, "AWS::Events::Rule"), "DirectoryRule");
    assert.deepEqual(properties["EventPattern"], { account: [{ exists: true }] });
    assert.equal(target(properties["EventBusName"]).startsWith("DirectoryBus"), true);
    const [queueId, queue] = found(working, "DirectoryQueue");
    const [goal] = properties["Targets"];
    assert.equal(target(goal.Arn), queueId);
    assert.equal(target(goal.DeadLetterConfig.Arn), target(queue.Properties["RedrivePolicy"].deadLetterTargetArn));
    const policies = resources(service, "AWS::SQS::QueuePolicy").map(([, each]) => JSON.stringify(each.Properties));
    const open = policies.filter((policy) => policy.includes("events.amazonaws.com"));
    // The third is that of receipts' dead letters.
    assert.equal(open.length, 3);
    for (const policy of open) {
      assert.match(policy, /"ArnEquals":\{"aws:SourceArn":.*"aws:SourceAccount"/);
    }
  });

  test("reserved concurrency below what a queue starts is refused", () => {
    assert.throws(() => deploy({ reservedConcurrency: "3" }), /^SettingsError: reservedConcurrency: .*at least 4/);
    const reserved = deploy({ reservedConcurrency: "4" }).service;
    for (const [id, { Properties }] of resources(reserved, "AWS::Lambda::Function")) {
      assert.equal(Properties["ReservedConcurrentExecutions"], 4, id);
    }
  });

  test("the sweep wakes deliver every minute and is not retried", () => {
    const [functionId] = functionOf(service, "deliver");
    const [schedule] = resources(service, "AWS::Scheduler::Schedule");
    const properties = schedule?.[1].Properties ?? {};
    assert.equal(properties["ScheduleExpression"], "rate(1 minute)");
    assert.equal(target(properties["Target"].Arn), functionId);
    assert.deepEqual(JSON.parse(properties["Target"].Input), { otpost: "sweep" });
    assert.equal(properties["Target"].RetryPolicy.MaximumRetryAttempts, 0);
    service.hasResourceProperties("AWS::Lambda::EventInvokeConfig", { MaximumRetryAttempts: 0 });
  });
});

function found(entries: Array<[string, Resource]>, name: string): [string, Resource] {
  const entry = entries.find(([id]) => id.startsWith(name));
  assert.ok(entry, name);
  return entry;
}

function alarmOn(alarms: Array<[string, Resource]>, metric: string, queue: string): Resource {
  const own = alarms.filter(
    ([, { Properties }]) =>
      Properties["MetricName"] === metric && Properties["Dimensions"].some((each: { Value: unknown }) => target(each.Value) === queue),
  );
  assert.equal(own.length, 1, `${metric} of ${queue}`);
  return (own[0] as [string, Resource])[1];
}
