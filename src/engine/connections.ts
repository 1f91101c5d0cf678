import type {Connector, HostConnection, HostTarget} from '../ports/transport.js'

/** What came of reaching a host: the answer of the connector. */
export type Reached = Awaited<ReturnType<Connector['connect']>>

/** Why a host could not be reached, with its code and what the operator may type. */
export type NotReached = Extract<Reached, {readonly kind: 'unread'}>

/**
 * One connection to each host for a whole command. Observing, applying and verifying all go through the same one;
 * a host that could not be reached, or whose connection was given up, is tried anew when it is next asked for.
 */
export class Connections {
  private readonly opening = new Map<string, Promise<Reached>>()
  private readonly ready = new Map<string, HostConnection>()
  /** Why hosts were not reached when they were last tried, by host. */
  readonly refusals = new Map<string, NotReached>()

  constructor(private readonly connector: Connector) {}

  /** The connection to a host, opened when there is none yet. */
  async reach(target: HostTarget): Promise<Reached> {
    const known = this.opening.get(target.host)
    if (known !== undefined) return known
    const opening = this.connector.connect(target)
    this.opening.set(target.host, opening)
    const reached = await opening
    const isOurs = this.opening.get(target.host) === opening
    if (reached.kind === 'unread') {
      this.refusals.set(target.host, reached)
      if (isOurs) this.opening.delete(target.host)
    } else if (isOurs) {
      this.refusals.delete(target.host)
      this.ready.set(target.host, reached.connection)
    }
    // It was given up while it was opened.
    else await closeQuietly(reached.connection)
    return reached
  }

  /** Closes the connection to a host and forgets it: after it was lost, or when it no longer answers. */
  async drop(host: string): Promise<void> {
    const connection = this.ready.get(host)
    this.opening.delete(host)
    this.ready.delete(host)
    if (connection !== undefined) await closeQuietly(connection)
  }

  /** Closes all connections. Does not wait for one that is still being opened; that is closed when it stands. */
  async close(): Promise<void> {
    const all = [...this.ready.values()]
    this.ready.clear()
    this.opening.clear()
    await Promise.all(all.map(closeQuietly))
  }
}

/** A connection that breaks while it is closed is closed as well. */
async function closeQuietly(connection: HostConnection): Promise<void> {
  await Promise.allSettled([connection.close()])
}
