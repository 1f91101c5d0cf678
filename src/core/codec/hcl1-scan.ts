/** The scanner of HCL 1 (hashicorp/hcl v1, hcl/scanner): a text to tokens with their offsets. */

export type HclTokenKind =
  'identifier' | 'string' | 'heredoc' | 'number' | 'bool' | '[' | ']' | '{' | '}' | ',' | '=' | 'end'

/** A token; `text` is its value: unquoted for strings, as written for the rest. */
export interface HclToken {
  readonly kind: HclTokenKind
  readonly text: string
  readonly offset: number
}

/** Thrown inside the reader only; `parseHcl1` turns it into a problem. */
export class HclFailure {
  constructor(
    readonly message: string,
    readonly offset: number,
  ) {}
}

const IDENTIFIER = /[\p{L}_][\p{L}\p{Nd}_.-]*/uy
const NUMBER = /-?(?:0[xX][0-9A-Fa-f]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)|\.\d+(?:[eE][+-]?\d+)?/y
const HEREDOC_ANCHOR = /<<(-?)([\p{L}\p{Nd}_]+)\r?\n/uy
const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
}
const CODE_ESCAPE = /([0-7]{3})|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})/y

/** Hands out the tokens of a text one after another, comments left out. */
export class HclScanner {
  private at = 0

  constructor(private readonly text: string) {}

  next(): HclToken {
    this.skipSpaceAndComments()
    const offset = this.at
    const first = this.text[offset]
    if (first === undefined) return {kind: 'end', text: '', offset}
    if (first === '"') return {kind: 'string', text: this.string(), offset}
    if (first === '<') return {kind: 'heredoc', text: this.heredoc(), offset}
    if ('[]{},='.includes(first)) {
      this.at++
      return {kind: first as HclTokenKind, text: first, offset}
    }
    const word = this.match(IDENTIFIER)?.[0]
    if (word !== undefined) {
      const kind = word === 'true' || word === 'false' ? 'bool' : 'identifier'
      return {kind, text: word, offset}
    }
    const number = this.match(NUMBER)?.[0]
    if (number === undefined) throw new HclFailure('illegal character', offset)
    if (/^-?0\d*[89]\d*$/.test(number)) throw new HclFailure('illegal octal number', offset)
    return {kind: 'number', text: number, offset}
  }

  private match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)
    if (found === null) return undefined
    this.at = pattern.lastIndex
    return found
  }

  private skipSpaceAndComments(): void {
    for (;;) {
      const next = this.text[this.at]
      if (next === ' ' || next === '\t' || next === '\n' || next === '\r') this.at++
      else if (next === '#' || (next === '/' && this.text[this.at + 1] === '/')) {
        const end = this.text.indexOf('\n', this.at)
        this.at = end === -1 ? this.text.length : end
      } else if (next === '/' && this.text[this.at + 1] === '*') {
        const end = this.text.indexOf('*/', this.at + 2)
        if (end === -1) throw new HclFailure('comment not terminated', this.at)
        this.at = end + 2
      } else return
    }
  }

  /** A quoted string. Inside `${…}` quotes and newlines are text, as the products' interpolation wants it. */
  private string(): string {
    const opened = this.at++
    const parts: string[] = []
    let braces = 0
    for (let start = this.at; ;) {
      const next = this.text[this.at]
      if (next === undefined || (next === '\n' && braces === 0))
        throw new HclFailure('literal not terminated', opened)
      if (next === '"' && braces === 0) {
        parts.push(this.text.slice(start, this.at++))
        return parts.join('')
      }
      if (next === '$' && braces === 0 && this.text[this.at + 1] === '{') {
        braces = 1
        this.at += 2
      } else if (next === '\\' && braces === 0) {
        parts.push(this.text.slice(start, this.at), this.escape())
        start = this.at
      } else {
        if (braces > 0 && next === '{') braces++
        if (braces > 0 && next === '}') braces--
        this.at += next === '\\' ? 2 : 1
      }
    }
  }

  private escape(): string {
    const offset = this.at++
    const simple = SIMPLE_ESCAPES[this.text[this.at] ?? '']
    if (simple !== undefined) {
      this.at++
      return simple
    }
    const found = this.match(CODE_ESCAPE)
    if (found === undefined) throw new HclFailure('illegal char escape', offset)
    const [, octal, ...hex] = found
    const code = octal === undefined ? parseInt(hex.find(Boolean) ?? '', 16) : parseInt(octal, 8)
    if (code > 0x10ffff) throw new HclFailure('illegal char escape', offset)
    return String.fromCodePoint(code)
  }

  /** `<<END` up to a line that holds only END; with `<<-` the indentation of that line is taken off every line. */
  private heredoc(): string {
    const opened = this.at
    const anchor = this.match(HEREDOC_ANCHOR)
    if (anchor === undefined) throw new HclFailure('invalid heredoc anchor', opened)
    const [, dash, word = ''] = anchor
    const start = this.at
    for (let line = start; ;) {
      const end = this.text.indexOf('\n', line)
      if (end === -1) throw new HclFailure('heredoc not terminated', opened)
      const content = this.text.slice(line, end)
      if (content.trim() === word) {
        this.at = end + 1
        const indent = content.slice(0, content.indexOf(word))
        const body = this.text.slice(start, line)
        return dash === '-' ? withoutIndent(body, indent) : body + indent
      }
      line = end + 1
    }
  }
}

function withoutIndent(body: string, indent: string): string {
  const lines = body.split('\n')
  // The last line is the empty rest before the end word.
  const all = lines.slice(0, -1).every(line => line.startsWith(indent))
  return all
    ? lines.map(line => (line.startsWith(indent) ? line.slice(indent.length) : line)).join('\n')
    : body
}
