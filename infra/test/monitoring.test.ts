import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { describe, test } from "node:test";
import { METRICS } from "../lib/metrics.ts";
import { BINARIES, deploy, resources } from "./support.ts";

/** The checkout that holds the Rust code and the documents; another place when infra/ is run from a copy. */
const REPOSITORY = path.resolve(__dirname, "..", process.env["OTPOST_REPO"] ?? "..");
const TOPIC = "arn:aws:sns:eu-west-2:111122223333:on-call";

describe("monitoring", () => {
  const { service } = deploy({ stage: "prod", alarmTopicArn: TOPIC });
  const alarms = resources(service, "AWS::CloudWatch::Alarm");
  const [dashboard] = resources(service, "AWS::CloudWatch::Dashboard");
  const page = JSON.stringify(dashboard?.[1].Properties["DashboardBody"]);

  test("functions and graphs call the numbers by the same names", () => {
    const code = fs.readFileSync(path.join(REPOSITORY, "shared", "service", "src", "metrics.rs"), "utf8");
    const names = [...code.matchAll(/^ {12}Self::\w+ => "(\w+)",$/gm)].map(([, name]) => name);
    const units = /Self::TimeToReceipt => "Milliseconds"/;
    assert.deepEqual(names.filter((name) => name !== "Milliseconds").sort(), [...METRICS].sort());
    assert.match(code, units);
  });

  test("the page shows each number, what is told of gateways by gateway and country, and each function and queue", () => {
    assert.equal(dashboard?.[1].Properties["DashboardName"], "otpost-prod");
    for (const metric of METRICS) {
      assert.ok(page.includes(metric), metric);
    }
    const searched = [...page.matchAll(/SEARCH\('\{[^}]*Otpost\/prod[^}]*,Gateway,Country\} MetricName=[\\"]*(\w+)[\\"]*', '(\w+)', 300\)/g)];
    assert.deepEqual(searched.map(([, metric, statistic]) => `${metric} ${statistic}`).sort(), [
      "Accepted Sum",
      "CircuitClosed Sum",
      "CircuitOpened Sum",
      "Delivered Sum",
      "Failovers Sum",
      "PassedOver Sum",
      "Refused Sum",
      "Silent Sum",
      "TimeToReceipt p50",
      "TimeToReceipt p95",
      "Undelivered Sum",
    ]);
    for (const label of [...BINARIES, "deliveries", "jobs", "directory"]) {
      assert.ok(new RegExp(`label[\\\\"]*:[\\\\"]*${label}[\\\\"]`).test(page), label);
    }
  });

  test("each alarm says what is wrong, leads to a section of the runbook, and tells the topic", () => {
    const runbook = fs.readFileSync(path.join(REPOSITORY, "docs", "runbook.md"), "utf8");
    const sections = new Set([...runbook.matchAll(/^## (.+)$/gm)].map(([, heading]) => slug(String(heading))));
    assert.ok(alarms.length > 0);
    for (const [id, { Properties }] of alarms) {
      const found = /^.{20,}\. See docs\/runbook\.md#([a-z0-9-]+)$/.exec(Properties["AlarmDescription"]);
      assert.ok(found, `${id}: ${Properties["AlarmDescription"]}`);
      assert.ok(sections.has(String(found[1])), `${id}: the runbook has no section ${found[1]}`);
      assert.deepEqual(Properties["AlarmActions"], [TOPIC], id);
    }
    const said = runbook.match(/There are (\d+):/);
    assert.equal(Number(said?.[1]), alarms.length, "the runbook counts the alarms");
  });

  test("what does not come to anything alarms, and so does what does not happen", () => {
    const of = (id: string): Record<string, any> => {
      const [found, ...others] = alarms.filter(([each]) => each.startsWith(id));
      assert.equal(others.length, 0, id);
      return found?.[1].Properties ?? {};
    };
    const expression = (id: string): string =>
      of(id)["Metrics"].find((each: Record<string, unknown>) => each["Expression"] !== undefined).Expression;
    assert.equal(expression("MessagesUndeliveredShare"), "IF(u >= 5, 100 * u / (u + FILL(d, 0)), 0)");
    assert.equal(expression("MessagesNoReceipts"), "IF(a >= 5 AND FILL(d, 0) + FILL(u, 0) == 0, a, 0)");
    assert.equal(of("MessagesNoReceipts")["EvaluationPeriods"], 2);
    assert.deepEqual(
      of("MessagesTimeToReceipt")["Metrics"].flatMap((each: any) => each.MetricStat?.Stat ?? []).sort(),
      ["SampleCount", "p95"],
    );
    assert.equal(of("MessagesCircuitOpened")["MetricName"], "CircuitOpened");
    for (const id of ["MessagesDeliverAsleep", "MessagesJobsAsleep"]) {
      const asleep = of(id);
      assert.equal(asleep["MetricName"], "Invocations", id);
      assert.equal(asleep["ComparisonOperator"], "LessThanThreshold", id);
      assert.equal(asleep["TreatMissingData"], "breaching", id);
    }
    const quiet = alarms.filter(([id]) => !id.includes("Asleep"));
    assert.ok(quiet.every(([, { Properties }]) => Properties["TreatMissingData"] === "notBreaching"));
  });
});

/** The name that a heading has in links. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^a-z0-9 _-]/g, "")
    .replaceAll(" ", "-");
}
