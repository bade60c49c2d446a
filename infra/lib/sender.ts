import { SettingsError } from "./settings-error.ts";

/** A From header and the parts that permissions need. */
export interface Sender {
  /** The whole header value, e.g. `Otpost <otp@example.org>`. */
  readonly header: string;
  /** The bare address, in lower case. */
  readonly address: string;
  /** The identities by which SES may know the sender: the address, its domain, and the domains above it. */
  readonly identities: readonly string[];
}

/** Splits `Name <user@domain>` or `user@domain`. */
export function parseSender(header: string): Sender {
  const address = (/<([^<>]*)>\s*$/.exec(header)?.[1] ?? header).trim().toLowerCase();
  const domain = /^[^\s@<>"*?]+@([a-z0-9-]+(?:\.[a-z0-9-]+)+)$/.exec(address)?.[1];
  if (domain === undefined || /[\r\n]/.test(header)) {
    throw new SettingsError(`sesSender: "${header}" holds no mail address`);
  }
  return { header: header.trim(), address, identities: [address, ...domainsOf(domain)] };
}

/** A domain and those above it that have a dot: whoever has verified one of them may send for all below. */
function domainsOf(domain: string): string[] {
  const labels = domain.split(".");
  return labels.slice(1).map((_, index) => labels.slice(index).join("."));
}
