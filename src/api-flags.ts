import {Flags} from '@oclif/core'

const GROUP = 'API'

/** Flags of every command that asks one agent over its HTTP API. */
export const apiFlags = {
  'http-addr': Flags.string({
    helpGroup: GROUP,
    env: 'QUORATE_HTTP_ADDR',
    helpValue: 'ADDRESS',
    summary:
      'Agent to ask: host:port, https://host:port or unix:///path; CONSUL_HTTP_ADDR counts too, and 127.0.0.1:8500.',
  }),
  cluster: Flags.string({
    char: 'c',
    env: 'QUORATE_CLUSTER',
    helpValue: 'NAME',
    helpGroup: GROUP,
    exclusive: ['http-addr'],
    summary: 'Local cluster whose first agent that answers is asked.',
  }),
  'token-env': Flags.string({
    helpGroup: GROUP,
    env: 'QUORATE_TOKEN_ENV',
    helpValue: 'VARIABLE',
    exclusive: ['token-file'],
    summary: 'Environment variable that holds the API token, instead of CONSUL_HTTP_TOKEN.',
  }),
  'token-file': Flags.string({
    helpGroup: GROUP,
    env: 'QUORATE_TOKEN_FILE',
    helpValue: 'FILE',
    summary: 'File that holds the API token.',
  }),
}

/** The flag of commands that another datacenter can be asked for. */
export const datacenterFlag = {
  datacenter: Flags.string({
    helpGroup: GROUP,
    helpValue: 'NAME',
    summary: 'Datacenter that is meant, by default the agent’s.',
  }),
}

/** The flag of commands that only read. */
export const staleFlag = {
  stale: Flags.boolean({summary: 'Take any server’s word, also where there is no leader.'}),
}

/** The values of `apiFlags` after parsing. */
export interface ApiFlagValues {
  readonly 'http-addr'?: string | undefined
  readonly cluster?: string | undefined
  readonly 'token-env'?: string | undefined
  readonly 'token-file'?: string | undefined
}
