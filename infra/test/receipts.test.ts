import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ACCOUNT, deploy, functionOf, type Resource, resources, target } from "./support.ts";

describe("receipts of SES", () => {
  const { service } = deploy({ stage: "prod", sesConfigurationSets: "acme, globex_1" });
  const [functionId, receiver] = functionOf(service, "receipts");
  const rule = ruleOf(resources(service, "AWS::Events::Rule"));

  test("the configuration set tells the default bus what becomes of mails, and nothing of who opens them", () => {
    const [destination, ...others] = resources(service, "AWS::SES::ConfigurationSetEventDestination");
    assert.equal(others.length, 0);
    const { EventDestination: told, ConfigurationSetName: set } = destination?.[1].Properties ?? {};
    assert.match(target(set), /^DeliverySes/);
    assert.equal(told.Enabled, true);
    assert.match(JSON.stringify(told.EventBridgeDestination.EventBusArn), /:event-bus\/default"/);
    assert.deepEqual([...told.MatchingEventTypes].sort(), [
      "bounce",
      "complaint",
      "delivery",
      "deliveryDelay",
      "reject",
      "renderingFailure",
      "send",
    ]);
  });

  test("a rule gives the function what is told of Otpost's mails, of this deployment and the sets that it names", () => {
    assert.equal(rule["EventBusName"], undefined);
    const pattern = rule["EventPattern"];
    assert.deepEqual([pattern.source, pattern.account], [["aws.ses"], [ACCOUNT]]);
    assert.equal(pattern["detail-type"].length, 7);
    const tags = pattern.detail.mail.tags;
    assert.match(target(tags["ses:configuration-set"][0]), /^DeliverySes/);
    assert.deepEqual(tags["ses:configuration-set"].slice(1), ["acme", "globex_1"]);
    assert.deepEqual(tags["otpost-message"], [{ exists: true }]);
    assert.equal(target(rule["Targets"][0].Arn), functionId);
    assert.deepEqual(rule["Targets"][0].RetryPolicy, { MaximumEventAgeInSeconds: 86400, MaximumRetryAttempts: 185 });
  });

  test("what the rule cannot give and what the function cannot work off lie in one place", () => {
    assert.match(target(rule["Targets"][0].DeadLetterConfig.Arn), /^DeliveryReceiptsDeadLetters/);
    assert.deepEqual(receiver.Properties["DeadLetterConfig"].TargetArn, rule["Targets"][0].DeadLetterConfig.Arn);
    const retries = resources(service, "AWS::Lambda::EventInvokeConfig").filter(
      ([, { Properties }]) => target(Properties["FunctionName"]) === functionId,
    );
    assert.deepEqual(
      retries.map(([, { Properties }]) => [Properties["MaximumRetryAttempts"], Properties["MaximumEventAgeInSeconds"]]),
      [[2, 6 * 3600]],
    );
  });

  test("names of configuration sets are checked", () => {
    assert.throws(() => deploy({ sesConfigurationSets: "a b" }), /^SettingsError: sesConfigurationSets: "a b" is wrong/);
  });
});

function ruleOf(rules: Array<[string, Resource]>): Resource["Properties"] {
  const rule = rules.find(([id]) => id.startsWith("ReceiptsRule"));
  assert.ok(rule);
  return rule[1].Properties;
}
