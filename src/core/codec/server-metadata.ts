import {sameKey, scanJson} from './json-scan.js'
import type {Parsed} from './parse-problem.js'
import {parsed, placeOf, problemAt} from './parse-problem.js'

const TEXT_MAX = 64 << 10

/**
 * Reads `server_metadata.json` (Consul 1.15 and newer, agent/consul/server_metadata.go): when the server was last alive, in
 * seconds since 1970. A server away for longer than `server_rejoin_age_max` refuses to start by it.
 */
export function parseServerMetadata(bytes: Uint8Array): Parsed<number> {
  if (bytes.length > TEXT_MAX) return problemAt('the file is too large', {line: 1, column: 1})
  const text = new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes)
  const scan = scanJson(text)
  if (!scan.ok) return problemAt(scan.message, placeOf(text, scan.offset))
  if (scan.node.kind !== 'object') return problemAt('an object was expected', placeOf(text, scan.node.offset))
  const member = scan.node.members.filter(({key}) => sameKey(key, 'last_seen_unix')).at(-1)
  if (member === undefined) return problemAt('last_seen_unix is missing', placeOf(text, scan.node.offset))
  const {value} = member
  const seconds = value.kind === 'number' ? Number(value.text) : NaN
  if (!Number.isSafeInteger(seconds))
    return problemAt('last_seen_unix is not a whole number', placeOf(text, value.offset))
  return parsed(seconds)
}
