// Gives a trigger an event from standard input and prints what it answers:
//
//   node run.mjs define < ../../../events/cognito/define-start.json
import { readFileSync } from "node:fs";

const [trigger] = process.argv.slice(2);
if (!["define", "create", "verify"].includes(trigger)) {
  console.error("usage: node run.mjs define|create|verify < event.json");
  process.exit(2);
}
const { handler } = await import(`./${trigger}.mjs`);
const event = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify((await handler(event)).response, null, 2));
