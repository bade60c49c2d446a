/** Something that whoever deploys can put right; its message is one line that says how. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}
