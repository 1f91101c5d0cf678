import type {ServerConfig} from '../model/observation.js'
import type {Reading} from '../model/reading.js'
import {read, unread} from '../model/reading.js'
import {printable} from '../text.js'
import {mergeConsulConfig} from './consul-config.js'
import {text} from './probe-frames.js'
import type {ProbedProcess} from './probe-process.js'
import type {ProbeSections} from './probe-sections.js'
import {troubleOf} from './probe-sections.js'

/** The server's configuration as its command line and files give it. */
export interface ProbedConfig {
  readonly config: Reading<ServerConfig>
  /** The first gossip key found in a file or flag; a secret, to be fingerprinted and forgotten. */
  readonly encrypt: string | undefined
}

/**
 * Merges what the probe brought of config files with the command line of the running server, or with the one its unit
 * would start it by (words with variables in them are not known). A file that may not be read makes the whole unread: a setting might stand in it.
 */
export function readConfig(
  probe: ProbeSections,
  command: {readonly argv: readonly string[]; readonly workingDir: string | undefined},
  version: string | undefined,
): ProbedConfig {
  const files = probe.files('config.file')
  const asked = probe.text('config.asked')
  const named = asked === '' ? probe.text('config.named').trim() : asked
  // What the operator names stands in for what the command line names.
  const argv = asked === '' ? withAbsolutePaths(command) : withoutConfigFlags(command.argv)
  const source = probe.source('config', named.split('\n').join(', ') || 'command line')
  const hidden = firstTrouble(probe)
  if (hidden !== undefined) return {config: unread(hidden.why, source, hidden.detail), encrypt: undefined}
  if (files.length === 0 && argv.length === 0) {
    return {
      config: unread('absent', source, 'No configuration and no command line was found.'),
      encrypt: undefined,
    }
  }
  const texts = files
    .filter(file => file.status === 0)
    .map(file => ({path: file.path, text: text(file.bytes)}))
  const config = mergeConsulConfig({files: texts, argv, version})
  return {config: read(config, source), encrypt: gossipKey(texts, argv)}
}

/** What stands in the way of reading all of the configuration. A file that is named and not there counts. */
function firstTrouble(probe: ProbeSections): ReturnType<typeof troubleOf> {
  const dir = probe.all.find(section => section.name === 'config.dir' && section.status !== 0)
  if (dir !== undefined) return {why: 'denied', detail: `${printable(text(dir.bytes), 120)} may not be read.`}
  if (probe.find('config.more') !== undefined)
    return {why: 'over-budget', detail: 'There are more than 64 files.'}
  for (const file of probe.files('config.file')) {
    const trouble = troubleOf(file.status)
    if (trouble !== undefined)
      return {why: trouble.why, detail: `${printable(file.path, 120)}: ${trouble.detail}`}
  }
  return undefined
}

/**
 * The command line of an agent in a unit, run script or program section: from the word before `agent` to the end of
 * that line. Words with shell variables in them cannot be known and are left out.
 */
export function commandIn(unitText: string): readonly string[] {
  for (const line of unitText.replace(/\\\r?\n/g, ' ').split('\n')) {
    if (/^\s*[#;]/.test(line)) continue
    const words = line.match(/"[^"]*"|'[^']*'|[^\s"';|&<>]+|[;|&<>]/g) ?? []
    const verb = words.findIndex((word, i) => word === 'agent' && i > 0)
    if (verb < 1) continue
    const end = words.findIndex((word, i) => i > verb && /^[;|&<>]$/.test(word))
    return (
      words
        // start-stop-daemon takes the program apart from its arguments, which stand behind two dashes.
        .slice(words[verb - 1] === '--' ? verb : verb - 1, end === -1 ? undefined : end)
        .map(word => word.replace(/^command=|^["']|["']$/g, ''))
        .filter(word => !word.includes('$'))
    )
  }
  return []
}

/** The probe lists files by absolute path; flags are made to agree with it. */
function withAbsolutePaths(process: Pick<ProbedProcess, 'argv' | 'workingDir'>): readonly string[] {
  const whole = (path: string): string =>
    path.startsWith('/') || process.workingDir === undefined ? path : `${process.workingDir}/${path}`
  return process.argv.map((argument, i) => {
    const joined = /^(--?config-(?:dir|file)=)([\s\S]+)$/.exec(argument)
    if (joined !== null) return `${joined[1] ?? ''}${whole(joined[2] ?? '')}`
    return i > 0 && /^--?config-(dir|file)$/.test(process.argv[i - 1] ?? '') ? whole(argument) : argument
  })
}

function withoutConfigFlags(argv: readonly string[]): readonly string[] {
  return argv.filter(
    (argument, i) =>
      !/^--?config-(dir|file)(=|$)/.test(argument) && !/^--?config-(dir|file)$/.test(argv[i - 1] ?? ''),
  )
}

/** The last `encrypt` of the files, where no keyring is on disk yet. */
function gossipKey(files: readonly {readonly text: string}[], argv: readonly string[]): string | undefined {
  let key: string | undefined
  for (const file of files) key = /"?\bencrypt"?\s*[:=]\s*"([^"]+)"/.exec(file.text)?.[1] ?? key
  const flag = argv.findIndex(word => /^--?encrypt(=|$)/.test(word))
  const word = flag === -1 ? undefined : argv[flag]
  return word === undefined ? key : word.includes('=') ? word.slice(word.indexOf('=') + 1) : argv[flag + 1]
}
