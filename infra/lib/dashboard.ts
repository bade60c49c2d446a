import { Duration } from "aws-cdk-lib";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import { Construct } from "constructs";
import type { HttpApi } from "./api.ts";
import { each, type Metric, overall } from "./metrics.ts";
import type { OtpFunction } from "./otp-function.ts";
import type { Settings } from "./settings.ts";
import type { WorkerQueue } from "./worker-queue.ts";

const PERIOD = Duration.minutes(5);

export interface DashboardProps {
  readonly settings: Settings;
  readonly api: HttpApi;
  readonly functions: readonly OtpFunction[];
  /** The queues by what graphs call them. */
  readonly queues: Readonly<Record<string, WorkerQueue>>;
}

/** One page for operators: what becomes of messages by gateway and country, and how queues, functions and API do. */
export class Dashboard extends Construct {
  private readonly settings: Settings;

  constructor(scope: Construct, id: string, { settings, api, functions, queues }: DashboardProps) {
    super(scope, id);
    this.settings = settings;
    new cloudwatch.Dashboard(this, "Page", {
      dashboardName: `otpost-${settings.stage}`,
      defaultInterval: Duration.hours(6),
      widgets: [
        [text("# Messages")],
        [this.altogether("Taken by providers, and not", ["Accepted", "Refused", "Failovers", "Failed", "Expired"]),
          this.altogether("What providers tell", ["Awaited", "Delivered", "Undelivered", "Silent"])],
        [text("# By gateway and country")],
        [this.split("Accepted"), this.split("Refused"), this.split("Failovers")],
        [this.split("Delivered"), this.split("Undelivered"), this.split("Silent")],
        [this.split("TimeToReceipt", "p50"), this.split("TimeToReceipt", "p95")],
        [this.split("CircuitOpened"), this.split("CircuitClosed"), this.split("PassedOver")],
        [text("# Queues, functions, API")],
        [ofQueues(queues), ofDeadLetters(queues)],
        [ofFunctions(functions), ofDurations(functions), ofThrottles(functions)],
        [ofApi(api)],
      ],
    });
  }

  /** Numbers over all gateways and countries. */
  private altogether(title: string, metrics: readonly Metric[]): cloudwatch.GraphWidget {
    return graph(title, 12, metrics.map((metric) => overall(this.settings, metric, "Sum", PERIOD)));
  }

  /** One number by gateway and country. */
  private split(metric: Metric, statistic = "Sum"): cloudwatch.GraphWidget {
    const timed = statistic.startsWith("p");
    return graph(timed ? `${metric} ${statistic}` : metric, timed ? 12 : 8, [each(this.settings, metric, statistic, PERIOD)]);
  }
}

function ofQueues(queues: DashboardProps["queues"]): cloudwatch.GraphWidget {
  const ages = Object.entries(queues).map(([label, { queue }]) =>
    queue.metricApproximateAgeOfOldestMessage({ label, period: PERIOD, statistic: "Maximum" }),
  );
  return graph("Age of the oldest message, in seconds", 12, ages);
}

function ofDeadLetters(queues: DashboardProps["queues"]): cloudwatch.GraphWidget {
  const depths = Object.entries(queues).map(([label, { deadLetters }]) =>
    deadLetters.metricApproximateNumberOfMessagesVisible({ label, period: PERIOD, statistic: "Maximum" }),
  );
  return graph("Dead letters", 12, depths);
}

function ofFunctions(functions: readonly OtpFunction[]): cloudwatch.GraphWidget {
  return graph("Errors", 8, functions.map((made) =>
    made.function.metricErrors({ label: made.binary, period: PERIOD, statistic: "Sum" })));
}

function ofDurations(functions: readonly OtpFunction[]): cloudwatch.GraphWidget {
  return graph("Duration p95, in milliseconds", 8, functions.map((made) =>
    made.function.metricDuration({ label: made.binary, period: PERIOD, statistic: "p95" })));
}

function ofThrottles(functions: readonly OtpFunction[]): cloudwatch.GraphWidget {
  return graph("Throttles", 8, functions.map((made) =>
    made.function.metricThrottles({ label: made.binary, period: PERIOD, statistic: "Sum" })));
}

function ofApi({ api }: HttpApi): cloudwatch.GraphWidget {
  return graph("API: requests, and answers 4xx and 5xx", 24, [
    api.metricCount({ label: "requests", period: PERIOD, statistic: "Sum" }),
    api.metricClientError({ label: "4xx", period: PERIOD, statistic: "Sum" }),
    api.metricServerError({ label: "5xx", period: PERIOD, statistic: "Sum" }),
  ]);
}

function graph(title: string, width: number, left: cloudwatch.IMetric[]): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({ title, width, height: 6, left, leftYAxis: { min: 0, showUnits: false } });
}

function text(markdown: string): cloudwatch.TextWidget {
  return new cloudwatch.TextWidget({ markdown, width: 24, height: 1, background: cloudwatch.TextWidgetBackground.TRANSPARENT });
}
