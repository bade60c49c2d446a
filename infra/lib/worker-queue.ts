import { Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import * as sqs from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { type AlarmProps, alarmOn } from "./alarm.ts";
import type { OtpFunction } from "./otp-function.ts";
import { SettingsError } from "./settings-error.ts";
import type { Settings } from "./settings.ts";

export interface WorkerQueueProps {
  readonly settings: Settings;
  readonly encryptionKey: IKey;
  /** Timeout of the function that will consume the queue. A message stays hidden for six times as long. */
  readonly consumerTimeout: Duration;
  /** What the oldest message may wait before the alarm. */
  readonly maxAge: Duration;
  /** Sections of the runbook. */
  readonly runbook: { readonly deadLetters: string; readonly age: string };
  /** @default 5 */
  readonly batchSize?: number;
  /** How many batches run at the same time, at least 2. @default no limit */
  readonly maxConcurrency?: number;
}

const RECEIVES_BEFORE_DEAD = 5;

/** A queue with all that a queue needs: dead-letter queue, alarms, encryption, and a consumer that answers per message. */
export class WorkerQueue extends Construct {
  readonly queue: sqs.Queue;
  readonly deadLetters: sqs.Queue;

  private readonly props: WorkerQueueProps;

  constructor(scope: Construct, id: string, props: WorkerQueueProps) {
    super(scope, id);
    this.props = props;
    this.deadLetters = this.makeQueue("DeadLetters", { retentionPeriod: Duration.days(14) });
    this.queue = this.makeQueue("Queue", {
      retentionPeriod: Duration.days(4),
      visibilityTimeout: Duration.seconds(6 * props.consumerTimeout.toSeconds()),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: RECEIVES_BEFORE_DEAD },
    });
    this.alarmOnDeadLetters();
    this.alarmOnAge();
  }

  /** Feeds `consumer` from this queue. */
  consumedBy(consumer: OtpFunction): void {
    const { batchSize = 5, consumerTimeout, maxConcurrency } = this.props;
    if (consumer.timeout.toSeconds() > consumerTimeout.toSeconds()) {
      throw new Error(`${this.node.id}: ${consumer.binary} runs longer than the queue hides a message for`);
    }
    if ((consumer.reservedConcurrency ?? Infinity) < (maxConcurrency ?? 0)) {
      throw new SettingsError(`reservedConcurrency: the queue of ${consumer.binary} needs at least ${maxConcurrency}`);
    }
    this.allowReceiving(consumer);
    consumer.function.addEventSourceMapping(`${this.node.id}Batches`, {
      eventSourceArn: this.queue.queueArn,
      batchSize,
      maxConcurrency,
      reportBatchItemFailures: true,
    });
  }

  /** Written out rather than left to `SqsEventSource`, which opens the key beyond SQS. */
  private allowReceiving(consumer: OtpFunction): void {
    const { region, urlSuffix } = Stack.of(this);
    consumer.allow(
      ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
      [this.queue.queueArn],
    );
    consumer.allow(["kms:Decrypt"], [this.props.encryptionKey.keyArn], {
      StringEquals: { "kms:ViaService": `sqs.${region}.${urlSuffix}` },
    });
  }

  private makeQueue(id: string, props: sqs.QueueProps): sqs.Queue {
    return new sqs.Queue(this, id, {
      encryption: sqs.QueueEncryption.KMS,
      encryptionMasterKey: this.props.encryptionKey,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.DESTROY,
      ...props,
    });
  }

  private alarmOnDeadLetters(): void {
    this.alarm("DeadLettersAlarm", {
      says: `${this.node.path}: messages failed ${RECEIVES_BEFORE_DEAD} times.`,
      runbook: this.props.runbook.deadLetters,
      metric: this.deadLetters.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(1), statistic: "Maximum" }),
      threshold: 0,
    });
  }

  private alarmOnAge(): void {
    this.alarm("AgeAlarm", {
      says: `${this.node.path}: the oldest message waits too long.`,
      runbook: this.props.runbook.age,
      metric: this.queue.metricApproximateAgeOfOldestMessage({ period: Duration.minutes(1), statistic: "Maximum" }),
      threshold: this.props.maxAge.toSeconds(),
    });
  }

  private alarm(id: string, props: AlarmProps): void {
    alarmOn(this, id, this.props.settings, props);
  }
}
