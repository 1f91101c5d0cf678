/** A flag as oclif's manifest has it, as far as a manual page needs it. */
export interface ManualFlag {
  readonly name: string
  readonly char?: string
  readonly summary?: string
  readonly description?: string
  readonly helpGroup?: string
  readonly helpValue?: string
  readonly env?: string
  readonly multiple?: boolean
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
  /** A number or a remark beside the name; may be empty. */
  readonly note: string
  readonly means: string
}

const glyphs: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  "'": '\\(aq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
  '’': '\\(cq',
}

/** Text as roff may take it: signs that it would read as commands or set typographically become plain ones. */
function roff(text: string): string {
  return text.replaceAll(/[\\\-'`^~’]/g, sign => glyphs[sign] ?? sign).replace(/^\./gm, '\\&.')
}

/** Prose, in which words between backticks are what to type. */
function prose(text: string): string {
  return text
    .split(/`([^`]+)`/)
    .map((part, index) => (index % 2 === 1 ? bold(part) : roff(part)))
    .join('')
}

const bold = (text: string): string => `\\fB${roff(text)}\\fR`
const italic = (text: string): string => `\\fI${roff(text)}\\fR`

/** Words are not broken and lines not stretched: names of variables and commands are there to be copied. */
function header(title: string, section: number, version: string): string {
  return [
    `.TH ${roff(title.toUpperCase())} ${section} "" "quorate ${version}" "quorate manual"`,
    '.nh',
    '.ad l',
  ].join('\n')
}

function flagEntry(flag: ManualFlag): string[] {
  const value =
    flag.type === 'option'
      ? ` ${italic(flag.helpValue ?? (flag.options === undefined ? 'N' : flag.options.join('|')))}`
      : ''
  const long = flag.allowNo === true ? `--[no-]${flag.name}` : `--${flag.name}`
  const short = flag.char === undefined ? '' : `${bold(`-${flag.char}`)}, `
  const plain = typeof flag.default === 'string' || typeof flag.default === 'number'
  const notes = [
    flag.multiple === true ? 'May be repeated.' : '',
    plain ? `Default ${String(flag.default)}.` : '',
    flag.env === undefined ? '' : `Environment: ${flag.env}.`,
  ].filter(note => note !== '')
  return [
    '.TP',
    `${short}${bold(long)}${value}`,
    prose([flag.summary ?? flag.description ?? '', ...notes].join(' ')),
  ]
}

function exitEntries(exits: readonly CatalogueEntry[]): string[] {
  return [
    '.SH "EXIT STATUS"',
    ...exits.flatMap(exit => ['.TP', `${bold(exit.note)} ${roff(exit.name)}`, prose(exit.means)]),
  ]
}

function exampleLines(command: ManualCommand): string[] {
  const lines: string[] = []
  for (const example of command.examples ?? []) {
    const text = typeof example === 'string' ? example : example.command
    const typed = text
      .replaceAll('<%= config.bin %>', 'quorate')
      .replaceAll('<%= command.id %>', command.id.replaceAll(':', ' '))
    if (typeof example !== 'string') lines.push('.PP', prose(example.description))
    lines.push('.PP', '.RS 4', '.nf', ...typed.split('\n').map(roff), '.fi', '.RE')
  }
  return lines.length === 0 ? [] : ['.SH EXAMPLES', ...lines]
}

function flagLines(command: ManualCommand): string[] {
  const lines = ['.SH OPTIONS']
  const flags = Object.values(command.flags).filter(flag => flag.hidden !== true)
  const groups = [...new Set(flags.map(flag => flag.helpGroup ?? ''))].sort((a, b) => a.localeCompare(b))
  for (const group of groups) {
    const own = flags
      .filter(flag => (flag.helpGroup ?? '') === group)
      .sort((a, b) => a.name.localeCompare(b.name))
    if (group !== '') lines.push(`.SS "${roff(groupTitles[group] ?? group)}"`)
    lines.push(...own.flatMap(flagEntry))
  }
  return lines
}

const groupTitles: Readonly<Record<string, string>> = {
  ADDRESSES: 'Addresses and ports',
  AGENT: 'The agent',
  API: 'Which agent is asked',
  CONSENT: 'Consent',
  FILES: 'Files',
  FLEET: 'Which servers, and how they are reached',
  GLOBAL: 'Every command',
  JOINING: 'Whom it joins, and how it agrees',
  LOG: 'Log',
}

/** Renders the page of one command. */
export function commandPage(
  command: ManualCommand,
  exits: readonly CatalogueEntry[],
  version: string,
): string {
  const name = `quorate ${command.id.replaceAll(':', ' ')}`
  const args = Object.values(command.args)
  const words = args.map(arg => (arg.required === true ? arg.name : `[${arg.name}]`).toUpperCase())
  if (command.strict === false && args.length === 0) words.push('[HOST...]')
  const lines = [
    header(name.replaceAll(' ', '-'), 1, version),
    '.SH NAME',
    `${roff(name.replaceAll(' ', '-'))} \\- ${roff(asName(command.summary ?? ''))}`,
    '.SH SYNOPSIS',
    `${bold(name)} ${italic([...words, '[FLAGS]'].join(' '))}`,
  ]
  const paragraphs = (command.description ?? '').split('\n\n').filter(text => text !== '')
  if (paragraphs.length > 0)
    lines.push('.SH DESCRIPTION', ...paragraphs.flatMap(text => ['.PP', prose(text)]))
  if (args.length > 0) {
    lines.push('.SH ARGUMENTS')
    for (const arg of args) lines.push('.TP', italic(arg.name.toUpperCase()), prose(arg.description ?? ''))
  }
  lines.push(...exampleLines(command), ...flagLines(command), ...exitEntries(exits))
  return [
    ...lines,
    '.SH "SEE ALSO"',
    seeAlso([
      ['quorate', 1],
      ['quorate-inventory', 7],
      ['quorate-recovery', 7],
      ['quorate-findings', 7],
      ['quorate-errors', 7],
    ]),
    '',
  ].join('\n')
}

/** The NAME line of a page is a phrase, not a sentence. */
function asName(summary: string): string {
  return summary.charAt(0).toLowerCase() + summary.slice(1).replace(/\.$/, '')
}

function seeAlso(pages: readonly (readonly [string, number])[]): string {
  return pages.map(([name, section]) => `${bold(name)}(${section})`).join(', ')
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
      prose(command.summary ?? ''),
    ]),
    ...exitEntries(exits),
    '.SH FILES',
    '.TP',
    bold('quorate.yaml'),
    'The inventory, in the working directory or under $XDG_CONFIG_HOME/quorate.',
    '.TP',
    bold('$XDG_STATE_HOME/quorate/journal'),
    'Plans and their journals, kept for ever.',
    '.SH "SEE ALSO"',
    seeAlso([
      ['quorate-recovery', 7],
      ['quorate-inventory', 7],
      ['quorate-findings', 7],
      ['quorate-errors', 7],
      ['quorate-glossary', 7],
    ]),
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
    ...entries.flatMap(entry => [
      '.TP',
      entry.note === '' ? bold(entry.name) : `${bold(entry.name)} (${roff(entry.note)})`,
      prose(entry.means),
    ]),
    '.SH "SEE ALSO"',
    seeAlso([
      ['quorate', 1],
      ['quorate-recovery', 7],
    ]),
    '',
  ].join('\n')
}
