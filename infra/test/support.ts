import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { deflateRawSync } from "node:zlib";
import { App } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { addStacks } from "../lib/app.ts";
import type { Binary } from "../lib/otp-function.ts";
import { readSettings } from "../lib/settings.ts";

export const BINARIES: readonly Binary[] = [
  "admin",
  "deliver",
  "enroll",
  "jobs",
  "push-token",
  "receipts",
  "send-govuk-notify",
  "send-ses",
  "send-smtp",
  "send-twilio",
  "verify",
];

export const ACCOUNT = "111122223333";
export const REGION = "eu-west-2";

/** A resource of a synthesised template. */
export interface Resource {
  readonly Type: string;
  // Templates are free-form JSON; a test that misreads one fails.
  readonly Properties: Record<string, any>;
  readonly DependsOn?: readonly string[];
  readonly DeletionPolicy?: string;
}

export interface Deployment {
  readonly app: App;
  readonly state: Template;
  readonly service: Template;
}

let stubs: string | undefined;

/** A folder with a stub package for every function: tests need no Rust build. */
export function stubPackages(): string {
  if (stubs === undefined) {
    const folder = temporaryFolder();
    for (const binary of BINARIES) {
      writePackage(folder, binary, Buffer.from(`#!/bin/sh\n# stub of ${binary}\n`));
    }
    stubs = folder;
  }
  return stubs;
}

/** A folder that goes when the tests end. */
export function temporaryFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "otpost-infra-"));
  process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The context cdk.json gives to a real run. */
export function projectContext(): Record<string, unknown> {
  const file = fs.readFileSync(path.join(__dirname, "..", "cdk.json"), "utf8");
  return (JSON.parse(file) as { context: Record<string, unknown> }).context;
}

/** An app with the project's own context and these context values over it. */
export function appWith(context: Record<string, unknown> = {}): App {
  return new App({
    context: {
      ...projectContext(),
      account: ACCOUNT,
      region: REGION,
      packages: stubPackages(),
      sesSender: "Otpost <otp@example.org>",
      ...context,
    },
  });
}

/** Synthesises both stacks. */
export function deploy(context: Record<string, unknown> = {}): Deployment {
  const app = appWith(context);
  const { state, service } = addStacks(app, readSettings(app, {}));
  return { app, state: Template.fromStack(state), service: Template.fromStack(service) };
}

/** Resources of one type, by their logical id. */
export function resources(template: Template, type: string): Array<[string, Resource]> {
  return Object.entries(template.findResources(type) as Record<string, Resource>);
}

/** The function resource of `binary`, found by the asset that holds it. */
export function functionOf(template: Template, binary: Binary): [string, Resource] {
  const id = binary.replaceAll("-", "");
  const found = resources(template, "AWS::Lambda::Function").filter(([name]) =>
    name.toLowerCase().startsWith(`functions${id}function`),
  );
  const [only] = found;
  if (only === undefined || found.length > 1) {
    throw new Error(`${found.length} functions are made for ${binary}`);
  }
  return only;
}

/** Logical id that `{ "Fn::GetAtt": [id, …] }` or `{ Ref: id }` points at. */
export function target(value: unknown): string {
  const reference = value as { Ref?: string; "Fn::GetAtt"?: [string, string] };
  const id = reference.Ref ?? reference["Fn::GetAtt"]?.[0];
  if (id === undefined) {
    throw new Error(`${JSON.stringify(value)} is no reference`);
  }
  return id;
}

export interface PackageOptions {
  /** DOS time and date of the entry. */
  readonly time?: number;
  readonly deflate?: boolean;
  /** Name of the entry. */
  readonly name?: string;
}

/** Writes `<folder>/<binary>/bootstrap.zip` with `content` in it. */
export function writePackage(folder: string, binary: string, content: Buffer, options: PackageOptions = {}): void {
  const zip = path.join(folder, binary, "bootstrap.zip");
  fs.mkdirSync(path.dirname(zip), { recursive: true });
  fs.writeFileSync(zip, zipOf(content, options));
}

/** A zip with one entry. */
function zipOf(content: Buffer, { time = 0, deflate = false, name = "bootstrap" }: PackageOptions): Buffer {
  const packed = deflate ? deflateRawSync(content) : content;
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(deflate ? 8 : 0, 4);
  common.writeUInt32LE(time, 6);
  common.writeUInt32LE(crc32(content), 10);
  common.writeUInt32LE(packed.length, 14);
  common.writeUInt32LE(content.length, 18);
  common.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), common, Buffer.from(name), packed]);
  const executable = uint32((0o100755 << 16) >>> 0);
  const record = Buffer.concat([
    Buffer.from("PK\x01\x02\x14\x03", "latin1"),
    common,
    Buffer.alloc(6),
    executable,
    uint32(0),
    Buffer.from(name),
  ]);
  const end = Buffer.concat([
    Buffer.from("PK\x05\x06\0\0\0\0\x01\0\x01\0", "latin1"),
    uint32(record.length),
    uint32(local.length),
    Buffer.alloc(2),
  ]);
  return Buffer.concat([local, record, end]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function crc32(content: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of content) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
  }
  return (crc ^ 0xffffffff) >>> 0;
}
