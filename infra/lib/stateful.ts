import { Duration, RemovalPolicy, Stack, Validations } from "aws-cdk-lib";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as iam from "aws-cdk-lib/aws-iam";
import * as kms from "aws-cdk-lib/aws-kms";
import * as secretsmanager from "aws-cdk-lib/aws-secretsmanager";
import type { Construct } from "constructs";
import { type Settings, stackTags } from "./settings.ts";

/** Indexes of the core table. */
export const CORE_INDEXES = { usersByTenant: "users-by-tenant" } as const;

/** Indexes of the flow table. */
export const FLOW_INDEXES = {
  messagesByTenant: "messages-by-tenant",
  messagesByUser: "messages-by-user",
  openMessages: "open-messages",
} as const;

/** What outlives a deployment of the service. */
export interface State {
  /** Tenants, keys, users, tokens: what must never be lost. */
  readonly core: dynamodb.ITableV2;
  /** Messages, sessions, links: what ends by itself. */
  readonly flow: dynamodb.ITableV2;
  /** Encrypts tables, queues, the platform key and gateways' credentials at rest. */
  readonly storageKey: kms.IKey;
  /** Wraps each tenant's own data key. */
  readonly dataKey: kms.IKey;
  /** The platform key, without its `otp_platform_` in front. */
  readonly platformKey: secretsmanager.ISecret;
}

const KEYS = {
  partitionKey: { name: "PK", type: dynamodb.AttributeType.STRING },
  sortKey: { name: "SK", type: dynamodb.AttributeType.STRING },
  timeToLiveAttribute: "ttl",
};

/** What a platform key never holds, spelled out too: not every stand-in for Secrets Manager reads the flag. */
const PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/** Tables, keys and the platform key's secret: apart from the rest, so that the service can go and come again. */
export class StatefulStack extends Stack implements State {
  readonly core: dynamodb.TableV2;
  readonly flow: dynamodb.TableV2;
  readonly storageKey: kms.Key;
  readonly dataKey: kms.Key;
  readonly platformKey: secretsmanager.Secret;

  private readonly settings: Settings;

  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id, {
      env: settings.env,
      tags: stackTags(settings),
      description: `Otpost ${settings.stage}: tables and keys`,
      terminationProtection: settings.retain,
    });
    this.settings = settings;
    this.storageKey = this.key("StorageKey", "encrypts tables, queues and secrets");
    this.allowEvents();
    this.dataKey = this.key("DataKey", "wraps tenants' data keys");
    this.core = this.coreTable();
    this.flow = this.flowTable();
    this.platformKey = this.platformKeySecret();
  }

  private get removalPolicy(): RemovalPolicy {
    return this.settings.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
  }

  private key(id: string, purpose: string): kms.Key {
    return new kms.Key(this, id, {
      description: `Otpost ${this.settings.stage}: ${purpose}`,
      enableKeyRotation: true,
      pendingWindow: Duration.days(this.settings.retain ? 30 : 7),
      removalPolicy: this.removalPolicy,
    });
  }

  /** EventBridge puts what directories tell into an encrypted queue. */
  private allowEvents(): void {
    this.storageKey.addToResourcePolicy(
      new iam.PolicyStatement({
        principals: [new iam.ServicePrincipal("events.amazonaws.com")],
        actions: ["kms:Decrypt", "kms:GenerateDataKey"],
        resources: ["*"],
        conditions: { StringEquals: { "aws:SourceAccount": this.account } },
      }),
    );
  }

  private coreTable(): dynamodb.TableV2 {
    return new dynamodb.TableV2(this, "Core", {
      ...KEYS,
      billing: dynamodb.Billing.onDemand(),
      encryption: dynamodb.TableEncryptionV2.customerManagedKey(this.storageKey),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: this.settings.retain,
      removalPolicy: this.removalPolicy,
      globalSecondaryIndexes: [
        {
          indexName: CORE_INDEXES.usersByTenant,
          partitionKey: { name: "users_of", type: dynamodb.AttributeType.STRING },
          sortKey: { name: "id", type: dynamodb.AttributeType.STRING },
          projectionType: dynamodb.ProjectionType.KEYS_ONLY,
        },
      ],
    });
  }

  /** Not restorable on purpose: its rows live for hours, and old ones would send codes and links that have ended. */
  private flowTable(): dynamodb.TableV2 {
    return new dynamodb.TableV2(this, "Flow", {
      ...KEYS,
      billing: dynamodb.Billing.onDemand(),
      encryption: dynamodb.TableEncryptionV2.customerManagedKey(this.storageKey),
      deletionProtection: this.settings.retain,
      removalPolicy: this.removalPolicy,
      globalSecondaryIndexes: [
        {
          indexName: FLOW_INDEXES.messagesByTenant,
          partitionKey: { name: "day_key", type: dynamodb.AttributeType.STRING },
          sortKey: { name: "id", type: dynamodb.AttributeType.STRING },
          projectionType: dynamodb.ProjectionType.KEYS_ONLY,
        },
        {
          indexName: FLOW_INDEXES.messagesByUser,
          partitionKey: { name: "user_key", type: dynamodb.AttributeType.STRING },
          sortKey: { name: "id", type: dynamodb.AttributeType.STRING },
          projectionType: dynamodb.ProjectionType.KEYS_ONLY,
        },
        {
          indexName: FLOW_INDEXES.openMessages,
          partitionKey: { name: "open_shard", type: dynamodb.AttributeType.STRING },
          sortKey: { name: "due_at", type: dynamodb.AttributeType.NUMBER },
          projectionType: dynamodb.ProjectionType.KEYS_ONLY,
        },
      ],
    });
  }

  private platformKeySecret(): secretsmanager.Secret {
    const secret = new secretsmanager.Secret(this, "PlatformKey", {
      description: `Otpost ${this.settings.stage}: platform key (put otp_platform_ in front)`,
      encryptionKey: this.storageKey,
      generateSecretString: { excludePunctuation: true, excludeCharacters: PUNCTUATION, passwordLength: 48 },
      removalPolicy: this.removalPolicy,
    });
    Validations.of(secret).acknowledge({
      id: "AwsSolutions-SMG4",
      reason: "People hold the platform key. It is replaced on purpose with put-secret-value, not by a clock.",
    });
    return secret;
  }
}
