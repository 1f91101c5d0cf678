import type {ServiceManagerName} from '../core/model/observation.js'
import type {HostConnection} from './transport.js'

/** The unit that a manager runs. `custom` carries its own commands, with `{unit}` as the only placeholder. */
export interface ServiceUnit {
  readonly manager: ServiceManagerName
  readonly unit: string
  readonly custom?: {
    readonly status: readonly string[]
    readonly start: readonly string[]
    readonly stop: readonly string[]
  }
}

export interface ServiceResult {
  readonly ok: boolean
  /** One bounded sentence: what was done, that it was so already, or what went wrong in the manager's words. */
  readonly note: string
  /** The connection broke or time ran out, and nobody knows whether it was done. */
  readonly lost?: true
}

/**
 * What a plan asks of a service manager. Every act is safe to run twice. `hold` must keep the manager from
 * starting the server, at once and after a crash of it, without touching enablement on disk; `release` gives the
 * old state back; `held` asks the host whether the hold stands.
 */
export interface ServiceManager {
  readonly name: ServiceManagerName
  hold(connection: HostConnection, unit: ServiceUnit, plan: string): Promise<ServiceResult>
  held(connection: HostConnection, unit: ServiceUnit, plan: string): Promise<boolean>
  release(connection: HostConnection, unit: ServiceUnit, plan: string): Promise<ServiceResult>
  /** Tells the manager that the server is to be down, after `signal` has been seen to; never runs a leaving ExecStop. */
  stop(
    connection: HostConnection,
    unit: ServiceUnit,
    options: {readonly firstSignal: 'SIGTERM' | 'SIGKILL'; readonly graceMs: number},
  ): Promise<ServiceResult>
  start(connection: HostConnection, unit: ServiceUnit): Promise<ServiceResult>
}
