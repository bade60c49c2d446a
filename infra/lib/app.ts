import type { App } from "aws-cdk-lib";
import { ServiceStack } from "./service.ts";
import type { Settings } from "./settings.ts";
import { StatefulStack } from "./stateful.ts";

/** Adds both stacks of a deployment to `app`. */
export function addStacks(app: App, settings: Settings): { state: StatefulStack; service: ServiceStack } {
  const state = new StatefulStack(app, `Otpost-${settings.stage}-State`, settings);
  const service = new ServiceStack(app, `Otpost-${settings.stage}-Service`, settings, state);
  return { state, service };
}
