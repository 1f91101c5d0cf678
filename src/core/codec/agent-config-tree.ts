import type {HclItem, HclNode} from './hcl1.js'
import {parseHcl1Items} from './hcl1.js'
import type {JsonNode} from './json-scan.js'
import {scanJson} from './json-scan.js'
import type {Parsed} from './parse-problem.js'
import {parsed, placeOf, problemAt} from './parse-problem.js'

/** How a config file is written. */
export type ConfigFormat = 'json' | 'hcl'

/** A value of a config file, JSON and HCL alike. */
export type ConfigNode =
  | {readonly kind: 'scalar'; readonly value: string | number | boolean}
  | {readonly kind: 'null'}
  | {readonly kind: 'list'; readonly items: readonly ConfigNode[]}
  | {readonly kind: 'object'; readonly entries: readonly ConfigEntry[]}

/** A key and its value, with the offset of the key in the text. */
export interface ConfigEntry {
  readonly key: string
  readonly offset: number
  readonly value: ConfigNode
}

const TEXT_MAX = 4 << 20

/**
 * Reads a config file into its keys as they stand, each with its place. An HCL file that starts with a brace is JSON,
 * as `hcl.Decode` of hashicorp/hcl v1 takes it. A JSON key that is set twice keeps its last value; HCL blocks that are
 * set twice are both there.
 */
export function readConfigTree(
  text: string,
  format: ConfigFormat,
  file: string,
): Parsed<readonly ConfigEntry[]> {
  if (text.length > TEXT_MAX) return problemAt('the file is too large', {line: 1, column: 1}, file)
  const plain = text.startsWith('\ufeff') ? text.slice(1) : text
  if (plain.trim() === '') return parsed([])
  if (format === 'json' || /^\s*\{/.test(plain)) return readJson(plain, file)
  const hcl = parseHcl1Items(plain, file)
  return hcl.ok ? parsed(hcl.value.map(fromHclItem)) : hcl
}

function readJson(text: string, file: string): Parsed<readonly ConfigEntry[]> {
  const scan = scanJson(text)
  if (!scan.ok) return problemAt(scan.message, placeOf(text, scan.offset), file)
  const {node} = scan
  const rest = /\S/.exec(text.slice(node.end))
  if (rest !== null)
    return problemAt('more text after the end of the object', placeOf(text, node.end + rest.index), file)
  if (node.kind !== 'object') return problemAt('an object was expected', placeOf(text, node.offset), file)
  return parsed(fromMembers(node.members))
}

function fromMembers(members: (JsonNode & {kind: 'object'})['members']): readonly ConfigEntry[] {
  const last = new Map(members.map(member => [member.key, member]))
  return [...last.values()].map(({key, keyOffset, value}) => ({
    key,
    offset: keyOffset,
    value: fromJson(value),
  }))
}

function fromJson(node: JsonNode): ConfigNode {
  switch (node.kind) {
    case 'null':
      return {kind: 'null'}
    case 'bool':
    case 'string':
      return {kind: 'scalar', value: node.value}
    case 'number':
      return {kind: 'scalar', value: Number(node.text)}
    case 'array':
      return {kind: 'list', items: node.items.map(fromJson)}
    case 'object':
      return {kind: 'object', entries: fromMembers(node.members)}
  }
}

/** `service "web" {…}` is an object in an object. */
function fromHclItem({keys, value, offset}: HclItem): ConfigEntry {
  const [key = '', ...rest] = keys
  const inner = rest.reduceRight<ConfigNode>(
    (wrapped, one) => ({kind: 'object', entries: [{key: one, offset, value: wrapped}]}),
    fromHcl(value),
  )
  return {key, offset, value: inner}
}

function fromHcl(node: HclNode): ConfigNode {
  if (node.kind === 'scalar') return node
  if (node.kind === 'list') return {kind: 'list', items: node.items.map(fromHcl)}
  return {kind: 'object', entries: node.items.map(fromHclItem)}
}
