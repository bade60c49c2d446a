import { App } from "aws-cdk-lib";
import { addStacks } from "../lib/app.ts";
import { SettingsError } from "../lib/settings-error.ts";
import { readSettings } from "../lib/settings.ts";

try {
  const app = new App();
  addStacks(app, readSettings(app, process.env));
} catch (error) {
  if (!(error instanceof SettingsError)) {
    throw error;
  }
  console.error(error.message);
  process.exitCode = 1;
}
