import type {ApiFlagValues} from './api-flags.js'
import {QuorateError} from './errors.js'
import type {AgentApi} from './ports/agent-api.js'

/** Where an agent listens that was told nothing else. */
const DEFAULT_ADDRESS = '127.0.0.1:8500'

/**
 * The agent that flags and environment mean: what stands on the command line, else QUORATE_HTTP_ADDR, else
 * CONSUL_HTTP_ADDR, else this machine's own. Variables of Consul's command line count for the rest too.
 */
export async function openAgentApi(flags: ApiFlagValues): Promise<AgentApi> {
  const {makeAgentApi} = await import('./adapters/agent-api.js')
  const env = (name: string): string | undefined => process.env[name] || undefined
  const addresses = flags.cluster === undefined ? undefined : await clusterAddresses(flags.cluster)
  const secure = /^(1|true)$/i.test(env('CONSUL_HTTP_SSL') ?? '') ? 'https://' : ''
  const named = flags['http-addr'] ?? env('CONSUL_HTTP_ADDR') ?? DEFAULT_ADDRESS
  return makeAgentApi({
    addresses: addresses ?? [/:\/\//.test(named) ? named : `${secure}${named}`],
    token: await tokenFrom(flags, env),
    tls: {
      caFile: env('CONSUL_CACERT'),
      certFile: env('CONSUL_CLIENT_CERT'),
      keyFile: env('CONSUL_CLIENT_KEY'),
      serverName: env('CONSUL_TLS_SERVER_NAME'),
      verify: !/^(0|false)$/i.test(env('CONSUL_HTTP_SSL_VERIFY') ?? ''),
    },
  })
}

async function tokenFrom(
  flags: ApiFlagValues,
  env: (name: string) => string | undefined,
): Promise<string | undefined> {
  const {makeSecrets} = await import('./adapters/secrets.js')
  const secrets = makeSecrets(process.env)
  if (flags['token-env'] !== undefined) return secrets.read({env: flags['token-env']})
  const file = flags['token-file'] ?? env('CONSUL_HTTP_TOKEN_FILE')
  return file === undefined ? env('CONSUL_HTTP_TOKEN') : secrets.read({file})
}

/** The agents of a local cluster, servers first. Throws CLUSTER_UNKNOWN. */
async function clusterAddresses(name: string): Promise<readonly string[]> {
  const {clusterDirectory, readState} = await import('./cluster/state.js')
  const state = await readState(clusterDirectory(process.env, name))
  if (state === undefined)
    throw new QuorateError('CLUSTER_UNKNOWN', `There is no local cluster '${name.slice(0, 60)}'.`, {
      hints: ['quorate cluster up'],
    })
  const clients = state.members.filter(member => member.kind === 'client')
  const servers = state.members.filter(member => member.kind !== 'client')
  return [...servers, ...clients].map(({address}) => `${address}:8500`)
}
