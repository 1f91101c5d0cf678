// The composition root: the only file that names concrete adapters. All of them are loaded when first needed, so that
// --help and --version stay light.
import {createHash} from 'node:crypto'
import {hostname, userInfo} from 'node:os'
import type {ProductName} from './core/model/observation.js'
import type {HostSettings, Inventory} from './core/model/inventory.js'
import type {Connections} from './engine/connections.js'
import type {NamedFleet} from './engine/name-fleet.js'
import type {Plan} from './core/model/plan.js'
import type {FleetTarget} from './engine/fleet-target.js'
import type {Session} from './engine/session.js'
import type {HostActionsMaker} from './ports/host-actions.js'
import type {JournalStore} from './ports/journal-store.js'
import {QuorateError} from './errors.js'
import type {FleetFlagValues} from './fleet-flags.js'
import type {Terminal} from './ui/terminal.js'

/** A session and the way to end it. */
export interface Opened {
  readonly session: Session
  close(): Promise<void>
}

/** SHA-256 as lower-case hex. */
export function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex')
}

/** oclif gives a plain text where a flag that may be repeated was set by its environment variable. */
function listed(value: readonly string[] | string | undefined): readonly string[] | undefined {
  return typeof value === 'string' ? value.split(',').filter(one => one !== '') : value
}

/** Paths on hosts: relative to what, nobody could say. */
function absolute(flag: string, path: string | undefined): string | undefined {
  if (path === undefined || path.startsWith('/')) return path
  throw new QuorateError(
    'USAGE',
    `--${flag} takes an absolute path on the hosts, not '${path.slice(0, 80)}'.`,
  )
}

function settingsFromFlags(flags: FleetFlagValues): HostSettings {
  const password = flags['sudo-password-env']
  const tokenEnv = flags['token-env']
  const tokenFile = flags['token-file']
  return {
    transport: flags.transport as HostSettings['transport'],
    user: flags.user,
    port: flags.port,
    identityFiles: listed(flags.identity),
    jump: listed(flags.jump),
    knownHostsFiles: listed(flags['known-hosts']),
    sudo: flags.sudo,
    sudoPassword:
      flags['ask-sudo-password'] === true ? 'ask' : password === undefined ? undefined : {env: password},
    dataDir: absolute('data-dir', flags['data-dir']),
    configDir: absolute('config-dir', flags['config-dir']),
    service: flags.unit === undefined ? undefined : {unit: flags.unit},
    http: flags.http,
    token:
      tokenEnv === undefined ? (tokenFile === undefined ? undefined : {file: tokenFile}) : {env: tokenEnv},
  }
}

const REACH_FLAGS = [
  'inventory',
  'product',
  'transport',
  'user',
  'port',
  'identity',
  'jump',
  'known-hosts',
  'sudo-password-env',
  'data-dir',
  'config-dir',
  'unit',
  'http',
  'token-env',
  'token-file',
] as const

/** The flags on how hosts are reached, as they would be typed again; what an environment variable says it says again. */
function typedFlags(flags: FleetFlagValues): readonly string[] {
  const words = REACH_FLAGS.flatMap(name => {
    const value = flags[name]
    const fromEnvironment = process.env[`QUORATE_${name.toUpperCase().replaceAll('-', '_')}`] !== undefined
    if (value === undefined || fromEnvironment) return []
    const values = typeof value === 'object' ? value : [value]
    return values.flatMap(one => [`--${name}`, String(one)])
  })
  const sudo = flags.sudo === undefined ? [] : [flags.sudo ? '--sudo' : '--no-sudo']
  return [...words, ...sudo, ...(flags['ask-sudo-password'] === true ? ['--ask-sudo-password'] : [])]
}

/** The inventory that flags mean. A local cluster is known by its name where the inventory has none of that name. */
async function loadInventory(
  flags: FleetFlagValues,
  cluster: string | undefined,
): Promise<Inventory | undefined> {
  const {findInventory, readInventory} = await import('./adapters/inventory-file.js')
  if (flags.inventory === undefined) {
    const found = findInventory(process.env, process.cwd())
    const inventory = found === undefined ? undefined : await readInventory(found)
    if (cluster === undefined || inventory?.clusters.some(one => one.name === cluster) === true)
      return inventory
    return (await loadLocalCluster(cluster)) ?? inventory
  }
  const {isAnsibleInventory, readAnsibleInventory} = await import('./adapters/ansible-inventory.js')
  return (await isAnsibleInventory(flags.inventory))
    ? readAnsibleInventory(flags.inventory)
    : readInventory(flags.inventory)
}

async function loadLocalCluster(name: string): Promise<Inventory | undefined> {
  const [{localClusterInventory}, {clustersDirectory, clusterDirectory, isClusterName}, {noteCommand}] =
    await Promise.all([
      import('./cluster/inventory.js'),
      import('./cluster/state.js'),
      import('./cluster/command-record.js'),
    ])
  if (isClusterName(name)) noteCommand(clusterDirectory(process.env, name))
  const local = isClusterName(name) ? await localClusterInventory(process.env, name) : undefined
  return local === undefined ? undefined : {path: clustersDirectory(process.env), clusters: [local]}
}

/** Names the fleet that flags and arguments mean, without touching a host. */
export async function nameFleetFrom(flags: FleetFlagValues, hosts: readonly string[]): Promise<NamedFleet> {
  const {nameFleet} = await import('./engine/name-fleet.js')
  const wildcard = hosts.some(host => /[*?]/.test(host))
  const sshConfigHosts = wildcard
    ? await (await import('./adapters/ssh-config-hosts.js')).sshConfigHosts()
    : []
  return nameFleet(
    {
      hosts,
      cluster: flags.cluster,
      product: flags.product as ProductName | undefined,
      settings: settingsFromFlags(flags),
      connectTimeoutMs: Math.min(flags.timeout, 10) * 1000,
      sshConfigHosts,
      typed: typedFlags(flags),
    },
    await loadInventory(flags, flags.cluster),
  )
}

/** Opens a session on the fleet that flags and arguments name. Close it in any case: connections stay open until then. */
export async function openSession(
  flags: FleetFlagValues,
  hosts: readonly string[],
  terminal: Terminal,
): Promise<Opened> {
  const named = await nameFleetFrom(flags, hosts)
  return openNamedSession(flags, named, terminal)
}

/**
 * Begins to connect while the rest of the program is still being loaded. Not where a token is to be read first: one
 * that is missing ends the command before any host is reached.
 */
function reachAhead(connections: Connections, {fleet}: NamedFleet, parallel: number): void {
  if (fleet.members.some(({overrides}) => overrides.token !== undefined)) return
  // Whoever asks for the connection is told how it failed
  for (const {target} of fleet.members.slice(0, parallel)) connections.reach(target).catch(() => undefined)
}

/** Opens a session on a fleet that is already named, for example by a plan. */
export async function openNamedSession(
  flags: FleetFlagValues,
  named: NamedFleet,
  terminal: Terminal,
): Promise<Opened> {
  const [{Connections}, {makeConnector}, {makePrompt}] = await Promise.all([
    import('./engine/connections.js'),
    import('./adapters/transport/connector.js'),
    import('./ui/prompts.js'),
  ])
  const prompt = makePrompt(terminal.canAsk)
  const connector = makeConnector({
    ask: terminal.canAsk ? async question => prompt.password(question) : undefined,
    env: process.env,
  })
  const connections = new Connections(connector)
  reachAhead(connections, named, flags.parallel)
  const [{Session}, {makeHttpClient}, {makeSecrets}, {systemClock}] = await Promise.all([
    import('./engine/session.js'),
    import('./adapters/http.js'),
    import('./adapters/secrets.js'),
    import('./adapters/system-clock.js'),
  ])
  const http = makeHttpClient()
  const session = new Session(
    {
      collect: {
        connections,
        http,
        clock: systemClock,
        sha256,
        secrets: makeSecrets(process.env),
      },
      options: {parallel: flags.parallel, hostMs: flags.timeout * 1000},
      discover: flags.discover === true,
      journal: lateJournal(),
      prompt,
      sha256Text: sha256,
      by: `${userInfo().username}@${hostname()}`,
    },
    named,
  )
  return {
    session,
    close: async () => {
      await http.close()
      await connections.close()
      await connector.close()
    },
  }
}

/** The journals of this machine, opened when first used: most looks need none. */
function lateJournal(): JournalStore {
  let opening: Promise<JournalStore> | undefined
  const journal = async (): Promise<JournalStore> =>
    (opening ??= openJournal().then(({deps}) => deps.journal))
  return {
    savePlan: async plan => (await journal()).savePlan(plan),
    loadPlan: async id => (await journal()).loadPlan(id),
    append: async entry => (await journal()).append(entry),
    entries: async id => (await journal()).entries(id),
    list: async skipped => (await journal()).list(skipped),
    lock: async id => (await journal()).lock(id),
  }
}

/** The journals of this machine, for commands that reach no host. */
export async function openJournal(): Promise<{readonly deps: {readonly journal: JournalStore}}> {
  const {JournalFile, journalDirectory} = await import('./adapters/journal-file.js')
  return {deps: {journal: new JournalFile(journalDirectory(process.env))}}
}

/** A plan from a file. Throws PLAN_UNREADABLE. */
export async function loadPlan(path: string): Promise<Plan> {
  const {loadPlanFile} = await import('./adapters/plan-file.js')
  return loadPlanFile(path)
}

/** Saves a plan for review. */
export async function savePlan(path: string, plan: Plan): Promise<void> {
  const {savePlanFile} = await import('./adapters/plan-file.js')
  await savePlanFile(path, plan)
}

/** Opens a session on the hosts of a plan: those of its cluster in the inventory, else those that it names. */
export async function openPlanSession(
  flags: FleetFlagValues,
  plan: Plan,
  terminal: Terminal,
): Promise<Opened> {
  const known =
    (await loadInventory(flags, flags.cluster ?? plan.cluster))?.clusters.some(
      cluster => cluster.name === plan.cluster,
    ) === true
  const named = {...flags, product: flags.product ?? plan.product}
  if (flags.cluster !== undefined || known)
    return openSession({...named, cluster: flags.cluster ?? plan.cluster}, [], terminal)
  return openSession(
    {...named, cluster: undefined},
    plan.hosts.map(host => host.host),
    terminal,
  )
}

/** Of a local cluster every file is ours; a system without ids has none that could differ. */
function ownIds(): {readonly uid: number; readonly gid: number} {
  return {uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0}
}

/** Makes what a plan does on hosts: deeds by script and by the service manager that the plan names for the host. */
export async function hostActionsMaker(fleet: FleetTarget): Promise<HostActionsMaker> {
  const [{makeHostActions}, {serviceManagerFor}] = await Promise.all([
    import('./adapters/host-actions.js'),
    import('./adapters/service/index.js'),
  ])
  const isLocal = fleet.members.some(({target}) => target.ownDirectory !== undefined)
  const clusterManager = isLocal
    ? (await import('./cluster/service-manager.js')).clusterServiceManager(process.env)
    : undefined
  return ({connection, host, holder, questions}) => {
    if (host.service === undefined) return undefined
    const {manager, unit} = host.service
    const known = manager === 'cluster' ? clusterManager : serviceManagerFor(manager)
    if (known === undefined) return undefined
    const member = fleet.members.find(({target}) => target.host === host.host)
    const custom = member?.overrides.customService
    return makeHostActions({
      connection,
      host,
      holder,
      questions,
      manager: known,
      ...(member?.target.ownDirectory === undefined ? {} : {shared: ownIds()}),
      unit: custom === undefined ? {manager, unit} : {manager, unit, custom},
    })
  }
}
