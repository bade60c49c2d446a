import { CfnOutput, Stack } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { HttpApi } from "./api.ts";
import { Dashboard } from "./dashboard.ts";
import { Delivery } from "./delivery.ts";
import { DirectoryBus } from "./directory.ts";
import { Functions } from "./functions.ts";
import { MessageAlarms } from "./message-alarms.ts";
import { Receipts } from "./receipts.ts";
import { type Settings, stackTags } from "./settings.ts";
import type { State } from "./stateful.ts";

/** Functions, API, queues and schedule: all that can be made again at any time. */
export class ServiceStack extends Stack {
  constructor(scope: Construct, id: string, settings: Settings, state: State) {
    super(scope, id, {
      env: settings.env,
      tags: stackTags(settings),
      description: `Otpost ${settings.stage}: API, functions and queues`,
    });
    const api = new HttpApi(this, "Http", settings);
    const publicUrl = settings.publicUrl ?? api.url;
    const delivery = new Delivery(this, "Delivery", settings, state.storageKey);
    const directory = new DirectoryBus(this, "Directory", settings, state.storageKey);
    const functions = new Functions(this, "Functions", { settings, state, delivery, directory, publicUrl });
    new Receipts(this, "Receipts", { settings, delivery, receiver: functions.all.receipts });
    api.serve(functions.all);
    delivery.sweepWith("Sweep", "messages", functions.all.deliver);
    delivery.sweepWith("JobsSweep", "jobs", functions.all.jobs);
    new MessageAlarms(this, "Messages", { settings, api, sweeping: [functions.all.deliver, functions.all.jobs] });
    new Dashboard(this, "Dashboard", {
      settings,
      api,
      functions: Object.values(functions.all),
      queues: {
        deliveries: delivery.deliveries,
        ...delivery.senders,
        receipts: delivery.receipts,
        jobs: delivery.jobs,
        directory: directory.queue,
      },
    });
    this.output("ApiUrl", "Where the API answers", api.url);
    this.output("ApiId", "The API's id", api.api.apiId);
    this.output("PublicUrl", "Base of the links in mails", publicUrl);
    this.outputState(state);
    this.output("DirectoryBusName", "Where directories put their events", directory.bus.eventBusName);
    this.outputQueues(delivery, directory);
  }

  private outputState(state: State): void {
    const secret = state.platformKey.secretArn;
    this.output("CoreTable", "Tenants, keys, users and tokens", state.core.tableName);
    this.output("FlowTable", "Messages, links and sessions", state.flow.tableName);
    this.output("PlatformKeySecret", "Secret of the platform key", secret);
    this.output(
      "PlatformKeyCommand",
      "Prints the platform key",
      `echo "otp_platform_$(aws secretsmanager get-secret-value --region ${this.region} --secret-id ${secret} --query SecretString --output text)"`,
    );
  }

  private outputQueues({ deliveries, jobs, senders, queues }: Delivery, directory: DirectoryBus): void {
    const all = [...queues, directory.queue];
    this.output("DeliveriesQueueUrl", "Messages that look for a route", deliveries.queue.queueUrl);
    this.output("JobsQueueUrl", "Jobs that have a step to do", jobs.queue.queueUrl);
    this.output("SesQueueUrl", "Messages that SES will carry", senders["send-ses"].queue.queueUrl);
    this.output("DlqUrls", "Dead-letter queues, a comma between them", all.map((each) => each.deadLetters.queueUrl).join(","));
  }

  private output(id: string, description: string, value: string): void {
    new CfnOutput(this, id, { description, value });
  }
}
