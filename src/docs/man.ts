/** A flag as oclif's manifest has it, as far as a manual page needs it. */
export interface ManualFlag {
  readonly name: string
  readonly char?: string
  readonly summary?: string
  readonly description?: string
  readonly helpGroup?: string
  readonly helpValue?: string
  readonly env?: string
  readonly type: 'boolean' | 'option'
  readonly allowNo?: boolean
  readonly options?: readonly string[]
  readonly default?: unknown
  readonly hidden?: boolean
}

/** A command as oclif's manifest has it. */
export interface ManualCommand {
  readonly id: string
  readonly summary?: string
  readonly description?: string
  readonly examples?: readonly (string | {readonly command: string; readonly description: string})[]
  readonly flags: Readonly<Record<string, ManualFlag>>
  readonly args: Readonly<
    Record<string, {readonly name: string; readonly description?: string; readonly required?: boolean}>
  >
  readonly strict?: boolean
}

/** One entry of a catalogue page. */
export interface CatalogueEntry {
  readonly name: string
  readonly note: string
  readonly means: string
}

/** Text as roff may take it: backslashes and leading dots would be commands, hyphens would become typographic. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1')
}

const bold = (text: string): string => `\\fB${roff(text)}\\fR`
const italic = (text: string): string => `\\fI${roff(text)}\\fR`

function header(title: string, section: number, version: string): string {
  return `.TH ${roff(title.toUpperCase())} ${section} "" "quorate ${version}" "quorate manual"`
}

function flagEntry(flag: ManualFlag): string[] {
  const value =
    flag.type === 'option'
      ? ` ${italic(flag.helpValue ?? (flag.options === undefined ? 'VALUE' : flag.options.join('|')))}`
      : ''
  const long = flag.allowNo === true ? `--[no-]${flag.name}` : `--${flag.name}`
  const short = flag.char === undefined ? '' : `${bold(`-${flag.char}`)}, `
  const notes = [
    flag.default === undefined || flag.default === false || typeof flag.default === 'object'
      ? ''
      : `Default ${String(flag.default)}.`,
    flag.env === undefined ? '' : `Environment: ${flag.env}.`,
  ].filter(note => note !== '')
  return [
    '.TP',
    `${short}${bold(long)}${value}`,
    roff([flag.summary ?? flag.description ?? '', ...notes].join(' ')),
  ]
}

/** Renders the page of one command. */
export function commandPage(
  command: ManualCommand,
  exits: readonly CatalogueEntry[],
  version: string,
): string {
  const name = `quorate ${command.id.replaceAll(':', ' ')}`
  const args = Object.values(command.args).map(arg => (arg.required === true ? arg.name : `[${arg.name}]`))
  if (command.strict === false) args.push('...')
  const lines = [
    header(name.replaceAll(' ', '-'), 1, version),
    '.SH NAME',
    `${roff(name.replaceAll(' ', '-'))} \\- ${roff(command.summary ?? '')}`,
    '.SH SYNOPSIS',
    `${bold(name)} ${italic([...args, '[FLAGS]'].join(' '))}`,
  ]
  if (command.description !== undefined)
    lines.push('.SH DESCRIPTION', ...command.description.split('\n\n').flatMap(text => ['.PP', roff(text)]))
  if (command.examples !== undefined && command.examples.length > 0) {
    lines.push('.SH EXAMPLES')
    for (const example of command.examples) {
      const text = typeof example === 'string' ? example : example.command
      if (typeof example !== 'string') lines.push('.PP', roff(example.description))
      lines.push(
        '.nf',
        roff(
          text
            .replaceAll('<%= config.bin %>', 'quorate')
            .replaceAll('<%= command.id %>', command.id.replaceAll(':', ' ')),
        ),
        '.fi',
      )
    }
  }
  lines.push('.SH OPTIONS')
  const flags = Object.values(command.flags).filter(flag => flag.hidden !== true)
  const groups = [...new Set(flags.map(flag => flag.helpGroup ?? ''))].sort((a, b) => a.localeCompare(b))
  for (const group of groups) {
    if (group !== '') lines.push(`.SS ${roff(group)}`)
    const own = flags
      .filter(flag => (flag.helpGroup ?? '') === group)
      .sort((a, b) => a.name.localeCompare(b.name))
    lines.push(...own.flatMap(flagEntry))
  }
  lines.push(
    '.SH "EXIT STATUS"',
    ...exits.flatMap(exit => ['.TP', bold(exit.note), roff(`${exit.name}: ${exit.means}`)]),
  )
  lines.push(
    '.SH "SEE ALSO"',
    'quorate(1), quorate\\-recovery(7), quorate\\-errors(7), quorate\\-findings(7)',
    '',
  )
  return lines.join('\n')
}

/** Renders the page that lists the commands. */
export function mainPage(
  commands: readonly ManualCommand[],
  exits: readonly CatalogueEntry[],
  version: string,
): string {
  return [
    header('quorate', 1, version),
    '.SH NAME',
    'quorate \\- inspect, diagnose and repair clusters that agree by HashiCorp Raft',
    '.SH SYNOPSIS',
    `${bold('quorate')} ${italic('COMMAND [HOST...] [FLAGS]')}`,
    '.SH DESCRIPTION',
    roff(
      'What to reach for when a Consul datacenter says "No cluster leader": observe every server, live or stopped, name the failure, plan the least drastic way out, carry it out behind a proven barrier, and verify it.',
    ),
    '.SH COMMANDS',
    ...commands.flatMap(command => [
      '.TP',
      bold(command.id.replaceAll(':', ' ')),
      roff(command.summary ?? ''),
    ]),
    '.SH "EXIT STATUS"',
    ...exits.flatMap(exit => ['.TP', bold(exit.note), roff(`${exit.name}: ${exit.means}`)]),
    '.SH FILES',
    '.TP',
    bold('quorate.yaml'),
    'The inventory, in the working directory or under $XDG_CONFIG_HOME/quorate.',
    '.TP',
    bold('$XDG_STATE_HOME/quorate/journal'),
    'Plans and their journals, kept for ever.',
    '.SH "SEE ALSO"',
    'quorate\\-recovery(7), quorate\\-errors(7), quorate\\-findings(7)',
    '',
  ].join('\n')
}

/** Renders a catalogue: errors or findings by code. */
export function cataloguePage(
  title: string,
  about: string,
  entries: readonly CatalogueEntry[],
  version: string,
): string {
  return [
    header(title, 7, version),
    '.SH NAME',
    `${roff(title)} \\- ${roff(about)}`,
    '.SH DESCRIPTION',
    ...entries.flatMap(entry => ['.TP', `${bold(entry.name)} (${roff(entry.note)})`, roff(entry.means)]),
    '',
  ].join('\n')
}
