/** Flags of Consul's agent command that take no value of their own (Go's `flag` package: booleans need `=`). */
const BOOLEAN_FLAGS: ReadonlySet<string> = new Set([
  'atlas-join',
  'auto-reload-config',
  'bootstrap',
  'dev',
  'disable-host-node-id',
  'disable-keyring-file',
  'enable-local-script-checks',
  'enable-script-checks',
  'log-json',
  'non-voting-server',
  'read-replica',
  'rejoin',
  'server',
  'syslog',
  'ui',
])

/** A flag as it stands on a command line; a boolean without `=` has the value `true`. */
export interface Flag {
  readonly name: string
  readonly value: string
}

/**
 * The flags of a command line in their order, as Go's `flag` package reads them: `-x v`, `-x=v` and `--x` are the same,
 * a boolean takes a value only after `=`, and the first argument that is no flag ends them. What stands before the
 * first flag (the program, `agent`) is skipped.
 */
export function parseConsulFlags(argv: readonly string[]): readonly Flag[] {
  const flags: Flag[] = []
  let at = argv.findIndex(argument => argument.startsWith('-'))
  for (; at !== -1 && at < argv.length; at++) {
    const match = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(argv[at] ?? '')
    if (match === null) break
    const [, name = '', value] = match
    if (value !== undefined) flags.push({name, value})
    else if (BOOLEAN_FLAGS.has(name)) flags.push({name, value: 'true'})
    else flags.push({name, value: argv[++at] ?? ''})
  }
  return flags
}

/** The files and directories that a command line names for config, in its order. */
export function consulConfigPaths(
  argv: readonly string[],
): readonly {readonly path: string; readonly directory: boolean}[] {
  return parseConsulFlags(argv)
    .filter(({name}) => name === 'config-file' || name === 'config-dir')
    .map(({name, value}) => ({path: value, directory: name === 'config-dir'}))
}
