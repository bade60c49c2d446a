import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { describe, test } from "node:test";
import { TROUBLE } from "../lib/functions.ts";
import type { Binary } from "../lib/otp-function.ts";
import { BINARIES, deploy, functionOf, type Resource, resources, target } from "./support.ts";

/** The checkout that holds the Rust code; another place when infra/ is run from a copy. */
const REPOSITORY = path.resolve(__dirname, "..", process.env["OTPOST_REPO"] ?? "..");
const CORE = "OTPOST_CORE_TABLE";
const FLOW = "OTPOST_FLOW_TABLE";
const DATA_KEY = "OTPOST_DATA_KEY";
const JOBS = "OTPOST_JOBS_QUEUE_URL";
const CREDENTIALS = "OTPOST_CREDENTIALS_PREFIX";
const DELIVERIES = "OTPOST_DELIVERIES_QUEUE_URL";
const RECEIPTS = "OTPOST_RECEIPTS_QUEUE_URL";
const METRICS = "OTPOST_METRICS_NAMESPACE";
const SENDER_QUEUES = ["SES", "SMTP", "TWILIO", "GOVUK_NOTIFY"].map((name) => `OTPOST_${name}_QUEUE_URL`);
const SENDER = [CORE, FLOW, DATA_KEY, CREDENTIALS, DELIVERIES, RECEIPTS, METRICS];

/** What each function is told. */
const VARIABLES: Record<Binary, string[]> = {
  admin: [
    CORE,
    FLOW,
    DATA_KEY,
    DELIVERIES,
    JOBS,
    "OTPOST_PUBLIC_URL",
    "OTPOST_PLATFORM_KEY_SECRET",
    "OTPOST_STORAGE_KEY",
    CREDENTIALS,
    ...SENDER_QUEUES,
  ],
  deliver: [CORE, FLOW, DELIVERIES, "OTPOST_DEAD_LETTER_QUEUE_URLS", ...SENDER_QUEUES, METRICS],
  enroll: [CORE, FLOW, DATA_KEY],
  jobs: [CORE, FLOW, DATA_KEY, DELIVERIES, JOBS, "OTPOST_PUBLIC_URL", CREDENTIALS],
  "push-token": [CORE, FLOW, DATA_KEY, DELIVERIES, "OTPOST_PUBLIC_URL"],
  receipts: [CORE, FLOW, DATA_KEY, CREDENTIALS, DELIVERIES, "OTPOST_PUBLIC_URL", METRICS],
  "send-govuk-notify": [...SENDER, "OTPOST_GOVUK_NOTIFY_QUEUE_URL", "OTPOST_GOVUK_NOTIFY_URL"],
  "send-ses": [...SENDER, "OTPOST_SES_QUEUE_URL", "OTPOST_SES_SENDER", "OTPOST_SES_CONFIGURATION_SET"],
  "send-smtp": [...SENDER, "OTPOST_SMTP_QUEUE_URL", "OTPOST_EHLO_NAME", "OTPOST_ALLOWED_NETWORKS"],
  "send-twilio": [...SENDER, "OTPOST_TWILIO_QUEUE_URL", "OTPOST_TWILIO_URL", "OTPOST_PUBLIC_URL"],
  verify: [CORE, FLOW, DATA_KEY, DELIVERIES],
};

/** In seconds. API Gateway waits for 30, GOV.UK Notify for 5, but it calls again; a sender's hop may take as long with its provider and the stores together. */
const TIMEOUTS: Record<Binary, number> = {
  admin: 10,
  deliver: 35,
  enroll: 10,
  jobs: 35,
  "push-token": 10,
  receipts: 10,
  "send-govuk-notify": 35,
  "send-ses": 35,
  "send-smtp": 35,
  "send-twilio": 35,
  verify: 10,
};

/** What every function may do. */
const COMMON = [
  "logs:CreateLogStream own log",
  "logs:PutLogEvents own log",
  "xray:PutTelemetryRecords *",
  "xray:PutTraceSegments *",
  "kms:Decrypt storage key via dynamodb",
  "kms:DescribeKey storage key via dynamodb",
  "kms:Encrypt storage key via dynamodb",
  "kms:GenerateDataKey storage key via dynamodb",
  "kms:GenerateDataKeyWithoutPlaintext storage key via dynamodb",
  "kms:ReEncryptFrom storage key via dynamodb",
  "kms:ReEncryptTo storage key via dynamodb",
];
const OPEN_DATA_KEY = "kms:Decrypt data key for a tenant";
const SENDERS: Binary[] = ["send-govuk-notify", "send-ses", "send-smtp", "send-twilio"];
const KEPT_ANSWERS = ["DeleteItem", "PutItem", "UpdateItem"];
const SEND_KEYS = ["kms:Decrypt storage key via sqs", "kms:GenerateDataKey storage key via sqs"];

/** What each function may do besides, and nothing else. */
const PERMISSIONS: Record<Binary, string[]> = {
  verify: [
    ...on("core", ["BatchGetItem", "GetItem", "PutItem", "Query", "UpdateItem"]),
    ...on("flow", ["BatchGetItem", "GetItem", "Query", ...KEPT_ANSWERS]),
    OPEN_DATA_KEY,
    "sqs:SendMessage deliveries",
    ...SEND_KEYS,
  ],
  enroll: [
    ...on("core", ["DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]),
    ...on("flow", ["GetItem", ...KEPT_ANSWERS]),
    OPEN_DATA_KEY,
  ],
  jobs: [
    ...on("core", [
      "BatchGetItem",
      "BatchWriteItem",
      "DeleteItem",
      "GetItem",
      "PutItem",
      "Query",
      "Scan",
      "UpdateItem",
    ]),
    ...on("core/index/users-by-tenant", ["Query"]),
    ...on("flow", ["BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem"]),
    ...on("flow/index/open-messages", ["Query"]),
    OPEN_DATA_KEY,
    "sqs:SendMessage deliveries",
    "sqs:SendMessage jobs",
    "secretsmanager:DeleteSecret arn:aws:secretsmanager:eu-west-2:111122223333:secret:otpost/prod/gateways/*",
    ...consume("jobs"),
    ...SEND_KEYS,
  ],
  "push-token": [
    ...on("core", ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]),
    ...on("core/index/users-by-tenant", ["Query"]),
    ...on("flow", ["Query", ...KEPT_ANSWERS]),
    OPEN_DATA_KEY,
    "sqs:SendMessage deliveries",
    ...consume("directory"),
    ...SEND_KEYS,
  ],
  receipts: [
    ...on("core", ["GetItem", "PutItem", "Query"]),
    ...on("flow", ["BatchGetItem", "UpdateItem"]),
    OPEN_DATA_KEY,
    "sqs:SendMessage deliveries",
    "sqs:SendMessage dead letters of receipts",
    ...consume("receipts"),
    ...SEND_KEYS,
    "secretsmanager:GetSecretValue arn:aws:secretsmanager:eu-west-2:111122223333:secret:otpost/prod/gateways/*",
    "kms:Decrypt storage key via secretsmanager",
  ],
  deliver: [
    ...on("core", ["BatchGetItem", "Query"]),
    ...on("flow", ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem"]),
    ...on("flow/index/open-messages", ["Query"]),
    "sqs:SendMessage deliveries",
    ...SENDERS.map((sender) => `sqs:SendMessage ${sender}`),
    ...consume("deliveries"),
    ...["deliveries", ...SENDERS].flatMap((queue) =>
      ["ChangeMessageVisibility", "DeleteMessage", "ReceiveMessage"].map(
        (action) => `sqs:${action} dead letters of ${queue}`,
      ),
    ),
    ...SEND_KEYS,
  ],
  "send-govuk-notify": sending("send-govuk-notify"),
  "send-smtp": sending("send-smtp"),
  "send-twilio": sending("send-twilio"),
  "send-ses": [
    ...sending("send-ses"),
    "ses:GetSuppressedDestination *",
    ...["ses:SendEmail", "ses:SendRawEmail"].flatMap((action) => [
      `${action} arn:aws:ses:eu-west-2:111122223333:identity/example.org from the sender`,
      `${action} arn:aws:ses:eu-west-2:111122223333:identity/otp@example.org from the sender`,
      `${action} arn:aws:ses:eu-west-2:111122223333:configuration-set/*`,
      `${action} arn:aws:ses:eu-west-2:111122223333:tenant/*`,
    ]),
  ],
  admin: [
    ...on("core", ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]),
    ...on("core/index/users-by-tenant", ["Query"]),
    ...on("flow", ["BatchGetItem", "GetItem", ...KEPT_ANSWERS]),
    ...on("flow/index/messages-by-tenant", ["Query"]),
    ...on("flow/index/messages-by-user", ["Query"]),
    OPEN_DATA_KEY,
    "kms:GenerateDataKey data key for a tenant",
    "sqs:SendMessage deliveries",
    "sqs:SendMessage jobs",
    ...SENDERS.map((sender) => `sqs:SendMessage ${sender}`),
    ...SEND_KEYS,
    "secretsmanager:GetSecretValue platform key",
    "secretsmanager:CreateSecret arn:aws:secretsmanager:eu-west-2:111122223333:secret:otpost/prod/gateways/*",
    "secretsmanager:DeleteSecret arn:aws:secretsmanager:eu-west-2:111122223333:secret:otpost/prod/gateways/*",
    "kms:Decrypt storage key via secretsmanager",
    "kms:GenerateDataKey storage key via secretsmanager",
  ],
};

describe("functions", () => {
  const { service } = deploy({ stage: "prod" });
  const logGroups = new Map(resources(service, "AWS::Logs::LogGroup"));
  const policies = resources(service, "AWS::IAM::Policy");

  test("there are eleven functions", () => {
    service.resourceCountIs("AWS::Lambda::Function", BINARIES.length);
  });

  for (const binary of BINARIES) {
    const [, { Properties }] = functionOf(service, binary);

    test(`${binary}: runs its own package on provided.al2023, arm64, traced, in time`, () => {
      assert.equal(Properties["Runtime"], "provided.al2023");
      assert.deepEqual(Properties["Architectures"], ["arm64"]);
      assert.deepEqual(Properties["TracingConfig"], { Mode: "Active" });
      assert.equal(Properties["Timeout"], TIMEOUTS[binary]);
      assert.equal(Properties["ReservedConcurrentExecutions"], undefined);
    });

    test(`${binary}: logs JSON into its own group, which is kept for a month`, () => {
      const { LogFormat, LogGroup, ApplicationLogLevel } = Properties["LoggingConfig"];
      assert.equal(LogFormat, "JSON");
      assert.equal(ApplicationLogLevel, "INFO");
      const group = logGroups.get(target(LogGroup));
      assert.equal(group?.Properties["RetentionInDays"], 30);
      assert.equal(group?.DeletionPolicy, "Retain");
    });

    test(`${binary}: is told what the contract says and no more`, () => {
      const told: Record<string, unknown> = Properties["Environment"].Variables;
      assert.deepEqual(Object.keys(told).sort(), ["AWS_SDK_UA_APP_ID", ...VARIABLES[binary]].sort());
      assert.equal(told["AWS_SDK_UA_APP_ID"], `otpost-${binary}`);
      for (const [name, value] of Object.entries(told)) {
        assert.ok(value !== "" && value !== undefined, name);
      }
    });

    test(`${binary}: may do what its work needs and no more`, () => {
      const role = target(Properties["Role"]);
      const statements = policies
        .filter(([, policy]) => policy.Properties["Roles"].some((ref: unknown) => target(ref) === role))
        .flatMap(([, policy]) => policy.Properties["PolicyDocument"].Statement as Statement[]);
      const actual = new Set(statements.flatMap((statement) => describeStatement(statement, target(Properties["LoggingConfig"].LogGroup))));
      assert.deepEqual([...actual].sort(), [...new Set([...COMMON, ...PERMISSIONS[binary]])].sort());
    });
  }

  test("a sender below a verified domain may be known to SES by any domain above", () => {
    const { service: other } = deploy({ sesSender: "otp@a.mail.example.org" });
    const granted = JSON.stringify(resources(other, "AWS::IAM::Policy").map(([, policy]) => policy.Properties));
    const identities = [...granted.matchAll(/:identity\/([^"]*)"/g)].map(([, identity]) => identity);
    assert.deepEqual(identities.sort(), ["a.mail.example.org", "example.org", "mail.example.org", "otp@a.mail.example.org"]);
    assert.match(granted, /\{"StringEqualsIgnoreCase":\{"ses:FromAddress":"otp@a\.mail\.example\.org"\}\}/);
  });

  test("gateways send from the identities that the deployment names, and from no others", () => {
    const { service: other } = deploy({ sesIdentities: "acme.example, otp@globex.example" });
    const statements = JSON.stringify(resources(other, "AWS::IAM::Policy").map(([, policy]) => policy.Properties));
    for (const identity of ["acme.example", "otp@globex.example"]) {
      assert.ok(statements.includes(`:identity/${identity}"`), identity);
    }
    assert.ok(!statements.includes(":identity/*"));
  });

  test("a provider that refuses a gateway raises its sender's alarm", () => {
    const code = fs.readFileSync(path.join(REPOSITORY, "shared", "service", "src", "send.rs"), "utf8");
    assert.ok(code.includes(`"${TROUBLE}"`), "the senders log these words");
    const filters = resources(service, "AWS::Logs::MetricFilter");
    assert.equal(filters.length, SENDERS.length);
    for (const [, filter] of filters) {
      assert.equal(filter.Properties["FilterPattern"], `{ $.fields.message = "${TROUBLE}" }`);
      const [metric] = filter.Properties["MetricTransformations"];
      const watching = resources(service, "AWS::CloudWatch::Alarm").filter(
        ([, alarm]) => alarm.Properties["MetricName"] === metric.MetricName,
      );
      assert.equal(watching.length, 1, metric.MetricName);
    }
  });

  test("only senders, and who checks call-backs, may read gateways' credentials", () => {
    for (const binary of BINARIES) {
      const may = PERMISSIONS[binary].some((line) => /GetSecretValue .*gateways/.test(line));
      assert.equal(may, binary === "receipts" || SENDERS.includes(binary), binary);
    }
  });

  test("only the function that erases tenants may look through a table, or write to it in batches", () => {
    for (const binary of BINARIES) {
      const may = PERMISSIONS[binary].some((line) => /^dynamodb:(Scan|BatchWriteItem) /.test(line));
      assert.equal(may, binary === "jobs", binary);
    }
  });

  test("no role has managed policies or policies written into it", () => {
    for (const [id, role] of resources(service, "AWS::IAM::Role")) {
      assert.equal(role.Properties["ManagedPolicyArns"], undefined, id);
      assert.equal(role.Properties["Policies"], undefined, id);
    }
  });

  test("the scheduler may start deliver and nothing else", () => {
    const policy = policies.find(([id]) => id.startsWith("DeliverySweepRole"));
    const [functionId] = functionOf(service, "deliver");
    assert.deepEqual(policy?.[1].Properties["PolicyDocument"].Statement, [
      { Effect: "Allow", Action: "lambda:InvokeFunction", Resource: { "Fn::GetAtt": [functionId, "Arn"] } },
    ]);
  });

  test("every log group ends its lines", () => {
    assert.equal(logGroups.size, BINARIES.length + 1);
    for (const [id, group] of logGroups as Map<string, Resource>) {
      assert.equal(group.Properties["RetentionInDays"], 30, id);
    }
  });

  test("architecture follows the context", () => {
    const [, { Properties }] = functionOf(deploy({ architecture: "x86_64" }).service, "verify");
    assert.deepEqual(Properties["Architectures"], ["x86_64"]);
  });
});

const DEAD_LETTERS = {
  Deliveries: "deliveries",
  Receipts: "receipts",
  SendGovukNotify: "send-govuk-notify",
  SendSes: "send-ses",
  SendSmtp: "send-smtp",
  SendTwilio: "send-twilio",
};

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: Record<string, Record<string, unknown>>;
}

function on(resource: string, actions: readonly string[]): string[] {
  return actions.map((action) => `dynamodb:${action} ${resource}`);
}

/** What every sender may do. */
function sending(sender: Binary): string[] {
  return [
    ...on("core", ["GetItem", "Query"]),
    ...on("flow", ["DeleteItem", "GetItem", "PutItem", "UpdateItem"]),
    OPEN_DATA_KEY,
    "sqs:SendMessage deliveries",
    ...(sender === "send-smtp" ? [] : ["sqs:SendMessage receipts"]),
    `sqs:SendMessage ${sender}`,
    ...consume(sender),
    ...SEND_KEYS,
    "secretsmanager:GetSecretValue arn:aws:secretsmanager:eu-west-2:111122223333:secret:otpost/prod/gateways/*",
    "kms:Decrypt storage key via secretsmanager",
  ];
}

function consume(queue: string): string[] {
  return ["ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage"].map(
    (action) => `sqs:${action} ${queue}`,
  );
}

/** One line for each action on each resource of a statement. */
function describeStatement(statement: Statement, ownLog: string): string[] {
  assert.equal(statement.Effect, "Allow");
  const actions = [statement.Action].flat();
  const names = [statement.Resource].flat().map((each) => nameOf(each, ownLog));
  const condition = nameCondition(statement.Condition);
  return actions.flatMap((action) => names.map((name) => `${action} ${name}${condition}`));
}

/** A short name for the resource that an ARN, a reference or an import points at. */
function nameOf(resource: unknown, ownLog: string): string {
  if (typeof resource === "string") {
    return resource;
  }
  const text = JSON.stringify(resource);
  const known: Array<[RegExp, string]> = [
    [/^\{"Fn::Join":\["",\[\{"Fn::ImportValue":"[^"]*GetAttCore[^"]*Arn[^"]*"\},"(\/index\/[a-z-]+)"\]\]\}$/, "core$1"],
    [/^\{"Fn::Join":\["",\[\{"Fn::ImportValue":"[^"]*GetAttFlow[^"]*Arn[^"]*"\},"(\/index\/[a-z-]+)"\]\]\}$/, "flow$1"],
    [/^\{"Fn::ImportValue":"[^"]*GetAttCore[^"]*Arn[^"]*"\}$/, "core"],
    [/^\{"Fn::ImportValue":"[^"]*GetAttFlow[^"]*Arn[^"]*"\}$/, "flow"],
    [/^\{"Fn::ImportValue":"[^"]*GetAttStorageKey[^"]*Arn[^"]*"\}$/, "storage key"],
    [/^\{"Fn::ImportValue":"[^"]*GetAttDataKey[^"]*Arn[^"]*"\}$/, "data key"],
    [/^\{"Fn::ImportValue":"[^"]*RefPlatformKey[^"]*"\}$/, "platform key"],
    [/^\{"Fn::GetAtt":\["DeliveryDeliveriesQueue[^"]*","Arn"\]\}$/, "deliveries"],
    [/^\{"Fn::GetAtt":\["DirectoryQueue[^"]*","Arn"\]\}$/, "directory"],
    [/^\{"Fn::GetAtt":\["DeliveryJobsQueue[^"]*","Arn"\]\}$/, "jobs"],
    [/^\{"Fn::GetAtt":\["DeliveryReceiptsQueue[^"]*","Arn"\]\}$/, "receipts"],
    ...Object.entries(DEAD_LETTERS).map(([id, name]): [RegExp, string] => [
      new RegExp(`^\\{"Fn::GetAtt":\\["Delivery${id}DeadLetters[^"]*","Arn"\\]\\}$`),
      `dead letters of ${name}`,
    ]),
    [/^\{"Fn::GetAtt":\["DeliverySendGovukNotifyQueue[^"]*","Arn"\]\}$/, "send-govuk-notify"],
    [/^\{"Fn::GetAtt":\["DeliverySendSesQueue[^"]*","Arn"\]\}$/, "send-ses"],
    [/^\{"Fn::GetAtt":\["DeliverySendSmtpQueue[^"]*","Arn"\]\}$/, "send-smtp"],
    [/^\{"Fn::GetAtt":\["DeliverySendTwilioQueue[^"]*","Arn"\]\}$/, "send-twilio"],
    [new RegExp(`^\\{"Fn::GetAtt":\\["${ownLog}","Arn"\\]\\}$`), "own log"],
  ];
  for (const [pattern, name] of known) {
    if (pattern.test(text)) {
      return text.replace(pattern, name);
    }
  }
  return text;
}

function nameCondition(condition: Statement["Condition"]): string {
  if (condition === undefined) {
    return "";
  }
  const text = JSON.stringify(condition);
  const via = /^\{"StringEquals":\{"kms:ViaService":\{"Fn::Join":\["",\["([a-z]+)\.eu-west-2\.",\{"Ref":"AWS::URLSuffix"\}\]\]\}\}\}$/.exec(text);
  if (via !== null) {
    return ` via ${via[1]}`;
  }
  const known: Record<string, string> = {
    '{"ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":"otpost:tenant"}}': " for a tenant",
    '{"StringEqualsIgnoreCase":{"ses:FromAddress":"otp@example.org"}}': " from the sender",
  };
  return known[text] ?? ` if ${text}`;
}
