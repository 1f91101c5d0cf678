import {Flags} from '@oclif/core'
import {apiFlags} from '../src/api-flags.js'
import {BaseCommand} from '../src/base-command.js'
import type {Member} from '../src/client/membership.js'

/** Lists the members of a gossip pool. */
export default class Members extends BaseCommand<readonly Member[]> {
  static override summary = 'List the members of an agent’s gossip pool, alive, left and failed.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --wan --detailed --http-addr 10.0.0.1:8500',
  ]
  static override flags = {
    ...apiFlags,
    detailed: Flags.boolean({summary: 'Show all tags.'}),
    wan: Flags.boolean({summary: 'The pool of servers of all datacenters.'}),
  }

  /** Asks one agent. */
  async run(): Promise<readonly Member[]> {
    const {flags} = await this.parse(Members)
    const terminal = this.terminal(flags)
    const [{openAgentApi}, {members}, views] = await Promise.all([
      import('../src/open-api.js'),
      import('../src/client/membership.js'),
      import('../src/ui/views/members.js'),
    ])
    const result = await members(await openAgentApi(flags), flags.wan)
    return this.show(
      {
        result,
        exit: 'ok',
        screen: theme =>
          flags.detailed
            ? views.renderMembersDetailed(result, theme)
            : views.renderMembers(result, {theme, width: Math.max(terminal.width, 100)}),
      },
      terminal,
    )
  }
}
