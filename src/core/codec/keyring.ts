import type {Keyring} from '../model/observation.js'
import {scanJson} from './json-scan.js'
import type {Parsed} from './parse-problem.js'
import {parsed, placeOf, problemAt} from './parse-problem.js'

const KEYS_MAX = 1000
const TEXT_MAX = 1 << 20

/**
 * Reads a gossip keyring, a list of keys in base64 of which the first is primary, and keeps of each key nothing but a
 * fingerprint: the first 12 digits of the SHA-256 of its bytes. `sha256` gives lower-case hexadecimal. No problem
 * quotes the text, which is secret.
 */
export function parseKeyring(bytes: Uint8Array, sha256: (bytes: Uint8Array) => string): Parsed<Keyring> {
  if (bytes.length > TEXT_MAX) return problemAt('the keyring is too large', {line: 1, column: 1})
  const text = new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes)
  const scan = scanJson(text)
  if (!scan.ok) return problemAt('the keyring is not JSON', placeOf(text, scan.offset))
  if (scan.node.kind !== 'array')
    return problemAt('the keyring is not a list', placeOf(text, scan.node.offset))
  const fingerprints: string[] = []
  for (const item of scan.node.items.slice(0, KEYS_MAX)) {
    const key = item.kind === 'string' ? decodeGossipKey(item.value) : undefined
    if (key === undefined)
      return problemAt('a key is not base64 of 16, 24 or 32 bytes', placeOf(text, item.offset))
    fingerprints.push(sha256(key).slice(0, 12))
  }
  return parsed({fingerprints})
}

/** The fingerprint of a key given as `encrypt` in a config file; undefined when it is no key. */
export function keyFingerprint(key: string, sha256: (bytes: Uint8Array) => string): string | undefined {
  const bytes = decodeGossipKey(key)
  return bytes === undefined ? undefined : sha256(bytes).slice(0, 12)
}

/** The bytes of a gossip key in base64; undefined when it is no key of 16, 24 or 32 bytes. */
export function decodeGossipKey(text: string): Uint8Array | undefined {
  if (text.length > 64 || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined
  const key = Uint8Array.from(atob(text), character => character.charCodeAt(0))
  return [16, 24, 32].includes(key.length) ? key : undefined
}
