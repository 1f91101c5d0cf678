import {Args, Flags} from '@oclif/core'
import {apiFlags} from '../src/api-flags.js'
import {BaseCommand} from '../src/base-command.js'
import type {Joined} from '../src/client/membership.js'
import {QuorateError} from '../src/errors.js'

/** Makes an agent join a pool. */
export default class Join extends BaseCommand<Joined> {
  static override summary = 'Make an agent join the pool that other agents are in.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> 10.0.0.2',
    '<%= config.bin %> <%= command.id %> --wan 10.1.0.1:8302',
  ]
  static override strict = false
  static override args = {
    address: Args.string({
      required: true,
      description: 'Agents of the pool, host or host:port; one that answers is enough.',
    }),
  }
  static override flags = {
    ...apiFlags,
    wan: Flags.boolean({summary: 'Join the pool of servers of all datacenters.'}),
  }

  /** Asks one agent to join. */
  async run(): Promise<Joined> {
    const {argv, flags} = await this.parse(Join)
    const [{openAgentApi}, {join}, {renderJoined}] = await Promise.all([
      import('../src/open-api.js'),
      import('../src/client/membership.js'),
      import('../src/ui/views/members.js'),
    ])
    const addresses = (argv as string[]).filter(address => address !== '')
    if (addresses.length === 0) throw new QuorateError('USAGE', 'join takes the address of an agent.')
    const result = await join(await openAgentApi(flags), addresses, flags.wan)
    return this.show({result, exit: 'ok', screen: () => renderJoined(result)}, this.terminal(flags))
  }
}
