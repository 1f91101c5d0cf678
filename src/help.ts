import {CommandHelp, Errors, Help} from '@oclif/core'
import {byOutageOrder, exitsOf, spokenId} from './docs/exits.js'

type Section = ReturnType<CommandHelp['sections']>[number]

/** Help of one command: examples before flags, and how the command can end. */
class OperatorsCommandHelp extends CommandHelp {
  /** Flags stand in full below; listed once more in the usage line they would hide the arguments. */
  protected override defaultUsage(): string {
    const args = Object.values(this.command.args)
      .filter(arg => arg.hidden !== true)
      .map(arg => this.arg(arg))
    if (this.command.strict === false && args.length === 0) args.push('[HOST...]')
    return [this.command.id, ...args, '[FLAGS]'].join(' ')
  }

  /** The summary stands on top already. */
  protected override description(): string | undefined {
    const {description} = this.command
    return description === undefined ? undefined : this.wrap(description)
  }

  protected override sections(): Section[] {
    const all = super.sections()
    const exits = exitsOf(this.command.id)
    const order = ['USAGE', 'ARGUMENTS', 'DESCRIPTION', 'EXAMPLES', 'FLAGS', 'FLAG DESCRIPTIONS']
    const known = order.flatMap(header => all.filter(section => section.header === header))
    if (exits === undefined) return known
    const rows = exits.map(({name, note, means}): [string, string] => [`${note} ${name}`, means])
    const manual = `man quorate-${spokenId(this.command.id).replaceAll(' ', '-')}`
    return [
      ...known,
      {header: 'EXIT CODES', generate: (_data, header) => [{header, body: rows}]},
      {header: 'MANUAL', generate: () => manual},
    ]
  }
}

/** Help in the order of an outage: what is asked for first stands first. */
export class OperatorsHelp extends Help {
  protected override CommandHelpClass = OperatorsCommandHelp

  protected override get sortedCommands(): Help['sortedCommands'] {
    return [...super.sortedCommands].sort(byOutageOrder)
  }

  /** Help on what does not exist ends like the command that does not exist. */
  override async showHelp(argv: string[]): Promise<void> {
    try {
      await super.showHelp(argv)
    } catch (error) {
      if (!(error instanceof Errors.CLIError) || error instanceof Errors.ExitError) throw error
      const words = argv.filter(word => !word.startsWith('-') && word !== 'help')
      await this.config.runHook('command_not_found', {id: words.join(':'), argv})
      throw error
    }
  }

  /** All commands of quorate at once, topics opened; those of plug-ins after them. */
  protected override async showRootHelp(): Promise<void> {
    const own = this.sortedCommands.filter(command => command.pluginName === this.config.name)
    const other = this.sortedCommands.filter(
      command => command.pluginName !== this.config.name && !command.id.includes(':'),
    )
    const rows = (commands: Help['sortedCommands']): [string, string | undefined][] =>
      commands.map(command => [spokenId(command.id), this.summary(command)])
    const list = (commands: Help['sortedCommands']): string =>
      this.renderList(rows(commands), {
        indentation: 2,
        spacer: '\n',
        ...(this.opts.stripAnsi === undefined ? {} : {stripAnsi: this.opts.stripAnsi}),
      })
    this.log(this.wrap(this.config.pjson['description'] ?? ''))
    this.log('')
    this.log(this.section('USAGE', '$ quorate COMMAND [HOST...] [FLAGS]'))
    this.log('')
    this.log(this.section('COMMANDS', list(own)))
    this.log('')
    this.log(this.section('ALSO', list(other)))
    this.log('')
    this.log(
      this.section(
        'MANUAL',
        this.wrap(
          'quorate COMMAND --help, man quorate; man 7 quorate-recovery before the night of an outage.',
        ),
      ),
    )
  }
}

export default OperatorsHelp
