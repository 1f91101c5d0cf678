import {apiFlags} from '../src/api-flags.js'
import {BaseCommand} from '../src/base-command.js'

/** Makes an agent leave. */
export default class Leave extends BaseCommand<{readonly left: string}> {
  static override summary = 'Make an agent leave its cluster gracefully and end.'
  static override description =
    'A server is removed from the peer set. With -raft-protocol 0 the last servers to leave remove themselves too, and ' +
    'cannot come back alone: stop them instead.'
  static override examples = ['<%= config.bin %> <%= command.id %> --http-addr 10.0.0.3:8500']
  static override flags = apiFlags

  /** Asks one agent to leave. */
  async run(): Promise<{readonly left: string}> {
    const {flags} = await this.parse(Leave)
    const [{openAgentApi}, {leave}] = await Promise.all([
      import('../src/open-api.js'),
      import('../src/client/membership.js'),
    ])
    const api = await openAgentApi(flags)
    await leave(api)
    const result = {left: api.address}
    return this.show(
      {result, exit: 'ok', screen: () => `The agent at ${api.address} has left.`},
      this.terminal(flags),
    )
  }
}
