import { Duration, RemovalPolicy, Validations } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as logs from "aws-cdk-lib/aws-logs";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { findPackage } from "./package.ts";
import type { Settings } from "./settings.ts";

/**
 * The environment contract: each variable that a function may read.
 * The same names stand in `shared/edge/src/config.rs`; a test compares the two.
 */
export const ENVIRONMENT = {
  coreTable: "OTPOST_CORE_TABLE",
  flowTable: "OTPOST_FLOW_TABLE",
  storageKey: "OTPOST_STORAGE_KEY",
  credentialsPrefix: "OTPOST_CREDENTIALS_PREFIX",
  dataKey: "OTPOST_DATA_KEY",
  deliveriesQueueUrl: "OTPOST_DELIVERIES_QUEUE_URL",
  jobsQueueUrl: "OTPOST_JOBS_QUEUE_URL",
  receiptsQueueUrl: "OTPOST_RECEIPTS_QUEUE_URL",
  deadLetterQueueUrls: "OTPOST_DEAD_LETTER_QUEUE_URLS",
  sesQueueUrl: "OTPOST_SES_QUEUE_URL",
  smtpQueueUrl: "OTPOST_SMTP_QUEUE_URL",
  twilioQueueUrl: "OTPOST_TWILIO_QUEUE_URL",
  govukNotifyQueueUrl: "OTPOST_GOVUK_NOTIFY_QUEUE_URL",
  metricsNamespace: "OTPOST_METRICS_NAMESPACE",
  publicUrl: "OTPOST_PUBLIC_URL",
  platformKeySecret: "OTPOST_PLATFORM_KEY_SECRET",
  sesSender: "OTPOST_SES_SENDER",
  sesConfigurationSet: "OTPOST_SES_CONFIGURATION_SET",
  twilioUrl: "OTPOST_TWILIO_URL",
  govukNotifyUrl: "OTPOST_GOVUK_NOTIFY_URL",
  ehloName: "OTPOST_EHLO_NAME",
  allowedNetworks: "OTPOST_ALLOWED_NETWORKS",
} as const;

/** The functions, each named as its binary. */
export type Binary = "admin" | "deliver" | "enroll" | "jobs" | "push-token" | "receipts" | SenderBinary | "verify";

/** The senders: one for each kind of provider. */
export type SenderBinary = "send-govuk-notify" | "send-ses" | "send-smtp" | "send-twilio";

/** Values of the contract's variables. */
export type FunctionEnvironment = Partial<Record<keyof typeof ENVIRONMENT, string>>;

export interface OtpFunctionProps {
  readonly settings: Settings;
  readonly binary: Binary;
  readonly description: string;
  readonly environment: FunctionEnvironment;
  /** @default 10 seconds */
  readonly timeout?: Duration;
  /** Whether what it puts on a queue may come back to it, hop by hop: Lambda would end such a chain after 16. @default false */
  readonly loops?: boolean;
  /** Where events end that EventBridge gave it and that it failed to work off. @default nowhere */
  readonly deadLetters?: IQueue;
  /** In MiB. @default 256 */
  readonly memory?: number;
}

/** One Rust function on provided.al2023: JSON logs kept for a month, tracing, and a role that holds only what it is given. */
export class OtpFunction extends Construct {
  readonly function: lambda.Function;
  readonly role: iam.Role;
  readonly logGroup: logs.LogGroup;
  readonly binary: Binary;
  readonly timeout: Duration;
  readonly reservedConcurrency?: number;

  constructor(scope: Construct, id: string, props: OtpFunctionProps) {
    super(scope, id);
    const { settings, binary } = props;
    this.binary = binary;
    this.timeout = props.timeout ?? Duration.seconds(10);
    this.reservedConcurrency = settings.reservedConcurrency;
    this.logGroup = new logs.LogGroup(this, "Logs", {
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: settings.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    this.role = new iam.Role(this, "Role", {
      assumedBy: new iam.ServicePrincipal("lambda.amazonaws.com"),
      description: `Otpost ${settings.stage}: ${binary}`,
    });
    this.logGroup.grantWrite(this.role);
    this.function = new lambda.Function(this, "Function", {
      description: props.description,
      runtime: lambda.Runtime.PROVIDED_AL2023,
      architecture: settings.architecture,
      handler: "bootstrap",
      code: packageCode(settings, binary),
      role: this.role,
      memorySize: props.memory ?? 256,
      timeout: this.timeout,
      recursiveLoop: props.loops === true ? lambda.RecursiveLoop.ALLOW : undefined,
      deadLetterQueue: props.deadLetters,
      reservedConcurrentExecutions: settings.reservedConcurrency,
      // The SDK says this name with every request, so that CloudTrail shows which function asked.
      environment: { AWS_SDK_UA_APP_ID: `otpost-${binary}`, ...variables(props.environment) },
      tracing: lambda.Tracing.ACTIVE,
      logGroup: this.logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      applicationLogLevelV2: lambda.ApplicationLogLevel.INFO,
      systemLogLevelV2: lambda.SystemLogLevel.INFO,
    });
    this.acknowledgeFindings();
  }

  /** Allows `actions` on exactly `resources`. */
  allow(actions: string[], resources: string[], conditions?: iam.Conditions): void {
    this.role.addToPrincipalPolicy(new iam.PolicyStatement({ actions, resources, conditions }));
  }

  private acknowledgeFindings(): void {
    Validations.of(this.role).acknowledge({
      id: "AwsSolutions-IAM5[Resource::*]",
      reason: "X-Ray's PutTraceSegments and PutTelemetryRecords, and SES's GetSuppressedDestination, know no resource; nothing else of the role is open.",
    });
  }
}

function packageCode(settings: Settings, binary: Binary): lambda.Code {
  const { zip, hash } = findPackage(settings.packages, binary, settings.architecture);
  return lambda.Code.fromAsset(zip, { assetHash: hash, displayName: `otpost-${binary}` });
}

function variables(environment: FunctionEnvironment): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, variable] of Object.entries(ENVIRONMENT)) {
    const value = environment[name as keyof typeof ENVIRONMENT];
    if (value !== undefined) {
      result[variable] = value;
    }
  }
  return result;
}
