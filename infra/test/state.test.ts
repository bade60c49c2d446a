import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Match } from "aws-cdk-lib/assertions";
import { deploy, type Resource, resources, target } from "./support.ts";

const TABLE = "AWS::DynamoDB::GlobalTable";

describe("state", () => {
  const { state } = deploy({ stage: "prod" });
  const tables = Object.fromEntries(
    resources(state, TABLE).map(([id, table]) => [id.startsWith("Core") ? "core" : "flow", table]),
  ) as { core: Resource; flow: Resource };

  test("there are two tables and no more", () => {
    state.resourceCountIs(TABLE, 2);
  });

  for (const name of ["core", "flow"] as const) {
    test(`${name} has the house's keys, is paid by request, ends rows by ttl`, () => {
      const { KeySchema, BillingMode, TimeToLiveSpecification, AttributeDefinitions } = tables[name].Properties;
      assert.deepEqual(KeySchema, [
        { AttributeName: "PK", KeyType: "HASH" },
        { AttributeName: "SK", KeyType: "RANGE" },
      ]);
      assert.equal(BillingMode, "PAY_PER_REQUEST");
      assert.deepEqual(TimeToLiveSpecification, { AttributeName: "ttl", Enabled: true });
      const types = Object.fromEntries(
        AttributeDefinitions.map((each: Record<string, string>) => [each["AttributeName"], each["AttributeType"]]),
      );
      assert.equal(types.PK, "S");
      assert.equal(types.SK, "S");
    });

    test(`${name} is encrypted with the storage key and cannot be deleted by mistake`, () => {
      const { Properties, DeletionPolicy } = tables[name];
      assert.deepEqual(Properties["SSESpecification"], { SSEEnabled: true, SSEType: "KMS" });
      const [replica] = Properties["Replicas"];
      assert.match(target(replica.SSESpecification.KMSMasterKeyId), /^StorageKey/);
      assert.equal(replica.DeletionProtectionEnabled, true);
      assert.equal(DeletionPolicy, "Retain");
    });

    test(`${name} lives in one region: replay protection does not survive last-writer-wins`, () => {
      assert.equal(tables[name].Properties["Replicas"].length, 1);
    });
  }

  test("core can be restored to a point in time, flow cannot", () => {
    const recovery = (table: Resource): unknown =>
      table.Properties["Replicas"][0].PointInTimeRecoverySpecification?.PointInTimeRecoveryEnabled ?? false;
    assert.equal(recovery(tables.core), true);
    assert.equal(recovery(tables.flow), false);
  });

  test("core has one index, flow three", () => {
    assert.deepEqual(tables.core.Properties["GlobalSecondaryIndexes"], [index("users-by-tenant", "users_of", "id")]);
    assert.deepEqual(tables.flow.Properties["GlobalSecondaryIndexes"], [
      index("messages-by-tenant", "day_key", "id"),
      index("messages-by-user", "user_key", "id"),
      index("open-messages", "open_shard", "due_at"),
    ]);
    state.hasResourceProperties(TABLE, {
      AttributeDefinitions: Match.arrayWith([
        { AttributeName: "day_key", AttributeType: "S" },
        { AttributeName: "id", AttributeType: "S" },
        { AttributeName: "user_key", AttributeType: "S" },
        { AttributeName: "open_shard", AttributeType: "S" },
        { AttributeName: "due_at", AttributeType: "N" },
      ]),
    });
  });

  test("both keys rotate and outlive their stack", () => {
    const keys = resources(state, "AWS::KMS::Key");
    assert.equal(keys.length, 2);
    for (const [id, key] of keys) {
      assert.equal(key.Properties["EnableKeyRotation"], true, id);
      assert.equal(key.Properties["PendingWindowInDays"], 30, id);
      assert.equal(key.DeletionPolicy, "Retain", id);
    }
  });

  test("the platform key is 48 letters and digits, under the storage key", () => {
    const [secret] = resources(state, "AWS::SecretsManager::Secret");
    const { ExcludePunctuation, ExcludeCharacters, PasswordLength } = secret?.[1].Properties["GenerateSecretString"];
    assert.equal(ExcludePunctuation, true);
    assert.equal(PasswordLength, 48);
    const printable = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index));
    assert.match(printable.filter((each) => !ExcludeCharacters.includes(each)).join(""), /^[0-9A-Za-z]{62}$/);
    assert.match(target(secret?.[1].Properties["KmsKeyId"]), /^StorageKey/);
  });

  test("retain=false leaves nothing behind", () => {
    const { state: local, service } = deploy({ retain: "false" });
    for (const template of [local, service]) {
      for (const [id, each] of Object.entries(template.toJSON().Resources as Record<string, Resource>)) {
        assert.notEqual(each.DeletionPolicy, "Retain", id);
      }
    }
    for (const [, table] of resources(local, TABLE)) {
      assert.notEqual(table.Properties["Replicas"][0].DeletionProtectionEnabled, true);
    }
  });
});

function index(name: string, partition: string, sort: string): object {
  return {
    IndexName: name,
    KeySchema: [
      { AttributeName: partition, KeyType: "HASH" },
      { AttributeName: sort, KeyType: "RANGE" },
    ],
    Projection: { ProjectionType: "KEYS_ONLY" },
  };
}
