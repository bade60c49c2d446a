// Makes src/otpost-api.ts from the API's description: the part that this example calls. With --check it only compares.
import { readFileSync, writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const DESCRIPTION = process.env.OTPOST_OPENAPI ?? new URL("../../openapi.json", import.meta.url); // or another copy
const TYPES = new URL("src/otpost-api.ts", import.meta.url);

const whole = JSON.parse(readFileSync(DESCRIPTION, "utf8"));
const part = { openapi: whole.openapi, info: whole.info, paths: {}, components: {} };

/** Takes along what `item` refers to, and what that refers to. */
function take(item) {
  for (const [, section, name] of JSON.stringify(item).matchAll(/#\/components\/(\w+)\/(\w+)/g)) {
    part.components[section] ??= {};
    if (name in part.components[section]) continue;
    part.components[section][name] = whole.components[section][name];
    take(part.components[section][name]);
  }
}
for (const path of ["", "/{challenge}", "/{challenge}/check", "/{challenge}/resend", "/{challenge}/cancel"]) {
  const item = whole.paths[`/v1/challenges${path}`];
  part.paths[`/v1/challenges${path}`] = item;
  take(item);
}

const made = `// Made from docs/openapi.json by \`npm run types\`.\n\n${astToString(await openapiTS(part, { defaultNonNullable: false }))}`;
if (!process.argv.includes("--check")) {
  writeFileSync(TYPES, made);
} else if (readFileSync(TYPES, "utf8") !== made) {
  console.error("src/otpost-api.ts is not what the description says: npm run types");
  process.exit(1);
}
