import { ArnFormat, Duration, Stack, Validations } from "aws-cdk-lib";
import type { ITableV2 } from "aws-cdk-lib/aws-dynamodb";
import * as logs from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { alarmOn } from "./alarm.ts";
import { type Delivery, WORKER_TIMEOUT } from "./delivery.ts";
import type { DirectoryBus } from "./directory.ts";
import { metricsNamespace } from "./metrics.ts";
import {
  type Binary,
  type FunctionEnvironment,
  OtpFunction,
  type OtpFunctionProps,
  type SenderBinary,
} from "./otp-function.ts";
import type { Settings } from "./settings.ts";
import { CORE_INDEXES, FLOW_INDEXES, type State } from "./stateful.ts";
import type { WorkerQueue } from "./worker-queue.ts";

export interface FunctionsProps {
  readonly settings: Settings;
  readonly state: State;
  readonly delivery: Delivery;
  readonly directory: DirectoryBus;
  /** Base of the links in mails. */
  readonly publicUrl: string;
}

type TableAction =
  | "BatchGetItem"
  | "BatchWriteItem"
  | "DeleteItem"
  | "GetItem"
  | "PutItem"
  | "Query"
  | "Scan"
  | "UpdateItem";

type DataKeyAction = "Decrypt" | "GenerateDataKey";

type CredentialAction = "CreateSecret" | "DeleteSecret" | "GetSecretValue";

/** What a sender logs when a provider refuses a gateway itself; a test compares it with the sender's code. */
export const TROUBLE = "a gateway is in trouble";

/** What keeping the answers to repeated requests takes: a slot is put, filled by an update, or given back. */
const KEPT_ANSWERS: readonly TableAction[] = ["DeleteItem", "PutItem", "UpdateItem"];

/** What working off a message takes. The row of a gateway's health goes when the gateway works again. */
const MESSAGES_AND_HEALTH: readonly TableAction[] = ["DeleteItem", "GetItem", "PutItem", "UpdateItem"];

/** What erasing a deleted tenant takes: its rows are found among all others and deleted, and what is left of it is told. */
const ERASURE: readonly TableAction[] = ["BatchWriteItem", "PutItem", "Scan"];

/** What DynamoDB asks of KMS in the caller's name, each action spelled out. */
const STORAGE_KEY_ACTIONS = [
  "kms:Decrypt",
  "kms:DescribeKey",
  "kms:Encrypt",
  "kms:GenerateDataKey",
  "kms:GenerateDataKeyWithoutPlaintext",
  "kms:ReEncryptFrom",
  "kms:ReEncryptTo",
];

/** Every function: what it is told and what it may do, and nothing besides. */
export class Functions extends Construct {
  readonly all: Readonly<Record<Binary, OtpFunction>>;

  private readonly props: FunctionsProps;

  constructor(scope: Construct, id: string, props: FunctionsProps) {
    super(scope, id);
    this.props = props;
    this.all = {
      admin: this.admin(),
      deliver: this.deliver(),
      enroll: this.enroll(),
      jobs: this.jobs(),
      "push-token": this.pushToken(),
      receipts: this.receipts(),
      "send-govuk-notify": this.sendGovukNotify(),
      "send-ses": this.sendSes(),
      "send-smtp": this.sendSmtp(),
      "send-twilio": this.sendTwilio(),
      verify: this.verify(),
    };
  }

  private verify(): OtpFunction {
    const { state, delivery } = this.props;
    const made = this.make("Verify", {
      binary: "verify",
      description: "Checks codes, sends them; resynchronises tokens and unlocks their users; shows how far a message is",
      environment: {
        coreTable: state.core.tableName,
        flowTable: state.flow.tableName,
        dataKey: state.dataKey.keyArn,
        deliveriesQueueUrl: delivery.deliveries.queue.queueUrl,
      },
    });
    this.allowTable(made, state.core, ["BatchGetItem", "GetItem", "PutItem", "Query", "UpdateItem"]);
    // Challenges and messages, and to who waits for one how far it is. Unlocking looks for all challenges of the user.
    this.allowTable(made, state.flow, ["BatchGetItem", "GetItem", "Query", ...KEPT_ANSWERS]);
    this.allowStorage(made);
    this.allowDataKey(made, ["Decrypt"]);
    this.allowSend(made, delivery.deliveries);
    return made;
  }

  private enroll(): OtpFunction {
    const { state } = this.props;
    const made = this.make("Enroll", {
      binary: "enroll",
      description: "Provisions tokens, stops and ends them; serves the enrolment pages and activations",
      environment: {
        coreTable: state.core.tableName,
        flowTable: state.flow.tableName,
        dataKey: state.dataKey.keyArn,
      },
    });
    this.allowTable(made, state.core, ["DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]);
    this.allowTable(made, state.flow, ["GetItem", ...KEPT_ANSWERS]);
    this.allowStorage(made);
    this.allowDataKey(made, ["Decrypt"]);
    return made;
  }

  private pushToken(): OtpFunction {
    const { state, delivery } = this.props;
    const made = this.make("PushToken", {
      binary: "push-token",
      description: "Keeps users, pushes tokens to them, follows directories",
      environment: {
        coreTable: state.core.tableName,
        flowTable: state.flow.tableName,
        dataKey: state.dataKey.keyArn,
        deliveriesQueueUrl: delivery.deliveries.queue.queueUrl,
        publicUrl: this.props.publicUrl,
      },
    });
    this.allowTable(made, state.core, ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]);
    this.allowIndex(made, state.core, CORE_INDEXES.usersByTenant);
    // Who is switched off or deleted has their challenges ended; these are looked for.
    this.allowTable(made, state.flow, ["Query", ...KEPT_ANSWERS]);
    this.allowStorage(made);
    this.allowDataKey(made, ["Decrypt"]);
    this.allowSend(made, delivery.deliveries);
    this.props.directory.queue.consumedBy(made);
    return made;
  }

  private deliver(): OtpFunction {
    const { state, delivery } = this.props;
    const redriven = [delivery.deliveries, ...Object.values(delivery.senders)];
    const made = this.make("Deliver", {
      binary: "deliver",
      description: "Chooses the route of each message; sweeps what is stuck, redrives dead letters",
      timeout: WORKER_TIMEOUT,
      loops: true,
      environment: {
        coreTable: state.core.tableName,
        flowTable: state.flow.tableName,
        deliveriesQueueUrl: delivery.deliveries.queue.queueUrl,
        ...this.senderQueueUrls,
        deadLetterQueueUrls: redriven.map(({ deadLetters }) => deadLetters.queueUrl).join(","),
        metricsNamespace: metricsNamespace(this.props.settings),
      },
    });
    this.allowTable(made, state.core, ["BatchGetItem", "Query"]);
    this.allowTable(made, state.flow, ["BatchGetItem", ...MESSAGES_AND_HEALTH]);
    this.allowIndex(made, state.flow, FLOW_INDEXES.openMessages);
    this.allowStorage(made);
    this.allowSend(made, delivery.deliveries, ...Object.values(delivery.senders));
    delivery.deliveries.consumedBy(made);
    this.allowRedrive(made, redriven);
    return made;
  }

  private jobs(): OtpFunction {
    const { state, delivery } = this.props;
    const made = this.make("Jobs", {
      binary: "jobs",
      description: "Does long work in steps; erases deleted tenants",
      timeout: WORKER_TIMEOUT,
      environment: {
        coreTable: state.core.tableName,
        flowTable: state.flow.tableName,
        dataKey: state.dataKey.keyArn,
        deliveriesQueueUrl: delivery.deliveries.queue.queueUrl,
        jobsQueueUrl: delivery.jobs.queue.queueUrl,
        publicUrl: this.props.publicUrl,
        credentialsPrefix: this.credentialsPrefix,
      },
    });
    const onCore: readonly TableAction[] = ["BatchGetItem", "DeleteItem", "GetItem", "Query", "UpdateItem", ...ERASURE];
    this.allowTable(made, state.core, onCore);
    this.allowIndex(made, state.core, CORE_INDEXES.usersByTenant);
    // An erasure's own row is the last that goes. Who is switched off has their challenges ended; these are looked for.
    this.allowTable(made, state.flow, ["DeleteItem", "GetItem", "Query", "UpdateItem", ...ERASURE]);
    this.allowIndex(made, state.flow, FLOW_INDEXES.openMessages);
    this.allowStorage(made);
    this.allowDataKey(made, ["Decrypt"]);
    this.allowSend(made, delivery.deliveries, delivery.jobs);
    this.allowCredentials(made, ["DeleteSecret"]);
    delivery.jobs.consumedBy(made);
    return made;
  }

  private receipts(): OtpFunction {
    const { state, delivery } = this.props;
    const made = this.make("Receipts", {
      binary: "receipts",
      description: "Takes what providers tell of messages that they took",
      deadLetters: delivery.receipts.deadLetters,
      loops: true,
      environment: {
        coreTable: state.core.tableName,
        flowTable: state.flow.tableName,
        dataKey: state.dataKey.keyArn,
        credentialsPrefix: this.credentialsPrefix,
        deliveriesQueueUrl: delivery.deliveries.queue.queueUrl,
        publicUrl: this.props.publicUrl,
        metricsNamespace: metricsNamespace(this.props.settings),
      },
    });
    // Gateways and tenants' data keys are read, and addresses put on the suppression list.
    this.allowTable(made, state.core, ["GetItem", "PutItem", "Query"]);
    // A receipt changes a row that it has not read, and is told what is there instead.
    this.allowTable(made, state.flow, ["BatchGetItem", "UpdateItem"]);
    this.allowStorage(made);
    this.allowDataKey(made, ["Decrypt"]);
    this.allowSend(made, delivery.deliveries);
    this.allowCredentials(made, ["GetSecretValue"]);
    this.allowStorageVia(made, "secretsmanager", ["kms:Decrypt"]);
    delivery.receipts.consumedBy(made);
    return made;
  }

  private sendSes(): OtpFunction {
    const { settings, delivery } = this.props;
    const made = this.sender("SendSes", "send-ses", "Sends mails through SES", {
      sesQueueUrl: delivery.senders["send-ses"].queue.queueUrl,
      sesSender: settings.sesSender.header,
      sesConfigurationSet: delivery.configurationSet.configurationSetName,
    });
    this.allowMail(made);
    return made;
  }

  private sendSmtp(): OtpFunction {
    const { settings, delivery } = this.props;
    return this.sender("SendSmtp", "send-smtp", "Sends mails over SMTP", {
      smtpQueueUrl: delivery.senders["send-smtp"].queue.queueUrl,
      ehloName: settings.ehloName,
      allowedNetworks: settings.allowedNetworks.join(",") || "none",
    });
  }

  private sendTwilio(): OtpFunction {
    const { settings, delivery, publicUrl } = this.props;
    return this.sender("SendTwilio", "send-twilio", "Sends texts by Twilio", {
      twilioQueueUrl: delivery.senders["send-twilio"].queue.queueUrl,
      twilioUrl: settings.twilioUrl,
      publicUrl,
    });
  }

  private sendGovukNotify(): OtpFunction {
    const { settings, delivery } = this.props;
    return this.sender("SendGovukNotify", "send-govuk-notify", "Sends texts by GOV.UK Notify", {
      govukNotifyQueueUrl: delivery.senders["send-govuk-notify"].queue.queueUrl,
      govukNotifyUrl: settings.govukNotifyUrl,
    });
  }

  /** A sender: it takes hops from its queue, reads what they need, and writes down what the provider said. */
  private sender(id: string, binary: SenderBinary, description: string, environment: FunctionEnvironment): OtpFunction {
    const { state, delivery } = this.props;
    const queue = delivery.senders[binary];
    const made = this.make(id, {
      binary,
      description,
      timeout: WORKER_TIMEOUT,
      loops: true,
      environment: {
        coreTable: state.core.tableName,
        flowTable: state.flow.tableName,
        dataKey: state.dataKey.keyArn,
        credentialsPrefix: this.credentialsPrefix,
        deliveriesQueueUrl: delivery.deliveries.queue.queueUrl,
        receiptsQueueUrl: delivery.receipts.queue.queueUrl,
        metricsNamespace: metricsNamespace(this.props.settings),
        ...environment,
      },
    });
    this.allowTable(made, state.core, ["GetItem", "Query"]);
    this.allowTable(made, state.flow, MESSAGES_AND_HEALTH);
    this.allowStorage(made);
    this.allowDataKey(made, ["Decrypt"]);
    // Simulated recipients tell by the queue of receipts, where the provider would tell: a server of mail never does.
    const told = binary === "send-smtp" ? [] : [delivery.receipts];
    this.allowSend(made, delivery.deliveries, ...told, queue);
    this.allowCredentials(made, ["GetSecretValue"]);
    this.allowStorageVia(made, "secretsmanager", ["kms:Decrypt"]);
    queue.consumedBy(made);
    this.alarmOnTrouble(id, made);
    return made;
  }

  /** An alarm when a provider refuses a gateway itself: its credentials, its sender, its account. */
  private alarmOnTrouble(id: string, made: OtpFunction): void {
    const filter = new logs.MetricFilter(this, `${id}Trouble`, {
      logGroup: made.logGroup,
      filterPattern: logs.FilterPattern.stringValue("$.fields.message", "=", TROUBLE),
      metricNamespace: metricsNamespace(this.props.settings),
      metricName: `${made.binary}-trouble`,
      metricValue: "1",
    });
    alarmOn(this, `${id}TroubleAlarm`, this.props.settings, {
      says: `${made.binary}: a provider refuses a gateway itself. Its log names the gateway and why.`,
      runbook: "alarm-sender-trouble",
      metric: filter.metric({ period: Duration.minutes(5), statistic: "Sum" }),
      threshold: 0,
    });
  }

  private admin(): OtpFunction {
    const { state, delivery } = this.props;
    const made = this.make("Admin", {
      binary: "admin",
      description: "Keeps tenants, API keys, policies, gateways, templates and directories; shows messages",
      environment: {
        coreTable: state.core.tableName,
        flowTable: state.flow.tableName,
        dataKey: state.dataKey.keyArn,
        deliveriesQueueUrl: delivery.deliveries.queue.queueUrl,
        jobsQueueUrl: delivery.jobs.queue.queueUrl,
        publicUrl: this.props.publicUrl,
        platformKeySecret: state.platformKey.secretArn,
        storageKey: state.storageKey.keyArn,
        credentialsPrefix: this.credentialsPrefix,
        ...this.senderQueueUrls,
      },
    });
    this.allowTable(made, state.core, ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]);
    this.allowIndex(made, state.core, CORE_INDEXES.usersByTenant);
    this.allowTable(made, state.flow, ["BatchGetItem", "GetItem", ...KEPT_ANSWERS]);
    this.allowIndex(made, state.flow, FLOW_INDEXES.messagesByTenant);
    this.allowIndex(made, state.flow, FLOW_INDEXES.messagesByUser);
    this.allowStorage(made);
    this.allowDataKey(made, ["Decrypt", "GenerateDataKey"]);
    // Tests go to the senders themselves.
    this.allowSend(made, delivery.deliveries, delivery.jobs, ...Object.values(delivery.senders));
    made.allow(["secretsmanager:GetSecretValue"], [state.platformKey.secretArn]);
    this.allowCredentials(made, ["CreateSecret", "DeleteSecret"]);
    this.allowStorageVia(made, "secretsmanager", ["kms:Decrypt", "kms:GenerateDataKey"]);
    return made;
  }

  /** What the names of gateways' credentials begin with. */
  private get credentialsPrefix(): string {
    return `otpost/${this.props.settings.stage}/gateways/`;
  }

  /** Where hops are put. */
  private get senderQueueUrls(): FunctionEnvironment {
    const { senders } = this.props.delivery;
    return {
      sesQueueUrl: senders["send-ses"].queue.queueUrl,
      smtpQueueUrl: senders["send-smtp"].queue.queueUrl,
      twilioQueueUrl: senders["send-twilio"].queue.queueUrl,
      govukNotifyQueueUrl: senders["send-govuk-notify"].queue.queueUrl,
    };
  }

  /** Gateways' credentials: who makes and deletes them cannot read them, who reads them can do nothing else. */
  private allowCredentials(made: OtpFunction, actions: readonly CredentialAction[]): void {
    const secrets = Stack.of(this).formatArn({
      service: "secretsmanager",
      resource: "secret",
      resourceName: `${this.credentialsPrefix}*`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    made.allow(actions.map((action) => `secretsmanager:${action}`), [secrets]);
    Validations.of(made.role).acknowledge({
      id: `AwsSolutions-IAM5[Resource::${secrets}]`,
      reason: "Operators make gateways at run time: their secrets are known by the beginning of their names only.",
    });
  }

  private make(id: string, props: Omit<OtpFunctionProps, "settings">): OtpFunction {
    return new OtpFunction(this, id, { settings: this.props.settings, ...props });
  }

  private allowTable(made: OtpFunction, table: ITableV2, actions: readonly TableAction[]): void {
    made.allow(actions.map((action) => `dynamodb:${action}`), [table.tableArn]);
  }

  private allowIndex(made: OtpFunction, table: ITableV2, index: string): void {
    made.allow(["dynamodb:Query"], [`${table.tableArn}/index/${index}`]);
  }

  /** The tables' key, through DynamoDB only. */
  private allowStorage(made: OtpFunction): void {
    this.allowStorageVia(made, "dynamodb", STORAGE_KEY_ACTIONS);
  }

  private allowSend(made: OtpFunction, ...queues: WorkerQueue[]): void {
    made.allow(["sqs:SendMessage"], queues.map(({ queue }) => queue.queueArn));
    this.allowStorageVia(made, "sqs", ["kms:Decrypt", "kms:GenerateDataKey"]);
  }

  /** What is among dead letters is read, and goes or stays. */
  private allowRedrive(made: OtpFunction, queues: readonly WorkerQueue[]): void {
    const actions = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"];
    made.allow(actions, queues.map(({ deadLetters }) => deadLetters.queueArn));
  }

  private allowStorageVia(made: OtpFunction, service: string, actions: string[]): void {
    const { region, urlSuffix } = Stack.of(this);
    made.allow(actions, [this.props.state.storageKey.keyArn], {
      StringEquals: { "kms:ViaService": `${service}.${region}.${urlSuffix}` },
    });
  }

  /** Tenants' data keys open only under the encryption context that names a tenant. */
  private allowDataKey(made: OtpFunction, actions: readonly DataKeyAction[]): void {
    made.allow(actions.map((action) => `kms:${action}`), [this.props.state.dataKey.keyArn], {
      "ForAnyValue:StringEquals": { "kms:EncryptionContextKeys": "otpost:tenant" },
    });
  }

  /**
   * SES checks a raw mail as SendRawEmail, whichever version of its API took it. It asks for the identity that stands
   * for the sender, which may be that of a whole domain: the condition leaves the one address. From `sesIdentities`
   * gateways may send as they are set.
   */
  private allowMail(made: OtpFunction): void {
    const { settings } = this.props;
    const { address, identities } = settings.sesSender;
    const stack = Stack.of(this);
    const arn = (resource: string, resourceName: string): string =>
      stack.formatArn({ service: "ses", resource, resourceName });
    const actions = ["ses:SendEmail", "ses:SendRawEmail"];
    made.allow(actions, identities.map((identity) => arn("identity", identity)), {
      StringEqualsIgnoreCase: { "ses:FromAddress": address },
    });
    if (settings.sesIdentities.length > 0) {
      made.allow(actions, settings.sesIdentities.map((identity) => arn("identity", identity)));
    }
    const named = [arn("configuration-set", "*"), arn("tenant", "*")];
    made.allow(actions, named);
    for (const each of named) {
      Validations.of(made.role).acknowledge({
        id: `AwsSolutions-IAM5[Resource::${each}]`,
        reason: "The platform's operators name configuration sets and tenants of SES at run time. Neither lets anybody send as somebody.",
      });
    }
    // Before an operator is told that a mail was taken, it is looked whether SES will drop it. It knows no resource.
    made.allow(["ses:GetSuppressedDestination"], ["*"]);
  }
}
