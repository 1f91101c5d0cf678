import type {ProductName} from '../model/observation.js'

/** A product version: numbers, then what stands behind them. */
export interface Version {
  readonly major: number
  readonly minor: number
  readonly patch: number
  /** `dev`, `rc1`, `beta2`: sorts before the release of the same number; empty for a release. */
  readonly prerelease: string
  /** Build metadata such as `ent` or a commit; never compared. */
  readonly build: string
}

const VERSION =
  /^[vV]?(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?(?:\.\d{1,9})*(?:[.-]([A-Za-z0-9][A-Za-z0-9.-]{0,99}))?(?:\+([A-Za-z0-9.-]{1,99}))?$/

/**
 * Reads a version as the products print it: `0.6.4`, `0.6.4.dev`, `v1.16.6+ent`, `1.20.0-rc1`, and the build tag of
 * serf members, `1.8.19:abcdef0`. Undefined for anything else, such as `unknown`.
 */
export function parseVersion(text: string): Version | undefined {
  const trimmed = text.trim()
  const colon = trimmed.indexOf(':')
  const match = VERSION.exec(colon === -1 ? trimmed : trimmed.slice(0, colon))
  if (match === null) return undefined
  const [, major, minor, patch, prerelease, build] = match
  return {
    major: Number(major),
    minor: Number(minor),
    patch: Number(patch ?? 0),
    prerelease: (prerelease ?? '').replace(/^(ent|hsm|fips[\w.]*)$/, ''),
    build: build ?? (colon === -1 ? '' : trimmed.slice(colon + 1, colon + 100)),
  }
}

/**
 * Whether a version is at least `bound`, counting a pre-release as its release, because 1.9.0-rc1 already behaves
 * as 1.9.0. Undefined when the version cannot be read: a rule must not guess.
 */
export function atLeast(version: string | undefined, bound: string): boolean | undefined {
  const a = version === undefined ? undefined : parseVersion(version)
  const b = parseVersion(bound)
  if (a === undefined || b === undefined) return undefined
  return (a.major - b.major || a.minor - b.minor || a.patch - b.patch) >= 0
}

/** Whether a missing peers.info makes the server delete peers.json unread (`setupRaft`: Consul 0.7.0, Nomad 0.5.5). */
export function hasPeersInfoRule(product: ProductName, version: string | undefined): boolean | undefined {
  if (product === 'consul') return atLeast(version, '0.7.0')
  if (product === 'nomad') return atLeast(version, '0.5.5')
  return false
}

/** The Raft protocol a server speaks when nothing is configured; 0 stands for the library before protocols. */
export function defaultRaftProtocol(product: ProductName, version: string | undefined): number | undefined {
  const steps = DEFAULT_PROTOCOLS[product]
  for (const [from, protocol] of steps) {
    if (from === '') return protocol
    const reached = atLeast(version, from)
    if (reached === undefined) return undefined
    if (reached) return protocol
  }
  return undefined
}

/** First version with a default, newest first; an empty version stands for all. */
const DEFAULT_PROTOCOLS: Readonly<Record<ProductName, readonly (readonly [string, number])[]>> = {
  consul: [
    ['1.0.0', 3],
    ['0.8.0', 2],
    ['0.7.0', 1],
    ['0.0.0', 0],
  ],
  nomad: [
    ['1.3.0', 3],
    ['0.5.5', 2],
  ],
  vault: [['', 3]],
  rqlite: [['', 3]],
}

/** Whether the server refuses every Raft protocol but 3 (Consul 1.9, Nomad 1.4; the others never had another). */
export function speaksOnlyProtocol3(product: ProductName, version: string | undefined): boolean | undefined {
  if (product === 'consul') return atLeast(version, '1.9.0')
  if (product === 'nomad') return atLeast(version, '1.4.0')
  return true
}

/** Parts of Consul's HTTP API that came with a version. */
export type ConsulFeature =
  | 'agent-self-stats'
  | 'operator-raft'
  | 'snapshot'
  | 'autopilot'
  | 'peer-removal-by-id'
  | 'agent-metrics'
  | 'rpc-8400'
  | 'stale-refused-when-cold'
  | 'node-id-file'

/** From which version a feature is there and, where it went away, from which it is no more. */
const CONSUL_FEATURES: Readonly<Record<ConsulFeature, readonly [from: string, gone?: string]>> = {
  'agent-self-stats': ['0.7.5'],
  'operator-raft': ['0.7.0'],
  snapshot: ['0.7.1'],
  autopilot: ['0.8.0'],
  'peer-removal-by-id': ['0.8.0'],
  'agent-metrics': ['0.9.1'],
  'rpc-8400': ['0.0.0', '0.8.0'],
  'stale-refused-when-cold': ['1.2.3'],
  'node-id-file': ['0.7.3'],
}

/** Whether a version of Consul has a feature; undefined when the version cannot be read. */
export function consulHas(feature: ConsulFeature, version: string | undefined): boolean | undefined {
  const [from, gone] = CONSUL_FEATURES[feature]
  const reached = atLeast(version, from)
  if (reached !== true || gone === undefined) return reached
  return !(atLeast(version, gone) ?? false)
}
