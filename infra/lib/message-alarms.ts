import { Duration } from "aws-cdk-lib";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import { Construct } from "constructs";
import { type AlarmProps, alarmOn } from "./alarm.ts";
import type { HttpApi } from "./api.ts";
import { type Metric, overall } from "./metrics.ts";
import type { OtpFunction } from "./otp-function.ts";
import type { Settings } from "./settings.ts";

const QUARTER = Duration.minutes(15);
const FIVE_MINUTES = Duration.minutes(5);

export interface MessageAlarmsProps {
  readonly settings: Settings;
  readonly api: HttpApi;
  /** The functions that sweep every minute. */
  readonly sweeping: readonly OtpFunction[];
}

/**
 * Alarms on what becomes of messages, over all gateways and countries; which one it is the dashboard shows. Few
 * messages prove nothing: each share needs some of them before it counts.
 */
export class MessageAlarms extends Construct {
  private readonly settings: Settings;

  constructor(scope: Construct, id: string, { settings, api, sweeping }: MessageAlarmsProps) {
    super(scope, id);
    this.settings = settings;
    this.onReceipts();
    this.onGateways();
    this.alarm("Api", {
      says: "The API: requests end as errors of the server.",
      runbook: "alarm-errors-of-the-api",
      metric: api.api.metricServerError({ period: FIVE_MINUTES, statistic: "Sum" }),
      threshold: 4,
    });
    for (const swept of sweeping) {
      this.onSweep(swept);
    }
  }

  private onReceipts(): void {
    this.alarm("UndeliveredShare", {
      says: "Messages: more than a fifth of those that providers tell of did not arrive.",
      runbook: "alarm-undelivered",
      metric: this.math("IF(u >= 5, 100 * u / (u + FILL(d, 0)), 0)", { u: "Undelivered", d: "Delivered" }),
      threshold: 20,
    });
    this.alarm("NoReceipts", {
      says: "Messages: providers take them and tell nothing of any.",
      runbook: "alarm-no-receipts",
      metric: this.math("IF(a >= 5 AND FILL(d, 0) + FILL(u, 0) == 0, a, 0)", {
        a: "Awaited",
        d: "Delivered",
        u: "Undelivered",
      }),
      threshold: 0,
      periods: 2,
    });
    this.alarm("TimeToReceipt", {
      says: "Messages: one in twenty arrives after two minutes or later.",
      runbook: "alarm-time-to-receipt",
      metric: new cloudwatch.MathExpression({
        expression: "IF(n >= 20, p, 0)",
        usingMetrics: {
          n: overall(this.settings, "TimeToReceipt", "SampleCount", QUARTER),
          p: overall(this.settings, "TimeToReceipt", "p95", QUARTER),
        },
        period: QUARTER,
      }),
      threshold: 120_000,
    });
  }

  private onGateways(): void {
    this.alarm("Failovers", {
      says: "Messages: many went on to another route.",
      runbook: "alarm-failovers",
      metric: this.math("IF(f >= 5, 100 * f / (f + FILL(a, 0)), 0)", { f: "Failovers", a: "Accepted" }),
      threshold: 10,
    });
    this.alarm("CircuitOpened", {
      says: "A gateway was found not to work; messages pass it over.",
      runbook: "alarm-a-gateway-is-passed-over",
      metric: overall(this.settings, "CircuitOpened", "Sum", FIVE_MINUTES),
      threshold: 0,
    });
    this.alarm("Lost", {
      says: "Messages: more than a tenth came to their end, and no provider took them.",
      runbook: "alarm-messages-fail-or-expire",
      metric: this.math("IF(FILL(f, 0) + FILL(e, 0) >= 5, 100 * (FILL(f, 0) + FILL(e, 0)) / (FILL(f, 0) + FILL(e, 0) + FILL(a, 0)), 0)", {
        f: "Failed",
        e: "Expired",
        a: "Accepted",
      }),
      threshold: 10,
    });
  }

  /** What no queue carries any more is found by a sweep, or by nobody. */
  private onSweep(swept: OtpFunction): void {
    const id = `${swept.binary[0]?.toUpperCase()}${swept.binary.slice(1)}`;
    this.alarm(`${id}Errors`, {
      says: `${swept.binary}: its sweeps end early, or it fails otherwise.`,
      runbook: "alarm-sweeps",
      metric: swept.function.metricErrors({ period: FIVE_MINUTES, statistic: "Sum" }),
      threshold: 2,
    });
    this.alarm(`${id}Asleep`, {
      says: `${swept.binary}: its sweep of every minute does not run.`,
      runbook: "alarm-sweeps",
      metric: swept.function.metricInvocations({ period: FIVE_MINUTES, statistic: "Sum" }),
      threshold: 1,
      periods: 3,
      whenBelow: true,
    });
  }

  private math(expression: string, metrics: Record<string, Metric>): cloudwatch.MathExpression {
    const sums = Object.entries(metrics).map(([name, metric]) => [name, overall(this.settings, metric, "Sum", QUARTER)]);
    return new cloudwatch.MathExpression({ expression, usingMetrics: Object.fromEntries(sums), period: QUARTER });
  }

  private alarm(id: string, props: AlarmProps): void {
    alarmOn(this, id, this.settings, props);
  }
}
