import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { ENVIRONMENT } from "../lib/otp-function.ts";

/** The checkout that holds the Rust code; another place when infra/ is run from a copy. */
const REPOSITORY = path.resolve(__dirname, "..", process.env["OTPOST_REPO"] ?? "..");

test("the functions read the variables that infra writes, and no others", () => {
  const config = fs.readFileSync(path.join(REPOSITORY, "shared", "edge", "src", "config.rs"), "utf8");
  const read = new Set(config.match(/OTPOST_[A-Z_]+/g));
  assert.deepEqual([...read].sort(), Object.values(ENVIRONMENT).sort());
});
