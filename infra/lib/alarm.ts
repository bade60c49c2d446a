import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { Topic } from "aws-cdk-lib/aws-sns";
import type { Construct } from "constructs";
import type { Settings } from "./settings.ts";

/** An alarm as whoever is woken by it needs it. */
export interface AlarmProps extends Pick<cloudwatch.AlarmProps, "metric" | "threshold"> {
  /** What is wrong, in a sentence. */
  readonly says: string;
  /** Heading of its section in docs/runbook.md, as a link names it; a test looks whether it is there. */
  readonly runbook: string;
  /** How many periods in a row. @default 1 */
  readonly periods?: number;
  /** Whether it is a number below the threshold that alarms, and none at all too. @default false */
  readonly whenBelow?: boolean;
}

/** An alarm as soon as `metric` is above `threshold`, told to the deployment's topic if there is one. */
export function alarmOn(scope: Construct, id: string, settings: Settings, props: AlarmProps): void {
  const { metric, threshold, says, runbook, periods = 1, whenBelow = false } = props;
  const { GREATER_THAN_THRESHOLD, LESS_THAN_THRESHOLD } = cloudwatch.ComparisonOperator;
  const { BREACHING, NOT_BREACHING } = cloudwatch.TreatMissingData;
  const alarm = new cloudwatch.Alarm(scope, id, {
    metric,
    threshold,
    alarmDescription: `${says} See docs/runbook.md#${runbook}`,
    evaluationPeriods: periods,
    comparisonOperator: whenBelow ? LESS_THAN_THRESHOLD : GREATER_THAN_THRESHOLD,
    treatMissingData: whenBelow ? BREACHING : NOT_BREACHING,
  });
  if (settings.alarmTopicArn !== undefined) {
    alarm.addAlarmAction(new SnsAction(Topic.fromTopicArn(scope, `${id}Topic`, settings.alarmTopicArn)));
  }
}
