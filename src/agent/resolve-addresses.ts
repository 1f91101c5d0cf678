import {isIpAddress, isIpv4} from '../core/codec/address.js'
import type {AgentSettings} from '../core/codec/agent-config.js'
import {printable} from '../core/text.js'
import type {AgentAddresses, AgentPorts, Listener} from './options.js'

/** An address of this machine. */
export interface InterfaceAddress {
  readonly name: string
  readonly address: string
}

/** Takes note of a problem. */
export type Complain = (problem: string) => void

const LOOPBACK = '127.0.0.1'

/** Ports as set, by default Consul's; what is zero or less is off (`-1`). */
export function resolvePorts(settings: AgentSettings, cliByDefault: boolean, complain: Complain): AgentPorts {
  const port = (path: string, byDefault: number, needed = false): number => {
    const value = settings.number(path) ?? byDefault
    if (!Number.isInteger(value) || value > 65_535 || (needed && value < 1)) {
      complain(`${path}: ${value} is not a port${settings.whence(path)}`)
      return byDefault
    }
    return value < 1 ? -1 : value
  }
  if (port('ports.https', -1) !== -1)
    complain(`ports.https is set, and this agent speaks no TLS${settings.whence('ports.https')}`)
  return {
    server: port('ports.server', 8300, true),
    serfLan: port('ports.serf_lan', 8301, true),
    serfWan: port('ports.serf_wan', 8302),
    http: port('ports.http', 8500),
    cli: port('ports.rpc', cliByDefault ? 8400 : -1),
  }
}

/**
 * Where to listen and what to tell others (`builder.build`, agent/config/builder.go), except that an agent which is
 * told nothing listens on loopback. Go-sockaddr templates are known as far as they name a private or an interface's
 * address.
 */
export function resolveAddresses(
  settings: AgentSettings,
  ports: AgentPorts,
  interfaces: readonly InterfaceAddress[],
  complain: Complain,
): AgentAddresses {
  const one = (byDefault: string, ...paths: readonly string[]): string => {
    const text = settings.text(...paths)
    if (text === undefined) return byDefault
    const path = paths.find(name => settings.text(name) !== undefined) ?? ''
    const addresses = expand(text, interfaces)
    if (addresses.length === 1 && addresses[0] !== undefined) return addresses[0]
    const why = addresses.length > 1 ? 'names several addresses' : 'is not an IP address'
    complain(`${path}: '${printable(text, 80)}' ${why}${settings.whence(path)}`)
    return byDefault
  }
  const bind = one(LOOPBACK, 'bind_addr')
  const family = isIpv4(bind) ? 'advertise_addr_ipv4' : 'advertise_addr_ipv6'
  const told = one('', 'advertise_addr', family)
  const advertise = told !== '' ? told : isUnspecified(bind) ? ownAddress(bind, interfaces, complain) : bind
  if (isUnspecified(advertise)) complain('advertise_addr cannot be 0.0.0.0 or ::')
  const advertiseWan = one(advertise, 'advertise_addr_wan', family.replace('addr_', 'addr_wan_'))
  if (isUnspecified(advertiseWan)) complain('advertise_addr_wan cannot be 0.0.0.0 or ::')
  const client = settings.text('client_addr') ?? LOOPBACK
  const listeners = (path: string, port: number): readonly Listener[] =>
    resolveListeners(settings, path, settings.text(path) ?? client, port, interfaces, complain)
  return {
    bind,
    serfLanBind: one(bind, 'serf_lan_bind'),
    serfWanBind: one(bind, 'serf_wan_bind'),
    advertise,
    advertiseWan,
    http: listeners('addresses.http', ports.http),
    cli: listeners('addresses.rpc', ports.cli),
  }
}

/** Whether an address stands for every address of the machine. */
export function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || /^[0:]*$/.test(address)
}

const SOCKET_PATH_BYTES_MAX = 107

function resolveListeners(
  settings: AgentSettings,
  path: string,
  text: string,
  port: number,
  interfaces: readonly InterfaceAddress[],
  complain: Complain,
): readonly Listener[] {
  if (port === -1) return []
  const unix = /^unix:\/\/(.+)$/.exec(text)?.[1]
  if (unix !== undefined) {
    const mode = settings.text('unix_sockets.mode')
    if (mode !== undefined && !/^[0-7]{1,4}$/.test(mode))
      complain("unix_sockets.mode: an octal number such as '0770'")
    // The system would listen under the first part of a longer one, and say nothing
    if (Buffer.byteLength(unix) > SOCKET_PATH_BYTES_MAX)
      complain(
        `${path}: the path of a socket has ${SOCKET_PATH_BYTES_MAX} bytes at most${settings.whence(path)}`,
      )
    return [
      {
        kind: 'unix',
        path: unix,
        mode: mode === undefined ? undefined : parseInt(mode, 8),
        user: settings.text('unix_sockets.user'),
        group: settings.text('unix_sockets.group'),
      },
    ]
  }
  const hosts = expand(text, interfaces)
  if (hosts.length === 0) {
    const from = settings.text(path) === undefined ? 'client_addr' : path
    complain(`${from}: '${printable(text, 80)}' is not an IP address or unix:// path${settings.whence(from)}`)
  }
  return hosts.map(host => ({kind: 'tcp', host, port}))
}

/** The numeric addresses of a text: some separated by spaces, or templates; empty when any is none. */
function expand(text: string, interfaces: readonly InterfaceAddress[]): readonly string[] {
  const filled = text.replace(
    /\{\{\s*(\w+)(?:\s+"([^"]*)")?\s*\}\}/g,
    (whole, name: string, argument?: string) => {
      const found = interfaces.filter(({address, name: of}) => {
        if (name === 'GetPrivateIP') return isPrivate(address)
        return name === 'GetInterfaceIP' && of === argument && isIpv4(address)
      })
      return found[0]?.address ?? whole
    },
  )
  const words = filled.split(/\s+/).filter(word => word !== '')
  const bare = words.map(word => word.replace(/^\[(.*)\]$/, '$1'))
  return bare.every(isIpAddress) ? bare : []
}

/** What others are told by an agent that listens on every address: the machine's only private one. */
function ownAddress(bind: string, interfaces: readonly InterfaceAddress[], complain: Complain): string {
  const four = isIpv4(bind)
  const own = interfaces.filter(({address}) => (four ? isPrivate(address) : isGlobal6(address)))
  const kind = four ? 'private IPv4' : 'public IPv6'
  if (own.length === 1 && own[0] !== undefined) return own[0].address
  const found = own.length === 0 ? `no ${kind} address` : `several ${kind} addresses`
  const list = own
    .map(({address}) => address)
    .slice(0, 8)
    .join(', ')
  complain(`this machine has ${found}${list === '' ? '' : ` (${list})`}: say which with -bind or -advertise`)
  return own[0]?.address ?? LOOPBACK
}

function isPrivate(address: string): boolean {
  return (
    isIpv4(address) &&
    /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(address)
  )
}

function isGlobal6(address: string): boolean {
  return !isIpv4(address) && !/^(::1$|fe[89ab]|ff)/i.test(address)
}
