import type {ProductName, ServiceManagerName} from './observation.js'

/** How one host is reached and what is overridden there; every field may be left to detection. */
export interface HostSettings {
  readonly transport?: 'local' | 'ssh' | 'openssh' | undefined
  readonly address?: string | undefined
  readonly user?: string | undefined
  readonly port?: number | undefined
  readonly identityFiles?: readonly string[] | undefined
  readonly jump?: readonly string[] | undefined
  readonly knownHostsFiles?: readonly string[] | undefined
  readonly sudo?: boolean | undefined
  readonly sudoPassword?: {readonly env: string} | {readonly file: string} | 'ask' | undefined
  readonly dataDir?: string | undefined
  readonly configDir?: string | undefined
  readonly logFile?: string | undefined
  /** Set for a server of a local cluster: see `HostTarget`. */
  readonly ownDirectory?: string | undefined
  readonly service?:
    | {
        readonly manager?: ServiceManagerName | undefined
        readonly unit?: string | undefined
        readonly custom?:
          | {
              readonly status: readonly string[]
              readonly start: readonly string[]
              readonly stop: readonly string[]
            }
          | undefined
      }
    | undefined
  /** `host:port`, `http(s)://host:port` or `unix:///path`, as seen from the host itself. */
  readonly http?: string | undefined
  readonly token?: {readonly env: string} | {readonly file: string} | undefined
  readonly tls?:
    | {
        readonly ca?: string | undefined
        readonly certificate?: string | undefined
        readonly key?: string | undefined
        readonly serverName?: string | undefined
      }
    | undefined
}

/** One host of a cluster: the name the operator uses, and its settings with all defaults merged in. */
export interface InventoryHost {
  readonly name: string
  readonly settings: HostSettings
}

export interface InventoryCluster {
  readonly name: string
  readonly product: ProductName
  readonly hosts: readonly InventoryHost[]
}

/** The clusters an operator looks after, from `quorate.yaml` or an Ansible inventory. */
export interface Inventory {
  readonly path: string
  readonly clusters: readonly InventoryCluster[]
}

/** Merges settings, the later ones winning field by field. */
export function mergeSettings(...layers: readonly HostSettings[]): HostSettings {
  const merged: Record<string, unknown> = {}
  for (const layer of layers) {
    for (const [key, value] of Object.entries(layer)) if (value !== undefined) merged[key] = value
  }
  return merged as HostSettings
}
