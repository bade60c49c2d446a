import { Duration, Names, Stack } from "aws-cdk-lib";
import * as events from "aws-cdk-lib/aws-events";
import { CfnPermission } from "aws-cdk-lib/aws-lambda";
import * as ses from "aws-cdk-lib/aws-ses";
import { Construct } from "constructs";
import type { Delivery } from "./delivery.ts";
import type { OtpFunction } from "./otp-function.ts";
import { allowRule, TARGET_RETRIES } from "./rule.ts";
import type { Settings } from "./settings.ts";

const { BOUNCE, COMPLAINT, DELIVERY, DELIVERY_DELAY, REJECT, RENDERING_FAILURE, SEND } = ses.EmailSendingEvent;

/** What SES tells of mails. Opens and clicks stay out: SES would rewrite the links in mails for them. */
const TOLD = [SEND, DELIVERY, BOUNCE, COMPLAINT, REJECT, RENDERING_FAILURE, DELIVERY_DELAY];

/** How EventBridge calls the same. */
const DETAIL_TYPES = [
  "Email Sent",
  "Email Delivered",
  "Email Bounced",
  "Email Complaint Received",
  "Email Rejected",
  "Email Rendering Failed",
  "Email Delivery Delayed",
];

export interface ReceiptsProps {
  readonly settings: Settings;
  readonly delivery: Delivery;
  /** The function that is told. */
  readonly receiver: OtpFunction;
}

/**
 * The way of what SES tells of mails: the configuration set, the account's default bus, a rule, the function. What it
 * tells of mails that are not Otpost's, or of another deployment's, is left out.
 */
export class Receipts extends Construct {
  constructor(scope: Construct, id: string, props: ReceiptsProps) {
    super(scope, id);
    const { settings, delivery, receiver } = props;
    const { configurationSet } = delivery;
    configurationSet.addEventDestination("Told", {
      // SES knows the account's default bus and no other.
      destination: ses.EventDestination.eventBus(events.EventBus.fromEventBusName(this, "Bus", "default")),
      events: TOLD,
    });
    // What the rule cannot give to the function stands beside what the function cannot work off.
    const { deadLetters } = delivery.receipts;
    const ruleName = Names.uniqueResourceName(this, { maxLength: 60 });
    const rule = new events.CfnRule(this, "Rule", {
      name: ruleName,
      description: `Otpost ${settings.stage}: what SES tells of mails`,
      eventPattern: {
        account: [Stack.of(this).account],
        source: ["aws.ses"],
        "detail-type": DETAIL_TYPES,
        detail: {
          mail: {
            tags: {
              "ses:configuration-set": [configurationSet.configurationSetName, ...settings.sesConfigurationSets],
              "otpost-message": [{ exists: true }],
            },
          },
        },
      },
      targets: [
        {
          id: "Function",
          arn: receiver.function.functionArn,
          deadLetterConfig: { arn: deadLetters.queueArn },
          retryPolicy: TARGET_RETRIES,
        },
      ],
    });
    allowRule(deadLetters, ruleName);
    rule.node.addDependency(deadLetters);
    // EventBridge has done its part once Lambda has the event; these retries are the function's.
    receiver.function.configureAsyncInvoke({ retryAttempts: 2, maxEventAge: Duration.hours(6) });
    new CfnPermission(this, "Permission", {
      action: "lambda:InvokeFunction",
      functionName: receiver.function.functionArn,
      principal: "events.amazonaws.com",
      sourceArn: rule.attrArn,
    });
  }
}
