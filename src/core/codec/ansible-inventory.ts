/** What is in an Ansible inventory, as far as it tells which hosts there are and how they are reached. */
export interface AnsibleInventory {
  /** Hosts by name in the order of the file, each with its variables, those of its groups under its own. */
  readonly hosts: ReadonlyMap<string, AnsibleHost>
  /** Names of the hosts of each group, those of its child groups included; `all` holds every host. */
  readonly groups: ReadonlyMap<string, readonly string[]>
}

/** One host. `variables` holds what was set for it or for its groups, as text. */
export interface AnsibleHost {
  readonly name: string
  readonly variables: ReadonlyMap<string, string>
}

/** How a host is reached, by the names that Ansible has had for these variables. */
export interface AnsibleReach {
  readonly address: string
  readonly port: number | undefined
  readonly user: string | undefined
  readonly identityFile: string | undefined
}

/** What an inventory says of how a host is reached. */
export function ansibleReach(host: AnsibleHost): AnsibleReach {
  const first = (...names: readonly string[]): string | undefined =>
    names.map(name => host.variables.get(name)).find(value => value !== undefined && value !== '')
  const port = first('ansible_port', 'ansible_ssh_port')
  return {
    address: first('ansible_host', 'ansible_ssh_host') ?? host.name,
    port: port !== undefined && /^\d{1,5}$/.test(port) && Number(port) <= 65535 ? Number(port) : undefined,
    user: first('ansible_user', 'ansible_ssh_user'),
    identityFile: first('ansible_ssh_private_key_file', 'ansible_private_key_file'),
  }
}

/** Bounds: more hosts or groups than these are no inventory of servers. */
export const ANSIBLE_HOSTS_MAX = 20_000
const GROUPS_MAX = 2000
const GROUP_DEPTH_MAX = 50

/** Collects groups, hosts and variables in any order and then lays the variables of groups under those of hosts. */
export class AnsibleBuilder {
  private readonly hostVariables = new Map<string, Map<string, string>>()
  private readonly groupHosts = new Map<string, Set<string>>()
  private readonly groupChildren = new Map<string, Set<string>>()
  private readonly groupVariables = new Map<string, Map<string, string>>()

  /** Whether there is more in it than an inventory of servers can have. */
  get full(): boolean {
    return this.hostVariables.size > ANSIBLE_HOSTS_MAX || this.groupHosts.size > GROUPS_MAX
  }

  addHost(group: string, host: string): void {
    if (!this.hostVariables.has(host)) this.hostVariables.set(host, new Map())
    entry(this.groupHosts, group, () => new Set<string>()).add(host)
  }

  addGroup(group: string): void {
    entry(this.groupHosts, group, () => new Set<string>())
  }

  addChild(group: string, child: string): void {
    this.addGroup(group)
    this.addGroup(child)
    entry(this.groupChildren, group, () => new Set<string>()).add(child)
  }

  setHostVariable(host: string, name: string, value: string): void {
    this.hostVariables.get(host)?.set(name, value)
  }

  setGroupVariable(group: string, name: string, value: string): void {
    this.addGroup(group)
    entry(this.groupVariables, group, () => new Map<string, string>()).set(name, value)
  }

  build(): AnsibleInventory {
    const groups = new Map<string, readonly string[]>()
    const depths = this.depths()
    for (const name of this.groupHosts.keys()) {
      groups.set(name, name === 'all' ? [...this.hostVariables.keys()] : [...this.membersOf(name)])
    }
    groups.set('all', [...this.hostVariables.keys()])
    // A child's variables win over its parent's; of groups beside one another the later by name wins.
    const order = [...this.groupHosts.keys()]
      .filter(name => name !== 'all')
      .sort((a, b) => (depths.get(a) ?? 0) - (depths.get(b) ?? 0) || (a < b ? -1 : 1))
    const hosts = new Map<string, AnsibleHost>()
    for (const [name, own] of this.hostVariables) hosts.set(name, {name, variables: new Map(own)})
    const merged = new Map<string, Map<string, string>>()
    for (const name of this.hostVariables.keys())
      merged.set(name, new Map(this.groupVariables.get('all') ?? []))
    for (const group of order)
      for (const member of groups.get(group) ?? [])
        for (const [key, value] of this.groupVariables.get(group) ?? []) merged.get(member)?.set(key, value)
    for (const [name, own] of this.hostVariables) {
      const variables = merged.get(name) ?? new Map<string, string>()
      for (const [key, value] of own) variables.set(key, value)
      hosts.set(name, {name, variables})
    }
    return {hosts, groups}
  }

  /** Hosts of a group and of its children; a circle of groups ends where it closes. */
  private membersOf(group: string): ReadonlySet<string> {
    const members = new Set<string>()
    const seen = new Set<string>()
    const open = [group]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue
      seen.add(next)
      for (const host of this.groupHosts.get(next) ?? []) members.add(host)
      open.push(...(this.groupChildren.get(next) ?? []))
    }
    return members
  }

  /** How deep each group stands below the groups without a parent; a circle ends at the bound. */
  private depths(): ReadonlyMap<string, number> {
    const depths = new Map<string, number>()
    const parents = new Set([...this.groupChildren.values()].flatMap(children => [...children]))
    let level = new Set([...this.groupHosts.keys()].filter(name => name === 'all' || !parents.has(name)))
    for (let depth = 0; level.size > 0 && depth < GROUP_DEPTH_MAX; depth++) {
      const below = new Set<string>()
      for (const name of level) {
        depths.set(name, depth)
        for (const child of this.groupChildren.get(name) ?? []) below.add(child)
      }
      level = below
    }
    return depths
  }
}

function entry<V>(map: Map<string, V>, key: string, make: () => V): V {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}

/**
 * The hosts that a pattern names: `web[1:3]`, `web[01:10:3]`, `db-[a:c].example`. Undefined when a range is not one
 * or names more than allowed.
 */
export function expandHostPattern(pattern: string): readonly string[] | undefined {
  let names: readonly string[] = [pattern]
  for (let rounds = 0; rounds < 8; rounds++) {
    const match = /^([^[\]]*)\[([^[\]]*)\](.*)$/.exec(names[0] ?? '')
    if (match === null) return names.some(name => /[[\]]/.test(name)) ? undefined : names
    const steps = expandRange(match[2] ?? '')
    if (steps === undefined || names.length * steps.length > ANSIBLE_HOSTS_MAX) return undefined
    names = names.flatMap(name => {
      const [, before = '', , after = ''] = /^([^[\]]*)\[([^[\]]*)\](.*)$/.exec(name) ?? []
      return steps.map(step => `${before}${step}${after}`)
    })
  }
  return undefined
}

function expandRange(range: string): readonly string[] | undefined {
  const match = /^(\d{0,9}|[A-Za-z]):(\d{1,9}|[A-Za-z])(?::(\d{1,9}))?$/.exec(range)
  if (match === null) return undefined
  const [, from = '', to = '', stride = '1'] = match
  const step = Number(stride)
  if (step < 1) return undefined
  const steps: string[] = []
  if (/\d/.test(to)) {
    if (from !== '' && !/\d/.test(from)) return undefined
    const width = from.startsWith('0') && from.length > 1 ? from.length : 0
    for (let at = Number(from || 0); at <= Number(to); at += step) {
      if (steps.length >= ANSIBLE_HOSTS_MAX) return undefined
      steps.push(String(at).padStart(width, '0'))
    }
  } else {
    if (!/^[A-Za-z]$/.test(from)) return undefined
    for (let at = from.charCodeAt(0); at <= to.charCodeAt(0); at += step) steps.push(String.fromCharCode(at))
  }
  return steps.length === 0 ? undefined : steps
}
