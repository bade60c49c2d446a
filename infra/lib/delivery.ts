import { Duration, Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { CfnSchedule } from "aws-cdk-lib/aws-scheduler";
import * as ses from "aws-cdk-lib/aws-ses";
import { Construct } from "constructs";
import type { OtpFunction, SenderBinary } from "./otp-function.ts";
import type { Settings } from "./settings.ts";
import { WorkerQueue } from "./worker-queue.ts";

/**
 * Timeout of the functions that consume a queue. A sender gives a hop back that it could not prepare within 15 s of its
 * claim; then it asks the provider (10 s), writes the outcome and hands the message on (4 s each at most): 33 s in all.
 * The messages of a batch are worked off side by side.
 */
export const WORKER_TIMEOUT = Duration.seconds(35);

/** What a sweep sends to its function. */
export const SWEEP_INPUT = { otpost: "sweep" };

const CONCURRENT_BATCHES = 4;

/** The ways of messages and of jobs: queues, the SES configuration set, and the sweeps that find what a queue has lost. */
export class Delivery extends Construct {
  readonly deliveries: WorkerQueue;
  /** The queue of each sender. */
  readonly senders: Readonly<Record<SenderBinary, WorkerQueue>>;
  readonly jobs: WorkerQueue;
  /** What simulated recipients tell. What providers tell goes to its function without a queue. */
  readonly receipts: WorkerQueue;
  readonly configurationSet: ses.ConfigurationSet;

  constructor(scope: Construct, id: string, settings: Settings, encryptionKey: IKey) {
    super(scope, id);
    const common = { settings, encryptionKey, consumerTimeout: WORKER_TIMEOUT, maxConcurrency: CONCURRENT_BATCHES };
    this.deliveries = new WorkerQueue(this, "Deliveries", {
      ...common,
      maxAge: Duration.minutes(20),
      runbook: { deadLetters: "alarm-dead-letters-of-deliveries", age: "alarm-age-of-deliveries" },
    });
    const sender = (name: string): WorkerQueue =>
      new WorkerQueue(this, name, {
        ...common,
        maxAge: Duration.minutes(15),
        runbook: { deadLetters: "alarm-dead-letters-of-a-sender", age: "alarm-age-of-a-senders-queue" },
      });
    this.senders = {
      "send-govuk-notify": sender("SendGovukNotify"),
      "send-ses": sender("SendSes"),
      "send-smtp": sender("SendSmtp"),
      "send-twilio": sender("SendTwilio"),
    };
    this.jobs = new WorkerQueue(this, "Jobs", {
      ...common,
      maxAge: Duration.minutes(20),
      runbook: { deadLetters: "alarms-of-jobs", age: "alarms-of-jobs" },
    });
    this.receipts = new WorkerQueue(this, "Receipts", {
      ...common,
      maxAge: Duration.minutes(20),
      runbook: { deadLetters: "alarm-dead-letters-of-receipts", age: "alarm-age-of-receipts" },
    });
    this.configurationSet = new ses.ConfigurationSet(this, "Ses", {
      tlsPolicy: ses.ConfigurationSetTlsPolicy.REQUIRE,
      reputationMetrics: true,
    });
  }

  /** The queues, for what looks at all of them. */
  get queues(): readonly WorkerQueue[] {
    return [this.deliveries, ...Object.values(this.senders), this.jobs, this.receipts];
  }

  /** Wakes `target` every minute. Nothing is retried: the next minute does the same work. */
  sweepWith(id: string, what: string, target: OtpFunction): void {
    target.function.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.minutes(1) });
    new CfnSchedule(this, id, {
      description: `Otpost: finds ${what} that no queue carries any more`,
      scheduleExpression: "rate(1 minute)",
      flexibleTimeWindow: { mode: "OFF" },
      target: {
        arn: target.function.functionArn,
        roleArn: this.sweepRole(`${id}Role`, target).roleArn,
        input: JSON.stringify(SWEEP_INPUT),
        retryPolicy: { maximumRetryAttempts: 0, maximumEventAgeInSeconds: 60 },
      },
    });
  }

  private sweepRole(id: string, target: OtpFunction): iam.Role {
    const role = new iam.Role(this, id, {
      assumedBy: new iam.ServicePrincipal("scheduler.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": Stack.of(this).account } },
      }),
    });
    role.addToPrincipalPolicy(
      new iam.PolicyStatement({ actions: ["lambda:InvokeFunction"], resources: [target.function.functionArn] }),
    );
    return role;
  }
}
