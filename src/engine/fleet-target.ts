import type {ProductName, ServiceManagerName} from '../core/model/observation.js'
import type {HttpTls} from '../ports/http.js'
import type {SecretSource} from '../ports/secrets.js'
import type {ServiceUnit} from '../ports/service-manager.js'
import type {ForwardTarget, HostTarget} from '../ports/transport.js'

/** What the operator says about one server; undefined means: find out. What is said is not looked for. */
export interface ServerOverrides {
  readonly dataDir?: string | undefined
  /** A configuration file or directory; instead of those on the command line of the server. */
  readonly configDir?: string | undefined
  readonly unit?: string | undefined
  readonly serviceManager?: ServiceManagerName | undefined
  /** The commands of a `custom` service manager, with `{unit}` as the only placeholder. */
  readonly customService?: ServiceUnit['custom'] | undefined
  /** Where the HTTP API listens, as seen from the host: TCP or a unix socket. */
  readonly http?: ForwardTarget | undefined
  readonly token?: SecretSource | undefined
  /** Set when the API is asked over TLS. */
  readonly tls?: HttpTls | undefined
  readonly logFile?: string | undefined
}

/** One server of a fleet: how to reach its host, and what the operator says about it. */
export interface FleetMember {
  readonly target: HostTarget
  readonly overrides: ServerOverrides
}

/** The servers of one cluster as the operator names them: what `collect` looks at. */
export interface FleetTarget {
  readonly cluster: string
  readonly product: ProductName
  readonly members: readonly FleetMember[]
}
