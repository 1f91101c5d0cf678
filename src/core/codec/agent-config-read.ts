import {printable} from '../text.js'
import {AGENT_SETTINGS, REFUSED_SETTINGS, UNUSED_SETTINGS, isBlock} from './agent-config-keys.js'
import type {SettingKind} from './agent-config-keys.js'
import type {ConfigEntry, ConfigFormat, ConfigNode} from './agent-config-tree.js'
import {readConfigTree} from './agent-config-tree.js'
import {parseGoDuration} from './go-duration.js'
import {nearest} from './nearest.js'
import {placeOf} from './parse-problem.js'

/** A setting as it is kept: durations in milliseconds. */
export type SettingValue = string | number | boolean | readonly string[] | Readonly<Record<string, string>>

/** One setting of one file or flag. */
export interface AgentSetting {
  /** Path in a config file, such as `ports.http`. */
  readonly path: string
  readonly kind: SettingKind
  readonly value: SettingValue
  /** `file:line`, or the flag. */
  readonly where: string
}

/** What a file or a command line says, what of it changes nothing, and what is wrong with it. */
export interface AgentSettingsRead {
  readonly settings: readonly AgentSetting[]
  readonly warnings: readonly string[]
  /** Each with its place: `file:line:column: sentence`. Empty when all is well. */
  readonly problems: readonly string[]
}

const PROBLEMS_MAX = 20
const NAME_MAX = 80

/**
 * Reads one config file of an agent. Strict as Consul is since 1.0 (agent/config/config.go, `Parse`): an unknown key
 * and a value of another type are problems; keys match in any case. Total: any text gives settings or problems.
 */
export function readAgentConfig(text: string, format: ConfigFormat, file: string): AgentSettingsRead {
  const shown = printable(file, 200)
  const tree = readConfigTree(text, format, shown)
  if (!tree.ok) {
    const {line, column, message} = tree.problem
    return {settings: [], warnings: [], problems: [`${shown}:${line}:${column}: ${printable(message, 200)}`]}
  }
  const reader = new Reader(text.startsWith('\ufeff') ? text.slice(1) : text, shown)
  reader.entries(tree.value, '', false)
  const {settings, warnings, problems} = reader
  return {settings, warnings, problems}
}

class Reader {
  readonly settings: AgentSetting[] = []
  readonly warnings: string[] = []
  readonly problems: string[] = []

  constructor(
    private readonly text: string,
    private readonly file: string,
  ) {}

  /** `open` is a block in which anything may stand. */
  entries(entries: readonly ConfigEntry[], block: string, open: boolean): void {
    for (const entry of entries) {
      if (this.problems.length >= PROBLEMS_MAX) return
      this.entry(entry, block === '' ? entry.key.toLowerCase() : `${block}.${entry.key.toLowerCase()}`, open)
    }
  }

  private entry(entry: ConfigEntry, path: string, open: boolean): void {
    const value = single(entry.value)
    if (value.kind === 'null') return
    const kind = AGENT_SETTINGS.get(path)
    if (kind !== undefined) {
      this.take(entry, path, kind)
      return
    }
    const refusal = REFUSED_SETTINGS.get(path)
    if (refusal !== undefined) {
      if (isOn(value)) this.problem(entry, `${path} is asked for, and ${refusal}`)
      return
    }
    const unused = UNUSED_SETTINGS.has(path)
    if (isBlock(path)) {
      const blocks = value.kind === 'list' ? value.items : [value]
      for (const one of blocks)
        if (one.kind === 'object') this.entries(one.entries, path, unused)
        else if (!unused) this.problem(entry, `${path} is a block of settings`)
    } else if (!unused && !open) this.unknown(entry, path)
    if ((unused || open) && !isBlock(path) && !path.startsWith('acl')) this.unused(entry, path)
  }

  private take(entry: ConfigEntry, path: string, kind: SettingKind): void {
    const value = valueOf(entry.value, kind)
    if (value === undefined) {
      this.problem(entry, `${path} ${EXPECTED[kind]}`)
      return
    }
    this.settings.push({path, kind, value, where: this.where(entry)})
  }

  private unknown(entry: ConfigEntry, path: string): void {
    const dot = path.lastIndexOf('.')
    const block = path.slice(0, dot + 1)
    const siblings = [...AGENT_SETTINGS.keys()].filter(
      key => key.startsWith(block) && !key.slice(block.length).includes('.'),
    )
    const name = path.slice(dot + 1)
    const elsewhere = [...AGENT_SETTINGS.keys()].find(key => key.slice(key.lastIndexOf('.') + 1) === name)
    const blocks = block === '' ? ['autopilot', 'ports', 'performance', 'addresses'] : []
    const meant = elsewhere ?? nearest(path, [...siblings, ...blocks])
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`
    this.problem(entry, `unknown key ${printable(path, NAME_MAX)}${hint}`)
  }

  private unused(entry: ConfigEntry, path: string): void {
    if (this.warnings.length < PROBLEMS_MAX)
      this.warnings.push(
        `${this.where(entry)}: ${printable(path, NAME_MAX)} is not used by this agent; it changes nothing`,
      )
  }

  private problem(entry: ConfigEntry, message: string): void {
    const {line, column} = placeOf(this.text, entry.offset)
    this.problems.push(`${this.file}:${line}:${column}: ${message}`)
  }

  private where(entry: ConfigEntry): string {
    return `${this.file}:${placeOf(this.text, entry.offset).line}`
  }
}

const EXPECTED: Readonly<Record<SettingKind, string>> = {
  text: 'takes text in quotes',
  number: 'takes a number',
  flag: 'takes true or false',
  duration: 'takes a duration in quotes, such as "30s"',
  texts: 'takes a list of texts, such as ["10.0.0.1"]',
  map: 'takes keys and texts, such as {rack = "a1"}',
}

/** A value as its kind keeps it; undefined when it is of another kind. */
function valueOf(node: ConfigNode, kind: SettingKind): SettingValue | undefined {
  if (kind === 'texts') return textsOf(node)
  if (kind === 'map') return mapOf(single(node))
  const one = single(node)
  if (one.kind !== 'scalar') return undefined
  const {value} = one
  if (kind === 'duration') return typeof value === 'string' ? parseGoDuration(value) : undefined
  if (kind === 'number') return typeof value === 'number' && Number.isFinite(value) ? value : undefined
  return typeof value === (kind === 'flag' ? 'boolean' : 'string') ? value : undefined
}

function textsOf(node: ConfigNode): readonly string[] | undefined {
  if (node.kind !== 'list') return undefined
  const texts: string[] = []
  for (const item of node.items) {
    if (item.kind !== 'scalar' || typeof item.value !== 'string') return undefined
    texts.push(item.value)
  }
  return texts
}

function mapOf(node: ConfigNode): Readonly<Record<string, string>> | undefined {
  if (node.kind !== 'object') return undefined
  const map = Object.create(null) as Record<string, string>
  for (const {key, value} of node.entries) {
    if (value.kind !== 'scalar' || typeof value.value !== 'string') return undefined
    map[key] = value.value
  }
  return map
}

/** A list of one where a value is wanted is that value (`HookWeakDecodeFromSlice`, consul lib/decode). */
function single(node: ConfigNode): ConfigNode {
  return node.kind === 'list' && node.items.length === 1 ? (node.items[0] ?? node) : node
}

function isOn(node: ConfigNode): boolean {
  if (node.kind === 'scalar') return node.value !== false && node.value !== ''
  return node.kind !== 'null'
}
