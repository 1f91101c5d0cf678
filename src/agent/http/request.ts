import {byteStringOfText, textOf} from '../../core/fsm/byte-string.js'
import type {HttpRequest} from '../backend.js'

/** The query of a request by name; a name without a value has an empty one. The first of several counts. */
export class Query {
  private readonly values: ReadonlyMap<string, string>

  constructor(text: string) {
    this.values = text === '' ? NONE : parsed(text)
  }

  has(name: string): boolean {
    return this.values.has(name)
  }

  /** The value, empty when absent. */
  get(name: string): string {
    return this.values.get(name) ?? ''
  }

  /** All of it as Go writes a query: sorted by name, every name with its `=`. */
  encoded(): string {
    const pairs = new URLSearchParams([...this.values])
    pairs.sort()
    return pairs.toString()
  }
}

const NONE: ReadonlyMap<string, string> = new Map()

function parsed(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  for (const part of text.split('&')) {
    if (part === '') continue
    const equal = part.indexOf('=')
    const name = textOf(unescaped(equal < 0 ? part : part.slice(0, equal)))
    if (!values.has(name)) values.set(name, equal < 0 ? '' : textOf(unescaped(part.slice(equal + 1), true)))
  }
  return values
}

/** A request with its path split off and understood. */
export interface ParsedRequest {
  readonly request: HttpRequest
  /** Path as a byte string, percent-decoded. */
  readonly path: string
  readonly query: Query
}

/** Splits the target of a request; the path becomes a byte string. */
export function parseRequest(request: HttpRequest): ParsedRequest {
  const {target} = request
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  return {request, path: unescaped(path), query: new Query(mark < 0 ? '' : target.slice(mark + 1))}
}

/** Percent-decodes into a byte string; what is no escape stays as it is. */
function unescaped(text: string, plus = false): string {
  const bytes = byteStringOfText(text)
  if (!bytes.includes('%') && !(plus && bytes.includes('+'))) return bytes
  return bytes.replace(plus ? /%[0-9a-fA-F]{2}|\+/g : /%[0-9a-fA-F]{2}/g, found =>
    found === '+' ? ' ' : String.fromCharCode(Number.parseInt(found.slice(1), 16)),
  )
}
