import assert from "node:assert/strict";
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { ACCOUNT, projectContext, REGION, stubPackages, temporaryFolder } from "./support.ts";

/** Runs the app as the CDK command line does, with CDK's own check of the templates switched on. */
function run(out: string, context: Record<string, unknown>): SpawnSyncReturns<string> {
  const { CDK_VALIDATION: _, ...environment } = process.env;
  return spawnSync(process.execPath, ["--import", "tsx", "bin/app.ts"], {
    cwd: path.join(__dirname, ".."),
    encoding: "utf8",
    env: {
      ...environment,
      CDK_OUTDIR: out,
      CDK_CONTEXT_JSON: JSON.stringify({ ...projectContext(), ...context }),
      CDK_DEFAULT_ACCOUNT: ACCOUNT,
      CDK_DEFAULT_REGION: REGION,
    },
  });
}

test("the app makes two stacks that pass CDK's own validation, and warns of nothing", () => {
  const out = temporaryFolder();
  const { status, stderr } = run(out, { packages: stubPackages(), sesSender: "otp@example.org", stage: "prod" });
  assert.equal(status, 0, stderr);
  const names = fs.readdirSync(out).filter((name) => name.endsWith(".template.json"));
  assert.deepEqual(names.sort(), ["Otpost-prod-Service.template.json", "Otpost-prod-State.template.json"]);
  const report = JSON.parse(fs.readFileSync(path.join(out, "validation-report.json"), "utf8")) as Record<string, unknown>;
  assert.deepEqual(report["pluginReports"], []);
  for (const name of names.map((each) => each.replace(".template.", ".metadata."))) {
    assert.doesNotMatch(fs.readFileSync(path.join(out, name), "utf8"), /aws:cdk:(warning|error)/);
  }
});

test("a setting that is missing is one line, without a trace", () => {
  const { status, stderr } = run(temporaryFolder(), { packages: stubPackages() });
  assert.equal(status, 1);
  assert.match(stderr, /^sesSender is missing: .*\n$/);
});
