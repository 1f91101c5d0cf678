import type {AgentOptions, Listener} from '../../agent/options.js'
import {printable} from '../../core/text.js'

/** What an agent says of itself when it has started, before its log, in the order of Consul's start lines. */
export function renderAgentStart(options: AgentOptions, nodeId: string, version: string): string {
  const {addresses, ports, bootstrap, server} = options
  const port = (name: string, value: number): string => `${name}: ${value}`
  const rows: readonly (readonly [string, string])[] = [
    ['Version', `quorate ${version}`],
    ['Node ID', nodeId],
    ['Node name', options.nodeName],
    ['Datacenter', options.datacenter],
    ['Server', `${server} (Bootstrap: ${bootstrap})`],
    ...(server ? [['Raft protocol', String(options.raft.protocol)] as const] : []),
    ['Client Addr', `[${addresses.http.map(spoken).join(' ')}] (${port('HTTP', ports.http)})`],
    [
      'Cluster Addr',
      `${addresses.advertise} (${[port('LAN', ports.serfLan), port('WAN', ports.serfWan), port('RPC', ports.server)].join(', ')})`,
    ],
    ['Encrypt', `Gossip: ${options.encryption.key !== undefined}`],
    ['Data', options.dev ? 'none is kept' : options.dataDir],
    ...options.sources.map(source => ['Config', source] as const),
  ]
  const lines = rows.map(([name, value]) => `${name.padStart(18)}: ${printable(value, 300)}`)
  return [
    '==> Starting quorate agent...',
    ...lines,
    '',
    '==> Log data will now stream in as it occurs:',
    '',
    '',
  ].join('\n')
}

function spoken(listener: Listener): string {
  return listener.kind === 'unix' ? `unix://${listener.path}` : listener.host
}
