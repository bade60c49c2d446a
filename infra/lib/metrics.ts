import { Duration } from "aws-cdk-lib";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import type { Settings } from "./settings.ts";

/** The numbers that functions write, as `shared/service/src/metrics.rs` names them; a test compares the two. */
export const METRICS = [
  "Accepted",
  "Awaited",
  "Refused",
  "Delivered",
  "Undelivered",
  "TimeToReceipt",
  "Failovers",
  "Silent",
  "CircuitOpened",
  "CircuitClosed",
  "PassedOver",
  "Failed",
  "Expired",
] as const;

export type Metric = (typeof METRICS)[number];

/** Where CloudWatch keeps a deployment's numbers. */
export function metricsNamespace(settings: Settings): string {
  return `Otpost/${settings.stage}`;
}

/** A number over all gateways and countries. */
export function overall(settings: Settings, metric: Metric, statistic: string, period: Duration): cloudwatch.Metric {
  return new cloudwatch.Metric({ namespace: metricsNamespace(settings), metricName: metric, statistic, period });
}

/** A number for each gateway and country, whichever there are when somebody looks. */
export function each(settings: Settings, metric: Metric, statistic: string, period: Duration): cloudwatch.MathExpression {
  const schema = `{"${metricsNamespace(settings)}",Gateway,Country}`;
  return new cloudwatch.MathExpression({
    expression: `SEARCH('${schema} MetricName="${metric}"', '${statistic}', ${period.toSeconds()})`,
    label: "${PROP('Dim.Gateway')} ${PROP('Dim.Country')}",
    period,
  });
}
