import type {Connector, HostConnection, HostTarget} from '../ports/transport.js'

/** What came of reaching a host: the answer of the connector. */
export type Reached = Awaited<ReturnType<Connector['connect']>>

/**
 * One connection to each host for a whole command. Observing, applying and verifying all go through the same one;
 * a host that could not be reached, or whose connection was given up, is tried anew when it is next asked for.
 */
export class Connections {
  private readonly open = new Map<string, Promise<Reached>>()
  constructor(private readonly connector: Connector) {}

  /** The connection to a host, opened when there is none yet. */
  async reach(target: HostTarget): Promise<Reached> {
    const known = this.open.get(target.host)
    if (known !== undefined) return known
    const opening = this.connector.connect(target)
    this.open.set(target.host, opening)
    const reached = await opening
    if (reached.kind === 'unread' && this.open.get(target.host) === opening) this.open.delete(target.host)
    return reached
  }

  /** Closes the connection to a host and forgets it: after it was lost, or when it no longer answers. */
  async drop(host: string): Promise<void> {
    const known = this.open.get(host)
    this.open.delete(host)
    await known?.then(closeQuietly)
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    const all = [...this.open.values()]
    this.open.clear()
    await Promise.all(all.map(async opening => closeQuietly(await opening)))
  }
}

async function closeQuietly(reached: Reached): Promise<void> {
  if (reached.kind === 'connected') await settle(reached.connection)
}

/** A connection that breaks while it is closed is closed as well. */
async function settle(connection: HostConnection): Promise<void> {
  await Promise.allSettled([connection.close()])
}
