import { RemovalPolicy, Validations } from "aws-cdk-lib";
import { AccessLogFormat } from "aws-cdk-lib/aws-apigateway";
import * as apigateway from "aws-cdk-lib/aws-apigatewayv2";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import * as logs from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { Binary, OtpFunction } from "./otp-function.ts";
import { DEFAULT_THROTTLE, ROUTES, routeKey } from "./routes.ts";
import type { Settings } from "./settings.ts";

/**
 * What an access log line says. Links carry their secret in the path, so the route's key stands for it;
 * addresses of people (IP, user agent) stay out too.
 */
const ACCESS_LOG_FIELDS = {
  time: "$context.requestTimeEpoch",
  requestId: "$context.requestId",
  route: "$context.routeKey",
  status: "$context.status",
  responseBytes: "$context.responseLength",
  latencyMs: "$context.responseLatency",
  integrationStatus: "$context.integrationStatus",
  integrationLatencyMs: "$context.integrationLatency",
};

/**
 * The HTTP API. It is made before the functions, because one of them needs its URL; the routes come after
 * with {@link HttpApi.serve}.
 */
export class HttpApi extends Construct {
  readonly api: apigateway.HttpApi;
  /** Where the API answers, without a slash at its end. */
  readonly url: string;

  private readonly stage: apigateway.HttpStage;

  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id);
    this.api = new apigateway.HttpApi(this, "Api", {
      apiName: `otpost-${settings.stage}`,
      description: `Otpost ${settings.stage}`,
      createDefaultStage: false,
    });
    this.url = this.api.apiEndpoint;
    this.stage = new apigateway.HttpStage(this, "Stage", {
      httpApi: this.api,
      stageName: "$default",
      autoDeploy: true,
      throttle: DEFAULT_THROTTLE,
      accessLogSettings: {
        destination: new apigateway.LogGroupLogDestination(this.accessLog(settings)),
        format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG_FIELDS)),
      },
    });
  }

  /** Gives each route to its function. */
  serve(functions: Readonly<Record<Binary, OtpFunction>>): void {
    const integrations = new Map<Binary, HttpLambdaIntegration>();
    for (const route of ROUTES) {
      const integration = integrations.get(route.function) ?? integrate(functions[route.function]);
      integrations.set(route.function, integration);
      const [made] = this.api.addRoutes({ path: route.path, methods: [route.method], integration });
      if (made !== undefined) {
        Validations.of(made).acknowledge({
          id: "AwsSolutions-APIG4",
          reason: "The functions check API keys, roles and tenants themselves; enrolment pages are opened by the link alone.",
        });
        this.stage.node.addDependency(made);
      }
    }
    this.throttleRoutes();
  }

  private accessLog(settings: Settings): logs.LogGroup {
    return new logs.LogGroup(this, "AccessLog", {
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: settings.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
  }

  /** The stage can only name routes that exist: hence its dependency on them. */
  private throttleRoutes(): void {
    const stage = this.stage.node.defaultChild as apigateway.CfnStage;
    stage.routeSettings = Object.fromEntries(
      ROUTES.map((route) => [
        routeKey(route),
        { ThrottlingBurstLimit: route.throttle.burstLimit, ThrottlingRateLimit: route.throttle.rateLimit },
      ]),
    );
  }
}

function integrate(target: OtpFunction): HttpLambdaIntegration {
  return new HttpLambdaIntegration(target.binary, target.function, {
    payloadFormatVersion: apigateway.PayloadFormatVersion.VERSION_2_0,
    scopePermissionToRoute: false,
  });
}
