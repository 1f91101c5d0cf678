import type {HostSettings, Inventory, InventoryCluster} from '../core/model/inventory.js'
import {mergeSettings} from '../core/model/inventory.js'
import type {ProductName} from '../core/model/observation.js'
import {QuorateError} from '../errors.js'
import type {ForwardTarget} from '../ports/transport.js'
import type {FleetMember, FleetTarget} from './fleet-target.js'

/** What the operator typed to name a fleet. */
export interface FleetWords {
  readonly hosts: readonly string[]
  readonly cluster: string | undefined
  readonly product: ProductName | undefined
  /** Settings from flags; they win over the inventory. */
  readonly settings: HostSettings
  readonly connectTimeoutMs: number
  /** Names of hosts that ssh_config lists, for arguments with wildcards. */
  readonly sshConfigHosts: readonly string[]
  /** Flags that were typed to say how hosts are reached, to complete the commands that we print. */
  readonly typed: readonly string[]
}

/** A named fleet, and where the names came from. `local` means that nothing was named: look at this machine. */
export interface NamedFleet {
  readonly fleet: FleetTarget
  readonly origin: 'arguments' | 'inventory' | 'local'
  /** Whether the operator or the inventory gave the cluster its name. */
  readonly clusterNamed: boolean
  /** Arguments that name the same fleet again, for commands we print. */
  readonly invocation: readonly string[]
  /** Of these, the flags that say how hosts are reached: for commands that know the fleet by their plan. */
  readonly reach: readonly string[]
}

/** `user@host:port`, `[v6]:port`, or a plain name. Throws USAGE for what cannot be a host. */
export function parseHostWord(word: string): {name: string; settings: HostSettings} {
  const match =
    /^(?:([^@\s]+)@)?(?:\[([0-9a-fA-F:.%]+)\]|([^\s:@[\]/]+)|([0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*))(?::(\d{1,5}))?$/.exec(
      word,
    )
  const address = match?.[2] ?? match?.[3] ?? match?.[4]
  const port = match?.[5] === undefined ? undefined : Number(match[5])
  if (
    match === null ||
    address === undefined ||
    address.startsWith('-') ||
    (port !== undefined && (port < 1 || port > 65535))
  ) {
    throw new QuorateError(
      'USAGE',
      `'${word.slice(0, 80)}' is not a host: host, user@host or user@host:port is.`,
    )
  }
  return {name: address, settings: {address, user: match[1], port}}
}

/** Where an API listens, from `host:port`, a URL or `unix:///path`. Throws USAGE. */
export function parseHttpWord(word: string): {target: ForwardTarget; tls: boolean} {
  if (word.startsWith('unix://'))
    return {target: {kind: 'unix', path: word.slice('unix://'.length)}, tls: false}
  const match = /^(?:(https?):\/\/)?(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+)):(\d{1,5})\/?$/.exec(word)
  const host = match?.[2] ?? match?.[3]
  if (match === null || host === undefined || Number(match[4]) > 65535) {
    throw new QuorateError(
      'USAGE',
      `'${word.slice(0, 80)}' is not an HTTP address: host:port, https://host:port or unix:///path is.`,
    )
  }
  return {target: {kind: 'tcp', host, port: Number(match[4])}, tls: match[1] === 'https'}
}

function memberOf(name: string, settings: HostSettings, connectTimeoutMs: number): FleetMember {
  const http = settings.http === undefined ? undefined : parseHttpWord(settings.http)
  const tls = settings.tls
  return {
    target: {
      host: name,
      address: settings.address ?? name,
      port: settings.port,
      transport: settings.transport ?? 'ssh',
      user: settings.user,
      identityFiles: settings.identityFiles ?? [],
      jump: settings.jump ?? [],
      knownHostsFiles: settings.knownHostsFiles ?? [],
      sudo: settings.sudo,
      sudoPassword: settings.sudoPassword,
      connectTimeoutMs,
      ownDirectory: settings.ownDirectory,
    },
    overrides: {
      dataDir: settings.dataDir,
      configDir: settings.configDir,
      unit: settings.service?.unit,
      serviceManager:
        settings.service?.manager ?? (settings.service?.custom === undefined ? undefined : 'custom'),
      customService: settings.service?.custom,
      http: http?.target,
      token: settings.token,
      tls:
        http?.tls === true || tls !== undefined
          ? {
              caFile: tls?.ca,
              certFile: tls?.certificate,
              keyFile: tls?.key,
              serverName: tls?.serverName,
              verify: true,
            }
          : undefined,
      logFile: settings.logFile,
    },
  }
}

/** `*` and `?` as ssh_config and shells mean them. */
function matchesWildcard(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`).test(name)
}

function chooseCluster(words: FleetWords, inventory: Inventory): InventoryCluster {
  const names = inventory.clusters.map(cluster => cluster.name)
  if (words.cluster !== undefined) {
    const found = inventory.clusters.find(cluster => cluster.name === words.cluster)
    if (found !== undefined) return found
    throw new QuorateError(
      'CLUSTER_UNKNOWN',
      `${inventory.path} has no cluster '${words.cluster}'; it has ${names.join(', ')}.`,
    )
  }
  const [only, ...more] = inventory.clusters
  if (only !== undefined && more.length === 0) return only
  throw new QuorateError(
    'CLUSTER_AMBIGUOUS',
    `${inventory.path} has ${names.length} clusters and none was named: ${names.join(', ')}.`,
    {
      hints: names.slice(0, 3).map(name => `--cluster ${name}`),
    },
  )
}

/** The settings the inventory has for a host that was named as an argument. */
function fromInventory(
  name: string,
  inventory: Inventory | undefined,
  cluster: string | undefined,
): {name: string; settings: HostSettings; cluster: InventoryCluster} | undefined {
  for (const candidate of inventory?.clusters ?? []) {
    if (cluster !== undefined && candidate.name !== cluster) continue
    const host = candidate.hosts.find(one => one.name === name || one.settings.address === name)
    if (host !== undefined) return {...host, cluster: candidate}
  }
  return undefined
}

/**
 * Turns what the operator typed into a fleet. Hosts as arguments win; else the cluster named or the only one of the
 * inventory; else this machine. Throws USAGE, CLUSTER_UNKNOWN or CLUSTER_AMBIGUOUS.
 */
export function nameFleet(words: FleetWords, inventory: Inventory | undefined): NamedFleet {
  if (words.hosts.length > 0) return fromArguments(words, inventory)
  if (inventory !== undefined) {
    const cluster = chooseCluster(words, inventory)
    const members = cluster.hosts.map(host =>
      memberOf(host.name, mergeSettings(host.settings, words.settings), words.connectTimeoutMs),
    )
    return {
      fleet: {cluster: cluster.name, product: words.product ?? cluster.product, members},
      origin: 'inventory',
      clusterNamed: true,
      invocation: ['--cluster', cluster.name, ...words.typed],
      reach: words.typed,
    }
  }
  if (words.cluster !== undefined) {
    throw new QuorateError(
      'INVENTORY_NOT_FOUND',
      `Cluster '${words.cluster}' was named, but there is no inventory.`,
      {
        hints: ['write quorate.yaml here, or name the hosts: quorate doctor HOST…'],
      },
    )
  }
  const settings = mergeSettings({transport: 'local'}, words.settings)
  return {
    fleet: {
      cluster: 'local',
      product: words.product ?? 'consul',
      members: [memberOf('localhost', {...settings, address: '127.0.0.1'}, words.connectTimeoutMs)],
    },
    origin: 'local',
    clusterNamed: false,
    invocation: words.typed,
    reach: words.typed,
  }
}

function fromArguments(words: FleetWords, inventory: Inventory | undefined): NamedFleet {
  const members = new Map<string, FleetMember>()
  let cluster: InventoryCluster | undefined
  const add = (name: string, settings: HostSettings): void => {
    if (!members.has(name)) members.set(name, memberOf(name, settings, words.connectTimeoutMs))
  }
  for (const word of words.hosts) {
    const known = fromInventory(word, inventory, words.cluster)
    if (known !== undefined) {
      cluster ??= known.cluster
      add(known.name, mergeSettings(known.settings, words.settings))
      continue
    }
    if (/[*?]/.test(word)) {
      const names = words.sshConfigHosts.filter(name => matchesWildcard(word, name))
      if (names.length === 0)
        throw new QuorateError('USAGE', `No Host of the ssh configuration matches '${word.slice(0, 80)}'.`)
      for (const name of names) add(name, words.settings)
      continue
    }
    const {name, settings} = parseHostWord(word)
    add(name, mergeSettings(words.settings, settings))
  }
  return {
    fleet: {
      cluster: words.cluster ?? cluster?.name ?? [...members.keys()][0] ?? 'cluster',
      product: words.product ?? cluster?.product ?? 'consul',
      members: [...members.values()],
    },
    origin: 'arguments',
    clusterNamed: (words.cluster ?? cluster?.name) !== undefined,
    invocation: [...words.hosts, ...words.typed],
    reach: words.typed,
  }
}
