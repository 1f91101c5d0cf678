import {readdirSync, readFileSync, statSync} from 'node:fs'
import {join} from 'node:path'
import {readAgentConfig} from '../core/codec/agent-config-read.js'
import type {AgentSetting} from '../core/codec/agent-config-read.js'
import type {ConfigFormat} from '../core/codec/agent-config-tree.js'
import type {AgentCommandLine, ConfigSource} from '../core/codec/agent-command-line.js'
import {printable} from '../core/text.js'

const FILE_BYTES_MAX = 4 << 20
const FILES_MAX = 1000

/** What all config files of a command line say together. */
export interface ConfigFilesRead {
  /** Files read, in merge order. */
  readonly files: readonly string[]
  readonly settings: readonly AgentSetting[]
  readonly warnings: readonly string[]
  readonly problems: readonly string[]
}

/**
 * Reads the config files and directories of a command line in its order. Of a directory the files ending in .json or
 * .hcl are read by name, and none below it (`sourcesFromPath`, agent/config/builder.go).
 */
export function readConfigFiles({sources, format}: AgentCommandLine): ConfigFilesRead {
  const files: string[] = []
  const settings: AgentSetting[] = []
  const warnings: string[] = []
  const problems: string[] = []
  const take = (text: string, as: ConfigFormat, name: string): void => {
    const read = readAgentConfig(text, as, name)
    settings.push(...read.settings)
    warnings.push(...read.warnings)
    problems.push(...read.problems)
  }
  for (const source of sources) {
    if (source.kind === 'hcl') {
      take(source.text, 'hcl', '-hcl')
      continue
    }
    try {
      for (const path of filesOf(source, format !== undefined)) {
        if (files.length >= FILES_MAX) throw new Error(`more than ${FILES_MAX} config files`)
        const as = format ?? formatOf(path)
        if (as === undefined) {
          problems.push(`${printable(path, 200)}: the name of a config file ends in .json or .hcl`)
          continue
        }
        files.push(path)
        take(readText(path), as, path)
      }
    } catch (error) {
      problems.push(`${printable(source.text, 200)} cannot be read: ${reason(error)}`)
    }
  }
  return {files, settings, warnings, problems}
}

function filesOf(source: ConfigSource, anyName: boolean): readonly string[] {
  if (!statSync(source.text).isDirectory()) return [source.text]
  return readdirSync(source.text)
    .filter(name => anyName || formatOf(name) !== undefined)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(name => join(source.text, name))
    .filter(path => statSync(path).isFile())
}

function formatOf(path: string): ConfigFormat | undefined {
  return path.endsWith('.json') ? 'json' : path.endsWith('.hcl') ? 'hcl' : undefined
}

function readText(path: string): string {
  const {size} = statSync(path)
  if (size > FILE_BYTES_MAX) throw new Error('the file is too large')
  return readFileSync(path, 'utf8')
}

function reason(error: unknown): string {
  const {code, message} = error as NodeJS.ErrnoException
  return code === 'ENOENT' ? 'there is no such file' : (code ?? message)
}
