import {hostname, networkInterfaces} from 'node:os'
import {resolve} from 'node:path'
import {parseAgentFlags} from '../core/codec/agent-command-line.js'
import {AgentSettings} from '../core/codec/agent-config.js'
import {QuorateError} from '../errors.js'
import {readConfigFiles} from './config-files.js'
import type {AgentOptions} from './options.js'
import type {InterfaceAddress} from './resolve-addresses.js'
import {resolveOptions} from './resolve-options.js'

/** Options, and what a person should know about them. */
export interface LoadedOptions {
  readonly options: AgentOptions
  readonly warnings: readonly string[]
}

/**
 * Reads an agent's flags and config files, again at every reload. Throws AGENT_CONFIG_INVALID with everything that is
 * wrong. `devDir` is where an agent that keeps nothing works; it is asked for once, and only by `-dev`.
 */
export function loadAgentOptions(argv: readonly string[], devDir: () => string): LoadedOptions {
  const line = parseAgentFlags(argv)
  const files = readConfigFiles(line)
  refuse([...line.problems, ...files.problems])
  const settings = new AgentSettings([...line.lists, ...files.settings, ...line.values])
  const mode = {
    dev: line.dev,
    devDir: line.dev ? devDir() : '',
    peerFilter: line.peerFilter,
    sources: files.files,
  }
  const resolved = resolveOptions(settings, mode, {
    hostname: hostname(),
    interfaces: interfaceAddresses(),
    absolute: path => resolve(path),
  })
  refuse(resolved.problems)
  return {
    options: resolved.options,
    warnings: [...line.warnings, ...files.warnings, ...resolved.warnings],
  }
}

function refuse(problems: readonly string[]): void {
  const [first, ...rest] = problems
  if (first === undefined) return
  const more = rest.length === 0 ? '' : ` (and ${rest.length} more)`
  const sentence = /[.?]$/.test(first) && more === '' ? first : `${first.replace(/\.$/, '')}${more}.`
  throw new QuorateError('AGENT_CONFIG_INVALID', sentence, {
    hints: rest.slice(0, 10),
    details: {problems},
  })
}

function interfaceAddresses(): readonly InterfaceAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? []).filter(one => !one.internal).map(({address}) => ({name, address})),
  )
}
