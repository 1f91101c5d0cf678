import type {ProductName} from '../model/observation.js'
import {printable} from '../text.js'
import type {Parsed} from './parse-problem.js'
import {parsed, problemAt} from './parse-problem.js'
import {atLeast} from './version.js'

const BYTES_MAX = 4096
const UUID = /^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$/
/** What Go's `strings.TrimSpace` takes off; unlike JavaScript's trim it leaves a byte order mark. */
const GO_SPACE =
  /^[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/g

/**
 * Reads a node-id file as the product does. Consul and Nomad trim it, take it in lower case (Consul from 0.8.0 on) and
 * insist on a UUID (`setupNodeID` in agent/agent.go); Vault and OpenBao take the bytes as they are, a newline included.
 */
export function parseNodeId(
  bytes: Uint8Array,
  product: ProductName,
  version: string | undefined,
): Parsed<string> {
  if (bytes.length > BYTES_MAX) return problemAt('too long for a node id', {line: 1, column: 1})
  const text = new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes)
  if (product === 'vault' || product === 'rqlite')
    return text === '' ? problemAt('the file is empty', {line: 1, column: 1}) : parsed(text)
  const trimmed = text.replace(GO_SPACE, '')
  const keepsCase = product === 'consul' && atLeast(version, '0.8.0') === false
  const id = keepsCase ? trimmed : trimmed.toLowerCase()
  if (!UUID.test(id)) return problemAt(`${printable(trimmed, 60)} is not a UUID`, {line: 1, column: 1})
  return parsed(id)
}
