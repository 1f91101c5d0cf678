/**
 * JSON with positions, read as Go's `encoding/json` reads it: the first value only, the same leniencies, and the
 * same words for what is wrong, so that an operator finds our message in the server's log and vice versa.
 */

/** A value with the offsets of its first character and of the character after it. */
export type JsonNode = {readonly offset: number; readonly end: number} & (
  | {readonly kind: 'null'}
  | {readonly kind: 'bool'; readonly value: boolean}
  | {readonly kind: 'number'; readonly text: string}
  | {readonly kind: 'string'; readonly value: string}
  | {readonly kind: 'array'; readonly items: readonly JsonNode[]}
  | {readonly kind: 'object'; readonly members: readonly JsonMember[]}
)

/** A key with its position, and its value. A key that is set twice is here twice. */
export interface JsonMember {
  readonly key: string
  readonly keyOffset: number
  readonly value: JsonNode
}

/** The first value of a text and where it ended, or Go's message and where it applies. */
export type JsonScan =
  | {readonly ok: true; readonly node: JsonNode}
  | {readonly ok: false; readonly message: string; readonly offset: number}

/** Nesting beyond this is refused, so that hostile input cannot exhaust the stack. */
const DEPTH_MAX = 200

class ScanFailure {
  constructor(
    readonly message: string,
    readonly offset: number,
  ) {}
}

/** Reads the first JSON value of a text. What follows it is not looked at, as `json.Decoder` does. */
export function scanJson(text: string): JsonScan {
  try {
    return {ok: true, node: new Scanner(text).firstValue()}
  } catch (failure) {
    if (failure instanceof ScanFailure) return {ok: false, message: failure.message, offset: failure.offset}
    throw failure
  }
}

/** The plain value of a node: objects become maps without a prototype, and a key set twice keeps its last value. */
export function jsonValue(node: JsonNode): unknown {
  switch (node.kind) {
    case 'null':
      return null
    case 'bool':
    case 'string':
      return node.value
    case 'number':
      return Number(node.text)
    case 'array':
      return node.items.map(jsonValue)
    case 'object': {
      const value = Object.create(null) as Record<string, unknown>
      for (const member of node.members) value[member.key] = jsonValue(member.value)
      return value
    }
  }
}

/** Whether two keys are the same to Go's decoder, which folds case, the Kelvin sign and the long s. */
export function sameKey(a: string, b: string): boolean {
  return foldKey(a) === foldKey(b)
}

const foldKey = (key: string): string => key.replaceAll('\u017f', 's').replaceAll('\u212a', 'k').toLowerCase()

const GO_ESCAPES: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  "'": "\\'",
}

/** A character as Go's scanner quotes it. It works on bytes, so a character beyond ASCII shows as its first byte. */
function quoteCharacter(text: string, offset: number): string {
  const code = text.codePointAt(offset) ?? 0
  const byte =
    code < 0x80
      ? code
      : code < 0x800
        ? 0xc0 | (code >> 6)
        : code < 0x10000
          ? 0xe0 | (code >> 12)
          : 0xf0 | (code >> 18)
  const character = String.fromCharCode(byte)
  const escaped = GO_ESCAPES[character]
  if (escaped !== undefined) return `'${escaped}'`
  if (byte < 0x20 || byte === 0x7f) return `'\\x${byte.toString(16).padStart(2, '0')}'`
  return `'${character}'`
}

const ESCAPED: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

const isDigit = (character: string): boolean => character >= '0' && character <= '9'

class Scanner {
  private at = 0
  private depth = 0

  constructor(private readonly text: string) {}

  firstValue(): JsonNode {
    this.skipSpace()
    if (this.at >= this.text.length) throw new ScanFailure('EOF', this.at)
    return this.value()
  }

  private value(): JsonNode {
    const offset = this.at
    const next = this.peek()
    if (next === '{') return this.nested(() => this.object(offset))
    if (next === '[') return this.nested(() => this.array(offset))
    if (next === '"') {
      const value = this.string()
      return {kind: 'string', value, offset, end: this.at}
    }
    if (next === '-' || isDigit(next)) {
      const text = this.number()
      return {kind: 'number', text, offset, end: this.at}
    }
    if (next === 't') return this.literal('true', {kind: 'bool', value: true}, offset)
    if (next === 'f') return this.literal('false', {kind: 'bool', value: false}, offset)
    if (next === 'n') return this.literal('null', {kind: 'null'}, offset)
    return this.unexpected('looking for beginning of value')
  }

  private nested(scan: () => JsonNode): JsonNode {
    if (++this.depth > DEPTH_MAX) throw new ScanFailure('exceeded max depth', this.at)
    const node = scan()
    this.depth--
    return node
  }

  private object(offset: number): JsonNode {
    const members: JsonMember[] = []
    this.at++
    this.skipSpace()
    if (this.peek() === '}') {
      this.at++
      return {kind: 'object', members, offset, end: this.at}
    }
    for (;;) {
      this.skipSpace()
      const keyOffset = this.at
      if (this.peek() !== '"') return this.unexpected('looking for beginning of object key string')
      const key = this.string()
      this.skipSpace()
      if (this.peek() !== ':') return this.unexpected('after object key')
      this.at++
      this.skipSpace()
      members.push({key, keyOffset, value: this.value()})
      this.skipSpace()
      const next = this.peek()
      if (next !== ',' && next !== '}') return this.unexpected('after object key:value pair')
      this.at++
      if (next === '}') return {kind: 'object', members, offset, end: this.at}
    }
  }

  private array(offset: number): JsonNode {
    const items: JsonNode[] = []
    this.at++
    this.skipSpace()
    if (this.peek() === ']') {
      this.at++
      return {kind: 'array', items, offset, end: this.at}
    }
    for (;;) {
      this.skipSpace()
      items.push(this.value())
      this.skipSpace()
      const next = this.peek()
      if (next !== ',' && next !== ']') return this.unexpected('after array element')
      this.at++
      if (next === ']') return {kind: 'array', items, offset, end: this.at}
    }
  }

  private string(): string {
    const parts: string[] = []
    let start = ++this.at
    for (;;) {
      const next = this.peek()
      if (next === '"') {
        parts.push(this.text.slice(start, this.at++))
        return parts.join('').replace(LONE_SURROGATE, '\ufffd')
      }
      if (next < ' ') return this.unexpected('in string literal')
      this.at++
      if (next !== '\\') continue
      parts.push(this.text.slice(start, this.at - 1), this.escape())
      start = this.at
    }
  }

  private escape(): string {
    const next = this.peek()
    const plain = ESCAPED[next]
    if (plain !== undefined) {
      this.at++
      return plain
    }
    if (next !== 'u') return this.unexpected('in string escape code')
    this.at++
    const start = this.at
    for (; this.at < start + 4; this.at++)
      if (!/^[0-9A-Fa-f]$/.test(this.peek())) return this.unexpected('in \\u hexadecimal character escape')
    return String.fromCharCode(parseInt(this.text.slice(start, this.at), 16))
  }

  private number(): string {
    const start = this.at
    if (this.peek() === '-') this.at++
    if (this.text[this.at] === '0') this.at++
    else this.digits('in numeric literal')
    if (this.text[this.at] === '.') {
      this.at++
      this.digits('after decimal point in numeric literal')
    }
    if (this.text[this.at] === 'e' || this.text[this.at] === 'E') {
      this.at++
      if (this.text[this.at] === '+' || this.text[this.at] === '-') this.at++
      this.digits('in exponent of numeric literal')
    }
    return this.text.slice(start, this.at)
  }

  private digits(where: string): void {
    if (!isDigit(this.peek())) this.unexpected(where)
    while (this.at < this.text.length && isDigit(this.text[this.at] ?? '')) this.at++
  }

  private literal(
    word: string,
    node: {readonly kind: 'null'} | {readonly kind: 'bool'; readonly value: boolean},
    offset: number,
  ): JsonNode {
    for (const expected of word) {
      if (this.peek() !== expected) this.unexpected(`in literal ${word} (expecting '${expected}')`)
      this.at++
    }
    return {...node, offset, end: this.at}
  }

  private skipSpace(): void {
    for (;;) {
      const next = this.text[this.at]
      if (next !== ' ' && next !== '\t' && next !== '\r' && next !== '\n') return
      this.at++
    }
  }

  private peek(): string {
    const next = this.text[this.at]
    if (next === undefined) throw new ScanFailure('unexpected EOF', this.at)
    return next
  }

  private unexpected(where: string): never {
    throw new ScanFailure(`invalid character ${quoteCharacter(this.text, this.at)} ${where}`, this.at)
  }
}

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g
