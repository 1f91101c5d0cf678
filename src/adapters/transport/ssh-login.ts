import {readFile} from 'node:fs/promises'
import {homedir} from 'node:os'
import {join} from 'node:path'
import ssh2 from 'ssh2'
import type {
  AgentAuthMethod,
  AuthHandlerMiddleware,
  AuthenticationType,
  IdentityCallback,
  KeyboardInteractiveAuthMethod,
  ParsedKey,
  PasswordAuthMethod,
  PublicKeyAuthMethod,
  SignCallback,
  SigningRequestOptions,
} from 'ssh2'
import {printable} from '../../core/text.js'

/** Asks the operator for a secret; undefined when there is nobody to ask or the operator left. */
export type AskSecret = (question: string) => Promise<string | undefined>

/** What logins are tried with. */
export interface LoginMeans {
  readonly user: string
  readonly address: string
  /** Tried in order; the defaults of ssh when empty. */
  readonly identityFiles: readonly string[]
  readonly agentSocket: string | undefined
  /** Passphrases and passwords. The time of a question does not count against the time limit of the connection. */
  readonly ask: AskSecret | undefined
  /** The passphrase of a key file, asked once for all hosts. */
  readonly passphraseFor: (file: string) => Promise<string | undefined>
}

type Attempt = AgentAuthMethod | KeyboardInteractiveAuthMethod | PasswordAuthMethod | PublicKeyAuthMethod

/** What was tried and how it went, for the message when nothing helped. */
export interface LoginTrail {
  readonly tried: string[]
}

/**
 * Logins in the order of least trouble: key files that need no passphrase, the agent, key files after their passphrase,
 * then one question from the host or one password. One each, so that no account is locked by retries.
 */
export function makeLogin(means: LoginMeans, trail: LoginTrail): AuthHandlerMiddleware {
  const left: {methods: readonly AuthenticationType[] | null} = {methods: null}
  const attempts = loginAttempts(means, trail, method => left.methods?.includes(method) ?? true)
  return (methodsLeft, _partial, next) => {
    left.methods = methodsLeft
    attempts.next().then(
      step => next(step.done === true ? (false as unknown as AuthenticationType) : step.value),
      () => next(false as unknown as AuthenticationType),
    )
  }
}

async function* loginAttempts(
  means: LoginMeans,
  trail: LoginTrail,
  allowed: (method: AuthenticationType) => boolean,
): AsyncGenerator<Attempt, void> {
  const username = means.user
  const files = means.identityFiles.length > 0 ? means.identityFiles : defaultIdentityFiles()
  const keys = await Promise.all(files.map(async file => readKey(file)))
  const explicit = means.identityFiles.length > 0
  for (const key of keys) {
    if (key.kind === 'plain' && allowed('publickey')) {
      trail.tried.push(`key ${printable(key.file)}`)
      yield {type: 'publickey', username, key: key.bytes}
    } else if (key.kind === 'unreadable' && explicit) {
      trail.tried.push(`key ${printable(key.file)} (${printable(key.detail, 80)})`)
    }
  }
  if (means.agentSocket !== undefined && allowed('publickey')) {
    trail.tried.push('agent')
    const wanted = keys.flatMap(key => (key.publicBlob === undefined ? [] : [key.publicBlob]))
    yield {type: 'agent', username, agent: new PatientAgent(means.agentSocket, wanted)}
  }
  const ask = means.ask
  if (ask === undefined) return
  for (const key of keys) {
    if (key.kind !== 'encrypted' || !allowed('publickey')) continue
    const passphrase = await means.passphraseFor(key.file)
    if (passphrase === undefined) continue
    const parsed = ssh2.utils.parseKey(key.bytes, passphrase)
    const good = !(parsed instanceof Error)
    trail.tried.push(`key ${printable(key.file)}${good ? '' : ' (wrong passphrase)'}`)
    if (good) yield {type: 'publickey', username, key: parsed}
  }
  yield* askedAttempts(means, trail, ask, allowed)
}

async function* askedAttempts(
  means: LoginMeans,
  trail: LoginTrail,
  ask: AskSecret,
  allowed: (method: AuthenticationType) => boolean,
): AsyncGenerator<Attempt, void> {
  const username = means.user
  if (allowed('keyboard-interactive')) {
    trail.tried.push('keyboard-interactive')
    yield {
      type: 'keyboard-interactive',
      username,
      prompt: (_name, _instructions, _language, prompts, finish) => {
        void answerPrompts(
          prompts.map(one => one.prompt),
          means,
          ask,
        ).then(finish)
      },
    }
  } else if (allowed('password')) {
    const password = await ask(`Password of ${username}@${means.address}`)
    if (password === undefined) return
    trail.tried.push('password')
    yield {type: 'password', username, password}
  }
}

async function answerPrompts(
  prompts: readonly string[],
  means: LoginMeans,
  ask: AskSecret,
): Promise<string[]> {
  const answers: string[] = []
  for (const prompt of prompts) {
    answers.push((await ask(`${means.user}@${means.address}: ${printable(prompt.trim(), 80)}`)) ?? '')
  }
  return answers
}

function defaultIdentityFiles(): readonly string[] {
  return ['id_rsa', 'id_ecdsa', 'id_ed25519'].map(name => join(homedir(), '.ssh', name))
}

type KeyFile = {readonly file: string; readonly publicBlob: Buffer | undefined} & (
  | {readonly kind: 'plain' | 'encrypted'; readonly bytes: Buffer}
  | {readonly kind: 'unreadable'; readonly detail: string}
)

async function readKey(file: string): Promise<KeyFile> {
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (error) {
    return {file, kind: 'unreadable', detail: (error as Error).message, publicBlob: undefined}
  }
  const parsed = ssh2.utils.parseKey(bytes)
  if (!(parsed instanceof Error)) {
    return {file, kind: 'plain', bytes, publicBlob: parsed.getPublicSSH()}
  }
  const publicBlob = await publicBlobBeside(file)
  // The parser's words for a key that is whole but needs a passphrase
  if (/encrypted|passphrase/i.test(parsed.message)) return {file, kind: 'encrypted', bytes, publicBlob}
  return {file, kind: 'unreadable', detail: parsed.message, publicBlob}
}

async function publicBlobBeside(file: string): Promise<Buffer | undefined> {
  const text = await readFile(`${file}.pub`, 'utf8').catch(() => '')
  const blob = text.split(/\s+/, 2)[1]
  return blob === undefined || blob === '' ? undefined : Buffer.from(blob, 'base64')
}

/**
 * The operator's agent, which never fails the login: an agent that does not answer holds no keys. Keys that the
 * configuration names come first, because servers count attempts.
 */
class PatientAgent extends ssh2.BaseAgent<ParsedKey> {
  readonly #inner: ssh2.OpenSSHAgent
  constructor(
    socket: string,
    private readonly wanted: readonly Buffer[],
  ) {
    super()
    this.#inner = new ssh2.OpenSSHAgent(socket)
  }

  override getIdentities(callback: IdentityCallback<ParsedKey>): void {
    this.#inner.getIdentities((error, keys) => {
      const all = error ? [] : ((keys ?? []) as ParsedKey[])
      const isWanted = (key: ParsedKey): boolean => this.wanted.some(blob => blob.equals(key.getPublicSSH()))
      callback(null, [...all.filter(isWanted), ...all.filter(key => !isWanted(key))])
    })
  }

  override sign(
    key: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    callback?: SignCallback,
  ): void {
    if (typeof options === 'function') this.#inner.sign(key, data, options)
    else this.#inner.sign(key, data, options, callback)
  }
}
