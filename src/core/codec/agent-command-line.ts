import {printable} from '../text.js'
import type {AgentSetting, SettingValue} from './agent-config-read.js'
import type {AgentFlag} from './agent-flags.js'
import {AGENT_FLAGS} from './agent-flags.js'
import {parseGoDuration} from './go-duration.js'
import {nearest} from './nearest.js'

/** Where settings are read from, in the order of the command line. */
export interface ConfigSource {
  readonly kind: 'file' | 'directory' | 'hcl'
  /** A path, or for `hcl` the text itself. */
  readonly text: string
}

/** A command line of the agent, read. */
export interface AgentCommandLine {
  readonly sources: readonly ConfigSource[]
  readonly format: 'json' | 'hcl' | undefined
  readonly dev: boolean
  readonly peerFilter: string | undefined
  /** Lists and maps, which stand before those of files (`newBuilder`, agent/config/builder.go). */
  readonly lists: readonly AgentSetting[]
  /** Everything else, which overrides what files say. */
  readonly values: readonly AgentSetting[]
  readonly warnings: readonly string[]
  readonly problems: readonly string[]
}

/**
 * Reads the flags of an agent as Go's `flag` package does: `-x v`, `-x=v` and `--x` are the same, a switch takes a
 * value only after `=`. Unlike Go it refuses words that are no flag.
 */
export function parseAgentFlags(argv: readonly string[]): AgentCommandLine {
  const line = new CommandLine()
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? ''
    const [, name, given] = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(word) ?? []
    const known = AGENT_FLAGS.find(one => one.name === name)
    if (name === undefined) line.problems.push(`'${printable(word, 80)}' is not a flag`)
    else if (known === undefined) line.unknown(name)
    else if (given !== undefined) line.take(known, given)
    else if (known.kind === 'switch' || known.kind === 'none-switch') line.take(known, 'true')
    else if (at + 1 >= argv.length) line.problems.push(`-${name} needs a value`)
    else line.take(known, argv[++at] ?? '')
  }
  return line
}

const TRUE = /^(1|t|T|TRUE|true|True)$/
const FALSE = /^(0|f|F|FALSE|false|False)$/

class CommandLine implements AgentCommandLine {
  readonly sources: ConfigSource[] = []
  format: 'json' | 'hcl' | undefined
  dev = false
  peerFilter: string | undefined
  readonly lists: AgentSetting[] = []
  readonly values: AgentSetting[] = []
  readonly warnings: string[] = []
  readonly problems: string[] = []

  unknown(name: string): void {
    const meant = nearest(
      name,
      AGENT_FLAGS.map(one => one.name),
    )
    const hint = meant === undefined ? '' : `; did you mean -${meant}?`
    this.problems.push(`there is no flag -${printable(name, 60)}${hint}`)
  }

  take(known: AgentFlag, text: string): void {
    const {name, kind, path} = known
    if (kind === 'none' || kind === 'none-switch')
      this.warnings.push(`-${name} is not used by this agent; it changes nothing`)
    else if (kind === 'source') this.source(name, text)
    else if (path === '') this.own(name, text)
    else if (kind === 'texts') this.set(this.lists, known, 'texts', [text])
    else if (kind === 'pair') this.pair(known, text)
    else if (kind === 'switch') this.flag(known, text)
    else if (kind === 'text') this.set(this.values, known, 'text', text)
    else if (kind === 'duration') this.duration(known, text)
    else if (/^[-+]?\d{1,15}$/.test(text)) this.set(this.values, known, 'number', Number(text))
    else this.wrong(name, text, 'a whole number')
  }

  private source(name: string, text: string): void {
    const kind = name === 'hcl' ? 'hcl' : name === 'config-dir' ? 'directory' : 'file'
    this.sources.push({kind, text})
  }

  /** Flags that no config file has. */
  private own(name: string, text: string): void {
    if (name === 'peer-filter') this.peerFilter = text
    else if (name === 'config-format') {
      if (text === 'json' || text === 'hcl') this.format = text
      else this.wrong(name, text, 'json or hcl')
    } else if (TRUE.test(text) || FALSE.test(text)) this.dev = TRUE.test(text)
    else this.wrong(name, text, 'true or false')
  }

  private flag(known: AgentFlag, text: string): void {
    if (TRUE.test(text) || FALSE.test(text)) this.set(this.values, known, 'flag', TRUE.test(text))
    else this.wrong(known.name, text, 'true or false')
  }

  private duration(known: AgentFlag, text: string): void {
    const ms = parseGoDuration(text)
    if (ms === undefined) this.wrong(known.name, text, 'a duration such as 30s')
    else this.set(this.values, known, 'duration', ms)
  }

  private pair(known: AgentFlag, text: string): void {
    const colon = text.indexOf(':')
    const key = colon === -1 ? text : text.slice(0, colon)
    const map = Object.assign(Object.create(null) as Record<string, string>, {
      [key]: colon === -1 ? '' : text.slice(colon + 1),
    })
    this.set(this.lists, known, 'map', map)
  }

  private set(to: AgentSetting[], known: AgentFlag, kind: AgentSetting['kind'], value: SettingValue): void {
    to.push({path: known.path, kind, value, where: `-${known.name}`})
  }

  private wrong(name: string, text: string, expected: string): void {
    this.problems.push(`-${name} takes ${expected}, not '${printable(text, 60)}'`)
  }
}
