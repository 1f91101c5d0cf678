import type {ServerConfig} from '../model/observation.js'
import {printable} from '../text.js'
import {parseHostPort} from './address.js'
import {consulConfigPaths, parseConsulFlags} from './consul-flags.js'
import type {Flag} from './consul-flags.js'
import {parseHcl1} from './hcl1.js'
import {jsonValue, scanJson} from './json-scan.js'
import {describeProblem, placeOf} from './parse-problem.js'
import type {SettingsLayer, SettingsMap} from './settings.js'
import {LayeredSettings} from './settings.js'
import {atLeast} from './version.js'

/** What a server was started with: its command line and the files that it names, links under the link's name. */
export interface ConsulConfigInput {
  readonly files: readonly {readonly path: string; readonly text: string}[]
  readonly argv: readonly string[]
  readonly version?: string | undefined
}

type Kind = 'text' | 'number' | 'flag' | 'list'

/** Flags and the setting each of them sets (agent/config/flags.go; command/agent/command.go before 1.0). */
const FLAG_SETTINGS: Readonly<Record<string, readonly [key: string, kind: Kind]>> = {
  advertise: ['advertise_addr', 'text'],
  bind: ['bind_addr', 'text'],
  bootstrap: ['bootstrap', 'flag'],
  'bootstrap-expect': ['bootstrap_expect', 'number'],
  client: ['client_addr', 'text'],
  'data-dir': ['data_dir', 'text'],
  datacenter: ['datacenter', 'text'],
  dc: ['datacenter', 'text'],
  encrypt: ['encrypt', 'text'],
  'http-port': ['http_port_flag', 'number'],
  'https-port': ['https_port_flag', 'number'],
  join: ['start_join', 'list'],
  'log-file': ['log_file', 'text'],
  node: ['node_name', 'text'],
  'node-id': ['node_id', 'text'],
  'non-voting-server': ['read_replica', 'flag'],
  'raft-protocol': ['raft_protocol', 'number'],
  'read-replica': ['read_replica', 'flag'],
  rejoin: ['rejoin_after_leave', 'flag'],
  'retry-join': ['retry_join', 'list'],
  'serf-lan-port': ['serf_lan_port_flag', 'number'],
  server: ['server', 'flag'],
  'server-port': ['server_port_flag', 'number'],
}
const FLAG_SOURCE = 'flag'

/**
 * What a Consul server is told by its config files and flags, merged as Consul merges them: files in the order of
 * `-config-file` and `-config-dir`, those of a directory by name, lists appended, scalars overridden, flags last
 * (agent/config/builder.go). Where the command line names no file, all files given are taken in the order given.
 */
export function mergeConsulConfig(input: ConsulConfigInput): ServerConfig {
  const modern = atLeast(input.version, '1.0.0') ?? true
  const problems: string[] = []
  const layers: SettingsLayer[] = []
  for (const file of inMergeOrder(input, modern)) {
    const map = readConfigFile(file, modern)
    if (typeof map === 'string') problems.push(map)
    else layers.push({source: file.path, map})
  }
  const sources = layers.map(layer => layer.source)
  const flags = parseConsulFlags(input.argv)
  // From 1.0 on lists of flags stand before those of files, scalars of flags after (builder.go, newBuilder).
  const {lists, scalars} = flagLayers(flags, problems)
  const settings = new LayeredSettings(
    modern ? [lists, ...layers, scalars] : [...layers, lists, scalars],
    modern,
  )
  const config = readSettings(settings, flags.length > 0 ? [...sources, FLAG_SOURCE] : sources)
  return {...config, problems: [...problems, ...settings.problems]}
}

function inMergeOrder(input: ConsulConfigInput, modern: boolean): ConsulConfigInput['files'] {
  const named = consulConfigPaths(input.argv)
  if (named.length === 0) return input.files
  const ordered: {readonly path: string; readonly text: string}[] = []
  for (const {path} of named) {
    const root = path.replace(/\/+$/, '')
    const itself = input.files.find(file => file.path === path || file.path === root)
    if (itself !== undefined) {
      ordered.push(itself)
      continue
    }
    const inside = input.files.filter(file => {
      const name = file.path.slice(root.length + 1)
      return file.path.startsWith(`${root}/`) && !name.includes('/') && isConfigName(name, modern)
    })
    ordered.push(...inside.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)))
  }
  return ordered
}

/** Whether Consul reads a file of a config directory; HCL came with 1.0. */
function isConfigName(name: string, modern: boolean): boolean {
  return name.endsWith('.json') || (modern && name.endsWith('.hcl'))
}

/** The settings of one file, or a problem. A file that starts with a brace is JSON whatever it is called. */
function readConfigFile(
  file: {readonly path: string; readonly text: string},
  modern: boolean,
): SettingsMap | string {
  if (file.text.trim() === '') return {}
  if (modern && file.path.endsWith('.hcl') && !/^\s*\{/.test(file.text)) {
    const hcl = parseHcl1(file.text, file.path)
    return hcl.ok ? hcl.value : describeProblem(hcl.problem)
  }
  const scan = scanJson(file.text)
  const shownPath = printable(file.path, 200)
  if (!scan.ok)
    return describeProblem({message: scan.message, ...placeOf(file.text, scan.offset), file: shownPath})
  if (scan.node.kind !== 'object') return `${shownPath}:1:1: an object was expected`
  return jsonValue(scan.node) as SettingsMap
}

function flagLayers(
  flags: readonly Flag[],
  problems: string[],
): {readonly lists: SettingsLayer; readonly scalars: SettingsLayer} {
  const lists: Record<string, string[]> = {}
  const scalars: Record<string, unknown> = {}
  for (const {name, value} of flags) {
    const [key, kind] = FLAG_SETTINGS[name] ?? []
    if (key === undefined || kind === undefined) continue
    if (kind === 'list') (lists[key] ??= []).push(value)
    else if (kind === 'text') scalars[key] = value
    else if (kind === 'number' && /^-?\d{1,15}$/.test(value)) scalars[key] = Number(value)
    else if (kind === 'flag' && /^(1|t|T|TRUE|true|True)$/.test(value)) scalars[key] = true
    else if (kind === 'flag' && /^(0|f|F|FALSE|false|False)$/.test(value)) scalars[key] = false
    else problems.push(`-${name} (flag): ${printable(value, 60)} is not of the type expected`)
  }
  return {lists: {source: FLAG_SOURCE, map: lists}, scalars: {source: FLAG_SOURCE, map: scalars}}
}

function readSettings(settings: LayeredSettings, sources: readonly string[]): Omit<ServerConfig, 'problems'> {
  // Up to 0.9 advertise_addrs.rpc overrides the address of the Raft transport, port included.
  const advertised = parseHostPort(settings.text('advertise_addrs.rpc') ?? '')
  const expect = settings.number('bootstrap_expect')
  const bootstrap = settings.flag('bootstrap')
  return {
    sources,
    server: settings.flag('server'),
    nodeName: settings.text('node_name'),
    nodeId: settings.text('node_id'),
    datacenter: settings.text('datacenter'),
    dataDir: settings.text('data_dir'),
    bindAddress: settings.text('bind_addr'),
    advertiseAddress: advertised?.host ?? settings.text('advertise_addr', 'advertise_addr_ipv4'),
    clientAddress: settings.text('client_addr'),
    httpAddress: settings.text('addresses.http'),
    ports: {
      server: settings.number('server_port_flag') ?? advertised?.port ?? settings.number('ports.server'),
      serfLan: settings.number('serf_lan_port_flag') ?? settings.number('ports.serf_lan'),
      http: settings.number('http_port_flag') ?? settings.number('ports.http'),
      https: settings.number('https_port_flag') ?? settings.number('ports.https'),
      rpc: settings.number('ports.rpc'),
    },
    bootstrap,
    bootstrapExpect: expect,
    bootstrapSource: bootstrapSource(settings, bootstrap, expect),
    raftProtocol: settings.number('raft_protocol'),
    leaveOnTerminate: settings.flag('leave_on_terminate'),
    skipLeaveOnInterrupt: settings.flag('skip_leave_on_interrupt'),
    rejoinAfterLeave: settings.flag('rejoin_after_leave'),
    retryJoin: settings.list('retry_join'),
    startJoin: settings.list('start_join'),
    nonVoter: settings.flag('non_voting_server', 'read_replica'),
    encrypted: isSet(settings, 'encrypt'),
    tls: usesTls(settings),
    aclEnabled: usesAcl(settings),
    rejoinAgeMaxMs: settings.durationMs('server_rejoin_age_max'),
    performanceMultiplier: settings.number('performance.raft_multiplier'),
    logFile: settings.text('log_file'),
  }
}

function bootstrapSource(
  settings: LayeredSettings,
  bootstrap: boolean | undefined,
  expect: number | undefined,
): string | undefined {
  if (bootstrap === true) return settings.find(['bootstrap'])?.source
  return expect !== undefined && expect > 0 ? settings.find(['bootstrap_expect'])?.source : undefined
}

/** Whether a secret is set; its value is never kept. Undefined when nothing is said. */
function isSet(settings: LayeredSettings, key: string): boolean | undefined {
  const found = settings.find([key])
  return found === undefined ? undefined : found.value !== ''
}

/** Whether servers speak TLS with each other, by the names before and since the `tls` block of 1.12. */
function usesTls(settings: LayeredSettings): boolean | undefined {
  const said = [
    settings.flag('verify_incoming', 'tls.defaults.verify_incoming'),
    settings.flag('verify_outgoing', 'tls.defaults.verify_outgoing'),
    settings.flag('verify_incoming_rpc', 'tls.internal_rpc.verify_incoming'),
    settings.flag('tls.internal_rpc.verify_outgoing'),
    settings.flag('verify_server_hostname', 'tls.internal_rpc.verify_server_hostname'),
  ].filter(value => value !== undefined)
  return said.length === 0 ? undefined : said.includes(true)
}

/** From 1.4 on `acl.enabled`; before, ACLs were on when acl_datacenter named one. */
function usesAcl(settings: LayeredSettings): boolean | undefined {
  const enabled = settings.flag('acl.enabled')
  if (enabled !== undefined) return enabled
  return settings.text('acl_datacenter') === undefined ? undefined : true
}
