import { SettingsError } from "./settings-error.ts";

/** A From header and the parts that permissions need. */
export interface Sender {
  /** The whole header value, e.g. `Otpost <otp@example.org>`. */
  readonly header: string;
  /** The bare address, in lower case. */
  readonly address: string;
  /** The address's domain. */
  readonly domain: string;
}

/** Splits `Name <user@domain>` or `user@domain`. */
export function parseSender(header: string): Sender {
  const address = (/<([^<>]*)>\s*$/.exec(header)?.[1] ?? header).trim().toLowerCase();
  const domain = /^[^\s@<>"*?]+@([a-z0-9-]+(?:\.[a-z0-9-]+)+)$/.exec(address)?.[1];
  if (domain === undefined || /[\r\n]/.test(header)) {
    throw new SettingsError(`sesSender: "${header}" holds no mail address`);
  }
  return { header: header.trim(), address, domain };
}
