import type {TextMap} from '../../core/fsm/messages.js'

/** The fields of a JSON object that came in. Names match whatever their case, as Go's decoder has it. */
export interface Fields {
  has(name: string): boolean
  value(name: string): unknown
  /** Empty when absent or no text. */
  text(name: string): string
  /** A whole number; 0 when absent or none. */
  number(name: string): number
  boolean(name: string): boolean
  list(name: string): readonly unknown[] | undefined
  texts(name: string): readonly string[] | undefined
  map(name: string): TextMap | null
  /** An object below; with nothing in it when absent. */
  object(name: string): Fields
  names(): readonly string[]
}

/** Reads a value that should be an object; what is none has no fields. */
export function readFields(json: unknown): Fields {
  const own = new Map<string, unknown>()
  if (typeof json === 'object' && json !== null && !Array.isArray(json))
    for (const [name, value] of Object.entries(json)) if (value !== null) own.set(plain(name), value)
  const value = (name: string): unknown => own.get(plain(name))
  const text = (name: string): string => {
    const found = value(name)
    return typeof found === 'string' ? found : ''
  }
  const list = (name: string): readonly unknown[] | undefined => {
    const found = value(name)
    return Array.isArray(found) ? (found as unknown[]) : undefined
  }
  return {
    has: name => own.has(plain(name)),
    value,
    text,
    number: name => {
      const found = value(name)
      return typeof found === 'number' && Number.isSafeInteger(found) ? found : 0
    },
    boolean: name => value(name) === true,
    list,
    texts: name => list(name)?.filter(item => typeof item === 'string'),
    map: name => textMap(value(name)),
    object: name => readFields(value(name)),
    names: () => (typeof json === 'object' && json !== null ? Object.keys(json) : []),
  }
}

/** `lock_delay` and `LockDelay` are one name. */
const plain = (name: string): string => name.replaceAll('_', '').toLowerCase()

function textMap(value: unknown): TextMap | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const pairs = Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string')
  return Object.fromEntries(pairs)
}
