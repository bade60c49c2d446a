import { Duration, Names } from "aws-cdk-lib";
import * as events from "aws-cdk-lib/aws-events";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import { WORKER_TIMEOUT } from "./delivery.ts";
import { allowRule, TARGET_RETRIES } from "./rule.ts";
import type { Settings } from "./settings.ts";
import { WorkerQueue } from "./worker-queue.ts";

/**
 * The way of what directories tell: a bus of its own, a rule, a queue. Every event on the bus goes to the queue: whose
 * it is, the function decides by what is registered, and one that is nobody's ends among the dead letters, which alarm.
 */
export class DirectoryBus extends Construct {
  readonly bus: events.EventBus;
  readonly queue: WorkerQueue;

  constructor(scope: Construct, id: string, settings: Settings, encryptionKey: IKey) {
    super(scope, id);
    this.bus = new events.EventBus(this, "Bus", { eventBusName: `otpost-${settings.stage}-directory` });
    this.queue = new WorkerQueue(this, "Queue", {
      settings,
      encryptionKey,
      consumerTimeout: WORKER_TIMEOUT,
      maxConcurrency: 4,
      maxAge: Duration.minutes(20),
      runbook: { deadLetters: "alarm-dead-letters-of-the-directory-queue", age: "alarm-age-of-the-directory-queue" },
    });
    // What the rule cannot put into the queue stands beside what the function cannot follow: one place to look.
    const { deadLetters, queue } = this.queue;
    const ruleName = Names.uniqueResourceName(this, { maxLength: 60 });
    const rule = new events.CfnRule(this, "Rule", {
      name: ruleName,
      description: `Otpost ${settings.stage}: what directories tell`,
      eventBusName: this.bus.eventBusName,
      eventPattern: { account: [{ exists: true }] },
      targets: [
        {
          id: "Queue",
          arn: queue.queueArn,
          deadLetterConfig: { arn: deadLetters.queueArn },
          retryPolicy: TARGET_RETRIES,
        },
      ],
    });
    for (const target of [queue, deadLetters]) {
      allowRule(target, `${this.bus.eventBusName}/${ruleName}`);
      rule.node.addDependency(target);
    }
  }
}
