import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { inflateRawSync } from "node:zlib";
import { Architecture } from "aws-cdk-lib/aws-lambda";
import { SettingsError } from "./settings-error.ts";

/** A built function: its zip, and a hash that changes only when the binary does. */
export interface FunctionPackage {
  readonly zip: string;
  readonly hash: string;
}

const END_OF_CENTRAL_DIRECTORY = 0x06054b50;
const CENTRAL_DIRECTORY_ENTRY = 0x02014b50;
const STORED = 0;
const DEFLATED = 8;

/**
 * Finds `<folder>/<binary>/bootstrap.zip`. A zip carries the time of its making, so the hash is taken from the
 * `bootstrap` inside: an unchanged binary is not uploaded again.
 */
export function findPackage(folder: string, binary: string, architecture: Architecture): FunctionPackage {
  const zip = path.join(folder, binary, "bootstrap.zip");
  if (!fs.existsSync(zip)) {
    throw new SettingsError(`${zip} is missing: build the functions first (cargo lambda build --output-format zip)`);
  }
  const bootstrap = readEntry(fs.readFileSync(zip), "bootstrap");
  if (bootstrap === undefined) {
    throw new SettingsError(`${zip} holds no readable bootstrap`);
  }
  const built = architectureOf(bootstrap);
  if (built !== undefined && built !== architecture) {
    throw new SettingsError(`${zip} was built for ${built.name}: build for ${architecture.name}, or give -c architecture=${built.name}`);
  }
  return { zip, hash: createHash("sha256").update(bootstrap).digest("hex") };
}

/** The architecture that an ELF file names in its header; nothing for a script. */
function architectureOf(file: Buffer): Architecture | undefined {
  if (file.length < 20 || file.readUInt32BE(0) !== 0x7f454c46) {
    return undefined;
  }
  const machines: Record<number, Architecture> = { 0x3e: Architecture.X86_64, 0xb7: Architecture.ARM_64 };
  return machines[file.readUInt16LE(18)];
}

/** The content of the entry `name`, or nothing when there is none or its form is unknown. */
function readEntry(zip: Buffer, name: string): Buffer | undefined {
  const end = zip.lastIndexOf(signature(END_OF_CENTRAL_DIRECTORY));
  if (end < 0) {
    return undefined;
  }
  const entries = zip.readUInt16LE(end + 10);
  let at = zip.readUInt32LE(end + 16);
  for (let index = 0; index < entries && zip.readUInt32LE(at) === CENTRAL_DIRECTORY_ENTRY; index += 1) {
    const nameLength = zip.readUInt16LE(at + 28);
    if (zip.toString("utf8", at + 46, at + 46 + nameLength) === name) {
      return unpack(zip, at);
    }
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return undefined;
}

/** Unpacks the entry whose central record lies at `record`. */
function unpack(zip: Buffer, record: number): Buffer | undefined {
  const method = zip.readUInt16LE(record + 10);
  const local = zip.readUInt32LE(record + 42);
  const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  const packed = zip.subarray(start, start + zip.readUInt32LE(record + 20));
  switch (method) {
    case STORED:
      return packed;
    case DEFLATED:
      return inflateRawSync(packed);
    default:
      return undefined;
  }
}

function signature(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
