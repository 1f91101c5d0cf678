/** What the API's answers are made of; bigint is an unsigned 64-bit number. */
export type Json =
  null | boolean | number | bigint | string | readonly Json[] | {readonly [key: string]: Json | undefined}

/**
 * JSON as Go's encoding/json writes it: `<`, `>`, `&` and the two line separators escaped, indented by four spaces with
 * a final newline where asked (`marshalJSON`, consul agent/http.go).
 */
export function goJson(value: Json, pretty: boolean): string {
  return pretty ? `${written(value, '\n')}\n` : written(value, undefined)
}

/** A text as Go's encoding/json writes it, quotes included. */
export function goText(value: string): string {
  const text = JSON.stringify(value)
  return UNSAFE.test(text) ? text.replace(UNSAFE_ALL, escaped) : text
}

const UNSAFE = /[<>&\u2028\u2029]/
const UNSAFE_ALL = /[<>&\u2028\u2029]/g
const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`

function written(value: Json, line: string | undefined): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return goText(value)
  if (typeof value !== 'object') return String(value)
  const inner = line === undefined ? undefined : `${line}    `
  const [open, between, close] = [inner ?? '', `,${inner ?? ''}`, line ?? '']
  if (isList(value)) {
    if (value.length === 0) return '[]'
    return `[${open}${value.map(item => written(item, inner)).join(between)}${close}]`
  }
  const pairs: string[] = []
  const colon = line === undefined ? ':' : ': '
  for (const key of Object.keys(value)) {
    const item = value[key]
    if (item !== undefined) pairs.push(goText(key) + colon + written(item, inner))
  }
  return pairs.length === 0 ? '{}' : `{${open}${pairs.join(between)}${close}}`
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value)

/** Text to text with its keys in order, as Go writes maps; null stays null. */
export function sortedMap<T extends Json>(map: Readonly<Record<string, T>> | null): Json {
  if (map === null) return null
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** A JSON body read, or why it is none, in the words of Go's decoder as far as they can be told. */
export type ParsedJson = {readonly value: unknown} | {readonly problem: string}

/** Reads a JSON body. */
export function parseJson(body: Uint8Array): ParsedJson {
  const text = new TextDecoder().decode(body)
  if (text.trim() === '') return {problem: 'EOF'}
  try {
    return {value: JSON.parse(text) as unknown}
  } catch (error) {
    return {problem: goProblem(text, error instanceof Error ? error.message : '')}
  }
}

/** Go names the offending character and what it looked for; the engine's message tells where it is. */
function goProblem(text: string, message: string): string {
  if (/end of JSON input|Unterminated/i.test(message)) return 'unexpected EOF'
  const at = Number(/position (\d+)/.exec(message)?.[1] ?? NaN)
  const char = Number.isNaN(at) ? /token '?(.)'?/.exec(message)?.[1] : text[at]
  if (char === undefined) return 'unexpected EOF'
  const before = text.slice(0, Number.isNaN(at) ? text.indexOf(char) : at).trimEnd()
  const last = before.at(-1)
  const place =
    last === undefined || last === '[' || last === ':'
      ? 'beginning of value'
      : last === '{' || (last === ',' && opensObject(before))
        ? 'beginning of object key string'
        : undefined
  if (place !== undefined) return `invalid character '${char}' looking for ${place}`
  return `invalid character '${char}' after ${opensObject(before) ? 'object key:value pair' : 'top-level value'}`
}

/** Whether the innermost bracket still open is a brace. */
function opensObject(text: string): boolean {
  const open: string[] = []
  for (const char of text.replace(/"(?:[^"\\]|\\.)*"/g, '')) {
    if (char === '{' || char === '[') open.push(char)
    else if (char === '}' || char === ']') open.pop()
  }
  return open.at(-1) === '{'
}
