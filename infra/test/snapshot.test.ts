import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { deploy } from "./support.ts";

const FILE = path.join(__dirname, "templates.snapshot.json");

test("the templates are those last looked at (UPDATE_SNAPSHOT=1 npm test writes them anew)", () => {
  const { state, service } = deploy({ stage: "prod", publicUrl: "https://otp.example.org" });
  const actual = JSON.parse(JSON.stringify({ state: state.toJSON(), service: service.toJSON() })) as unknown;
  if (process.env["UPDATE_SNAPSHOT"] === "1") {
    fs.writeFileSync(FILE, `${JSON.stringify(actual, null, 1)}\n`);
  }
  assert.deepEqual(actual, JSON.parse(fs.readFileSync(FILE, "utf8")));
});
