import {Flags} from '@oclif/core'
import {apiFlags} from '../src/api-flags.js'
import {BaseCommand} from '../src/base-command.js'
import {QuorateError} from '../src/errors.js'

/** Shows an agent's log as it is written. */
export default class Monitor extends BaseCommand<undefined> {
  static override summary = 'Show an agent’s log as it is written, until the agent or you end it.'
  static override examples = ['<%= config.bin %> <%= command.id %> --log-level debug']
  static override flags = {
    ...apiFlags,
    'log-level': Flags.string({
      options: ['trace', 'debug', 'info', 'warn', 'error'] as const,
      default: 'info',
      summary: 'Mildest lines to show.',
    }),
  }

  /** Prints lines as they come. */
  async run(): Promise<undefined> {
    const {flags} = await this.parse(Monitor)
    if (this.jsonEnabled())
      throw new QuorateError('USAGE', 'monitor prints lines as they come; leave --json out.')
    const [{openAgentApi}, {monitor}, {makeLinePrinter}] = await Promise.all([
      import('../src/open-api.js'),
      import('../src/client/membership.js'),
      import('../src/ui/line-printer.js'),
    ])
    const print = makeLinePrinter(process.stdout)
    await monitor(await openAgentApi(flags), flags['log-level'], print)
    return undefined
  }
}
