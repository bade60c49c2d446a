import * as path from "node:path";
import type { Environment } from "aws-cdk-lib";
import type { ThrottleSettings } from "aws-cdk-lib/aws-apigatewayv2";
import { Architecture } from "aws-cdk-lib/aws-lambda";
import type { Construct } from "constructs";
import { parseSender, type Sender } from "./sender.ts";
import { SettingsError } from "./settings-error.ts";

/** What a deployment may choose. Every field is a context value of the same name (`-c stage=prod`). */
export interface Settings {
  /** Account and region of every stack, always explicit: nothing is looked up. */
  readonly env: Required<Environment>;
  /** Names the deployment; part of the stacks' names. */
  readonly stage: string;
  /** What the functions were built for. */
  readonly architecture: Architecture;
  /** Folder that holds `<binary>/bootstrap.zip` for each function. */
  readonly packages: string;
  /** Base of the links in mails, without a slash at its end. Absent: the API's own endpoint. */
  readonly publicUrl?: string;
  /** From of the built-in SES gateway. */
  readonly sesSender: Sender;
  /** Identities of SES, addresses or domains, from which gateways of the kind `ses` may send besides. */
  readonly sesIdentities: readonly string[];
  /** Configuration sets of SES, besides the deployment's own, whose events tell what becomes of mails. */
  readonly sesConfigurationSets: readonly string[];
  /** Base URL of Twilio's API. */
  readonly twilioUrl: string;
  /** Base URL of GOV.UK Notify's API. */
  readonly govukNotifyUrl: string;
  /** The name by which the SMTP sender greets servers, where a gateway gives none. */
  readonly ehloName: string;
  /** Networks that are not public and that gateways' hosts may be in all the same. */
  readonly allowedNetworks: readonly string[];
  /** Protects tables and keys from deletion and keeps them when the stack goes. */
  readonly retain: boolean;
  /** Reserved concurrency of each function. Absent: the account's pool. */
  readonly reservedConcurrency?: number;
  /** ARN of an SNS topic that hears every alarm. Absent: alarms only show their state. */
  readonly alarmTopicArn?: string;
}

/** Requests a second, and the burst above it, of a route or of the whole API. */
export type Throttle = Required<ThrottleSettings>;

/** Tags of each stack, which CloudFormation hands on to its resources. */
export function stackTags(settings: Settings): Record<string, string> {
  return { "otpost:stage": settings.stage };
}

/** Reads the settings from the context of `scope`; throws one line that names what is wrong. */
export function readSettings(scope: Construct, environment: NodeJS.ProcessEnv): Settings {
  const context = (name: string): string | undefined => {
    const value: unknown = scope.node.tryGetContext(name);
    return value === undefined || value === "" ? undefined : String(value);
  };
  const stage = readStage(context("stage") ?? "dev");
  const sesSender = readSender(context("sesSender"));
  return {
    env: readEnvironment(context, environment),
    stage,
    architecture: readArchitecture(context("architecture") ?? "arm64"),
    packages: path.resolve(context("packages") ?? path.join(__dirname, "..", "..", "target", "lambda")),
    publicUrl: readPublicUrl(context("publicUrl")),
    sesSender,
    sesIdentities: readList("sesIdentities", context("sesIdentities"), IDENTITY, "addresses and domains"),
    sesConfigurationSets: readList(
      "sesConfigurationSets",
      context("sesConfigurationSets"),
      CONFIGURATION_SET,
      "names of configuration sets",
    ),
    twilioUrl: readApi("twilioUrl", context("twilioUrl") ?? "https://api.twilio.com"),
    govukNotifyUrl: readApi("govukNotifyUrl", context("govukNotifyUrl") ?? "https://api.notifications.service.gov.uk"),
    ehloName: readEhloName(context("ehloName") ?? sesSender.address.split("@")[1]),
    allowedNetworks: readList("allowedNetworks", context("allowedNetworks"), NETWORK, "networks such as 10.1.0.0/16"),
    retain: readFlag("retain", context("retain") ?? String(stage !== "dev")),
    reservedConcurrency: readReservedConcurrency(context("reservedConcurrency")),
    alarmTopicArn: context("alarmTopicArn"),
  };
}

/** An address or a domain as SES knows it: permissions heed upper and lower case. The domain is in lower case. */
const IDENTITY = /^(?:[A-Za-z0-9.!#$%&'+/=^_`{|}~-]+@)?(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

const CONFIGURATION_SET = /^[A-Za-z0-9_-]{1,64}$/;

/** A block of addresses; the sender reads it more closely when it starts. */
const NETWORK = /^[0-9A-Fa-f.:]+\/[0-9]{1,3}$/;

type Lookup = (name: string) => string | undefined;

function readEnvironment(context: Lookup, environment: NodeJS.ProcessEnv): Required<Environment> {
  const account = context("account") ?? environment["CDK_DEFAULT_ACCOUNT"];
  const region = context("region") ?? environment["CDK_DEFAULT_REGION"];
  if (account === undefined || region === undefined) {
    throw new SettingsError("Account and region are unknown: sign in to AWS, or give -c account=… -c region=…");
  }
  return { account, region };
}

function readStage(value: string): string {
  if (!/^[a-z][a-z0-9-]{0,15}$/.test(value)) {
    throw new SettingsError(`stage: "${value}" is no stage; use up to 16 lower-case letters, digits and hyphens`);
  }
  return value;
}

function readArchitecture(value: string): Architecture {
  switch (value) {
    case "arm64":
      return Architecture.ARM_64;
    case "x86_64":
      return Architecture.X86_64;
    default:
      throw new SettingsError(`architecture: "${value}" is neither arm64 nor x86_64`);
  }
}

function readPublicUrl(value: string | undefined): string | undefined {
  if (value === undefined) {
    return undefined;
  }
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const plain = url !== undefined && url.search === "" && url.hash === "" && url.username === "";
  if (!plain || !["https:", "http:"].includes(url.protocol)) {
    throw new SettingsError(`publicUrl: "${value}" is no plain http or https URL`);
  }
  return value.replace(/\/+$/, "");
}

/** Words with commas between them. */
function readList(name: string, value: string | undefined, pattern: RegExp, what: string): readonly string[] {
  const words = (value ?? "").split(",").map((word) => word.trim());
  const list = words.filter((word) => word !== "");
  const wrong = list.find((word) => !pattern.test(word));
  if (wrong !== undefined) {
    throw new SettingsError(`${name}: "${wrong}" is wrong; give ${what}, with commas between them`);
  }
  return list;
}

/** Where a provider's API answers. Plain http is for stand-ins on this machine. */
function readApi(name: string, value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const bare = url !== undefined && url.pathname === "/" && url.search === "" && url.hash === "" && url.username === "" && url.password === "";
  const safe = url?.protocol === "https:" || (url?.protocol === "http:" && url.hostname === "127.0.0.1");
  if (!bare || !safe) {
    throw new SettingsError(`${name}: "${value}" is no https URL without a path`);
  }
  return value.replace(/\/+$/, "");
}

function readEhloName(value: string | undefined): string {
  if (value === undefined || !/^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?$/.test(value)) {
    throw new SettingsError(`ehloName: "${value}" is no name of the DNS, such as otp.example.org`);
  }
  return value;
}

function readSender(value: string | undefined): Sender {
  if (value === undefined) {
    throw new SettingsError('sesSender is missing: the From of mails, e.g. -c "sesSender=Otpost <otp@example.org>"');
  }
  return parseSender(value);
}

function readFlag(name: string, value: string): boolean {
  if (value !== "true" && value !== "false") {
    throw new SettingsError(`${name}: "${value}" is neither true nor false`);
  }
  return value === "true";
}

function readReservedConcurrency(value: string | undefined): number | undefined {
  if (value === undefined) {
    return undefined;
  }
  if (!/^[1-9][0-9]{0,3}$/.test(value)) {
    throw new SettingsError(`reservedConcurrency: "${value}" is no number from 1 to 9999`);
  }
  return Number(value);
}
