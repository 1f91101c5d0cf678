import {Args, Flags} from '@oclif/core'
import {apiFlags} from '../src/api-flags.js'
import {BaseCommand} from '../src/base-command.js'

interface Declared {
  readonly node: string
  readonly pruned: boolean
}

/** Declares a failed node left. */
export default class ForceLeave extends BaseCommand<Declared> {
  static override summary = 'Declare a failed node left; a leader then drops it from the peer set.'
  static override description =
    'Without a leader only gossip forgets the node and the peer set stays as it is: that is what `quorate peers fix` is for.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> server3',
    '<%= config.bin %> <%= command.id %> server3 --prune',
  ]
  static override args = {
    node: Args.string({required: true, description: 'Name of the node; name.datacenter with --wan.'}),
  }
  static override flags = {
    ...apiFlags,
    prune: Flags.boolean({summary: 'Forget it altogether, so that it is no longer listed.'}),
    wan: Flags.boolean({summary: 'In the pool of servers of all datacenters.'}),
  }

  /** Asks one agent to spread the word. */
  async run(): Promise<Declared> {
    const {args, flags} = await this.parse(ForceLeave)
    const [{openAgentApi}, {forceLeave}, {renderDone}] = await Promise.all([
      import('../src/open-api.js'),
      import('../src/client/membership.js'),
      import('../src/ui/views/done.js'),
    ])
    await forceLeave(await openAgentApi(flags), args.node, flags)
    const result = {node: args.node, pruned: flags.prune}
    return this.show(
      {
        result,
        exit: 'ok',
        screen: () => renderDone(`${args.node} is declared left${flags.prune ? ' and forgotten' : ''}.`),
      },
      this.terminal(flags),
    )
  }
}
