import type {HclToken, HclTokenKind} from './hcl1-scan.js'
import {HclFailure, HclScanner} from './hcl1-scan.js'
import type {Parsed} from './parse-problem.js'
import {parsed, placeOf, problemAt} from './parse-problem.js'

/** Nesting beyond this is refused, so that hostile input cannot exhaust the stack. */
const DEPTH_MAX = 100
/** Texts beyond this many characters are refused. */
const TEXT_MAX = 4 << 20

/** A setting or block: `a = 1` has one key, `service "web" {…}` two. */
export interface HclItem {
  readonly keys: readonly string[]
  readonly value: HclNode
  readonly offset: number
}

/** A value as it stands in the text, before blocks become lists of maps. */
export type HclNode =
  | {readonly kind: 'scalar'; readonly value: string | number | boolean}
  | {readonly kind: 'list'; readonly items: readonly HclNode[]}
  | {readonly kind: 'object'; readonly items: readonly HclItem[]}

/** What HCL 1 decodes to: maps without a prototype, lists, strings, numbers, booleans. */
export type HclValue = string | number | boolean | readonly HclValue[] | HclMap
export interface HclMap {
  readonly [key: string]: HclValue
}

/**
 * Reads HCL 1 as `hcl.Decode` of hashicorp/hcl v1 reads it into a map: blocks and objects become lists of maps, a list
 * or block that is set twice grows, a scalar that is set twice keeps its last value. Consul, Nomad and Vault read
 * their config files so. Templates and `${…}` stay text.
 */
export function parseHcl1(text: string, file?: string): Parsed<HclMap> {
  return reading(text, file, items => toMap(items))
}

/** Reads HCL 1 without merging what is set twice: every setting and block where it stands. */
export function parseHcl1Items(text: string, file?: string): Parsed<readonly HclItem[]> {
  return reading(text, file, items => items)
}

function reading<T>(
  text: string,
  file: string | undefined,
  make: (items: readonly HclItem[]) => T,
): Parsed<T> {
  if (text.length > TEXT_MAX) return problemAt('the file is too large', {line: 1, column: 1}, file)
  try {
    return parsed(make(new HclReader(text).root()))
  } catch (failure) {
    if (failure instanceof HclFailure) return problemAt(failure.message, placeOf(text, failure.offset), file)
    throw failure
  }
}

class HclReader {
  private readonly scanner: HclScanner
  private token: HclToken
  private depth = 0

  constructor(text: string) {
    this.scanner = new HclScanner(text)
    this.token = this.scanner.next()
  }

  root(): readonly HclItem[] {
    return this.items('end')
  }

  private items(until: '}' | 'end'): readonly HclItem[] {
    const items: HclItem[] = []
    while (this.token.kind !== until) {
      items.push(this.item())
      // Settings may be separated by commas.
      if (this.token.kind === ',') this.advance()
    }
    return items
  }

  private item(): HclItem {
    const keys: string[] = []
    const {offset} = this.token
    while (this.token.kind === 'identifier' || this.token.kind === 'string') keys.push(this.advance().text)
    if (keys.length === 0) this.fail(`expected a key, got ${describe(this.token)}`)
    if (this.token.kind === '{') return {keys, value: this.object(), offset}
    if (this.token.kind !== '=')
      this.fail(`key '${keys.join(' ').slice(0, 80)}' expected start of object ('{') or assignment ('=')`)
    if (keys.length > 1) this.fail("expected '{' after several keys, got '='")
    this.advance()
    return {keys, value: this.value(), offset}
  }

  private value(): HclNode {
    const {kind} = this.token
    if (kind === '{') return this.object()
    if (kind === '[') return this.list()
    if (kind !== 'string' && kind !== 'heredoc' && kind !== 'number' && kind !== 'bool')
      return this.fail(`expected a value, got ${describe(this.token)}`)
    const {text} = this.advance()
    if (kind === 'number') return {kind: 'scalar', value: numberOf(text)}
    return {kind: 'scalar', value: kind === 'bool' ? text === 'true' : text}
  }

  private object(): HclNode {
    this.deeper()
    this.advance()
    const items = this.items('}')
    this.advance()
    this.depth--
    return {kind: 'object', items}
  }

  private list(): HclNode {
    this.deeper()
    this.advance()
    const items: HclNode[] = []
    while (this.token.kind !== ']') {
      if (this.token.kind === ',') {
        this.advance()
        continue
      }
      const nested = this.token.kind === '['
      items.push(this.value())
      // The products' parser asks for a comma after everything but a nested list.
      if (!nested && !this.at(',') && !this.at(']'))
        this.fail(`expected comma or list end, got ${describe(this.token)}`)
    }
    this.advance()
    this.depth--
    return {kind: 'list', items}
  }

  private deeper(): void {
    if (++this.depth > DEPTH_MAX) this.fail('nested too deeply')
  }

  private at(kind: HclTokenKind): boolean {
    return this.token.kind === kind
  }

  private advance(): HclToken {
    const token = this.token
    this.token = this.scanner.next()
    return token
  }

  private fail(message: string): never {
    throw new HclFailure(message, this.token.offset)
  }
}

function describe(token: HclToken): string {
  return token.kind === 'end' ? 'the end of the file' : token.kind
}

function numberOf(text: string): number {
  const [, sign, octal] = /^(-?)0([0-7]+)$/.exec(text) ?? []
  if (octal !== undefined) return (sign === '-' ? -1 : 1) * parseInt(octal, 8)
  return text.startsWith('-0x') || text.startsWith('-0X') ? -Number(text.slice(1)) : Number(text)
}

function toMap(items: readonly HclItem[]): HclMap {
  const map = Object.create(null) as Record<string, HclValue>
  for (const {keys, value, offset} of items) {
    const [first = '', ...rest] = keys
    map[first] = mergeTwice(map[first], toValue(wrap(rest, value, offset)), offset)
  }
  return map
}

/** `service "web" {…}` is a map in a map. */
function wrap(keys: readonly string[], value: HclNode, offset: number): HclNode {
  return keys.reduceRight<HclNode>(
    (inner, key) => ({kind: 'object', items: [{keys: [key], value: inner, offset}]}),
    value,
  )
}

function toValue(node: HclNode): HclValue {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'object') return [toMap(node.items)]
  return node.items.map(item => (item.kind === 'object' ? toMap(item.items) : toValue(item)))
}

/** The second value is decoded into the type of the first, as the products' decoder does. */
function mergeTwice(before: HclValue | undefined, after: HclValue, offset: number): HclValue {
  if (before === undefined) return after
  if (Array.isArray(before) !== Array.isArray(after))
    throw new HclFailure('set twice, once as a list or block and once as a value', offset)
  if (Array.isArray(before)) return [...(before as readonly HclValue[]), ...(after as readonly HclValue[])]
  if (typeof before === 'string') return String(after)
  if (typeof before === 'number' && typeof after === 'string' && /^-?\d+$/.test(after)) return Number(after)
  return after
}
