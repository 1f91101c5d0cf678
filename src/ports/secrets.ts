/** Where a secret is kept. Never the secret itself, so that it can be printed and saved. */
export type SecretSource = {readonly env: string} | {readonly file: string}

/** Reads secrets at the moment they are needed. Throws an error with a code when the source is not there. */
export interface Secrets {
  read(source: SecretSource): Promise<string>
}
