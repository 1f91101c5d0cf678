import {Flags} from '@oclif/core'

const GROUP = 'FLEET'

/** Flags that every command about a cluster takes. Each has an environment variable; none takes a secret. */
export const fleetFlags = {
  cluster: Flags.string({
    char: 'c',
    helpGroup: GROUP,
    env: 'QUORATE_CLUSTER',
    helpValue: 'NAME',
    summary: 'Cluster of the inventory.',
  }),
  inventory: Flags.string({
    char: 'i',
    helpGroup: GROUP,
    env: 'QUORATE_INVENTORY',
    helpValue: 'FILE',
    summary: 'Inventory file: quorate.yaml, or an Ansible inventory (INI or YAML).',
  }),
  discover: Flags.boolean({
    helpGroup: GROUP,
    env: 'QUORATE_DISCOVER',
    summary: 'Ask the servers named for the rest of their cluster.',
  }),
  product: Flags.string({
    helpGroup: GROUP,
    env: 'QUORATE_PRODUCT',
    options: ['consul', 'nomad', 'vault', 'rqlite'] as const,
    summary: 'Product, where no inventory says.',
  }),
  transport: Flags.string({
    helpGroup: GROUP,
    env: 'QUORATE_TRANSPORT',
    options: ['local', 'ssh', 'openssh'] as const,
    summary: 'How hosts are reached; openssh runs your own ssh.',
  }),
  user: Flags.string({
    char: 'u',
    helpGroup: GROUP,
    env: 'QUORATE_USER',
    helpValue: 'USER',
    summary: 'Login on the hosts.',
  }),
  port: Flags.integer({helpGroup: GROUP, env: 'QUORATE_PORT', min: 1, max: 65_535, summary: 'Port of sshd.'}),
  identity: Flags.string({
    helpGroup: GROUP,
    env: 'QUORATE_IDENTITY',
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'FILE',
    summary: 'Private key to log in with.',
  }),
  jump: Flags.string({
    char: 'J',
    helpGroup: GROUP,
    env: 'QUORATE_JUMP',
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'HOST',
    summary: 'Host to go through.',
  }),
  'known-hosts': Flags.string({
    helpGroup: GROUP,
    env: 'QUORATE_KNOWN_HOSTS',
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'FILE',
    summary: 'known_hosts file to check host keys against.',
  }),
  sudo: Flags.boolean({
    helpGroup: GROUP,
    allowNo: true,
    env: 'QUORATE_SUDO',
    summary: 'Become root by sudo (default: where we are not root).',
  }),
  'sudo-password-env': Flags.string({
    helpGroup: GROUP,
    env: 'QUORATE_SUDO_PASSWORD_ENV',
    helpValue: 'VARIABLE',
    exclusive: ['ask-sudo-password'],
    summary: 'Environment variable that holds the sudo password.',
  }),
  'ask-sudo-password': Flags.boolean({
    char: 'K',
    helpGroup: GROUP,
    env: 'QUORATE_ASK_SUDO_PASSWORD',
    summary: 'Ask for the sudo password.',
  }),
  'data-dir': Flags.string({
    helpGroup: GROUP,
    env: 'QUORATE_DATA_DIR',
    helpValue: 'DIR',
    summary: 'Data directory on the hosts.',
  }),
  'config-dir': Flags.string({
    helpGroup: GROUP,
    env: 'QUORATE_CONFIG_DIR',
    helpValue: 'DIR',
    summary: 'Configuration directory or file on the hosts.',
  }),
  unit: Flags.string({
    helpGroup: GROUP,
    env: 'QUORATE_UNIT',
    helpValue: 'UNIT',
    summary: 'Unit or service that runs the server.',
  }),
  http: Flags.string({
    helpGroup: GROUP,
    env: 'QUORATE_HTTP',
    helpValue: 'ADDRESS',
    summary: 'HTTP API as seen from the host: host:port, https://host:port or unix:///path.',
  }),
  'token-env': Flags.string({
    helpGroup: GROUP,
    env: 'QUORATE_TOKEN_ENV',
    helpValue: 'VARIABLE',
    exclusive: ['token-file'],
    summary: 'Environment variable that holds the API token.',
  }),
  'token-file': Flags.string({
    helpGroup: GROUP,
    env: 'QUORATE_TOKEN_FILE',
    helpValue: 'FILE',
    summary: 'File that holds the API token.',
  }),
  parallel: Flags.integer({
    helpGroup: GROUP,
    env: 'QUORATE_PARALLEL',
    min: 1,
    max: 512,
    default: 32,
    summary: 'Hosts asked at the same time.',
  }),
  timeout: Flags.integer({
    helpGroup: GROUP,
    env: 'QUORATE_TIMEOUT',
    min: 1,
    max: 600,
    default: 20,
    helpValue: 'SECONDS',
    summary: 'Time for all questions to one host.',
  }),
}

/** Flags that every command takes. */
export const commonFlags = {
  json: Flags.boolean({
    helpGroup: 'GLOBAL',
    summary: 'Print one JSON document instead of a screen, also on failure; ask nothing.',
  }),
  color: Flags.boolean({helpGroup: 'GLOBAL', allowNo: true, default: true, summary: 'Colour on a terminal.'}),
  input: Flags.boolean({
    helpGroup: 'GLOBAL',
    allowNo: true,
    default: true,
    summary: 'Ask questions on a terminal.',
  }),
}

/** The values of `fleetFlags` after parsing, as far as naming a fleet needs them. */
export interface FleetFlagValues {
  readonly cluster?: string | undefined
  readonly inventory?: string | undefined
  readonly discover?: boolean | undefined
  readonly product?: string | undefined
  readonly transport?: string | undefined
  readonly user?: string | undefined
  readonly port?: number | undefined
  readonly identity?: readonly string[] | undefined
  readonly jump?: readonly string[] | undefined
  readonly 'known-hosts'?: readonly string[] | undefined
  readonly sudo?: boolean | undefined
  readonly 'sudo-password-env'?: string | undefined
  readonly 'ask-sudo-password'?: boolean | undefined
  readonly 'data-dir'?: string | undefined
  readonly 'config-dir'?: string | undefined
  readonly unit?: string | undefined
  readonly http?: string | undefined
  readonly 'token-env'?: string | undefined
  readonly 'token-file'?: string | undefined
  readonly parallel: number
  readonly timeout: number
}
