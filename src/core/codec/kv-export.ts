import {printable} from '../text.js'
import type {JsonNode} from './json-scan.js'
import {scanJson} from './json-scan.js'
import type {Parsed} from './parse-problem.js'
import {parsed, placeOf, problemAt} from './parse-problem.js'

/** A key in an export. */
export interface ExportedKey {
  readonly key: string
  /** A number of 64 bits, in decimal. */
  readonly flags: string
  /** In base64. */
  readonly value: string
}

/** Keys as `consul kv export` writes them, newline included. */
export function formatKvExport(keys: readonly ExportedKey[]): string {
  const entries = keys.map(
    ({key, flags, value}) =>
      `\t{\n\t\t"key": ${JSON.stringify(key)},\n\t\t"flags": ${flags},\n\t\t"value": ${JSON.stringify(value)}\n\t}`,
  )
  return entries.length === 0 ? '[]\n' : `[\n${entries.join(',\n')}\n]\n`
}

/** Reads what `consul kv export` writes; the first entry that cannot be one is the problem, and nothing is returned. */
export function parseKvExport(text: string, file: string): Parsed<readonly ExportedKey[]> {
  const problem = <T>(message: string, offset: number): Parsed<T> =>
    problemAt(message, placeOf(text, offset), printable(file, 200))
  const scan = scanJson(text)
  if (!scan.ok) return problem(scan.message, scan.offset)
  const {node} = scan
  if (node.kind !== 'array') return problem('a list of keys was expected', node.offset)
  const rest = /\S/.exec(text.slice(node.end))
  if (rest !== null) return problem('more text after the end of the list', node.end + rest.index)
  const keys: ExportedKey[] = []
  for (const item of node.items) {
    const entry = exportedKey(item)
    if (typeof entry === 'string') return problem(entry, item.offset)
    keys.push(entry)
  }
  return parsed(keys)
}

const FLAGS_MAX = 2n ** 64n - 1n

function exportedKey(node: JsonNode): ExportedKey | string {
  if (node.kind !== 'object') return 'an entry with key, flags and value was expected'
  const fields = new Map(node.members.map(member => [member.key, member.value]))
  const key = fields.get('key')
  if (key?.kind !== 'string' || key.value === '') return 'an entry has no key'
  const named = printable(key.value, 80)
  const flags = fields.get('flags')
  const number = flags === undefined ? '0' : flags.kind === 'number' ? flags.text : ''
  if (!/^\d{1,20}$/.test(number) || BigInt(number) > FLAGS_MAX)
    return `flags of ${named} are no number of 64 bits`
  const value = fields.get('value') ?? {kind: 'null'}
  const base64 = value.kind === 'string' ? value.value : value.kind === 'null' ? '' : undefined
  if (base64 === undefined || base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64))
    return `the value of ${named} is not base64`
  return {key: key.value, flags: number, value: base64}
}
