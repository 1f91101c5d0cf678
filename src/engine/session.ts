import type {FleetObservation} from '../core/model/observation.js'
import {valueOf} from '../core/model/reading.js'
import {QuorateError} from '../errors.js'
import type {JournalStore} from '../ports/journal-store.js'
import type {Prompt} from '../ports/prompt.js'
import type {CollectDeps, CollectedFleet, CollectOptions} from './collect.js'
import {collectFleet, discover} from './collect.js'
import type {FleetTarget} from './fleet-target.js'
import type {NamedFleet} from './name-fleet.js'

/** What one command works with: the fleet it names, the world behind ports, and how to look at the fleet. */
export interface SessionDeps {
  readonly collect: CollectDeps
  readonly options: CollectOptions
  readonly discover: boolean
  readonly journal: JournalStore
  readonly prompt: Prompt
  readonly sha256Text: (text: string) => string
  /** Who runs quorate, `user@machine`: written into journals and locks. */
  readonly by: string
}

/** One run of one command. Connections are kept from the first look to the last and closed at the end. */
export class Session {
  private target: FleetTarget
  private discovered = false

  constructor(
    readonly deps: SessionDeps,
    readonly named: NamedFleet,
  ) {
    this.target = named.fleet
  }

  /** The fleet as it is known now, discovered servers included. */
  get fleet(): FleetTarget {
    return this.target
  }

  /** Looks at the fleet, all of it but `except`. A cluster that only hosts named is called by its datacenter. */
  async observe(
    options: CollectOptions = {},
    except: ReadonlySet<string> = new Set(),
  ): Promise<CollectedFleet> {
    if (this.deps.discover && !this.discovered) {
      this.discovered = true
      this.target = (await discover(this.deps.collect, this.target, this.deps.options)).fleet
    }
    const members = this.target.members.filter(member => !except.has(member.target.host))
    const target = {...this.target, members}
    const collected = await collectFleet(this.deps.collect, target, {...this.deps.options, ...options})
    return this.nameByDatacenter(collected)
  }

  private nameByDatacenter(collected: CollectedFleet): CollectedFleet {
    const {observation} = collected
    if (this.named.origin === 'inventory' || this.named.clusterNamed) return collected
    const name = datacenterOf(observation)
    if (name === undefined) return collected
    this.target = {...this.target, cluster: name}
    return {...collected, observation: {...observation, cluster: name}}
  }

  /**
   * Refuses to go on where not one host was reached: whatever was to be planned, there is nothing to plan with. Hosts
   * that are only partly out of reach are the planner's to judge.
   */
  requireReached(observation: FleetObservation): void {
    const {servers} = observation
    const first = servers[0]
    if (first === undefined || first.reached.kind === 'read') return
    if (servers.some(server => server.reached.kind === 'read')) return
    const refusal = this.deps.collect.connections.refusals.get(first.host)
    const others = servers.length === 1 ? '' : `None of ${servers.length} hosts was reached. `
    const detail = first.reached.detail ?? 'it did not answer'
    throw new QuorateError(
      refusal?.code ?? 'HOST_UNREACHABLE',
      `${others}${first.host} cannot be reached (${first.reached.why}): ${detail.replace(/\.$/, '')}.`,
      {hints: refusal?.hints ?? [], details: {hosts: servers.map(server => server.host)}},
    )
  }

  /** What the operator may type to be let in on hosts that were not reached, a line for each. */
  reachAdvice(): readonly string[] {
    return [...this.deps.collect.connections.refusals].flatMap(([host, {code, hints}]) =>
      hints.map(hint => `${host} (${code}): ${hint}`),
    )
  }

  /** Refuses to go on where nothing was named and this machine runs no server. */
  requireServers(observation: FleetObservation): void {
    if (this.named.origin !== 'local') return
    const server = observation.servers[0]
    const running = (server === undefined ? undefined : valueOf(server.processes)) ?? []
    if (running.length > 0 || server?.files.kind === 'read' || server?.service.kind === 'read') return
    throw new QuorateError(
      'INVENTORY_NOT_FOUND',
      'No host was named, there is no inventory, and this machine runs no server.',
      {
        hints: [
          'quorate doctor HOST…',
          'write quorate.yaml here: man 7 quorate-inventory',
          'quorate doctor --discover HOST',
        ],
      },
    )
  }
}

/** The one datacenter that all servers name, as far as they were read. */
function datacenterOf(fleet: FleetObservation): string | undefined {
  const names = new Set(
    fleet.servers.flatMap(
      server => valueOf(server.api.self)?.datacenter ?? valueOf(server.config)?.datacenter ?? [],
    ),
  )
  return names.size === 1 ? [...names][0] : undefined
}
