import {readFile} from 'node:fs/promises'
import {writeDurably} from '../../adapters/durable-file.js'
import {decodeGossipKey} from '../../core/codec/keyring.js'
import type {KeyOperation, KeyringResult} from '../../core/gossip/messages.js'
import {AgentError} from '../agent-error.js'

const KEYS_MAX = 1000

/** What `encrypt` and a keyring file make of a pool's encryption. */
export interface KeyringSettings {
  /** The key that was configured; undefined without one. */
  readonly key: Uint8Array | undefined
  /** Where keys are kept; undefined keeps them in memory only. */
  readonly file: string | undefined
}

/**
 * The keys of one pool: the first seals, all open (memberlist keyring.go). Every change is on disk before it is
 * confirmed.
 */
export class Keyring {
  private work: Promise<unknown> = Promise.resolve()

  private constructor(
    private keys: readonly Uint8Array[],
    private readonly file: string | undefined,
  ) {}

  /**
   * The keys of a file where there is one (the configured key is then not looked at, as in Consul), else the configured
   * key, which then founds the file; undefined when there is neither. Throws AgentError when the file cannot be used.
   */
  static async load({key, file}: KeyringSettings): Promise<Keyring | undefined> {
    const stored = file === undefined ? undefined : await readKeys(file)
    if (stored !== undefined) return new Keyring(stored, file)
    if (key === undefined) return undefined
    const keyring = new Keyring([key.slice()], file)
    await keyring.save(keyring.keys)
    return keyring
  }

  /** All keys, the primary one first. */
  all(): readonly Uint8Array[] {
    return this.keys
  }

  /** The key that seals. */
  get primary(): Uint8Array {
    const [first] = this.keys
    if (first === undefined) throw new AgentError('the keyring is empty')
    return first
  }

  /** Changes or lists the keys as Serf's key manager would (serf internal_query.go); never throws. */
  change(operation: KeyOperation, key: Uint8Array): Promise<KeyringResult> {
    // One after the other: each starts from what the one before has left
    const result = this.work.then(() => this.changeNow(operation, key))
    this.work = result
    return result
  }

  private async changeNow(operation: KeyOperation, key: Uint8Array): Promise<KeyringResult> {
    if (operation === 'list')
      return {ok: true, message: '', keys: this.keys.map(encode), primaryKey: encode(this.primary)}
    const next = operation === 'install' ? this.installed(key) : this.withoutOrFirst(operation, key)
    if (typeof next === 'string') return failed(next)
    try {
      await this.save(next)
    } catch (error) {
      return failed(`the keyring could not be written: ${String(error)}`)
    }
    this.keys = next
    return {ok: true, message: '', keys: [], primaryKey: ''}
  }

  private installed(key: Uint8Array): readonly Uint8Array[] | string {
    if (![16, 24, 32].includes(key.length)) return 'key size must be 16, 24 or 32 bytes'
    if (this.keys.some(one => same(one, key))) return this.keys
    return this.keys.length >= KEYS_MAX ? 'the keyring is full' : [...this.keys, key.slice()]
  }

  private withoutOrFirst(operation: 'use' | 'remove', key: Uint8Array): readonly Uint8Array[] | string {
    const found = this.keys.find(one => same(one, key))
    const others = this.keys.filter(one => one !== found)
    if (operation === 'use')
      return found === undefined ? 'requested key is not in the keyring' : [found, ...others]
    return same(key, this.primary) ? 'removing the primary key is not allowed' : others
  }

  private async save(keys: readonly Uint8Array[]): Promise<void> {
    if (this.file !== undefined) await writeDurably(this.file, JSON.stringify(keys.map(encode), null, 2))
  }
}

async function readKeys(file: string): Promise<readonly Uint8Array[] | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new AgentError(`the keyring ${file} cannot be read: ${String(error)}`)
  }
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    throw new AgentError(`the keyring ${file} is not JSON`)
  }
  const keys = (Array.isArray(list) ? list : []).map(item =>
    typeof item === 'string' ? decodeGossipKey(item) : undefined,
  )
  const good = keys.filter(key => key !== undefined)
  if (good.length === 0 || good.length !== keys.length || good.length > KEYS_MAX)
    throw new AgentError(`the keyring ${file} is not a list of keys in base64 of 16, 24 or 32 bytes`)
  return good
}

const encode = (key: Uint8Array): string => Buffer.from(key).toString('base64')

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

const failed = (message: string): KeyringResult => ({ok: false, message, keys: [], primaryKey: ''})
