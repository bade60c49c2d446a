import { ArnFormat, Stack, Validations } from "aws-cdk-lib";
import type { ITableV2 } from "aws-cdk-lib/aws-dynamodb";
import { Construct } from "constructs";
import { type Delivery, WORKER_TIMEOUT } from "./delivery.ts";
import type { DirectoryBus } from "./directory.ts";
import { type Binary, OtpFunction, type OtpFunctionProps } from "./otp-function.ts";
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

/** What keeping the answers to repeated requests takes: a slot is put, filled by an update, or given back. */
const KEPT_ANSWERS: readonly TableAction[] = ["DeleteItem", "PutItem", "UpdateItem"];

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
      "send-ses": this.sendSes(),
      verify: this.verify(),
    };
  }

  private verify(): OtpFunction {
    const { state } = this.props;
    const made = this.make("Verify", {
      binary: "verify",
      description: "Checks codes; resynchronises tokens and unlocks their users",
      environment: {
        coreTable: state.core.tableName,
        flowTable: state.flow.tableName,
        dataKey: state.dataKey.keyArn,
      },
    });
    this.allowTable(made, state.core, ["GetItem", "PutItem", "Query", "UpdateItem"]);
    this.allowTable(made, state.flow, KEPT_ANSWERS);
    this.allowStorage(made);
    this.allowDataKey(made, ["Decrypt"]);
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
    this.allowTable(made, state.flow, KEPT_ANSWERS);
    this.allowStorage(made);
    this.allowDataKey(made, ["Decrypt"]);
    this.allowSend(made, delivery.deliveries);
    this.props.directory.queue.consumedBy(made);
    return made;
  }

  private deliver(): OtpFunction {
    const { state, delivery } = this.props;
    const made = this.make("Deliver", {
      binary: "deliver",
      description: "Chooses the route of each message; sweeps what is stuck",
      timeout: WORKER_TIMEOUT,
      environment: {
        coreTable: state.core.tableName,
        flowTable: state.flow.tableName,
        deliveriesQueueUrl: delivery.deliveries.queue.queueUrl,
        sesQueueUrl: delivery.sendSes.queue.queueUrl,
      },
    });
    this.allowTable(made, state.core, ["GetItem"]);
    this.allowTable(made, state.flow, ["GetItem", "PutItem", "UpdateItem"]);
    this.allowIndex(made, state.flow, FLOW_INDEXES.openMessages);
    this.allowStorage(made);
    this.allowSend(made, delivery.deliveries, delivery.sendSes);
    delivery.deliveries.consumedBy(made);
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
    // An erasure's own row is the last that goes.
    this.allowTable(made, state.flow, ["DeleteItem", "GetItem", ...ERASURE]);
    this.allowIndex(made, state.flow, FLOW_INDEXES.openMessages);
    this.allowStorage(made);
    this.allowDataKey(made, ["Decrypt"]);
    this.allowSend(made, delivery.deliveries, delivery.jobs);
    this.allowCredentials(made, ["DeleteSecret"]);
    delivery.jobs.consumedBy(made);
    return made;
  }

  private sendSes(): OtpFunction {
    const { settings, state, delivery } = this.props;
    const made = this.make("SendSes", {
      binary: "send-ses",
      description: "Sends mails through SES",
      timeout: WORKER_TIMEOUT,
      environment: {
        coreTable: state.core.tableName,
        flowTable: state.flow.tableName,
        dataKey: state.dataKey.keyArn,
        deliveriesQueueUrl: delivery.deliveries.queue.queueUrl,
        sesQueueUrl: delivery.sendSes.queue.queueUrl,
        sesSender: settings.sesSender.header,
        sesConfigurationSet: delivery.configurationSet.configurationSetName,
      },
    });
    this.allowTable(made, state.core, ["GetItem"]);
    this.allowTable(made, state.flow, ["PutItem", "UpdateItem"]);
    this.allowStorage(made);
    this.allowDataKey(made, ["Decrypt"]);
    this.allowSend(made, delivery.deliveries, delivery.sendSes);
    this.allowMail(made);
    delivery.sendSes.consumedBy(made);
    return made;
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
      },
    });
    this.allowTable(made, state.core, ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]);
    this.allowIndex(made, state.core, CORE_INDEXES.usersByTenant);
    this.allowTable(made, state.flow, ["BatchGetItem", "GetItem", ...KEPT_ANSWERS]);
    this.allowIndex(made, state.flow, FLOW_INDEXES.messagesByUser);
    this.allowStorage(made);
    this.allowDataKey(made, ["Decrypt", "GenerateDataKey"]);
    this.allowSend(made, delivery.deliveries, delivery.jobs);
    made.allow(["secretsmanager:GetSecretValue"], [state.platformKey.secretArn]);
    this.allowCredentials(made, ["CreateSecret", "DeleteSecret"]);
    this.allowStorageVia(made, "secretsmanager", ["kms:Decrypt", "kms:GenerateDataKey"]);
    return made;
  }

  /** What the names of gateways' credentials begin with. */
  private get credentialsPrefix(): string {
    return `otpost/${this.props.settings.stage}/gateways/`;
  }

  /** Gateways' credentials are made and deleted; nobody who does that has a need to read or list them. */
  private allowCredentials(made: OtpFunction, actions: readonly ("CreateSecret" | "DeleteSecret")[]): void {
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
   * for the sender, which may be that of a whole domain: the condition leaves the one address.
   */
  private allowMail(made: OtpFunction): void {
    const { settings, delivery } = this.props;
    const { address, identities } = settings.sesSender;
    const stack = Stack.of(this);
    const arn = (resource: string, resourceName: string): string =>
      stack.formatArn({ service: "ses", resource, resourceName });
    const actions = ["ses:SendEmail", "ses:SendRawEmail"];
    made.allow(actions, identities.map((identity) => arn("identity", identity)), {
      StringEqualsIgnoreCase: { "ses:FromAddress": address },
    });
    made.allow(actions, [arn("configuration-set", delivery.configurationSet.configurationSetName)]);
  }
}
