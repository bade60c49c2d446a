import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { Topic } from "aws-cdk-lib/aws-sns";
import type { Construct } from "constructs";
import type { Settings } from "./settings.ts";

/** An alarm as soon as `metric` is above `threshold`, told to the deployment's topic if there is one. */
export function alarmOn(
  scope: Construct,
  id: string,
  settings: Settings,
  props: Pick<cloudwatch.AlarmProps, "alarmDescription" | "metric" | "threshold">,
): void {
  const alarm = new cloudwatch.Alarm(scope, id, {
    ...props,
    evaluationPeriods: 1,
    comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
    treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
  });
  if (settings.alarmTopicArn !== undefined) {
    alarm.addAlarmAction(new SnsAction(Topic.fromTopicArn(scope, `${id}Topic`, settings.alarmTopicArn)));
  }
}
