import {printable} from '../text.js'
import {parseGoDuration} from './go-duration.js'

/** A decoded config file: maps without a prototype, lists, scalars. */
export type SettingsMap = Readonly<Record<string, unknown>>

/** A setting found, with the file that set it. */
export interface Setting {
  readonly value: unknown
  readonly source: string
}

/** One source of settings in merge order. */
export interface SettingsLayer {
  readonly source: string
  readonly map: SettingsMap
}

const PROBLEMS_MAX = 200

/**
 * Settings of several files laid over one another: lists append, scalars of later layers win. Values that are
 * templates or of a wrong type are told as problems and count as not read, never as their default.
 */
export class LayeredSettings {
  readonly problems: string[] = []

  constructor(
    private readonly layers: readonly SettingsLayer[],
    /** Before Consul 1.0 a zero, an empty text or a false did not override what an earlier file said. */
    private readonly zeroOverrides: boolean,
  ) {}

  /** The last value of any of the keys (`a.b` for a key in a block), newest layer first. */
  find(keys: readonly string[]): Setting | undefined {
    let found: Setting | undefined
    for (const {source, map} of this.layers)
      for (const key of keys) {
        const value = lookUp(map, key.split('.'))
        if (value === undefined || value === null) continue
        if (!this.zeroOverrides && (value === 0 || value === '' || value === false) && found !== undefined)
          continue
        found = {value, source}
      }
    return found
  }

  text(...keys: readonly string[]): string | undefined {
    const found = this.find(keys)
    const value = single(found?.value)
    if (found === undefined || value === undefined) return undefined
    if (typeof value !== 'string') return this.wrong(keys, found, 'text was expected')
    if (isTemplate(value)) return this.wrong(keys, found, `is a template: ${printable(value, 120)}`)
    return value === '' ? undefined : value
  }

  number(...keys: readonly string[]): number | undefined {
    const found = this.find(keys)
    const value = single(found?.value)
    if (found === undefined || value === undefined) return undefined
    if (typeof value === 'number' && Number.isFinite(value)) return value
    if (typeof value === 'string' && isTemplate(value))
      return this.wrong(keys, found, `is a template: ${printable(value, 120)}`)
    return this.wrong(keys, found, 'a number was expected')
  }

  flag(...keys: readonly string[]): boolean | undefined {
    const found = this.find(keys)
    const value = single(found?.value)
    if (found === undefined || value === undefined) return undefined
    return typeof value === 'boolean' ? value : this.wrong(keys, found, 'true or false was expected')
  }

  durationMs(...keys: readonly string[]): number | undefined {
    const found = this.find(keys)
    const value = this.text(...keys)
    if (found === undefined || value === undefined) return undefined
    return parseGoDuration(value) ?? this.wrong(keys, found, `is no duration: ${printable(value, 60)}`)
  }

  /** All values of a list setting, in layer order. Cloud auto-join texts are kept as they are. */
  list(...keys: readonly string[]): readonly string[] {
    const all: string[] = []
    for (const {source, map} of this.layers)
      for (const key of keys) {
        const value = lookUp(map, key.split('.'))
        if (value === undefined || value === null) continue
        for (const item of Array.isArray(value) ? (value as readonly unknown[]) : [value]) {
          if (typeof item !== 'string') this.wrong([key], {value, source}, 'a list of texts was expected')
          else if (isTemplate(item))
            this.wrong([key], {value, source}, `is a template: ${printable(item, 120)}`)
          else all.push(item)
        }
      }
    return all
  }

  private wrong(keys: readonly string[], found: Setting, why: string): undefined {
    if (this.problems.length < PROBLEMS_MAX)
      this.problems.push(`${keys[0] ?? ''} (${printable(found.source, 200)}): ${why}`)
    return undefined
  }
}

/** Whether a text is filled in only when the server starts: go-sockaddr's or an interpolation. */
export function isTemplate(text: string): boolean {
  return text.includes('{{') || text.includes('${')
}

/** HCL gives a block, and a list where a scalar is wanted, as a list of one; the products unpack it. */
function single(value: unknown): unknown {
  return Array.isArray(value) && value.length === 1 ? (value as readonly unknown[])[0] : value
}

/** Keys match in any case, as in the products' decoders; the exact spelling is preferred. */
function lookUp(map: unknown, path: readonly string[]): unknown {
  let at: unknown = map
  for (const key of path) {
    at = single(at)
    if (typeof at !== 'object' || at === null || Array.isArray(at)) return undefined
    const here = at as SettingsMap
    const spelled = Object.hasOwn(here, key)
      ? key
      : Object.keys(here).find(other => other.toLowerCase() === key.toLowerCase())
    if (spelled === undefined) return undefined
    at = here[spelled]
  }
  return at
}
